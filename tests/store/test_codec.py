from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage.errors import StoredFormatError, UsageError
from pinnersage.interests.record import UserRecord
from pinnersage.store.codec import (
    FORMAT_VERSION,
    decode_record,
    decode_records,
    encode_batch,
    encode_record,
    encode_records,
)
from pinnersage.testing.records import MAX_ROW, join_records, random_batch, same_record, user_records
from pinnersage.testing.reference_codec import packed, reference_encode, varints

GOLDEN = Path(__file__).parent / "golden"
DAY_MS = 86_400_000


def record(
    rows: list[int],
    times: list[int],
    *,
    weights: list[float] | None = None,
    kinds: list[int] | None = None,
    keys: list[int] | None = None,
    labels: list[int] | None = None,
    medoids: list[int] | None = None,
    importances: list[float] | None = None,
    seen: list[int] | None = None,
    as_of_ms: int = 0,
) -> UserRecord:
    n = len(rows)
    return UserRecord(
        as_of_ms,
        np.array(rows, np.int32),
        np.array(times, np.int64),
        np.array(weights or [1] * n, np.float32),
        np.array(kinds or [0] * n, np.uint8),
        np.array(keys or [0] * n, np.uint64),
        np.array(labels or [0] * n, np.int32),
        np.array(medoids or [], np.int32),
        np.array(importances or [], np.float64),
        np.array(seen or [], np.int32),
    )


GOLDEN_RECORDS = {
    "v1-empty": record([], [], as_of_ms=1_000),
    "v1-typical": record(
        [70_000, 3, 70_000, 99_999],
        [20_000 * DAY_MS + 1_000 * second for second in (0, 5, 5, 8_000)],
        labels=[0, 1, 0, 0],
        medoids=[70_000, 3],
        importances=[2.75, 0.5],
        seen=[0, 1, 500, MAX_ROW],
        as_of_ms=20_001 * DAY_MS,
    ),
    "v1-every-column": record(
        [1, 2, 3],
        [1, 2, 2**63 - 1],
        weights=[0.0, 0.1, 5.0],
        kinds=[0, 255, 1],
        keys=[0, 2**64 - 1, 1],
        labels=[-1, 1, 0],
        medoids=[9, 2],
        importances=[float("inf"), 5e-324],
        as_of_ms=2**63 - 1,
    ),
}


@given(user_records())
def test_any_record_comes_back_equal(any_record: UserRecord) -> None:
    found = decode_record(encode_record(any_record))
    assert same_record(found, any_record)
    assert found.untied == any_record.untied


@given(user_records())
def test_the_kernel_writes_the_bytes_of_the_reference(any_record: UserRecord) -> None:
    assert encode_record(any_record) == reference_encode(any_record)


@settings(max_examples=50)
@given(st.lists(user_records(), max_size=6))
def test_a_batch_has_the_bytes_of_its_records(records: list[UserRecord]) -> None:
    batch = join_records(17, dict(enumerate(records)))
    buffer, offsets = encode_batch(batch)
    assert offsets[0] == 0
    assert offsets[-1] == len(buffer)
    for u in range(len(records)):
        assert buffer[offsets[u] : offsets[u + 1]].tobytes() == encode_record(batch.record(u))


@settings(max_examples=50)
@given(st.lists(user_records(), max_size=6))
def test_many_records_are_written_and_read_as_one_by_one(records: list[UserRecord]) -> None:
    buffer, offsets = encode_records(records)
    values = [encode_record(one) for one in records]
    assert buffer.tobytes() == b"".join(values)
    assert [buffer[a:b].tobytes() for a, b in pairwise(offsets.tolist())] == values
    found = decode_records(values)
    assert len(found) == len(records)
    assert all(same_record(a, b) and a.untied == b.untied for a, b in zip(found, records, strict=True))


