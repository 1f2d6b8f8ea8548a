"""One group of settings after another, each by a race of a few options; twice, if it helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pinnersage._arrays import Float64s
from pinnersage.config import BuildConfig
from pinnersage.evaluation.bootstrap import Estimate
from pinnersage.evaluation.tuning import words
from pinnersage.evaluation.tuning.comparing import Pairs, mean
from pinnersage.evaluation.tuning.guessing import safe_guess
from pinnersage.evaluation.tuning.racing import Raced, race, rounds_of
from pinnersage.evaluation.tuning.scoring import Scores
from pinnersage.evaluation.tuning.space import (
    BUDGET_RULE,
    SECOND_STAGE,
    SPACE,
    Group,
    keys_of,
    values_of,
    with_values,
)
from pinnersage.evaluation.tuning.steps import Step, Tried

Progress = Callable[[str, int, int | None], None]
_N_PASSES = 2


class TimeIsUpError(Exception):
    """Inside the search only: the bound on time was reached."""


@dataclass
class Search:
    """Chooses settings group by group.

    Attributes
    ----------
    scores
        Of the training days.
    pairs
        Compares.
    first_config
        Where it starts, and what is called the default.
    n_first
        Users in the first round of a race.
    max_trials
        Options tried at most; None: no bound.
    is_time_up
        Asked before every piece of work.
    progress
        Told group, users asked, users to ask at most.
    guesses_mode
        Whether balanced lists take the default mode's place where no mode is surely best.
    guessed
        Whether they have.
    """

    scores: Scores
    pairs: Pairs
    first_config: BuildConfig
    n_first: int = 50
    max_trials: int | None = None
    is_time_up: Callable[[], bool] = lambda: False
    progress: Progress | None = None
    guesses_mode: bool = False
    steps: list[Step] = field(default_factory=list)
    guessed: bool = False

    def run(self, *, with_ranker: bool) -> BuildConfig:
        """Return what was chosen; :attr:`steps` tell how.

        Parameters
        ----------
        with_ranker
            Whether a second stage is tried after the interests.
        """
        config = self._passes(self.first_config, SPACE)
        if self.guesses_mode:
            config = self._with_safe_mode(config)
        if with_ranker:
            for group in SECOND_STAGE:
                if group.applies_to(config):
                    config = self._step(config, group)
        return config

    def _passes(self, config: BuildConfig, groups: Sequence[Group]) -> BuildConfig:
        """Choose every group in turn, and again where another group has changed since."""
        settled: dict[str, BuildConfig] = {}
        for _ in range(_N_PASSES):
            for group in groups:
                if settled.get(group.name) != config and group.applies_to(config):
                    config = settled[group.name] = self._step(config, group)
        return config

    def _with_safe_mode(self, config: BuildConfig) -> BuildConfig:
        """Return the configuration with balanced lists, where the races about the mode chose nothing."""
        races = [step for step in self.steps if step.group == BUDGET_RULE.name]
        keys = keys_of(BUDGET_RULE)
        if not races or values_of(config, keys) != values_of(self.first_config, keys):
            return config
        guess = safe_guess(races[-1], config)
        if guess is None:
            return config
        self.guessed = True
        self._note(BUDGET_RULE, config, guess.config, guess.gain, guess.why)
        return guess.config

    def _step(self, config: BuildConfig, group: Group) -> BuildConfig:
        options, n_left_out = self._options(config, group)
        if not options:
            self._note(group, config, config, None, words.bound_reached(self.max_trials))
            return config
        settings = [config, *options]
        try:
            raced = self._race(group, settings)
        except TimeIsUpError:
            self._note(group, config, config, None, words.time_is_up())
            return config
        gains = self._gains(raced)
        chosen, gain, why = self._decided(group, settings, raced, gains)
        self.scores.rest(chosen)
        if n_left_out:
            why = f"{why}; {words.left_out(n_left_out, self.max_trials)}"
        self._note(group, config, chosen, gain, why, self._tried(group, settings, raced, gains))
        return chosen

    def _options(self, config: BuildConfig, group: Group) -> tuple[list[BuildConfig], int]:
        """Return what differs from what stands, each once, and how many the bound leaves out."""
        found: list[BuildConfig] = []
        for values in group.options:
            option = with_values(config, values)
            if option != config and option not in found:
                found.append(option)
        if self.max_trials is None:
            return found, 0
        n_left = max(0, self.max_trials + 1 - max(1, self.scores.n_trials))
        kept = []
        for option in found:
            known = self.scores.knows(option)
            if known or n_left > 0:
                kept.append(option)
                n_left -= not known
        return kept, len(found) - len(kept)

    def _race(self, group: Group, settings: Sequence[BuildConfig]) -> Raced:
        asked = [0] * len(settings)
        total = len(settings) * self.scores.n_users

        def score(setting: int, n_users: int) -> Float64s:
            if self.is_time_up():
                raise TimeIsUpError
            values = self.scores.of(settings[setting], n_users)
            asked[setting] = n_users
            self._tell(group.name, sum(asked), total)
            return values

        raced = race(score, len(settings), rounds_of(self.scores.n_users, self.n_first), self.pairs)
        self._tell(group.name, total, total)
        return raced

    def _gains(self, raced: Raced) -> dict[int, Estimate]:
        """Return the gain of each option that stayed, with intervals that hold for all of them at once."""
        others = [s for s in raced.values if s != 0]
        most = max((len(raced.values[s]) for s in others), default=0)
        # Those that fell behind could not be the best, and need no allowance.
        last = [s for s in others if len(raced.values[s]) == most]
        if not last:
            return {}
        gains = self.pairs.gains([raced.values[s] for s in last], raced.values[0][:most])
        return dict(zip(last, gains, strict=True))

    def _decided(
        self, group: Group, settings: Sequence[BuildConfig], raced: Raced, gains: dict[int, Estimate]
    ) -> tuple[BuildConfig, Estimate | None, str]:
        if not gains:
            return settings[0], None, words.nothing_else(next(iter(raced.failed.values())))
        best = max(gains, key=lambda s: mean(raced.values[s]))
        gain = gains[best]
        if best == raced.winner and gain.low > 0:
            return settings[best], gain, words.gained(gain)
        option = words.values_text(values_of(settings[best], keys_of(group)), None)
        return settings[0], gain, words.not_better(option, gain)

    def _tried(
        self, group: Group, settings: Sequence[BuildConfig], raced: Raced, gains: dict[int, Estimate]
    ) -> tuple[Tried, ...]:
        told = []
        for s, setting in enumerate(settings):
            values = values_of(setting, keys_of(group))
            if s not in raced.values:
                told.append(Tried(values, float("nan"), None, 0, raced.failed.get(s)))
                continue
            own = raced.values[s]
            gain = self.pairs.gain(own, raced.values[0][: len(own)]) if s else None
            told.append(Tried(values, mean(own), gain, len(own), raced.failed.get(s), gains.get(s)))
        return tuple(told)

    def _note(
        self, group: Group, before: BuildConfig, after: BuildConfig, gain: Estimate | None, why: str,
        tried: tuple[Tried, ...] = (),
    ) -> None:  # fmt: skip
        keys = keys_of(group)
        self.steps.append(Step(group.name, values_of(before, keys), values_of(after, keys), gain, why, tried))

    def _tell(self, name: str, n_done: int, total: int) -> None:
        if self.progress:
            self.progress(name, n_done, total)
