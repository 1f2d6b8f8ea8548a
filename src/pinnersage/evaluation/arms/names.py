"""The names of all arms, by group, and what each needs; no heavy import, so a wrong name is told at once."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence

from pinnersage.errors import UnavailableError, UsageError, install_hint

GROUPS: dict[str, tuple[str, ...]] = {
    "untrained": (
        "last-item", "mean-0", "mean-0.01", "mean-0.1", "mean-0.25",
        "popular", "popular-90d", "popular-30d", "popular-category",
        "sampled-1", "sampled-3", "sampled-3-decay-0", "sampled-3-decay-0.1", "sampled-3-centroid",
        "sampled-3-kmeans-5", "sampled-3-complete",
        "top-1", "top-3", "top-5", "top-10", "top-20", "top-40",
        "all-interests", "all-interests-fixed-k", "balanced-40",
        "oracle-kmeans-3", "oracle-past-items",
    ),
    "configured": ("as-configured",),
    "ranked": ("top-40-ranked", "all-interests-ranked", "mean-0.01-ranked", "popular-ranked"),
    "trained": ("ease", "item-item", "als", "sasrec", "comirec", "mind"),
    "knobs": (
        "top-3-equal", "top-20-equal",
        "top-20-diverse-0.95", "top-20-diverse-0.9", "top-20-diverse-0.8",
        "balanced-40-saturation-0", "balanced-40-saturation-1", "balanced-40-saturation-100",
    ),
}  # fmt: skip
"""Name of a group -> its arms, in the order of the tables; ``all`` stands for every group but the knobs,
without :data:`BY_NAME_ONLY`."""

BY_NAME_ONLY = ("all-interests-ranked",)
"""Measured where it or its group is named, not with ``all``."""

DEFAULT_GROUPS = ("untrained", "configured")
_NOT_IN_ALL = {"knobs"}

_LINEAR = ("scipy", "implicit", "threadpoolctl")
_SEQUENCE = ("torch", "torch_rechub")
_NEEDS = {
    **dict.fromkeys(GROUPS["ranked"], ("ranking", ("sklearn", "threadpoolctl"))),
    **dict.fromkeys(GROUPS["trained"], ("sequence", _SEQUENCE)),
    **dict.fromkeys(("ease", "item-item", "als"), ("baselines", _LINEAR)),
}


def missing_extra(name: str) -> str | None:
    """Return the extra that an arm needs and that is not installed here."""
    extra, modules = _NEEDS.get(name, ("", ()))
    return extra if any(importlib.util.find_spec(module) is None for module in modules) else None


def arm_names(
    asked: Iterable[str] | None, *, has_categories: bool = True
) -> tuple[list[str], dict[str, str]]:
    """Return the arms to run, and those left out with the reason.

    Parameters
    ----------
    asked
        Names of arms and of groups (``untrained``, ``configured``, ``ranked``, ``trained``, ``knobs``,
        ``all``); None: the untrained, and what the configuration would serve.
    has_categories
        Whether the items have a category.

    Raises
    ------
    UsageError
        A name is not known.
    UnavailableError
        An arm that was asked for by its own name needs an extra that is not installed. Of a group such
        arms are left out.

    Examples
    --------
    >>> arm_names(["mean-0", "last-item", "mean-0"])[0]
    ['mean-0', 'last-item']
    """
    found: dict[str, None] = {}
    left_out: dict[str, str] = {}
    for word in asked if asked is not None else DEFAULT_GROUPS:
        for name in _members(word):
            extra = missing_extra(name)
            if extra and name == word:
                raise UnavailableError(
                    f"arm {name} needs the extra {extra}, which is not installed; {install_hint(extra)}"
                )
            if extra:
                left_out[name] = f"not installed; {install_hint(extra)}"
            elif name == "popular-category" and not has_categories:
                left_out[name] = "the items have no category"
            else:
                found[name] = None
    return list(found), left_out


def _members(word: str) -> Sequence[str]:
    if word == "all":
        names = [name for group, names in GROUPS.items() if group not in _NOT_IN_ALL for name in names]
        return [name for name in names if name not in BY_NAME_ONLY]
    known = {name for names in GROUPS.values() for name in names}
    if word not in known and word not in GROUPS:
        raise UsageError(
            f"no arm {word}; expected some of {', '.join(sorted(known))}, "
            f"or a group: {', '.join(GROUPS)}, all"
        )
    return GROUPS.get(word, (word,))
