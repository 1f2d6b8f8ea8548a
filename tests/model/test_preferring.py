"""Muted and pinned interests, as items go and come back, medoids change, and interests merge and part."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pinnersage import PinnerSage
from pinnersage.config import BuildConfig, ImportConfig, InterestConfig
from pinnersage.errors import ItemNotFoundError, UsageError, UserNotFoundError
from pinnersage.model.live import LiveModel
from pinnersage.streaming.events import NewAction

DAY_MS, START_MS = 86_400_000, 1_700_000_000_000
CONFIG = BuildConfig(interests=InterestConfig(max_merge_cost=0.5), imports=ImportConfig(time_unit="ms"))
# Items of three topics, a right angle apart; the vectors of a topic are equal.
ITEMS = {f"{topic}{n}": np.eye(3)[at] for at, topic in enumerate("abc") for n in range(6)}
USERS = ("u1", "u2", "u3", "u4")


def act(user: str, item: str, day: float = 0.0) -> NewAction:
    return NewAction(user, item, START_MS + round(day * DAY_MS))


def build(path: Path, vectors: dict[str, np.ndarray] = ITEMS) -> Path:
    """Build a model: each user acts on three items of a and two of b, and ``other`` on all."""
    actions = [
        act(user, item, day) for user in USERS for day, item in enumerate(("a0", "a1", "a2", "b0", "b1"))
    ]
    actions += [act("other", item) for item in vectors]
    items = pa.table({"item_id": list(vectors), "embedding": [list(map(float, v)) for v in vectors.values()]})
    table = pa.table(
        {
            "user_id": [a.user_id for a in actions],
            "item_id": [a.item_id for a in actions],
            "timestamp": [a.time_ms for a in actions],
        }
    )
    PinnerSage.build(items, table, path=path, config=CONFIG).close()
    return path


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveModel]:
    with LiveModel(build(tmp_path / "m")) as model:
        yield model


def medoid(live: LiveModel, user: str, topic: str) -> str:
    """Return the medoid of the user's interest with items of a topic."""
    interests = live.interests(user)["interests"]
    (found,) = [i["medoid_item_id"] for i in interests if any(item[0] == topic for item in i["item_ids"])]
    return str(found)


def preferred(live: LiveModel, user: str) -> dict[str, str | None]:
    """Return the preference of each interest, named by the topics of its items."""
    return {
        "".join(sorted({item[0] for item in interest["item_ids"]})): interest["preference"]
        for interest in live.interests(user)["interests"]
    }


def proposing(live: LiveModel, user: str) -> set[str]:
    """Return the topics that the user's list comes from."""
    return {item["interest"][0] for item in live.recommend(user, 18, mode="budgeted")["items"]}


def test_a_muted_interest_stays_muted_when_its_medoid_is_taken_out(live: LiveModel) -> None:
    before = {user: medoid(live, user, "a") for user in USERS}
    for user, item in before.items():
        live.set_preference(user, item, "muted")
    for item in set(before.values()):
        live.delete_item(item)
    for user, item in before.items():
        assert preferred(live, user) == {"a": "muted", "b": None}
        assert proposing(live, user) == {"b"}
        held = live.export(user)
        assert held["preferences"] == {item: "muted"}
        assert sorted(held["preference_item_ids"][item]) == ["a0", "a1", "a2"]


def test_the_preference_of_an_item_that_is_gone_can_be_forgotten(live: LiveModel) -> None:
    live.set_preference("u1", medoid(live, "u1", "a"), "muted")
    live.set_preference("u1", "b0", "pinned")
    for item in ("a0", "a1", "a2", "b0"):
        live.delete_item(item)
    assert preferred(live, "u1") == {"b": "pinned"}
    assert sorted(live.export("u1")["preferences"].values()) == ["muted", "pinned"]
    for item in ("a0", "b0"):
        assert live.set_preference("u1", item, None)["preference"] is None
        with pytest.raises(ItemNotFoundError):
            live.set_preference("u1", item, None)
    assert live.export("u1")["preferences"] == {}
    assert preferred(live, "u1") == {"b": None}


def test_an_interest_that_returns_with_its_items_is_still_muted(live: LiveModel) -> None:
    live.set_preference("u1", "a0", "muted")
    for item in ("a0", "a1", "a2"):
        live.delete_item(item)
    assert preferred(live, "u1") == {"b": None}
    live.put_item("a1", ITEMS["a1"].tolist())
    assert preferred(live, "u1") == {"a": "muted", "b": None}


def test_what_was_said_by_one_medoid_is_undone_by_the_next(live: LiveModel) -> None:
    first = medoid(live, "u1", "a")
    live.set_preference("u1", first, "muted")
    live.delete_item(first)
    second = medoid(live, "u1", "a")
    assert live.set_preference("u1", second, "pinned")["medoid_item_id"] == second
    assert preferred(live, "u1") == {"a": "pinned", "b": None}
    assert live.export("u1")["preferences"] == {second: "pinned"}
    live.set_preference("u1", second, None)
    assert preferred(live, "u1") == {"a": None, "b": None}


def test_forgetting_what_was_never_said_of_an_interest_leaves_the_others_alone(live: LiveModel) -> None:
    live.set_preference("u1", "a0", "muted")
    live.put_item("a0", ITEMS["b0"].tolist())
    assert preferred(live, "u1") == {"a": "muted", "ab": None}
    live.set_preference("u1", "a0", None)
    assert preferred(live, "u1") == {"a": "muted", "ab": None}


