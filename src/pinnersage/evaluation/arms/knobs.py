"""Arms that turn one knob of diversity or quota each, beside the arm that stands for its default.

More interests asked, equal in place of proportional quotas, no two items of a list nearer than a
cosine, a balanced list that is sooner or later satisfied with an interest, interests drawn in place of
the most important ones: what each does to relevance, diversity,
calibration and exposure is told by :func:`~pinnersage.evaluation.fairness.knob_rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple

from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.interests import Interests
from pinnersage.evaluation.arms.untrained import UNTRAINED, MakeArm, Parts
from pinnersage.evaluation.neighbors import ANY_COSINE
from pinnersage.evaluation.replay import Arm, ReplayLog


@dataclass
class Spread(Interests):
    """A user's interests, where no two items of a list may be nearer to each other than a cosine.

    Attributes
    ----------
    near_duplicate_cosine
        As in :class:`~pinnersage.config.RetrievalConfig`; above 1 any two items may.
    """

    near_duplicate_cosine: float = ANY_COSINE


def _top(
    name: str,
    parts: Parts,
    *,
    n: int,
    sharing: Literal["equal", "proportional"] = "proportional",
    cosine: float = ANY_COSINE,
) -> Arm:
    neighbors = parts.neighbors.with_near_duplicate_cosine(cosine)
    return Spread(
        name, neighbors, sharing, "turns", parts.records, parts.config, n, near_duplicate_cosine=cosine
    )


def _balanced(name: str, parts: Parts, *, saturation: float) -> Arm:
    retrieval = parts.retrieval.model_copy(update={"saturation": saturation})
    return UNTRAINED["balanced-40"](name, replace(parts, retrieval=retrieval))


KNOBS: dict[str, MakeArm] = {
    "top-3-equal": partial(_top, n=3, sharing="equal"),
    "top-20-equal": partial(_top, n=20, sharing="equal"),
    "top-20-diverse-0.95": partial(_top, n=20, cosine=0.95),
    "top-20-diverse-0.9": partial(_top, n=20, cosine=0.9),
    "top-20-diverse-0.8": partial(_top, n=20, cosine=0.8),
    "balanced-40-saturation-0": partial(_balanced, saturation=0.0),
    "balanced-40-saturation-1": partial(_balanced, saturation=1.0),
    "balanced-40-saturation-100": partial(_balanced, saturation=100.0),
}
"""Name -> how the arm is made; in the order of the tables."""


class Setting(NamedTuple):
    """An arm as one setting of a knob."""

    knob: str
    value: str | float
    arm: str


SETTINGS: tuple[Setting, ...] = (
    Setting("n_interests", 1, "top-1"),
    Setting("n_interests", 3, "top-3"),
    Setting("n_interests", 5, "top-5"),
    Setting("n_interests", 10, "top-10"),
    Setting("n_interests", 20, "top-20"),
    Setting("n_interests", 40, "top-40"),
    Setting("n_interests", "all", "all-interests"),
    Setting("sharing", "proportional", "top-20"),
    Setting("sharing", "equal", "top-20-equal"),
    Setting("near_duplicate_cosine", "any", "top-20"),
    Setting("near_duplicate_cosine", 0.95, "top-20-diverse-0.95"),
    Setting("near_duplicate_cosine", 0.9, "top-20-diverse-0.9"),
    Setting("near_duplicate_cosine", 0.8, "top-20-diverse-0.8"),
    Setting("saturation", 0.0, "balanced-40-saturation-0"),
    Setting("saturation", 1.0, "balanced-40-saturation-1"),
    Setting("saturation", "as configured", "balanced-40"),
    Setting("saturation", 100.0, "balanced-40-saturation-100"),
    Setting("choice", "drawn", "sampled-3"),
    Setting("choice", "top", "top-3-equal"),
)
"""All settings of all knobs; arms of the untrained ones among them stand for defaults.

The lists of ``sampled-3`` are ordered by score, those of the others by turns, which changes nothing
that is told of knobs: all of it is about which items are listed, not about their order.
"""


def knob_arms(log: ReplayLog, parts: Parts, names: Sequence[str] | None = None) -> list[Arm]:  # noqa: ARG001
    """Make arms of :data:`KNOBS` by name, all when ``names`` is None; fits ``more_arms`` of an evaluation.

    Raises
    ------
    UsageError
        A name is not among them.
    """
    wanted = list(KNOBS) if names is None else list(names)
    unknown = sorted(set(wanted) - set(KNOBS))
    if unknown:
        raise UsageError(f"no arm {', '.join(unknown)}; expected some of {', '.join(KNOBS)}")
    return [KNOBS[name](name, parts) for name in wanted]
