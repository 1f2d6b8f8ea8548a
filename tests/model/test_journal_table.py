"""A journal as a table: with the log it gives the live model's records anywhere, bit for bit."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.model.test_live_machine import CONFIG, N_FIRST, VECTORS, actions, batch, identity, number_of
from tests.streaming.worlds import item_id, told

from pinnersage import PinnerSage
from pinnersage.actions.event_keys import event_id_of, event_key
from pinnersage.config import BuildConfig, ImportConfig
from pinnersage.model import journal_table as subject
from pinnersage.model.journal_table import export_journal, journal_table
from pinnersage.model.live import LiveModel
from pinnersage.model.opened import OpenedGeneration
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.events import NewAction
from pinnersage.streaming.memory_journal import MemoryJournal

CATALOGUE = {number: number % len(VECTORS) for number in range(N_FIRST)}
BUILD = BuildConfig(interests=CONFIG, imports=ImportConfig(max_bad_share=1.0))
FIRST = NewAction("zoe", item_id(0), 1_700_000_000_000)

logged = st.lists(actions, max_size=8).map(lambda some: [FIRST, *some])
steps = st.lists(st.lists(st.tuples(actions, st.booleans()), min_size=1, max_size=4), max_size=5)


def items() -> pa.Table:
    vectors = [VECTORS[v].tolist() for v in CATALOGUE.values()]
    return pa.table({"item_id": [item_id(n) for n in CATALOGUE], "embedding": vectors})


def table(rows: Sequence[NewAction], *, as_keys: bool = False) -> pa.Table:
    """Return actions as a log has them; ``as_keys``: with their events' keys in the place of ids."""
    ids = [event_id_of(event_key(a.event_id)) if as_keys else a.event_id for a in rows]
    return pa.table(
        {
            "user_id": [a.user_id for a in rows],
            "item_id": [a.item_id for a in rows],
            "timestamp": pa.array([a.time_ms for a in rows], pa.timestamp("ms", "UTC")),
            "action": pa.array([a.kind or None for a in rows], pa.string()),
            "weight": pa.array([a.weight for a in rows], pa.float32()),
            "event_id": pa.array(ids, pa.string()),
            "retract": pa.array([a.retract or None for a in rows], pa.bool_()),
        }
    )


def told_of(opened: OpenedGeneration) -> dict[Any, dict[str, Any]]:
    """Return the records that hold anything, in ids and names."""
    found = {user: told(opened.record(user), opened.items, opened.kinds) for user in opened.store.user_ids()}
    return {user: record for user, record in found.items() if record["items"] or record["seen"]}


def build(home: Path, log: Any) -> Path:
    PinnerSage.build(items(), log, path=home, config=BUILD).close()
    return home


@contextmanager
def built_of(log: Any, home: Path) -> Iterator[OpenedGeneration]:
    """Build in a directory of its own."""
    with LiveModel(build(home, log)) as live:
        yield live.opened()


def counted(every: Sequence[NewAction]) -> list[NewAction]:
    """Return the actions that count: all on known items but those ever taken back; the oracle."""
    gone = {(a.user_id, identity(a)) for a in every if a.retract}
    known = [a for a in every if not a.retract and number_of(a) in CATALOGUE]
    return [a for a in known if (a.user_id, identity(a)) not in gone]


def sources(home: Path, live: LiveModel, log: pa.Table, suffix: str) -> Any:
    """Return the log and the table of the journal, in memory or as files."""
    if suffix == ".jsonl" and not live.journal().heads().all:
        suffix = ".parquet"  # No lines are no table.
    if not suffix:
        return pa.concat_tables([log, journal_table(live.journal())])
    pq.write_table(log, home / "log.parquet")
    export_journal(home / "model", home / f"journal{suffix}")
    return [home / "log.parquet", home / f"journal{suffix}"]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), logged, steps, st.sampled_from(["", ".parquet", ".jsonl"]))
