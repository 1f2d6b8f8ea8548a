"""Groups of users by columns of the caller's own: against pandas, and as a report tells them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.page.reading import Page
from tests.evaluation.test_running import Counting
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage.config import InterestConfig
from pinnersage.errors import NotFoundError, UsageError
from pinnersage.evaluation.contexts import evaluated_users
from pinnersage.evaluation.fairness import GAP_METRICS, gap_rows
from pinnersage.evaluation.measures import METRICS
from pinnersage.evaluation.page.fairness_sections import gaps_section
from pinnersage.evaluation.page.summary import summary_of
from pinnersage.evaluation.page.writing import page_of
from pinnersage.evaluation.replay import ReplayLog, walk
from pinnersage.evaluation.report import Report
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.user_groups import (
    ALL_OTHERS,
    LEAST_USERS,
    MOST_NAMED,
    OTHER,
    OWN_TRAITS,
    UNKNOWN,
    UserColumn,
    check_group_by,
)

N_USERS = 120
ARMS = ["mean-0.01", "popular", "top-20"]
QUICK = EvaluationConfig(budgets=(10,), n_resamples=60)
COUNTRIES = ("AT", "DE", "FR")


def countries() -> UserColumn:
    """Sixty users of DE, fifty of FR, six of AT, and four of whom nothing is known."""
    codes = np.repeat([1.0, 2.0, 0.0, np.nan], [60, 50, 6, 4])
    return UserColumn(np.random.default_rng(1).permutation(codes), COUNTRIES)


def ages() -> UserColumn:
    values = np.random.default_rng(2).integers(18, 80, N_USERS).astype(np.float64)
    values[:4] = np.nan
    return UserColumn(values)


def run(log: ReplayLog, out: Path, **more: Any) -> Report:
    given: dict[str, Any] = {"first_day_ms": 40 * DAY, "n_days": 8, "evaluation": QUICK, "arms": ARMS}
    return evaluate_log(log, out_dir=out, **given | more)


@pytest.fixture(scope="module")
def world() -> ReplayLog:
    return log_of(drawn_actions(6, n_users=N_USERS, n=4_000), drawn_embeddings(6))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("groups") / "report"


@pytest.fixture(scope="module")
def report(world: ReplayLog, directory: Path) -> Report:
    return run(world, directory, user_columns={"country": countries(), "age": ages()})


@pytest.fixture(scope="module")
def written(report: Report, directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "metrics.json").read_text())
    return found


def frame(report: Report, world: ReplayLog, arm: str, metric: str) -> pd.DataFrame:
    """Every measured user with both columns and a figure, found without the code under test."""
    days = list(walk(world, 40 * DAY, 8, window_ms=90 * DAY))
    users = evaluated_users(world, days, InterestConfig()).users
    codes = countries().values[users]
    names = [None if np.isnan(code) else COUNTRIES[int(code)] for code in codes]
    figures = report.values(arm, metric, budget="10")
    return pd.DataFrame({"country": names, "age": ages().values[users], "figure": figures})


place = st.one_of(st.none(), st.integers(0, 30))
names = st.integers(1, 120).flatmap(lambda n_users: st.lists(place, min_size=n_users, max_size=n_users))


@settings(deadline=None)
@given(names)
def test_named_groups_part_the_users_as_pandas_counts_them(drawn: list[int | None]) -> None:
    labels = tuple(f"n{number:02d}" for number in range(31))
    column = UserColumn(np.array([np.nan if place is None else place for place in drawn], np.float64), labels)
    groups = column.groups()
    assert (np.sum([group.users for group in groups], axis=0) == 1).all()
    counts = pd.Series([None if place is None else labels[place] for place in drawn]).value_counts()
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    expected = dict(sorted(ordered[:MOST_NAMED]))
    rest = sum(n for _, n in ordered[MOST_NAMED:])
    expected |= {OTHER: rest} if rest else {}
    expected |= {UNKNOWN: drawn.count(None)} if None in drawn else {}
    assert {group.name: int(group.users.sum()) for group in groups} == expected
    assert [group.name for group in groups] == list(expected)
    assert {(group.least, group.most) for group in groups} == {(None, None)}


@settings(deadline=None)
@given(names)
def test_each_known_group_is_compared_with_all_other_known_users(drawn: list[int | None]) -> None:
    labels = tuple(map(str, range(31)))
    column = UserColumn(np.array([np.nan if place is None else place for place in drawn], np.float64), labels)
    known = [group for group in column.groups() if group.name != UNKNOWN]
    compared = column.comparisons()
    high, low = [group.name for group in known], {ALL_OTHERS}
    if len(known) <= 2:  # two names are compared once
        high, low = high[1:], {*high[:1]}
    assert [comparison.high_name for comparison in compared] == high
    for comparison in compared:
        assert comparison.low_name in low
        assert not (comparison.low & comparison.high).any()
        assert ((comparison.low | comparison.high) == np.isfinite(column.values)).all()


def test_a_name_like_that_of_the_rest_goes_to_the_rest() -> None:
    column = UserColumn(np.array([0.0, 0.0, 1.0]), (OTHER, "DE"))
    assert [(g.name, g.users.tolist()) for g in column.groups()] == [
        ("DE", [False, False, True]), (OTHER, [True, True, False]),
    ]  # fmt: skip


def test_numbers_give_thirds_with_their_ends_and_the_unknown() -> None:
    column = UserColumn(np.array([30.0, np.nan, 20.0, 70.0, 25.0, 60.0, 50.0]))
    told = [(g.name, g.least, g.most, int(g.users.sum())) for g in column.groups()]
    assert told == [("low", 20, 25, 2), ("middle", 30, 50, 2), ("high", 60, 70, 2), (UNKNOWN, None, None, 1)]
    (compared,) = column.comparisons()
    assert (compared.low_name, compared.high_name) == ("low", "high")
    assert (compared.low.sum(), compared.high.sum()) == (2, 2)
    assert UserColumn(np.array([5.0, 5.0, np.nan])).comparisons() == []


def test_groups_in_the_report_are_means_by_group(report: Report, world: ReplayLog, written: Any) -> None:
    table = frame(report, world, "top-20", "recall")
    expected = table.assign(country=table["country"].fillna(UNKNOWN)).groupby("country")["figure"]
    rows = {
        row["group"]: row for row in written["groups"]
        if (row["by"], row["arm"], row["slice"]) == ("country", "top-20", "first_time")
    }  # fmt: skip
    assert list(rows) == ["AT", "DE", "FR", UNKNOWN]
    for name, figures in expected:
        row, recall = rows[str(name)], rows[str(name)]["metrics"]["recall"]
        assert (row["from"], row["to"], row["n_users"]) == (None, None, len(figures))
        assert recall["value"] == pytest.approx(figures.mean(), abs=1e-6)
        assert recall["n_users"] == figures.count()
    thirds = [
        row for row in written["groups"]
        if (row["by"], row["arm"], row["slice"]) == ("age", "top-20", "first_time")
    ]  # fmt: skip
    assert [row["group"] for row in thirds] == ["low", "middle", "high", UNKNOWN]
    for row in thirds[:3]:
        inside = table["age"].between(row["from"], row["to"])
        assert row["n_users"] == inside.sum()
        assert row["metrics"]["recall"]["value"] == pytest.approx(table["figure"][inside].mean(), abs=1e-6)


def test_groups_have_every_metric_that_users_have(report: Report, directory: Path, written: Any) -> None:
    users = {(by, group.name): group.users for by in report.grouped_by for group in report.groups(by)}
    page = Page((directory / "report.html").read_text())
    for row in written["groups"]:
        assert tuple(row["metrics"]) == METRICS
        for metric, figure in row["metrics"].items():
            values = report.values(row["arm"], metric, budget=row["budget"], part=row["slice"])
            own = values[users[row["by"], row["group"]] & np.isfinite(values)]
            assert figure["n_users"] == len(own)
            if len(own):
                assert figure["value"] == pytest.approx(own.mean(), abs=1e-6)
    heads = [head for table in page.tables if table.caption.startswith("By age.") for head in table.columns]
    for name in ("R-precision", "Reciprocal rank", "Novelty"):
        assert sum(head.startswith(f"{name}, ") for head in heads) == 4  # thirds and (unknown)


def test_lifts_by_group_are_ratios_of_means(report: Report, world: ReplayLog, written: Any) -> None:
    top, base = (frame(report, world, arm, "recall") for arm in ("top-20", "mean-0.01"))
    for name in COUNTRIES:
        (row,) = [
            row for row in written["group_lifts"]
            if (row["by"], row["group"], row["arm"]) == ("country", name, "top-20")
        ]  # fmt: skip
        ratio = top["figure"][top["country"] == name].mean() / base["figure"][base["country"] == name].mean()
        assert row["metrics"]["recall"]["value"] == pytest.approx(ratio, abs=1e-6)


def test_gaps_are_differences_with_all_other_known_users(
    report: Report, world: ReplayLog, written: Any
) -> None:
    table = frame(report, world, "top-20", "recall")
    rows = [row for row in written["utility_gaps"] if row["by"] == "country"]
    # Six users are of AT: they are shown, and among the others of DE and FR, but not compared.
    assert {(row["high_group"], row["low_group"]) for row in rows} == {("DE", ALL_OTHERS), ("FR", ALL_OTHERS)}
    assert len(rows) == 2 * len(ARMS) * len(GAP_METRICS)
    for row in (row for row in rows if (row["arm"], row["metric"]) == ("top-20", "recall")):
        inside = (table["country"] == row["high_group"]).to_numpy()
        beside = table["country"].notna().to_numpy() & ~inside
        figures = table["figure"].to_numpy()
        assert row["gap"]["value"] == pytest.approx(
            np.nanmean(figures[inside]) - np.nanmean(figures[beside]), abs=1e-6
        )
        repeated = []
        for draw in report.draws.astype(int):
            drawn = np.repeat(np.arange(len(table)), draw)
            means = [np.nanmean(figures[drawn[side[drawn]]]) for side in (inside, beside)]
            repeated.append(means[0] - means[1])
        ends = np.percentile(repeated, [2.5, 97.5])
        assert [row["gap"]["low"], row["gap"]["high"]] == pytest.approx(list(ends), abs=1e-6)
        counts = [int(np.isfinite(figures[side]).sum()) for side in (inside, beside)]
        assert [row["n_high_users"], row["n_low_users"]] == counts


def test_gaps_of_numbers_are_high_less_low(report: Report, world: ReplayLog, written: Any) -> None:
    table = frame(report, world, "top-20", "recall")
    (row,) = [
        row for row in written["utility_gaps"]
        if (row["by"], row["arm"], row["metric"]) == ("age", "top-20", "recall")
    ]  # fmt: skip
    low, high = table["age"].quantile([1 / 3, 2 / 3])
    figures = table["figure"]
    expected = figures[table["age"] > high].mean() - figures[table["age"] <= low].mean()
    assert (row["low_group"], row["high_group"]) == ("low", "high")
    assert row["gap"]["value"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n_missing", [0, 1])
def test_small_groups_are_not_compared(report: Report, n_missing: int) -> None:
    figures = report.values("top-20", "recall", budget="10")
    codes = np.ones(len(figures))
    codes[np.flatnonzero(np.isfinite(figures))[: LEAST_USERS - n_missing]] = 0
    codes[~np.isfinite(figures)] = 0  # who acts on nothing new does not count
    small = replace(report, user_columns={"plan": UserColumn(codes, ("few", "many"))}, _tables={})
    rows = [row for row in gap_rows(small) if row["by"] == "plan"]
    assert {(row["low_group"], row["high_group"]) for row in rows} == (
        set() if n_missing else {("few", "many")}
    )


def test_the_page_shows_groups_and_gaps(directory: Path, written: Any) -> None:
    page = Page((directory / "report.html").read_text())
    assert not page.unbalanced
    text = " ".join(page.texts)
    sizes = {row["group"]: row["n_users"] for row in written["groups"] if row["by"] == "country"}
    table = page.table("Recall by country. First-time items, 10 items a list")
    assert table.columns == ["Arm", *(f"{name} ({n} users)" for name, n in sizes.items())]
    for row in written["groups"]:
        if (row["by"], row["slice"]) == ("country", "first_time"):
            head = f"{row['group']} ({row['n_users']} users)"
            assert table.column(head)[row["arm"]][0] == f"{row['metrics']['recall']['value']:.3f}"
    gaps = page.table("Recall by country: each group less all others. First-time items, 10 items a list")
    for row in written["utility_gaps"]:
        if (row["by"], row["metric"]) == ("country", "recall"):
            head = f"{row['high_group']} ({row['n_high_users']} users)"
            decimals = len(gaps.column(head)[row["arm"]][0].partition(".")[2])
            assert float(gaps.column(head)[row["arm"]][0]) == round(row["gap"]["value"], decimals)
    assert "Not compared by country: AT: fewer than 20 users" in text
    assert "(unknown): no value in the table of users" in text
    assert "Lift by age" in text
    assert "Lift by country" not in text
    (caption,) = [table.caption for table in page.tables if table.caption.startswith("By age: high (")]
    assert " less low (" in caption


def test_names_of_groups_cannot_break_the_page(written: Any) -> None:
    text = json.dumps(written).replace('"DE"', '"<script>x</script>"').replace('"country"', '"<b>land</b>"')
    html = page_of(json.loads(text), plots=False)
    assert "<script>x" not in html
    assert "<b>land" not in html
    assert "&lt;script&gt;x&lt;/script&gt; (" in html


def test_a_page_without_own_columns_says_nothing_of_them(written: Any) -> None:
    kept = {
        key: [row for row in written[key] if row["by"] not in ("country", "age")]
        for key in ("groups", "group_lifts", "utility_gaps")
    }
    html = page_of(written | kept, plots=False)
    assert "table of users" not in html
    assert "Not compared" not in html
    assert gaps_section(summary_of(written | {"utility_gaps": []})) is None


def test_other_groups_measure_no_arm_again(world: ReplayLog, tmp_path: Path) -> None:
    arm = Counting()
    more = {"arms": ["popular"], "more_arms": lambda _log, _parts: [arm], "page": False}
    run(world, tmp_path, **more, user_columns={"country": countries()})
    n_asked, first = arm.n_asked, json.loads((tmp_path / "metrics.json").read_text())
    run(world, tmp_path, **more, user_columns={"age": ages()})
    second = json.loads((tmp_path / "metrics.json").read_text())
    run(world, tmp_path, **more)
    third = json.loads((tmp_path / "metrics.json").read_text())
    assert arm.n_asked == n_asked > 0
    own = {"activity", "history_days", "n_interests"}
    for found, columns in ((first, {"country"}), (second, {"age"}), (third, set())):
        assert {row["by"] for row in found["groups"]} == own | columns
        assert {row["by"] for row in found["utility_gaps"]} & {"country", "age"} == columns
    assert first["results"] == second["results"] == third["results"]


def test_groups_by_what_is_not_there_are_refused_by_name(report: Report) -> None:
    with pytest.raises(
        NotFoundError, match=r"no groups by 'contry' in this report; there are activity, .*, age"
    ):
        report.groups("contry")


def test_what_every_report_has_may_not_be_a_column(report: Report) -> None:
    assert report.basis is not None
    assert {*report.traits, *report.basis.traits} <= {*OWN_TRAITS}
    for name in OWN_TRAITS:
        with pytest.raises(UsageError, match=f"group users by {name}: .*rename"):
            check_group_by([name], has_users=True)


def test_columns_of_other_users_are_refused_before_anything_is_done(world: ReplayLog, tmp_path: Path) -> None:
    short, said = UserColumn(np.zeros(N_USERS - 1), ("DE",)), []
    for name, message in (
        ("country", "for each of the 120 users of the log, found 119"),
        ("activity", "rename"),
    ):
        with pytest.raises(UsageError, match=message):
            run(
                world,
                tmp_path / "report",
                user_columns={name: short},
                progress=lambda *step: said.append(step),
            )
    assert not (tmp_path / "report").exists()
    assert said == []


def test_how_many_measured_users_stand_in_the_table_is_told(world: ReplayLog, tmp_path: Path) -> None:
    days = walk(world, 40 * DAY, 8, window_ms=90 * DAY)
    measured = {*np.concatenate([day.users for day in days]).tolist()}
    in_table = np.arange(N_USERS) % 3 > 0
    column = replace(countries(), in_table=in_table)
    found = run(world, tmp_path, user_columns={"country": column}, arms=["popular"])
    n_found = len(measured & {*np.flatnonzero(in_table).tolist()})
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["about"]["n_users_in_table"] == n_found
    text = f"{n_found:,} of the {len(measured):,} users measured stand in the table of users"
    assert text in (tmp_path / "report.html").read_text()
    assert len(measured) == found.about["measured"]["n_users"] > n_found
