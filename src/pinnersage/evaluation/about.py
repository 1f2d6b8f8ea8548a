"""What a report says of itself: data, span, what was left out, settings, versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from pinnersage._times import rfc3339
from pinnersage.config import MS_PER_DAY, BuildConfig
from pinnersage.evaluation.contexts import DayContext, impressions_found
from pinnersage.evaluation.replay import Day, ReplayLog
from pinnersage.evaluation.saved import log_digest
from pinnersage.evaluation.settings import EvaluationConfig


def n_items_of_first_day(days: list[Day]) -> int:
    """Return the size of the pool on the first day that has users; earlier ones may have no pool yet."""
    return int(next(day for day in days if day.n_users).pool.sum())


def about_of(
    log: ReplayLog,
    days: list[Day],
    n_days: int,
    budgets: dict[str, int],
    config: BuildConfig,
    evaluation: EvaluationConfig,
    impressions: ReplayLog | None,
    vectors: str,
) -> dict[str, Any]:
    """Return the facts of an evaluation, as plain values; results are kept under a digest of them."""
    span = (days[0].start_ms, days[0].start_ms + n_days * MS_PER_DAY)
    return {
        "data": {
            "n_users": log.n_users,
            "n_items": log.n_items,
            "n_actions": len(log.item_rows),
            "oldest_action": rfc3339(int(log.times_ms.min())),
            "newest_action": rfc3339(int(log.times_ms.max())),
        },
        "span": {"from": rfc3339(span[0]), "until": rfc3339(span[1]), "n_days": n_days},
        "measured": _measured(days),
        "pool": {
            "n_items_first_day": n_items_of_first_day(days),
            "n_items_last_day": int(days[-1].pool.sum()),
        },
        "budgets": budgets,
        "impressions": "drawn evenly from the pool" if impressions is None else "real",
        "config": config.model_dump(mode="json", include={"interests", "retrieval", "ranking"}),
        "evaluation": evaluation.model_dump(mode="json"),
        "versions": _versions(),
        "vectors": vectors,
        "log_digest": log_digest(log),
        "impressions_digest": None if impressions is None else log_digest(impressions),
    }


def span_facts(log: ReplayLog, contexts: list[DayContext], days: list[Day]) -> dict[str, Any]:
    """Return how many days hold no action at all, and how many impressions were found."""
    acted = np.unique(log.times_ms // MS_PER_DAY)
    n_acted = int(np.isin([day.start_ms // MS_PER_DAY for day in days], acted).sum())
    return {
        "n_days_without_actions": len(days) - n_acted,
        "impressions_found": impressions_found(contexts),
    }


def days_told(about: Mapping[str, Any]) -> str:
    """Return what to say of days in the span on which nothing happened; empty where something did on all."""
    n_empty = about.get("n_days_without_actions") or 0
    if not n_empty:
        return ""
    newest, n_days = about["data"]["newest_action"][:10], about["span"]["n_days"]
    verb = "holds" if n_empty == 1 else "hold"
    return f"{n_empty:,} of these {n_days:,} days {verb} no action; the log ends on {newest}"


def found_told(about: Mapping[str, Any]) -> str:
    """Return how many of the users measured stand in the table of users; empty without such a table."""
    n_found = about.get("n_users_in_table")
    if n_found is None:
        return ""
    verb = "stands" if n_found == 1 else "stand"
    return f"{n_found:,} of the {about['measured']['n_users']:,} users measured {verb} in the table of users"


def impressions_told(about: Mapping[str, Any]) -> str:
    """Return in words what targets were ranked against."""
    n = (about.get("evaluation") or {}).get("n_impressions_per_action")
    found = about.get("impressions_found") or {}
    if about["impressions"] != "real":
        return f"not real: {about['impressions']}" + (f"; {n:,} per target" if n else "")
    if not found:
        return "real, as given"
    share, mean = found["share_of_user_days"], found["mean_per_target"]
    some = f"{mean:.1f} for each target there, {n:,} at most; " if mean is not None and n else ""
    return f"real, as given: on {share:.1%} of the user-days, {some}the other user-days do not count"


def origin_told(origin: Mapping[str, Any] | None) -> str:
    """Return in words, to stand behind others, what a table of items tells of its embeddings.

    Examples
    --------
    >>> origin_told({"source": "log", "until": "2024-04-16T00:00:00Z", "version": "0.1.0"})
    '; made by pinnersage embed 0.1.0 (log) from actions before 2024-04-16T00:00:00Z'
    """
    if not origin:
        return "; the items do not tell how these were made"
    log = f" from actions before {origin['until']}" if origin["until"] else ", without the log"
    return f"; made by pinnersage embed {origin['version']} ({origin['source']}){log}"


def _measured(days: list[Day]) -> dict[str, int]:
    n_targets = sum(len(day.target_rows) for day in days)
    n_first = int(sum(day.first_time.sum() for day in days))
    return {
        "n_users": len(np.unique(np.concatenate([day.users for day in days]))),
        "n_user_days": sum(day.n_users for day in days),
        "n_targets": n_targets,
        "n_first_time_targets": n_first,
        "n_repeat_targets": n_targets - n_first,
        "n_left_out_not_in_pool": sum(day.n_not_in_pool for day in days),
        "n_left_out_too_few_actions": sum(day.n_newcomers for day in days),
    }


def _versions() -> dict[str, str]:
    """Return the versions of all that figures may depend on, as far as it is installed."""
    found = {"python": platform.python_version()}
    for name in (
        "pinnersage",
        "numpy",
        "numba",
        "scikit-learn",
        "scipy",
        "implicit",
        "torch",
        "torch-rechub",
    ):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