def test_of_two_interests_that_become_one_the_newest_word_counts(live: LiveModel) -> None:
    for item, preference in (("b0", "pinned"), ("a0", "muted")):
        live.set_preference("u1", item, preference)  # type: ignore[arg-type]
    for item in ("b0", "b1"):
        live.put_item(item, ITEMS["a0"].tolist())
    assert preferred(live, "u1") == {"ab": "muted"}
    for item in ("b0", "b1"):
        live.put_item(item, ITEMS["b0"].tolist())
    assert preferred(live, "u1") == {"a": "muted", "b": "pinned"}
    for item in ("b0", "b1"):
        live.put_item(item, ITEMS["a0"].tolist())
    live.set_preference("u1", "b1", None)
    assert preferred(live, "u1") == {"ab": None}
    assert live.export("u1")["preferences"] == {}


def test_of_an_interest_that_parts_the_part_with_most_of_its_items_keeps_the_preference(
    live: LiveModel,
) -> None:
    live.set_preference("u1", "a0", "muted")
    live.put_item("a0", ITEMS["c0"].tolist())
    found = {tuple(sorted(i["item_ids"])): i["preference"] for i in live.interests("u1")["interests"]}
    assert found == {("a0",): None, ("a1", "a2"): "muted", ("b0", "b1"): None}
    live.set_preference("u1", "a0", "pinned")  # What was said of the other part stays.
    found = {tuple(sorted(i["item_ids"])): i["preference"] for i in live.interests("u1")["interests"]}
    assert found == {("a0",): "pinned", ("a1", "a2"): "muted", ("b0", "b1"): None}
    assert live.export("u1")["preferences"] == {"a2": "muted", "a0": "pinned"}


def test_a_preference_holds_when_all_its_items_have_left_the_window(live: LiveModel) -> None:
    live.set_preference("u1", "a0", "muted")
    live.add_actions([act("u1", item, 200) for item in ("a4", "b4", "c4")])
    assert preferred(live, "u1") == {"a": "muted", "b": None, "c": None}
    live.set_preference("u1", "a4", None)
    assert live.export("u1")["preferences"] == {}


def test_preferences_of_older_versions_are_read(live: LiveModel) -> None:
    live.journal().set_preferences("u1", {"a1": "muted", "gone": "pinned"})
    assert preferred(live, "u1") == {"a": "muted", "b": None}
    assert live.export("u1")["preferences"] == {"a1": "muted", "gone": "pinned"}
    assert live.export("u1")["preference_item_ids"] == {"a1": ["a1"], "gone": ["gone"]}
    live.set_preference("u1", "gone", None)
    live.set_preference("u1", medoid(live, "u1", "a"), "pinned")
    assert list(live.export("u1")["preferences"].values()) == ["pinned"]


def test_another_process_and_the_next_build_know_it(live: LiveModel, tmp_path: Path) -> None:
    live.set_preference("u1", medoid(live, "u1", "a"), "muted")
    live.delete_item(medoid(live, "u1", "a"))
    program = (
        "import sys; from pinnersage.model.live import LiveModel\n"
        "with LiveModel(sys.argv[1]) as model:\n"
        "    interests = model.interests('u1')['interests']\n"
        "    print([i['preference'] for i in interests if 'b0' not in i['item_ids']])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "m"], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "['muted']"
    build(tmp_path / "m", {item: np.roll(vector, 1) for item, vector in ITEMS.items()})
    assert live.refresh() or live.generation == "00000002"
    assert preferred(live, "u1") == {"a": "muted", "b": None}


def test_erasing_removes_preferences_also_those_of_items_that_are_gone(
    live: LiveModel, tmp_path: Path
) -> None:
    live.put_item("only-of-one", ITEMS["c0"].tolist())
    live.add_actions([act("u1", "only-of-one", 5)])
    live.set_preference("u1", "only-of-one", "muted")
    live.delete_item("only-of-one")
    assert live.export("u1")["preferences"] == {"only-of-one": "muted"}
    assert live.erase("u1")["journal"]["n_preferences"] == 1
    with pytest.raises(UserNotFoundError):
        live.export("u1")
    with pytest.raises(UserNotFoundError):
        live.set_preference("u1", "only-of-one", None)
    for path in (tmp_path / "m").rglob("*"):
        assert path.is_dir() or b'"muted"' not in path.read_bytes(), path


def test_what_is_no_preference_is_refused_and_changes_nothing(live: LiveModel) -> None:
    item = medoid(live, "u1", "a")
    live.set_preference("u1", item, "muted")
    for wrong in ("mute", "Muted", ""):
        with pytest.raises(UsageError, match="expected 'muted', 'pinned' or None, got"):
            live.set_preference("u1", item, wrong)  # type: ignore[arg-type]
    assert preferred(live, "u1") == {"a": "muted", "b": None}


@pytest.mark.parametrize("mode", ["sampled", "budgeted", "balanced"])
def test_every_way_to_ask_a_model_knows_preferences(live: LiveModel, tmp_path: Path, mode: Any) -> None:
    """The class that only answers, and with it the command line, gives the lists that the service gives."""
    options = {"interests": 2, "mode": mode, "include_seen": True}
    for preference in ("muted", "pinned", None):
        live.set_preference("u1", medoid(live, "u1", "a"), preference)
        with PinnerSage.open(tmp_path / "m") as model:
            for seed in range(4):
                asked = live.recommend("u1", 12, seed=seed, **options)["items"]
                assert model.recommend_dict("u1", 12, seed=seed, **options)["items"] == asked
            assert {item["interest"][0] for item in asked} == ({"b"} if preference == "muted" else {"a", "b"})
            for item in ("a5", "b5", "c5"):
                assert model.explain("u1", item) == live.explain("u1", item)
