"""Plots: what they show, and that they are None where arms are missing."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tests.evaluation.page.reading import Page
from tests.evaluation.page.values import ARMS, additions, values, with_gains

from pinnersage.evaluation.page import writing
from pinnersage.evaluation.page.charts import asked_points, cost_points, diversity_points
from pinnersage.evaluation.page.charts_lift import group_lift, shown_arms
from pinnersage.evaluation.page.drawing import figure_of
from pinnersage.evaluation.page.drawing.labels import place_labels
from pinnersage.evaluation.page.drawing.style import blank
from pinnersage.evaluation.page.families import FAMILIES
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


def test_families_have_colors_and_marks_of_their_own() -> None:
    for field in ("color", "marker", "sign", "name"):
        assert len({getattr(family, field) for family in FAMILIES.values()}) == len(FAMILIES)
    style = (Path(writing.__file__).parent / "templates" / "style.css").read_text()
    for key in FAMILIES:
        assert style.count(f"--{key}:") == 3  # light, dark, print
        assert f".sign.{key} " in style
