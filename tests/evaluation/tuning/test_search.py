"""The order of races, on figures that are made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from pinnersage._arrays import Float64s
from pinnersage.config import BuildConfig
from pinnersage.errors import DataError
from pinnersage.evaluation.tuning.comparing import Pairs
from pinnersage.evaluation.tuning.scoring import Scores
from pinnersage.evaluation.tuning.search import Search
from pinnersage.evaluation.tuning.space import BUDGET_RULE, SPACE, with_values
from pinnersage.evaluation.tuning.words import figure

N_USERS = 200
BUDGETED_20 = with_values(BuildConfig(), {"retrieval.mode": "budgeted"})


class MadeUp:
    """Figures of a user: their own level, what a function says of the configuration, and noise."""

    def __init__(self, level: Callable[[BuildConfig], float], noise: float = 0.01) -> None:
        self.level, self.noise = level, noise
        self.asked: dict[str, int] = {}
        self.n_users = N_USERS

    @property
    def n_trials(self) -> int:
        return len(self.asked)

    def knows(self, config: BuildConfig) -> bool:
        return config.model_dump_json() in self.asked

    def of(self, config: BuildConfig, n_users: int) -> Float64s:
        key = config.model_dump_json()
        level = self.level(config)
        self.asked[key] = max(n_users, self.asked.get(key, 0))
        rng = np.random.default_rng(list(key.encode()))
        users = np.random.default_rng(0).normal(size=N_USERS)
        return np.asarray((users + level + rng.normal(0, self.noise, N_USERS))[:n_users], np.float64)

    def rest(self, chosen: BuildConfig) -> None:
        pass


PLAIN = [group for group in SPACE if group.needs is None]


def searched(scores: MadeUp, **more: Any) -> Search:
    return Search(cast(Scores, scores), Pairs(300, 0), BuildConfig(), **more)


def test_each_group_is_settled_in_turn_and_again_when_another_changed() -> None:
    # 20 budgeted interests are best, and alpha 2.0 is only better with them.
    def level(config: BuildConfig) -> float:
        good_alpha = config.interests.max_merge_cost == 2.0
        good_mode = config.retrieval == BUDGETED_20.retrieval
        return 0.2 * good_mode + 0.5 * (good_alpha and good_mode)

    search = searched(MadeUp(level))
    chosen = search.run(with_ranker=False)
    assert chosen == with_values(BUDGETED_20, {"interests.max_merge_cost": 2.0})
    names = [group.name for group in PLAIN]
    changed = [step.group for step in search.steps if step.changed]
    assert [step.group for step in search.steps][:3] == names
    assert changed[0] == names[1]
    assert names[0] in changed[1:]


def test_what_noise_alone_makes_best_is_not_chosen() -> None:
    search = searched(MadeUp(lambda config: 0.0, noise=1.0))
    assert search.run(with_ranker=False) == BuildConfig()
    assert any(step.gain is not None and step.gain.value > 0 for step in search.steps)
    assert all("cannot be told apart" in step.why or "did best" in step.why for step in search.steps)
    # Nothing changed, so nothing is asked twice.
    assert [step.group for step in search.steps] == [group.name for group in PLAIN]


def guessed(level: Callable[[BuildConfig], float], noise: float = 0.01, **more: Any) -> Search:
    search = searched(MadeUp(level, noise), guesses_mode=True, **more)
    search.run(with_ranker=False)
    return search


def test_balanced_lists_take_the_place_of_a_mode_that_nothing_chose() -> None:
    search = guessed(lambda config: 0.0, noise=1.0)
    race, guess = search.steps[1], search.steps[-1]
    assert search.guessed
    assert (race.group, guess.group) == (BUDGET_RULE.name, BUDGET_RULE.name)
    assert not race.changed
    assert guess.before == race.after
    assert guess.after == race.after | {"retrieval.mode": "balanced"}
    in_race = next(tried for tried in race.tried if tried.values == guess.after)
    assert guess.gain == in_race.at_once
    assert guess.gain is not None
    assert guess.gain.low <= 0 <= guess.gain.high
    assert figure(guess.gain) in guess.why
    assert guess.why.endswith("balanced lists are the safer guess")


@pytest.mark.parametrize("n_first", [50, N_USERS])
def test_a_default_mode_that_is_surely_better_stays(n_first: int) -> None:
    # With one round only nobody drops out, and the intervals tell.
    search = guessed(lambda config: -0.5 * (config.retrieval.mode == "balanced"), n_first=n_first)
    assert not search.guessed
    assert not any(step.changed for step in search.steps)


def test_a_mode_or_number_that_is_surely_best_stays() -> None:
    budgeted = guessed(lambda config: 0.5 * (config.retrieval.mode == "budgeted"))
    assert not budgeted.guessed
    assert budgeted.steps[1].after["retrieval.mode"] == "budgeted"
    twenty = guessed(lambda c: 0.5 * (c.retrieval.mode == "sampled" and c.retrieval.n_interests == 20))
    assert not twenty.guessed
    assert twenty.steps[1].after["retrieval.n_interests"] == 20


def test_a_number_of_balanced_interests_that_is_surely_behind_is_not_guessed() -> None:
    def level(config: BuildConfig) -> float:
        return -0.5 * (config.retrieval.mode == "balanced" and config.retrieval.n_balanced_interests != 20)

    guess = guessed(level).steps[-1].after
    assert (guess["retrieval.mode"], guess["retrieval.n_balanced_interests"]) == ("balanced", 20)


def test_balanced_lists_that_were_not_tried_are_guessed_without_figures() -> None:
    for search in (guessed(lambda config: 0.0, max_trials=9), guessed(lambda config: 0.0, max_trials=1)):
        guess = search.steps[-1]
        assert search.guessed
        assert guess.gain is None
        assert "the bound of" in guess.why
        assert guess.why.endswith("balanced lists are the safer guess")


def test_balanced_lists_that_cannot_be_asked_are_not_guessed() -> None:
    def level(config: BuildConfig) -> float:
        if config.retrieval.mode == "balanced":
            raise DataError("no such lists")
        return 0.0

    assert not guessed(level).guessed


def test_the_second_stage_is_held_against_balanced_lists_where_these_are_guessed() -> None:
    asked = MadeUp(lambda config: 0.5 * config.ranking.fit_ranker)
    chosen = searched(asked, guesses_mode=True).run(with_ranker=True)
    assert (chosen.retrieval.mode, chosen.ranking.fit_ranker) == ("balanced", True)


def test_the_second_stage_is_tuned_only_where_it_is_chosen() -> None:
    without = searched(MadeUp(lambda config: -0.5 * config.ranking.fit_ranker))
    assert not without.run(with_ranker=True).ranking.fit_ranker
    assert [step.group for step in without.steps][-1] == "second stage"

    def level(config: BuildConfig) -> float:
        trees = (config.ranking.n_leaves == 15) + (config.ranking.n_trees == 200)
        return 0.5 * config.ranking.fit_ranker + 0.2 * trees

    chosen = searched(MadeUp(level)).run(with_ranker=True).ranking
    assert (chosen.fit_ranker, chosen.n_leaves, chosen.n_trees) == (True, 15, 200)


def test_a_second_stage_that_cannot_be_fitted_is_said() -> None:
    def level(config: BuildConfig) -> float:
        if config.ranking.fit_ranker:
            raise DataError("too little happened")
        return 0.0

    search = searched(MadeUp(level))
    assert not search.run(with_ranker=True).ranking.fit_ranker
    assert search.steps[-1].why == "nothing else could be tried (too little happened)"
    assert search.steps[-1].tried[1].problem == "too little happened"


def test_settings_behind_are_asked_about_few_users() -> None:
    scores = MadeUp(lambda config: -config.interests.max_merge_cost)
    search = searched(scores)
    assert search.run(with_ranker=False).interests.max_merge_cost == 0.25
    worst = with_values(BuildConfig(), {"interests.max_merge_cost": 2.5}).model_dump_json()
    assert scores.asked[worst] == 50


def test_progress_ends_full() -> None:
    told: list[tuple[str, int, int | None]] = []
    searched(MadeUp(lambda config: 0.0), progress=lambda name, n, total: told.append((name, n, total))).run(
        with_ranker=False
    )
    for group in PLAIN:
        own = [(n, total) for name, n, total in told if name == group.name]
        assert own[-1][0] == own[-1][1]
        assert all(total is not None and n <= total for n, total in own)


@pytest.mark.parametrize("bound", [1, 5, 30])
def test_the_bound_on_settings_holds(bound: int) -> None:
    scores = MadeUp(lambda config: -config.interests.max_merge_cost)
    searched(scores, max_trials=bound).run(with_ranker=True)
    assert scores.n_trials <= bound + 1


def test_the_balance_is_tuned_where_balanced_lists_are_chosen() -> None:
    def level(config: BuildConfig) -> float:
        return 0.5 * (config.retrieval.mode == "balanced") + 0.2 * (config.retrieval.sharpness == 12.0)

    chosen = searched(MadeUp(level)).run(with_ranker=False).retrieval
    assert (chosen.mode, chosen.sharpness, chosen.saturation) == ("balanced", 12.0, 30.0)
