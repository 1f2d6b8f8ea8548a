from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnersage._ids import UserId
from pinnersage.errors import StoredFormatError
from pinnersage.store.keys import MAX_KEY_BYTES, pack_value, unpack_record, unpack_user_id, user_key
from pinnersage.testing.records import user_ids

INTEGERS = st.integers(-(2**63), 2**64 - 1)
SHORT_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(user_ids(), st.binary(max_size=30))
def test_id_and_record_come_back(user_id: UserId, record: bytes) -> None:
    key, value = user_key(user_id), pack_value(user_id, record)
    assert 0 < len(key) <= MAX_KEY_BYTES
    found = unpack_user_id(key, value)
    assert found == user_id
    assert type(found) is type(user_id)
    assert unpack_record(key, value) == record


@given(st.lists(INTEGERS), st.lists(SHORT_TEXT))
def test_keys_ascend_as_ids_do(integers: list[int], texts: list[str]) -> None:
    ids: list[UserId] = [*integers, *texts]
    expected: list[UserId] = [*sorted(integers), *sorted(texts, key=str.encode)]
    assert sorted(ids, key=user_key) == expected


@pytest.mark.parametrize("n_bytes", [508, 509, 510, 511, 512, 100_000])
def test_ids_around_the_size_of_a_key(n_bytes: int) -> None:
    for user_id in ("a" * n_bytes, "é" * (n_bytes // 2) + "a" * (n_bytes % 2)):
        key = user_key(user_id)
        assert (len(key) == MAX_KEY_BYTES) == (n_bytes > 509)
        assert unpack_user_id(key, pack_value(user_id, b"record")) == user_id


def test_no_short_id_has_the_key_of_a_long_one() -> None:
    long_key = user_key("a" * 600)
    as_text = long_key[1:].decode("latin-1")
    assert len(user_key(as_text)) == MAX_KEY_BYTES
    assert user_key(as_text) != long_key


@pytest.mark.parametrize("key", [b"", b"\0", b"\x02short", b"\x04abc"])
def test_other_keys_are_refused(key: bytes) -> None:
    with pytest.raises(StoredFormatError):
        unpack_user_id(key, b"")


@pytest.mark.parametrize("value", [b"", b"\xff\xff\xff\xff", b"\x05\0\0\0abcd"])
def test_a_long_id_cut_short_is_refused(value: bytes) -> None:
    key = user_key("a" * 600)
    for read in (unpack_user_id, unpack_record):
        with pytest.raises(StoredFormatError):
            read(key, value)
