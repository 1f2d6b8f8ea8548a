"""Print the figures of docs/planted.md from the committed result; a test keeps the two equal.

python benchmarks/planted_page.py            prints
python benchmarks/planted_page.py --write    fills the page and draws docs/img/planted-*.svg
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from figures import result
from pages import COLORS, figure, fill, save_figure, table

PAGE, NAME = "planted.md", "figures"
METRICS = ("relevance", "recall", "r_precision", "reciprocal_rank")
PAPER_LIFTS = {
    "mean-0.01": (28, 14, 8, 7),
    "sampled-1": (33, 18, 24, 18),
    "sampled-3-kmeans-5": (91, 68, 32, 24),
    "sampled-3-complete": (88, 65, 29, 22),
    "sampled-3-centroid": (105, 81, 37, 28),
    "sampled-3-decay-0": (97, 72, 31, 24),
    "sampled-3-decay-0.1": (94, 69, 30, 24),
    "sampled-3": (110, 88, 37, 28),
}
"""Percent over the last item: relevance, recall, R-precision, reciprocal rank (paper, section 5)."""
PAPER_PAIRS = {
    "three embeddings / one": ("sampled-3", "sampled-1"),
    "three embeddings / mean": ("sampled-3", "mean-0.01"),
    "Ward / k-means 5": ("sampled-3", "sampled-3-kmeans-5"),
    "Ward / complete linkage": ("sampled-3", "sampled-3-complete"),
    "medoid / centroid": ("sampled-3", "sampled-3-centroid"),
    "decay 0.01 / 0": ("sampled-3", "sampled-3-decay-0"),
    "decay 0.01 / 0.1": ("sampled-3", "sampled-3-decay-0.1"),
}
DRAWN = (
    "three embeddings / one",
    "Ward / k-means 5",
    "Ward / complete linkage",
    "decay 0.01 / 0",
    "decay 0.01 / 0.1",
)
Told = list[float]


def paper_ratio(ordering: str, metric: str) -> str:
    """Return the ratio of two arms in the paper's table."""
    if ordering not in PAPER_PAIRS:
        return ""
    a, b = (1 + PAPER_LIFTS[arm][METRICS.index(metric)] / 100 for arm in PAPER_PAIRS[ordering])
    return f"{a / b:.2f}"


def worlds() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every world with what to call it, the base first."""
    found = result("planted")
    yield f"base, {found['base']['world']['n_items']:,} items", found["base"]
    for sweep, values in found["sweeps"].items():
        for value, facts in values.items():
            yield f"{sweep}: {value}", facts


def ratio(told: Told) -> str:
    value, low, high = told
    text = f"{value:.2f} [{low:.2f}, {high:.2f}]"
    return f"**{text}**" if low > 1 else f"*{text}*" if high < 1 else text


def percent(told: Told) -> str:
    value, low, high = (100 * (x - 1) for x in told)
    return f"{value:+.0f} [{low:+.0f}, {high:+.0f}]"


def about() -> str:
    base = result("planted")["base"]
    world, measured = base["world"], base["measured"]
    return (
        f"The base world: {world['n_items']:,} items of {world['dim']} dimensions in topics of "
        f"{world['n_items_per_topic']} on average; {measured['n_users']} users with "
        f"{base['planted']['n_interests']:g} interests at a time, {measured['n_targets']:,} next actions in "
        f"{world['n_measured_days']} days, all on items new to the user; "
        f"{100 * base['planted']['outlier_share']:.0f} % of all actions are outliers. "
        f"Ward finds {base['n_interests_found']:g} interests a user."
    )


def lifts() -> str:
    """Return the paper's table beside ours, percent over the last item."""
    base = result("planted")["base"]
    rows = []
    for arm, by_metric in base["lifts"].items():
        paper = PAPER_LIFTS.get(arm)
        cells = [percent(by_metric[metric]) for metric in METRICS]
        cells = [f"{c} ({p:+d})" if paper else c for c, p in zip(cells, paper or (0,) * 4, strict=True)]
        rows.append([f"`{arm}`", *cells])
    return table(
        ["% over `last-item` (paper)", "relevance", "recall", "R-precision", "reciprocal rank"], rows
    )


def orderings() -> str:
    """Return each ordering in the base world beside the paper's."""
    return _beside_paper(result("planted")["base"])


def _beside_paper(facts: dict[str, Any]) -> str:
    rows = [
        [name, *(x for m in ("relevance", "recall") for x in (paper_ratio(name, m), ratio(found[m])))]
        for name, found in facts["ratios"].items()
    ]
    return table(["ratio", "paper, relevance", "here", "paper, recall", "here"], rows)


def sweep_table(metric: str) -> str:
    """Return all ratios of all worlds for one metric."""
    names = list(result("planted")["base"]["ratios"])
    rows = [[world, *(ratio(facts["ratios"][n][metric]) for n in names)] for world, facts in worlds()]
    return table([metric, *names], rows)


def regimes() -> str:
    """Return for each ordering how many worlds show it, and which show the reverse."""
    rows = []
    for name in result("planted")["base"]["ratios"]:
        told = {world: facts["ratios"][name]["relevance"] for world, facts in worlds()}
        groups = {
            "shown": [world for world, (_, low, _) in told.items() if low > 1],
            "reversed": [world for world, (_, _, high) in told.items() if high < 1],
        }
        n_open = len(told) - sum(map(len, groups.values()))
        where = "; ".join(_where(word, group, list(told)) for word, group in groups.items() if group)
        n_shown, n_reversed = map(len, groups.values())
        rows.append([name, f"{n_shown} of {len(told)}", str(n_open), str(n_reversed), where])
    return table(["ratio (relevance)", "shown", "not told apart", "reversed", "where"], rows)


