"""What is charged where: lists by themselves, refits as fitting. Clocks are fakes that count what is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage._arrays import Float32s, Int32s
from pinnersage.config import BuildConfig, InterestConfig
from pinnersage.evaluation import clock as clocks
from pinnersage.evaluation.arms.registry import make_arms
from pinnersage.evaluation.arms.trained import TrainedArm
from pinnersage.evaluation.arms.untrained import Parts
from pinnersage.evaluation.clock import Clock, Stopwatch
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import Arm, Day, Mode, ReplayLog, walk
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.state import RecordCache
from pinnersage.evaluation.timing import N_GROUPS, groups_of, some_users, time_lists, with_empty_caches

CUT = 50 * DAY
LOG = log_of(drawn_actions(1), drawn_embeddings(1))
KNOWN = LOG.before(CUT)
(TODAY,) = walk(LOG, CUT, 1, window_ms=90 * DAY)


class Work:
    """A clock that moves by the users whose records are built and the neighbors looked up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = 0.0
        of_day, search = RecordCache.of_day, NeighborLists._search

        def built(cache: RecordCache, day: Day, log: ReplayLog, config: InterestConfig) -> Any:
            self.done += 1_000 * day.n_users * ((config, day.start_ms) not in cache._records)
            return of_day(cache, day, log, config)

        def looked(lists: NeighborLists, queries: Float32s, k: int) -> Int32s:
            self.done += len(queries)
            return search(lists, queries, k)

        monkeypatch.setattr(RecordCache, "of_day", built)
        monkeypatch.setattr(NeighborLists, "_search", looked)

    def __call__(self) -> tuple[float, float]:
        return self.done, self.done


def test_a_list_costs_the_same_whatever_was_asked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)

    def costs(names: list[str]) -> dict[str, float]:
        parts = Parts(NeighborLists(LOG.embeddings, 30))
        found = {}
        for arm in make_arms(names, LOG, parts, [5], BuildConfig()):
            seen = TODAY if getattr(arm, "is_oracle", False) else TODAY.without_targets()
            arm.recommend(seen, KNOWN, 5, "first_time")
            clock = Clock(read=work)
            time_lists(arm, seen, KNOWN, 5, 1_000, clock)
            found[arm.name] = clock.cost()["median_ms_per_list"]
        return found

    names = ["last-item", "mean-0.01", "popular", "top-20", "sampled-3", "balanced-40", "oracle-kmeans-3"]
    names += ["as-configured", "oracle-past-items"]
    together = costs(names)
    assert costs(names[::-1]) == together
    for name in names:
        assert costs([name]) == {name: together[name]}
    # Interests are charged to those that ask them, a thousand a user (in milliseconds).
    of_interests = {name for name, cost in together.items() if cost >= 1e6}
    assert of_interests == {"top-20", "sampled-3", "balanced-40", "oracle-kmeans-3", "as-configured"}
    assert together["mean-0.01"] == 1_000
    assert together["popular"] == 0


def test_timing_leaves_what_arms_share_as_it_was() -> None:
    parts = Parts(NeighborLists(LOG.embeddings, 30))
    (arm,) = make_arms(["top-20"], LOG, parts, [5], BuildConfig())
    time_lists(arm, TODAY.without_targets(), KNOWN, 5, 1_000, Clock())
    assert parts.records._records == {}
    assert (parts.neighbors._kept.slots == -1).all()
    lists = arm.recommend(TODAY.without_targets(), KNOWN, 5, "first_time")
    alone = with_empty_caches(arm).recommend(TODAY.without_targets(), KNOWN, 5, "first_time")
    np.testing.assert_array_equal(lists, alone)


def test_a_ranked_arm_orders_anew_with_what_was_counted_for_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    (arm,) = make_arms(["top-40-ranked"], LOG, Parts(NeighborLists(LOG.embeddings, 60)), [5], BuildConfig())
    asked: list[int] = []

    def order(_: Any, day: Day, *__: Any) -> Int32s:
        asked.append(day.n_users)
        return np.zeros((day.n_users, 9), np.int32)

    monkeypatch.setattr(type(arm), "_order", order)
    for _ in range(2):
        arm.recommend(TODAY.without_targets(), KNOWN, 5, "first_time")
    time_lists(arm, TODAY.without_targets(), KNOWN, 5, 20 * TODAY.n_users, Clock())
    assert asked[0] == TODAY.n_users == sum(asked[1:])
    arm.recommend(TODAY.without_targets(), KNOWN, 5, "first_time")
    assert len(asked) == 1 + N_GROUPS


