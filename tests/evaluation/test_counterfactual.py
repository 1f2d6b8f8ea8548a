"""What goes from a list without an interest: its own part, and nothing of what comes later counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.test_replay import changed_later
from tests.evaluation.worlds import DAY, Action, drawn_actions, drawn_embeddings, log_of, unit

from pinnersage.evaluation.arms.untrained import Parts, untrained_arms
from pinnersage.evaluation.counterfactual import ARM, FIGURES, shares_gone
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import Day, ReplayLog
from pinnersage.interests.without import batch_without_interest, without_interests
from pinnersage.testing.records import random_batch

AT_MS = 40 * DAY


def told(log: ReplayLog, budget: int, **more: Any) -> dict[str, Any]:
    users = np.arange(log.n_users, dtype=np.int32)
    parts = Parts(NeighborLists(log.embeddings, log.n_items))
    return shares_gone(log, users, AT_MS, log.available, parts, budget, n_resamples=30, **more)


def test_the_part_of_an_interest_goes_with_it() -> None:
    """Two topics far apart: without one, the list is all of the other, and all of its own part is gone."""
    rng = np.random.default_rng(0)
    n = 12
    embeddings = unit(np.repeat(np.eye(2, 8), n, axis=0) + 0.01 * rng.standard_normal((2 * n, 8)))
    mine = [*range(3), n, n + 1]
    actions: list[Action] = [("u", row, 39 * DAY) for row in mine]
    log, budget = log_of(actions, embeddings), 6
    nothing = np.empty(0, np.int32)
    day = Day(AT_MS, np.zeros(1, np.int32), np.zeros(2, np.int64), nothing, nothing.astype(np.bool_),
              log.available)  # fmt: skip
    (arm,) = untrained_arms(log, Parts(NeighborLists(log.embeddings, 2 * n)), [ARM])
    listed = arm.recommend(day, log.before(AT_MS), budget, "first_time")[0]
    of_first = float((listed < n).mean())
    assert 0 < of_first < 1
    found = told(log, budget)
    assert found["gone_without_first"]["value"] == pytest.approx(of_first, abs=1e-6)
    assert found["gone_without_second"]["value"] == pytest.approx(1 - of_first, abs=1e-6)
    assert (found["gone_without_third"]["value"], found["gone_without_third"]["n_users"]) == (None, 0)


def test_later_actions_change_nothing() -> None:
    actions, embeddings = drawn_actions(8), drawn_embeddings(8)
    found = told(log_of(actions, embeddings), 10)
    assert found == told(log_of(changed_later(actions, AT_MS, 8), embeddings), 10)
    assert all(0 < found[name]["value"] < 1 for name in FIGURES)


@settings(max_examples=25)
@given(st.integers(0, 20), st.integers(0, 3), st.integers(0, 100))
def test_many_records_are_reduced_as_each_by_itself(n_users: int, position: int, seed: int) -> None:
    batch = random_batch(n_users, seed=seed)
    reduced = batch_without_interest(batch, position)
    assert reduced.user_ids == batch.user_ids
    for before, after in zip(batch.records(), reduced.records(), strict=True):
        wanted = before
        if before.n_interests > position:
            wanted = without_interests(before, np.array([position]))
        for name in before.__slots__:
            assert np.array_equal(getattr(after, name), getattr(wanted, name)), name
