"""What is said of the number of interests, on figures that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.test_verdict import N_USERS, report_of

from pinnersage.evaluation.how_many import how_many
from pinnersage.evaluation.page.blocks import Saying
from pinnersage.evaluation.page.verdict_section import saying_of
from pinnersage.evaluation.report import Report
from pinnersage.evaluation.verdict import sentences


def noisy(report: Report, arm: str) -> Report:
    """Let every other user find nothing, and the rest twice as much: an interval that is wide."""
    result = report.arms[arm]
    sums = result.sums.copy()
    sums[..., 0] *= 2 * (np.arange(N_USERS) % 2)[:, None, None, None]
    return replace(report, arms=report.arms | {arm: replace(result, sums=sums)})


def test_the_smallest_number_that_no_other_is_seen_to_beat() -> None:
    report = report_of({"top-1": 0.1, "top-3": 0.3, "top-10": 0.4, "top-40": 0.41})
    told = how_many(noisy(report, "top-10"), "1%")
    assert told is not None
    assert told.startswith("Asking 10 interests is enough here, more are not seen to find more: 40 find 1.0")
    assert "recall 0.100 with 1, 0.300 with 3, 0.400 with 10, 0.410 with 40;" in told
    assert told in sentences(noisy(report, "top-10"))
    assert saying_of(told) == ("", Saying("note", told, ""))


@pytest.mark.parametrize(
    ("recalls", "start"),
    [
        ((0.1, 0.2, 0.3), "Asking 5 interests finds most, and more might find more"),
        (
            (0.1, 0.3, 0.2),
            "Asking 3 interests is enough here, more find less: 5 find 0.67x",
        ),
        ((0.2, 0.2, 0.2), "Asking one interest is enough here, more are not seen to find more: 3 find 1.00x"),
    ],
)
def test_what_more_find_is_told_beside(recalls: tuple[float, ...], start: str) -> None:
    told = how_many(report_of(dict(zip(("top-1", "top-3", "top-5"), recalls, strict=True))), "1%")
    assert told is not None
    assert told.startswith(start)


def test_the_cost_is_told_beside() -> None:
    report = report_of({"top-1": 0.1, "top-3": 0.2, "top-5": 0.3})
    for arm, ms in (("top-1", 0.25), ("top-5", 1.5)):
        report.arms[arm].cost["median_ms_per_list"] = ms
    told = how_many(report, "1%")
    assert told is not None
    assert told.endswith("A list takes 1.50 ms with 5, 0.25 with one.")


def test_nothing_is_said_of_too_few_or_of_nothing_found() -> None:
    assert how_many(report_of({"top-1": 0.1, "top-40": 0.3}), "1%") is None
    assert how_many(report_of({"top-1": 0.0, "top-3": 0.0, "top-40": 0.0}), "1%") is None


def test_what_is_configured_is_set_against_the_others() -> None:
    told = sentences(report_of({"mean-0": 0.2, "as-configured": 0.1}))
    assert any(line.startswith("Lists as configured do not beat one vector on recall") for line in told)
