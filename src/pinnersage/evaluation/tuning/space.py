"""What is tried: groups of settings, each a few values. A new key or mode is one more line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pinnersage.config import BuildConfig

Values = Mapping[str, Any]
"""Dotted key of :class:`~pinnersage.config.BuildConfig` -> value."""


class Group(NamedTuple):
    """Settings that are chosen together, all others held fixed.

    Attributes
    ----------
    name
        As people read it.
    options
        What is tried; the configuration as it stands is always tried too.
    needs
        Key and value without which these mean nothing; None: they always do.
    """

    name: str
    options: tuple[Values, ...]
    needs: tuple[str, Any] | None = None

    def applies_to(self, config: BuildConfig) -> bool:
        """Tell whether the settings mean anything under a configuration."""
        return self.needs is None or value_of(config, self.needs[0]) == self.needs[1]


def grid(key: str, *values: Any, **fixed: Any) -> tuple[Values, ...]:
    """Return one option for each value of a key, with ``section__name`` keywords fixed in all of them.

    Examples
    --------
    >>> grid("retrieval.n_interests", 3, 5, retrieval__mode="sampled")[1]
    {'retrieval.mode': 'sampled', 'retrieval.n_interests': 5}
    """
    same = {name.replace("__", "."): value for name, value in fixed.items()}
    return tuple({**same, key: value} for value in values)


def table(keys: Sequence[str], *rows: Sequence[Any]) -> tuple[Values, ...]:
    """Return one option for each row of values.

    Examples
    --------
    >>> table(("ranking.n_trees", "ranking.n_leaves"), (200, 15))
    ({'ranking.n_trees': 200, 'ranking.n_leaves': 15},)
    """
    return tuple(dict(zip(keys, row, strict=True)) for row in rows)


N_INTERESTS = (3, 5, 10, 20, 40, 80)

BUDGET_RULE = Group(
    "budget rule and number of interests",
    (
        *grid("retrieval.n_interests", *N_INTERESTS, retrieval__mode="sampled"),
        *grid("retrieval.n_budgeted_interests", *N_INTERESTS, retrieval__mode="budgeted"),
        *grid("retrieval.n_balanced_interests", 20, 40, 80, retrieval__mode="balanced"),
    ),
)
"""The group that sets the mode."""

SPACE: tuple[Group, ...] = (
    Group(
        "alpha (max_merge_cost)",
        grid("interests.max_merge_cost", 1.5, 1.25, 2.0, 1.0, 0.75, 2.5, 0.5, 0.25),
    ),
    BUDGET_RULE,
    Group(
        "balance",
        table(
            ("retrieval.sharpness", "retrieval.saturation"),
            (8.0, 10.0),
            (4.0, 1.0),
            (6.0, 3.0),
            (12.0, 30.0),
            (20.0, 30.0),
        ),
        ("retrieval.mode", "balanced"),
    ),
    Group("lambda (decay_per_day)", grid("interests.decay_per_day", 0.01, 0.003, 0.03, 0.0, 0.1)),
)
"""Of equals the first is taken: what is nearest to the default stands first."""

_RANKER = ("ranking.fit_ranker", True)

SECOND_STAGE: tuple[Group, ...] = (
    Group("second stage", grid("ranking.fit_ranker", True)),
    Group("interests that propose", grid("ranking.n_proposing_interests", 10, 20, 40, 80), _RANKER),
    Group(
        "size of the wide set",
        table(
            ("ranking.n_proposed_per_slot", "ranking.n_popular_per_slot", "ranking.n_linked_per_slot"),
            (2.0, 2.0, 2.0),
            (8.0, 4.0, 6.0),
        ),
        _RANKER,
    ),
    Group(
        "boosted trees",
        table(
            ("ranking.n_trees", "ranking.learning_rate", "ranking.n_leaves"),
            (200, 0.06, 15),
            (400, 0.03, 31),
            (100, 0.1, 15),
        ),
        _RANKER,
    ),
)
"""Tried after :data:`SPACE`, in this order; all but the first only where a second stage is chosen."""


def with_values(config: BuildConfig, values: Values) -> BuildConfig:
    """Return a configuration with some dotted keys set.

    Examples
    --------
    >>> with_values(BuildConfig(), {"interests.max_merge_cost": 0.5}).interests.max_merge_cost
    0.5
    """
    tree = config.model_dump()
    for key, value in values.items():
        *sections, name = key.split(".")
        node = tree
        for section in sections:
            node = node[section]
        node[name] = value
    return BuildConfig.model_validate(tree)


def value_of(config: BuildConfig, key: str) -> Any:
    """Return the value of a dotted key.

    Examples
    --------
    >>> value_of(BuildConfig(), "retrieval.n_interests")
    3
    """
    found: Any = config
    for name in key.split("."):
        found = getattr(found, name)
    return found


def values_of(config: BuildConfig, keys: Sequence[str]) -> dict[str, Any]:
    """Return the values of some dotted keys."""
    return {key: value_of(config, key) for key in keys}


def keys_of(group: Group) -> list[str]:
    """Return the keys a group sets, in the order they first appear."""
    return list(dict.fromkeys(key for option in group.options for key in option))
