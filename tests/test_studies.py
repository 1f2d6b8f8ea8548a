"""The studies: exponents are fitted right, memory is seen, and their pages show the committed figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _benchmarks_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def test_the_exponent_of_a_power_law_is_found_on_the_upper_half_alone() -> None:
    import fitting

    sizes = [1, 10, 100, 1_000, 10_000]
    # Flat below the middle of the range (100), quadratic from there on.
    samples = [[5e4]] * 2 + [[5 * float(n) ** 2] for n in sizes[2:]]
    found = fitting.fit(sizes, samples)
    assert (found["from"], found["to"], found["low"], found["high"]) == (100, 10_000, None, None)
    assert found["exponent"] == pytest.approx(2)


def test_the_interval_holds_the_exponent_and_shrinks_with_the_noise() -> None:
    import fitting

    def width(noise: float) -> float:
        rng = np.random.default_rng(7)
        sizes = [100, 200, 400, 800, 1_600, 3_200]
        samples = [(3.0 * n * np.exp(noise * rng.standard_normal(9))).tolist() for n in sizes]
        found = fitting.fit(sizes, samples)
        assert found["low"] <= 1 <= found["high"]
        return float(found["high"] - found["low"])

    assert 0 < width(0.01) < width(0.1)


def test_one_size_has_no_exponent() -> None:
    import fitting

    assert fitting.fit([20, 600], [[1.0], [2.0]])["exponent"] is None


PEAKS = """
import json, measuring, numpy as np

def touch(n_mb):
    return measuring.peak_mb(lambda: np.ones(n_mb * 2**17))

if __name__ == "__main__":
    assert np.ones(150 * 2**17).size  # what came before does not count
    print(json.dumps([measuring.in_fresh_process(touch, n_mb) for n_mb in (30, 90)]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak can be reset on Linux only")
def test_peak_memory_is_that_of_the_call_alone() -> None:
    """In a process of its own: a fork of a test runner copies the runner's pages as it goes."""
    ran = subprocess.run(
        [sys.executable, "-c", PEAKS], cwd=ROOT / "benchmarks", capture_output=True, check=True, timeout=120
    )
    assert json.loads(ran.stdout) == pytest.approx([30, 90], abs=8)


def fail(message: str) -> None:
    raise ValueError(message)


def test_a_process_that_fails_is_no_figure(capfd: pytest.CaptureFixture[str]) -> None:
    import measuring

    with pytest.raises(RuntimeError, match="fail"):
        measuring.in_fresh_process(fail, "no figure")
    assert "no figure" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["complexity_page", "planted_page"])
def test_a_page_shows_the_committed_figures(name: str) -> None:
    import importlib

    import pages

    made: Any = importlib.import_module(name)
    assert pages.shown(made.PAGE, made.NAME).strip() == made.block().strip()
    for image in sorted(set(pages.image_links(made.PAGE))):
        assert (pages.DOCS / image).stat().st_size < 200_000


def test_memory_is_followed_along_dimensions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import bench_complexity as bench
    import complexity_points

    asked: list[tuple[int, int, str]] = []

    def one_point(measure: Any, *rest: Any) -> Any:
        if measure is complexity_points.ward_memory:
            asked.append(rest)
            return 3.0 * rest[1] ** 0.5
        if measure is bench.memory_of:
            return measure(*rest)
        return {"index, peak": [2.0 * rest[1]]} if measure is complexity_points.items else {}

    monkeypatch.setattr(bench, "in_fresh_process", one_point)
    curves = bench.Curves("dimensions")
    bench.along_dimensions(curves, bench.QUICK._replace(dimensions=(16, 64, 256)), 2)
    found = {curve["what"]: curve for curve in curves.to_list()}
    for what, exponent in (("ward_clusters, peak", 0.5), ("scipy linkage, peak", 0.5), ("index, peak", 1.0)):
        assert found[what]["sizes"] == [16, 64, 256]
        assert found[what]["unit"] == "MB"
        assert found[what]["fit"]["exponent"] == pytest.approx(exponent, abs=0.01)
    assert {n for n, _, _ in asked} == {bench.ACTIONS_OF_MEMORY}
    assert {dim for _, dim, _ in asked} == {16, 64, 256}


def test_processor_time_leaves_out_waiting() -> None:
    import time

    import measuring

    (spent,) = measuring.cpu_seconds({"wait": lambda: time.sleep(0.02)}, rounds=1)["wait"]
    assert 0 <= spent < 0.02
