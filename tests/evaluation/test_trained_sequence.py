"""Sequences against naive loops, and the sequence networks on a world with an order in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.trained_world import Action, day_at, log_of

from pinnersage.config import MS_PER_DAY
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.trained_networks import Network, Shape, UserNetwork
from pinnersage.evaluation.arms.trained_sequence import SequenceArm
from pinnersage.evaluation.arms.trained_sequences import cuts, examples, histories, timelines
from pinnersage.evaluation.replay import ReplayLog

N_USERS, N_ITEMS = 24, 12
CUT = 20
NETWORKS: tuple[Network, ...] = ("sasrec", "comirec", "mind")

days_of_users = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 12)), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(actions=days_of_users, horizon_days=st.integers(1, 6))
def test_cuts_are_those_of_a_loop_over_days(actions: list[Action], horizon_days: int) -> None:
    log = log_of(actions, 4, 6)
    lines = timelines(log, np.arange(4, dtype=np.int32), np.arange(6) + 1, 0)
    found = cuts(lines, horizon_days)
    expected = []
    for user in range(4):
        start, stop = lines.offsets[user : user + 2].tolist()
        days = (lines.times_ms[start:stop] // MS_PER_DAY).tolist()
        for day in sorted(set(days))[1:]:
            within = [start + i for i, d in enumerate(days) if day <= d < day + horizon_days]
            expected.append((start, within[0], within[-1] + 1))
    assert list(zip(found.starts, found.first, found.last, strict=True)) == expected


@settings(max_examples=40, deadline=None)
@given(actions=days_of_users, max_length=st.integers(1, 8))
def test_histories_hold_the_newest_and_fill_up(actions: list[Action], max_length: int) -> None:
    log = log_of(actions, 4, 6)
    lines = timelines(log, np.arange(4, dtype=np.int32), np.arange(6) + 1, 0)
    found = histories(lines, lines.offsets[:-1], lines.offsets[1:], max_length)
    for user in range(4):
        own = lines.ids[lines.offsets[user] : lines.offsets[user + 1]].tolist()[-max_length:]
        assert found[user].tolist() == own + [0] * (max_length - len(own))


def test_targets_come_on_a_later_day_than_what_they_are_predicted_from() -> None:
    # Each item is acted on once, on the day of its number, two of them a day.
    log = log_of([(0, item, item // 2) for item in range(12)], 1, 12)
    lines = timelines(log, np.array([0], np.int32), np.arange(12) + 1, 0)
    drawn = examples(lines, cuts(lines, 3), 200, 6, 4, np.random.default_rng(0))
    newest = (drawn.histories.max(axis=1) - 1) // 2
    days = (drawn.targets - 1) // 2
    assert (days > newest[:, None]).all()
    assert (days < newest[:, None] + 1 + 3).all()
    assert set(days[:, 0].tolist()) == {1, 2, 3, 4, 5}


def test_unknown_items_stand_in_no_sequence() -> None:
    log = log_of([(0, 0, 1), (0, 1, 2), (0, 2, 3)], 1, 3)
    lines = timelines(log, np.array([0], np.int32), np.array([1, 0, 2]), 0)
    assert lines.ids.tolist() == [1, 2]


def rounds(until: int = 30) -> list[Action]:
    """Users go around: the item of a day says which comes next."""
    return [(user, (user + day) % N_ITEMS, day) for user in range(N_USERS) for day in range(until)]


def arm_of(network: Network, **changes: int) -> SequenceArm:
    small = {"n_dims": 16, "max_length": 8, "n_interests": 2, "horizon_days": 1, "n_targets": 2} | changes
    return SequenceArm(
        network, network=network, dropout=0.0, learning_rate=0.02, n_examples=64,
        **({"n_steps": 150} | small),
    )  # fmt: skip


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    for library in ("torch", "torch_rechub"):
        pytest.importorskip(library, reason="needs the extra sequence")
    found: Network = request.param
    return found


def fitted(network: Network, log: ReplayLog, **changes: int) -> SequenceArm:
    arm = arm_of(network, **changes)
    arm.fit(log, CUT * MS_PER_DAY)
    return arm


def test_sasrec_learns_what_comes_next() -> None:
    for library in ("torch", "torch_rechub"):
        pytest.importorskip(library, reason="needs the extra sequence")
    log = log_of(rounds(), N_USERS, N_ITEMS)
    found = fitted("sasrec", log).recommend(day_at(log, CUT, range(N_USERS)), log, 1, "all")
    right = found[:, 0] == (np.arange(N_USERS) + CUT) % N_ITEMS
    assert right.mean() > 0.9


def test_networks_tell_tastes_apart(network: Network) -> None:
    actions = [
        (user, (user % 2) * 6 + (day // 2 + user) % 6, day)
        for user in range(N_USERS)
        for day in range(user % 2, 30, 2)
    ]
    log = log_of(actions, N_USERS, N_ITEMS)
    # Within a short horizon only the next item of a round is a target, and tells nothing of the others.
    arm = fitted(network, log, horizon_days=12)
    found = arm.recommend(day_at(log, CUT, range(N_USERS)), log, 5, "all")
    assert ((found >= 6) == (np.arange(N_USERS) % 2 == 1)[:, None]).mean() > 0.9


def test_networks_do_not_look_ahead(network: Network) -> None:
    early = rounds(until=CUT + 2)
    late = [(user, (user * 5) % N_ITEMS, CUT + 2) for user in range(N_USERS)]
    answers = []
    for actions in (early, early + late):
        log = log_of(actions, N_USERS, N_ITEMS)
        day = day_at(log, CUT + 2, range(N_USERS))
        answers.append(fitted(network, log, n_steps=5).recommend(day, log, 6, "all"))
    np.testing.assert_array_equal(answers[0], answers[1])


def test_a_users_scores_do_not_depend_on_who_else_asks(network: Network) -> None:
    log = log_of(rounds(), N_USERS, N_ITEMS)
    arm = fitted(network, log, n_steps=5)
    rows = np.arange(N_ITEMS, dtype=np.int32)
    alone = arm.score(day_at(log, CUT, [5]), log, np.array([0, N_ITEMS]), rows)
    offsets = np.arange(N_USERS + 1) * N_ITEMS
    together = arm.score(day_at(log, CUT, range(N_USERS)), log, offsets, np.tile(rows, N_USERS))
    np.testing.assert_allclose(alone, together.reshape(N_USERS, N_ITEMS)[5], atol=1e-4)


def test_fitting_leaves_the_callers_draws_alone(network: Network) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra sequence")

    log = log_of(rounds(), N_USERS, N_ITEMS)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    fitted(network, log, n_steps=2)
    assert torch.equal(torch.rand(3), expected)


def test_histories_of_one_day_teach_nothing(network: Network) -> None:
    log = log_of([(user, user % N_ITEMS, 1) for user in range(N_USERS)], N_USERS, N_ITEMS)
    with pytest.raises(UsageError, match="two days"):
        fitted(network, log)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_the_loss_leaves_each_target_to_the_interest_that_fits_it_best(
    network: Network, temperature: float
) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra sequence")

    shape = Shape(n_ids=9, n_dims=4, max_length=5, n_interests=3, dropout=0.0)
    torch.manual_seed(3)
    model = UserNetwork(network, shape, temperature)
    reads = torch.tensor([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]])
    targets = torch.tensor([[8, 1, 2], [3, 3, 5]])
    torch.manual_seed(0)
    users = model.users(reads).detach().numpy().astype(np.float64)
    logits = users @ model.items().detach().numpy().astype(np.float64)[1:].T
    losses = []
    for u in range(2):
        for target in targets[u].tolist():
            fit = max(logits[u], key=lambda interest: interest[target - 1])
            losses.append(np.log(np.exp(fit).sum()) - fit[target - 1])
    torch.manual_seed(0)
    assert model.loss(reads, targets).item() == pytest.approx(np.mean(losses), rel=1e-4)
    assert users.shape == (2, 1 if network == "sasrec" else 3, 4)
