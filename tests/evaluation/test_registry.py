"""Arms by name and by group."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage.config import BuildConfig
from pinnersage.errors import UnavailableError, UsageError
from pinnersage.evaluation.arms.knobs import KNOBS
from pinnersage.evaluation.arms.names import BY_NAME_ONLY, GROUPS, arm_names
from pinnersage.evaluation.arms.ranked import RANKED
from pinnersage.evaluation.arms.registry import make_arms
from pinnersage.evaluation.arms.trained_registry import TRAINED
from pinnersage.evaluation.arms.tuned import TunedArm
from pinnersage.evaluation.arms.untrained import UNTRAINED, Parts
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import walk


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Make modules look as if they were not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in modules else real(name))


def test_the_names_are_those_of_the_arms_that_can_be_made() -> None:
    made = [tuple(UNTRAINED), ("as-configured",), tuple(RANKED), tuple(TRAINED), tuple(KNOBS)]
    assert list(zip(("untrained", "configured", "ranked", "trained", "knobs"), made, strict=True)) == list(
        GROUPS.items()
    )


def test_groups_share_no_name() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert len(names) == len(set(names))
    assert not {*names} & {*GROUPS, "all"}


def test_untrained_and_what_is_configured_are_the_default() -> None:
    assert arm_names(None)[0] == [*GROUPS["untrained"], "as-configured"]


def test_categories_are_needed_for_popularity_in_them() -> None:
    found, left_out = arm_names(None, has_categories=False)
    assert [*left_out] == ["popular-category"]
    assert {*found} == {*GROUPS["untrained"], "as-configured"} - {"popular-category"}


def test_a_group_leaves_out_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "sklearn", "torch", "implicit")
    found, left_out = arm_names(["all"])
    assert found == [*GROUPS["untrained"], "as-configured"]
    assert {*left_out} == {*GROUPS["ranked"], *GROUPS["trained"]} - {*BY_NAME_ONLY}
    with pytest.raises(UnavailableError, match=r"\.\[ranking\]"):
        arm_names(["top-40-ranked"])
    with pytest.raises(UnavailableError, match=r"\.\[baselines\]"):
        arm_names(["ease"])


def test_an_arm_measured_by_name_only_is_in_its_group_and_not_in_all() -> None:
    for name in BY_NAME_ONLY:
        assert arm_names([name])[0] == [name]
        group = next(group for group, names in GROUPS.items() if name in names)
        assert name in arm_names([group])[0]
        assert name not in {*arm_names(["all"])[0], *arm_names(["all"])[1]}


def test_unknown_names_are_told_with_the_known() -> None:
    with pytest.raises(UsageError, match=r"no arm eaze; expected some of .*als, .*a group: untrained"):
        arm_names(["ease", "eaze"])


def test_every_name_makes_an_arm_of_that_name() -> None:
    log = log_of(drawn_actions(1), drawn_embeddings(1))
    names = [name for group in GROUPS.values() for name in group if name != "popular-category"]
    made = make_arms(names, log, Parts(NeighborLists(log.embeddings, 20)), [5, 9], BuildConfig())
    assert [arm.name for arm in made] == names
    tuned = [arm for arm in made if isinstance(arm, TunedArm)]
    assert [arm.name for arm in tuned] == list(TRAINED)
    assert {arm.budget for arm in tuned} == {5}


def test_a_tuned_arm_says_what_it_chose_before_the_cut() -> None:
    log = log_of(drawn_actions(1), drawn_embeddings(1))
    arm = TunedArm("ease", 5, n_days=10, refit_days=2)
    with pytest.raises(UsageError, match="fitted first"):
        arm.recommend(next(iter(walk(log, 50 * DAY, 1, window_ms=90 * DAY))), log, 5, "all")
    arm.fit(log, 50 * DAY)
    told = arm.fitted()
    assert len(told["recalls"]) == len(TRAINED["ease"]())
    best = TRAINED["ease"]()[int(np.argmax(told["recalls"]))]
    assert told["chosen"]["l2"] == best.l2  # type: ignore[attr-defined]
    assert told["chosen"]["refit_days"] == 2
