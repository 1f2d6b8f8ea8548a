"""The verb ``backup``, beside a process that writes."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


def test_a_copy_answers_as_the_model_does(copy: Path, world: Path, call: Run) -> None:
    log = world / "actions.parquet"
    call("ingest", copy, log, "--json")
    ran = call("backup", copy, "--out", world / "kept", "--json")
    assert (ran.code, ran.err) == (0, "")
    facts = ran.object()
    n_bytes = sum(path.stat().st_size for path in (world / "kept").rglob("*") if path.is_file())
    assert facts == {
        "path": str(copy), "out": str(world / "kept"), "generation": "00000001", "n_bytes": n_bytes,
    }  # fmt: skip
    for verb in (("interests", "u0"), ("recommend", "u0", "-k", 5)):
        name, *more = verb
        assert call(name, world / "kept", *more, "--json").out == call(name, copy, *more, "--json").out
    assert call("verify", world / "kept", "--json").object()["ok"]


def test_it_says_what_it_made_and_overwrites_nothing(copy: Path, world: Path, call: Run) -> None:
    assert "generation 00000001 and what came since" in call("backup", copy, "--out", world / "kept").out
    again = call("backup", copy, "--out", world / "kept", "--json")
    assert again.code == 2
    assert "not empty" in again.error()["message"]
    nothing = call("backup", world / "nothing", "--out", world / "other", "--json")
    assert (nothing.code, nothing.error()["type"]) == (4, "ModelNotFoundError")
    assert not (world / "other").exists()
