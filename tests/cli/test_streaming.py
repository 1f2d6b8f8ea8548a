"""The verbs ``ingest``, ``verify`` and ``compact`` on real files."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import DAY_MS, START_MS, Run

from pinnersage.model.live import LiveModel
from pinnersage.store import _environment
from pinnersage.streaming import lmdb_journal


@pytest.fixture
def more(tmp_path: Path) -> Path:
    """Write three good actions, one on an unknown item, and one without a user."""
    times = pa.array([START_MS + 50 * DAY_MS + i for i in range(5)], pa.timestamp("ms", tz="UTC"))
    table = pa.table(
        {
            "user_id": ["u0", "u0", "newcomer", "u0", None],
            "item_id": ["i01", "i02", "i03", "no-such", "i04"],
            "timestamp": times,
        }
    )
    pq.write_table(table, tmp_path / "more.parquet")
    return tmp_path / "more.parquet"


def test_ingest_counts_and_repeats_change_nothing(copy: Path, more: Path, call: Run) -> None:
    args = ("ingest", copy, more, "--max-bad-share", 0.5, "--json")
    first = call(*args)
    assert (first.code, first.err) == (0, "")
    answer = first.object()
    counts = {name: answer[name] for name in ("accepted", "duplicate", "parked", "rejected")}
    assert counts == {"accepted": 3, "duplicate": 0, "parked": 1, "rejected": 0}
    assert (answer["report"]["n_rows"], answer["report"]["reasons"]) == (5, {"empty_user_id": 1})
    assert call(*args).object()["duplicate"] == 3
    interests = call("interests", copy, "newcomer", "--json").object()["interests"]
    assert [interest["medoid_item_id"] for interest in interests] == ["i03"]


def test_an_action_that_leaves_the_window_of_all_others_behind_is_warned_of(
    copy: Path, more: Path, call: Run
) -> None:
    late = pq.read_table(more).slice(2, 1)
    leap = pa.array([START_MS + 500 * DAY_MS], pa.timestamp("ms", tz="UTC"))
    pq.write_table(late.set_column(2, "timestamp", leap), more)
    assert call("interests", copy, "u0", "--json").object()["interests"]
    ran = call("ingest", copy, more)
    assert ran.code == 0
    assert ran.err.startswith("Warning: the newest action was of 2016-")
    assert "is now of 2017-" in ran.err
    assert "newcomer" not in ran.err
    assert "No interests as of 2017-" in call("interests", copy, "u0").out
    assert "Nothing to recommend" in call("recommend", copy, "u0").out
    assert "Topic" in call("interests", copy, "newcomer").out


@pytest.mark.parametrize("durability", ["disk", "process"])
def test_ingest_waits_for_the_disk_as_asked(copy: Path, more: Path, call: Run, durability: str) -> None:
    args = ("ingest", copy, more, "--max-bad-share", 0.5, "--json", "--durability")
    assert call(*args, "sometimes").code == 2
    with patch.object(lmdb_journal, "acquire", wraps=_environment.acquire) as acquired:
        assert call(*args, durability).object()["accepted"] == 3
    assert {one.kwargs["sync"] for one in acquired.call_args_list} == {durability == "disk"}
    assert call("verify", copy, "--json").object()["n_journal_actions"] == 4


def test_ingest_refuses_too_many_bad_rows_and_keeps_nothing(copy: Path, more: Path, call: Run) -> None:
    ran = call("ingest", copy, more, "--strict", "--json")
    assert (ran.code, ran.out) == (3, "")
    assert call("interests", copy, "newcomer", "--json").code == 4


def test_ingest_into_nothing_is_not_found(tmp_path: Path, more: Path, call: Run) -> None:
    assert call("ingest", tmp_path / "none", more, "--json").code == 4
    assert not (tmp_path / "none").exists()


def test_verify_finds_nothing_then_a_tampered_record(copy: Path, more: Path, call: Run) -> None:
    call("ingest", copy, more, "--max-bad-share", 0.5)
    good = call("verify", copy, "--json")
    assert (good.code, good.object()["n_differing"], good.object()["n_journal_actions"]) == (0, 0, 4)
    with LiveModel(copy) as live:
        store = live.opened().store
        store.put("u0", live.opened().record("newcomer"))
    bad = call("verify", copy, "--json")
    assert (bad.code, bad.object()["ok"]) == (3, False)
    assert "a journalled action is missing" in bad.object()["differences"]


def test_verify_against_the_tables(world: Path, copy: Path, more: Path, call: Run) -> None:
    call("ingest", copy, more, "--max-bad-share", 0.5)
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    assert call("verify", copy, *tables, "--json").object()["n_differing"] == 0
    assert call("verify", copy, *tables[:2]).code == 2
    assert call("erase", copy, "u0").code == 0
    erased = call("verify", copy, *tables)
    assert erased.code == 0
    assert "in the log, not in the model 1 users: erased since" in " ".join(erased.out.split())


def test_verify_a_model_of_embeddings_beside_the_table(world: Path, tmp_path: Path, call: Run) -> None:
    items = pq.read_table(world / "items.parquet")
    np.save(tmp_path / "x.npy", np.array(items["embedding"].to_pylist(), np.float32))
    pq.write_table(items.drop_columns("embedding"), tmp_path / "items.parquet")
    tables = ("--items", tmp_path / "items.parquet", "--actions", world / "actions.parquet")
    given = ("--embeddings", tmp_path / "x.npy")
    assert call("build", *tables, *given, "--out", tmp_path / "m", "--json").code == 0
    good = call("verify", tmp_path / "m", *tables, *given, "--json")
    assert (good.code, good.object()["n_differing"]) == (0, 0)
    assert "--embeddings" in call("verify", tmp_path / "m", *given).err
    missing = call("verify", tmp_path / "m", *tables, "--embeddings", tmp_path / "no.npy")
    assert (missing.code, "no.npy: no such file" in " ".join(missing.err.split())) == (2, True)


def test_compact_removes_what_is_old(copy: Path, more: Path, call: Run) -> None:
    call("ingest", copy, more, "--max-bad-share", 0.5)
    kept = call("compact", copy, "--json").object()
    assert (kept["n_removed"], kept["n_parked_expired"]) == (0, 0)
    removed = call("compact", copy, "--keep-days", 0, "--json").object()
    assert (removed["n_removed"], removed["n_parked_expired"]) == (4, 1)
    assert call("verify", copy, "--json").object()["n_differing"] == 0
    assert call("interests", copy, "newcomer", "--json").code == 0


def test_they_read_well(copy: Path, more: Path, call: Run) -> None:
    assert "waiting for their item" in call("ingest", copy, more, "--max-bad-share", 0.5).out
    assert "Every record is what a batch builds" in call("verify", copy).out
    assert "actions removed" in call("compact", copy).out
    assert "1 that waited for their item wait no longer" in " ".join(
        call("compact", copy, "--keep-days", 0).out.split()
    )


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """Write actions of which none is on an item of the model."""
    table = pa.table({"user_id": ["u0"] * 20, "item_id": [f"other-{i}" for i in range(20)]})
    times = pa.array([START_MS + 50 * DAY_MS + i for i in range(20)], pa.timestamp("ms", tz="UTC"))
    pq.write_table(table.append_column("timestamp", times), tmp_path / "strange.parquet")
    return tmp_path / "strange.parquet"


@pytest.mark.parametrize(("max_parked", "told"), [(100, "20 of 20 actions"), (5, "15 more were rejected")])
def test_a_table_on_items_that_nobody_knows_is_told(
    copy: Path, strange: Path, call: Run, max_parked: int, told: str
) -> None:
    ran = call("ingest", copy, strange, "--max-parked", max_parked)
    assert ran.code == 0
    said = " ".join(ran.err.split())
    assert said.startswith("Warning: ")
    assert told in said
    assert "items that the model does not know" in said


def test_few_actions_on_unknown_items_are_no_warning(
    copy: Path, more: Path, strange: Path, call: Run
) -> None:
    assert call("ingest", copy, more, "--max-bad-share", 0.2).err == "", "1 of 5"
    assert call("ingest", copy, strange, "--max-bad-share", 1).err == ""
    assert call("ingest", copy, strange, "--json").err == "", "programs read the counts"


def test_a_build_says_what_of_the_journal_is_in_it(world: Path, copy: Path, more: Path, call: Run) -> None:
    """Three actions were accepted and one waits for its item: four entries."""
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    fresh = call("build", *tables, "--out", copy.parent / "fresh", "--json").object()
    call("ingest", copy, more, "--max-bad-share", 0.5)
    ran = call("build", *tables, "--out", copy, COLUMNS="200")
    assert "and of the journal 4 entries" in " ".join(ran.out.split())
    counts = call("build", *tables, "--out", copy, "--json").object()["counts"]
    assert (fresh["counts"]["n_journal_entries"], counts["n_journal_entries"]) == (0, 4)
    assert counts["n_users"] == fresh["counts"]["n_users"]
