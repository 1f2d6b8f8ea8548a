"""Which interests are asked, and how the budget of candidates is shared among them. Pure functions."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage._ids import UserId
from pinnersage._kernel import kernel
from pinnersage.config import Representative
from pinnersage.interests.record import UserRecord
from pinnersage.retrieval._scores import as_float32


def seed_of_user(seed: int, user_id: UserId) -> int:
    """Mix the user into the seed of a request: equal seeds must not draw alike for all users."""
    digest = hashlib.sha256(f"{seed}/{user_id}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little")


def sample_interests(importances: Float64s, n: int, seed: int) -> Int64s:
    """Draw ``n`` interests without replacement, in proportion to importance.

    Each interest gets an exponential waiting time with its importance as rate; the ``n`` shortest
    are as likely as ``n`` draws one after the other. Interests of importance 0 come last.

    Source: Efraimidis, Spirakis, "Weighted random sampling with a reservoir", 2006.

    Returns
    -------
    int64 ``(min(n, n_interests),)``, ascending positions.

    Examples
    --------
    >>> sample_interests(np.array([5.0, 0.0, 1.0]), 2, seed=7)
    array([0, 2])
    """
    if n >= len(importances):
        return np.arange(len(importances))
    return _shortest(_waits(seed, len(importances)), importances, n)


@lru_cache(maxsize=16_384)
def _waits(seed: int, n: int) -> Float64s:
    """Return waiting times at rate 1; who asks again draws alike, and a generator costs as much as a list."""
    waits = np.random.default_rng(seed).exponential(size=n)
    waits.flags.writeable = False
    return waits


@kernel
def _shortest(waits: Float64s, rates: Float64s, n: int) -> Int64s:
    """Return the positions of the ``n`` shortest waits at these rates, ascending; the first of equals."""
    chosen = np.argsort(waits / rates, kind="mergesort")[:n]
    chosen.sort()
    return chosen


def sample_others(importances: Float64s, n: int, seed: int, left_out: Int64s) -> Int64s:
    """Draw ``n`` interests as :func:`sample_interests` would if some did not exist, with the same waits.

    Those it draws with the same seed are drawn, but for the ones left out; in their place come the next.

    Examples
    --------
    >>> sample_others(np.array([5.0, 0.0, 1.0]), 1, 7, np.array([0]))
    array([2])
    """
    n_left = min(n, len(importances) - len(left_out))
    for n_drawn in range(n_left, len(importances) + 1):
        drawn = sample_interests(importances, n_drawn, seed)
        others = drawn[~np.isin(drawn, left_out)]
        if len(others) >= n_left:
            return others
    return np.empty(0, np.int64)


def equal_shares(n_interests: int, budget: int) -> Int64s:
    """Return ``floor(budget / n_interests)`` for each interest, at least 1."""
    return np.full(n_interests, max(1, budget // max(1, n_interests)), np.int64)


def proportional_shares(importances: Float64s, budget: int) -> Int64s:
    """Share ``budget`` in proportion to importance, at least 1 each while it lasts.

    Rounded by largest remainder; of equal remainders the earlier interest is served first. Without
    any importance all count the same.

    Examples
    --------
    >>> proportional_shares(np.array([6.0, 3.0, 1.0]), 8)
    array([5, 2, 1])
    >>> proportional_shares(np.array([1000.0, 1.0, 1.0]), 4)
    array([2, 1, 1])
    """
    n = len(importances)
    if n == 0 or budget <= n:
        return (np.arange(n) < budget).astype(np.int64)
    largest = importances.max(initial=0.0)
    scaled = importances / largest if largest > 0 else np.ones(n)
    ideal = budget * (scaled / scaled.sum())
    shares: Int64s = np.maximum(np.floor(ideal).astype(np.int64), 1)
    left = budget - int(shares.sum())
    if left > 0:
        shares[np.argsort(shares - ideal, kind="stable")[:left]] += 1
    for _ in range(-left):  # the 1 each took more than there was
        overpaid = np.where(shares > 1, shares - ideal, -np.inf)
        shares[n - 1 - overpaid[::-1].argmax()] -= 1
    return shares


def query_vectors(
    record: UserRecord, interests: Int64s, embeddings: npt.NDArray[Any], representative: Representative
) -> Float32s:
    """Return what each interest asks the index with, float32 ``(n, dim)``.

    Its medoid's embedding; with ``centroid`` the mean of its actions' embeddings, at unit length.
    """
    if representative == "medoid":
        return as_float32(embeddings, record.medoid_rows[interests])
    means = [_mean(as_float32(embeddings, record.item_rows[record.labels == i])) for i in interests]
    return np.array(means, np.float32).reshape(len(interests), embeddings.shape[1])


def _mean(vectors: Float32s) -> Any:
    mean = vectors.mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(mean)
    return (mean / length if length > 0 else mean).astype(np.float32)


def seen_rows(record: UserRecord) -> Int32s:
    """Return all items the user ever acted on, int32, in no order, perhaps repeated."""
    return np.concatenate((record.item_rows, record.seen_rows)).astype(np.int32, copy=False)