def together() -> list[str]:
    """Return what combinations of properties show: the chosen one, at a million items, and all tried."""
    found = result("planted")["regime"]
    told = found["told"]
    world, measured = told["world"], told["measured"]
    about_told = (
        f"Chosen: **{found['chosen']}**. Told in a world of its own (seed {world['seed']}): "
        f"{world['n_items']:,} items, {measured['n_users']:,} users with {told['planted']['n_interests']:g} "
        f"interests at a time and about {90 * world['sessions_per_day'] * world['actions_per_session']:.0f} "
        f"actions in 90 days, {measured['n_targets']:,} next actions in {world['n_measured_days']} days. "
        f"Ward finds {told['n_interests_found']:g} interests a user."
    )
    tried = [
        [name, *(ratio(facts["ratios"][n]["relevance"]) for n in told["ratios"])]
        for name, facts in found["tried"].items()
    ]
    return [
        "### Several properties together",
        about_told,
        _beside_paper(told),
        "All that were tried, 100,000 items, another seed:",
        table(["relevance", *told["ratios"]], tried),
    ]


def _where(word: str, group: list[str], every: list[str]) -> str:
    """Name the worlds of a group, or those that are not in it when they are fewer."""
    others = [world for world in every if world not in group]
    if not others:
        return f"{word} in all"
    if len(others) < len(group):
        return f"{word} in all but _{'_, _'.join(others)}_"
    return f"{word} in _{'_, _'.join(group)}_"


def block() -> str:
    """Return all that stands between the markers."""
    parts = [
        about(),
        "### The paper's table",
        lifts(),
        "### Its orderings, at a million items",
        "**Bold**: the interval lies above 1, the ordering is there. *Italic*: it lies below 1, reversed.",
        orderings(),
        "![relevance and lifts against the number of interests](img/planted-interests.svg)",
        "### One property at a time",
        regimes(),
        "![ratios in all worlds](img/planted-regimes.svg)",
        sweep_table("relevance"),
        sweep_table("recall"),
    ]
    return "\n\n".join([*parts, *together()])


def draw() -> None:
    """Draw both figures."""
    found = result("planted")
    drawn, (left, right) = figure(2)
    _draw_interests(left, found["sweeps"]["interests at a time"])
    _draw_asked(right, found["base"])
    save_figure(drawn, "planted-interests")
    _draw_regimes()


def _draw_interests(place: Any, sweep: dict[str, Any]) -> None:
    for color, name in zip(
        COLORS, ("three embeddings / one", "three embeddings / mean", "twenty interests / mean"), strict=False
    ):
        told = [sweep[n]["ratios"][name]["relevance"] for n in sweep]
        _points(place, [int(n) for n in sweep], told, color, name)
    place.axhline(1, color="gray", lw=1)
    place.set(xscale="log", yscale="log", xlabel="planted interests at a time", ylabel="ratio of relevance")
    place.set_xticks([int(n) for n in sweep], list(sweep))
    place.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    place.minorticks_off()
    place.legend(fontsize=7.5, frameon=False)


def _points(place: Any, x: list[int], told: list[Told], color: str, label: str) -> None:
    middle, low, high = zip(*told, strict=True)
    below = [m - v for m, v in zip(middle, low, strict=True)]
    above = [v - m for m, v in zip(middle, high, strict=True)]
    place.errorbar(
        x, middle, yerr=[below, above], fmt="o-", ms=3.5, lw=1.4, capsize=2, color=color, label=label
    )


def _draw_asked(place: Any, base: dict[str, Any]) -> None:
    numbers = [int(arm.removeprefix("asked-")) for arm in base["relevance"] if arm.startswith("asked-")]
    for color, metric in zip(COLORS, ("relevance", "recall", "diversity"), strict=False):
        _points(place, numbers, [base[metric][f"asked-{n}"] for n in numbers], color, metric)
    place.set(
        xscale="log",
        xlabel="interests asked, of 400 candidates together",
        ylabel="mean over users",
        ylim=(0, 1),
    )
    place.set_xticks(numbers, [str(n) for n in numbers])
    place.minorticks_off()
    place.legend(fontsize=7.5, frameon=False)


def _draw_regimes() -> None:
    named = list(worlds())
    drawn, places = figure(len(DRAWN), width=12, height=0.2 * len(named) + 1)
    for i, (place, name) in enumerate(zip(places, DRAWN, strict=True)):
        for y, (_, facts) in enumerate(reversed(named)):
            value, low, high = facts["ratios"][name]["relevance"]
            color = COLORS[2] if low > 1 else COLORS[1] if high < 1 else "gray"
            place.plot([low, high], [y, y], color=color, lw=1.6)
            place.plot([value], [y], "o", color=color, ms=3.5)
        place.axvline(1, color="black", lw=0.8)
        place.set_title(name, fontsize=8)
        place.set_yticks(
            range(len(named)), [world for world, _ in reversed(named)] if i == 0 else [""] * len(named)
        )
        place.tick_params(labelsize=7)
    save_figure(drawn, "planted-regimes")


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        fill(PAGE, NAME, block())
        draw()
    else:
        print(block())
