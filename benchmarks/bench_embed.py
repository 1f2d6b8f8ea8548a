"""Next actions found by item embeddings from texts, from the log and from both, all made before a cut.

    python benchmarks/bench_embed.py --items F --actions F --cut 2017-09-01 --days 14 --budget 160

Of users with at least 20 actions before the cut: which share of the items they first act on in the days
after it are among the ``budget`` nearest unseen items of a decayed mean of their last 90 days, and of
their interests' medoids (budget shared by importance). Candidates are the items acted on before the cut.
Without tables it measures a small synthetic world.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from common import DAY_MS, NOW_MS
from pinnersage import build_interests
from pinnersage._times import to_ms
from pinnersage.actions.staging import stage_actions
from pinnersage.config import ImportConfig
from pinnersage.embedding.settings import EmbeddingSettings
from pinnersage.embedding.tables import embed_tables
from pinnersage.items.importing import import_items

DECAY_PER_DAY, WINDOW_DAYS, N_LEAST, N_INTERESTS = 0.01, 90, 20, 20
Values = npt.NDArray[Any]


class User(NamedTuple):
    """Actions in the window, all items seen, and the items to find."""

    rows: Values
    times_ms: Values
    seen: Values
    targets: Values


def users_at(
    items: Any, actions: Any, cut_ms: int, days: int, n_users: int
) -> tuple[list[User], Values, list[Any]]:
    """Return users with targets, the pool, and the ids of the rows."""
    found: list[User] = []
    with tempfile.TemporaryDirectory() as scratch:
        table, _ = import_items(items, Path(scratch) / "items", ImportConfig(), without_embeddings=True)
        with stage_actions(
            actions, table.vocabulary, ImportConfig(), now_ms=None, wall_clock_ms=NOW_MS, work_dir=scratch
        ) as log:
            batches = list(log.batches(log.newest_ms))
        pool = np.zeros(len(table), np.bool_)
        for batch in batches:
            pool[batch.item_rows[batch.times_ms < cut_ms]] = True
        for batch in batches:
            for u in range(batch.n_users):
                own = slice(batch.offsets[u], batch.offsets[u + 1])
                user = user_at(batch.item_rows[own], batch.times_ms[own], cut_ms, days, pool)
                found += [user] if user is not None else []
        ids = table.vocabulary.ids_of(np.arange(len(table)))
    order = np.random.default_rng(0).permutation(len(found))[:n_users]
    return [found[i] for i in order], pool, list(ids)


def user_at(rows: Values, times_ms: Values, cut_ms: int, days: int, pool: Values) -> User | None:
    before = times_ms < cut_ms
    window = before & (times_ms >= cut_ms - WINDOW_DAYS * DAY_MS)
    after = ~before & (times_ms < cut_ms + days * DAY_MS)
    seen = np.unique(rows[before])
    targets = np.setdiff1d(rows[after], seen)
    targets = targets[pool[targets]]
    if before.sum() < N_LEAST or not window.any() or len(targets) == 0:
        return None
    return User(rows[window], times_ms[window], seen, targets)


def recall(users: list[User], pool: Values, made: Values, cut_ms: int, budget: int) -> dict[str, float]:
    means, medoids = [], []
    for user in users:
        allowed = pool.copy()
        allowed[user.seen] = False
        weights = np.exp(-DECAY_PER_DAY * (cut_ms - user.times_ms) / DAY_MS)
        nearest = np.argsort(-np.where(allowed, made @ (weights @ made[user.rows]), -9), kind="stable")[
            :budget
        ]
        means.append(np.isin(user.targets, nearest).mean())
        medoids.append(np.isin(user.targets, shared(user, allowed, made, cut_ms, budget)).mean())
    return {"decayed_mean": round(float(np.mean(means)), 4), "medoids": round(float(np.mean(medoids)), 4)}


def shared(user: User, allowed: Values, made: Values, cut_ms: int, budget: int) -> list[int]:
    """Return items of the top interests, taken in turns that follow their importance."""
    found = build_interests(made[user.rows], user.times_ms, item_ids=user.rows, now_ms=cut_ms)[:N_INTERESTS]
    shares = np.array([interest.importance for interest in found])
    shares /= shares.sum()
    lists = [
        iter(np.argsort(-np.where(allowed, made @ made[user.rows[i.medoid]], -9), kind="stable"))
        for i in found
    ]
    taken: dict[int, None] = {}
    credit = np.zeros(len(found))
    while len(taken) < min(budget, int(allowed.sum())):
        credit += shares
        turn = int(credit.argmax())
        credit[turn] -= 1
        taken[next(int(row) for row in lists[turn] if int(row) not in taken)] = None
    return list(taken)


def made_from(items: Any, actions: Any, source: Any, model: Any, cut_ms: int, ids: list[Any]) -> Values:
    made = embed_tables(
        items, actions, settings=EmbeddingSettings(source), text_model=model, imports=ImportConfig(),
        until_ms=cut_ms, wall_clock_ms=NOW_MS,
    ).table  # fmt: skip
    width = made.schema.field("embedding").type.list_size
    values = made["embedding"].combine_chunks().flatten().to_numpy().reshape(-1, width)
    places = {item_id: row for row, item_id in enumerate(ids)}
    rows = np.zeros((len(ids), width), np.float32)
    rows[[places[item_id] for item_id in made["item_id"].to_pylist()]] = values
    return rows


def world(n_users: int = 60, n_items: int = 200) -> tuple[pa.Table, pa.Table]:
    rng = np.random.default_rng(1)
    topics = np.arange(n_items) % 10
    items = {"item_id": np.arange(n_items), "title": [f"topic{t} word{t * 7 % 5}" for t in topics]}
    users = np.repeat(np.arange(n_users), 40)
    rows = rng.integers(0, n_items // 10, len(users)) * 10 + (users + rng.integers(0, 2, len(users))) % 10
    times = pa.array(rng.integers(NOW_MS - 120 * DAY_MS, NOW_MS, len(users)), pa.timestamp("ms", "UTC"))
    return pa.table(items), pa.table({"user_id": users, "item_id": rows, "timestamp": times})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items")
    parser.add_argument("--actions")
    parser.add_argument("--cut")
    for name, default in (("days", 14), ("budget", 20), ("users", 390)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--given", action="store_true", help="also with the items' own embeddings")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    items, actions = (given.items, given.actions) if given.items else world()
    cut_ms = to_ms(given.cut) or NOW_MS - given.days * DAY_MS
    users, pool, ids = users_at(items, actions, cut_ms, given.days, given.users)
    result: dict[str, Any] = {"cut": given.cut, "days": given.days, "budget": given.budget}
    result |= {"n_users": len(users), "n_pool_items": int(pool.sum())}
    kinds = [("text", "tfidf"), ("log", "tfidf"), ("fused", "tfidf")]
    kinds += [("text", "given"), ("fused", "given")] if given.given else []
    for source, model in kinds:
        started = time.perf_counter()
        made = made_from(items, actions, source, model, cut_ms, ids)
        spent = round(time.perf_counter() - started, 1)
        name = source if source == "log" else f"{source}_{model}"
        result[name] = recall(users, pool, made, cut_ms, given.budget) | {"embed_s": spent}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
