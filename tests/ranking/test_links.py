from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  (threads of libraries that are not loaded are not limited)
from tests.ranking.logs import Log, log_of, random_log
from threadpoolctl import threadpool_limits

from pinnersage._arrays import Float32s
from pinnersage.config import MS_PER_DAY, InterestConfig
from pinnersage.interests.history import history_of
from pinnersage.ranking.actions import records_before
from pinnersage.ranking.linking import links_before
from pinnersage.ranking.links import MEASURES, Links

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


def dense(links: Links, measure: str, n_items: int) -> Float32s:
    """Return items x items: what each item alone says of all."""
    out = np.zeros((n_items, n_items), np.float32)
    for i in range(n_items):
        columns = links.columns_of(np.array([i], np.int32))
        out[i, links.linked] = getattr(links, measure).scores(columns, np.ones(1, np.float32))[:-1]
    return out


def test_regressions_minimise_what_they_say() -> None:
    log, _ = random_log(1, n_users=30, n_items=12)
    now = 60 * DAY
    links = links_before(log, now, ridge=RIDGE, n_links=50, shrunk_ridge=10 * RIDGE)
    x = has_item(log, now).astype(np.float64)
    for ridge, measure in ((RIDGE, "regression"), (10 * RIDGE, "shrunk_regression")):
        weights = dense(links, measure, 12).astype(np.float64)
        for i in range(12):  # each column alone: least squares of the others, solved another way
            others = [j for j in range(12) if j != i]
            squares = x[:, others].T @ x[:, others] + ridge * np.eye(11)
            own = np.linalg.solve(squares, x[:, others].T @ x[:, i])
            assert weights[others, i] == pytest.approx(own, abs=1e-4)
            assert weights[i, i] == 0


def test_links_are_the_same_on_any_number_of_threads() -> None:
    n_items, n_users = 400, 200
    rng = np.random.default_rng(3)
    actions = [(u, i, 1) for u in range(n_users) for i in rng.integers(0, n_items, 60).tolist()]
    log, found = log_of(actions, n_users, n_items), []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            links = links_before(log, DAY, ridge=1e-6, n_links=400)  # a small ridge shows last bits
        found.append([getattr(links, measure).strengths.tobytes() for measure in MEASURES])
    assert found[0] == found[1]


def test_cosine_is_common_users_over_the_geometric_mean() -> None:
    log = log_of(
        [(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 1, 1), (2, 2, 1), (3, 1, 2), (3, 2, 2)], 4, 4
    )
    weights = dense(links_before(log, DAY), "cosine", 4)
    assert weights[0, 1] == pytest.approx(2 / np.sqrt((2 + 3) * (4 + 3)))
    assert weights[0, 2] == 0
    assert weights[3].tolist() == [0, 0, 0, 0]  # nobody's item is alone


def test_only_the_strongest_links_and_most_used_items_stay() -> None:
    log, _ = random_log(2, n_items=20)
    all_links = dense(links_before(log, 60 * DAY, n_links=50), "cosine", 20)
    few = dense(links_before(log, 60 * DAY, n_links=3), "cosine", 20)
    for i in range(20):
        strongest = np.sort(np.abs(all_links[i]))[::-1][:3]
        assert np.sort(np.abs(few[i][few[i] != 0]))[::-1] == pytest.approx(strongest[strongest > 0])
    counts = has_item(log, 60 * DAY).sum(axis=0)
    kept = dense(links_before(log, 60 * DAY, n_items_linked=5), "cosine", 20)
    linked = np.flatnonzero(np.abs(kept).sum(axis=1))
    assert len(linked) == 5
    shrunk = links_before(log, 60 * DAY, n_shrunk_links=4).shrunk_regression
    assert set(np.diff(shrunk.offsets).tolist()) == {4}
    assert counts[linked].min() >= np.sort(counts)[-5]


def test_only_the_window_before_the_moment_counts() -> None:
    inside = [(0, 0, 50 * DAY), (0, 1, 51 * DAY), (1, 0, 52 * DAY), (1, 1, 53 * DAY)]
    outside = [(0, 2, 60 * DAY), (1, 2, 61 * DAY), (0, 3, 9 * DAY), (1, 3, 9 * DAY)]
    a = links_before(log_of(inside + outside, 2, 4), 60 * DAY, window_days=50)
    b = links_before(log_of(inside, 2, 4), 60 * DAY, window_days=50)
    for measure in MEASURES:
        assert np.array_equal(dense(a, measure, 4), dense(b, measure, 4))
        assert dense(a, measure, 4)[0, 1] > 0


def test_saved_and_opened_and_empty(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log, _ = random_log(3)
    links = links_before(log, 60 * DAY)
    links.save(tmp_path / "links.bin")
    for measure in MEASURES:
        assert np.array_equal(
            dense(Links.open(tmp_path / "links.bin"), measure, 80), dense(links, measure, 80)
        )
    nothing = links_before(log, 0)
    assert capfd.readouterr() == ("", "")  # LAPACK would complain there
    assert nothing.regression.scores(nothing.columns_of(np.array([3])), np.ones(1, np.float32)).tolist() == [
        0
    ]


def test_scores_of_a_user_are_sums_over_their_items_and_unlinked_ones_say_nothing() -> None:
    log, vectors = random_log(4, n_items=20)
    links = links_before(log, 60 * DAY, n_items_linked=8)
    record = records_before(log, np.array([2]), vectors, InterestConfig(), 60 * DAY).record(0)
    history = history_of(record, 0.01)
    assert 0 < np.isin(history.rows, links.linked).sum() < len(history.rows)
    every = np.arange(20, dtype=np.int32)
    for measure, weights in (("regression", np.ones(len(history.rows))), ("cosine", history.weights)):
        found = getattr(links.of_user(history), measure)[links.columns_of(every)]
        assert found == pytest.approx(weights @ dense(links, measure, 20)[history.rows], abs=1e-5)
        assert not found[np.setdiff1d(every, links.linked)].any()
