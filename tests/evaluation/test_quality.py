"""Quality of users' interests: no look ahead, bounded, the same at any thread count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.evaluation.test_replay import changed_later
from tests.evaluation.worlds import (
    DAY,
    Action,
    drawn_actions,
    drawn_embeddings,
    log_of,
    unit,
    with_categories,
)

from pinnersage.config import InterestConfig
from pinnersage.evaluation import quality
from pinnersage.evaluation.quality import FIGURES, interest_quality
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.interests.build import build_records
from pinnersage.interests.quality import silhouette
from pinnersage.interests.stability import stability

CONFIG = InterestConfig()


def told(log: ReplayLog, at_ms: int = 40 * DAY, **more: Any) -> dict[str, Any]:
    users = np.arange(log.n_users, dtype=np.int32)
    return interest_quality(log, users, at_ms, CONFIG, n_resamples=30, **more)


def test_tight_bundles_of_one_category_each_are_as_good_as_can_be() -> None:
    rng = np.random.default_rng(0)
    embeddings = unit(np.repeat(np.eye(3, 8), 8, axis=0) + 0.01 * rng.standard_normal((24, 8)))
    actions: list[Action] = [(user, row, row * DAY) for user in ("a", "b") for row in range(24)]
    found = told(log_of(actions, embeddings, category=np.repeat(["x", "y", "z"], 8).tolist()), 30 * DAY)
    assert (found["n_users"], found["n_interests_per_user"]["value"]) == (2, 3)
    for name in ("purity", "normalized_mutual_information", "stability", "found_again"):
        assert found[name]["value"] == pytest.approx(1), name
    assert found["silhouette"]["value"] > 0.99
    assert found["purity_at_random"]["value"] < 0.8


def test_later_actions_and_threads_change_nothing() -> None:
    actions, embeddings = drawn_actions(8), drawn_embeddings(8)
    log = with_categories(log_of(actions, embeddings))
    later = with_categories(log_of(changed_later(actions, 40 * DAY, 8), embeddings))
    assert told(log) == told(later) == told(log, n_threads=3)
    assert told(log) != told(log, seed=1)


def test_figures_are_means_over_users() -> None:
    log = log_of(drawn_actions(8), drawn_embeddings(8))
    found = told(log)
    known = log.before(40 * DAY)
    values = []
    for u in range(log.n_users):
        record = build_records(
            known.actions_of(np.array([u], np.int32)), log.embeddings, CONFIG, 40 * DAY - 1
        ).record(0)
        labels = {int(row): int(label) for row, label in zip(record.item_rows, record.labels, strict=True)}
        rows = sorted(labels)
        values.append(silhouette(log.embeddings[rows], np.array([labels[row] for row in rows])))
    assert found["silhouette"]["value"] == pytest.approx(np.nanmean(values), abs=1e-6)
    assert found["silhouette"]["n_users"] == np.isfinite(values).sum()


def test_without_categories_nothing_is_said_of_them() -> None:
    found = told(log_of(drawn_actions(8), drawn_embeddings(8)))
    assert {name for name in FIGURES if found[name] is None} == {
        "purity", "purity_at_random", "normalized_mutual_information"
    }  # fmt: skip


def test_users_and_actions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(drawn_actions(8), drawn_embeddings(8))
    whole = told(log)
    sizes = []

    def counting(record: Any, *given: Any, **more: Any) -> Any:
        sizes.append(record.n_actions)
        return stability(record, *given, **more)

    monkeypatch.setattr(quality, "N_USERS", 5)
    monkeypatch.setattr(quality, "MAX_ACTIONS", 20)
    monkeypatch.setattr(quality, "stability", counting)
    found = told(log)
    assert found["n_users"] == 5
    assert max(sizes) == 20
    assert whole["n_users"] == 12


def test_nobody_to_measure() -> None:
    found = told(log_of(drawn_actions(8), drawn_embeddings(8)), at_ms=0)
    assert found["n_users"] == 0
    assert found["silhouette"]["value"] is None
