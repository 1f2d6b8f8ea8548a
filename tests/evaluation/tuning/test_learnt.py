"""Tuning with embeddings learnt from the log: no figure rests on embeddings that know what is predicted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.evaluation.tuning.test_served import TREES, tables
from tests.evaluation.tuning.tuning_worlds import HISTORY_DAYS, QUICK, UNTIL, changed_from, close_topics
from tests.evaluation.worlds import DAY

from pinnersage._arrays import Float32s
from pinnersage.config import BuildConfig
from pinnersage.errors import DataError, UsageError
from pinnersage.evaluation.reading import read_log
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.evaluation.tuning.comparing import Pairs
from pinnersage.evaluation.tuning.facade import tune
from pinnersage.evaluation.tuning.moments import training_moments
from pinnersage.evaluation.tuning.result import TuningResult
from pinnersage.evaluation.tuning.running import _held_out, _measure, _scores, tune_log
from pinnersage.evaluation.vectors import LearntVectors, VectorSource, embedded_at, vectors_of
from pinnersage.items.origin import EmbeddingOrigin

LEARNT: tuple[VectorSource, ...] = ("log", "fused")
TRIALS = QUICK.model_copy(update={"max_trials": 9})
JUDGED = UNTIL - TRIALS.held_out_days * DAY
FIRST = JUDGED - TRIALS.train_days * DAY


def tuned(log: ReplayLog, vectors: VectorSource, **more: Any) -> TuningResult:
    given: dict[str, Any] = {"tuning": TRIALS, "until_ms": UNTIL, "clock": lambda: 0.0}
    return tune_log(log, vectors=vectors, **given | more)


def embeddings_at(log: ReplayLog, source: VectorSource, ms: int) -> Float32s:
    """Return what is learnt when nothing at or after ``ms`` is there at all."""
    made = vectors_of(log.before(ms), source)
    assert made is not None
    return made(ms)


@pytest.fixture
def learnt_at(monkeypatch: pytest.MonkeyPatch) -> dict[int, Float32s]:
    """Return what the real parts learn from here on, by moment."""
    kept: dict[int, Float32s] = {}
    learn = LearntVectors._learnt

    def watched(self: LearntVectors, ms: int) -> Float32s:
        kept[ms] = learn(self, ms)
        return kept[ms]

    monkeypatch.setattr(LearntVectors, "_learnt", watched)
    return kept


@pytest.mark.parametrize("source", LEARNT)
def test_settings_are_compared_on_older_embeddings_than_they_are_judged_on(source: VectorSource) -> None:
    log = close_topics()
    found = tuned(log, source)
    early, late = (
        tuned(replace(log, embeddings=embeddings_at(log, source, ms)), "given") for ms in (FIRST, JUDGED)
    )
    assert (found.chosen, found.steps, found.train_gain) == (early.chosen, early.steps, early.train_gain)
    assert late.steps != early.steps
    assert found.held_out is not None
    assert late.held_out is not None
    assert early.held_out is not None
    assert found.held_out.default == late.held_out.default
    assert found.held_out.default != early.held_out.default


@pytest.mark.parametrize("source", LEARNT)
def test_later_events_change_nothing_that_was_learnt_earlier(
    source: VectorSource, learnt_at: dict[int, Float32s]
) -> None:
    """Not when they are others, nor when they are gone: neither the embeddings nor what they chose."""
    log = close_topics()
    found, original = tuned(log, source), dict(learnt_at)
    assert set(original) == {FIRST, JUDGED}
    learnt_at.clear()
    other = tuned(changed_from(log, JUDGED), source)
    assert {ms: made.tobytes() for ms, made in learnt_at.items()} == {
        ms: made.tobytes() for ms, made in original.items()
    }
    assert (other.chosen, other.choices, other.steps) == (found.chosen, found.choices, found.steps)
    assert other.held_out != found.held_out
    learnt_at.clear()
    tuned(changed_from(log, FIRST), source)
    assert learnt_at[FIRST].tobytes() == original[FIRST].tobytes()
    assert learnt_at[JUDGED].tobytes() != original[JUDGED].tobytes()
    for ms, made in original.items():
        assert made.tobytes() == embeddings_at(log, source, ms).tobytes()


def test_what_comes_at_or_after_the_cut_is_not_learnt_from() -> None:
    log, cut = close_topics(), JUDGED + DAY
    assert (log.times_ms >= cut).any()
    whole, gone = (tuned(world, "log", until_ms=cut).to_dict() for world in (log, log.before(cut)))
    assert whole == gone


def test_each_moment_a_ranker_learns_at_has_embeddings_from_before_it(
    learnt_at: dict[int, Float32s],
) -> None:
    pytest.importorskip("sklearn")
    log, _, _ = read_log(*tables(), wall_clock_ms=400 * DAY)
    judged, horizon_ms = 50 * DAY - QUICK.held_out_days * DAY, TREES["horizon_days"] * DAY
    known, first = log.before(50 * DAY), judged - QUICK.train_days * DAY
    default = BuildConfig.model_validate({"ranking": TREES})
    ranked = BuildConfig.model_validate({"ranking": TREES | {"fit_ranker": True}})
    vectors_at = vectors_of(known, "fused")
    moments = training_moments(known, judged, QUICK, default.interests.window_ms)
    trained = embedded_at(known, vectors_at, first)
    measure = _measure(trained, default, QUICK, moments[0].day, with_ranker=True, vectors_at=vectors_at)
    scores = _scores(trained, judged, moments, measure)
    assert np.isfinite(scores.of(ranked, scores.n_users)).any()
    of_training = {first, first - horizon_ms, first - 2 * horizon_ms}
    assert set(learnt_at) == of_training
    measure, pairs = measure.as_of(judged), Pairs(50, 0)
    _held_out(embedded_at(known, vectors_at, judged), judged, default, ranked, measure, pairs, None)
    assert set(learnt_at) == of_training | {judged, judged - horizon_ms, judged - 2 * horizon_ms}
    for ms, made in learnt_at.items():
        assert made.tobytes() == embeddings_at(log, "fused", ms).tobytes()


def test_of_what_is_given_only_what_is_used_is_checked_and_noted() -> None:
    """Given embeddings that know the ranker's weeks, and such as know the training days, too."""
    log, _, _ = read_log(*tables(), wall_clock_ms=400 * DAY)
    first = 50 * DAY - (QUICK.held_out_days + QUICK.train_days) * DAY
    config = BuildConfig.model_validate({"ranking": TREES | {"fit_ranker": True}})
    too_few = QUICK.model_copy(update={"min_users": 1_000})

    def noted(until_ms: int | None, vectors: VectorSource) -> list[str]:
        known = replace(log, origin=EmbeddingOrigin("fused", until_ms, "1"))
        found = tune_log(known, config=config, tuning=too_few, until_ms=50 * DAY, vectors=vectors)
        assert found.about["vectors"] == vectors
        return found.warnings

    (note,) = noted(first, "given")
    assert "the ranker learns from what happened since" in note
    assert "let tune learn them (--vectors log, from Python: vectors='log'), or tune without" in note
    assert noted(first, "log") == []
    assert noted(first, "fused") == [note]  # they are part of it, and know these weeks
    assert noted(None, "fused") == []
    assert noted(first + DAY, "log") == []
    for vectors in ("given", "fused"):
        with pytest.raises(UsageError, match=r"let tune learn them \(--vectors log"):
            noted(first + DAY, vectors)


