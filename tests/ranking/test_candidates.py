"""The wide set against sets worked out one item at a time."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ranking.logs import random_log

from pinnersage.config import MS_PER_DAY, InterestConfig, RankingConfig
from pinnersage.ranking.actions import records_before
from pinnersage.ranking.candidates import (
    CATEGORY,
    LINKED,
    OWN,
    POPULAR,
    PROPOSED,
    WideSet,
    n_items_for,
    slots_for,
)
from pinnersage.ranking.moment import Moment, UserView, moment_before

NOW = 50 * MS_PER_DAY
CONFIG = RankingConfig(
    n_popular_per_slot=1.5, n_linked_per_slot=0.5, n_category_per_slot=2.0, budget=6, repeats=False
)


def naive(
    user: UserView, proposed: list[int], moment: Moment, budget: int, *, repeats: bool
) -> dict[int, int]:
    """Return item -> sources."""
    seen = set(user.record.item_rows.tolist()) | set(user.record.seen_rows.tolist())
    allowed = [row for row in np.flatnonzero(moment.pool).tolist() if repeats or row not in seen]

    def best(scores: dict[int, float], n: int) -> list[int]:
        return sorted(scores, key=lambda row: (-scores[row], row))[:n]

    def add(bit: int, rows: list[int]) -> None:
        for row in rows:
            if row in allowed:
                found[row] = found.get(row, 0) | bit

    found: dict[int, int] = {}
    add(PROPOSED, proposed)
    n_popular = round(1.5 * budget)
    add(POPULAR, best({row: float(moment.popularity[row]) for row in allowed}, n_popular))
    week = moment.statistics.in_7_days
    add(POPULAR, best({row: float(week[row]) for row in allowed}, n_popular // 2))
    for scores in (user.links.regression, user.links.cosine):
        of_item = dict(zip(moment.links.linked.tolist(), scores[:-1].tolist(), strict=True))
        add(LINKED, best({row: of_item[row] for row in allowed if of_item.get(row, 0) > 0}, budget // 2))
    assert moment.categories is not None
    weights: dict[int, float] = {}
    for row, weight in zip(user.history.rows.tolist(), user.history.weights.tolist(), strict=True):
        weights[int(moment.categories[row])] = weights.get(int(moment.categories[row]), 0.0) + weight
    total = sum(weight for code, weight in weights.items() if code >= 0)
    for code, weight in weights.items():
        if code >= 0:
            inside = {r: float(moment.popularity[r]) for r in allowed if moment.categories[r] == code}
            add(CATEGORY, best(inside, int(2 * budget * weight / total)))
    if repeats:
        add(OWN, sorted(seen))
    return found


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_equals_sets_worked_out_one_by_one(seed: int, repeats: bool) -> None:
    log, vectors = random_log(seed, n_items=60)
    rng = np.random.default_rng(seed)
    available = rng.random(60) < 0.9
    categories = rng.integers(-1, 5, 60).astype(np.int32)
    moment = moment_before(log, NOW, vectors, available, categories=categories)
    wide = WideSet(moment, CONFIG)
    users = np.arange(12)
    records = records_before(log, users, vectors, InterestConfig(), NOW)
    for u in users.tolist():
        user = moment.view(records.record(u))
        proposed = rng.integers(-1, 60, 8).astype(np.int32)
        found = wide.of_user(user, proposed, 6, repeats=repeats)
        expected = naive(user, proposed.tolist(), moment, 6, repeats=repeats)
        assert dict(zip(found.rows.tolist(), found.sources.tolist(), strict=True)) == expected
        assert found.rows.tolist() == sorted(expected)


def test_long_lists_have_more_slots() -> None:
    """Sources give 4 + 1.5 + .5 + 2 = 8 a slot, and six are asked for each item."""
    assert [slots_for(n, CONFIG) for n in (1, 8, 9, 16, 100)] == [6, 6, 7, 12, 75]
    assert [n_items_for(n, CONFIG) for n in (6, 7, 12, 75)] == [8, 9, 16, 100]
    assert slots_for(400, RankingConfig()) == 200
    nothing = RankingConfig(
        n_proposed_per_slot=0, n_popular_per_slot=0, n_linked_per_slot=0, n_category_per_slot=0
    )
    assert slots_for(10, nothing) >= 10
