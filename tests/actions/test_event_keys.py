"""Event keys in Python and in SQL."""

from __future__ import annotations

import hashlib

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage.actions.event_keys import event_id_of, event_key, event_key_sql


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1))
def test_python_and_sql_agree(ids: list[str]) -> None:
    rows = duckdb.execute(f"SELECT {event_key_sql('id')} FROM (SELECT unnest($1) AS id)", [ids]).fetchall()
    assert [row[0] for row in rows] == [event_key(event_id) for event_id in ids]


def test_the_key_is_the_second_half_of_md5() -> None:
    halves = hashlib.md5(b"7").hexdigest()[16:]
    assert event_key(7) == int.from_bytes(bytes.fromhex(halves), "little")
    assert event_key("") == event_key(None) == 0


DIGITS = st.text("0123456789abcdefABCDEFg \n", min_size=15, max_size=17)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(DIGITS, st.integers(0, 2**64 - 1).map("{:016x}".format)).map("key:{}".format)))
def test_python_and_sql_agree_on_what_names_a_key(ids: list[str]) -> None:
    rows = duckdb.execute(f"SELECT {event_key_sql('id')} FROM (SELECT unnest($1) AS id)", [ids]).fetchall()
    assert [row[0] for row in rows] == [event_key(event_id) for event_id in ids]


@given(st.integers(1, 2**64 - 1))
def test_an_id_that_names_a_key_has_it(key: int) -> None:
    assert event_key(event_id_of(key)) == key
    assert event_key(event_key(event_id_of(key))) != key, "a number is an id like any other"


def test_what_only_looks_like_a_key_is_an_id() -> None:
    longer, other = "key:00000000000000fff", "key:00000000000000fg"
    for text in ("key:", "key:1", "KEY:00000000000000ff", longer, other, "key:0x000000000000ff"):
        half = hashlib.md5(text.encode()).digest()[8:]
        assert event_key(text) == int.from_bytes(half, "little")
