"""The plain values of a metrics.json: written out, not measured."""

from __future__ import annotations

import copy
import itertools
from typing import Any

from pinnersage.evaluation.arms.names import GROUPS
from pinnersage.evaluation.saved import FORMAT

ARMS: dict[str, dict[str, Any]] = {
    "last-item": {"kind": "LastItem"},
    "mean-0.01": {"kind": "DecayedMean", "decay_per_day": 0.01},
    "popular-30d": {"kind": "Popular", "n_days": 30},
    "sampled-1": {"kind": "Interests", "n_interests": 1, "sampled": True},
    "sampled-3": {"kind": "Interests", "n_interests": 3, "sampled": True},
    "top-20": {"kind": "Interests", "n_interests": 20, "sampled": False},
    "all-interests": {"kind": "Interests", "n_interests": None, "sampled": False},
    "top-40-ranked": {"kind": "Ranked", "config": {"n_trees": 100, "shares": [0.5, 0.25]}},
    "ease": {"kind": "EaseArm", "l2": 300.0},
    "oracle-past-items": {"kind": "PastItemsOracle"},
}
METRICS = (
    "relevance", "recall", "ndcg", "r_precision", "reciprocal_rank", "diversity", "novelty", "calibration",
)  # fmt: skip
BUDGETS = {"40": 40, "1%": 12}
SLICES = ("first_time", "repeat", "all")
TRAITS = {"activity": (0, 400), "history_days": (1, 90), "n_interests": (1, 60)}


def figure(value: float, *, width: float = 0.01) -> dict[str, float | int]:
    low, high = round(value - width, 6), round(value + 1.5 * width, 6)
    return {"value": value, "low": low, "high": high, "n_users": 77}


def _varied() -> itertools.count[float]:
    return itertools.count(1)


