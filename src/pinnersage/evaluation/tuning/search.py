"""One group of settings after another, each by a race of a few options; twice, if it helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pinnersage._arrays import Float64s
from pinnersage.config import BuildConfig
from pinnersage.evaluation.bootstrap import Estimate
from pinnersage.evaluation.tuning import words
from pinnersage.evaluation.tuning.comparing import Pairs, mean
from pinnersage.evaluation.tuning.racing import Raced, race, rounds_of
from pinnersage.evaluation.tuning.scoring import Scores
from pinnersage.evaluation.tuning.space import (
    SECOND_STAGE,
    SPACE,
    Group,
    keys_of,
    values_of,
    with_values,
)

Progress = Callable[[str, int, int | None], None]
_N_PASSES = 2


class TimeIsUpError(Exception):
    """Inside the search only: the bound on time was reached."""


@dataclass(frozen=True)
class Tried:
    """One option of a group, as it came out.

    Attributes
    ----------
    values
        What was set.
    mean
        Of the metric, over the users it was asked about; NaN where it could not be asked.
    gain
        Over what stood then, on the same users; None of what stood then itself.
    n_users
        Asked; fewer than all where it dropped out.
    problem
        Why it could not be asked.
    """

    values: dict[str, Any]
    mean: float
    gain: Estimate | None
    n_users: int
    problem: str | None = None


@dataclass(frozen=True)
class Step:
    """What one race decided.

    Attributes
    ----------
    group
        Its name.
    before, after
        Values of the group's keys.
    gain
        Of the best other option over what stood; its interval holds for all that stayed in
        the race at once.
    why
        In words.
    tried
        All options, what stood first.
    """

    group: str
    before: dict[str, Any]
    after: dict[str, Any]
    gain: Estimate | None
    why: str
    tried: tuple[Tried, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was changed."""
        return self.before != self.after


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
    """

    scores: Scores
    pairs: Pairs
    first_config: BuildConfig
    n_first: int = 50
    max_trials: int | None = None
    is_time_up: Callable[[], bool] = lambda: False
    progress: Progress | None = None
    steps: list[Step] = field(default_factory=list)

    def run(self, *, with_ranker: bool) -> BuildConfig:
        """Return what was chosen; :attr:`steps` tell how.

        Parameters
        ----------
        with_ranker
            Whether a second stage is tried after the interests.
        """
        config = self._passes(self.first_config, SPACE)
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
        chosen, gain, why = self._decided(group, settings, raced)
        self.scores.rest(chosen)
        if n_left_out:
            why = f"{why}; {words.left_out(n_left_out, self.max_trials)}"
        self._note(group, config, chosen, gain, why, self._tried(group, settings, raced))
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

    def _decided(
        self, group: Group, settings: Sequence[BuildConfig], raced: Raced
    ) -> tuple[BuildConfig, Estimate | None, str]:
        others = [s for s in raced.values if s != 0]
        if not others:
            return settings[0], None, words.nothing_else(next(iter(raced.failed.values())))
        most = max(len(raced.values[s]) for s in others)
        # Those that fell behind could not be the best, and need no allowance.
        last = [s for s in others if len(raced.values[s]) == most]
        best = max(last, key=lambda s: mean(raced.values[s]))
        gains = self.pairs.gains([raced.values[s] for s in last], raced.values[0][:most])
        gain = gains[last.index(best)]
        if best == raced.winner and gain.low > 0:
            return settings[best], gain, words.gained(gain)
        option = words.values_text(values_of(settings[best], keys_of(group)), None)
        return settings[0], gain, words.not_better(option, gain)

    def _tried(self, group: Group, settings: Sequence[BuildConfig], raced: Raced) -> tuple[Tried, ...]:
        told = []
        for s, setting in enumerate(settings):
            values = values_of(setting, keys_of(group))
            if s not in raced.values:
                told.append(Tried(values, float("nan"), None, 0, raced.failed.get(s)))
                continue
            own = raced.values[s]
            gain = self.pairs.gain(own, raced.values[0][: len(own)]) if s else None
            told.append(Tried(values, mean(own), gain, len(own), raced.failed.get(s)))
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
