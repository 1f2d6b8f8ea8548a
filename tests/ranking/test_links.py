from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.ranking.logs import Log, log_of, random_log

from pinnersage._arrays import Float32s
from pinnersage.config import MS_PER_DAY
from pinnersage.ranking.links import ItemLinks, links_before

DAY = MS_PER_DAY
RIDGE = 2.0


def has_item(log: Log, moment_ms: int) -> Float32s:
    """Return users x items, 1 where the user acted on the item before the moment."""
    table = np.zeros((len(log.offsets) - 1, len(log.born_ms)), np.float32)
    for u in range(len(table)):
        for at in range(log.offsets[u], log.offsets[u + 1]):
            if log.times_ms[at] < moment_ms:
                table[u, log.item_rows[at]] = 1
    return table


def dense(links: ItemLinks, n_items: int) -> Float32s:
    return np.stack([links.scores(np.array([i], np.int32), np.ones(1, np.float32)) for i in range(n_items)])


def test_regressions_minimise_what_they_say() -> None:
    log, _ = random_log(1, n_users=30, n_items=12)
    now = 60 * DAY
    links = links_before(log, now, ridge=RIDGE, n_links=50, shrunk_ridge=10 * RIDGE)
    x = has_item(log, now).astype(np.float64)
    for ridge, regression in ((RIDGE, links.regression), (10 * RIDGE, links.shrunk_regression)):
        weights = dense(regression, 12).astype(np.float64)
        for i in range(12):  # each column alone: least squares of the others, solved another way
            others = [j for j in range(12) if j != i]
            squares = x[:, others].T @ x[:, others] + ridge * np.eye(11)
            own = np.linalg.solve(squares, x[:, others].T @ x[:, i])
            assert weights[others, i] == pytest.approx(own, abs=1e-4)
            assert weights[i, i] == 0


def test_cosine_is_common_users_over_the_geometric_mean() -> None:
    log = log_of(
        [(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 1, 1), (2, 2, 1), (3, 1, 2), (3, 2, 2)], 4, 4
    )
    weights = dense(links_before(log, DAY).cosine, 4)
    assert weights[0, 1] == pytest.approx(2 / np.sqrt((2 + 3) * (4 + 3)))
    assert weights[0, 2] == 0
    assert weights[3].tolist() == [0, 0, 0, 0]  # nobody's item is alone


def test_only_the_strongest_links_and_most_used_items_stay() -> None:
    log, _ = random_log(2, n_items=20)
    all_links = dense(links_before(log, 60 * DAY, n_links=50).cosine, 20)
    few = dense(links_before(log, 60 * DAY, n_links=3).cosine, 20)
    for i in range(20):
        strongest = np.sort(np.abs(all_links[i]))[::-1][:3]
        assert np.sort(np.abs(few[i][few[i] != 0]))[::-1] == pytest.approx(strongest[strongest > 0])
    counts = has_item(log, 60 * DAY).sum(axis=0)
    kept = dense(links_before(log, 60 * DAY, n_items_linked=5).cosine, 20)
    linked = np.flatnonzero(np.abs(kept).sum(axis=1))
    assert len(linked) == 5
    shrunk = links_before(log, 60 * DAY, n_shrunk_links=4).shrunk_regression
    assert set(np.diff(shrunk.offsets).tolist()) == {4}
    assert counts[linked].min() >= np.sort(counts)[-5]


def test_only_the_window_before_the_moment_counts() -> None:
    inside = [(0, 0, 50 * DAY), (0, 1, 51 * DAY), (1, 0, 52 * DAY), (1, 1, 53 * DAY)]
    outside = [(0, 2, 60 * DAY), (1, 2, 61 * DAY), (0, 3, 9 * DAY), (1, 3, 9 * DAY)]
    for a, b in zip(
        links_before(log_of(inside + outside, 2, 4), 60 * DAY, window_days=50),
        links_before(log_of(inside, 2, 4), 60 * DAY, window_days=50),
        strict=True,
    ):
        assert np.array_equal(dense(a, 4), dense(b, 4))
        assert dense(a, 4)[0, 1] > 0


def test_saved_and_opened_and_empty(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log, _ = random_log(3)
    links = links_before(log, 60 * DAY).regression
    links.save(tmp_path / "links.bin")
    assert np.array_equal(dense(ItemLinks.open(tmp_path / "links.bin"), 80), dense(links, 80))
    nothing = links_before(log, 0).regression
    assert capfd.readouterr() == ("", "")  # LAPACK would complain there
    assert nothing.scores(np.array([3], np.int32), np.ones(1, np.float32)).tolist() == [0.0] * 80
