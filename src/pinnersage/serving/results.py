"""The answer to a batch of actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from pinnersage.serving.problems import FieldError, RequestError
from pinnersage.serving.shapes import ActionResult, ActionsOut

_MAX_ERRORS = 20


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
