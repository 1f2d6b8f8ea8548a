"""The one place where errors become answers: HTTP status and ``application/problem+json`` (RFC 9457).

A problem is ``{"type", "title", "status", "detail", "code", "instance"?, "errors"?: [{"field",
"message"}]}``. What went wrong inside is logged, never told.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException

from pinnersage.errors import (
    DataError,
    ItemNotFoundError,
    NotFoundError,
    PinnerSageError,
    StoredFormatError,
    UnavailableError,
    UsageError,
    UserNotFoundError,
)
from pinnersage.serving.shapes import Mode, Preference

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 1
MAY_BE_TAKEN = "what was sent may or may not have been taken: send it again, repeats change nothing"

# Messages of the model begin with the field they are about, where there is one.
_FIELD = re.compile(
    r"(user_id|item_id|event_id|medoid_item_id|embedding_version|embedding|mode|interests|attributes|exclude|where|k)\b"
)
_RANGE, _RANGE_WORDS = re.compile(r"Expected `int` ([<>]=) (-?\d+)$"), {">=": "least", "<=": "most"}
_KIND = re.compile(r"Expected `(int|bool)(?: \| null)?`, got ")
_KINDS = {"int": "an integer", "bool": "true or false"}
_MAX_SHOWN = 50
_INTEGER = re.compile(r"-?[0-9]{1,40}")
_NO_TIME = ("Invalid RFC3339", "Expected `int | datetime`")
_NOT_A_CHOICE = "Invalid enum value "
_CHOICES = {"mode": get_args(Mode), "preference": get_args(Preference)}
_CODES: dict[type[PinnerSageError], str] = {
    UserNotFoundError: "user_not_found", ItemNotFoundError: "item_not_found",
}  # fmt: skip
_STATUS_OF: tuple[tuple[type[PinnerSageError], int], ...] = (
    (StoredFormatError, 503),
    (UsageError, 400),
    (DataError, 422),
    (NotFoundError, 404),
    (UnavailableError, 503),
)


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was not answered, as RFC 9457 has it."""

    title: str
    status: int
    detail: str
    code: Annotated[
        str,
        msgspec.Meta(
            description="For programs: the words of the status, or more exactly `no_such_route`, "
            "`user_not_found`, `item_not_found`.",
            examples=["user_not_found"],
        ),
    ]
    type: str = "about:blank"
    instance: str | None = None
    errors: list[FieldError] = []


class RequestError(PinnerSageError):
    """A request that cannot be answered as it is; carries its status, fields and further members."""

    def __init__(
        self,
        detail: str,
        *,
        status: int = 400,
        field: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.errors = [FieldError(field, detail)] if field is not None else list(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})


def status_of(error: PinnerSageError) -> int:
    """Return the HTTP status of an error raised on purpose."""
    if isinstance(error, RequestError):
        return error.status
    return next((status for kind, status in _STATUS_OF if isinstance(error, kind)), 500)


def code_of(status: int) -> str:
    """Return the words of a status as a name.

    Examples
    --------
    >>> code_of(404)
    'not_found'
    """
    return re.sub(r"[^a-z]+", "_", HTTPStatus(status).phrase.lower())


def problem_body(
    status: int,
    detail: str,
    request_id: str | None = None,
    errors: Sequence[FieldError] = (),
    members: Mapping[str, Any] | None = None,
    code: str | None = None,
) -> bytes:
    """Return a problem as JSON bytes; ``members`` are added to it."""
    instance = f"urn:pinnersage:request:{request_id}" if request_id else None
    title, code = HTTPStatus(status).phrase, code or code_of(status)
    problem = Problem(title, status, detail, code, instance=instance, errors=list(errors))
    found = {"type": problem.type} | msgspec.to_builtins(problem) | dict(members or {})
    return msgspec.json.encode(found)


def problem_headers(status: int) -> dict[str, str]:
    """Return what must go with a status: when to come again, or how to say who one is."""
    if status in (429, 503):
        return {"Retry-After": str(RETRY_AFTER_S)}
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="pinnersage"'}
    return {"Connection": "close"} if status in (408, 413) else {}


def on_own_error(request: Request[Any, Any, Any], error: PinnerSageError) -> Response[bytes]:
    """Answer for an error raised on purpose."""
    status, told = status_of(error), _without_place(request, str(error))
    if status >= 500:
        structlog.get_logger().error(
            "unavailable",
            request_id=request.scope.get("request_id"),
            error=type(error).__name__,
            detail=str(error),
        )
    if isinstance(error, RequestError):
        return _respond(request, status, told, error.errors, error.headers, error.members)
    named = _FIELD.match(told) if isinstance(error, (UsageError, DataError)) else None
    errors = [FieldError(named[0], told)] if named else ()
    return _respond(request, status, told, errors, code=_CODES.get(type(error)))


