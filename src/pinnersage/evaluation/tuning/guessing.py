"""Balanced lists in place of the default mode, where no race showed which mode is best."""

from __future__ import annotations

from typing import NamedTuple

from pinnersage.config import BuildConfig
from pinnersage.evaluation.bootstrap import Estimate
from pinnersage.evaluation.tuning import words
from pinnersage.evaluation.tuning.space import BUDGET_RULE, keys_of, values_of, with_values
from pinnersage.evaluation.tuning.steps import Step, Tried

MODE, N_BALANCED = "retrieval.mode", "retrieval.n_balanced_interests"
BALANCED = "balanced"


class SafeGuess(NamedTuple):
    """What is built with, though no race chose it.

    Attributes
    ----------
    config
        The configuration with balanced lists.
    gain
        Of these in the race; None where they were not tried.
    why
        In words.
    """

    config: BuildConfig
    gain: Estimate | None
    why: str


def safe_guess(race: Step, config: BuildConfig) -> SafeGuess | None:
    """Return balanced lists, unless the race about the mode showed them to be surely behind.

    The number of interests that the configuration has for them stays, if that did not fall behind; else
    the best of those that did not is taken.

    Parameters
    ----------
    race
        The last one about the mode, which kept the default.
    config
        As it stands.

    Returns
    -------
    SafeGuess or None
        None where all that were tried fell behind, or could not be asked.
    """
    asked = [tried for tried in race.tried[1:] if tried.values[MODE] == BALANCED]
    if not asked:
        return SafeGuess(with_values(config, {MODE: BALANCED}), None, words.safer(race.why))
    left = [tried for tried in asked if tried.at_once is not None and tried.at_once.high >= 0]
    if not left:
        return None
    own = values_of(config, [N_BALANCED])[N_BALANCED]
    best = max(left, key=lambda tried: (tried.values[N_BALANCED] == own, tried.mean))
    return SafeGuess(_as_tried(config, best), best.at_once, _why(best))


def _as_tried(config: BuildConfig, tried: Tried) -> BuildConfig:
    return with_values(config, {key: tried.values[key] for key in (MODE, N_BALANCED)})


def _why(tried: Tried) -> str:
    assert tried.at_once is not None
    option = words.values_text({key: tried.values[key] for key in keys_of(BUDGET_RULE)}, None)
    return words.safer(words.mode_open(option, tried.at_once))
