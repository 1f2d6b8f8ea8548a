"""User ids as keys: ascending keys are ascending ids, integers before strings.

A key is one tag byte and then the id: eight bytes, highest first, for an integer; UTF-8 for a string.
Keys hold at most 511 bytes, so an id beyond 509 bytes is cut to 478 and followed by its SHA-256;
the whole id then stands before the record (:func:`pack_value`). Such ids sort by their first 478 bytes.
"""

from __future__ import annotations

import hashlib
import operator
import struct

from pinnersage._ids import UserId
from pinnersage.errors import StoredFormatError, UsageError

MAX_KEY_BYTES = 511

_NEGATIVE, _INTEGER, _STRING = b"\x01", b"\x02", b"\x03"
_DIGEST_BYTES = 32
_PREFIX_BYTES = MAX_KEY_BYTES - 1 - _DIGEST_BYTES
_MAX_PLAIN_BYTES = MAX_KEY_BYTES - 2
_LENGTH = struct.Struct("<I")


def user_key(user_id: UserId) -> bytes:
    """Return the key of a user.

    Raises
    ------
    UsageError
        If the id is empty, not text that UTF-8 can hold, or an integer outside -2**63 .. 2**64 - 1.
    """
    if not isinstance(user_id, str):
        return _integer_key(user_id)
    text = _utf8(user_id)
    if len(text) <= _MAX_PLAIN_BYTES:
        return _STRING + text
    return _STRING + text[:_PREFIX_BYTES] + hashlib.sha256(text).digest()


def pack_value(user_id: UserId, record: bytes) -> bytes:
    """Return what is stored under the key: the record, after the whole id when the key has no room for it."""
    if not isinstance(user_id, str) or len(user_id) * 4 <= _MAX_PLAIN_BYTES:
        return record
    text = _utf8(user_id)
    return record if len(text) <= _MAX_PLAIN_BYTES else _LENGTH.pack(len(text)) + text + record


def has_long_id(key: bytes | memoryview) -> bool:
    """Tell whether the whole id stands in the value."""
    return len(key) == MAX_KEY_BYTES


def unpack_record(key: bytes | memoryview, value: bytes | memoryview) -> bytes | memoryview:
    """Return the record's bytes inside a value."""
    return value[_LENGTH.size + _long_length(value) :] if has_long_id(key) else value


def unpack_user_id(key: bytes | memoryview, value: bytes | memoryview) -> UserId:
    """Return the id of the user stored under ``key``; ``value`` is read only if the id is long.

    Raises
    ------
    StoredFormatError
        If no id has this key.
    """
    tag, rest = bytes(key[:1]), bytes(key[1:])
    if tag in (_NEGATIVE, _INTEGER) and len(rest) == 8:
        return int.from_bytes(rest, "big") - (2**64 if tag == _NEGATIVE else 0)
    if tag != _STRING:
        raise StoredFormatError(
            "expected the key of a user in the store, found other bytes: "
            "upgrade pinnersage, or run `pinnersage build` again"
        )
    if has_long_id(key):
        rest = bytes(value[_LENGTH.size : _LENGTH.size + _long_length(value)])
    return rest.decode()


def _integer_key(user_id: int) -> bytes:
    number = -1 if isinstance(user_id, bool) else operator.index(user_id)
    if isinstance(user_id, bool) or not -(2**63) <= number < 2**64:
        raise UsageError(f"expected a user id as text or an integer of 64 bits, got {type(user_id).__name__}")
    if number < 0:
        return _NEGATIVE + (number + 2**64).to_bytes(8, "big")
    return _INTEGER + number.to_bytes(8, "big")


def _utf8(user_id: str) -> bytes:
    if not user_id:
        raise UsageError("expected a user id, got an empty one; leave such rows out")
    try:
        return user_id.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            "a user id holds half a surrogate pair, which UTF-8 cannot; repair the text"
        ) from error


def _long_length(value: bytes | memoryview) -> int:
    if len(value) < _LENGTH.size or _LENGTH.unpack_from(value)[0] > len(value) - _LENGTH.size:
        raise StoredFormatError(
            "expected a long user id before its record, but it is cut short: "
            "restore the store from a copy, or run `pinnersage build` again"
        )
    return int(_LENGTH.unpack_from(value)[0])
