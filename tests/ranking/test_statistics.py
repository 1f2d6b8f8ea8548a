from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ranking.logs import log_of

from pinnersage.config import MS_PER_DAY
from pinnersage.errors import StoredFormatError
from pinnersage.ranking.statistics import DECAY_PER_DAY, ItemStatistics, statistics_before

DAY = MS_PER_DAY


def test_counts_are_per_user_item_and_day() -> None:
    now = 200 * DAY
    log = log_of(
        [
            (0, 1, now - 1), (0, 1, now - 2),  # one user, one day: once
            (0, 1, now - 3 * DAY), (1, 1, now - 3 * DAY),  # two users
            (1, 1, now - 20 * DAY), (1, 1, now - 80 * DAY), (0, 1, now - 150 * DAY),
            (0, 1, now),  # not before the moment
            (1, 0, now + 5),
        ],
        n_users=2, n_items=3,
    )  # fmt: skip
    found = statistics_before(log, now)
    assert found.in_7_days.tolist() == [0, 3, 0]
    assert found.in_30_days.tolist() == [0, 4, 0]
    assert found.in_90_days.tolist() == [0, 5, 0]
    assert found.ever.tolist() == [0, 6, 0]
    assert found.n_users_90_days.tolist() == [0, 2, 0]
    ages = np.array([2 / DAY, 3, 3, 20, 80, 150])
    assert found.decayed[1] == pytest.approx(np.exp(-DECAY_PER_DAY * ages).sum(), rel=1e-6)
    assert found.age_days[1] == 150
    assert found.idle_days[1] == pytest.approx(1 / DAY)
    assert np.isnan(found.age_days[[0, 2]]).all()
    assert np.isnan(found.idle_days[[0, 2]]).all()


ACTIONS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 100 * DAY)), max_size=40)


@given(ACTIONS, st.integers(0, 110 * DAY))
def test_against_counting_one_by_one(actions: list[tuple[int, int, int]], now: int) -> None:
    found = statistics_before(log_of(actions, 4, 5), now)
    earliest: dict[tuple[int, int, int], int] = {}
    for user, row, ms in actions:
        if ms < now:
            key = (user, row, ms // DAY)
            earliest[key] = min(ms, earliest.get(key, ms))
    for row in range(5):
        ages = [(now - ms) / DAY for (_, r, _), ms in earliest.items() if r == row]
        assert found.in_7_days[row] == sum(age <= 7 for age in ages)
        assert found.in_90_days[row] == sum(age <= 90 for age in ages)
        assert found.ever[row] == len(ages)
        users = {u for (u, r, _), ms in earliest.items() if r == row and (now - ms) / DAY <= 90}
        assert found.n_users_90_days[row] == len(users)


def test_the_future_is_not_known() -> None:
    past = [(0, 0, 5 * DAY), (1, 1, 6 * DAY)]
    future = [(0, 1, 8 * DAY), (1, 2, 7 * DAY)]
    with_it, without = (statistics_before(log_of(a, 2, 3), 7 * DAY) for a in (past + future, past))
    for name in ("in_7_days", "ever", "decayed", "age_days", "idle_days"):
        assert np.array_equal(getattr(with_it, name), getattr(without, name), equal_nan=True), name


def test_saved_and_opened(tmp_path: Path) -> None:
    before = statistics_before(log_of([(0, 0, 1), (1, 2, DAY)], 2, 3), 3 * DAY)
    before.save(tmp_path / "statistics.bin")
    after = ItemStatistics.open(tmp_path / "statistics.bin")
    assert after.moment_ms == 3 * DAY
    assert np.array_equal(after.decayed, before.decayed)
    assert np.array_equal(after.age_days, before.age_days, equal_nan=True)
    assert [p.name for p in tmp_path.iterdir()] == ["statistics.bin"]


def test_damage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "statistics.bin"
    statistics_before(log_of([(0, 0, 1)], 1, 2), DAY).save(path)
    whole = path.read_bytes()
    for at in (0, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(StoredFormatError):
            ItemStatistics.open(path)
    for end in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(StoredFormatError):
            ItemStatistics.open(path)
    path.unlink()
    with pytest.raises(StoredFormatError, match="build again"):
        ItemStatistics.open(path)
