"""Bodies that carry actions: read at once when all is well, one by one to say which are bad and why."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from pinnersage._ids import ItemId
from pinnersage._times import rfc3339
from pinnersage.serving.problems import RequestError, in_words
from pinnersage.serving.results import MESSAGES
from pinnersage.serving.settings import ServiceSettings
from pinnersage.serving.shapes import ActionIn, ActionResult, ActionsIn, SessionAction
from pinnersage.streaming.events import FIRST_MS, MAX_AHEAD_S, NewAction

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_LAST_MS = 253_402_300_799_999
_PATH = re.compile(r"(?: - at `\$\.?(?P<path>[^`]*)`)$")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]*)`")
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<field>.*)`$", re.DOTALL)
_FLOAT32_MAX = 3.4028234663852886e38
_INT64 = range(-(2**63), 2**63)


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    actions: list[msgspec.Raw]


_ALL = msgspec.json.Decoder(ActionsIn)
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ONE = msgspec.json.Decoder(ActionIn)


class Taken(NamedTuple):
    """The readable actions of a request, and where they and the unreadable ones stood.

    Attributes
    ----------
    actions
        The readable ones, in order.
    rejected
        Position in the request -> why it is not among them.
    n_given
        How many the request had.
    """

    actions: list[NewAction]
    rejected: dict[int, ActionResult]
    n_given: int


class BadActionError(Exception):
    """One action is not usable; ``field`` is empty when that is about the whole of it."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(message)
        self.result = ActionResult("rejected", reason, field or None, message)


def decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Return the decoded body.

    Raises
    ------
    RequestError
        400 with the field, or where the text stops being JSON.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        field, message = field_and_message(error)
        raise RequestError(message, field=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        told = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise RequestError(f"expected a JSON object in UTF-8: {told}", field="body") from None


def field_and_message(error: msgspec.ValidationError, whole: str = "body") -> tuple[str, str]:
    """Return which field a validation error is about, and what is wrong with it.

    Parameters
    ----------
    error
        What the decoder raised.
    whole
        The name to give when it is about no field but about all that was decoded.

    Examples
    --------
    >>> field_and_message(msgspec.ValidationError("Expected `int`, got `str` - at `$.k`"))
    ('k', 'Expected `int`, got `str`')
    >>> field_and_message(msgspec.ValidationError("Object missing required field `item_id`"))
    ('item_id', 'Object missing required field `item_id`')
    >>> field_and_message(msgspec.ValidationError("Object contains unknown field `evnt_id`"))
    ('evnt_id', 'there is no field evnt_id; /schema has those there are')
    """
    text = str(error)
    at = _PATH.search(text)
    path = at["path"] if at else ""
    message = text[: at.start()] if at else text
    unknown = _UNKNOWN.search(message)
    named = unknown or _MISSING.search(message)
    if named:
        path = f"{path}.{named['field']}".lstrip(".")
    if unknown:
        message = f"there is no field {unknown['field']}; /schema has those there are"
    return path or whole, in_words(path, message)


def read_actions(body: bytes, bounds: ServiceSettings) -> Taken:
    """Return the actions of a request, the unusable ones apart.

    Raises
    ------
    RequestError
        The body as a whole cannot be read, or holds too many actions.
    """
    try:
        given: Sequence[ActionIn | msgspec.Raw] = _ALL.decode(body).actions
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        given = _rows(body)
    if len(given) > bounds.max_actions:
        raise RequestError(
            f"expected at most {bounds.max_actions:,} actions in a request, got {len(given):,}: send parts",
            status=413, field="actions",
        )  # fmt: skip
    actions, rejected = [], {}
    for position, action in enumerate(given):
        try:
            actions.append(_new_action(_one(action), bounds.max_id_bytes))
        except BadActionError as error:
            rejected[position] = error.result
    return Taken(actions, rejected, len(given))


def session_actions(given: Sequence[SessionAction], now_ms: int, max_id_bytes: int) -> list[NewAction]:
    """Return the actions of an anonymous session; those without a time happened ``now_ms``.

    Raises
    ------
    RequestError
        One of them is not usable; the field says which.
    """
    actions, last_ms = [], now_ms + round(MAX_AHEAD_S * 1_000)
    for position, action in enumerate(given):
        try:
            time_ms = now_ms if action.timestamp is None else _time_ms(action.timestamp)
            if time_ms > last_ms:
                raise BadActionError("time_in_future", "timestamp", MESSAGES["time_in_future"])
            actions.append(
                NewAction(
                    "", checked_id(action.item_id, "item_id", max_id_bytes), time_ms, action.action or "",
                    _weight(action.weight), action.event_id,
                )
            )  # fmt: skip
        except BadActionError as error:
            result = error.result
            raise RequestError(
                f"{result.reason}: {result.message}", field=f"actions[{position}].{result.field}"
            ) from None
    return actions


def checked_id(value: str | int, field: str, max_id_bytes: int) -> ItemId:
    """Return an id that fits.

    Raises
    ------
    BadActionError
        It is empty, too long, or an integer beyond 64 bits.
    """
    if isinstance(value, int):
        if value in _INT64:
            return value
        raise BadActionError(f"{field}_out_of_range", field, "expected an integer of 64 bits or text")
    if not value:
        raise BadActionError(f"empty_{field}", field, "expected an id, got an empty text")
    if len(value) > max_id_bytes or len(value.encode()) > max_id_bytes:
        raise BadActionError(f"{field}_too_long", field, f"expected an id of at most {max_id_bytes:,} bytes")
    return value


def _rows(body: bytes) -> Sequence[msgspec.Raw]:
    """Return the rows of a body unread, so that each is judged by itself.

    One with half a surrogate pair, as a text cut inside an emoji has, is no JSON to msgspec, and would take
    all others with it; Python's reader lets it pass.
    """
    try:
        envelope: _Envelope = decoded(_ENVELOPE, body)
        return envelope.actions
    except RequestError as refused:
        try:
            found = json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise refused from None
        rows = found.get("actions") if isinstance(found, dict) and len(found) == 1 else None
        if not isinstance(rows, list):
            raise
        return [msgspec.Raw(json.dumps(row).encode()) for row in rows]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _one(given: ActionIn | msgspec.Raw) -> ActionIn:
    if isinstance(given, ActionIn):
        return given
    try:
        return _ONE.decode(given)
    except msgspec.ValidationError as error:
        field, message = field_and_message(error, whole="")
        raise BadActionError(_reason(field, message), field, message) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadActionError("unreadable_row", "", f"not JSON in UTF-8: {error}") from None


def _reason(field: str, message: str) -> str:
    """Return the word that reports of tables use for the same fault, where there is one."""
    name = "time" if field == "timestamp" else field
    if field and field not in ActionIn.__struct_fields__:
        return "unknown_field"
    if "missing" in message:
        return f"{name}_missing"
    if not field:
        return "unreadable_row"
    return f"{name}_unparsable"


def _new_action(given: ActionIn, max_id_bytes: int) -> NewAction:
    event_id = given.event_id
    return NewAction(
        checked_id(given.user_id, "user_id", max_id_bytes),
        checked_id(given.item_id, "item_id", max_id_bytes),
        # Whoever took such a time in before may take it back.
        _time_ms(given.timestamp, first_ms=0 if given.retract else FIRST_MS),
        given.action or "",
        _weight(given.weight),
        None if event_id is None or event_id == "" else checked_id(event_id, "event_id", max_id_bytes),
        given.retract,
    )


def _time_ms(time: datetime | int, *, first_ms: int = FIRST_MS) -> int:
    if isinstance(time, datetime):
        moment = time if time.tzinfo else time.replace(tzinfo=UTC)
        time = (moment - _EPOCH) // _MS
    if time < 0:
        raise BadActionError("time_before_1970", "timestamp", "expected a time since 1970")
    if time < first_ms:
        raise BadActionError(
            "time_before_1980", "timestamp",
            f"expected a time since 1980, integers in milliseconds, got {rfc3339(time)}: are these seconds?",
        )  # fmt: skip
    if time > _LAST_MS:
        raise BadActionError("time_unparsable", "timestamp", "expected milliseconds before the year 10000")
    return time


def _weight(weight: float | None) -> float:
    if weight is None:
        return 1.0
    if weight < 0:
        raise BadActionError("weight_negative", "weight", "expected a weight of 0 or more")
    if not weight <= _FLOAT32_MAX:
        raise BadActionError("weight_not_finite", "weight", "expected a weight that float32 can hold")
    return weight
