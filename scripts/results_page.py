"""Write the tables of docs/results.md, and a page of all arms for each log, from the short results.

Usage: python scripts/results_page.py

Everything between the two markers is made anew from docs/results/*.json; the words around are kept. The
pages docs/results/LOG.md are made anew as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pinnersage.evaluation.arms.names import BY_NAME_ONLY, GROUPS

DOCS = Path(__file__).parents[1] / "docs"
START, END = "<!-- tables: python scripts/results_page.py -->", "<!-- end of tables -->"
MAIN = "1%"
ORDER = ("completejourney", "online-retail", "congress-110", "movietweetings-142k")
VECTORS = {
    "given": "embeddings of the items' texts, as given",
    "fused": "the same, fused with what the log before the first day says (`--vectors fused`)",
}
RIVALS = (
    "popular-30d",
    "popular-90d",
    "popular-category",
    "ease",
    "item-item",
    "als",
    "sasrec",
    "comirec",
    "mind",
)
MEANS = ("mean-0", "mean-0.01", "mean-0.1", "mean-0.25")
TELLING = (
    *("mean-0.01", "balanced-40", "popular-30d", "ease", "item-item", "als", "sasrec"),
    *("popular-ranked", "mean-0.01-ranked", "top-40-ranked"),
)
Results = dict[str, Any]


def figure(found: Any, digits: int = 3) -> str:
    """Return ``.123 [.100, .150]``, or the value alone where there is no interval."""
    numbers = found if isinstance(found, list) else [found]
    texts = ["-" if x is None else re.sub(r"^(-?)0\.", r"\1.", f"{x:.{digits}f}") for x in numbers]
    return texts[0] if len(texts) == 1 else f"{texts[0]} [{texts[1]}, {texts[2]}]"


def _end(high: float | None) -> str:
    return "∞)" if high is None else f"{high:.2f}]"


def times(found: Any) -> str:
    """Return a ratio with its interval."""
    return "-" if not found or found[0] is None else f"{found[0]:.2f} [{found[1]:.2f}, {_end(found[2])}"


def table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Yield a table in Markdown."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    yield from ("| " + " | ".join(row) + " |" for row in rows)
    yield ""


def against_rival(results: Results, budget: str, arm: str) -> str:
    """Return recall over the best of popularity and trained arms; an interval only where it was made."""
    found = results["results"][f"{budget} first_time"]
    rival = max(
        (name for name in found if name.startswith(RIVALS)), key=lambda name: found[name]["recall"][0]
    )
    over = results["lifts"][budget].get(arm, {}).get(rival)
    plain = f"{found[arm]['recall'][0] / found[rival]['recall'][0]:.2f}"
    return f"{times(over['recall']) if over else plain} ({rival})"


def against_best_mean(results: Results, budget: str, arm: str) -> str:
    """Return recall over the mean whose decay did best on this very span, as no tuning beforehand could."""
    found = results["results"][f"{budget} first_time"]
    best = max((name for name in found if name in MEANS), key=lambda name: found[name]["recall"][0])
    return f"{found[arm]['recall'][0] / found[best]['recall'][0]:.2f} ({best})"


def bars(everything: dict[str, Results]) -> Iterator[str]:
    """Yield the figures the project set itself, against what was reached."""
    head = ["data", "embeddings", "budget"]
    head += ["one arm of interests alone / decayed mean: relevance", "recall"]
    head += ["with the second stage / decayed mean: relevance", "recall", "with it / best mean: recall"]
    head += ["with it / best rival: recall"]
    rows = []
    for results in everything.values():
        for budget in (MAIN, "400"):
            lifts = results["lifts"][budget]
            cells = [results["data"], results["about"]["vectors"], budget]
            for arm in ("balanced-40", "top-40-ranked"):
                over = lifts.get(arm, {}).get("mean-0.01", {})
                cells += [times(over.get("relevance")), times(over.get("recall"))]
            cells.append(against_best_mean(results, budget, "top-40-ranked"))
            rows.append([*cells, against_rival(results, budget, "top-40-ranked")])
    yield from table(head, rows)


def pairs(everything: dict[str, Results], budget: str) -> Iterator[str]:
    """Yield the ratios of the paper's orderings, and what each part of ours adds."""
    yield f"### One thing against another, recall of first-time items at {budget}\n"
    cells: dict[str, list[str]] = {}
    for n_before, results in enumerate(everything.values()):
        for name, found in results["pairs"].items():
            pair, at = name.rsplit(" at ", 1)
            if at == budget:
                cells.setdefault(f"`{pair}`", ["-"] * n_before).append(times(found["recall"]))
        for row in cells.values():
            row += ["-"] * (n_before + 1 - len(row))
    head = [f"{results['data']}, {results['about']['vectors']}" for results in everything.values()]
    yield from table(["", *head], [[name, *row] for name, row in cells.items()])


