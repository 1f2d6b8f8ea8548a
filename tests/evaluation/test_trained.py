"""What every trained arm owes: no look ahead, the pool, the modes, popular items where it knows nothing."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.trained_world import Action, day_at, log_of, two_tastes, without_item

from pinnersage.config import MS_PER_DAY
from pinnersage.errors import UnavailableError, UsageError
from pinnersage.evaluation.arms._trained_extras import needed
from pinnersage.evaluation.arms.trained import TrainedArm
from pinnersage.evaluation.arms.trained_factors import AlsArm
from pinnersage.evaluation.arms.trained_linear import EaseArm, ItemItemArm
from pinnersage.evaluation.replay import Arm, ReplayLog, Scorer

N_USERS, N_ITEMS = 40, 30
CUT = 30

pytest.importorskip("implicit", reason="needs the extra baselines")


def arms() -> list[TrainedArm]:
    return [EaseArm("ease", l2=5.0), ItemItemArm("item-item", n_neighbors=10), AlsArm("als", n_factors=4)]


every_arm = pytest.mark.parametrize("arm", arms(), ids=lambda arm: arm.name)


def world(extra: list[Action] | None = None, *, n_users: int = N_USERS) -> ReplayLog:
    return log_of([*two_tastes(), *(extra or [])], n_users, N_ITEMS)


def fitted(arm: TrainedArm, log: ReplayLog) -> TrainedArm:
    arm.fit(log, CUT * MS_PER_DAY)
    return arm


@every_arm
def test_it_is_an_arm_that_scores(arm: TrainedArm) -> None:
    assert isinstance(arm, Arm)
    assert isinstance(arm, Scorer)


@every_arm
def test_what_comes_later_changes_nothing(arm: TrainedArm) -> None:
    rng = np.random.default_rng(7)
    users, rows = rng.integers(N_USERS, size=300), rng.integers(N_ITEMS, size=300)
    early = [action for action in two_tastes() if action[2] < 33]
    late = list(zip(users.tolist(), rows.tolist(), [33] * 300, strict=True))
    answers = []
    for actions in (early, early + late):
        log = log_of(actions, N_USERS, N_ITEMS)
        day = day_at(log, 33, range(N_USERS))
        answers.append(fitted(arm, log).recommend(day, log, 8, "all"))
    np.testing.assert_array_equal(answers[0], answers[1])


@every_arm
def test_others_later_actions_do_not_reach_the_model(arm: TrainedArm) -> None:
    early = [action for action in two_tastes() if action[2] < CUT]
    # Everyone else turns to the other half between the cut and the day.
    turned = [(user, row, CUT + 1) for user in range(1, N_USERS) for row in range(N_ITEMS)]
    day_users = [0]
    answers = []
    for actions in (early, early + turned):
        log = log_of(actions, N_USERS, N_ITEMS)
        answers.append(fitted(arm, log).recommend(day_at(log, CUT + 2, day_users), log, 4, "all"))
    np.testing.assert_array_equal(answers[0], answers[1])


@every_arm
def test_refitting_learns_what_is_known_by_then(arm: TrainedArm) -> None:
    early = [action for action in two_tastes() if action[2] < CUT]
    # Item 0 comes to go with the other half, in one visit of all who like that half.
    turned = [(user, row, CUT) for user in range(1, N_USERS, 2) for row in (0, *range(15, 30))]
    log = log_of(early + turned, N_USERS, N_ITEMS)
    arm.refit_days, day = 1, day_at(log, CUT + 1, [1])
    try:
        refitted = fitted(arm, log).score(day, log, np.array([0, 2]), np.array([0, 1], np.int32))
        arm.refit_days = None
        kept = fitted(arm, log).score(day, log, np.array([0, 2]), np.array([0, 1], np.int32))
    finally:
        arm.refit_days = None
    assert refitted[0] - refitted[1] > kept[0] - kept[1]


@every_arm
def test_the_newest_history_is_what_is_asked_with(arm: TrainedArm) -> None:
    # User 40 is not known at the cut and then acts in the second half only.
    log = world([(N_USERS, row, CUT + 1) for row in (15, 17, 19)], n_users=N_USERS + 1)
    found = fitted(arm, log).recommend(day_at(log, CUT + 2, [N_USERS]), log, 5, "first_time")
    assert (found[0] >= N_ITEMS // 2).all()


@every_arm
def test_tastes_are_told_apart(arm: TrainedArm) -> None:
    log = world()
    found = fitted(arm, log).recommend(day_at(log, CUT, range(N_USERS)), log, 5, "all")
    assert (found >= 0).all()
    assert ((found >= N_ITEMS // 2) == (np.arange(N_USERS) % 2 == 1)[:, None]).all()


@every_arm
def test_first_time_leaves_out_earlier_items_and_pads(arm: TrainedArm) -> None:
    log = without_item(world(), 3)
    day = day_at(log, CUT, range(N_USERS))
    found = fitted(arm, log).recommend(day, log, N_ITEMS, "first_time")
    for user in range(N_USERS):
        own = log.before(CUT * MS_PER_DAY)
        seen = set(own.item_rows[own.offsets[user] : own.offsets[user + 1]].tolist())
        listed = found[user][found[user] >= 0].tolist()
        assert sorted(listed) == sorted(set(range(N_ITEMS)) - seen - {3})
        assert (found[user][len(listed) :] == -1).all()
    everything = arm.recommend(day, log, N_ITEMS, "all")
    assert all(sorted(row[row >= 0].tolist()) == sorted(set(range(N_ITEMS)) - {3}) for row in everything)


@every_arm
def test_users_without_a_history_get_popular_items(arm: TrainedArm) -> None:
    many = [(user, 21, CUT - 1) for user in range(N_USERS)]
    some = [(user, 4, CUT - 1) for user in range(N_USERS - 1)]
    early = [action for action in two_tastes() if action[2] < CUT and action[1] not in (4, 21)]
    log = log_of([*early, *many, *some], N_USERS + 1, N_ITEMS)
    found = fitted(arm, log).recommend(day_at(log, CUT, [N_USERS]), log, 2, "first_time")
    assert found.tolist() == [[21, 4]]


@every_arm
def test_scores_rank_as_the_list_does(arm: TrainedArm) -> None:
    log = world([(N_USERS, 2, CUT - 1)], n_users=N_USERS + 2)
    day = day_at(log, CUT, [0, 1, N_USERS, N_USERS + 1])
    rows = np.tile(np.arange(N_ITEMS, dtype=np.int32), 4)
    offsets = np.arange(5) * N_ITEMS
    scores = fitted(arm, log).score(day, log, offsets, rows).reshape(4, N_ITEMS)
    listed = arm.recommend(day, log, N_ITEMS, "all")
    for u in range(4):
        in_order = scores[u][listed[u]]
        assert (np.diff(in_order) <= 1e-6).all()
    assert np.isfinite(scores).all()


@every_arm
def test_a_day_before_the_cut_is_refused(arm: TrainedArm) -> None:
    log = world()
    with pytest.raises(UsageError, match="fitted later"):
        fitted(arm, log).recommend(day_at(log, CUT - 1, [0]), log, 3, "all")


def test_an_arm_that_was_not_fitted_is_refused() -> None:
    log = world()
    with pytest.raises(UsageError, match="not fitted"):
        EaseArm("ease").recommend(day_at(log, CUT, [0]), log, 3, "all")


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(UsageError, match=r"in the 5 days before 1970-04-11T00:00:00Z, found none"):
        EaseArm("ease", 5).fit(world(), 100 * MS_PER_DAY)


def test_a_missing_library_names_the_extra() -> None:
    with pytest.raises(UnavailableError, match=r"\.\[baselines\]"):
        needed("no_such_library", "baselines")
