"""What the page reads of ``metrics.json``, as frozen values; refuses what it cannot read."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pinnersage.errors import StoredFormatError
from pinnersage.evaluation.page.additions import (
    ExposureRow,
    InterestQuality,
    KnobRow,
    RankCalibration,
    UtilityGap,
)
from pinnersage.evaluation.page.figures import Figure, Plain
from pinnersage.evaluation.saved import FORMAT

FIRST_TIME = "first_time"
_PREFERRED_BUDGET = "1%"


class Span(Plain):
    """The days measured, RFC 3339."""

    from_: str = Field(alias="from")
    until: str
    n_days: int


class About(BaseModel):
    """Facts of an evaluation; more of them than these are kept as they are."""

    model_config = ConfigDict(frozen=True, extra="allow")

    data: dict[str, Any]
    span: Span
    measured: dict[str, Any]
    pool: dict[str, Any]
    budgets: dict[str, int] = Field(min_length=1)
    impressions: str

    def facts(self) -> dict[str, Any]:
        """Return all facts as plain values."""
        return self.model_dump(by_alias=True)

    def more(self, name: str) -> Any:
        """Return a further fact; None when it is not there."""
        return (self.model_extra or {}).get(name)


class Result(Plain):
    """All figures of one arm for one budget and slice."""

    arm: str
    oracle: bool
    budget: str
    slice: str
    mean_n_listed: float | None = None
    metrics: dict[str, Figure]


class Lift(Plain):
    """An arm divided by another."""

    arm: str
    over: str
    budget: str
    slice: str
    metrics: dict[str, Figure]


class GroupResult(Plain):
    """Figures of one arm on a group of users; with ``over``, divided by another arm's. Named: no ends."""

    by: str
    group: str
    from_: float | None = Field(alias="from")
    to: float | None
    n_users: int | None = None
    budget: str
    slice: str
    arm: str
    over: str | None = None
    metrics: dict[str, Figure]


class Cost(Plain):
    """What one arm took, and how it was set."""

    oracle: bool = False
    fit_seconds: float | None = None
    recommend_seconds: float | None = None
    cpu_seconds: float | None = None
    median_ms_per_list: float | None = None
    settings: dict[str, Any] = Field(default_factory=dict)


class Summary(Plain):
    """The whole of ``metrics.json``; parts that are None were not measured."""

    about: About
    verdict: list[str]
    results: list[Result] = Field(min_length=1)
    costs: dict[str, Cost]
    lifts: list[Lift] = Field(default_factory=list)
    groups: list[GroupResult] = Field(default_factory=list)
    group_lifts: list[GroupResult] = Field(default_factory=list)
    trait_means: dict[str, float] = Field(default_factory=dict)
    exposure: list[ExposureRow] | None = None
    utility_gaps: list[UtilityGap] | None = None
    interest_quality: InterestQuality | None = None
    interest_calibration: list[RankCalibration] | None = None
    knobs: list[KnobRow] | None = None

    @property
    def budget(self) -> str:
        """The budget of the plots: the report's main one; in older reports 1 % or the first one."""
        budgets, told = self.about.budgets, self.about.more("main_budget")
        if told in budgets:
            return str(told)
        return _PREFERRED_BUDGET if _PREFERRED_BUDGET in budgets else next(iter(budgets))

    @property
    def arms(self) -> list[str]:
        """Names, in the order of the tables."""
        return list(dict.fromkeys(row.arm for row in self.results))

    @property
    def oracles(self) -> set[str]:
        """Arms that see what they are asked for."""
        return {row.arm for row in self.results if row.oracle}

    def rows(self, budget: str, part: str = FIRST_TIME) -> list[Result]:
        """Return the results of a budget and slice."""
        return [row for row in self.results if row.budget == budget and row.slice == part]

    def figures(self, metric: str, budget: str | None = None) -> dict[str, Figure]:
        """Return arm -> its figure on first-time items, of the arms that have one."""
        rows = self.rows(budget or self.budget)
        found = {row.arm: row.metrics.get(metric, Figure()) for row in rows}
        return {arm: figure for arm, figure in found.items() if figure.value is not None}


def summary_of(values: Any) -> Summary:
    """Return the checked values of a ``metrics.json``.

    Parameters
    ----------
    values
        What JSON gave, or :meth:`~pinnersage.evaluation.report.Report.to_dict`.

    Raises
    ------
    StoredFormatError
        It is of another format, or a part is missing or of the wrong kind; says which.
    """
    if not isinstance(values, dict) or "results" not in values:
        raise StoredFormatError(
            "expected the values of a metrics.json that `pinnersage evaluate` wrote, an object with "
            f"'results'; got {_told(values)}"
        )
    if values.get("format") != FORMAT:
        raise StoredFormatError(
            f"expected metrics.json of format {FORMAT}, got {values.get('format')!r}: it is of another "
            "version of pinnersage; run `pinnersage evaluate` again with this one"
        )
    try:
        return Summary.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise StoredFormatError(
            f"metrics.json cannot be read at {place}: {first['msg']}; run `pinnersage evaluate` again"
        ) from None


def _told(values: Any) -> str:
    if isinstance(values, dict):
        return f"one with {', '.join(map(repr, list(values)[:8])) or 'nothing'}"
    return f"a {type(values).__name__}"
