"""Settings given by name, wherever in the configuration they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinnersage.config import BuildConfig, validated
from pinnersage.errors import UsageError


def config_with(config: BuildConfig | None, settings: Mapping[str, Any]) -> BuildConfig:
    """Return ``config`` with single fields of its parts replaced.

    Raises
    ------
    UsageError
        No part has such a field, or a value is out of range.

    Examples
    --------
    >>> config_with(None, {"decay_per_day": 0.1}).interests.decay_per_day
    0.1
    """
    tree = (config or BuildConfig()).model_dump()
    homes = {field: part for part, fields in tree.items() if isinstance(fields, dict) for field in fields}
    for name, value in settings.items():
        if name == "n_threads":
            tree[name] = value
        elif name in homes:
            tree[homes[name]][name] = value
        else:
            raise UsageError(f"unknown setting {name!r}: expected one of {', '.join(sorted(homes))}")
    return validated(BuildConfig, tree)


def drawing_as(config: BuildConfig, retrieval: Mapping[str, Any]) -> BuildConfig:
    """Return ``config`` with fields of its part ``retrieval`` replaced.

    Examples
    --------
    >>> drawing_as(BuildConfig(), {"mode": "balanced"}).retrieval.mode
    'balanced'
    """
    tree = config.model_dump()
    return validated(BuildConfig, tree | {"retrieval": tree["retrieval"] | dict(retrieval)})
