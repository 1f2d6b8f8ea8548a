"""A whole evaluation: what is written, what is kept, what is refused, what the verdict says."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.test_replay import changed_later
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of, with_categories

from pinnersage._arrays import Int32s
from pinnersage.config import BuildConfig, RankingConfig
from pinnersage.errors import DataError, NotFoundError, UsageError
from pinnersage.evaluation.arms.ranked import RANKED, ranked_arm
from pinnersage.evaluation.arms.trained_registry import TRAINED
from pinnersage.evaluation.arms.tuned import TunedArm
from pinnersage.evaluation.arms.untrained import Parts
from pinnersage.evaluation.leaks import notes_on_rankers
from pinnersage.evaluation.measures import METRICS, SLICES
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.page.writing import page_of
from pinnersage.evaluation.replay import Day, Mode, ReplayLog
from pinnersage.evaluation.report import Report
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.saved import arm_digest
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.verdict import baselines, pairs, sentences
from pinnersage.items.origin import EmbeddingOrigin

QUICK = EvaluationConfig(budgets=(10, 0.05), n_resamples=50)
ARMS = ["last-item", "mean-0.01", "popular-30d", "sampled-3", "top-20", "oracle-past-items"]


@dataclass
class Counting:
    """An arm that fails when told to, and counts the days it was asked about."""

    name: str = "counting"
    fails: bool = field(default=False, repr=False)
    n_asked: int = field(default=0, repr=False)

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        self.n_asked += 1
        if self.fails:
            raise KeyboardInterrupt
        return np.full((day.n_users, budget), -1, np.int32)


def run(log: ReplayLog, out: Path, **more: object) -> Report:
    given: dict[str, object] = {"first_day_ms": 40 * DAY, "n_days": 5, "evaluation": QUICK, "arms": ARMS}
    given["page"] = False
    return evaluate_log(log, out_dir=out, **given | more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world() -> ReplayLog:
    return with_categories(log_of(drawn_actions(6), drawn_embeddings(6)))


def test_metrics_hold_every_arm_budget_and_slice(world: ReplayLog, tmp_path: Path) -> None:
    report = run(world, tmp_path / "report")
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())
    n_pool = found["about"]["pool"]["n_items_first_day"]
    assert found["about"]["budgets"] == {"10": 10, "5%": int(0.05 * n_pool)}
    assert found["about"]["impressions"] == "drawn evenly from the pool"
    assert [row["arm"] for row in found["results"]] == ARMS * 2 * 3
    assert {row["slice"] for row in found["results"]} == {"first_time", "repeat", "all"}
    assert [row["oracle"] for row in found["results"][: len(ARMS)]] == [False] * 5 + [True]
    assert {row["by"] for row in found["groups"]} == {"activity", "history_days", "n_interests"}
    assert found["verdict"]
    measured = found["about"]["measured"]
    assert measured["n_first_time_targets"] + measured["n_repeat_targets"] == measured["n_targets"] > 0
    row = next(r for r in found["results"] if r["arm"] == "top-20")
    figure = row["metrics"]["recall"]
    assert figure["value"] == pytest.approx(report.mean("top-20", "recall", budget="10").value, abs=1e-6)
    assert figure["low"] <= figure["value"] <= figure["high"]


def test_the_length_of_lists_is_told(world: ReplayLog, tmp_path: Path) -> None:
    report = run(world, tmp_path, arms=["popular"], more_arms=lambda _log, _parts: [Counting()])
    found = json.loads((tmp_path / "metrics.json").read_text())
    told = {(r["arm"], r["budget"], r["slice"]): r["mean_n_listed"] for r in found["results"]}
    for part in ("first_time", "repeat", "all"):
        assert told["popular", "10", part] == 10
        assert told["counting", "10", part] == 0
    page = page_of(found, plots=False)
    assert "Of 10 items asked for, lists hold on average: counting 0.0." in page
    assert found["about"]["main_budget"] == report.main_budget == "5%"


def test_lists_without_an_interest_are_those_of_the_main_budget(world: ReplayLog, tmp_path: Path) -> None:
    """Whatever budget is named first: 10 % of this pool, never all of it, of which nothing could go."""
    n_pool = int(world.available.sum())
    found = []
    for number, budgets in enumerate([(n_pool, 0.1), (0.1, n_pool)]):
        asked = EvaluationConfig(budgets=budgets, n_resamples=20)
        report = run(world, tmp_path / str(number), arms=["mean-0"], evaluation=asked)
        assert report.main_budget == "10%"
        found.append(report.to_dict([], [])["interest_quality"])
    assert found[0] == found[1]
    assert found[0]["gone_without_first"]["value"] > 0


def test_groups_part_the_users_and_average_to_the_whole(world: ReplayLog, tmp_path: Path) -> None:
    report = run(world, tmp_path)
    groups = report.groups("activity")
    assert (np.sum([chosen for *_, chosen in groups], axis=0) == 1).all()
    for lower, higher in itertools.pairwise(groups):
        assert lower.most is not None
        assert higher.least is not None
        assert lower.most < higher.least
    values = report.values("top-20", "recall", budget="10")
    parts = [values[chosen & np.isfinite(values)] for *_, chosen in groups]
    assert np.concatenate(parts).mean() == pytest.approx(report.mean("top-20", "recall", budget="10").value)


def test_a_lift_is_the_ratio_of_means(world: ReplayLog, tmp_path: Path) -> None:
    report = run(world, tmp_path)
    lift = report.lift("top-20", "mean-0.01", "recall", budget="10", part="all")
    means = [report.mean(arm, "recall", budget="10", part="all").value for arm in ("top-20", "mean-0.01")]
    assert lift.value == pytest.approx(means[0] / means[1])
    assert lift.low <= lift.value <= lift.high
    with pytest.raises(NotFoundError, match="no arm"):
        report.lift("top-20", "none", "recall", budget="10")


def test_finished_arms_are_kept_and_others_are_measured(world: ReplayLog, tmp_path: Path) -> None:
    first, failing, second = Counting(), Counting("other", fails=True), Counting()
    with pytest.raises(KeyboardInterrupt):
        run(world, tmp_path, more_arms=lambda _log, _parts: [first, failing])
    assert not (tmp_path / "metrics.json").exists()
    assert {path.name for path in (tmp_path / "arms").iterdir()} == {
        f"{name}.{kind}" for name in [*ARMS, "counting"] for kind in ("json", "npz")
    }
    run(world, tmp_path, more_arms=lambda _log, _parts: [second])
    assert (first.n_asked > 0, second.n_asked) == (True, 0)
    run(world, tmp_path, more_arms=lambda _log, _parts: [second], resume=False)
    assert second.n_asked == first.n_asked


def test_a_lift_over_a_rival_that_one_user_carries_is_shown_without_an_upper_end(
    world: ReplayLog, tmp_path: Path
) -> None:
    report = run(world, tmp_path, arms=["popular-30d", "balanced-40"])
    place = SLICES.index("first_time"), METRICS.index("recall")
    sums = report.arms["popular-30d"].sums.copy()
    first = np.flatnonzero(sums[:, 0, *place, 1] > 0)[0]
    sums[..., 0] = np.where((np.arange(len(sums)) == first)[:, None, None, None], sums[..., 1], 0.0)
    rival = replace(report.arms["popular-30d"], sums=sums)
    changed = replace(report, arms=report.arms | {"popular-30d": rival}, _tables={})
    assert changed.lift("balanced-40", "popular-30d", "recall", budget="10").high == np.inf
    changed.write(tmp_path, changed.to_dict(sentences(changed), baselines(changed), pairs(changed)))
    assert "∞)" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_study_begun_afresh_that_is_stopped_goes_on(world: ReplayLog, tmp_path: Path) -> None:
    """It replaces a finished one of another log at once: else the next call would find that, and refuse."""
    run(world, tmp_path, arms=["popular"])
    log = with_categories(log_of(drawn_actions(6)[:-1], drawn_embeddings(6)))
    first, failing, second = Counting(), Counting("other", fails=True), Counting()
    with pytest.raises(KeyboardInterrupt):
        run(log, tmp_path, arms=[], more_arms=lambda _log, _parts: [first, failing], resume=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arms", "evaluation.json"]
    report = run(log, tmp_path, arms=[], more_arms=lambda _log, _parts: [second])
    assert (first.n_asked > 0, second.n_asked, list(report.arms)) == (True, 0, ["counting"])


@pytest.mark.parametrize("change", ["log", "budgets", "days", "damage"])
def test_results_of_other_inputs_are_not_taken(world: ReplayLog, tmp_path: Path, change: str) -> None:
    run(world, tmp_path, arms=[], more_arms=lambda _log, _parts: [Counting()])
    (tmp_path / "metrics.json").unlink()  # as if it had been interrupted
    log, more = world, dict[str, object]()
    if change == "log":
        log = with_categories(log_of(drawn_actions(6)[:-1], drawn_embeddings(6)))
    elif change == "budgets":
        more = {"evaluation": EvaluationConfig(budgets=(11,), n_resamples=50)}
    elif change == "days":
        more = {"n_days": 4}
    else:
        stored = tmp_path / "arms" / "counting.npz"
        stored.write_bytes(stored.read_bytes()[:-30])
    arm = Counting()
    run(log, tmp_path, arms=[], more_arms=lambda _log, _parts: [arm], **more)
    assert arm.n_asked > 0


@pytest.mark.parametrize("change", ["log", "embeddings", "days", "vectors", "impressions"])
def test_a_finished_report_of_another_study_is_left_alone(
    world: ReplayLog, tmp_path: Path, change: str
) -> None:
    run(world, tmp_path, arms=["popular"])
    kept = (tmp_path / "metrics.json").read_bytes()
    log, more = world, dict[str, object]()
    if change == "log":
        log = with_categories(log_of(drawn_actions(6)[:-1], drawn_embeddings(6)))
    elif change == "embeddings":
        log = with_categories(log_of(drawn_actions(6), drawn_embeddings(7)))
    elif change == "days":
        more = {"n_days": 4}
    elif change == "vectors":
        more = {"vectors": "fused"}
    else:
        more = {"impressions": world}
    with pytest.raises(UsageError, match=r"another study \(.*5 days; vectors given.*--fresh"):
        run(log, tmp_path, arms=["popular"], **more)
    assert (tmp_path / "metrics.json").read_bytes() == kept
    run(log, tmp_path, arms=["popular"], resume=False, **more)
    assert (tmp_path / "metrics.json").read_bytes() != kept


def test_the_same_study_may_get_other_arms_and_settings(world: ReplayLog, tmp_path: Path) -> None:
    run(world, tmp_path, arms=["popular"])
    report = run(world, tmp_path, arms=["mean-0"], evaluation=EvaluationConfig(budgets=(7,), n_resamples=20))
    assert list(report.arms) == ["mean-0"]


def test_results_of_another_ranker_or_grid_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(NeighborLists(drawn_embeddings(6), 20))
    ranked, tuned = ranked_arm("popular-ranked", parts), TunedArm("ease", 5)
    before = [arm_digest("inputs", arm) for arm in (ranked, tuned)]
    assert [arm_digest("inputs", arm) for arm in (ranked, tuned)] == before
    monkeypatch.setattr("pinnersage.evaluation.arms.ranked.FEATURES", ("age_days",))
    fewer = {"ease": lambda: TRAINED["ease"]()[:2]}
    monkeypatch.setattr("pinnersage.evaluation.arms.tuned.TRAINED", fewer)
    after = [arm_digest("inputs", arm) for arm in (ranked, tuned)]
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_kept_results_give_the_same_report(world: ReplayLog, tmp_path: Path) -> None:
    run(world, tmp_path)
    first = (tmp_path / "metrics.json").read_bytes()
    run(world, tmp_path)
    assert (tmp_path / "metrics.json").read_bytes() == first


def test_measured_twice_gives_the_same_figures_at_any_thread_count(world: ReplayLog, tmp_path: Path) -> None:
    reports = [run(world, tmp_path / str(n), config=BuildConfig(n_threads=n)) for n in (1, 3)]
    for arm in ARMS:
        one, other = (report.arms[arm].sums for report in reports)
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("vectors", ["given", "fused"])
def test_changing_later_days_changes_no_earlier_figure(tmp_path: Path, vectors: str) -> None:
    actions, embeddings = drawn_actions(8), drawn_embeddings(8)
    changed = changed_later(actions, 45 * DAY, 8)
    names = ["sampled-3", "top-20", "balanced-40", "popular", "top-40-ranked", "oracle-past-items"]
    small = RankingConfig(budget=8, horizon_days=5, n_moments=2, n_trees=8, min_leaf_rows=5, n_negatives=20)
    sums = []
    for n, log in enumerate((log_of(actions, embeddings), log_of(changed, embeddings))):
        report = run(log, tmp_path / str(n), arms=names, vectors=vectors, config=BuildConfig(ranking=small))
        sums.append([report.arms[name].sums.tobytes() for name in names])
    assert sums[0] == sums[1]


def test_foreign_directories_are_refused_and_left_alone(world: ReplayLog, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        run(world, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(UsageError, match="found a file"):
        run(world, tmp_path / "thesis.txt")


def test_what_cannot_be_measured_is_said(world: ReplayLog, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to measure"):
        run(world, tmp_path, first_day_ms=900 * DAY)
    with pytest.raises(UsageError, match="no arm best"):
        run(world, tmp_path, arms=["best"])
    with pytest.raises(UsageError, match="counting twice"):
        run(world, tmp_path, more_arms=lambda _log, _parts: [Counting(), Counting()])


def test_without_a_first_day_the_last_days_are_measured(world: ReplayLog, tmp_path: Path) -> None:
    report = run(world, tmp_path, first_day_ms=None, n_days=3, arms=["popular"])
    last_day = int(world.times_ms.max()) // DAY
    assert report.about["span"] == {
        "from": f"1970-02-{last_day - 2 - 30:02d}T00:00:00Z",
        "until": "1970-03-02T00:00:00Z",
        "n_days": 3,
    }


def test_oracles_bound_the_arms_they_know_more_than(world: ReplayLog, tmp_path: Path) -> None:
    report = run(world, tmp_path)
    oracle = report.mean("oracle-past-items", "recall", budget="10").value
    assert oracle > report.mean("last-item", "recall", budget="10").value


def test_an_arm_that_cannot_learn_is_left_out_and_told(world: ReplayLog, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    long = BuildConfig(ranking=RankingConfig(horizon_days=900))
    report = run(world, tmp_path / "group", arms=["popular", "ranked"], config=long)
    assert list(report.arms) == ["popular"]
    assert set(report.about["arms_left_out"]) == set(RANKED)
    assert "give a longer log" in report.about["arms_left_out"]["top-40-ranked"]
    report = run(world, tmp_path / "named", arms=["popular", "top-40-ranked"], config=long)
    assert list(report.arms) == ["popular"]
    assert set(report.about["arms_left_out"]) == {"top-40-ranked"}
    with pytest.raises(DataError, match="give a longer log"):
        run(world, tmp_path / "alone", arms=["top-40-ranked"], config=long)


def test_arms_that_were_not_measured_are_not_called_worse(world: ReplayLog, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    knowing = replace(world, origin=EmbeddingOrigin("log", 40 * DAY, "1.0.0"))
    long = BuildConfig(ranking=RankingConfig(horizon_days=900))
    assert notes_on_rankers(["top-40-ranked"], knowing, "given", 40 * DAY, long.ranking)
    report = run(knowing, tmp_path, arms=["popular", "ranked"], config=long)
    assert "top-40-ranked" in report.about["arms_left_out"]
    assert report.about["notes"] == []


def test_no_arm_at_all_is_an_error_in_words(world: ReplayLog, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    long = BuildConfig(ranking=RankingConfig(horizon_days=900))
    with pytest.raises(DataError, match=r"no arm could be measured: .*give a longer log"):
        run(world, tmp_path, arms=["ranked"], config=long)


def test_a_first_day_without_a_pool_shortens_no_list(tmp_path: Path) -> None:
    later = [(user, row, ms + 50 * DAY) for user, row, ms in drawn_actions(6)]
    report = run(
        log_of(later, drawn_embeddings(6)), tmp_path, first_day_ms=48 * DAY, n_days=12, arms=["popular"]
    )
    assert report.budgets["10"] == 10