def few_items(everything: dict[str, Results]) -> Iterator[str]:
    """Yield how well arms tell a target from 20 impressions."""
    yield "### A target among 20 impressions: R-precision of first-time items (reciprocal rank)\n"
    head, tables = [""], []
    for results in everything.values():
        head.append(f"{results['data']}, {results['about']['vectors']}")
        tables.append(results["results"][f"{MAIN} first_time"])
    rows = []
    for name in TELLING:
        found = [of[name] for of in tables]
        cells = [f"{figure(of['r_precision'])} ({figure(value_of(of['reciprocal_rank']))})" for of in found]
        rows.append([f"`{name}`", *cells])
    yield from table(head, rows)


def arms_of(results: Results) -> str:
    """Return the shortest way to ask for the arms of a run: whole groups by their names."""
    names = list(results["results"][f"{MAIN} first_time"])
    left_out = set(results["about"]["arms_left_out"])
    every = {name for group in GROUPS if group != "knobs" for name in GROUPS[group]}
    if set(names) >= every - {*BY_NAME_ONLY} - left_out:
        return "all"
    words = []
    for group, members in GROUPS.items():
        here = [name for name in members if name in names]
        whole = len(here) > 1 and set(here) >= set(members) - left_out
        words += [group] if whole else here
    return ",".join(words)


def of_dataset(results: Results) -> Iterator[str]:
    """Yield all tables of one run."""
    about = results["about"]
    heading = VECTORS[about["vectors"]]
    yield f"## {heading[0].upper()}{heading[1:]}\n"
    span, measured = about["span"], about["measured"]
    yield (
        f"`pinnersage evaluate --items {results['data']}/items.parquet --actions "
        f"{results['data']}/actions.parquet --from {span['from'][:10]} --days {span['n_days']} "
        f"--vectors {about['vectors']} --arms {arms_of(results)} "
        f"--out report-{results['data']}-{about['vectors']}`  "
    )
    yield (
        f"{measured['n_users']:,} users, {measured['n_user_days']:,} user-days; "
        f"{measured['n_first_time_targets']:,} first-time items, {measured['n_repeat_targets']:,} repeats; "
        f"{about['pool']['n_items_first_day']:,} items in the pool on the first day; impressions "
        f"{about['impressions']}.\n"
    )
    yield f"> {results['verdict'][0]}\n"
    yield from main_table(results)
    yield from interval_table(results)
    yield from other_table(results)


def main_table(results: Results) -> Iterator[str]:
    """Yield every metric of first-time items at 1 % of the pool."""
    arms = results["results"][f"{MAIN} first_time"]
    plain = ("ndcg", "r_precision", "reciprocal_rank", "diversity", "novelty", "calibration", "coverage")
    head = [f"{MAIN}, {results['about']['budgets'][MAIN]} items", "relevance", "recall"]
    rows = []
    for name, found in arms.items():
        cells = [figure(found[metric]) for metric in ("relevance", "recall")]
        cells += [figure(value_of(found[metric])) for metric in plain]
        rows.append([f"`{name}`", *cells])
    columns = ["nDCG", "R-prec.", "rec. rank", "diversity", "novelty", "calibration", "coverage"]
    yield from table(head + columns, rows)


