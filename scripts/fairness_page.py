"""Write docs/results/fairness.md: whom and what lists serve on the public logs, and what the knobs do to it.

Usage: python scripts/fairness_page.py [REPORT/metrics.json docs/results/fairness/LOG-VECTORS.json]

With two paths the report is shortened into the second one first. The page is made anew as a whole, but for
the words before its first marker.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from compact_results import figures, lines_of
from results_page import DOCS, VECTORS, figure, read, table, value_of

START = "<!-- tables: python scripts/fairness_page.py -->"
RESULTS, PAGE = DOCS / "results" / "fairness", DOCS / "results" / "fairness.md"
TOLD = (
    *("mean-0.01", "popular-30d", "as-configured", "top-20", "balanced-40"),
    *("mean-0.01-ranked", "top-40-ranked", "all-interests-ranked"),
)
MEASURES = ("relevance", "recall", "diversity", "calibration", "coverage", "gini", "popularity_lift")
SPREAD = ("gini", "top_1_percent_share", "popularity_lift")
TRAITS = {
    "activity": "activity",
    "history_days": "length of history",
    "n_interests": "number of interests",
    "history_popularity": "popularity of what they liked",
}
N_GROUPS = 6
_BUDGET, _PART = "1%", "first_time"
Results = dict[str, Any]


def short(report: dict[str, Any]) -> Results:
    """Return what the page tells of a report: first-time items at 1 % of the pool."""
    at = [row for row in report["results"] if (row["budget"], row["slice"]) == (_BUDGET, _PART)]
    exposure = [row for row in report["exposure"] if (row["budget"], row["slice"]) == (_BUDGET, _PART)]
    gaps: dict[str, Any] = {}
    for row in report["utility_gaps"]:
        if (row["budget"], row["metric"]) == (_BUDGET, "recall") and row["by"] in TRAITS:
            found = figures({"metrics": {row["by"]: row["gap"]}})
            gaps.setdefault(row["arm"], {}).update(found)
    knobs = [
        {"knob": row["knob"], "value": row["value"], "arm": row["arm"]}
        | figures({"metrics": {name: row[name] for name in MEASURES if isinstance(row[name], dict)}})
        | {name: row[name] for name in MEASURES if not isinstance(row[name], dict)}
        for row in report["knobs"]
        if row["budget"] == _BUDGET
    ]
    return {
        "about": {name: report["about"][name] for name in ("vectors", "span", "measured", "arms_left_out")},
        "results": {row["arm"]: figures({"metrics": _two(row["metrics"])}) for row in at},
        "knobs": {str(number): row for number, row in enumerate(knobs)},
        "gaps": gaps,
        "exposure": {row["arm"]: _of_items(row) for row in exposure if row["arm"] in TOLD},
        "groups": _groups(exposure[0]["groups"]),
        "interests": {
            row["arm"]: [list(one.values()) for one in row["rows"]]
            for row in report["interest_calibration"]
            if row["budget"] == _BUDGET and row["arm"] in TOLD
        },
        "gone": figures(
            {"metrics": {k: v for k, v in report["interest_quality"].items() if k.startswith("gone_")}}
        ),
    }


def _two(metrics: dict[str, Any]) -> dict[str, Any]:
    return {name: metrics[name] for name in ("relevance", "recall")}


def _of_items(row: dict[str, Any]) -> Results:
    within = {name: [row[name], *row["intervals"].get(name, [None, None])] for name in SPREAD}
    shares = {f"{one['by']}: {one['group']}": one["share"] for one in row["groups"]}
    return within | {"coverage": row["coverage"], "shares": shares}


def _groups(rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return of each group of items its share of the pool and of what users liked before."""
    return {f"{row['by']}: {row['group']}": [row["pool_share"], row["history_share"]] for row in rows}


def of_run(results: Results) -> Iterator[str]:
    """Yield all tables of one run."""
    yield f"## {results['data']}: {VECTORS[results['about']['vectors']]}\n"
    measured = results["about"]["measured"]
    yield f"{measured['n_users']:,} users, {measured['n_first_time_targets']:,} first-time items.\n"
    yield from knob_table(results)
    yield from user_table(results)
    yield from spread_table(results)
    yield from group_tables(results)
    yield from interest_table(results)


