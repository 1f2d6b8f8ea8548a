"""One user's record as bytes.

Format, version 1 (a *varint* holds 0 .. 2**63 - 1, seven bits a byte, lowest first, high bit set on
all but the last byte, no needless zeros; a *packed column* is one byte, the width in bits of its
largest value, then the values, lowest bit first, padded with zero bits to a whole byte):

====== ============================================================================================
offset content
====== ============================================================================================
0      ``b"PS"``
2      version, 1
3      flags: 1 = medoids are item rows, 2 = labels are stored plus one, 4 = no merge of the clustering
       tied; all others are 0
4      length of the whole record, 4 bytes, lowest first
8      CRC-32 of everything but these 4 bytes, lowest first
12     varints: ``as_of_ms``, ``n_actions``, ``n_interests``, ``n_seen``
..     if there are actions: varint ``unit_ms``, the largest number dividing every time, then a varint
       for each time: what it adds to the one before, in units
..     packed columns of ``n_actions``: item rows; labels; kinds; weights, as the mirrored bits of the
       float32, exclusive-or those of 1.0; event keys
..     packed column of ``n_interests``: medoids, as the position of the first action on that item
..     importances, 8 bytes each, IEEE, lowest first
..     a varint for each seen row: what it adds to the one before plus one
====== ============================================================================================

A column where all is default costs one byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Int64s, UInt8s
from pinnersage.errors import StoredFormatError, UsageError
from pinnersage.interests.record import RecordBatch, UserRecord
from pinnersage.store import _decode, _encode

FORMAT_VERSION = 1
MAX_RECORD_BYTES = 2**32 - 1

_REFUSED = {
    _encode.BAD_TIMES: "times and as_of_ms >= 0, times ascending",
    _encode.BAD_ROWS: "item and medoid rows >= 0",
    _encode.BAD_LABELS: "labels in -1 .. n_interests - 1",
    _encode.BAD_SEEN: "seen rows >= 0, ascending, unique",
}
_DAMAGED = {
    _decode.NOT_A_RECORD: "it does not begin like a record",
    _decode.WRONG_LENGTH: "its length is not the stated one",
    _decode.WRONG_CHECKSUM: "its checksum is wrong",
    _decode.BAD_COUNTS: "its counts do not fit its length",
    _decode.BAD_TIMES: "its times are malformed",
    _decode.BAD_ACTIONS: "its actions are malformed",
    _decode.BAD_INTERESTS: "its interests are malformed",
    _decode.BAD_SEEN: "its seen items are malformed",
}


def encode_record(record: UserRecord) -> bytes:
    """Return the record's bytes; equal records give equal bytes.

    Raises
    ------
    UsageError
        If the record breaks the order or the ranges its class promises.
    """
    out = np.empty(_bound(record.n_actions, record.n_interests, len(record.seen_rows), 1), np.uint8)
    columns = _uniform(_ACTIONS + _INTERESTS + _SEEN, record)
    end = _encode.encode_one(out, 0, FORMAT_VERSION, record.as_of_ms, record.untied, *columns)
    if end < 0:
        raise UsageError(f"a record needs {_REFUSED[end]}; sort and check it before storing")
    return out[:end].tobytes()


def encode_batch(batch: RecordBatch) -> tuple[UInt8s, Int64s]:
    """Return the bytes of all records end to end, and where each begins.

    The GIL is released meanwhile.

    Returns
    -------
    buffer
        uint8 ``(n_bytes,)``.
    offsets
        int64 ``(n_users + 1,)``; user ``u`` owns ``buffer[offsets[u]:offsets[u + 1]]``, the very
        bytes of :func:`encode_record`.

    Raises
    ------
    UsageError
        If a record breaks the order or the ranges its class promises.
    """
    return _encoded(
        np.full(batch.n_users, batch.as_of_ms, np.int64),
        batch.untied,
        _uniform(("action_offsets", *_ACTIONS), batch),
        _uniform(("interest_offsets", *_INTERESTS), batch),
        _uniform(("seen_offsets", *_SEEN), batch),
    )


def encode_records(records: Sequence[UserRecord]) -> tuple[UInt8s, Int64s]:
    """Return what :func:`encode_batch` does, of records that each have a moment of their own."""
    if not records:
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    return _encoded(
        np.array([record.as_of_ms for record in records], np.int64),
        np.array([record.untied for record in records], np.bool_),
        *(_joined(names, records) for names in (_ACTIONS, _INTERESTS, _SEEN)),
    )


def decode_records(values: Sequence[bytes | memoryview]) -> list[UserRecord]:
    """Return what :func:`decode_record` does of each value; the records are views of shared arrays.

    Raises
    ------
    StoredFormatError
        If one of them is damaged, cut short, or of a newer version.
    """
    data = np.frombuffer(b"".join(values), np.uint8)
    offsets = np.array([0, *accumulate(map(len, values))], np.int64)
    status, u, as_of_ms, ends, actions, interests, seen = _decode.decode_many(data, offsets, FORMAT_VERSION)
    if status != _decode.OK:
        raise _refusal(status, data[offsets[u] : offsets[u + 1]])
    records = []
    flags = ((data[offsets[:-1] + 3] & _encode.UNTIED) != 0).tolist()
    cuts = pairwise(ends.tolist())
    for now_ms, ((a, c, e), (b, d, f)), untied in zip(as_of_ms.tolist(), cuts, flags, strict=True):
        own: Any = [column[a:b] for column in actions]
        own += [*(column[c:d] for column in interests), seen[e:f], untied]
        records.append(UserRecord(now_ms, *own))
    return records


def decode_record(data: bytes | memoryview) -> UserRecord:
    """Return the record whose bytes these are.

    Raises
    ------
    StoredFormatError
        If the bytes are damaged, cut short, or of a newer version.
    """
    view = np.frombuffer(data, np.uint8)
    view.flags.writeable = False
    status, *fields = _decode.decode_one(view, FORMAT_VERSION)
    if status != _decode.OK:
        raise _refusal(status, view)
    fields.append(bool(view[3] & _encode.UNTIED))
    return UserRecord(*fields)


_ACTIONS = ("item_rows", "times_ms", "weights", "kinds", "event_keys", "labels")
_INTERESTS = ("medoid_rows", "importances")
_SEEN = ("seen_rows",)
_DTYPES: dict[str, np.dtype[Any]] = {
    "action_offsets": np.dtype(np.int64),
    "item_rows": np.dtype(np.int32),
    "times_ms": np.dtype(np.int64),
    "weights": np.dtype(np.float32),
    "kinds": np.dtype(np.uint8),
    "event_keys": np.dtype(np.uint64),
    "labels": np.dtype(np.int32),
    "interest_offsets": np.dtype(np.int64),
    "medoid_rows": np.dtype(np.int32),
    "importances": np.dtype(np.float64),
    "seen_offsets": np.dtype(np.int64),
    "seen_rows": np.dtype(np.int32),
}


def _encoded(
    as_of_ms: Int64s,
    untied: Bools,
    actions: list[npt.NDArray[Any]],
    interests: list[npt.NDArray[Any]],
    seen: list[npt.NDArray[Any]],
) -> tuple[UInt8s, Int64s]:
    """Write records whose parts are given as offsets and the columns they cut."""
    n_records = len(as_of_ms)
    out = np.empty(_bound(len(actions[1]), len(interests[1]), len(seen[1]), n_records), np.uint8)
    ends = np.zeros(n_records + 1, np.int64)
    code, u = _encode.encode_many(
        out, ends, FORMAT_VERSION, as_of_ms, untied, tuple(actions), tuple(interests), tuple(seen)
    )
    if code < 0:
        raise UsageError(f"record {u} of the batch needs {_REFUSED[code]}; sort and check it before storing")
    return out[: ends[-1]], ends


def _uniform(names: Sequence[str], source: UserRecord | RecordBatch) -> list[npt.NDArray[Any]]:
    return [_readable(name, getattr(source, name)) for name in names]


def _joined(names: Sequence[str], records: Sequence[UserRecord]) -> list[npt.NDArray[Any]]:
    """Return where each record ends in the columns of all of them, and these columns."""
    one, *more = names
    first = [getattr(record, one) for record in records]
    columns = [first, *([getattr(record, name) for record in records] for name in more)]
    offsets = np.array([0, *accumulate(map(len, first))], np.int64)
    offsets.setflags(write=False)
    return [offsets, *(_readable(name, np.concatenate(c)) for name, c in zip(names, columns, strict=True))]


def _readable(name: str, column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a contiguous read-only array of the promised type, so that one kernel is compiled."""
    if column.dtype != _DTYPES[name] or not column.flags.c_contiguous:
        column = np.ascontiguousarray(column).astype(_DTYPES[name], "C", "safe", copy=False)
    column = column.view()
    column.setflags(write=False)
    return column


def _bound(n_actions: int, n_interests: int, n_seen: int, n_records: int) -> int:
    """Bytes that suffice; memory not written to is never touched."""
    return (
        n_actions * _encode.MAX_BYTES_PER_ACTION
        + n_interests * _encode.MAX_BYTES_PER_INTEREST
        + n_seen * _encode.MAX_BYTES_PER_SEEN
        + n_records * _encode.MAX_BYTES_PER_RECORD
    )


def _refusal(status: int, data: UInt8s) -> StoredFormatError:
    if status == _decode.OTHER_VERSION and data[2] > FORMAT_VERSION:
        return StoredFormatError(
            f"the record has format version {data[2]}, this pinnersage reads up to {FORMAT_VERSION}: "
            "upgrade pinnersage (pip install --upgrade pinnersage)"
        )
    reason = _DAMAGED.get(status, "its format version never existed")
    return StoredFormatError(
        f"expected a stored user record, but {reason}: "
        "restore the store from a copy, or run `pinnersage build` again"
    )
