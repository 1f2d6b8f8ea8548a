"""Plots: what they show, and that they are None where arms are missing."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from tests.evaluation.page.reading import Page
from tests.evaluation.page.values import ARMS, additions, forty, values, with_blanks, with_gains

from pinnersage.evaluation.cosines import N_RANKS
from pinnersage.evaluation.page import writing
from pinnersage.evaluation.page.charts import asked_points
from pinnersage.evaluation.page.charts_lift import group_lift, lift_plot, shown_arms
from pinnersage.evaluation.page.charts_more import BEYOND
from pinnersage.evaluation.page.charts_plane import cost_named, cost_points, diversity_named, diversity_points
from pinnersage.evaluation.page.drawing import figure_of
from pinnersage.evaluation.page.drawing.labels import place_labels
from pinnersage.evaluation.page.drawing.style import blank
from pinnersage.evaluation.page.families import FAMILIES
from pinnersage.evaluation.page.named import CROWDED
from pinnersage.evaluation.page.plots_section import plots_section
from pinnersage.evaluation.page.summary import Summary, summary_of

FULL = summary_of(with_gains(values() | additions()))
KEYS = [
    "interests-relevance", "interests-recall", "diversity", "cost", "lift-activity", "lift-history_days",
    "lift-n_interests", "calibration-0", "calibration-1", "knob-0", "knob-1", "ranker",
]  # fmt: skip


def of_arms(*names: str, **more: Any) -> Summary:
    return summary_of(values({name: ARMS[name] for name in names}) | more)


@pytest.mark.parametrize("key", KEYS)
def test_every_plot_can_be_drawn(key: str) -> None:
    assert isinstance(figure_of(FULL, key), Figure)


@pytest.mark.parametrize(
    ("key", "arms"),
    [
        ("interests-recall", ("last-item", "mean-0.01", "popular-30d")),
        ("interests-recall", ("last-item", "top-20")),
        ("diversity", ("top-20",)),
        ("diversity", ("top-20", "oracle-past-items")),
        ("cost", ("top-20",)),
        ("lift-activity", ("popular-30d", "top-20")),
        ("lift-nothing", tuple(ARMS)),
        ("ranker", tuple(ARMS)),
    ],
)
def test_without_the_arms_that_it_needs_a_plot_is_none(key: str, arms: tuple[str, ...]) -> None:
    assert figure_of(of_arms(*arms), key) is None


def test_without_any_plot_there_is_no_section() -> None:
    assert plots_section(of_arms("popular-30d")) is None


def test_arms_stand_at_the_number_of_interests_that_they_ask() -> None:
    found = {point.arm: (point.series, point.n) for point in asked_points(FULL, "recall")}
    assert found == {
        "last-item": ("one", 1), "mean-0.01": ("one", 1),
        "sampled-1": ("drawn by importance", 1), "sampled-3": ("drawn by importance", 3),
        "top-20": ("most important", 20), "all-interests": ("most important", 17.25),
    }  # fmt: skip
    assert {p.arm: p.y for p in asked_points(FULL, "recall")} == {
        row.arm: row.metrics["recall"] for row in FULL.rows("1%") if row.arm in found
    }


def test_all_interests_stand_beyond_the_others_where_no_mean_is_told() -> None:
    told = values()
    del told["trait_means"]["n_interests"]
    summary = summary_of(told)
    assert {p.arm: p.n for p in asked_points(summary, "recall")}["all-interests"] is None
    assert figure_of(summary, "interests-recall") is not None
    more = summary_of(told | {"interest_quality": additions()["interest_quality"]})
    assert {p.arm: p.n for p in asked_points(more, "recall")}["all-interests"] == 17.5


def test_planes_hold_every_arm_but_oracles() -> None:
    able = [arm for arm in ARMS if not arm.startswith("oracle")]
    assert [point.arm for point in diversity_points(FULL)] == able
    assert [point.x.value for point in cost_points(FULL)] == [0.0625 * (i + 1) for i in range(len(able))]


def test_dots_stand_where_their_figures_say() -> None:
    drawing = figure_of(FULL, "diversity")
    assert drawing is not None
    axes: Axes = drawing.axes[0]
    drawn = {tuple(np.ravel(line.get_xydata())) for line in axes.lines}
    rows = [row.metrics for row in FULL.rows("1%") if row.arm not in FULL.oracles]
    assert drawn == {(m["relevance"].value, m["diversity"].value) for m in rows}


def test_the_first_budget_stands_in_for_one_percent() -> None:
    assert FULL.budget == "1%"
    told = values()
    for row in [*told["results"], *told["lifts"], *told["groups"], *told["group_lifts"]]:
        row["budget"] = "40"
    told["about"]["budgets"] = {"40": 40}
    assert summary_of(told).budget == "40"


def by_column(*columns: str, ends: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """The values in which users are grouped by columns, as they are by activity."""
    told = values() | additions()
    for key in ("groups", "group_lifts"):
        for row in [row for row in told[key] if row["by"] == "activity"]:
            least, most = ends[row["group"]]
            told[key] += [row | {"by": column, "from": least, "to": most} for column in columns]
    return told


@pytest.mark.parametrize(
    ("ends", "labels"),
    [
        ({"low": (0.001, 0.049), "middle": (0.05, 0.1), "high": (0.1234, 17.0)},
         ["low\n0.001 to 0.049", "middle\n0.05 to 0.1", "high\n0.123 to 17"]),
        ({"low": (-40.0, -12.25), "middle": (-3.0, -3.0), "high": (1_000.25, 23_456.75)},
         ["low\n-40 to -12.2", "middle\n-3", "high\n1,000 to 23,457"]),
    ],
)  # fmt: skip
def test_ends_of_thirds_are_read_on_the_page_and_below_the_plot(
    ends: dict[str, tuple[float, float]], labels: list[str]
) -> None:
    summary = summary_of(by_column("score", ends=ends))
    figure = figure_of(summary, "lift-score")
    assert figure is not None
    figure.draw_without_rendering()
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()] == labels
    found = group_lift(summary, "score")
    assert found is not None
    heads = [label.replace("\n", ": ") for label in labels]
    assert [name.partition(" (")[0] for name in found.groups.values()] == heads


def test_columns_of_any_name_are_drawn() -> None:
    names = ["age group", "größe", "price $ in $", "column_0", '"><i>']
    ends = {"low": (1.0, 2.0), "middle": (3.0, 4.0), "high": (5.0, 6.0)}
    html = writing.page_of(by_column(*names, ends=ends))
    page = Page(html)
    assert not page.unbalanced
    ids = re.findall(r' id="([^"]*)"', html)
    assert len(ids) == len({*ids})
    assert all(re.fullmatch(r"[\w.-]+", word, re.ASCII) for word in ids)
    assert {*range(4)} == {
        int(word.removeprefix("plot-lift-column-")) for word in ids if "plot-lift-column-" in word
    }
    text = " ".join(page.texts)
    for name in names:
        assert f"Lift by {name.replace('_', ' ')}" in text


def test_lifts_by_group_are_those_of_the_values_or_else_ratios_of_means() -> None:
    found = group_lift(FULL, "activity")
    assert found is not None
    assert found.base == "mean-0.01"
    wanted = [
        row.metrics["recall"] for row in FULL.group_lifts
        if (row.by, row.budget, row.arm) == ("activity", "1%", "top-20")
    ]  # fmt: skip
    assert found.lines["recall"]["top-20"] == wanted
    plain = group_lift(summary_of(values() | {"group_lifts": []}), "activity")
    assert plain is not None
    means = {
        (row.group, row.arm): row.metrics["recall"].value for row in FULL.groups
        if (row.by, row.budget, row.slice) == ("activity", "1%", "first_time")
    }  # fmt: skip
    for group, lift in zip(("low", "middle", "high"), plain.lines["recall"]["top-20"], strict=True):
        top, bottom = means[group, "top-20"], means[group, "mean-0.01"]
        assert top is not None
        assert bottom is not None
        assert lift.value == top / bottom
        assert lift.low is None


def test_lines_are_chosen_by_name_and_not_by_result() -> None:
    assert shown_arms(FULL, "mean-0.01") == ["popular-30d", "sampled-3", "top-20", "top-40-ranked", "ease"]


def test_no_two_names_overlap() -> None:
    rng = np.random.default_rng(3)
    points = [(float(x), float(y)) for x, y in rng.normal(0, 1, (22, 2)) * [1, 0.2]]
    drawing = blank(6.0, 5.4)
    axes = drawing.add_subplot()
    axes.plot(*zip(*points, strict=True), "o")
    axes.margins(0.1)
    boxes = place_labels(axes, points, [f"sampled-3-decay-{i}" for i in range(len(points))])
    assert len(boxes) == len(points)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    dots = axes.transData.transform(points)
    assert not any(box.contains(*dot) for box in boxes for dot in dots)


FORTY = summary_of(forty())


def words_drawn(drawing: Figure) -> dict[str, Bbox]:
    """The boxes of all words of a figure as it is drawn: names, ticks, titles, legends."""
    renderer = FigureCanvasAgg(drawing).get_renderer()  # type: ignore[no-untyped-call]
    drawing.draw(renderer)
    beyond = {
        id(tick.label1)
        for axes in drawing.axes for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }  # fmt: skip
    found = [text for text in drawing.findobj(Text) if text.get_text().strip() and id(text) not in beyond]
    seen = [text for text in found if text.get_visible()]
    return {f"{i} {text.get_text()}": text.get_window_extent(renderer) for i, text in enumerate(seen)}


@pytest.mark.parametrize(
    "key",
    ["interests-relevance", "interests-recall", "diversity", "cost", "lift-activity", "lift-n_interests"],
)
@pytest.mark.parametrize("told", [FORTY, FULL], ids=["all arms", "few arms"])
def test_no_two_words_of_a_plot_overlap(told: Summary, key: str) -> None:
    assert len(FORTY.arms) >= 40
    drawing = figure_of(told, key)
    assert drawing is not None
    boxes = words_drawn(drawing)
    assert not [(a, b) for a, b in itertools.combinations(boxes, 2) if boxes[a].overlaps(boxes[b])]
    width, height = drawing.canvas.get_width_height()
    outside = [w for w, b in boxes.items() if b.x0 < 0 or b.x1 > width or b.y0 < 0 or b.y1 > height]
    assert not outside


@pytest.mark.parametrize(("key", "named_of"), [("diversity", diversity_named), ("cost", cost_named)])
def test_of_many_arms_those_that_matter_bear_their_name(key: str, named_of: Any) -> None:
    points = {"diversity": diversity_points, "cost": cost_points}[key](FORTY)
    named = named_of(FORTY)
    assert {"as-configured", "mean-0.01", *shown_arms(FORTY, "mean-0.01")} <= named
    assert len(points) > CROWDED
    assert len(named) < len(points) / 2
    best = max(points, key=lambda p: (p.x if key == "diversity" else p.y).value or 0)
    assert best.arm in named
    drawing = figure_of(FORTY, key)
    assert drawing is not None
    written = {text.get_text() for text in drawing.axes[0].texts} - {""}
    assert written == named
    few = diversity_named(FULL) if key == "diversity" else cost_named(FULL)
    assert few == {arm for arm in ARMS if not arm.startswith("oracle")}


def test_every_dot_tells_its_name_and_figures_when_pointed_at() -> None:
    html = writing.page_of(forty())
    for key, points in (("diversity", diversity_points(FORTY)), ("cost", cost_points(FORTY))):
        titles = re.findall(rf'<g id="{key}-row-(\d+)"><title>([^\n]*)\n', html)
        assert {int(i): arm for i, arm in titles} == dict(enumerate(point.arm for point in points))


def test_a_name_without_room_is_left_out() -> None:
    drawing = blank(1.2, 1.0)
    axes = drawing.add_subplot()
    axes.plot([0, 1], [0, 1], "o")
    assert place_labels(axes, [(0, 0), (1, 1)], ["a name too long for it all", None]) == []
    assert [text.get_text() for text in axes.texts] == []


BLANK = summary_of(with_blanks(values() | additions()))


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("activity", "Blank, which does not mean zero: Recall of low (12 users): mean-0.01 finds nothing"),
        ("history_days", "zero: Relevance and Recall of middle (12 users): none of its users acts on"),
        ("n_interests", "An open mark on the lower edge: the arm finds nothing there, its lift is 0."),
    ],
)  # fmt: skip
def test_a_group_without_lift_is_named_below_the_plot(by: str, told: str) -> None:
    plot, full = lift_plot(BLANK, by), lift_plot(FULL, by)
    assert plot is not None
    assert full is not None
    assert told in plot.text
    assert told not in full.text
    assert not {"Blank", "open"} & {*full.text.split()}


def test_a_group_without_lift_is_named_in_its_place() -> None:
    drawn = {}
    for by in ("activity", "history_days", "n_interests"):
        drawing = figure_of(BLANK, f"lift-{by}")
        assert drawing is not None
        drawn[by] = [[(t.get_position()[0], t.get_text()) for t in axes.texts] for axes in drawing.axes]
    nobody = [(1, "nobody acts on\nanything new")]
    assert drawn == {
        "activity": [[], [(0, "the baseline\nfinds nothing")]],
        "history_days": [nobody, nobody],
        "n_interests": [[], []],
    }


def test_a_line_does_not_run_through_a_blank_group_and_zero_has_a_mark() -> None:
    drawing, other = figure_of(BLANK, "lift-history_days"), figure_of(BLANK, "lift-n_interests")
    assert drawing is not None
    assert other is not None
    lines = [line for line in drawing.axes[1].lines if line.get_label() == "ease"]
    assert [np.isnan(line.get_ydata()).tolist() for line in lines] == [[False, True, False]]
    recall = other.axes[1]
    marks = [line for line in recall.lines if line.get_transform() == recall.get_xaxis_transform()]
    assert [np.size(mark.get_xdata()) for mark in marks if np.all(np.asarray(mark.get_ydata()) == 0)] == [1]


def test_a_plot_of_lifts_that_cannot_be_drawn_says_why() -> None:
    told = with_blanks(values())
    nothing = {"value": None, "low": None, "high": None, "n_users": 12}
    told["groups"] = [row for row in told["groups"] if row["by"] != "n_interests" or row["group"] == "low"]
    for row in (row for row in [*told["groups"], *told["group_lifts"]] if row["by"] == "activity"):
        row["metrics"] = dict.fromkeys(row["metrics"], nothing if "over" in row else {"value": 0.0})
    text = " ".join(" ".join(Page(writing.page_of(told, plots=False)).texts).split())
    assert "Lift by number of interests is not drawn: all users are one group (low: 1 to 61 interests" in text
    assert "Lift by activity is not drawn. Blank, which does not mean zero: Relevance and Recall" in text
    assert "Lift by length of history is not drawn" not in text


def test_users_without_a_value_are_left_out_of_the_plot_by_name() -> None:
    told = values()
    unknown = {"group": "(unknown)", "from": None, "to": None, "n_users": 5}
    told["groups"] += [row | unknown for row in told["groups"] if row["group"] == "low"]
    plot = lift_plot(summary_of(told), "activity")
    assert plot is not None
    assert plot.text.endswith("Left out, for they have no place from low to high: (unknown) (5 users).")


@pytest.mark.parametrize("words", ["as configured", "proportionally-to-importance"])
def test_words_below_a_knob_do_not_overlap(words: str) -> None:
    told = additions()["knobs"][0]
    turned = [told | {"knob": "saturation", "value": v, "arm": str(v)} for v in (0, 1, words, 100)]
    drawing = figure_of(summary_of(values() | {"knobs": turned}), "knob-0")
    assert drawing is not None
    boxes = words_drawn(drawing)
    assert not [(a, b) for a, b in itertools.combinations(boxes, 2) if boxes[a].overlaps(boxes[b])]
    assert min(axes.get_position().height * drawing.get_figheight() for axes in drawing.axes) > 0.5
    assert {line.get_linestyle() for axes in drawing.axes for line in axes.lines} == {"-"}
    sharing = figure_of(FULL, "knob-1")  # words have no order that a line could follow
    assert sharing is not None
    assert {line.get_linestyle() for axes in sharing.axes for line in axes.lines} == {"None"}


def test_the_last_rank_says_that_it_holds_all_beyond() -> None:
    assert BEYOND == N_RANKS
    drawing = figure_of(FULL, "calibration-0")
    assert drawing is not None
    assert [label.get_text() for label in drawing.axes[0].get_xticklabels()][-2:] == ["10", "11+"]


def test_families_have_colors_and_marks_of_their_own() -> None:
    for field in ("color", "marker", "sign", "name"):
        assert len({getattr(family, field) for family in FAMILIES.values()}) == len(FAMILIES)
    style = (Path(writing.__file__).parent / "templates" / "style.css").read_text()
    for key in FAMILIES:
        assert style.count(f"--{key}:") == 3  # light, dark, print
        assert f".sign.{key} " in style