def values(arms: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return values in which no two figures are equal, so that a figure in a wrong place is seen."""
    arms = ARMS if arms is None else arms
    n = _varied()

    def one(scale: float = 1.0) -> dict[str, float | int]:
        return figure(round(scale * (0.031 + 0.000_37 * next(n)), 6))

    results = [
        {"arm": arm, "oracle": arm.startswith("oracle"), "budget": budget, "n_items": n_items, "slice": part}
        | {"metrics": {m: one(20 if m == "novelty" else 1) for m in METRICS} | {"coverage": {"value": 0.5}}}
        for budget, n_items in BUDGETS.items()
        for part in SLICES
        for arm in arms
    ]
    lifts = [
        {"arm": arm, "over": base, "budget": budget, "slice": part}
        | {"metrics": {m: one(8) for m in METRICS[:5]}}
        for budget in BUDGETS
        for part in SLICES
        for base in ("last-item", "mean-0.01")
        if base in arms
        for arm in arms
        if arm != base
    ]
    return {
        "format": FORMAT,
        "about": about(),
        "verdict": [
            "Many interests beat one vector on recall by 1.30x [1.16, 1.47] "
            "(top-20 against mean-0.01, first-time items, budget 1%).",
            "Many interests do not beat popularity on recall, they lose: 0.65x [0.60, 0.69] "
            "(top-20 against popular-30d, first-time items, budget 40).",
            "Ward and k-means with 5 clusters cannot be told apart on recall: 0.96x [0.90, 1.02] "
            "(sampled-3 against sampled-3-kmeans-5, first-time items, budget 40).",
        ],
        "results": results,
        "costs": {
            arm: {"oracle": arm.startswith("oracle"), "fit_seconds": 0.25 * i, "recommend_seconds": 1.5 + i}
            | {"cpu_seconds": 2.25 + i, "median_ms_per_list": 0.0625 * (i + 1)}
            | {"settings": settings | {"name": arm, "fitted": {}}}
            for i, (arm, settings) in enumerate(arms.items())
        },
        "lifts": lifts,
        "trait_means": {"activity": 41.5, "n_interests": 17.25},
        "groups": _groups(arms, one, METRICS),
        "group_lifts": [
            row | {"over": "mean-0.01"}
            for row in _groups(arms, lambda: one(12), METRICS[:2])
            if row["arm"] != "mean-0.01" and row["slice"] == "first_time" and "mean-0.01" in arms
        ],
    }


def _groups(arms: dict[str, Any], one: Any, metrics: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"by": by, "group": group, "from": float(least + k), "to": float(least + k + most), "budget": budget}
        | {"slice": part, "arm": arm, "metrics": {m: one() for m in metrics}}
        for budget in BUDGETS
        for by, (least, most) in TRAITS.items()
        for k, group in enumerate(("low", "middle", "high"))
        for part in SLICES
        for arm in arms
    ]


def about() -> dict[str, Any]:
    return {
        "data": {
            "n_users": 1234, "n_items": 1200, "n_actions": 98765,
            "oldest_action": "2020-01-01T00:00:00Z", "newest_action": "2020-06-30T23:00:00Z",
        },
        "span": {"from": "2020-06-01T00:00:00Z", "until": "2020-06-08T00:00:00Z", "n_days": 7},
        "measured": {
            "n_users": 77, "n_user_days": 321, "n_targets": 3000, "n_first_time_targets": 1700,
            "n_repeat_targets": 1300, "n_left_out_not_in_pool": 41, "n_left_out_too_few_actions": 52,
        },
        "pool": {"n_items_first_day": 1190, "n_items_last_day": 1199},
        "budgets": BUDGETS,
        "impressions": "drawn evenly from the pool",
        "config": {"interests": {"max_merge_cost": 1.5, "decay_per_day": 0.01}},
        "evaluation": {"relevance_cosine": 0.8, "n_impressions_per_action": 20},
        "versions": {"pinnersage": "0.1.0", "python": "3.11.7"},
        "tables": {
            "items": {"sources": ["items.parquet"], "n_rows": 1210, "n_bad": 10, "reasons": {"zero": 10}},
        },
        "command": "pinnersage evaluate --items items.parquet",
    }  # fmt: skip


def additions() -> dict[str, Any]:
    """Return the parts that not every evaluation has."""
    return {
        "exposure": [
            {"arm": arm, "budget": budget, "slice": part, "gini": 0.71 + 0.01 * i, "coverage": 0.2 + 0.01 * i}
            | {"popularity_lift": 1.9 - 0.1 * i, "top_1_percent_share": None if i else 0.33}
            | {
                "intervals": {"gini": [0.7, 0.8 + 0.01 * i]},
                "groups": [
                    dict[str, Any](by=by, group=f"{by} {k}", share=0.4 / k, pool_share=0.3 / k)
                    | {"history_share": None if by == "provider" else 0.2 / k}
                    for by in ("category", "provider", "popularity")
                    for k in (1, 2, 3)
                ],
            }
            for budget in BUDGETS
            for part in ("first_time", "all")
            for i, arm in enumerate(("mean-0.01", "top-20"))
        ],
        "utility_gaps": [
            {
                "arm": arm,
                "budget": budget,
                "metric": metric,
                "by": by,
                "low_group": "low",
                "high_group": "high",
            }
            | {"gap": {"value": 0.02 - 0.03 * i, "low": 0.01 - 0.03 * i, "high": 0.03 - 0.03 * i}}
            for budget in BUDGETS
            for by in ("activity", "history_days")
            for metric in ("recall", "relevance")
            for i, arm in enumerate(("mean-0.01", "top-20"))
        ],
        "interest_quality": {
            "n_users": 300,
            "n_interests_per_user": {"value": 17.5, "low": 16.5, "high": 18.5},
            "silhouette": {"value": 0.21, "low": 0.2, "high": 0.22},
            "purity": None,
            "stability": {"value": 0.81, "low": 0.8, "high": 0.82},
            "found_again": {"value": 0.91, "low": 0.9, "high": 0.92},
            "n_draws": 20,
        },
        "interest_calibration": [
            {"arm": arm, "budget": budget}
            | {
                "rows": [
                    {"rank": k, "importance_share": 0.5 / k, "list_share": 0.4 / k, "target_share": 0.3 / k}
                    for k in range(1, 12)
                ]
            }
            for budget in BUDGETS
            for arm in ("mean-0.01", "top-20")
        ],
        "knobs": [
            {"knob": knob, "value": value, "arm": f"top-{value}", "relevance": 0.1 + 0.01 * i}
            | {"recall": 0.08 + 0.01 * i, "diversity": 0.5 + 0.05 * i, "calibration": 2 - 0.4 * i}
            | {"coverage": 0.3, "gini": None if i else 0.8, "popularity_lift": 1.5}
            for knob, turned in (("n_interests", (1, 3, 20, "all")), ("sharing", ("equal", "proportional")))
            for i, value in enumerate(turned)
        ],
    }


def with_gains(told: dict[str, Any]) -> dict[str, Any]:
    """Return values in which an arm tells what its rankers go by, as a second stage does."""
    first = {"age_days": 0.125, "trend_30_days": 0.5, "best_cosine": 0.25, "ever": 0.0625, "own_due": 0.0}
    fitted = {"first_time": {"n_trees": 8, "gains": first}, "all": {"n_trees": 8, "gains": {"own_due": 1.0}}}
    costs = copy.deepcopy(told["costs"])
    costs["top-40-ranked"]["settings"]["fitted"] = fitted
    return told | {"costs": costs}


_KINDS = {"mean": "DecayedMean", "last": "LastItem", "popular": "Popular", "oracle": "PastItemsOracle"}


def forty() -> dict[str, Any]:
    """Return values of every arm that there is, whose figures lie as close to each other as real ones do."""
    arms = {name: _settings(name, group) for group, names in GROUPS.items() for name in names}
    told = values(arms) | additions()
    places = {arm: i for i, arm in enumerate(arms)}
    for row in told["results"]:
        k = places[row["arm"]]
        near = 0.002 if k % 5 else 0.03
        for metric, middle in (("relevance", 0.4), ("recall", 0.1), ("diversity", 0.6)):
            row["metrics"][metric] = figure(middle + near * ((k * 7 + len(metric)) % 11 - 5), width=0.02)
    for arm, cost in told["costs"].items():
        cost["median_ms_per_list"] = 0.5 + 0.01 * (places[arm] * 13 % 17) + 0.3 * (places[arm] % 3)
    return told


def _settings(name: str, group: str) -> dict[str, Any]:
    if name.endswith("ranked"):
        return {"kind": "Ranked"}
    if group == "trained":
        return {"kind": "SequenceArm"}
    first, _, rest = name.partition("-")
    if first in _KINDS:
        return {"kind": _KINDS[first]}
    n = rest.partition("-")[0]
    number = {"n_interests": int(n) if n.isdigit() else None}
    return {"kind": "Interests"} | number | ({"sampled": True} if first == "sampled" else {})


def with_blanks(told: dict[str, Any]) -> dict[str, Any]:
    """Return values with groups without lift: nothing to divide by, nobody there; and with a lift of 0."""
    told = copy.deepcopy(told)
    for row in [*told["groups"], *told["group_lifts"]]:
        row["n_users"] = 12
        by, group, recall = row["by"], row["group"], row["metrics"]["recall"]
        is_lift = "over" in row
        if (by, group) == ("activity", "low") and (is_lift or row["arm"] == "mean-0.01"):
            recall |= {"value": None if is_lift else 0.0, "low": None, "high": None, "n_users": 12}
        if (by, group) == ("history_days", "middle"):
            nobody = {"value": None, "low": None, "high": None, "n_users": 0}
            row["metrics"] = dict.fromkeys(row["metrics"], nobody)
        if (by, group) == ("n_interests", "high") and row["arm"] == "ease":
            recall |= {"value": 0.0, "low": 0.0, "high": 0.0}
    return told
