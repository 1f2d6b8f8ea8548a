"""What a report answers when it is asked for what it has not."""

from __future__ import annotations

import pytest
from tests.evaluation.test_verdict import report_of

from pinnersage.errors import NotFoundError


def test_at_a_prompt_a_report_is_one_line() -> None:
    told = repr(report_of({"mean-0.01": 0.2, "top-20": 0.3}))
    assert told == "Report(40 users, arms ['mean-0.01', 'top-20'], budgets {'400': 400, '1%': 30})"


def test_what_a_report_has_not_is_told_with_what_it_has() -> None:
    report = report_of({"mean-0.01": 0.2, "top-20": 0.3})
    arm, budget = next(iter(report.arms)), next(iter(report.budgets))
    for asked, told in (
        (("typo", "recall", budget, "first_time"), f"no arm 'typo' in this report; there are {arm}"),
        ((arm, "recal", budget, "first_time"), "no metric 'recal' in this report; there are .*recall"),
        ((arm, "recall", "7%", "first_time"), f"no budget '7%' in this report; there are {budget}"),
        ((arm, "recall", budget, "new"), "no part 'new' in this report; there are .*first_time"),
    ):
        a, metric, at, part = asked
        with pytest.raises(NotFoundError, match=told):
            report.mean(a, metric, budget=at, part=part)
        with pytest.raises(NotFoundError, match=told):
            report.lift(a, arm, metric, budget=at, part=part)
