"""Interests of one user from plain arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pinnersage import build_interests
from pinnersage.config import MS_PER_DAY
from pinnersage.errors import UsageError

DAY = MS_PER_DAY


def test_members_medoids_and_shares_refer_to_the_input() -> None:
    x = np.array([[1, 0], [0, 1], [0.98, 0.2], [0.9, 0.44]])
    times = [3 * DAY, 0, 2 * DAY, DAY]
    found = build_interests(x, times, max_merge_cost=0.8, decay_per_day=0.0)
    assert [i.members.tolist() for i in found] == [[3, 2, 0], [1]]
    assert [i.n_actions for i in found] == [3, 1]
    assert [i.share for i in found] == [3 / 4, 1 / 4]
    assert "np." not in repr([replace(i, members=i.members.tolist()) for i in found])
    assert (found[0].oldest_ms, found[0].newest_ms) == (DAY, 3 * DAY)
    spread = [((x[[0, 2, 3]] - x[m]) ** 2).sum() for m in (0, 2, 3)]
    assert found[0].medoid == (0, 2, 3)[int(np.argmin(spread))]


def test_the_window_and_now() -> None:
    found = build_interests(np.eye(3), [0, 95 * DAY, 200 * DAY], now_ms=100 * DAY)
    assert [i.members.tolist() for i in found] == [[1]]
    assert found[0].importance == pytest.approx(np.exp(-0.01 * 5))


def test_weights_multiply() -> None:
    found = build_interests(np.eye(2), [0, 0], weights=[1, 5], max_merge_cost=0)
    assert [(i.medoid, i.importance) for i in found] == [(1, 5.0), (0, 1.0)]


def test_ids_break_ties() -> None:
    x = np.array([[1, 0], [0.9, 0.1]])
    assert build_interests(x, [0, 0], item_ids=["b", "a"])[0].medoid == 1
    assert build_interests(x, [0, 0], item_ids=["a", "b"])[0].medoid == 0


def test_nothing_gives_nothing() -> None:
    assert build_interests(np.empty((0, 3)), []) == []


def test_whole_numbers_may_be_of_any_type() -> None:
    expected = build_interests(np.eye(2), [0, 1])
    for times in ([0.0, 1.0], np.array([0, 1], np.uint8)):
        assert [i.medoid for i in build_interests(np.eye(2), times)] == [i.medoid for i in expected]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embeddings": [1, 2]}, "shape"),
        ({"times_ms": [1, 2, 3]}, "times_ms"),
        ({"weights": [1.0]}, "weights"),
        ({"weights": [1.0, -1.0]}, "weights"),
        ({"item_ids": ["a"]}, "item_ids"),
        ({"embeddings": [[np.nan], [0]]}, "finite"),
        ({"times_ms": [0, 0.5]}, "integer milliseconds"),
        ({"times_ms": ["1970-01-01", "1970-01-02"]}, "integer milliseconds"),
        ({"decay_per_day": -1}, "decay_per_day"),
        ({"decay": 0.1}, "decay: Extra inputs"),
        ({"clustering": "kmeans"}, "n_clusters"),
    ],
)
def test_bad_arguments_are_refused(changes: dict[str, object], message: str) -> None:
    given = {"embeddings": np.eye(2), "times_ms": [0, 1]} | changes
    with pytest.raises(UsageError, match=message):
        build_interests(given.pop("embeddings"), given.pop("times_ms"), **given)  # type: ignore[arg-type]
