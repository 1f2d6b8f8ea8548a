"""Event keys in Python and in SQL."""

from __future__ import annotations

import hashlib

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage.actions.event_keys import event_key, event_key_sql


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1))
def test_python_and_sql_agree(ids: list[str]) -> None:
    rows = duckdb.execute(f"SELECT {event_key_sql('id')} FROM (SELECT unnest($1) AS id)", [ids]).fetchall()
    assert [row[0] for row in rows] == [event_key(event_id) for event_id in ids]


def test_the_key_is_the_second_half_of_md5() -> None:
    halves = hashlib.md5(b"7").hexdigest()[16:]
    assert event_key(7) == int.from_bytes(bytes.fromhex(halves), "little")
    assert event_key("") == event_key(None) == 0
