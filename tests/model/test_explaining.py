"""What is said of an item holds of the lists that are given: in every mode, also with preferences."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pinnersage import PinnerSage
from pinnersage.config import MS_PER_DAY
from pinnersage.model.live import LiveModel
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.retrieval.retriever import Retriever
from pinnersage.streaming.events import NewAction
from pinnersage.testing.index import clustered

N_ITEMS, N_USERS, START_MS = 600, 12, 1_700_000_000_000
GONE, COPY, OF = 7, 599, 11
NEAR_DUPLICATE = 0.99
SETTINGS: dict[str, dict[str, Any]] = {
    "sampled": {"mode": "sampled"},
    "budgeted": {"mode": "budgeted"},
    "balanced": {"mode": "balanced"},
    "ranked": {"fit_ranker": True, "horizon_days": 5, "n_moments": 3, "n_trees": 10, "min_leaf_rows": 5,
               "n_proposed_per_slot": 1.0, "n_popular_per_slot": 0.3, "n_linked_per_slot": 0.3},
}  # fmt: skip


def vectors() -> Any:
    found = clustered(N_ITEMS, 8, seed=4)
    found[COPY] = found[OF]
    return found


def tables() -> tuple[pa.Table, pa.Table]:
    rng = np.random.default_rng(2)
    n = 40 * N_USERS
    favorites = rng.integers(0, N_ITEMS, (N_USERS, 6))
    near = np.argsort(-vectors() @ vectors().T, axis=1)[:, :8]
    users = rng.integers(0, N_USERS, n)
    rows = near[favorites[users, rng.integers(0, 6, n)], rng.integers(0, 8, n)]
    times = pa.array(START_MS + rng.integers(0, 60 * MS_PER_DAY, n), pa.timestamp("ms", tz="UTC"))
    items = {"item_id": np.arange(N_ITEMS), "embedding": list(vectors())}
    return (
        pa.table(items | {"available": np.arange(N_ITEMS) != GONE}),
        pa.table({"user_id": users, "item_id": rows, "timestamp": times}),
    )


class Forgetful(ExactIndex):
    """An index that never finds one of its items."""

    def __init__(self, items: Any, missed: int) -> None:
        super().__init__(items)
        self._missed = missed

    def search(self, *asked: Any, **options: Any) -> tuple[Any, Any]:
        scores, rows = super().search(*asked, **options)
        last = np.argsort(rows == self._missed, axis=1, kind="stable")
        rows = np.where(rows == self._missed, -1, rows)
        return np.take_along_axis(scores, last, axis=1), np.take_along_axis(rows, last, axis=1)


@pytest.fixture(scope="module", params=list(SETTINGS))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param) / "model"
    PinnerSage.build(*tables(), path=path, candidate_budget=90, **SETTINGS[request.param]).close()
    return path


def test_the_place_and_the_reasons_are_those_of_the_lists(built: Path) -> None:
    n_told = dict.fromkeys(("seen", "unavailable", "near_duplicate", "too_far"), 0)
    with PinnerSage.open(built) as model:
        for user in range(0, N_USERS, 3):
            listed = {item["item_id"]: item for item in model.recommend_dict(user, 100)["items"]}
            record = model.record(user)
            seen = set(record.item_rows.tolist()) | set(record.seen_rows.tolist())
            for item in range(0, N_ITEMS, 3):
                told = model.explain(user, item)
                assert told["rank"] == (listed[item]["rank"] if item in listed else None)
                assert told["recommendable"] == (not told["reasons"])
                assert ("seen" in told["reasons"]) == (item in seen)
                if item in listed:
                    assert (told["reasons"], told["interest"]) == ([], listed[item]["interest"])
                if told["near_duplicate_instead"] is not None:
                    twin = told["near_duplicate_instead"]
                    assert model.explain(user, twin)["reasons"] == []
                    assert vectors()[twin] @ vectors()[item] >= NEAR_DUPLICATE - 1e-5
                for reason in told["reasons"]:
                    n_told[reason] += 1
            assert model.explain(user, GONE)["reasons"] == ["unavailable"]
    assert n_told["seen"] > 0
    assert n_told["too_far"] > 0


def test_whatever_has_no_reason_against_it_is_among_the_candidates(built: Path) -> None:
    with PinnerSage.open(built) as model:
        mode, user = model.config.retrieval.mode, 0
        clear = {item for item in range(0, N_ITEMS, 3) if model.explain(user, item)["recommendable"]}
        if "ranking" in model.explain(user, 0):
            found = {item for item in clear if model.explain(user, item)["ranking"]["rank"]}
        else:
            n = 400 if mode == "balanced" else 100
            seeds = range(60) if mode == "sampled" else range(1)
            how: dict[str, Any] = {"mode": "budgeted", "interests": 40} if mode == "balanced" else {}
            lists = [model.recommend_dict(user, n, seed=seed, **how) for seed in seeds]
            found = {item["item_id"] for one in lists for item in one["items"]}
        assert clear
        assert clear <= found


def test_a_twin_of_what_is_listed_is_no_candidate_and_the_twin_is_named(built: Path) -> None:
    with PinnerSage.open(built) as model:
        for user in range(N_USERS):
            listed = {item["item_id"] for item in model.recommend_dict(user, 100)["items"]}
            assert not {OF, COPY} <= listed
            for one, other in ((OF, COPY), (COPY, OF)):
                if one in listed:
                    told = model.explain(user, other)
                    if told["reasons"] != ["seen"]:
                        assert told["reasons"] == ["near_duplicate"]
                        assert told["near_duplicate_instead"] == one


def test_a_twin_that_comes_before_is_named_also_when_it_is_not_in_the_list(
    built: Path, tmp_path: Path
) -> None:
    with LiveModel(shutil.copytree(built, tmp_path / "model")) as live:
        told = {item: live.explain(4, item) for item in range(0, N_ITEMS, 2)}
        listed = next(item for item, one in told.items() if one["rank"])
        beyond = [item for item, one in told.items() if one["recommendable"] and not one["rank"]]
        for number, item in enumerate([listed, *beyond[:1]]):
            live.put_item(1_000 + number, vectors()[item].tolist())
            copy = live.explain(4, 1_000 + number)
            if item != listed and ("ranking" in copy or copy["recommendable"]):
                continue  # To a ranker it is new, and an interest that is not drawn keeps nothing out.
            assert (copy["reasons"], copy["near_duplicate_instead"]) == (["near_duplicate"], item)
        assert live.explain(4, 1_000)["reasons"] == ["near_duplicate"]


def test_with_all_interests_muted_whatever_would_come_does_not_because_of_that(
    built: Path, tmp_path: Path
) -> None:
    with LiveModel(shutil.copytree(built, tmp_path / "model")) as live:
        before = {item: live.explain(4, item) for item in range(0, N_ITEMS, 5)}
        for interest in live.interests(4)["interests"]:
            live.set_preference(4, interest["medoid_item_id"], "muted")
        listed = {item["item_id"]: item["rank"] for item in live.recommend(4, 100)["items"]}
        n_muted = 0
        for item, was in before.items():
            told = live.explain(4, item)
            assert told["rank"] == listed.get(item)
            assert "no_interests" not in told["reasons"]
            assert len(told["interests"]) == len(was["interests"])
            if was["reasons"]:
                assert told["reasons"] in (was["reasons"], [])
            elif item not in listed and "ranking" not in told:
                n_muted += told["reasons"] == ["muted"]
                assert told["reasons"] == ["muted"]
        assert n_muted or listed


def test_beside_a_pinned_interest_others_may_still_be_drawn(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"mode": "sampled", "n_interests": 2, "candidate_budget": 90}
    PinnerSage.build(*tables(), path=tmp_path / "model", **settings).close()
    with LiveModel(tmp_path / "model") as live:
        live.set_preference(0, live.interests(0)["interests"][-1]["medoid_item_id"], "pinned")
        offered, n_others = 45, 0  # Of 90 by each of two.
        for item in range(0, N_ITEMS, 2):
            told = live.explain(0, item)
            if told["rank_in_interest"] <= offered and not told["seen"] and item != GONE:
                assert told["reasons"] in ([], ["near_duplicate"]), item
                n_others += told["rank"] is None
        assert n_others > 0


def test_who_has_nothing_in_the_window_gets_popular_items_and_is_told_so(built: Path, tmp_path: Path) -> None:
    with LiveModel(shutil.copytree(built, tmp_path / "model")) as live:
        old_ms = live.opened().now_ms - 400 * MS_PER_DAY
        live.add_actions([NewAction(77, item, old_ms + item, "view") for item in (20, 21)])
        listed = {item["item_id"]: item["rank"] for item in live.recommend(77, 100)["items"]}
        for item in range(0, N_ITEMS, 5):
            told = live.explain(77, item)
            assert (told["rank"], "ranking" in told) == (listed.get(item), False)
            assert told["recommendable"] == (item in listed)
        assert live.explain(77, 20)["reasons"] == ["no_interests", "seen"]
        assert live.explain(77, GONE)["reasons"] == ["no_interests", "unavailable"]
    with PinnerSage.open(tmp_path / "model") as model:
        listed = {item["item_id"]: item["rank"] for item in model.recommend_dict(77, 100)["items"]}
        for item in range(0, N_ITEMS, 5):
            told = model.explain(77, item)
            assert told["rank"] == listed.get(item)
            assert not (told["reasons"] and item in listed)


def test_what_an_approximate_index_did_not_find_is_said_to_be_missed(tmp_path: Path) -> None:
    PinnerSage.build(*tables(), path=tmp_path / "model", mode="budgeted", candidate_budget=90).close()
    with LiveModel(tmp_path / "model") as live:
        first = live.recommend(0, 1)["items"][0]["item_id"]
        opened = live.opened()
        items, pool, config = opened.items.embeddings, opened.items.pool, opened.config.retrieval
        opened.retriever = Retriever(Forgetful(items, first), items, pool, config)
        told = live.explain(0, first)
        assert (told["reasons"], told["rank"]) == (["missed"], None)
        assert first not in {item["item_id"] for item in live.recommend(0, 100)["items"]}


def test_a_twin_is_the_reason_also_where_an_interest_is_muted(tmp_path: Path) -> None:
    settings = SETTINGS["ranked"] | {"near_duplicate_cosine": 0.9}
    PinnerSage.build(*tables(), path=tmp_path / "model", **settings).close()
    n_twins = 0
    with LiveModel(tmp_path / "model") as live:
        for user in range(0, N_USERS, 3):
            live.set_preference(user, live.interests(user)["interests"][0]["medoid_item_id"], "muted")
            for item in range(0, N_ITEMS, 4):
                told = live.explain(user, item)
                if told["ranking"]["rank"] and not told["rank"]:
                    assert told["reasons"] in ([], ["near_duplicate"])
                    n_twins += bool(told["reasons"])
                if told["reasons"] == ["muted"]:
                    assert told["near_duplicate_instead"] is None
    assert n_twins > 0


def test_a_muted_interest_is_named_as_the_reason_and_a_pinned_one_speaks(built: Path) -> None:
    n_muted = 0
    with LiveModel(built) as live:
        user = 4
        first = live.interests(user)["interests"][0]["medoid_item_id"]
        last = live.interests(user)["interests"][-1]["medoid_item_id"]
        assert first != last
        before = {item["item_id"]: item for item in live.recommend(user, 100)["items"]}
        live.set_preference(user, first, "muted")
        live.set_preference(user, last, "pinned")
        try:
            after = {item["item_id"]: item for item in live.recommend(user, 100)["items"]}
            for item, was in before.items():
                told = live.explain(user, item)
                assert told["rank"] == (after[item]["rank"] if item in after else None)
                assert {one["medoid_item_id"] for one in told["interests"]} >= {first, last}
                if item in after:
                    assert (told["reasons"], told["interest"]) == ([], after[item]["interest"])
                if told["reasons"] == ["muted"]:
                    n_muted += was["interest"] == first
            assert any(live.explain(user, item)["interest"] == last for item in after)
        finally:
            live.set_preference(user, first, None)
            live.set_preference(user, last, None)
    assert n_muted > 0
