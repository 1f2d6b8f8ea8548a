"""Readiness tells of every part that is gone from the disk, though what is mapped still answers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.model.test_live import built, log

from pinnersage.errors import PinnerSageError, UnavailableError
from pinnersage.model.live import LiveModel
from pinnersage.streaming.events import NewAction

GENERATION = "generations/00000001"
PARTS = [
    "CURRENT",
    "journal",
    GENERATION,
    *(f"{GENERATION}/{part}" for part in ("store", "items", "index")),
    *(f"{GENERATION}/items/{file}" for file in ("embeddings.npy", "vocabulary.arrow", "attributes.arrow")),
    *(f"{GENERATION}/index/{file}" for file in ("index.json", "rows.npy")),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("ready") / "m", log()[:200])


@pytest.fixture(params=[False, True], ids=["cold", "warm"])
def live(home: Path, request: pytest.FixtureRequest) -> Iterator[LiveModel]:
    with LiveModel(home, swaps_warm=request.param) as opened:
        yield opened


@pytest.mark.parametrize("part", PARTS)
def test_it_is_not_ready_while_a_part_is_gone(live: LiveModel, home: Path, part: str) -> None:
    live.check_ready()
    (home / part).rename(home / "away")
    try:
        with pytest.raises(PinnerSageError, match=r"gone|missing|no (finished build|data file|model|store)"):
            live.check_ready()
    finally:
        (home / "away").rename(home / part)
    live.check_ready()


@pytest.mark.parametrize("part", ["journal", f"{GENERATION}/store"])
def test_what_cannot_be_kept_is_not_acknowledged(live: LiveModel, home: Path, part: str) -> None:
    (home / part).rename(home / "away")
    try:
        with pytest.raises(UnavailableError):
            live.add_actions([NewAction("u1", "i01", log()[0].time_ms, event_id=secrets.token_hex())])
    finally:
        (home / "away").rename(home / part)


def test_it_is_not_ready_without_the_lock_of_writers(live: LiveModel, home: Path) -> None:
    lock = home / "journal" / ".write-lock"
    lock.unlink()
    lock.mkdir()
    with pytest.raises(UnavailableError, match="cannot be opened for writing"):
        live.check_ready()
    lock.rmdir()
    live.check_ready()


def test_both_generations_in_use_count(tmp_path: Path) -> None:
    """One answers until the next is warm, and that takes the writes."""
    home = built(tmp_path / "m", log()[:200])
    with LiveModel(home, swaps_warm=True) as live:
        built(home, log())
        live.check_ready()
        (home / "generations" / "00000002" / "store").rename(home / "away")
        with pytest.raises(PinnerSageError):
            live.check_ready()
