"""What a log takes back, in its file, against a list that is looked through."""

from __future__ import annotations

import hashlib
import struct
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage._ids import UserId
from pinnersage.errors import ModelNotFoundError, StoredFormatError
from pinnersage.store.keys import user_key
from pinnersage.streaming import log_retractions as subject
from pinnersage.streaming.entries import ActionEntry, encode_entry
from pinnersage.streaming.log_retractions import LogRetractions, retractions_among, write_log_retractions
from pinnersage.streaming.memory_journal import MemoryJournal

USERS: list[UserId] = ["u", "v", 7, "7", "é" * 700, -1]
entries = st.builds(
    ActionEntry, st.sampled_from(USERS), st.sampled_from(["a", "b", 3]), st.sampled_from([0, 5]),
    st.sampled_from(["", "save"]), st.sampled_from([0.0, -0.0, 0.5]), st.sampled_from([0, 0, 1, 2**64 - 1]),
    st.just(0), st.booleans(),
)  # fmt: skip
logs = st.lists(st.lists(entries.map(lambda entry: replace(entry, retract=True)), max_size=5), max_size=3)


@contextmanager
def written(parts: Sequence[Sequence[ActionEntry]]) -> Iterator[LogRetractions]:
    with tempfile.TemporaryDirectory(prefix="log-retractions-") as scratch:
        path = Path(scratch) / "new"
        write_log_retractions(path, parts)
        found = LogRetractions(path)
        try:
            yield found
        finally:
            found.close()


def key_of(entry: ActionEntry) -> tuple[object, ...]:
    return (str(entry.user_id), entry.identity)


@settings(deadline=None, max_examples=60)
@given(logs, st.lists(entries, max_size=8), st.sets(st.sampled_from(USERS), max_size=2))
def test_it_tells_what_a_list_tells(
    parts: list[list[ActionEntry]], asked: list[ActionEntry], forgotten: set[UserId]
) -> None:
    held = [entry for part in parts for entry in part]
    with written(parts) as log:
        for gone in (set[str](), {str(user) for user in forgotten}):
            held = [entry for entry in held if str(entry.user_id) not in gone]
            taken_back = {key_of(entry) for entry in held}
            if gone:
                n_before = sum(len(log.of_user(user)) for user in ["u", "v", "7", "é" * 700, "-1"])
                assert log.forget(forgotten) == n_before - len(taken_back)
                log.compact()
            assert {str(user) for user in log.user_ids()} == {str(entry.user_id) for entry in held}
            for user in USERS:
                own = [entry for entry in asked if str(entry.user_id) == str(user)]
                found = log.among({user: own}).get(user, [])
                assert {key_of(e) for e in found} == {key_of(e) for e in own} & taken_back
                assert all(entry.retract and entry.user_id in (user, str(user), 7) for entry in found)
                kept = log.of_user(user)
                assert {key_of(e) for e in kept} == {key for key in taken_back if key[0] == str(user)}
                assert len(kept) == len({key_of(e) for e in kept})
                assert [e.time_ms for e in kept] == sorted(e.time_ms for e in kept)


def test_a_zero_byte_in_a_kind_is_not_its_end() -> None:
    back = ActionEntry("u", "c", 0, "a\0b", 1.0, 0, 0, retract=True)
    other = replace(back, kind="a", item_id="b\0c")
    with written([[back]]) as log:
        assert log.among({"u": [other]}) == {}
        assert log.among({"u": [back, other]}) == {"u": [back]}


def test_what_the_journal_knows_comes_first_and_all_of_it() -> None:
    journal = MemoryJournal()
    mine = [ActionEntry("u", "a", time_ms, "", 1.0, 0, 9, retract=True) for time_ms in range(4)]
    journal.append(mine[:2])
    asked: dict[UserId, list[ActionEntry]] = {
        "u": [replace(entry, retract=False) for entry in mine[1:3]],
        "v": [mine[0]],
    }
    with written([mine[1:]]) as log:
        found = retractions_among(journal, log, asked)
    assert found == {"u": [*mine[:2], *mine[1:3]]}
    assert retractions_among(journal, None, asked) == {"u": mine[:2]}


def test_nothing_is_left_of_who_is_forgotten(tmp_path: Path) -> None:
    secret = "forget-me-please"
    both = [ActionEntry(user, "a", 0, "", 1.0, 0, 0, retract=True) for user in (secret, "other")]
    write_log_retractions(tmp_path / "new", [both])
    log = LogRetractions(tmp_path / "new")
    assert log.forget([secret]) == 1
    log.compact()
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]
    assert list(log.user_ids()) == ["other"]
    log.close()


def test_a_file_written_by_hand_as_the_module_says_is_read(tmp_path: Path) -> None:
    """Models keep such files: what makes them may not change without a new layout."""

    def digest(told: bytes) -> bytes:
        return hashlib.blake2b(told, digest_size=16).digest()

    mine = [
        ActionEntry("u", "a", 5, "save", 0.5, key, 0, retract=True) for key in (0, 1 << 40)
    ]  # without an event, and with one
    told = [b"c" + struct.pack("<qd", 5, 0.5) + b"save\0a", b"e" + struct.pack("<Q", 1 << 40)]
    env = lmdb.open(str(tmp_path / "records-00000001.mdb"), subdir=False)
    with env.begin(write=True) as txn:
        txn.put(b"\0layout", b"1")
        for entry, what in zip(mine, told, strict=True):
            txn.put(b"\1" + digest(user_key("u")) + digest(what), encode_entry(entry))
    env.close()
    log = LogRetractions(tmp_path)
    assert log.among({"u": mine}) == {"u": mine}
    assert sorted(log.of_user("u"), key=lambda entry: entry.event_key) == mine
    log.close()


def test_another_layout_and_no_file_are_refused(tmp_path: Path) -> None:
    with patch.object(subject, "LAYOUT_VERSION", b"9"):
        write_log_retractions(tmp_path / "newer", [])
    with pytest.raises(StoredFormatError, match=r"layout b'9'.*upgrade"):
        LogRetractions(tmp_path / "newer")
    with pytest.raises(ModelNotFoundError):
        LogRetractions(tmp_path)
