"""An explanation for people: a verdict, the actions behind it, and the interests considered."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinnersage.cli.tables import Answer, TitleOf, kept_whole, share_text, stretched_table
from pinnersage.cli.times import short_date
from pinnersage.retrieval.explain import LIST_LENGTH
from pinnersage.retrieval.words import FEATURE_WORDS, REASON_WORDS, SOURCE_WORDS, in_a_row

_N_SHOWN = 5


def explanation(answer: Answer, title_of: TitleOf) -> Group:
    """Return why an item would be recommended to a user, or why not."""
    parts: list[RenderableType] = [_verdict(answer, title_of)]
    if answer["near_duplicate_of_seen"] is not None:
        twin = title_of(answer["near_duplicate_of_seen"])
        parts.append(Text(f"It is a near-duplicate of {twin}, which the user acted on."))
    if answer["near_duplicate_instead"] is not None:
        parts.append(Text(f"It is a near-duplicate of {title_of(answer['near_duplicate_instead'])}."))
    if answer["actions"]:
        parts += [Text("\nThe actions that count most for it", style="bold"), _actions(answer, title_of)]
    if answer["interests"]:
        parts += [Text("\nThe interests nearest to it", style="bold"), _interests(answer, title_of)]
    if answer.get("ranking"):
        brought = [SOURCE_WORDS[source] for source in answer["ranking"]["sources"]]
        parts += [
            Text("\nWhat the ranker adds up", style="bold"), _ranking(answer["ranking"]),
            *([Text(f"It is a candidate because it is {in_a_row(brought)}.")] if brought else []),
        ]  # fmt: skip
    return Group(*parts)


def _verdict(answer: Answer, title_of: TitleOf) -> Text:
    item = (title_of(answer["item_id"]), "bold")
    if not answer["recommendable"]:
        why = "; ".join(REASON_WORDS.get(reason, reason) for reason in answer["reasons"])
        return Text.assemble(item, f" is no candidate for user {answer['user_id']}: {why}.")
    listed = f"not among the first {LIST_LENGTH}" if answer["rank"] is None else f"number {answer['rank']}"
    lead = f" is {listed} of the list of user {answer['user_id']}"
    if answer["interest"] is None:
        return Text.assemble(item, lead, ".")
    interest = (title_of(answer["interest"]), "cyan")
    near = f" (cosine {answer['score']:.2f}, {_nearness(answer)})."
    return Text.assemble(item, lead, ", for the interest ", interest, near)


def _nearness(answer: Answer) -> str:
    """Return the item's place by nearness; it may be beyond what the interest offers, and come otherwise."""
    place, n_offered = answer["rank_in_interest"], answer["n_offered"]
    if place <= n_offered:
        return f"number {place} of the {n_offered} it may offer"
    return f"where {place - 1} are nearer" if place > 1 else "where it is the nearest"


def _actions(answer: Answer, title_of: TitleOf) -> Table:
    table = stretched_table(
        "Item", "Action", "On", "Cosine", "Weight now", "Contribution", stretch={"Item": 1}
    )
    for action in answer["actions"][:_N_SHOWN]:
        numbers = (action["similarity"], action["decayed_weight"], action["contribution"])
        table.add_row(
            Text(title_of(action["item_id"])),
            Text(action["action"] or "-"),
            short_date(action["timestamp"]),
            *(f"{number:.2f}" for number in numbers),
        )
    n_more = len(answer["actions"]) - _N_SHOWN
    if n_more > 0:
        table.add_row(Text(f"and {n_more} more", style="italic"))
    return kept_whole(table)


def _interests(answer: Answer, title_of: TitleOf) -> Table:
    table = stretched_table("Interest", "Cosine", "Share", stretch={"Interest": 1})
    largest = max(interest["share"] for interest in answer["interests"])
    for interest in answer["interests"][:_N_SHOWN]:
        name = Text(title_of(interest["medoid_item_id"]))
        table.add_row(name, f"{interest['similarity']:.2f}", share_text(interest["share"], largest))
    return kept_whole(table)


def _ranking(ranking: Answer) -> Table:
    table = stretched_table("Feature", "Log-odds", stretch={"Feature": 1})
    told = list(ranking["contributions"].items())
    rest = ranking["score"] - ranking["expected"] - sum(value for _, value in told[:_N_SHOWN])
    place = f"rank {ranking['rank']} of {ranking['n_candidates']}" if ranking["rank"] else "no candidate"
    sums = {
        "all else of it": rest,
        "what any candidate begins with": ranking["expected"],
        f"score ({place})": ranking["score"],
    }
    for words, value in ({FEATURE_WORDS[name]: value for name, value in told[:_N_SHOWN]} | sums).items():
        table.add_row(Text(words), f"{value:+.2f}")
    return table
