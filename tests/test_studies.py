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
    called: list[int] = []

    def wait() -> None:
        called.append(1)
        time.sleep(0.02)

    spent, peak_mb = measuring.cpu_and_peak(wait)
    assert 0 <= spent < 0.02
    assert peak_mb > 0
    assert called == [1]


def test_every_promise_is_measured_and_drawn() -> None:
    import bench_complexity as bench
    import complexity_page as page
    import pages

    promised = set(bench.PROMISES)
    drawn = {(axis, what) for axis, panels in page.PANELS.items() for _, _, names in panels for what in names}
    assert set(page.curves()) == promised
    assert drawn <= promised
    in_tables = {("actions", "record"), ("actions", "interests"), ("dimensions", "index, on disk")}
    assert promised - drawn == in_tables
    assert list(page.AXES) == list(bench.AXES)
    for panels in page.PANELS.values():
        assert all(len(names) <= len(pages.COLORS) for _, _, names in panels)


def test_the_committed_curves_reach_over_the_whole_of_their_ranges() -> None:
    import bench_complexity as bench
    import complexity_page as page
    from fitting import upper_half

    of_fits = {"users": bench.FULL.fit_users, "items": bench.FULL.fit_items}
    for (axis, what), curve in page.curves().items():
        sizes = of_fits[axis] if what.startswith(page.FIT) else getattr(bench.FULL, axis)
        assert curve["sizes"] == [n for n in sizes if n >= curve["sizes"][0]]
        assert sum(upper_half(curve["sizes"])) >= 2


def test_requests_are_measured_in_every_mode_for_as_many_interests_as_are_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import bench_complexity as bench
    import complexity_points as points
    from pinnersage.ranking.serving import RankedRetriever
    from pinnersage.retrieval.retriever import Retriever

    asked: set[tuple[str, int]] = set()
    ask, ask_ranked = Retriever.recommend, RankedRetriever.recommend

    def seen(self: Any, record: Any, k: int, **options: Any) -> Any:
        found = ask(self, record, k, **options)
        asked.add((options["mode"], options["n_interests"]))
        assert len(found.rows) >= min(k, points.K)
        return found

    def seen_ranked(self: Any, record: Any, k: int, **options: Any) -> Any:
        found = ask_ranked(self, record, k, **options)
        asked.add(("ranked", options["n_interests"]))
        assert self.ranker.forest.n_trees == 200
        assert len(found.rows) == points.K
        return found

    monkeypatch.setattr(Retriever, "recommend", seen)
    monkeypatch.setattr(RankedRetriever, "recommend", seen_ranked)
    found = points.interests_asked(2, 60, 16, 600, 1)
    assert set(found) == {what for axis, what in bench.PROMISES if axis == "interests"}
    assert asked == {(mode, 2) for mode in points.MODES}
    assert all(len(times) == 1 and times[0] > 0 for times in found.values())


@pytest.mark.parametrize("n_items", [40, 6_000])
def test_a_drawn_ranker_links_as_many_items_as_a_fitted_one_and_all_of_who_asks(n_items: int) -> None:
    import inspect

    import complexity_ranker
    from pinnersage.ranking.linking import links_before

    defaults = {name: p.default for name, p in inspect.signature(links_before).parameters.items()}
    own = np.arange(3, n_items, 7, dtype=np.int32)
    links = complexity_ranker.drawn_links(own, n_items)
    n_linked = min(n_items, defaults["n_items_linked"])
    assert len(links.linked) == n_linked
    assert np.all(np.diff(links.linked) > 0)
    assert np.isin(own, links.linked).all()
    wanted = {"regression": "n_links", "shrunk_regression": "n_shrunk_links", "cosine": "n_links"}
    for measure, most in wanted.items():
        of_items, n_kept = getattr(links, measure), min(n_linked, defaults[most])
        assert np.diff(of_items.offsets).tolist() == [n_kept] * n_linked
        columns = of_items.columns.reshape(n_linked, n_kept)
        assert np.all(np.diff(columns, axis=1) > 0)
        assert 0 <= columns.min() <= columns.max() < n_linked


def test_what_a_second_stage_costs_is_measured_on_a_log_that_can_be_learnt_from() -> None:
    import bench_complexity as bench
    import complexity_points as points

    found = points.ranker(60, 300, 16)
    assert set(found) == {what for axis, what in bench.PROMISES if axis == "users" and what.startswith("fit")}
    assert all(len(samples) == 1 and samples[0] > 0 for samples in found.values())
