"""Sessions and mutual information, against a twin that counts pair by pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.embedding.naive import Action, ppmi_of, sessions_of

from pinnersage.config import MS_PER_DAY
from pinnersage.embedding import cooccurrence
from pinnersage.embedding.cooccurrence import ppmi
from pinnersage.embedding.sessions import session_matrix

N_ITEMS = 7
logs = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, N_ITEMS - 1), st.integers(0, 20).map(lambda d: d * MS_PER_DAY)
    ),
    max_size=40,
)


def matrix_of(log: list[Action], session_days: float = 7.0, most: int = 500) -> Any:
    users, rows, times = (np.array([action[i] for action in log], np.int64) for i in range(3))
    return session_matrix(
        users, rows, times, n_items=N_ITEMS, session_days=session_days, max_session_items=most
    )


# Item 0 again: as new as its last action, so that of two places one is its own.
@example([(0, row, day * MS_PER_DAY) for row, day in ((0, 0), (1, 1), (2, 2), (0, 3))], 7.0, 2)
@given(logs, st.sampled_from([0.0, 1.0, 7.0]), st.integers(2, 5))
def test_sessions_are_those_of_the_twin(log: list[Action], session_days: float, most: int) -> None:
    made = matrix_of(log, session_days, most).toarray()
    expected = sessions_of(log, round(session_days * MS_PER_DAY), most)
    found = [set(np.flatnonzero(row).tolist()) for row in made]
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
    assert set(made.ravel()) <= {0.0, 1.0}


@given(logs, st.sampled_from([-1.0, 0.0, 0.3]), st.sampled_from([0.5, 0.75, 1.0]), st.booleans())
def test_information_is_that_of_the_twin(
    log: list[Action], shift: float, smoothing: float, blockwise: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if blockwise:
            patch.setattr(cooccurrence, "_BLOCK_PAIRS", 3)
        sessions = matrix_of(log)
        made = ppmi(sessions, shift=shift, smoothing=smoothing, max_neighbors=N_ITEMS).toarray()
    expected = np.zeros((N_ITEMS, N_ITEMS))
    for pair, value in ppmi_of(sessions_of(log, 7 * MS_PER_DAY, 500), shift, smoothing).items():
        expected[pair] = value
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_the_most_informative_neighbors_stay() -> None:
    # Item 0 is with 1 three times, with 2 and 3 once each; these two are as often with others.
    log = [(user, row, 0) for user in range(3) for row in (0, 1)]
    log += [(10, 0, 0), (10, 2, 0), (11, 0, 0), (11, 3, 0), (12, 2, 0), (12, 4, 0), (13, 3, 0), (13, 4, 0)]
    every = ppmi(matrix_of(log), shift=-3, smoothing=0.75, max_neighbors=9).toarray()
    assert np.flatnonzero(every[0]).tolist() == [1, 2, 3]
    cut = ppmi(matrix_of(log), shift=-3, smoothing=0.75, max_neighbors=2).toarray()
    # Of the equal second and third the smaller row.
    assert np.flatnonzero(cut[0]).tolist() == [1, 2]
    np.testing.assert_array_equal(cut[0, :3], every[0, :3])


def test_progress_ends_at_the_number_of_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooccurrence, "_BLOCK_PAIRS", 1)
    told: list[tuple[int, int]] = []
    sessions = matrix_of([(0, row, 0) for row in range(N_ITEMS)])
    ppmi(sessions, shift=0, smoothing=1, max_neighbors=9, told=lambda *step: told.append(step))
    assert told == [(n, N_ITEMS) for n in range(1, N_ITEMS + 1)]