@pytest.mark.parametrize(
    ("n_users", "n_user_days", "sizes"),
    [(2, 99, [1, 1]), (40, 10, [10] * 3), (400, 1_000, [17, 17, 16]), (9_000, 10**6, [50] * 3), (0, 0, [])],
)
def test_a_few_users_are_timed_evenly_spread(n_users: int, n_user_days: int, sizes: list[int]) -> None:
    groups = groups_of(n_users, n_user_days)
    assert [len(group) for group in groups] == sizes
    together = np.sort(np.concatenate([np.zeros(0, int), *groups]))
    assert len(np.unique(together)) == len(together)
    assert together.max(initial=-1) < n_users


def test_some_users_keep_their_own_targets() -> None:
    chosen = np.array([1, 3])
    part = some_users(TODAY, chosen)
    for place, u in enumerate(chosen.tolist()):
        assert part.users[place] == TODAY.users[u]
        own, theirs = (
            day.target_rows[day.target_offsets[at] : day.target_offsets[at + 1]]
            for day, at in ((TODAY, u), (part, place))
        )
        assert own.tolist() == theirs.tolist()
    assert len(part.target_rows) == len(part.first_time) == part.target_offsets[-1]
    assert some_users(TODAY.without_targets(), chosen).target_offsets.tolist() == [0, 0, 0]


@dataclass
class Relearning(TrainedArm):
    """Learning takes 100 seconds, scoring users one each."""

    pass_time: Callable[[float], None] = field(default=lambda _: None, repr=False)

    def _train(self, known: ReplayLog, first_ms: int) -> None:
        self.pass_time(100.0)

    def _scores(self, log: ReplayLog, users: Int32s, first_ms: int) -> Float32s:
        self.pass_time(float(len(users)))
        return np.zeros((len(users), log.n_items), np.float32)


def test_learning_anew_is_booked_as_fitting() -> None:
    now = [0.0]

    def read() -> tuple[float, float]:
        return now[0], now[0]

    def pass_time(seconds: float) -> None:
        now[0] += seconds

    arm = Relearning("relearning", refit_days=1, pass_time=pass_time)
    arm.fitting = Stopwatch(read)
    clock, asked = Clock(arm.fitting, read), 0
    with clock.fit():
        arm.fit(KNOWN, CUT)
    for day in walk(LOG, CUT, 3, window_ms=90 * DAY):
        with clock.recommend():
            arm.recommend(day.without_targets(), LOG.before(day.start_ms), 5, "first_time")
        asked += day.n_users
    cost = clock.cost()
    assert cost["fit_seconds"] == 100 + 2 * 100
    assert cost["recommend_seconds"] == asked
    assert cost["cpu_seconds"] == asked + 300


def test_a_tuned_arm_hands_its_watch_to_what_it_chose() -> None:
    pytest.importorskip("scipy")
    pytest.importorskip("implicit")
    (arm,) = make_arms(["ease"], LOG, Parts(NeighborLists(LOG.embeddings, 9)), [5], BuildConfig())
    watch: Stopwatch = arm.fitting  # type: ignore[attr-defined]
    ticks = count()
    watch.read = lambda: (float(next(ticks)), 0.0)
    arm.fit(KNOWN, CUT)  # type: ignore[attr-defined]
    assert watch.seconds == 0
    for n, day in enumerate(walk(LOG, CUT, 3, window_ms=90 * DAY)):
        arm.recommend(day.without_targets(), LOG.before(day.start_ms), 5, "first_time")
        assert watch.seconds == n


@dataclass
class Counting:
    """Remembers whom it was asked about."""

    name: str = "counting"
    asked: list[tuple[int, int, Mode]] = field(default_factory=list, repr=False)

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        self.asked.append((day.n_users, budget, mode))
        return np.full((day.n_users, budget), -1, np.int32)


def test_an_evaluation_times_longest_first_time_lists_after_the_walk(tmp_path: Path) -> None:
    arm = Counting()

    def more(log: ReplayLog, parts: Parts) -> list[Arm]:
        return [arm]

    evaluate_log(
        LOG, out_dir=tmp_path, first_day_ms=CUT, n_days=4, arms=[], more_arms=more, page=False,
        evaluation=EvaluationConfig(budgets=(3, 7), n_resamples=20),
    )  # fmt: skip
    walked, timed = arm.asked[: 4 * 2 * 2], arm.asked[4 * 2 * 2 :]
    assert [asked[1:] for asked in timed] == [(7, "first_time")] * N_GROUPS
    assert sum(n for n, _, _ in timed) == walked[-1][0]


def test_the_clock_of_an_evaluation_is_that_of_the_machine() -> None:
    assert Clock()._read is clocks.read_clocks
