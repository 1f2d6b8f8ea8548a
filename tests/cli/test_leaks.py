"""Embeddings that were learnt from the days measured: refused, said, warned of; through the real commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import DAY_MS, START_MS, Run, action_table, item_table

FIRST_DAY_MS = START_MS + 8 * DAY_MS
EVALUATED = ("--days", 5, "--arms", "mean-0", "--json")


@pytest.fixture
def bare(world: Path) -> Path:
    """Items without embeddings, beside the actions."""
    pq.write_table(item_table().drop_columns(["embedding"]), world / "items.parquet")
    return world


def embedded(call: Run, world: Path, *more: object) -> Path:
    """Learn embeddings with the real command; return the table."""
    out = world / "embedded.parquet"
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    ran = call("embed", *tables, "--out", out, *more, "--json")
    assert ran.code == 0, ran.err
    return out


def tables(world: Path, items: Path) -> tuple[object, ...]:
    return ("--items", items, "--actions", world / "actions.parquet")


def test_the_file_tells_how_its_embeddings_were_made(call: Run, bare: Path) -> None:
    from pinnersage import __version__
    from pinnersage.items.origin import EmbeddingOrigin, origin_of_schema

    newest = max(action_table()["timestamp"].cast(pa.int64()).to_pylist())
    schema = pq.read_schema(embedded(call, bare))
    assert origin_of_schema(schema) == EmbeddingOrigin("fused", newest + 1, __version__)
    assert b"1970" not in schema.metadata[b"pinnersage.embeddings"]
    cut = pq.read_schema(embedded(call, bare, "--until", FIRST_DAY_MS))
    assert b"2016-07-26T00:00:00Z" in cut.metadata[b"pinnersage.embeddings"]


def test_evaluate_refuses_what_has_seen_the_answers(call: Run, bare: Path) -> None:
    items, report = embedded(call, bare), bare / "report"
    given = ("evaluate", *tables(bare, items), "--out", report, *EVALUATED)
    ran = call(*given)
    assert ran.code == 2
    assert "pinnersage embed --until 2016-07-26T00:00:00Z" in ran.error()["message"]
    assert "--allow-leak (from Python: allow_leak=True)" in ran.error()["message"]
    assert not report.exists()
    told = call(*given, "--allow-leak").object()
    assert told["about"]["leak"].startswith("Do not trust these figures")
    page = (report / "report.html").read_text()
    assert 'class="notice alarm"' in page
    assert told["about"]["leak"] in page
    shown = call(*given[:-1], "--allow-leak", COLUMNS="300")
    assert "Do not trust these figures" in shown.out


@pytest.mark.parametrize(
    ("asked", "is_told"),
    [
        (("evaluate", "--arms", "mean-0,popular-ranked"), True),
        (("evaluate", "--arms", "mean-0"), False),
        (("tune", "--ranker", "--train-days", 3, "--held-out-days", 1), True),
        (("tune", "--train-days", 3, "--held-out-days", 1), False),
    ],
    ids=str,
)
def test_who_is_refused_learns_at_once_what_a_ranker_would_need(
    call: Run, bare: Path, asked: tuple[Any, ...], is_told: bool
) -> None:
    short = bare / "short.toml"
    short.write_text("[ranking]\nhorizon_days = 1.0\nn_moments = 1\n")
    out = bare / ("out.toml" if asked[0] == "tune" else "out")
    given = (*tables(bare, embedded(call, bare)), "--out", out, "--config", short, "--json")
    message = call(*asked, *given).error()["message"]
    found = re.search(r"--until (\S+?)Z(?:; --until (\S+)Z for rankers)?", message)
    assert found is not None
    assert (found[2] is not None) == is_told
    if is_told:
        first, earlier = (np.datetime64(text) for text in found.groups())
        assert first - earlier == np.timedelta64(1, "D")


def test_evaluate_takes_what_was_learnt_before_and_says_from_what(call: Run, bare: Path) -> None:
    items = embedded(call, bare, "--until", FIRST_DAY_MS)
    told = call("evaluate", *tables(bare, items), "--out", bare / "report", *EVALUATED).object()
    assert told["about"]["span"]["from"] == told["about"]["embeddings"]["until"]
    assert told["about"]["leak"] is None
    page = (bare / "report" / "report.html").read_text()
    assert "alarm" not in page.partition("</style>")[2]
    assert "(fused) from actions before 2016-07-26T00:00:00Z" in page


def test_what_learns_its_own_embeddings_from_the_log_alone_is_not_refused(call: Run, bare: Path) -> None:
    given = ("evaluate", *tables(bare, embedded(call, bare)), "--out", bare / "report", *EVALUATED)
    assert call(*given, "--vectors", "fused").code == 2
    ran = call(*given, "--vectors", "log")
    assert ran.code == 0, ran.err
    assert ran.object()["about"]["leak"] is None


def test_items_that_tell_nothing_are_not_checked(call: Run, world: Path) -> None:
    told = call("evaluate", *tables(world, world / "items.parquet"), "--out", world / "r", *EVALUATED)
    assert told.object()["about"]["embeddings"] is None


def test_evaluate_says_which_rankers_learn_from_weeks_the_embeddings_know(call: Run, bare: Path) -> None:
    """Day 12 is measured, the ranker learns to predict day 11."""
    short, day_11_ms = bare / "short.toml", START_MS + 11 * DAY_MS
    short.write_text("[ranking]\nhorizon_days = 1.0\nn_moments = 1\n")
    plain = ("--days", 1, "--out", bare / "report", "--config", short, "--arms", "mean-0")
    given = (*plain, "--arms", "popular-ranked")
    known = embedded(call, bare, "--until", day_11_ms + DAY_MS)
    told = call("evaluate", *tables(bare, known), *given, "--json").object()
    assert told["about"]["leak"] is None
    (note,) = told["about"]["notes"]
    assert note.startswith("Not at their best: popular-ranked; ")
    assert "--until 2016-07-29T00:00:00Z" in note
    assert note in (bare / "report" / "report.html").read_text()
    shown = call("evaluate", *tables(bare, known), *given, COLUMNS="300")
    assert "Not at their best: popular-ranked" in shown.out
    for other in ((*given, "--vectors", "log"), plain):
        again = call("evaluate", *tables(bare, known), *other, "--json", "--fresh").object()
        assert again["about"]["notes"] == []
    early = embedded(call, bare, "--until", day_11_ms)
    told = call("evaluate", *tables(bare, early), *given, "--json", "--fresh").object()
    assert told["about"]["notes"] == []


def test_tune_refuses_and_its_file_warns(call: Run, bare: Path) -> None:
    file = bare / "tuned.toml"
    given = ("tune", *tables(bare, embedded(call, bare)), "--train-days", 7, "--out", file)
    ran = call(*given, "--json")
    assert (ran.code, file.exists()) == (2, False)
    assert "tune all the same with --allow-leak" in ran.error()["message"]
    ran = call(*given, "--allow-leak", COLUMNS="300")
    assert ran.code == 0, ran.err
    assert "Do not trust these figures" in ran.out
    assert "# Do not trust these figures" in file.read_text()


def test_tune_learns_its_own_embeddings_from_the_log_alone(call: Run, bare: Path) -> None:
    """So nothing is refused or said of the second stage; given ones are part of fused ones."""
    short = bare / "short.toml"
    short.write_text("[ranking]\nfit_ranker = true\nhorizon_days = 1.0\nn_moments = 1\n")
    given = ("--train-days", 1, "--held-out-days", 1, "--config", short, "--json")
    late = ("tune", *tables(bare, embedded(call, bare)), *given)
    assert call(*late).code == call(*late, "--vectors", "fused").code == 2
    told = call(*late, "--vectors", "log").object()
    assert (told["about"]["leak"], told["about"]["notes"]) == (None, [])
    until = told["about"]["train"]["from"]
    early = ("tune", *tables(bare, embedded(call, bare, "--until", until)), *given)
    (note,) = call(*early).object()["about"]["notes"]
    assert "let tune learn them (--vectors log" in note
    assert call(*early, "--vectors", "log").object()["about"]["notes"] == []


def test_embeddings_made_of_given_ones_know_what_those_know(call: Run, bare: Path) -> None:
    from pinnersage.items.origin import origin_of_schema

    late = embedded(call, bare)
    known = origin_of_schema(pq.read_schema(late))
    again = bare / "again.parquet"
    for source in ("text", "fused"):
        more = ("--from", source, "--text-model", "given", "--until", FIRST_DAY_MS)
        ran = call("embed", *tables(bare, late), "--out", again, *more, "--json")
        assert ran.code == 0, ran.err
        made = origin_of_schema(pq.read_schema(again))
        assert known is not None
        assert made is not None
        assert (made.source, made.until_ms) == ("fused", known.until_ms)


def test_embed_says_what_the_whole_log_is_good_for(call: Run, bare: Path) -> None:
    given = ("embed", *tables(bare, bare / "items.parquet"))
    given = (*given, "--out", bare / "out.parquet")
    assert "No --until was given" in call(*given).err
    assert call(*given, "--until", FIRST_DAY_MS).err == ""
