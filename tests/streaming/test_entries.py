"""Entries come back from their bytes, and damaged bytes are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnersage.actions.event_keys import event_key
from pinnersage.errors import StoredFormatError
from pinnersage.streaming.entries import (
    FORMAT_VERSION,
    ActionEntry,
    ItemEntry,
    action_entry,
    decode_entry,
    encode_entry,
)
from pinnersage.streaming.events import NewAction

ids = st.one_of(st.text(max_size=20), st.integers(-(2**63), 2**63 - 1))
floats = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)
actions = st.builds(
    ActionEntry, ids, ids, st.integers(0, 2**53), st.text(max_size=10),
    floats.map(abs), st.integers(0, 2**64 - 1), st.integers(0, 2**53), st.booleans(),
)  # fmt: skip


@given(actions)
def test_actions_come_back(entry: ActionEntry) -> None:
    assert decode_entry(encode_entry(entry)) == entry


@given(st.lists(floats, min_size=1, max_size=9), ids)
def test_items_come_back(embedding: list[float], item_id: str | int) -> None:
    found = decode_entry(encode_entry(ItemEntry(item_id, np.array(embedding, np.float32), 5, {"title": "é"})))
    assert isinstance(found, ItemEntry)
    assert found.embedding is not None
    assert (found.embedding.tolist(), found.item_id, found.received_ms) == (embedding, item_id, 5)
    assert found.attributes == {"title": "é"}


def test_an_item_taken_out_comes_back() -> None:
    found = decode_entry(encode_entry(ItemEntry("a", None, 1)))
    assert isinstance(found, ItemEntry)
    assert found.embedding is None


@given(actions, st.data())
def test_any_changed_byte_is_noticed(entry: ActionEntry, data: st.DataObject) -> None:
    whole = encode_entry(entry)
    at = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 7))
    damaged = whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :]
    with pytest.raises(StoredFormatError):
        decode_entry(damaged)


@given(st.binary(max_size=60))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(StoredFormatError):
        decode_entry(data)


def test_a_newer_version_says_to_upgrade() -> None:
    whole = encode_entry(action_entry(NewAction("u", "a", 1), 2))
    with pytest.raises(StoredFormatError, match="upgrade"):
        decode_entry(whole[:2] + bytes([FORMAT_VERSION + 1]) + whole[3:])


def test_an_action_keeps_what_a_record_can_hold() -> None:
    entry = action_entry(NewAction("u", "a", 1, "save", 0.1, "e-17"), 99)
    assert entry.weight == float(np.float32(0.1))
    assert (entry.event_key, entry.received_ms, entry.retract) == (event_key("e-17"), 99, False)
