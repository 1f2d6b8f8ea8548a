"""The paper's table and orderings on worlds with planted interests, by the evaluation itself.

    python benchmarks/bench_planted.py            writes benchmarks/results/planted.json (an hour)
    python benchmarks/bench_planted.py --quick    one small world, prints only

The base world has a million items; its numbers say what the properties mean (``planted_world.py``)
and none was chosen by looking at results. Then one property at a time is changed, in worlds of
100,000 items; last, several together (``planted_regime.py``), chosen in small worlds and told in a large
one. Every arm has 400 items; intervals (95 %) are over users, all arms on the same ones.
``python benchmarks/planted_page.py --write`` makes the page docs/planted.md from the result.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from threadpoolctl import threadpool_limits

from common import RESULTS, save
from pinnersage.config import BuildConfig, InterestConfig
from pinnersage.evaluation.arms.interests import Interests
from pinnersage.evaluation.arms.untrained import Parts
from pinnersage.evaluation.replay import Arm, ReplayLog
from pinnersage.evaluation.report import Report
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.settings import EvaluationConfig
from planted_regime import TOLD_SEED, TRIED_SEED, combinations, score
from planted_world import FOREVER_DAYS, World, make_world

BUDGET = 400
PARTS = ("base", "sweeps", "regime")
LIMIT = InterestConfig().max_merge_cost
PAPER_ARMS = (
    "last-item", "mean-0.01", "sampled-1", "sampled-3-kmeans-5", "sampled-3-complete", "sampled-3-centroid",
    "sampled-3-decay-0", "sampled-3-decay-0.1", "sampled-3",
)  # fmt: skip
FEW_ARMS = (*PAPER_ARMS, "top-20")
ALL_ARMS = (
    *PAPER_ARMS, "top-20", "top-40", "all-interests", "popular-30d", "oracle-kmeans-3", "oracle-past-items",
)  # fmt: skip
N_ASKED = (1, 2, 3, 5, 10)
METRICS = ("relevance", "recall", "r_precision", "reciprocal_rank")
ORDERINGS = {
    "three embeddings / one": ("sampled-3", "sampled-1"),
    "three embeddings / mean": ("sampled-3", "mean-0.01"),
    "twenty interests / mean": ("top-20", "mean-0.01"),
    "Ward / k-means 5": ("sampled-3", "sampled-3-kmeans-5"),
    "Ward / complete linkage": ("sampled-3", "sampled-3-complete"),
    "medoid / centroid": ("sampled-3", "sampled-3-centroid"),
    "decay 0.01 / 0": ("sampled-3", "sampled-3-decay-0"),
    "decay 0.01 / 0.1": ("sampled-3", "sampled-3-decay-0.1"),
}
SMALL = World(n_items=100_000, n_users=300, n_crowd=0, n_measured_days=7)
STILL = {"lifetime_days": FOREVER_DAYS, "idle_days": 0.0}
SWEEPS: dict[str, dict[str, dict[str, Any]]] = {
    "as it is": {"100,000 items": {}},
    "interests at a time": {str(n): {"n_interests": (n, n)} for n in (1, 2, 4, 8, 16)},
    "drift": {
        "none": STILL,
        "lives 60 days, no rests": {"lifetime_days": 60.0, "idle_days": 0.0},
        "slow: lives 360, spells 30, rests 60 days": {
            "lifetime_days": 360.0, "spell_days": 30.0, "idle_days": 60.0,
        },
        "fast: lives 30, spells 3, rests 6 days": {
            "lifetime_days": 30.0, "spell_days": 3.0, "idle_days": 6.0,
        },
    },
    "largest cost of a merge": {
        **{f"{limit:g}": {"limit": limit} for limit in (0.75, 3.0, 6.0)},
        "6, outliers 30%": {"limit": 6.0, "outlier_share": 0.3},
    },
    "spread of a topic": {
        f"{spread:g} (cosine {1 / (1 + spread**2):.2f})": {"spread": spread} for spread in (0.35, 0.5, 1.0)
    },
    "outliers": {f"{share:.0%}": {"outlier_share": share} for share in (0.0, 0.3)},
    "items of a topic": {f"{n:,}": {"n_items_per_topic": n} for n in (100, 2_500)},
    "number of items": {f"{n:,}": {"n_items": n} for n in (5_000, 20_000)},
    "interests in one field": {f"{share:.0%}": {"sibling_share": share} for share in (0.0, 0.8)},
    "another draw": {f"seed {seed}": {"seed": seed} for seed in (2, 3)},
}  # fmt: skip


def run_world(world: World, arms: tuple[str, ...], limit: float, asked: tuple[int, ...] = ()) -> Report:
    """Draw a world and evaluate arms on its measured days."""
    planted = make_world(world)

    def more(log: ReplayLog, parts: Parts) -> list[Arm]:  # noqa: ARG001
        return [
            Interests(
                f"asked-{n}", parts.neighbors, "equal", "score", parts.records, parts.config, n, sampled=True
            )
            for n in asked
        ]

    with tempfile.TemporaryDirectory() as folder:
        return evaluate_log(
            planted.log,
            out_dir=folder,
            config=BuildConfig(n_threads=1, interests=InterestConfig(max_merge_cost=limit)),
            evaluation=EvaluationConfig(budgets=(BUDGET,)),
            first_day_ms=planted.first_day_ms,
            n_days=world.n_measured_days,
            arms=arms,
            more_arms=more,
            about={
                "planted": {
                    "n_interests": round(float(planted.n_interests.mean()), 2),
                    "outlier_share": round(planted.outlier_share, 3),
                }
            },
        )


def told(value: Any) -> list[float | None]:
    figures = value.to_dict()
    return [None if figures[x] is None else round(figures[x], 3) for x in ("value", "low", "high")]


def facts(report: Report, world: World, limit: float, wall_s: float) -> dict[str, Any]:
    """Return what a world was and what came out."""
    n_interests = report.traits["n_interests"]
    return {
        "world": asdict(world),
        "max_merge_cost": limit,
        "planted": report.about["planted"],
        "measured": report.about["measured"],
        "n_interests_found": round(float(n_interests.mean()), 2),
        "relevance": {arm: told(report.mean(arm, "relevance", budget=str(BUDGET))) for arm in report.arms},
        "recall": {arm: told(report.mean(arm, "recall", budget=str(BUDGET))) for arm in report.arms},
        "diversity": {arm: told(report.mean(arm, "diversity", budget=str(BUDGET))) for arm in report.arms},
        "ratios": {
            name: {metric: told(report.lift(a, b, metric, budget=str(BUDGET))) for metric in METRICS}
            for name, (a, b) in ORDERINGS.items()
            if a in report.arms and b in report.arms
        },
        "wall_s": round(wall_s, 1),
    }


def over_last_item(report: Report) -> dict[str, dict[str, list[float | None]]]:
    """Return the paper's table: each arm's lift over the last item."""
    return {
        arm: {metric: told(report.lift(arm, "last-item", metric, budget=str(BUDGET))) for metric in METRICS}
        for arm in report.arms
        if arm != "last-item"
    }


def study(name: str, world: World, arms: tuple[str, ...], limit: float = LIMIT) -> dict[str, Any]:
    """Evaluate one world; the base also gives the paper's table and the number of embeddings asked."""
    started = time.perf_counter()
    is_base = arms == ALL_ARMS
    report = run_world(world, arms, limit, N_ASKED if is_base else ())
    found = facts(report, world, limit, time.perf_counter() - started)
    print(f"{name}: {found['wall_s']} s", file=sys.stderr)
    return found | ({"lifts": over_last_item(report)} if is_base else {})