def _without_place(request: Request[Any, Any, Any], text: str) -> str:
    """Return what an error says, files named from the model's directory on."""
    home: Path = request.app.state.service.backend.path
    for place in {str(home.absolute()), os.path.realpath(home)}:
        text = text.replace(f"{place}{os.sep}", "").replace(place, "the model's directory")
    return text


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer for what the framework refuses: no such route, a parameter that is not a number."""
    errors = []
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        errors = [
            _field_error(request, str(e.get("key", "")), str(e.get("message", ""))) for e in error.extra
        ]
    told = "; ".join(e.message if _is_told(e.message) else f"cannot read {e.field}" for e in errors)
    detail = told or str(error.detail)
    if isinstance(error, MethodNotAllowedException):
        detail = _other_method(request.method, dict(error.headers or {}).get("allow", ""))
    if str(error.detail) == "client disconnected prematurely":
        return _respond(request, 400, "the connection ended before the body was complete")
    code = "no_such_route" if error.status_code == 404 else None
    return _respond(request, error.status_code, detail, errors, dict(error.headers or {}), code=code)


def _other_method(method: str, allowed: str) -> str:
    *others, last = allowed.split(", ")
    return f"expected {', '.join(others)}{' or ' if others else ''}{last} on this path, got {method}"


def _field_error(request: Request[Any, Any, Any], field: str, message: str) -> FieldError:
    told = in_words(field, message)
    given = request.query_params.getall(field, [])[-1:]
    kind = _KIND.match(message)
    if not given or not (kind or _RANGE.match(message)):
        return FieldError(field, told)
    expected = f"expected {field} as {_KINDS[kind[1]]}" if kind else told
    is_number = not kind and _INTEGER.fullmatch(given[0])
    return FieldError(field, f"{expected}, got {f'{int(given[0]):,}' if is_number else shown(given[0])}")


def shown(given: str) -> str:
    """Return what came, in quotes and cut to some 50 characters.

    Examples
    --------
    >>> shown("abc")
    "'abc'"
    >>> shown("9" * 1_000) == repr("9" * 50 + "…")
    True
    """
    return repr(given if len(given) <= _MAX_SHOWN else f"{given[:_MAX_SHOWN]}…")


def _is_told(message: str) -> bool:
    return message.startswith("expected ")


def in_words(field: str, message: str) -> str:
    """Return the message of the decoder as a sentence that names the field and the values it may have.

    Examples
    --------
    >>> in_words("mode", "Invalid enum value 'best'")
    "expected mode sampled, budgeted, balanced or ranked, got 'best'"
    >>> in_words("preference", "Invalid enum value 'mute'")
    "expected preference muted or pinned, got 'mute'"
    >>> in_words("interests", "Expected `int` <= 10000")
    'expected interests of at most 10,000'
    >>> in_words("timestamp", "Invalid RFC3339 encoded datetime")
    'expected a time like 2026-11-24T18:30:00Z, or integer milliseconds since 1970'
    """
    if field.rpartition(".")[2] == "timestamp" and message.startswith(_NO_TIME):
        return "expected a time like 2026-11-24T18:30:00Z, or integer milliseconds since 1970"
    bound = _RANGE.match(message)
    if bound:
        return f"expected {field} of at {_RANGE_WORDS[bound[1]]} {int(bound[2]):,}"
    if field not in _CHOICES or not message.startswith(_NOT_A_CHOICE):
        return message
    *others, last = _CHOICES[field]
    return f"expected {field} {', '.join(others)} or {last}, got {message.removeprefix(_NOT_A_CHOICE)}"


def on_large_body(request: Request[Any, Any, Any], _: HTTPException) -> Response[bytes]:
    """Answer for a body beyond its bound, which is told."""
    n_bytes = request.app.state.service.settings.max_body_bytes
    detail = f"expected a body of at most {n_bytes:,} bytes (--max-body-mb): send it in parts"
    return _respond(request, 413, detail, [FieldError("body", detail)])


def on_defect(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer for a defect of this program; its traceback goes to the log."""
    # Frames and type only: the message of an unexpected error may hold an id.
    frames = "".join(traceback.format_tb(error.__traceback__))
    structlog.get_logger().error(
        "defect",
        request_id=request.scope.get("request_id"),
        error=type(error).__name__,
        traceback=frames,
    )
    return _respond(request, 500, "a defect of the service; its log says more under this request id")


def _respond(
    request: Request[Any, Any, Any],
    status: int,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
    code: str | None = None,
) -> Response[bytes]:
    request_id = request.scope.get("request_id")
    return Response(
        problem_body(status, detail, request_id, errors, members, code),  # type: ignore[arg-type]
        status_code=status,
        media_type=PROBLEM_JSON,
        headers=problem_headers(status) | dict(headers or {}),
    )


EXCEPTION_HANDLERS: dict[int | type[Exception], Any] = {
    PinnerSageError: on_own_error,
    413: on_large_body,
    HTTPException: on_http_error,
    Exception: on_defect,
}
