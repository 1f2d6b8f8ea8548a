"""How good the interests of the users measured are as clusters: tight, pure, found again.

Measured once per evaluation, as of the first day, on a sample of users and of their actions.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pinnersage._arrays import Float64s, Int32s
from pinnersage.config import InterestConfig
from pinnersage.evaluation.bootstrap import means, resamples
from pinnersage.evaluation.neighbors import in_parts
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.interests.build import build_records
from pinnersage.interests.quality import normalized_mutual_information, purity, silhouette
from pinnersage.interests.record import UserRecord
from pinnersage.interests.stability import item_labels, part_of, stability

FIGURES = (
    "n_interests_per_user",
    "silhouette",
    "purity",
    "purity_at_random",
    "normalized_mutual_information",
    "stability",
    "found_again",
)
N_USERS, MAX_ACTIONS, N_DRAWS, KEPT_SHARE = 300, 300, 20, 0.8
_OF_CATEGORIES = FIGURES[2:5]
_N_DEALS = 10


def interest_quality(
    log: ReplayLog,
    users: Int32s,
    at_ms: int,
    config: InterestConfig,
    *,
    seed: int = 0,
    n_resamples: int = 1_000,
    n_threads: int = 1,
) -> dict[str, Any]:
    """Measure the interests that up to 300 users have at a time, with 95 % intervals over users.

    All figures are of a user's distinct items. Users with one interest, or with nothing but interests
    of a single item, have neither silhouette nor stability; of users with more than 300 actions in the
    window a random 300 are clustered anew for all figures but the number of interests.

    Parameters
    ----------
    log
        All actions; those from ``at_ms`` on are not looked at.
    users
        int32 positions in the log, to draw from.
    at_ms
        The time.
    config
        How actions become interests.
    seed
        Of all draws.
    n_resamples
        Of the users, for intervals.
    n_threads
        The figures do not depend on it.

    Returns
    -------
    quality
        ``n_users``, settings, and of each of :data:`FIGURES` value, interval and users; those against
        categories are None where the items have none. ``stability`` is the adjusted Rand index between
        the interests and those of 80 % of the actions, ``found_again`` the share of interests met
        again, ``purity_at_random`` the purity with categories dealt at random among a user's items.
    """
    known = log.before(at_ms)
    chosen = drawn_users(known, users, seed)
    batch = build_records(known.actions_of(chosen), known.embeddings, config, at_ms - 1)
    values = np.full((len(chosen), len(FIGURES)), np.nan)

    def work(part: Any) -> None:
        for u in part.tolist():
            own_seed = _seed_of(seed, known.user_ids[chosen[u]])
            values[u] = _of_user(batch.record(u), known, config, own_seed)

    in_parts(work, len(chosen), n_threads)
    values = values[values[:, 0] > 0]
    estimates = means(values, resamples(len(values), n_resamples, seed))
    told = {name: found.to_dict() for name, found in zip(FIGURES, estimates, strict=True)}
    has_categories = log.categories is not None and log.categories.max(initial=-1) >= 0
    settings = {"n_draws": N_DRAWS, "kept_share": KEPT_SHARE, "max_actions": MAX_ACTIONS}
    return (
        {"n_users": len(values)}
        | settings
        | {
            name: found if has_categories or name not in _OF_CATEGORIES else None
            for name, found in told.items()
        }
    )


def drawn_users(known: ReplayLog, users: Int32s, seed: int) -> Int32s:
    """Return up to 300 of the users who have acted, ascending."""
    active = users[np.diff(known.offsets)[users] > 0]
    if len(active) > N_USERS:
        active = np.sort(np.random.default_rng(seed).choice(active, N_USERS, replace=False))
    return active


def _of_user(record: UserRecord, log: ReplayLog, config: InterestConfig, seed: int) -> Float64s:
    """Return the figures of one user, NaN where they say nothing."""
    found = np.full(len(FIGURES), np.nan)
    found[0] = record.n_interests
    if not record.n_interests:
        return found
    record = _cut(record, log, config, seed)
    rows, labels = item_labels(record)
    rows, labels = rows[labels >= 0], labels[labels >= 0]
    known = log.embeddings[rows].any(axis=1)
    found[1] = silhouette(log.embeddings[rows[known]], labels[known])
    if log.categories is not None:
        classes = log.categories[rows]
        found[2:5] = _against(labels[classes >= 0], classes[classes >= 0], seed)
    if np.isfinite(found[1]):
        stable = stability(record, log.embeddings, config, seed=seed, n_draws=N_DRAWS, share=KEPT_SHARE)
        found[5] = stable.adjusted_rand_index
        found[6] = float(np.nanmean(stable.found_again))
    return found


def _cut(record: UserRecord, log: ReplayLog, config: InterestConfig, seed: int) -> UserRecord:
    """Return the record of a random 300 of the actions, the same one when there are no more."""
    if record.n_actions <= MAX_ACTIONS:
        return record
    rng = np.random.default_rng(seed)
    kept = np.sort(rng.choice(record.n_actions, MAX_ACTIONS, replace=False))
    return build_records(part_of(record, [kept]), log.embeddings, config, record.as_of_ms).record(0)


def _against(labels: Int32s, classes: Int32s, seed: int) -> tuple[float, float, float]:
    """Return purity, purity with the classes dealt at random, and normalized mutual information."""
    if not len(labels):
        return np.nan, np.nan, np.nan
    rng = np.random.default_rng(seed)
    dealt = [purity(labels, rng.permutation(classes)) for _ in range(_N_DEALS)]
    return purity(labels, classes), float(np.mean(dealt)), normalized_mutual_information(labels, classes)


def _seed_of(seed: int, user_id: str | int) -> int:
    digest = hashlib.blake2b(f"{seed}/quality/{user_id}".encode(errors="surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")
