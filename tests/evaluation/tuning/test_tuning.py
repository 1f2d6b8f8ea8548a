"""Tuning finds what is clearly best, keeps what is not, and never looks at what it is judged on."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.evaluation.tuning.tuning_worlds import QUICK, UNTIL, changed_from, close_topics, found_only_by
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage.config import BuildConfig, RetrievalConfig
from pinnersage.errors import DataError, UsageError
from pinnersage.evaluation.bootstrap import Estimate
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.tuning.comparing import Pairs
from pinnersage.evaluation.tuning.result import HeldOut, TuningResult, choices_of
from pinnersage.evaluation.tuning.running import tune_log
from pinnersage.evaluation.tuning.settings import TuningSettings
from pinnersage.evaluation.tuning.steps import Step
from pinnersage.evaluation.tuning.words import decided, figure, gained, guessed_mode, judged

ALPHA = "alpha (max_merge_cost)"
BUDGET_RULE = "budget rule and number of interests"
HELD_OUT = UNTIL - 7 * DAY


def tuned(log: ReplayLog, tuning: TuningSettings = QUICK, **more: Any) -> TuningResult:
    given: dict[str, Any] = {"until_ms": UNTIL, "clock": lambda: 0.0}
    return tune_log(log, tuning=tuning, **given | more)


@pytest.fixture(scope="module")
def found() -> TuningResult:
    return tuned(close_topics())


def test_a_small_alpha_is_found_where_it_is_clearly_best(found: TuningResult) -> None:
    # Two near topics merge at a cost of about 1: below they are two interests, above they are one.
    assert found.chosen.interests.max_merge_cost < 1
    choice = next(choice for choice in found.choices if choice.group == ALPHA)
    assert choice.changed
    assert choice.default == {"interests.max_merge_cost": 1.5}
    assert choice.gain is not None
    assert choice.gain.low > 0
    guess = next(choice for choice in found.choices if choice.group == BUDGET_RULE)
    assert found.train_gain is not None
    assert guess.gain is not None
    assert found.train_gain.value >= choice.gain.value + guess.gain.value - 1e-9
    assert found.config == found.chosen


def test_what_was_chosen_is_measured_on_the_held_out_days(found: TuningResult) -> None:
    held_out = found.held_out
    assert held_out is not None
    assert held_out.verdict == "better"
    assert held_out.lift is not None
    assert held_out.lift.value == pytest.approx(held_out.chosen.value / held_out.default.value)
    assert held_out.n_users == 60
    assert "better recall" in found.sentences[-1]


def test_groups_without_a_difference_keep_their_default(found: TuningResult) -> None:
    # Every action is of one of two topics, and all are equally old: neither more interests nor lambda help.
    decay = next(choice for choice in found.choices if "lambda" in choice.group)
    assert not decay.changed
    assert "kept the default 0.01" in " ".join(found.sentences)


def test_balanced_lists_are_guessed_where_the_mode_stays_undecided(found: TuningResult) -> None:
    # Both near topics are among three interests: whatever the mode, lists are about the same.
    guess = next(choice for choice in found.choices if choice.group == BUDGET_RULE)
    assert guess.changed
    assert guess.gain is not None
    assert guess.gain.low <= 0
    assert figure(guess.gain) in guess.why
    assert found.chosen == found.config
    assert found.config.retrieval == RetrievalConfig(mode="balanced")
    text = found.toml()
    assert 'mode = "balanced"' in text.splitlines()
    for said in (decided(guess), guessed_mode()):
        assert f"# {said}" in text.splitlines()


def test_a_mode_that_was_asked_for_stays_where_nothing_is_decided(found: TuningResult) -> None:
    asked_for = BuildConfig(retrieval=RetrievalConfig(mode="sampled"))
    result = tuned(close_topics(), config=asked_for)
    assert result.config.retrieval == asked_for.retrieval
    assert result.config.interests == found.config.interests
    assert guessed_mode() not in result.sentences


def test_the_guess_stays_where_the_held_out_days_say_nothing() -> None:
    log = close_topics()
    rows, later = log.item_rows.copy(), log.times_ms >= HELD_OUT
    rows[later] = rows[log.offsets[:-1]][log.users[later]]  # what each user acted on first: never new to them
    result = tuned(replace(log, item_rows=rows))
    assert result.held_out is not None
    assert result.held_out.verdict == "not measured"
    assert result.chosen.interests != result.default.interests
    assert result.config == BuildConfig(retrieval=RetrievalConfig(mode="balanced"))
    assert "the default stays, but for the mode" in result.sentences[-1]


def test_what_comes_at_or_after_the_cut_changes_nothing(found: TuningResult) -> None:
    log = close_topics()
    assert (log.times_ms >= HELD_OUT + DAY).any()
    earlier = tuned(log, until_ms=HELD_OUT + DAY)
    assert tuned(changed_from(log, HELD_OUT + DAY), until_ms=HELD_OUT + DAY).to_dict() == earlier.to_dict()
    assert tuned(log.before(HELD_OUT + DAY), until_ms=HELD_OUT + DAY).to_dict() == earlier.to_dict()
    assert earlier.to_dict() != found.to_dict()


def test_the_held_out_days_choose_nothing(found: TuningResult) -> None:
    other = tuned(changed_from(close_topics(), HELD_OUT))
    assert other.chosen == found.chosen
    assert (other.choices, other.steps, other.train_gain) == (found.choices, found.steps, found.train_gain)
    assert other.held_out != found.held_out


def test_what_is_worse_on_the_held_out_days_is_not_advised(found: TuningResult) -> None:
    result = tuned(found_only_by(close_topics(), HELD_OUT, found.default, found.chosen))
    assert result.held_out is not None
    assert result.held_out.verdict == "worse"
    assert result.chosen == found.chosen
    assert result.config == result.default
    assert "so the default stays" in result.sentences[-1]
    assert "# Nothing differs from the defaults." in result.toml()


def judged_on(*figures: tuple[float, float]) -> HeldOut:
    old, new = np.array(figures, np.float64).reshape(-1, 2).T
    pairs = Pairs(200, 0)
    nothing = pairs.gain(new, new)
    return HeldOut(nothing, nothing, None, pairs.gain(new, old), len(old), len(old))


def test_there_is_no_ratio_to_nothing() -> None:
    pairs, some = Pairs(200, 0), np.arange(1.0, 9.0)
    assert pairs.lift(some, np.zeros(8)) is None
    assert pairs.lift(some, np.full(8, np.nan)) is None
    assert pairs.lift(2 * some, some) == Estimate(2.0, 2.0, 2.0, 8)


def test_where_the_default_finds_nothing_the_difference_is_the_verdict() -> None:
    assert judged_on(*[(0.0, 1.0)] * 9).verdict == "better"
    assert judged_on(*[(1.0, 0.0)] * 9).verdict == "worse"
    assert judged_on(*[(0.0, 0.0)] * 9).verdict == "not told apart"
    assert judged_on().verdict == "not measured"
    about = {
        "held_out": {"from": "2020-01-01", "until": "2020-01-08"},
        "tuning": {"metric": "recall", "targets": "first_time"},
    }
    told = judged(about, judged_on(*[(0.0, 1.0)] * 9))
    assert "better recall" in told
    assert "+1.0000 [+1.0000, +1.0000]; 9 users" in told
    for nobody in (judged_on(), replace(judged_on(), gain=None)):
        assert "nobody acts on an item of the pool that is new to them" in judged(about, nobody)
        assert "nan" not in judged(about, nobody)


def test_a_group_that_came_back_to_its_default_gains_nothing() -> None:
    key, gain = "interests.max_merge_cost", Estimate(0.1, 0.05, 0.15, 60)
    steps = [Step(ALPHA, {key: a}, {key: b}, gain, gained(gain)) for a, b in ((1.5, 1.0), (1.0, 1.5))]
    (choice,) = choices_of(steps, {ALPHA: {key: 1.5}})
    assert (choice.changed, choice.gain) == (False, None)
    assert "kept the default 1.5; it was left for 1.0, and came back" in decided(choice)


def test_equal_calls_have_equal_results(found: TuningResult) -> None:
    assert tuned(close_topics()).to_dict() == found.to_dict()


def test_threads_change_nothing(found: TuningResult) -> None:
    other = tuned(close_topics(), config=BuildConfig(n_threads=2))
    assert other.steps == found.steps
    assert other.held_out == found.held_out


def test_too_little_data_gives_balanced_lists_and_says_why() -> None:
    log = log_of(drawn_actions(1), drawn_embeddings(1))
    result = tune_log(log, tuning=TuningSettings(train_days=14, held_out_days=7))
    assert result.default == BuildConfig()
    assert result.config == BuildConfig(retrieval=RetrievalConfig(mode="balanced"))
    assert result.held_out is None
    for choice in result.choices:
        assert choice.changed == (choice.group == BUDGET_RULE)
        assert choice.why.startswith("12 users with targets are too few to choose by: 50 are needed")
    told = " ".join(result.sentences)
    assert "kept the default 1.5; 12 users with targets are too few to choose by" in told
    assert "mode balanced" in told
    assert "relevant than one averaged vector" in result.sentences[-1]
    assert 'mode = "balanced"' in result.toml().splitlines()
    assert f"# {result.sentences[-1]}" in result.toml()
    assert result.about["notes"] == []


def test_too_little_data_keeps_a_mode_that_was_asked_for() -> None:
    log = log_of(drawn_actions(1), drawn_embeddings(1))
    for mode in ("sampled", "budgeted", "balanced"):
        asked_for = BuildConfig.model_validate({"retrieval": {"mode": mode}})
        result = tune_log(log, config=asked_for, tuning=TuningSettings(train_days=14, held_out_days=7))
        assert result.config == asked_for
        assert not any(choice.changed for choice in result.choices)
        assert f'settings stay, retrieval.mode = "{mode}" as asked for' in result.sentences[-1]
    assert result.config != BuildConfig()


def test_too_few_targets_are_said() -> None:
    result = tuned(close_topics(), QUICK.model_copy(update={"min_targets": 10**6}))
    assert "targets are too few to choose by: 1,000,000 are needed" in result.choices[0].why


def test_a_log_shorter_than_the_spans_has_too_little_data() -> None:
    log = log_of([("a", 0, 0), ("b", 1, DAY)], np.eye(2, dtype=np.float32))
    assert "0 users" in tune_log(log).sentences[-1]


def test_before_the_log_there_is_nothing() -> None:
    with pytest.raises(DataError, match="nothing to tune on before 1968"):
        tuned(close_topics(), until_ms=-400 * DAY + DAY)


def test_a_bound_on_settings_is_kept_and_said() -> None:
    result = tuned(close_topics(), QUICK.model_copy(update={"max_trials": 13}))
    # 7 other options of alpha, 6 of the 14 of the budget rule, none of lambda.
    assert result.about["n_settings_tried"] == 13 + 1
    assert [len(step.tried) for step in result.steps[:3]] == [8, 7, 0]
    assert "8 more were not tried: the bound of 13 settings was reached" in result.steps[1].why
    assert "the bound of 13 settings was reached" in result.steps[2].why


def test_when_time_is_up_what_stands_is_kept() -> None:
    ticks = itertools.count()
    result = tuned(
        close_topics(), QUICK.model_copy(update={"max_seconds": 20.0}), clock=lambda: float(next(ticks))
    )
    assert any("time was up" in step.why for step in result.steps)
    assert result.held_out is not None


def test_flags_say_what_is_compared_with() -> None:
    given = BuildConfig(interests={"max_merge_cost": 0.5, "window_days": 60})  # type: ignore[arg-type]
    result = tuned(close_topics(), config=given)
    assert result.default == given
    assert not next(choice for choice in result.choices if choice.group == ALPHA).changed
    assert result.config.interests.window_days == 60
    assert "window_days = 60" in result.toml()


def test_repeats_are_tuned_for_as_they_are_served() -> None:
    result = tuned(close_topics(), QUICK.model_copy(update={"targets": "all"}))
    assert not result.config.retrieval.exclude_seen
    assert "exclude_seen = false" in result.toml()


def test_a_mode_that_needs_a_ranker_is_refused_without_one() -> None:
    with pytest.raises(UsageError, match="second stage"):
        tuned(close_topics(), config=BuildConfig(retrieval={"mode": "ranked"}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"budget": 0},
        {"train_days": 0},
        {"metric": "luck"},
        {"days": 3},
        {"max_seconds": 0},
        {"max_seconds": float("inf")},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TuningSettings(**wrong)


@pytest.mark.parametrize("settings", [TuningSettings, EvaluationConfig])
def test_intervals_need_more_than_a_few_resamples(settings: type[TuningSettings | EvaluationConfig]) -> None:
    for n in (0, 1, 19):
        with pytest.raises(ValueError, match="n_resamples"):
            settings(n_resamples=n)
    assert settings(n_resamples=20).n_resamples == 20
