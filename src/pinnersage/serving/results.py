"""The answer to a batch of actions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pinnersage.serving.problems import FieldError, Problem, RequestError
from pinnersage.serving.shapes import ActionResult, ActionsOut
from pinnersage.streaming.events import TOO_MANY_PARKED, Outcome

_MAX_ERRORS = 20
MESSAGES = {
    "time_in_future": "expected a time not ahead of the server's clock; integers are milliseconds since 1970",
    "too_many_parked": "too many actions wait for unknown items: put the items, or send this again later",
}
"""What to say of outcomes that are a mere word."""


class ActionsProblem(Problem, frozen=True, kw_only=True):
    """Why no action of a request was taken; ``results`` say it of each."""

    results: list[ActionResult]
    n_accepted: int
    n_duplicate: int
    n_parked: int
    n_rejected: int


class ActionsUnavailable(Problem, frozen=True, kw_only=True):
    """Why actions may not have been taken; with ``results`` where each was judged, and none taken."""

    results: list[ActionResult] = msgspec.field(default_factory=list)
    n_accepted: int = 0
    n_duplicate: int = 0
    n_parked: int = 0
    n_rejected: int = 0


def result_of(outcome: Outcome) -> ActionResult:
    """Return the result of an outcome.

    What is said of an accepted one is about no field.

    Examples
    --------
    >>> result_of(Outcome("rejected", "weight: weight_negative"))
    ActionResult(status='rejected', reason='weight_negative', field='weight', message=None)
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
        return ActionResult(outcome.status, rest, field, MESSAGES.get(rest))
    return ActionResult(outcome.status, f"{field}_unusable", field, rest)


def counted(results: Sequence[ActionResult]) -> dict[str, int]:
    """Return how many results have each status.

    Examples
    --------
    >>> counted([ActionResult("parked"), ActionResult("parked")])
    {'accepted': 0, 'duplicate': 0, 'parked': 2, 'rejected': 0}
    """
    n = dict.fromkeys(("accepted", "duplicate", "parked", "rejected"), 0)
    for result in results:
        n[result.status] += 1
    return n


def actions_answer(results: Sequence[ActionResult]) -> ActionsOut:
    """Return the results with their counts.

    Raises
    ------
    RequestError
        There are actions and every one was rejected: 422, or 503 if some may be taken later. It carries the
        results, too.
    """
    n = counted(results)
    answer = ActionsOut(list(results), n["accepted"], n["duplicate"], n["parked"], n["rejected"])
    if results and n["rejected"] == len(results):
        errors = [
            FieldError(_field(position, result), result.message or result.reason or "rejected")
            for position, result in enumerate(results[:_MAX_ERRORS])
        ]
        later = result_of(TOO_MANY_PARKED) in results
        raise RequestError(
            "no action of this request was taken, some can be later; see results" if later
            else "no action of this request can be used; see results",
            status=503 if later else 422, errors=errors, members=msgspec.to_builtins(answer),
        )  # fmt: skip
    return answer


def _field(position: int, result: ActionResult) -> str:
    return f"actions[{position}].{result.field}" if result.field else f"actions[{position}]"