def studies() -> Iterator[tuple[str, str, World, float]]:
    """Yield sweep, value, world and limit."""
    for sweep, values in SWEEPS.items():
        for value, changes in values.items():
            yield sweep, value, *_changed(SMALL, changes)


def regime(result: dict[str, Any]) -> None:
    """Try combinations of properties in small worlds, and tell the best one in a large world of its own."""
    tried = result["regime"] = {"tried": {}}
    named = dict(combinations())
    for told, changes in named.items():
        world, limit = _changed(replace(SMALL, seed=TRIED_SEED), changes)
        tried["tried"][told] = study(told, world, FEW_ARMS, limit)
        save("planted", result)
    best = max(named, key=lambda told: score(tried["tried"][told]))
    world, limit = _changed(World(seed=TOLD_SEED), named[best])
    result["regime"] |= {"chosen": best, "told": study(f"regime: {best}", world, FEW_ARMS, limit)}
    save("planted", result)


def _changed(world: World, changes: dict[str, Any]) -> tuple[World, float]:
    """Return a world with changes, and the limit of a merge."""
    of_world = {name: what for name, what in changes.items() if name != "limit"}
    return replace(world, **of_world), changes.get("limit", LIMIT)


def run(parts: list[str]) -> dict[str, Any]:
    """Study all worlds; what is done is saved after each, for a full run takes long."""
    path = RESULTS / "planted.json"
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if "base" in parts:
        result["base"] = study("base", World(), ALL_ARMS)
        save("planted", result)
    if "sweeps" in parts:
        result["sweeps"] = {}
        for sweep, value, world, limit in studies():
            found = study(f"{sweep}, {value}", world, FEW_ARMS, limit)
            result["sweeps"].setdefault(sweep, {})[value] = found
            save("planted", result)
    if "regime" in parts:
        regime(result)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="keep the others")
    arguments = parser.parse_args()
    with threadpool_limits(1):
        if arguments.quick:
            world = replace(SMALL, n_items=20_000, n_users=60, n_crowd=100)
            result = {"base": study("quick", world, ALL_ARMS)}
        else:
            result = run(arguments.parts)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
