"""The verb ``journal``, and its table beside the log wherever a log is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import DAY_MS, START_MS, Run

USERS = ("u0", "u1", "newcomer")


@pytest.fixture
def moved(copy: Path, world: Path, call: Run) -> Path:
    """Take actions in, one with an id twice, take one of them and one of the log back; return the model."""
    log = pq.read_table(world / "actions.parquet").slice(0, 1)
    times = pa.array([START_MS + 50 * DAY_MS + i for i in range(4)], pa.timestamp("ms", tz="UTC"))
    table = pa.table(
        {
            "user_id": ["u0", "newcomer", "newcomer", "newcomer"],
            "item_id": ["i01", "i03", "i04", "i05"],
            "timestamp": times,
            "event_id": ["e1", "e2", "e2", "e3"],
            "retract": [False, False, False, False],
        }
    )
    back = table.slice(3, 1).set_column(4, "retract", pa.array([True]))
    pq.write_table(pa.concat_tables([back, table]), world / "events.parquet")
    pq.write_table(log.append_column("retract", pa.array([True])), world / "back.parquet")
    answer = call("ingest", copy, world / "events.parquet", "--json").object()
    assert (answer["report"]["n_retractions"], answer["report"]["n_taken_back"]) == (1, 1)
    assert (answer["report"]["n_bad"], answer["rejected"], answer["accepted"]) == (0, 0, 4)
    assert call("ingest", copy, world / "back.parquet", "--json").object()["accepted"] == 1
    assert "1 rows take an action back, 0 hold one" in call("ingest", copy, world / "back.parquet").out
    return copy


def told(call: Run, model: Path, users: Sequence[str] = USERS) -> list[object]:
    """Return the interests of some users."""
    return [call("interests", model, user, "--json").object() for user in users]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_log_and_journal_together_are_the_model(moved: Path, world: Path, call: Run, suffix: str) -> None:
    file = world / f"journal{suffix}"
    ran = call("journal", moved, "--out", file, "--json")
    assert (ran.code, ran.err) == (0, "")
    facts = ran.object()
    # e1, both of e2, e3; e3 and an action of the log are taken back.
    assert (facts["n_actions"], facts["n_retractions"], facts["n_users"]) == (4, 2, 2)
    assert (facts["path"], facts["out"]) == (str(moved), str(file))
    assert facts["newest_action"].endswith("T00:00:00.003Z")
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    both = (*tables, "--actions", file)
    summary = call("build", *both, "--out", world / "elsewhere", "--json").object()
    report = summary["reports"]["actions"]
    assert (report["n_retractions"], report["n_taken_back"], report["n_bad"]) == (2, 2, 0)
    assert told(call, world / "elsewhere") == told(call, moved)
    assert told(call, moved)[2]["interests"][0]["item_ids"] == ["i04"]  # type: ignore[index]
    assert call("verify", moved, *tables, "--json").code == 0
    # A warehouse has the events under their ids by now.
    events = ("--actions", world / "events.parquet")
    call("build", *both, *events, "--out", world / "warehouse", "--json")
    assert told(call, world / "warehouse") == told(call, moved)


def test_every_verb_that_reads_a_log_reads_both(moved: Path, world: Path, call: Run) -> None:
    call("journal", moved, "--out", world / "journal.parquet")
    log, journal = ("--actions", world / "actions.parquet"), ("--actions", world / "journal.parquet")
    items = ("--items", world / "items.parquet")
    checked = call("validate", *items, *log, *journal, "--json").object()["actions"]
    assert (checked["n_rows"], checked["n_taken_back"]) == (36 + 6, 2)
    assert "2 rows take an action back, 2 hold one" in call("validate", *items, *log, *journal).out
    run = ("--days", 60, "--arms", "mean-0", "--budget", 5, "--json")
    ran = call("evaluate", *items, *log, *journal, "--out", world / "report", *run)
    assert ran.code == 0, ran.err
    about = ran.object()["about"]
    assert about["tables"]["actions"]["sources"] == [str(log[1]), str(journal[1])]
    assert about["data"]["n_actions"] == 36 - 1 + 2
    made = call("embed", *items, *log, *journal, "--out", world / "e.parquet", "--from", "log")
    assert made.code == 0, made.err
    assert f"--actions {log[1]} --actions {journal[1]} --out DIR" in made.out
    assert call("tune", *items, *log, *journal, "--json").code == 0


def test_a_new_file_is_written_or_nothing(moved: Path, world: Path, call: Run) -> None:
    kept = world / "kept.parquet"
    kept.write_bytes(b"mine")
    for out in (kept, world / "journal.csv", world / "no" / "journal.parquet"):
        ran = call("journal", moved, "--out", out, "--json")
        assert (ran.code, ran.out) == (2, "")
        assert str(out) in ran.error()["message"]
    assert kept.read_bytes() == b"mine"
    assert call("journal", world / "none", "--out", world / "j.parquet", "--json").code == 4
    assert not (world / "j.parquet").exists()


def test_who_was_erased_is_not_in_the_table(moved: Path, world: Path, call: Run) -> None:
    assert call("erase", moved, "newcomer").code == 0
    ran = call("journal", moved, "--out", world / "journal.parquet")
    assert ran.out == f"{world / 'journal.parquet'}: 1 actions of 1 users, and 1 rows that take one back.\n"
    assert pq.read_table(world / "journal.parquet")["user_id"].to_pylist() == ["u0", "u0"]


def test_a_model_that_took_nothing_in_gives_an_empty_table(copy: Path, world: Path, call: Run) -> None:
    facts = call("journal", copy, "--out", world / "journal.parquet", "--json").object()
    assert (facts["n_actions"], facts["newest_action"]) == (0, None)
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    both = (*tables, "--actions", world / "journal.parquet")
    assert call("build", *both, "--out", world / "again").code == 0
    assert told(call, world / "again", USERS[:2]) == told(call, copy, USERS[:2])