def test_log_and_journal_build_the_live_records_anywhere(
    data: st.DataObject, log: list[NewAction], come: list[list[tuple[NewAction, bool]]], suffix: str
) -> None:
    with tempfile.TemporaryDirectory(prefix="journal-table-") as scratch:
        home = Path(scratch)
        with LiveModel(build(home / "model", table(log)), durability="process") as live:
            every = list(log)
            for step in come:
                known = st.sampled_from(every)
                events = [data.draw(known) if again else event for event, again in step]
                backs = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
                backs = [b and e.user_id != FIRST.user_id for b, e in zip(backs, events, strict=True)]
                events = [replace(e, retract=back) for e, back in zip(events, backs, strict=True)]
                live.add_actions(events)
                every += events
            # A warehouse has some of the events by now, under their ids.
            later = [a for a in every[len(log) :] if not a.retract and data.draw(st.booleans())]
            online, now_ms = told_of(live.opened()), live.opened().now_ms
            both = sources(home, live, table(log + later, as_keys=data.draw(st.booleans())), suffix)
        with built_of(both, home / "elsewhere") as opened:
            elsewhere = told_of(opened)
            assert opened.now_ms == now_ms
        assert elsewhere == batch(CATALOGUE, counted(every), now_ms, CONFIG)
        for user in online.keys() | elsewhere.keys():
            nothing: dict[str, Any] = {"items": [], "seen": []}
            record, wanted = online.get(user, nothing), elsewhere.get(user, nothing)
            # As in any live model: what was seen and then taken back may stay seen, or hide older ones.
            back = {a.item_id for a in every if a.retract and a.user_id == user}
            assert {*record.pop("seen")} - back == {*wanted.pop("seen")} - back
            assert record == wanted or record["items"] == wanted["items"] == []


def test_ids_are_integers_only_where_all_are() -> None:
    journal = MemoryJournal()
    assert str(journal_table(journal).schema.field("user_id").type) == "string"
    journal.append([ActionEntry(7, 1, 5, "", 1.0, 0, 9)])
    assert journal_table(journal).select(["user_id", "item_id"]).to_pylist() == [{"user_id": 7, "item_id": 1}]
    journal.append([ActionEntry("u", 2, 5, "", 1.0, 0, 9)])
    found = journal_table(journal).select(["user_id", "item_id"]).to_pylist()
    assert found == [{"user_id": "7", "item_id": 1}, {"user_id": "u", "item_id": 2}]


@pytest.mark.parametrize("part", [1, 2, 50])
def test_parts_make_the_same_table(tmp_path: Path, part: int) -> None:
    events = [replace(FIRST, time_ms=FIRST.time_ms + n, retract=n == 3) for n in range(5)]
    with LiveModel(build(tmp_path / "model", table([FIRST]))) as live:
        live.add_actions(events)
        live.put_item(item_id(9), VECTORS[0].tolist())
        live.add_actions([replace(FIRST, item_id="no such item")])
        whole = journal_table(live.journal())
        with patch.object(subject, "PART_ENTRIES", part):
            assert journal_table(live.journal()).equals(whole)
            facts = export_journal(tmp_path / "model", tmp_path / "j.parquet")
    assert pq.read_table(tmp_path / "j.parquet").equals(whole)
    assert whole["retract"].to_pylist() == [*(event.retract for event in events), False]
    assert (facts["n_actions"], facts["n_retractions"]) == (5, 1)


def test_what_was_trimmed_is_gone_but_for_what_was_taken_back(tmp_path: Path) -> None:
    with LiveModel(build(tmp_path / "model", table([FIRST]))) as live:
        one = replace(FIRST, time_ms=FIRST.time_ms + 1)
        live.add_actions([one, replace(one, item_id=item_id(1)), replace(one, retract=True)])
        live.compact(keep_days=-1)
        assert journal_table(live.journal())["retract"].to_pylist() == [True]
