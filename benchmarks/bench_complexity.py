"""How time and memory grow with actions per user, interests asked, users, items and dimensions.

    python benchmarks/bench_complexity.py            writes results/complexity.json (20 to 25 minutes)
    python benchmarks/bench_complexity.py --quick    small sizes, prints only

Times are processor seconds on one thread, every point in a process of its own. Over the upper half
of each range a power law is fitted to the medians; beside it stands what the algorithm promises.
``python benchmarks/complexity_page.py --write`` makes the page docs/complexity.md from the result.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

import complexity_points as points
import complexity_ranker
from common import RESULTS, save
from fitting import fit
from measuring import in_fresh_process

DIM, NARROW = 256, 64
ITEMS_OF_USERS = 10_000
ACTIONS_OF_DIMENSIONS, USERS_OF_DIMENSIONS = 500, 200
ACTIONS_OF_INTERESTS = 2_000
ITEMS_OF_FITS, USERS_OF_FITS = 2_000, 2_000
ACTIONS_OF_MEMORY = 2_000
"""Along dimensions: enough that a peak can be seen."""


class Sizes(NamedTuple):
    """The ranges."""

    actions: tuple[int, ...]
    interests: tuple[int, ...]
    users: tuple[int, ...]
    items: tuple[int, ...]
    dimensions: tuple[int, ...]
    n_items: int
    """On the other axes: of the one user's catalogue, and of the dimensions'."""
    fit_users: tuple[int, ...]
    fit_items: tuple[int, ...]
    """Of the points at which a ranker is fitted."""


FULL = Sizes(
    (20, 50, 100, 200, 500, 1_000, 2_000, 5_000),
    (1, 2, 5, 10, 20, 40, 80, 160),
    (100, 300, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000),
    (1_000, 3_000, 10_000, 30_000, 60_000, 100_000, 300_000, 1_000_000),
    (16, 32, 64, 128, 256, 512, 1_024),
    25_000,
    (300, 1_000, 3_000, 10_000, 30_000, 100_000),
    (1_000, 3_000, 10_000, 30_000, 100_000, 300_000),
)
QUICK = Sizes((20, 60, 600), (1, 10), (50, 200), (1_000, 3_000), (16, 64), 3_000, (100, 200), (300, 600))
SMALLEST_MEMORY, SMALLEST_FEW_ALIKE = 500, 30_000

PROMISES: dict[tuple[str, str], tuple[str, float, str]] = {
    ("actions", "ward_clusters"): ("=", 2, "distances of all pairs"),
    ("actions", "ward_clusters, all merged"): ("=", 2, "and a chain that costs as much"),
    ("actions", "scipy linkage"): ("=", 2, "the same algorithm"),
    ("actions", "build_records"): ("=", 2, "Ward, and sorting"),
    ("actions", "record"): ("=", 1, "a few bytes an action"),
    ("actions", "interests"): ("=", 1, "the world's: one a dozen actions"),
    ("actions", "recommend, sampled"): ("<", 1, "three interests are asked, seen items are barred"),
    ("actions", "recommend, budgeted"): ("<", 1, "twenty interests are asked, seen items are barred"),
    ("actions", "recommend, balanced"): ("<=", 1, "each item of the user is held against 400 candidates"),
    ("actions", "recommend, ranked"): ("<=", 1, "so it is, against all that may be ranked; and its links"),
    ("actions", "ward_clusters, peak"): ("=", 2, "4 bytes a pair"),
    ("actions", "scipy linkage, peak"): ("=", 2, "8 bytes a pair once, and a copy"),
    ("interests", "recommend, sampled, cold"): ("<=", 1, "each is a search of the index"),
    ("interests", "recommend, budgeted, cold"): ("<=", 1, "each is a search of the index"),
    ("interests", "recommend, balanced, cold"): ("<=", 1, "each is a search of the index"),
    ("interests", "recommend, ranked, cold"): ("<=", 1, "each is a search of the index"),
    ("interests", "recommend, sampled, warm"): ("<", 1, "each is a look-up; the budget is shared"),
    ("interests", "recommend, budgeted, warm"): ("<", 1, "each is a look-up; the budget is shared"),
    ("interests", "recommend, balanced, warm"): ("<", 1, "each is a look-up; the budget is shared"),
    ("interests", "recommend, ranked, warm"): ("<", 1, "each is a look-up; the budget is shared"),
    ("users", "build_records"): ("=", 1, "users do not touch one another"),
    ("users", "whole build"): ("=", 1, "the same, and the log is sorted"),
    ("users", "whole build, peak"): ("<", 1, "batches are bounded, what is too large is spilled"),
    ("users", "store"): ("=", 1, "a record a user"),
    ("users", "recommend, sampled, warm"): ("<", 0.1, "one look-up in a tree"),
    ("users", "recommend, budgeted, warm"): ("<", 0.1, "one look-up in a tree"),
    ("users", "recommend, balanced, warm"): ("<", 0.1, "one look-up in a tree"),
    ("users", "fit of a ranker"): ("<=", 1, "the log is sorted and counted; users learnt from are drawn"),
    ("users", "fit of a ranker, peak"): ("<=", 1, "the log, and columns of it while it is sorted"),
    ("items", "import of items"): ("=", 1, "each is read, checked and written"),
    ("items", "index"): ("<=", 1.5, "each is coded; above 200,000 held against 4 sqrt(n) centers"),
    ("items", "index, peak"): ("<=", 1, "codes, mapped pages of the embeddings, buffers of tuning"),
    ("items", "index, on disk"): ("=", 1, "a code and a number an item"),
    ("items", "recommend, sampled, cold"): ("<", 1, "a part of the lists of codes is scanned"),
    ("items", "recommend, sampled, warm"): ("<", 0.1, "neighbors come from the cache"),
    ("items", "recommend, budgeted, cold"): ("<", 1, "a part of the lists of codes is scanned"),
    ("items", "recommend, budgeted, warm"): ("<", 0.1, "neighbors come from the cache"),
    ("items", "recommend, balanced, cold"): ("<", 1, "a part of the lists of codes is scanned"),
    ("items", "recommend, balanced, warm"): ("<", 0.1, "neighbors come from the cache"),
    ("items", "recommend, ranked, cold"): ("<", 1, "a part of the lists of codes is scanned"),
    ("items", "recommend, ranked, warm"): ("<", 0.1, "so they do; a ranker links 5,000 items at most"),
    ("items", "index, few alike"): ("<=", 1.5, "each is coded; above 200,000 held against 4 sqrt(n) centers"),
    ("items", "recommend, sampled, cold, few alike"): ("<=", 1, "at worst all codes are scanned"),
    ("items", "recommend, budgeted, cold, few alike"): ("<=", 1, "at worst all codes are scanned"),
    ("items", "recommend, balanced, cold, few alike"): ("<=", 1, "at worst all codes are scanned"),
    ("items", "recommend, ranked, cold, few alike"): ("<=", 1, "at worst all codes are scanned"),
    ("items", "fit of a ranker"): ("<", 1, "5,000 items are linked at most, of the others some are counted"),
    ("items", "fit of a ranker, peak"): ("<", 1, "pairs of 5,000 items at most"),
    ("dimensions", "ward_clusters"): ("<=", 1, "distances; the chain does not see them"),
    ("dimensions", "scipy linkage"): ("<=", 1, "distances; the chain does not see them"),
    ("dimensions", "build_records"): ("<=", 1, "distances, medoids"),
    ("dimensions", "index"): ("<=", 1, "codes in proportion, and re-ranking"),
    ("dimensions", "index, on disk"): ("<=", 1, "half a byte a number"),
    ("dimensions", "ward_clusters, peak"): ("<", 0.5, "4 bytes a pair; embeddings are small beside them"),
    ("dimensions", "scipy linkage, peak"): ("<", 0.5, "8 bytes a pair; embeddings are small beside them"),
    ("dimensions", "index, peak"): ("<=", 1, "codes, mapped pages of the embeddings, buffers of tuning"),
    ("dimensions", "recommend, sampled, cold"): ("<=", 1, "codes and re-ranking"),
    ("dimensions", "recommend, sampled, warm"): ("<", 1, "near-duplicates and the order of the list"),
    ("dimensions", "recommend, budgeted, cold"): ("<=", 1, "codes and re-ranking"),
    ("dimensions", "recommend, budgeted, warm"): ("<", 1, "near-duplicates in the list"),
    ("dimensions", "recommend, balanced, cold"): ("<=", 1, "codes, re-ranking, cosines to the user's items"),
    ("dimensions", "recommend, balanced, warm"): ("<=", 1, "cosines to the user's items"),
    ("dimensions", "recommend, ranked, cold"): ("<=", 1, "codes, re-ranking, cosines to the user's items"),
    ("dimensions", "recommend, ranked, warm"): ("<", 1, "cosines to the user's items; trees do not see them"),
}
"""Axis and quantity -> whether the exponent is a number, at most it or below it (``= <= <``), and why."""


class Curves:
    """Collects points and turns them into curves with their fits."""

    def __init__(self, axis: str) -> None:
        self._axis = axis
        self._found: dict[str, dict[int, list[float]]] = {}

    def add(
        self, size: int, measure: Callable[..., dict[str, list[float]]], *rest: Any, suffix: str = ""
    ) -> None:
        """Measure a point in a fresh process; keep what a promise is known for."""
        started = time.perf_counter()
        for what, samples in in_fresh_process(measure, *rest).items():
            if (self._axis, what + suffix) in PROMISES:
                self._found.setdefault(what + suffix, {})[size] = samples
        print(
            f"{self._axis} {size} {measure.__name__} {time.perf_counter() - started:.1f} s", file=sys.stderr
        )

    def to_list(self) -> list[dict[str, Any]]:
        """Return plain values."""
        return [curve(self._axis, what, by_size) for what, by_size in self._found.items()]


def curve(axis: str, what: str, by_size: dict[int, list[float]]) -> dict[str, Any]:
    sizes, samples = list(by_size), [[float(f"{x:.4g}") for x in by_size[n]] for n in by_size]
    sign, exponent, why = PROMISES[axis, what]
    return {
        "axis": axis,
        "what": what,
        "unit": unit_of(what),
        "promise": {"sign": sign, "exponent": exponent, "why": why},
        "fit": fit(sizes, samples),
        "sizes": sizes,
        "samples": samples,
    }


def unit_of(what: str) -> str:
    if what.endswith("peak"):
        return "MB"
    if what in ("record", "store", "index, on disk"):
        return "bytes"
    return "count" if what == "interests" else "s"


def memory_of(n: int, dim: int) -> dict[str, list[float]]:
    """Return the peaks of both clusterings; called in the parent, each is a process of its own."""
    return {
        f"{which}, peak": [in_fresh_process(points.ward_memory, n, dim, which) for _ in range(3)]
        for which in ("ward_clusters", "scipy linkage")
    }


def along_actions(curves: Curves, sizes: Sizes, rounds: int) -> None:
    for n in sizes.actions:
        curves.add(n, points.ward, n, DIM, rounds)
        curves.add(n, points.one_user, n, DIM, sizes.n_items, rounds)
        if n >= SMALLEST_MEMORY:
            curves.add(n, memory_of, n, DIM)


def along_interests(curves: Curves, sizes: Sizes, rounds: int) -> None:
    n_actions = min(ACTIONS_OF_INTERESTS, sizes.n_items // 5)
    for n in sizes.interests:
        curves.add(n, points.interests_asked, n, n_actions, DIM, sizes.n_items, rounds)


def along_users(curves: Curves, sizes: Sizes, rounds: int) -> None:
    for n in sizes.users:
        n_rounds = 3 if n > 20_000 else rounds
        curves.add(n, points.many_users, n, NARROW, ITEMS_OF_USERS, n_rounds)
        curves.add(n, points.users, n, NARROW, ITEMS_OF_USERS, min(3, rounds))
    for n in sizes.fit_users:
        curves.add(n, points.ranker, n, ITEMS_OF_FITS, NARROW)


def along_items(curves: Curves, sizes: Sizes, rounds: int) -> None:
    for n in sizes.items:
        n_rounds = 2 if n > 300_000 else min(3, rounds)
        curves.add(n, points.items, n, NARROW, n_rounds)
        if n >= SMALLEST_FEW_ALIKE:
            curves.add(n, points.items, n, NARROW, n_rounds, points.FEW_ALIKE, suffix=", few alike")
    for n in sizes.fit_items:
        curves.add(n, points.ranker, USERS_OF_FITS, n, NARROW)


def along_dimensions(curves: Curves, sizes: Sizes, rounds: int) -> None:
    for dim in sizes.dimensions:
        curves.add(dim, points.ward, ACTIONS_OF_DIMENSIONS, dim, rounds)
        curves.add(dim, memory_of, ACTIONS_OF_MEMORY, dim)
        curves.add(dim, points.many_users, USERS_OF_DIMENSIONS, dim, sizes.n_items, rounds)
        curves.add(dim, points.items, sizes.n_items, dim, min(3, rounds))


AXES = {
    "actions": along_actions,
    "interests": along_interests,
    "users": along_users,
    "items": along_items,
    "dimensions": along_dimensions,
}


def run(sizes: Sizes, rounds: int, axes: list[str]) -> list[dict[str, Any]]:
    points.warm_up()
    found: list[dict[str, Any]] = []
    with threadpool_limits(1):
        for axis in axes:
            curves = Curves(axis)
            AXES[axis](curves, sizes, rounds)
            found += curves.to_list()
    return found


def kept_curves(axes: list[str]) -> list[dict[str, Any]]:
    """Return the committed curves along other axes."""
    path = RESULTS / "complexity.json"
    if not path.exists():
        return []
    return [curve for curve in json.loads(path.read_text())["curves"] if curve["axis"] not in axes]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--axes", nargs="+", choices=list(AXES), default=list(AXES), help="keep the others")
    arguments = parser.parse_args()
    quick, axes = arguments.quick, arguments.axes
    curves = run(QUICK if quick else FULL, 2 if quick else 7, axes)
    if not quick:
        curves = sorted(curves + kept_curves(axes), key=lambda curve: list(AXES).index(curve["axis"]))
    result: dict[str, Any] = {
        "setting": {
            "max_merge_cost": points.LIMIT, "k": points.K, "actions_per_user": points.PER_USER,
            "actions_per_interest": points.PER_INTEREST,
            "most_alike": [points.FEW_ALIKE, points.MANY_ALIKE], "dim": DIM, "narrow_dim": NARROW,
            "n_items_of_users": ITEMS_OF_USERS, "n_items_of_others": FULL.n_items,
            "n_actions_of_dimensions": ACTIONS_OF_DIMENSIONS, "n_users_of_dimensions": USERS_OF_DIMENSIONS,
            "n_actions_of_memory": ACTIONS_OF_MEMORY, "n_actions_of_interests": ACTIONS_OF_INTERESTS,
            "n_linked": complexity_ranker.N_LINKED, "n_items_of_fits": ITEMS_OF_FITS,
            "n_users_of_fits": USERS_OF_FITS, "n_moments": complexity_ranker.N_MOMENTS,
            "n_users_per_moment": complexity_ranker.N_USERS_PER_MOMENT,
        },
        "curves": curves,
    }  # fmt: skip
    print(json.dumps(result))
    if not quick:
        save("complexity", result)


if __name__ == "__main__":
    main()
