"""The tables about fairness: worked out by hand, against naive twins, and as they are written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.evaluation.test_measures import ITEMS, Says, measured
from tests.evaluation.worlds import DAY, Action, drawn_actions, drawn_embeddings, log_of, with_categories

from pinnersage._arrays import Int32s
from pinnersage.config import InterestConfig
from pinnersage.evaluation.arms.knobs import KNOBS, SETTINGS, knob_arms
from pinnersage.evaluation.arms.untrained import UNTRAINED, Parts
from pinnersage.evaluation.basis import FairnessBasis, fairness_basis
from pinnersage.evaluation.bootstrap import resamples
from pinnersage.evaluation.contexts import evaluated_users
from pinnersage.evaluation.cosines import N_RANKS
from pinnersage.evaluation.exposure import gini, popularity_lift
from pinnersage.evaluation.exposure_errors import MEASURES
from pinnersage.evaluation.fairness import exposure_of
from pinnersage.evaluation.gaps import gaps, thirds
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import Day, Mode, ReplayLog, walk
from pinnersage.evaluation.report import Report
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.settings import EvaluationConfig

ARMS = ["mean-0.01", "popular", "sampled-3", "top-3", "top-20"]


def basis_of(log: ReplayLog, n_days: int = 1) -> FairnessBasis:
    days = list(walk(log, 9 * DAY, n_days, window_ms=90 * DAY))
    return fairness_basis(log, days, evaluated_users(log, days, InterestConfig()), days[0].pool)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, dict[str, list[dict[str, object]]]]:
    out = tmp_path_factory.mktemp("fairness")
    log = with_categories(log_of(drawn_actions(6, n_users=30, n=900), drawn_embeddings(6)))
    log = replace(log, providers=(np.arange(60) % 2).astype(np.int32), provider_names=pa.array(["a", "b"]))
    log = replace(log, available=np.arange(60) >= 5)
    report = evaluate_log(
        log, out_dir=out, first_day_ms=40 * DAY, n_days=5, arms=ARMS,
        evaluation=EvaluationConfig(budgets=(10, 0.05), n_resamples=50),
        more_arms=lambda log, parts: knob_arms(log, parts, ["top-20-equal", "top-20-diverse-0.8"]),
    )  # fmt: skip
    return report, json.loads((out / "metrics.json").read_text())


def test_exposure_counts_lists_and_not_users_with_targets_of_a_kind() -> None:
    # a's only target is a repeat: the first-time list counts for exposure all the same.
    result = measured(Says([2, 0]), [("a", 1, 9 * DAY), ("b", 3, 9 * DAY), ("b", 4, 10 * DAY)], 3, n_days=2)
    assert result.exposed.dtype == np.int32
    assert result.exposed.tolist() == [[[3, 0, 3, 0, 0, 0]] * 2]


def test_shares_by_rank_of_interest_by_hand() -> None:
    # a acted twice on 1 and once on 0: interests 1 (2/3) and 0 (1/3). Of the list 4 and 1 are nearest
    # to 1, and 0 and 5 to 0; of the first-time targets 4 is nearest to 1, 5 to 0, and 2 as near to
    # both, which counts for the first.
    earlier: list[Action] = [("a", 0, 8 * DAY), ("a", 1, 8 * DAY), ("a", 1, 8 * DAY + 1)]
    earlier += [("b", row, 8 * DAY) for row in (2, 3, 4, 5)]
    later = [("a", row, 9 * DAY) for row in (4, 5, 2, 1)]
    result = measured(Says([4, 1, 0, 5]), later, 4, earlier=earlier)
    first_time, everything = result.by_rank[0]
    assert first_time[0].tolist() == pytest.approx([2 / 3, 2 / 4, 2 / 3], abs=1e-6)
    assert first_time[1].tolist() == pytest.approx([1 / 3, 2 / 4, 1 / 3], abs=1e-6)
    assert everything[0].tolist() == pytest.approx([2 / 3, 2 / 4, 3 / 4], abs=1e-6)
    assert not first_time[2:].any()


def test_lists_without_items_have_no_shares_by_rank() -> None:
    assert not measured(Says([]), [("a", 2, 9 * DAY)], 3).by_rank.any()


def test_histories_popularity_and_traits_by_hand() -> None:
    actions: list[Action] = [("a", 0, 0), ("a", 0, 1), ("a", 1, DAY), ("b", 1, 0), ("c", 3, 0)]
    later: list[Action] = [("a", 3, 9 * DAY), ("a", 1, 10 * DAY), ("b", 3, 9 * DAY), ("c", 2, 12 * DAY)]
    log = log_of(actions + later, ITEMS, category=["x", "x", "y", None, "y", "y"])
    basis = basis_of(log, n_days=2)
    # c is not measured in these days, but their item counts for popularity.
    assert basis.popularity.tolist() == [1, 2, 0, 1, 0, 0]
    # a is measured twice, b once: three lists.
    assert basis.history.tolist() == pytest.approx([2 / 3 / 2, 2 / 3 / 2 + 1 / 3, 0, 0, 0, 0])
    assert basis.traits["history_popularity"].tolist() == [(1 + 2) / 2, 2]
    assert basis.traits["main_category_share"].tolist() == [1, 1]
    assert [grouping.by for grouping in basis.groupings] == ["category", "popularity"]
    assert basis.groupings[0].names == ("x", "(others)", "(no category)")
    assert basis.groupings[0].shares(basis.history).tolist() == [1, 0, 0]


def test_the_main_category_and_those_without_a_history() -> None:
    rows = [0, 2, 4, 5, 3]  # categories x, y, y, y and none
    actions: list[Action] = [("a", row, 0) for row in rows] + [("b", 3, 0)]
    log = log_of(
        [*actions, ("a", 1, 9 * DAY), ("b", 1, 9 * DAY), ("c", 1, 8 * DAY)], ITEMS,
        category=["x", "x", "y", None, "y", "y"],
    )  # fmt: skip
    basis = basis_of(log)
    assert basis.traits["main_category_share"][0] == 3 / 4
    assert np.isnan(basis.traits["main_category_share"][1])


def test_what_happens_later_changes_no_basis() -> None:
    actions: list[Action] = [("a", 0, 0), ("b", 1, 0), ("a", 3, 9 * DAY), ("b", 2, 8 * DAY)]
    log = log_of(actions, ITEMS)
    changed = log_of([*actions, ("b", 4, 9 * DAY + 5), ("b", 0, 9 * DAY)], ITEMS)
    one, other = basis_of(log), basis_of(changed)
    assert one.popularity.tolist() == other.popularity.tolist() == [1, 1, 1, 0, 0, 0]


def test_thirds_leave_out_who_has_no_value() -> None:
    values = np.array([3.0, np.nan, 1.0, 2.0])
    assert [(n, u.tolist()) for n, u in thirds(values)] == [
        ("low", [False, False, True, False]),
        ("middle", [False, False, False, True]),
        ("high", [True, False, False, False]),
    ]
    assert thirds(np.array([np.nan])) == []


def test_a_gap_is_a_difference_of_means_in_the_same_draws() -> None:
    rng = np.random.default_rng(2)
    values = rng.random((40, 2))
    values[3, 0] = np.nan
    low, high = np.arange(40) < 15, np.arange(40) >= 25
    draws = resamples(40, 30, 7)
    found = gaps(values, low, high, draws)
    for j in range(2):
        expected = np.nanmean(values[high, j]) - np.nanmean(values[low, j])
        assert found[j].value == pytest.approx(expected)
        repeated = []
        for draw in draws:
            drawn = np.repeat(np.arange(40), draw.astype(int))
            means = [np.nanmean(values[[u for u in drawn if group[u]], j]) for group in (high, low)]
            repeated.append(means[0] - means[1])
        assert (found[j].low, found[j].high) == pytest.approx(tuple(np.percentile(repeated, [2.5, 97.5])))
    assert [gap.n_users for gap in found] == [15 + 15 - 1, 15 + 15]


def test_exposure_in_the_report(found: tuple[Report, dict[str, list[dict[str, object]]]]) -> None:
    report, written = found
    rows = {(r["arm"], r["budget"], r["slice"]): r for r in written["exposure"]}
    assert len(rows) == len(written["exposure"]) == 7 * 2 * 2
    row = rows["popular", "10", "all"]
    counts = report.exposed("popular", budget="10", part="all")
    n_user_days = report.about["measured"]["n_user_days"]
    assert counts.sum() == 10 * n_user_days
    assert not report.pool.all()
    assert row["gini"] == pytest.approx(gini(counts[report.pool]), abs=1e-6)
    assert report.basis is not None
    lift = popularity_lift(counts, report.basis.popularity, report.basis.history)
    assert row["popularity_lift"] == pytest.approx(lift, abs=1e-6)
    assert lift > 0
    assert row["coverage"] == pytest.approx(report.coverage("popular", budget="10", part="all"), abs=1e-6)
    intervals = row["intervals"]
    assert isinstance(intervals, dict)
    assert set(intervals) == set(MEASURES)
    for name, (low, high) in intervals.items():
        assert low <= row[name] <= high
    groups = row["groups"]
    assert isinstance(groups, list)
    for group in groups:
        low, high = group["interval"]
        assert 0 <= low <= group["share"] <= high <= 1
    assert {g["by"] for g in groups} == {"category", "provider", "popularity"}
    assert {g["group"] for g in groups if g["by"] == "provider"} == {"a", "b"}
    for by in ("category", "provider", "popularity"):
        for share in ("share", "pool_share", "history_share"):
            assert sum(g[share] for g in groups if g["by"] == by) == pytest.approx(1, abs=1e-4)


def test_gaps_in_the_report(found: tuple[Report, dict[str, list[dict[str, object]]]]) -> None:
    report, written = found
    assert {r["by"] for r in written["utility_gaps"]} == {
        "activity", "history_days", "n_interests", "history_popularity", "main_category_share"
    } - {by for by, trait in report.traits.items() if len(thirds(trait)) < 2}  # fmt: skip
    row = next(
        r for r in written["utility_gaps"]
        if (r["arm"], r["budget"], r["metric"], r["by"]) == ("top-20", "10", "recall", "activity")
    )  # fmt: skip
    assert (row["low_group"], row["high_group"]) == ("low", "high")
    groups = {g["group"]: g for g in written["groups"] if g["by"] == "activity" and g["arm"] == "top-20"
              and g["budget"] == "10" and g["slice"] == "first_time"}  # fmt: skip
    means = {name: group["metrics"]["recall"]["value"] for name, group in groups.items()}  # type: ignore[index]
    gap = row["gap"]
    assert isinstance(gap, dict)
    assert list(gap) == ["value", "low", "high"]
    assert gap["value"] == pytest.approx(means["high"] - means["low"], abs=2e-6)
    assert gap["low"] <= gap["value"] <= gap["high"]


def test_calibration_by_interest_in_the_report(
    found: tuple[Report, dict[str, list[dict[str, object]]]],
) -> None:
    rows = {(r["arm"], r["budget"]): r["rows"] for r in found[1]["interest_calibration"]}
    assert len(rows) == 7 * 2
    for told in rows.values():
        assert isinstance(told, list)
        assert [row["rank"] for row in told] == list(range(1, N_RANKS + 1))
        for column in ("importance_share", "list_share", "target_share"):
            assert sum(row[column] for row in told) == pytest.approx(1, abs=1e-4)
    # Importances and targets are the users' own: the same for every arm.
    first, second = rows["top-20", "10"], rows["popular", "10"]
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert [r["target_share"] for r in first] == [r["target_share"] for r in second]
    assert [r["list_share"] for r in first] != [r["list_share"] for r in second]


def test_knobs_in_the_report(found: tuple[Report, dict[str, list[dict[str, object]]]]) -> None:
    report, written = found
    told = {(r["knob"], r["value"]): r for r in written["knobs"]}
    assert set(told) == {
        ("n_interests", 3), ("n_interests", 20), ("sharing", "proportional"), ("sharing", "equal"),
        ("near_duplicate_cosine", "any"), ("near_duplicate_cosine", 0.8),
    }  # fmt: skip
    assert "sampled-3" in report.arms  # one setting of the knob "choice": nothing to compare
    assert {row["budget"] for row in told.values()} == {"5%"} == {report.main_budget}
    row: dict[str, Any] = told["near_duplicate_cosine", 0.8]
    mean = report.mean("top-20-diverse-0.8", "diversity", budget="5%")
    assert row["diversity"] == mean.to_dict()
    assert row["gini"]["value"] == exposure_of(report, "top-20-diverse-0.8", budget="5%")["gini"]
    for name in ("relevance", "recall", "diversity", "calibration", "gini", "popularity_lift"):
        assert row[name]["low"] <= row[name]["value"] <= row[name]["high"]
    assert row["coverage"]["low"] is None


def test_every_setting_of_a_knob_is_an_arm_and_every_arm_a_setting() -> None:
    named = {setting.arm for setting in SETTINGS}
    assert named <= set(KNOBS) | set(UNTRAINED)
    assert set(KNOBS) <= named
    assert not set(KNOBS) & set(UNTRAINED)


@pytest.mark.parametrize("name", ["top-20-diverse-0.8", "top-3-equal", "top-20-equal"])
def test_knobs_do_what_they_say(name: str) -> None:
    log = log_of(drawn_actions(6), drawn_embeddings(6))
    (day,) = walk(log, 40 * DAY, 1, window_ms=90 * DAY)
    known, parts = log.before(day.start_ms), Parts(NeighborLists(log.embeddings, 60))
    (arm,) = knob_arms(log, parts, [name])
    plain = UNTRAINED["top-20"]("top-20", parts)

    def lists(of: object, mode: Mode = "all") -> Int32s:
        rows: Int32s = of.recommend(asked, known, 8, mode)  # type: ignore[attr-defined]
        return rows

    asked: Day = day.without_targets()
    found, usual = lists(arm), lists(plain)
    assert found.tolist() != usual.tolist()
    if name == "top-20-diverse-0.8":
        for row in found:
            vectors = log.embeddings[row[row >= 0]]
            assert np.triu(vectors @ vectors.T, 1).max() < 0.8
        # The rule is the arm's own: the lists it shares are still merged without it.
        assert lists(UNTRAINED["top-20"]("top-20", parts)).tolist() == usual.tolist()
    assert [every.name for every in knob_arms(log, parts)] == list(KNOBS)


def test_a_report_without_a_basis_tells_what_it_can(
    found: tuple[Report, dict[str, list[dict[str, object]]]],
) -> None:
    bare = replace(found[0], basis=None, quality=None, _tables={})
    told = bare.to_dict([], [])
    assert (told["exposure"], told["interest_quality"]) == ([], None)
    assert told["knobs"][0]["popularity_lift"]["value"] is None
    assert {row["by"] for row in told["utility_gaps"]} <= set(bare.traits)


def test_results_of_the_older_format_are_not_taken(tmp_path: Path) -> None:
    from pinnersage.evaluation import saved

    result = measured(Says([2, 0]), [("a", 1, 9 * DAY)], 3)
    saved.open_report_directory(tmp_path)
    saved.save(tmp_path, "digest", result)
    kept = saved.load(tmp_path, "says", "digest")
    assert kept is not None
    assert kept.exposed.tobytes() == result.exposed.tobytes()
    assert kept.by_rank.tobytes() == result.by_rank.tobytes()
    with (tmp_path / "arms" / "says.npz").open("wb") as file:
        listed = np.packbits(result.exposed > 0, axis=-1)
        np.savez_compressed(file, sums=result.sums, listed=listed, digest=np.array("digest"))
    assert saved.load(tmp_path, "says", "digest") is None
