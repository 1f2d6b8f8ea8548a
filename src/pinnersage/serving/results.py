"""The answer to a batch of actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from pinnersage.serving.problems import FieldError, RequestError
from pinnersage.serving.shapes import ActionResult, ActionsOut
from pinnersage.streaming.events import Outcome

_MAX_ERRORS = 20


def result_of(outcome: Outcome) -> ActionResult:
    """Return the result of an outcome, whose reason may begin with the field it is about.

    What is said of an accepted one is about no field.

    Examples
    --------
    >>> result_of(Outcome("rejected", "timestamp: time_in_future"))
    ActionResult(status='rejected', reason='time_in_future', field='timestamp', message=None)
    >>> result_of(Outcome("rejected", "user_id: expected an integer")).message
    'expected an integer'
    >>> result_of(Outcome("accepted", "counts_from_next_build: until then it stays")).reason
    'counts_from_next_build'
    """
    field, _, rest = (outcome.reason or "").partition(": ")
    if outcome.status == "accepted":
        return ActionResult("accepted", field or None, message=rest or None)
    if not rest or not field.isidentifier():
        return ActionResult(outcome.status, outcome.reason)
    if rest.isidentifier():
        return ActionResult(outcome.status, rest, field)
    return ActionResult(outcome.status, f"{field}_unusable", field, rest)


def actions_answer(results: Sequence[ActionResult]) -> ActionsOut:
    """Return the results with their counts.

    Raises
    ------
    RequestError
        422 if there are actions and every one was rejected; it carries the results, too.
    """
    n = Counter(result.status for result in results)
    answer = ActionsOut(list(results), n["accepted"], n["duplicate"], n["parked"], n["rejected"])
    if results and n["rejected"] == len(results):
        errors = [
            FieldError(_field(position, result), result.message or result.reason or "rejected")
            for position, result in enumerate(results[:_MAX_ERRORS])
        ]
        raise RequestError(
            "no action of this request can be used; see results",
            status=422, errors=errors, members=msgspec.to_builtins(answer),
        )  # fmt: skip
    return answer


def _field(position: int, result: ActionResult) -> str:
    return f"actions[{position}].{result.field}" if result.field else f"actions[{position}]"
