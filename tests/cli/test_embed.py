"""The verb ``embed``, and that what it writes builds and recommends."""

from __future__ import annotations

import typing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import DAY_MS, N_PER_TOPIC, N_TOPICS, START_MS, Run, action_table, item_table

N_ITEMS = N_TOPICS * N_PER_TOPIC
SUBJECTS = ("bread", "chairs", "drums", "flowers")


def topic(item: str) -> int:
    return int(item[1:]) // N_PER_TOPIC


@pytest.fixture
def bare(world: Path) -> tuple[object, ...]:
    """Return the arguments for items without embeddings, whose subjects tell the topics."""
    subjects = [SUBJECTS[topic(item)] for item in item_table()["item_id"].to_pylist()]
    items = item_table().drop_columns(["embedding"]).append_column("subject", pa.array(subjects))
    pq.write_table(items, world / "items.parquet")
    items, actions, out = (world / f"{name}.parquet" for name in ("items", "actions", "out"))
    return "--items", items, "--actions", actions, "--out", out


def test_embed_then_build_then_recommend(world: Path, bare: tuple[object, ...], call: Run) -> None:
    told = call("embed", *bare, "--dim", 16, "--json").object()
    assert told["n_items"] == N_ITEMS
    assert told["n_actions"] == action_table().num_rows
    assert told["n_dimensions"] == 16
    assert (told["from"], told["text_model"], told["n_items_without"]) == ("fused", "tfidf", 0)
    made = pq.read_table(world / "out.parquet")
    for name in ("item_id", "title", "category"):
        assert made[name].to_pylist() == item_table()[name].to_pylist()
    tables = ("--items", world / "out.parquet", "--actions", world / "actions.parquet")
    built = call("build", *tables, "--out", world / "model", "--json")
    assert built.code == 0, built.err
    # User 0 acted on topics 0 and 1. Items with the same words and sessions are near-duplicates: few remain.
    user = call("recommend", world / "model", "u0", "-k", 2, "--mode", "budgeted", "--json").object()
    assert {topic(item["item_id"]) for item in user["items"]} <= {0, 1}
    assert len(user["items"]) == 2


def test_text_needs_no_log(world: Path, bare: tuple[object, ...], call: Run) -> None:
    items, out = bare[:2], bare[4:]
    ran = call("embed", *items, *out, "--from", "text", COLUMNS="200")
    assert (ran.code, ran.err) == (0, "")
    assert "texts (TF-IDF)" in ran.out
    assert "Next: pinnersage build" in ran.out
    made = np.stack(pq.read_table(world / "out.parquet")["embedding"].to_pylist())
    assert made[0] @ made[1] > made[0] @ made[N_PER_TOPIC]


def test_the_cut_is_what_until_says(world: Path, bare: tuple[object, ...], call: Run) -> None:
    cut = START_MS + 10 * DAY_MS
    first = call("embed", *bare, "--until", cut, "--json").object()
    n_before = pa.compute.sum(pa.compute.less(action_table()["timestamp"].cast(pa.int64()), cut)).as_py()
    assert first["n_actions"] == n_before < action_table().num_rows
    written = (world / "out.parquet").read_bytes()
    early = action_table().filter(pa.compute.less(action_table()["timestamp"].cast(pa.int64()), cut))
    pq.write_table(early, world / "actions.parquet")
    call("embed", *bare, "--until", cut, "--json").object()
    assert (world / "out.parquet").read_bytes() == written


def test_two_processes_write_the_same_bytes(world: Path, bare: tuple[object, ...], process: Run) -> None:
    assert process("embed", *bare).code == 0
    first = (world / "out.parquet").read_bytes()
    assert process("embed", *bare).code == 0
    assert (world / "out.parquet").read_bytes() == first


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--log-share", 2], 2, "log_share"),
        (["--until", "soon"], 2, "soon"),
        (["--until", 0], 3, "pass a later --until"),
        (["--actions", "no-such-file.parquet"], 2, "no such file"),
        (["--out", "items.txt"], 2, ".parquet"),
        (["--max-merge-cost", 1], 2, "--max-merge-cost"),
    ],
)
def test_errors_have_their_codes_and_leave_nothing(
    world: Path, bare: tuple[object, ...], call: Run, more: list[object], code: int, words: str
) -> None:
    ran = call("embed", *bare, *more, "--json")
    assert ran.code == code
    assert words in ran.error()["message"]
    assert sorted(path.name for path in world.iterdir()) == ["actions.parquet", "items.parquet"]


def test_no_log_where_one_is_needed(bare: tuple[object, ...], call: Run) -> None:
    ran = call("embed", *bare[:2], *bare[4:], "--json")
    assert (ran.code, ran.error()["type"]) == (2, "UsageError")


def test_help_shows_an_example_and_the_choices(call: Run) -> None:
    from pinnersage.embedding.settings import Source, TextModel

    out = call("embed", "--help", COLUMNS="200").out
    assert "pinnersage embed --items items.parquet" in out
    for choice in (*typing.get_args(Source), *typing.get_args(TextModel)):
        assert choice in out