def test_it_is_said_what_to_build_with() -> None:
    found = tuned(close_topics(), "fused")
    assert found.about["vectors"] == "fused"
    (said,) = (sentence for sentence in found.sentences if "Embeddings were learnt (fused)" in sentence)
    train, held_out = (found.about[name]["from"][:10] for name in ("train", "held_out"))
    assert 0 < said.index(train) < said.index(held_out)
    assert "pinnersage embed --from fused --text-model given" in found.toml()
    assert "Embeddings were learnt" not in tuned(close_topics(), "given").toml()


def test_where_nothing_was_before_the_training_days_it_is_told() -> None:
    long = TRIALS.model_copy(update={"train_days": HISTORY_DAYS + 14})
    with pytest.raises(DataError, match=r"before 1969-12-27.*choose fewer --train-days or a later --until"):
        tuned(close_topics(), "log", tuning=long, until_ms=UNTIL - 7 * DAY)


def test_where_too_little_is_known_nothing_is_learnt(learnt_at: dict[int, Float32s]) -> None:
    found = tuned(close_topics(), "log", tuning=TRIALS.model_copy(update={"min_users": 1_000}))
    assert found.held_out is None
    assert learnt_at == {}


def test_the_call_on_tables_is_the_same() -> None:
    items, actions = tables()
    log, _, _ = read_log(items, actions, wall_clock_ms=400 * DAY)
    on_log = tune_log(log, tuning=TRIALS, until_ms=50 * DAY, vectors="fused", clock=lambda: 0.0)
    on_tables = tune(items, actions, tuning=TRIALS, until=50 * DAY, vectors="fused", clock=lambda: 0.0)
    assert on_tables.steps == on_log.steps
    assert on_tables.held_out == on_log.held_out
