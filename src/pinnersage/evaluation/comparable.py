"""Which of the measured arms speaks for many interests, and what to say where nothing can be compared."""

from __future__ import annotations

from pinnersage.evaluation.arms.names import GROUPS
from pinnersage.evaluation.arms.trained_registry import TRAINED
from pinnersage.evaluation.report import Report

MANY = ("balanced-40", "top-20", "top-40", "all-interests")
POPULAR = ("popular", "popular-90d", "popular-30d", "popular-category")
MEANS = ("mean-0", "mean-0.01", "mean-0.1", "mean-0.25")

_SEVERAL = (
    "sampled-3", "top-10", "top-5", "top-3", "all-interests-fixed-k", "sampled-3-decay-0",
    "sampled-3-decay-0.1", "sampled-3-centroid", "sampled-3-kmeans-5", "sampled-3-complete",
)  # fmt: skip
"""Who speaks for many interests where none of :data:`MANY` was measured, nor what is configured."""


def many_arm(report: Report) -> tuple[str | None, str]:
    """Return the arm that speaks for many interests, and what to call it; None where none was measured."""
    arm = _first(report, MANY)
    if arm:
        return arm, "many interests"
    arm = _first(report, GROUPS["configured"])
    if arm:
        return arm, "lists as configured"
    arm = _first(report, (*_SEVERAL, *GROUPS["knobs"]))
    return arm, f"several interests ({arm})"


def not_compared(report: Report, many: str | None) -> str:
    """Return why these arms allow no short verdict, and what to measure for one."""
    rivals = [name for name in (*MEANS, *POPULAR, *TRAINED) if name in report.arms]
    if many is None:
        return (
            "In short, nothing can be said of many interests, for no arm of several was measured: "
            f"add one, such as {MANY[0]}, to --arms."
        )
    if not rivals:
        return (
            f"In short, it cannot be said what many interests are worth: {many} was measured beside no "
            "single vector, popularity or trained model; add some, such as mean-0.01 and popular, to --arms."
        )
    return (
        f"In short, {many} and {', '.join(rivals)} cannot be compared on recall of first-time items at "
        f"budget {report.main_budget}: there is nothing to divide by."
    )


def _first(report: Report, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in report.arms), None)
