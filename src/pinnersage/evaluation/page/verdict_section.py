"""The verdict on top: the sentences of ``metrics.json``, by budget, with their outcome."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pinnersage.evaluation.page.blocks import Block, Folded, Heading, Saying, Sayings, Section, Text
from pinnersage.evaluation.page.families import family_of
from pinnersage.evaluation.page.summary import Summary
from pinnersage.evaluation.page.words import budget_name

_BASIS = re.compile(r"^(?P<text>.*) \((?P<basis>[^()]*, budget (?P<budget>[^(),]+))\)\.$", re.DOTALL)

_SHORT = "In short, "
_HOW_MANY = "Asking "
_READING = (
    "1.5x means half as many again; in brackets stands the 95 % interval, from resampling the users. "
    "Won: all of it lies above 1. Lost: all of it lies below 1. Open: 1 lies within, and these data cannot "
    "tell. Under each sentence stand the arms compared; the next part tells what they are."
)
_WITHIN = "The paper's own choices, one against another"


def verdict_section(summary: Summary) -> Section:
    """Return the sentences: those of the plots' budget first, other budgets folded."""
    by_budget: dict[str, list[Saying]] = {}
    for sentence in summary.verdict:
        budget, saying = saying_of(sentence)
        by_budget.setdefault(budget, []).append(saying)
    if not by_budget:
        return Section(
            "verdict", "Verdict", [Text("These arms allow no comparison that a verdict speaks of.")]
        )
    first = summary.budget if summary.budget in by_budget else next((b for b in by_budget if b), "")
    main = by_budget.get(first, []) if first else []
    short = [saying for saying in main if saying.outcome == "short"]
    rest = {budget: told for budget, told in by_budget.items() if budget} | {
        first: [saying for saying in main if saying.outcome != "short"]
    }
    blocks: list[Block] = [Sayings([*short, *by_budget.get("", [])]), Text(_READING)]
    for budget in sorted(rest, key=lambda budget: budget != first):
        if rest[budget]:
            blocks += _of_budget(summary, budget, rest[budget], folded=budget != first)
    return Section("verdict", "Verdict", blocks)


def _of_budget(summary: Summary, budget: str, sayings: Sequence[Saying], *, folded: bool) -> list[Block]:
    n_items = summary.about.budgets.get(budget)
    name = f"First-time items, {budget_name(budget, n_items) if n_items else budget}"
    within = [saying for saying in sayings if _is_within(summary, saying)]
    block = Sayings([saying for saying in sayings if saying not in within])
    more = [Folded(f"{_WITHIN}: {_count(within)}", [Sayings(within)])] if within else []
    if folded:
        return [Folded(f"{name}: {_count(sayings)}", [block, *more])]
    return [Heading(name), block, *more]


def _is_within(summary: Summary, saying: Saying) -> bool:
    """Tell whether a sentence sets PinnerSage's own ways against each other, as the paper does."""
    arms = saying.basis.split(" against ")
    return len(arms) == 2 and all(family_of(summary.costs.get(arm)) == "pinnersage" for arm in arms)


def _count(sayings: Sequence[Saying]) -> str:
    counts = [(name, sum(s.outcome == name for s in sayings)) for name in ("won", "lost", "open")]
    return ", ".join(f"{n} {name}" for name, n in counts if n)


def saying_of(sentence: str) -> tuple[str, Saying]:
    """Return the budget that a sentence speaks of, empty for none, and the sentence in its parts.

    Examples
    --------
    >>> saying_of("Ward beat k-means by 1.2x (a against b, first-time items, budget 1%).")
    ('1%', Saying(outcome='won', text='Ward beat k-means by 1.2x.', basis='a against b'))
    """
    found = _BASIS.match(sentence)
    text = f"{found['text']}." if found else sentence
    if text.startswith(_SHORT):
        rest = text.removeprefix(_SHORT)
        return _placed(found, Saying("short", rest[:1].upper() + rest[1:], ""))
    if sentence.startswith(_HOW_MANY):
        return "", Saying("note", sentence, "")
    if "do not beat" in text:
        return _placed(found, Saying("lost", text, ""))
    won = " beat " in text and "cannot be told apart" not in text
    return _placed(found, Saying("won" if won else "open", text, ""))


def _placed(found: re.Match[str] | None, saying: Saying) -> tuple[str, Saying]:
    if found is None:
        return "", saying
    basis = found["basis"].removesuffix(f", budget {found['budget']}").removesuffix(", first-time items")
    return found["budget"], Saying(saying.outcome, saying.text, basis)
