"""Impressions are drawn as from the list of all items that are allowed, without making that list."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage.evaluation.about import impressions_told
from pinnersage.evaluation.impressions import candidates_to_rank
from pinnersage.evaluation.replay import Day, Mode, ReplayLog, walk
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.state import user_seed


def plain(
    day: Day, known: ReplayLog, mode: Mode, n_per_target: int, seed: int, shown: ReplayLog | None
) -> list[list[int]]:
    """Mark what is allowed item by item; then draw."""
    lists = []
    for u, user in enumerate(day.users.tolist()):
        own = slice(day.target_offsets[u], day.target_offsets[u + 1])
        targets = day.target_rows[own].tolist()
        seen = known.item_rows[known.offsets[user] : known.offsets[user + 1]].tolist()
        allowed = {row for row in range(known.n_items) if day.pool[row]} - set(targets)
        if mode == "first_time":
            allowed -= set(seen)
        if shown is not None:
            mine = (shown.users == shown.user_ids.index(known.user_ids[user])) & (
                shown.times_ms // DAY == day.start_ms // DAY
            )
            allowed &= set(shown.item_rows[mine].tolist())
        n = n_per_target * (int(day.first_time[own].sum()) if mode == "first_time" else len(targets))
        rng = np.random.default_rng(user_seed(seed, day, known, user))
        drawn = rng.choice(np.array(sorted(allowed), np.int64), min(n, len(allowed)), replace=False)
        lists.append(targets + drawn.tolist())
    return lists


@pytest.mark.parametrize("mode", ["first_time", "all"])
@pytest.mark.parametrize("real", [False, True])
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30))
def test_impressions_are_those_of_the_plain_way(mode: Mode, real: bool, seed: int, n: int) -> None:
    log = log_of(drawn_actions(seed, n=200), drawn_embeddings(0))
    shown = log_of(drawn_actions(seed + 1, n=3_000), drawn_embeddings(0)) if real else None
    for day in walk(log, 40 * DAY, 2, window_ms=90 * DAY):
        known = log.before(day.start_ms)
        offsets, rows = candidates_to_rank(day, known, mode, n, seed, shown)
        found = [rows[a:b].tolist() for a, b in pairwise(offsets.tolist())]
        assert found == plain(day, known, mode, n, seed, shown)


def test_the_report_tells_how_many_user_days_have_impressions(tmp_path: Path) -> None:
    earlier = [(user, row, 8 * DAY) for user in "abc" for row in range(6)]
    later = [("a", 6, 9 * DAY), ("a", 7, 9 * DAY), ("b", 6, 9 * DAY), ("b", 6, 10 * DAY), ("c", 8, 10 * DAY)]
    born = {"created_at_ms": [0] * 20}
    log = log_of([*earlier, *later], drawn_embeddings(0, 20), **born)
    # a is shown three others beside a target, b one other on the second day; c nothing.
    shown = [("a", row, 9 * DAY + 1) for row in (6, 10, 11, 12)] + [("b", 13, 10 * DAY + 1)]
    report = evaluate_log(
        log, out_dir=tmp_path, first_day_ms=9 * DAY, n_days=2, arms=["popular"], page=False,
        impressions=log_of(shown, drawn_embeddings(0, 20)), evaluation=EvaluationConfig(budgets=(5,)),
    )  # fmt: skip
    assert report.about["impressions_found"] == {
        "share_of_user_days": 2 / 4, "mean_per_target": round((3 + 1) / (2 + 1), 3),
    }  # fmt: skip
    told = impressions_told(report.about)
    assert "on 50.0% of the user-days, 1.3 for each target there, 20 at most" in told
