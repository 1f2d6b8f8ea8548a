"""Examples that are kept between options change no figure, and none are made twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.evaluation.tuning.test_served import TREES, tables
from tests.evaluation.tuning.tuning_worlds import QUICK
from tests.evaluation.worlds import DAY

from pinnersage.config import BuildConfig
from pinnersage.evaluation.arms import ranked
from pinnersage.evaluation.reading import read_log
from pinnersage.evaluation.tuning import search
from pinnersage.evaluation.tuning.comparing import Pairs
from pinnersage.evaluation.tuning.kept import KeptExamples
from pinnersage.evaluation.tuning.moments import training_moments
from pinnersage.evaluation.tuning.running import _measure, _scores
from pinnersage.evaluation.tuning.scoring import Scores
from pinnersage.evaluation.tuning.search import Search
from pinnersage.evaluation.tuning.space import SECOND_STAGE, Group
from pinnersage.evaluation.tuning.steps import Step
from pinnersage.ranking.examples import Examples
from pinnersage.ranking.features import N_FEATURES
from pinnersage.ranking.fitting import TrainingExamples, training_examples
from pinnersage.ranking.growing import OF_TREES

JUDGED = 43 * DAY
RANKED = BuildConfig.model_validate({"ranking": TREES | {"fit_ranker": True}})
Make = Callable[[], TrainingExamples]


def scores() -> Scores:
    log, _, _ = read_log(*tables(), wall_clock_ms=400 * DAY)
    moments = training_moments(log, JUDGED, QUICK, RANKED.interests.window_ms)
    measure = _measure(log, RANKED, QUICK, moments[0].day, with_ranker=True)
    return _scores(log, JUDGED, moments, measure)


@pytest.fixture
def makings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Return, for each time that examples are made from here on, what they rest on."""
    made = []

    def watched(*given: Any) -> TrainingExamples:
        _, until_ms, _, propose_at, interests, config, hidden = given
        trees = dict.fromkeys(OF_TREES, 1)
        proposing = propose_at.func.__self__.n_interests
        made.append((until_ms, proposing, interests, config.model_copy(update=trees), hidden))
        return training_examples(*given)

    monkeypatch.setattr(ranked, "training_examples", watched)
    return made


def second_stage(monkeypatch: pytest.MonkeyPatch) -> tuple[BuildConfig, list[Step]]:
    """Search among second stages, from one on."""
    pytest.importorskip("sklearn")
    monkeypatch.setattr(search, "SPACE", ())
    found = Search(scores(), Pairs(50, 0), RANKED, n_first=10)
    return found.run(with_ranker=True), found.steps


def test_a_search_finds_the_same_whether_or_not_examples_are_kept(
    monkeypatch: pytest.MonkeyPatch, makings: list[tuple[Any, ...]]
) -> None:
    kept = second_stage(monkeypatch)
    once = list(makings)
    assert len(once) == len(set(once))
    monkeypatch.setattr(KeptExamples, "of", lambda self, settings, mode, make: make())
    assert second_stage(monkeypatch) == kept
    again = makings[len(once) :]
    assert set(again) == set(once)
    assert len(again) >= len(once) + len(SECOND_STAGE[-1].options)


def test_an_option_asked_again_is_fitted_on_what_was_kept(
    monkeypatch: pytest.MonkeyPatch, makings: list[tuple[Any, ...]]
) -> None:
    pytest.importorskip("sklearn")
    asked = scores()
    few = asked.of(RANKED, 5)
    asked.rest(RANKED)
    assert asked.of(RANKED, asked.n_users)[:5].tolist() == few.tolist()
    assert len(makings) == 1
    asked.rest(BuildConfig())
    asked._trials.clear()
    asked.of(RANKED, 5)
    assert len(makings) == 2


@pytest.mark.parametrize("name", OF_TREES)
def test_no_example_rests_on_a_setting_of_the_trees(name: str) -> None:
    pytest.importorskip("sklearn")
    value = getattr(RANKED.ranking, name)
    other = RANKED.model_copy(update={"ranking": RANKED.ranking.model_copy(update={name: value + 3})})
    made = list[tuple[str, list[bytes]]]()

    def noted(self: KeptExamples, settings: str, mode: str, make: Make) -> TrainingExamples:
        found = make()
        arrays = [np.asarray(array) for examples in (*found.moments, found.newest) for array in examples]
        made.append((settings, [array.tobytes() for array in arrays]))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KeptExamples, "of", noted)
        for config in (RANKED, other):
            scores().of(config, 3)
    assert len(made) == 2
    assert made[0] == made[1]


def test_a_group_of_trees_sets_nothing_else() -> None:
    trees: Group = SECOND_STAGE[-1]
    assert {key for option in trees.options for key in option} <= {f"ranking.{name}" for name in OF_TREES}


def examples(n: int) -> TrainingExamples:
    """Return examples of ``n`` candidates."""
    none, labels = np.zeros(0, np.int64), np.zeros(n, np.bool_)
    nothing = Examples(
        np.zeros((0, N_FEATURES), np.float32), none.astype(np.bool_), np.zeros(1, np.int64), none
    )
    features = np.zeros((n, N_FEATURES), np.float32)
    return TrainingExamples((nothing,), nothing._replace(features=features, labels=labels))


def test_memory_is_bounded_and_what_was_asked_for_longest_ago_leaves() -> None:
    one = examples(100)
    kept, made = KeptExamples(2 * one.n_bytes + 10), list[str]()

    def asked(settings: str, n: int = 100) -> None:
        def make() -> TrainingExamples:
            made.append(settings)
            return examples(n)

        kept.of(settings, "all", make)

    for settings in "abacab":
        asked(settings)
    assert "".join(made) == "abcb"  # c took the place of b, and b that of c
    asked("big", 1_000)
    asked("big", 1_000)
    asked("a")
    assert "".join(made) == "abcbbiga"
    asked("b")
    kept.drop_but("b")
    asked("b")
    asked("a")
    assert "".join(made) == "abcbbigaba"


def test_each_mode_has_its_own() -> None:
    kept = KeptExamples()
    first, second = examples(1), examples(2)
    assert kept.of("a", "all", lambda: first) is first
    assert kept.of("a", "first_time", lambda: second) is second
    assert kept.of("a", "all", lambda: second) is first