def knob_table(results: Results) -> Iterator[str]:
    """Yield what each knob does to every measure, and to the gaps between users."""
    traits = ("activity", "n_interests")
    head = ["knob", "value", "relevance", "recall", *MEASURES[2:]]
    head += [f"gap of recall by {TRAITS[by]}" for by in traits]
    rows = []
    for row in results["knobs"].values():
        cells = [f"`{row['knob']}`", str(row["value"])]
        cells += [figure(row[name]) for name in MEASURES[:2]]
        cells += [figure(value_of(row[name])) for name in MEASURES[2:]]
        rows.append([*cells, *(_gap(results, row["arm"], by) for by in traits)])
    yield from table([name.replace("_", " ") for name in head], rows)


def _gap(results: Results, arm: str, by: str) -> str:
    return figure(results["gaps"].get(arm, {}).get(by))


def user_table(results: Results) -> Iterator[str]:
    """Yield by how much the recall of the upper third of the users is above that of the lower."""
    rows = [
        [f"`{arm}`", figure(results["results"][arm]["recall"]), *(_gap(results, arm, by) for by in TRAITS)]
        for arm in TOLD
        if arm in results["results"]
    ]
    head = [
        "whom the lists serve",
        "recall",
        *(f"upper less lower third by {name}" for name in TRAITS.values()),
    ]
    yield from table(head, rows)


def spread_table(results: Results) -> Iterator[str]:
    """Yield how lists spread over the items."""
    parts = [name for name in results["groups"] if name.startswith("popularity: ")]
    rows = [
        _whole("the pool", results, parts, 0),
        _whole("what users liked before", results, parts, 1),
    ]
    for arm, found in results["exposure"].items():
        cells = [figure(found[name]) for name in SPREAD] + [figure(found["coverage"])]
        rows.append([f"`{arm}`", *cells, *(figure(found["shares"][name]) for name in parts)])
    shares = [f"share of the {name.removeprefix('popularity: ')}" for name in parts]
    yield from table(
        ["what they show", "Gini", "share of the top 1 %", "popularity lift", "coverage", *shares], rows
    )


def _whole(name: str, results: Results, parts: list[str], at: int) -> list[str]:
    return [name, *[""] * (len(SPREAD) + 1), *(figure(results["groups"][part][at]) for part in parts)]


def group_tables(results: Results) -> Iterator[str]:
    """Yield the shares of the largest groups by each column of the items."""
    kinds = dict.fromkeys(name.split(": ")[0] for name in results["groups"])
    for kind in kinds:
        if kind == "popularity":
            continue
        of_kind = {k: v for k, v in results["groups"].items() if k.startswith(f"{kind}: ")}
        largest = sorted(of_kind, key=lambda name: -(of_kind[name][1] or 0.0))[:N_GROUPS]
        rows = [
            [name, *(figure(of_kind[group][at]) for group in largest)]
            for at, name in enumerate(("the pool", "what users liked before"))
        ]
        for arm, found in results["exposure"].items():
            rows.append([f"`{arm}`", *(figure(found["shares"].get(group)) for group in largest)])
        yield from table([f"share by {kind}", *(_name(group) for group in largest)], rows)


def _name(group: str) -> str:
    """Return what a group is called, fit for a table in Markdown."""
    return group.partition(": ")[2].replace("|", "\\|")


def interest_table(results: Results) -> Iterator[str]:
    """Yield what part of the lists belongs to which interest, and what goes without it."""
    some = next(iter(results["interests"].values()))
    ranks = [str(row[0]) for row in some[:-1]] + [f"{some[-1][0]} and on"]
    rows = [
        ["importance", *(figure(row[1], 2) for row in some)],
        ["what they went on to act on", *(figure(row[3], 2) for row in some)],
    ]
    rows += [
        [f"`{arm}`", *(figure(row[2], 2) for row in found)] for arm, found in results["interests"].items()
    ]
    yield from table(["share by rank of the interest", *ranks], rows)
    parts = [
        f"the {name.removeprefix('gone_without_')} {figure(found, 2)}"
        for name, found in results["gone"].items()
    ]
    yield f"Of a balanced list goes, where an interest is left out: without {', without '.join(parts)}.\n"


def page(everything: dict[str, Results]) -> str:
    """Return all tables."""
    return "\n".join(line for results in everything.values() for line in of_run(results))


def main(source: str = "", target: str = "") -> None:
    """Shorten a report where one is given, and write the page anew."""
    if source:
        found = short(json.loads(Path(source).read_text(encoding="utf-8")))
        Path(target).parent.mkdir(exist_ok=True)
        Path(target).write_text(lines_of(found, 2) + "\n", encoding="utf-8")
    words = PAGE.read_text(encoding="utf-8").split(START)[0]
    PAGE.write_text(f"{words}{START}\n{page(read(RESULTS))}".rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
