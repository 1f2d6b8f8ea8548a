"""A few rounds of the chaos test; ``scripts/chaos.py --rounds 200`` is run by hand, its result committed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIGURES = ("lost", "doubled", "doubled_in_exports", "differing", "verify_differing")


def rounds(*options: str) -> dict[str, object]:
    command = [sys.executable, str(ROOT / "scripts" / "chaos.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_round_of_each_fault_of_a_writer_loses_nothing() -> None:
    faults = ("kill", "storm", "kill-build", "clock-back", "disk-full", "power-cut", "torn")
    found = rounds("--rounds", str(len(faults)), "--service-share", "0", "--faults", *faults)
    assert [found[name] for name in FIGURES] == [0] * len(FIGURES)
    assert found["rounds"] == len(faults)
    assert int(str(found["kills"])) >= 1 + 2
    assert int(str(found["acked"])) > 0


@pytest.mark.slow
def test_rounds_with_the_service_lose_nothing() -> None:
    found = rounds("--rounds", "10", "--service-share", "0.5", "--seed", "2")
    assert [found[name] for name in FIGURES] == [0] * len(FIGURES)


def test_the_committed_result_is_clean() -> None:
    path = ROOT / "benchmarks" / "results" / "chaos.json"
    if not path.exists():
        pytest.skip("no result is committed: run scripts/chaos.py --rounds 200 --save")
    found = json.loads(path.read_text())
    assert [found[name] for name in FIGURES] == [0] * len(FIGURES)
    assert found["rounds"] >= 200
    assert found["kills"] > 0
    assert found["build_kills"] > 0