@settings(max_examples=200)
@given(st.lists(user_records(), min_size=1, max_size=4), st.data())
def test_damage_among_many_is_told_as_that_of_the_first_damaged_one(
    records: list[UserRecord], data: st.DataObject
) -> None:
    values = [bytearray(encode_record(one)) for one in records]
    for _ in range(data.draw(st.integers(1, 3))):
        value = values[data.draw(st.integers(0, len(values) - 1))]
        value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        if data.draw(st.booleans()):
            del value[data.draw(st.integers(0, len(value) - 1)) :]
            value += bytes(1)
    stored = [bytes(value) for value in values]
    told = [_refusal_of(value) for value in stored]
    expected = next((text for text in told if text is not None), None)
    if expected is None:  # Two flips undid each other.
        assert len(decode_records(stored)) == len(stored)
        return
    with pytest.raises(StoredFormatError) as error:
        decode_records(stored)
    assert str(error.value) == expected


@settings(max_examples=200)
@given(st.lists(user_records(), min_size=2, max_size=4), st.data())
def test_damage_with_a_true_checksum_is_told_alike(records: list[UserRecord], data: st.DataObject) -> None:
    values = [encode_record(one) for one in records]
    for _ in range(data.draw(st.integers(1, 2))):
        u = data.draw(st.integers(0, len(values) - 1))
        damaged = bytearray(values[u])
        damaged[data.draw(st.integers(12, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        values[u] = resealed(bytes(damaged))
    told = [_refusal_of(value) for value in values]
    expected = next((text for text in told if text is not None), None)
    if expected is None:  # Another record, and a good one.
        found = decode_records(values)
        assert all(same_record(a, decode_record(b)) for a, b in zip(found, values, strict=True))
        return
    with pytest.raises(StoredFormatError) as error:
        decode_records(values)
    assert str(error.value) == expected


def _refusal_of(value: bytes) -> str | None:
    try:
        decode_record(value)
    except StoredFormatError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", GOLDEN_RECORDS)
def test_golden_files_are_read_and_written_unchanged(name: str) -> None:
    """The files were written by the reference encoder; never write them anew, add others."""
    stored = (GOLDEN / f"{name}.bin").read_bytes()
    assert same_record(decode_record(stored), GOLDEN_RECORDS[name])
    assert reference_encode(GOLDEN_RECORDS[name]) == stored
    assert encode_record(GOLDEN_RECORDS[name]) == stored


def test_bytes_written_out_by_hand() -> None:
    actions = record(
        [5, 6], [60_000, 180_000], labels=[0, 0], medoids=[6], importances=[1.5], seen=[2, 4], as_of_ms=300
    )
    body = (
        bytes([0xAC, 0x02, 2, 1, 2])  # 300 = 2 * 128 + 0x2C; two actions, one interest, two seen
        + bytes(
            [0xE0, 0xD4, 0x03, 1, 2]
        )  # unit 60,000 ms = 3 * 128**2 + 0x54 * 128 + 0x60; minutes 1 and 1 + 2
        + bytes([3, 0b110_101])  # three bits each: 5, then 6
        + bytes([0, 0, 0, 0])  # labels, kinds, weights, event keys: all default
        + bytes([1, 1])  # the medoid is the action at position 1
        + struct.pack("<d", 1.5)
        + bytes([2, 1])  # 2 - 0, 4 - 3
    )
    head = b"PS" + bytes([1, 0]) + struct.pack("<I", 12 + len(body))
    assert encode_record(actions) == head + struct.pack("<I", zlib.crc32(head + body)) + body


def test_an_action_takes_few_bytes() -> None:
    """Items take 17 bits among 100,000, labels 4 among 10, times 3 bytes for gaps below 24 days in s."""
    batch = random_batch(50, seed=1, n_actions=100, n_interests=10)
    buffer, _ = encode_batch(batch)
    per_action = 17 / 8 + 4 / 8 + 3
    medoids = 10 * (8 + 7 / 8)
    fixed = 12 + 6 + 3 + 2 + 5 + 6 + 8
    assert len(buffer) / 50 <= 100 * per_action + medoids + fixed


def resealed(data: bytes) -> bytes:
    """Give damaged bytes a right length and checksum, so that only the structure can give them away."""
    if len(data) < 12:
        return data
    head, body = data[:4] + struct.pack("<I", len(data)), data[12:]
    return head + struct.pack("<I", zlib.crc32(head + body)) + body


def is_canonical(data: bytes) -> bool:
    """Bytes that decode may only do so to a record that has these very values."""
    try:
        found = decode_record(data)
    except StoredFormatError:
        return False
    assert same_record(decode_record(encode_record(found)), found)
    return True


@settings(max_examples=300)
@given(user_records(max_actions=8), st.data())
def test_changed_bytes_are_refused(any_record: UserRecord, data: st.DataObject) -> None:
    whole = encode_record(any_record)
    where = data.draw(st.integers(0, len(whole) - 1))
    change = data.draw(st.integers(1, 255))
    damaged = whole[:where] + bytes([whole[where] ^ change]) + whole[where + 1 :]
    with pytest.raises(StoredFormatError):
        decode_record(damaged)
    is_canonical(resealed(damaged))


@given(user_records(max_actions=8), st.data())
def test_cut_or_lengthened_bytes_are_refused(any_record: UserRecord, data: st.DataObject) -> None:
    whole = encode_record(any_record)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    longer = whole + data.draw(st.binary(min_size=1, max_size=40))
    for damaged in (cut, longer):
        with pytest.raises(StoredFormatError):
            decode_record(damaged)
        assert not is_canonical(resealed(damaged))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(noise: bytes) -> None:
    with pytest.raises(StoredFormatError):
        decode_record(noise)
    is_canonical(resealed(b"PS\1\0" + bytes(8) + noise))


HUGE = 2**62
HEAD = b"PS\1\2" + bytes(8)  # labels are stored plus one, so that a 0 is "in no interest"
NO_ACTIONS = packed([]) * 5
ONE_ACTION = varints([0, 1, 0, 0]) + varints([1, 1])
SOUND = [
    varints([0, 0, 0, 1]) + NO_ACTIONS + packed([]) + varints([MAX_ROW]),
    varints([0, 2, 0, 0]) + varints([HUGE, 0, 1]) + packed([0, 0]) * 5 + packed([]),
    ONE_ACTION + packed([MAX_ROW]) + packed([0]) * 4 + packed([]),
    varints([0, 1, 1, 0]) + varints([1, 1]) + packed([0]) + packed([1]) + packed([0]) * 4 + bytes(8),
    ONE_ACTION + bytes([3, 0b111]) + packed([0]) * 4 + packed([]),
]
"""What the nonsense below departs from."""

NONSENSE = {
    "actions without end": varints([0, HUGE, 0, 0]),
    "interests without end": varints([0, 0, HUGE, 0]),
    "seen items without end": varints([0, 0, 0, HUGE]),
    "varint without end": bytes([0xFF] * 30),
    "varint with a needless zero": bytes([0x80, 0x00, 0, 0, 0]) + bytes(6),
    "time unit zero": varints([0, 1, 0, 0]) + varints([0, 1]) + packed([0]) * 5 + packed([]),
    "times beyond 63 bits": varints([0, 2, 0, 0]) + varints([HUGE, 1, 1]) + packed([0, 0]) * 5 + packed([]),
    "item row beyond 31 bits": ONE_ACTION + packed([MAX_ROW + 1]) + packed([0]) * 4 + packed([]),
    "label of no interest": varints([0, 1, 1, 0])
    + varints([1, 1])
    + packed([0])
    + packed([2])
    + packed([0]) * 4
    + bytes(8),
    "medoid at no action": varints([0, 1, 1, 0]) + varints([1, 1]) + packed([0]) * 5 + packed([1]) + bytes(8),
    "importance cut short": varints([0, 0, 1, 0]) + NO_ACTIONS + packed([0]) + bytes(7),
    "seen row beyond 31 bits": varints([0, 0, 0, 1]) + NO_ACTIONS + packed([]) + varints([MAX_ROW + 1]),
    "second seen row beyond 31 bits": varints([0, 0, 0, 2]) + NO_ACTIONS + packed([]) + varints([MAX_ROW, 0]),
    "padding not zero": ONE_ACTION + bytes([3, 0b1111]) + packed([0]) * 4 + packed([]),
    "bytes left over": varints([0, 0, 0, 0]) + NO_ACTIONS + packed([]) + b"\0",
}


@pytest.mark.parametrize("body", SOUND)
def test_bodies_put_together_from_parts_are_read(body: bytes) -> None:
    assert is_canonical(resealed(HEAD + body))


@pytest.mark.parametrize("name", NONSENSE)
def test_well_sealed_nonsense_is_refused(name: str) -> None:
    with pytest.raises(StoredFormatError):
        decode_record(resealed(HEAD + NONSENSE[name]))


def test_unknown_flags_are_refused() -> None:
    whole = encode_record(GOLDEN_RECORDS["v1-empty"])
    with pytest.raises(StoredFormatError):
        decode_record(resealed(whole[:3] + b"\10" + whole[4:]))


def test_a_newer_version_is_named_with_what_to_do() -> None:
    whole = encode_record(GOLDEN_RECORDS["v1-typical"])
    newer = resealed(whole[:2] + bytes([FORMAT_VERSION + 1]) + whole[3:])
    with pytest.raises(
        StoredFormatError, match=rf"version {FORMAT_VERSION + 1}.*up to {FORMAT_VERSION}.*upgrade"
    ):
        decode_record(newer)


def test_version_zero_never_existed() -> None:
    with pytest.raises(StoredFormatError, match="never existed"):
        decode_record(b"PS\0\0" + bytes(20))


@pytest.mark.parametrize(
    ("broken", "needs"),
    [
        (record([1, 2], [5, 4], labels=[-1, -1]), "times"),
        (record([1], [-1], labels=[-1]), "times"),
        (record([-1], [1], labels=[-1]), "rows"),
        (record([1], [1], medoids=[-1], importances=[1]), "rows"),
        (record([1], [1], labels=[1], medoids=[1], importances=[1]), "labels"),
        (record([1], [1], labels=[-2]), "labels"),
        (record([], [], seen=[2, 2]), "seen"),
        (record([], [], seen=[-1]), "seen"),
    ],
)
def test_what_breaks_the_promises_of_a_record_is_not_written(broken: UserRecord, needs: str) -> None:
    with pytest.raises(UsageError, match=needs):
        encode_record(broken)
    with pytest.raises(UsageError, match=rf"record 1 .*{needs}"):
        encode_batch(join_records(0, {0: record([], []), 1: broken}))


def test_a_time_before_1970_is_not_written() -> None:
    with pytest.raises(UsageError, match="as_of_ms"):
        encode_record(record([], [], as_of_ms=-1))


def test_any_buffer_may_be_read_and_is_not_kept() -> None:
    expected = GOLDEN_RECORDS["v1-every-column"]
    buffer = bytearray(encode_record(expected))
    found = decode_record(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert same_record(found, expected)


def test_read_only_and_strided_columns_are_written_alike() -> None:
    expected = GOLDEN_RECORDS["v1-typical"]
    columns: list[Any] = [np.repeat(getattr(expected, name), 2)[::2] for name in UserRecord.__slots__[1:-1]]
    strided = UserRecord(expected.as_of_ms, *columns)
    for name in UserRecord.__slots__[1:-1]:
        getattr(strided, name).flags.writeable = False
    assert encode_record(strided) == encode_record(expected)