def interval_table(results: Results) -> Iterator[str]:
    """Yield the intervals that the main table has no room for."""
    kinds = {"ndcg": "nDCG", "r_precision": "R-precision", "reciprocal_rank": "reciprocal rank"}
    kinds |= {name: name for name in ("diversity", "novelty", "calibration")}
    rows = [
        [f"`{name}`", *(figure(found[kind]) for kind in kinds)]
        for name, found in results["results"][f"{MAIN} first_time"].items()
    ]
    yield from table([f"{MAIN}, with intervals", *kinds.values()], rows)


def value_of(found: Any) -> Any:
    """Return the value of a figure that may have an interval."""
    return found[0] if isinstance(found, list) else found


def recall_and_relevance(found: Results) -> str:
    """Return recall with its interval, and the value of relevance."""
    return f"{figure(found['recall'])} ({figure(value_of(found['relevance']))})"


def other_table(results: Results) -> Iterator[str]:
    """Yield relevance and recall at the other budgets, repeats, and by activity."""
    parts = [(budget, "first_time") for budget in ("400", "5%")]
    if results["about"]["measured"]["n_repeat_targets"]:
        parts += [(budget, "repeat") for budget in (MAIN, "400", "5%")] + [(MAIN, "all")]
    head = ["recall (relevance)", *(f"{budget}, {part.replace('_', '-')}" for budget, part in parts)]
    groups = results["groups"]
    head += [f"{MAIN}, {name} activity" for name in groups]
    rows = []
    for name in results["results"][f"{MAIN} first_time"]:
        cells = [f"`{name}`"]
        for budget, part in parts:
            found = results["results"][f"{budget} {part}"][name]
            cells.append(recall_and_relevance(found))
        cells += [recall_and_relevance(of[name]) for of in groups.values()]
        rows.append(cells)
    yield from table(head, rows)


def quality(everything: dict[str, Results]) -> Iterator[str]:
    """Yield how good the interests of a sample of users are, whatever they are used for."""
    yield "### The interests themselves\n"
    kinds = {
        "n_interests_per_user": "interests a user",
        "silhouette": "silhouette",
        "purity": "purity by category",
        "purity_at_random": "at random",
        "stability": "stability",
        "found_again": "found again",
    }
    rows = []
    for results in everything.values():
        found = results["interest_quality"]
        values = [(found[kind] or {}).get("value") for kind in kinds]
        rows.append([results["data"], results["about"]["vectors"], *(figure(value, 2) for value in values)])
    yield from table(["data", "embeddings", *kinds.values()], rows)


def page(everything: dict[str, Results]) -> str:
    """Return the tables that hold all runs side by side."""
    lines = ["### The figures the project set itself\n", *bars(everything)]
    lines += [*pairs(everything, MAIN), *pairs(everything, "400"), *few_items(everything)]
    lines += [*quality(everything)]
    behind = read(DOCS / "results" / "next")
    lines += ["### The same figures on the days behind those reported\n", *bars(behind)] if behind else []
    lines += ["### Every arm, log by log\n"]
    names = dict.fromkeys(str(results["data"]) for results in everything.values())
    lines += [f"- [{name}](results/{name}.md)" for name in names]
    return "\n".join([*lines, ""])


def log_page(name: str, everything: dict[str, Results]) -> str:
    """Return the page of one log: all arms, with either embeddings."""
    lines = [
        f"# {name}: every arm\n",
        "Made by `python scripts/results_page.py` from the short results beside it; how to read it, and",
        "what it comes to, is told in [Results on public logs](../results.md).\n",
    ]
    for results in everything.values():
        if results["data"] == name:
            lines += of_dataset(results)
    return "\n".join(lines).rstrip() + "\n"


def read(directory: Path) -> dict[str, Results]:
    """Return the runs in the order of the page."""
    found = {}
    for name in ORDER:
        for vectors in VECTORS:
            path = directory / f"{name}-{vectors}.json"
            if path.exists():
                found[path.stem] = {"data": name} | json.loads(path.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Write the pages anew."""
    target, everything = DOCS / "results.md", read(DOCS / "results")
    before, rest = target.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    target.write_text(f"{before}{START}\n{page(everything)}\n{END}{after}", encoding="utf-8")
    for name in dict.fromkeys(results["data"] for results in everything.values()):
        (DOCS / "results" / f"{name}.md").write_text(log_page(name, everything), encoding="utf-8")


if __name__ == "__main__":
    main()
