"""The parts of ``metrics.json`` that not every evaluation has: exposure, gaps, interests, knobs."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from pinnersage.evaluation.page.figures import Figure, Plain


class ExposureGroup(Plain):
    """How much of the lists goes to a group of items; shares between 0 and 1."""

    by: str
    group: str
    share: float | None
    pool_share: float | None
    history_share: float | None = None
    interval: list[float] | None = None


class ExposureRow(Plain):
    """How one arm spreads its recommendations over the items."""

    arm: str
    budget: str
    slice: str
    gini: float | None = None
    coverage: float | None = None
    popularity_lift: float | None = None
    top_1_percent_share: float | None = None
    intervals: dict[str, list[float]] = Field(default_factory=dict)
    groups: list[ExposureGroup] = Field(default_factory=list)


class UtilityGap(Plain):
    """A metric of the high group of users less that of the low one; how many have such a figure."""

    arm: str
    budget: str
    metric: str
    by: str
    low_group: str
    high_group: str
    n_low_users: int | None = None
    n_high_users: int | None = None
    gap: Figure


class InterestQuality(Plain):
    """How good the clusters are; further figures than these are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    n_users: int
    n_interests_per_user: Figure
    silhouette: Figure | None = None
    purity: Figure | None = None
    stability: Figure | None = None

    def figures(self) -> dict[str, Figure | None]:
        """Return all figures by name, those of this class first."""
        named = {name: getattr(self, name) for name in type(self).model_fields if name != "n_users"}
        more = {k: v for k, v in (self.model_extra or {}).items() if isinstance(v, dict) and "value" in v}
        return named | {name: Figure.model_validate(value) for name, value in more.items()}


class RankShare(Plain):
    """Of the users' n-th most important interest: shares of importance, list and targets."""

    rank: int
    importance_share: float | None
    list_share: float | None
    target_share: float | None = None


class RankCalibration(Plain):
    """Whether an arm's lists follow the importances."""

    arm: str
    budget: str
    rows: list[RankShare]


class KnobRow(Plain):
    """What one setting of a knob does."""

    knob: str
    value: str | float
    arm: str
    budget: str | None = None
    relevance: float | Figure | None = None
    recall: float | Figure | None = None
    diversity: float | Figure | None = None
    calibration: float | Figure | None = None
    coverage: float | Figure | None = None
    gini: float | Figure | None = None
    popularity_lift: float | Figure | None = None
