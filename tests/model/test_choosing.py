"""Lists of some items only: ids that may not come, attributes that items must have, in every way to ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.model.test_ranked import SETTINGS, tables

from pinnersage import LiveModel, NewAction, PinnerSage
from pinnersage.errors import UsageError, WouldWaitError
from pinnersage.model.choosing import ListRequest
from pinnersage.model.preferring import chosen_record
from pinnersage.retrieval.narrowed import Choice

MODES: tuple[Any, ...] = ("sampled", "budgeted", "balanced", "ranked")
N_ITEMS, N_CATEGORIES = 80, 3
USER = 7


def category_of(item: int) -> str:
    return str(item % N_CATEGORIES)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("choosing") / "model"
    items, actions = tables()
    items = items.append_column("size", pa.array([i // 40 for i in range(N_ITEMS)]))
    items = items.append_column("price", pa.array([0.5] * N_ITEMS))
    PinnerSage.build(items, actions, path=path, **SETTINGS).close()
    return path


@pytest.fixture
def model(built: Path) -> Iterator[PinnerSage]:
    with PinnerSage.open(built) as opened:
        yield opened


@pytest.fixture
def live(built: Path, tmp_path: Path) -> Iterator[LiveModel]:
    with PinnerSage.open(built) as opened:
        opened.save(tmp_path / "live")
    with LiveModel(tmp_path / "live") as opened:
        yield opened


def ids(answer: dict[str, Any]) -> list[Any]:
    return [item["item_id"] for item in answer["items"]]


@pytest.mark.parametrize("mode", MODES)
def test_all_items_of_a_kind_come_and_no_others(model: PinnerSage, mode: Any) -> None:
    seen = set(model.items.vocabulary.ids_of(model.record(USER).item_rows))
    asked: list[dict[str, Any]] = [{"category": "1"}, {"category": ["1", "2"], "size": 1}, {"size": [0]}]
    for where in asked:
        wanted: dict[str, Any] = {"category": ["0", "1", "2"], "size": [0, 1]} | where
        found = ids(model.recommend_dict(USER, N_ITEMS, mode=mode, where=where))
        fit = {
            item for item in range(N_ITEMS)
            if category_of(item) in wanted["category"] and item // 40 in np.ravel(wanted["size"])
        }  # fmt: skip
        assert set(found) <= fit - seen - {3}  # 3 is not available
        if mode == "ranked":  # It orders what was proposed, and that need not be all there is.
            assert found
        else:
            plain = ids(model.recommend_dict(USER, N_ITEMS, mode=mode, interests=10_000))
            assert set(found) == fit.intersection(plain)


def test_a_ranker_is_given_such_items_only_and_all_that_are_asked_for() -> None:
    """Also where none of them is near, popular or linked: the interests propose from among them."""
    items, actions = tables()
    items = items.append_column("name", pa.array([f"n{i}" for i in range(N_ITEMS)]))
    few = {
        "n_popular_per_slot": 0,
        "n_linked_per_slot": 0,
        "n_category_per_slot": 0,
        "n_proposed_per_slot": 1,
    }
    with PinnerSage.build(items, actions, **SETTINGS | few | {"budget": 5}) as model:
        seen = set(model.items.vocabulary.ids_of(model.record(USER).item_rows))
        left = [item for item in range(N_ITEMS) if item not in seen | {3}]
        assert len(ids(model.recommend_dict(USER, 1))) == 1
        for item in left:
            assert ids(model.recommend_dict(USER, 1, where={"name": f"n{item}"})) == [item]


def test_a_ranker_orders_no_others(model: PinnerSage) -> None:
    """Popular and linked items, too, come from among those that are asked for, so there is room for all."""
    wanted, ranked = np.zeros(len(model._opened.items.pool), np.bool_), model._opened.ranked
    wanted[[10, 11, 50]] = True
    assert ranked is not None
    narrowed = ranked.narrowed(Choice(wanted, np.empty(0, np.int32)))
    assert narrowed.recommend(model.record(USER), 3, exclude_seen=False).n_candidates == 3


@pytest.mark.parametrize("mode", MODES)
def test_what_is_excluded_makes_room_for_the_next(model: PinnerSage, mode: Any) -> None:
    plain = ids(model.recommend_dict(USER, 30, mode=mode))
    gone = [plain[0], str(plain[4]), "no such item", -5]
    found = ids(model.recommend_dict(USER, 20, mode=mode, exclude=gone))
    assert not {plain[0], plain[4]} & set(found)
    if mode in ("budgeted", "ranked"):
        assert len(found) == 20
    assert ids(model.recommend_dict(USER, 30, mode=mode)) == plain
    assert ids(model.recommend_dict(USER, 30, mode=mode, exclude=["no such item"])) == plain


def test_interests_without_such_items_are_not_asked(model: PinnerSage) -> None:
    interests = {i["medoid_item_id"]: i["item_ids"] for i in model.interests_dict(USER)["interests"]}
    for category in "012":
        holding = {m for m, own in interests.items() if category in map(category_of, own)}
        asked = {i["interest"] for i in items_of(model, category, mode="budgeted", interests=10_000)}
        assert asked <= (holding or interests.keys())


def items_of(model: PinnerSage, category: str, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = model.recommend_dict(USER, 20, where={"category": category}, **options)[
        "items"
    ]
    return found


def lone_kinds() -> tuple[pa.Table, pa.Table]:
    """Three topics at right angles, each a category; the user acts on two of them."""
    topics = np.repeat(np.eye(3), 8, axis=0) + 0.05 * np.random.default_rng(1).standard_normal((24, 3))
    items = pa.table({
        "item_id": [f"i{n}" for n in range(24)],
        "embedding": list(topics),
        "category": [f"c{n // 8}" for n in range(24)],
    })  # fmt: skip
    times = pa.array(range(6), pa.timestamp("s"))
    acted = ["i0", "i1", "i2", "i8", "i9", "i10"]
    return items, pa.table({"user_id": ["u"] * 6, "item_id": acted, "timestamp": times})


@pytest.mark.parametrize("mode", MODES[:3])
def test_a_kind_no_interest_holds_is_asked_of_all(mode: Any) -> None:
    with PinnerSage.build(*lone_kinds(), near_duplicate_cosine=1.01) as model:
        medoids = set(model.interests("u")["medoid_item_id"].to_pylist())
        assert len(medoids) == 2
        for category, n in (("c0", 5), ("c1", 5), ("c2", 8)):
            found = model.recommend_dict("u", 24, mode=mode, where={"category": category})["items"]
            assert len(found) == n
            own = {f"i{i}" for i in range(24) if f"c{i // 8}" == category}
            assert {item["interest"] for item in found} <= (medoids & own or medoids)
        assert model.recommend_dict("u", 24, mode=mode, where={"category": "none such"})["items"] == []


def test_mutes_and_pins_hold_inside_a_kind(tmp_path: Path) -> None:
    PinnerSage.build(*lone_kinds(), path=tmp_path / "model").close()
    with LiveModel(tmp_path / "model") as live:
        of = {"c0": "i1", "c1": "i9"}
        live.set_preference("u", of["c0"], "muted")
        assert interests_of(live, "c0") == interests_of(live, None)
        assert interests_of(live, "c1") == interests_of(live, None)
        live.set_preference("u", of["c0"], "pinned")
        assert interests_of(live, "c1").isdisjoint(interests_of(live, "c0"))


def interests_of(live: LiveModel, category: str | None) -> set[Any]:
    where = None if category is None else {"category": category}
    return {item["interest"] for item in live.recommend("u", 24, mode="budgeted", where=where)["items"]}


def test_new_and_changed_items_are_of_their_kind_at_once(live: LiveModel) -> None:
    where = {"category": "7"}
    assert live.recommend(USER, 5, where=where)["items"] == []
    user = live.opened().record(USER)
    medoid = live.opened().items.vocabulary.id_of(int(user.medoid_rows[0]))
    embedding = np.array(live.opened().items.embeddings[user.medoid_rows[0]]) * 0.9 + 0.01
    live.put_item(1_000, embedding, {"category": "7"})
    assert medoid != 1_000
    for mode in ("sampled", "budgeted", "balanced"):
        assert ids(live.recommend(USER, 5, where=where, mode=mode)) == [1_000]
    live.put_item(1_000, embedding, {"category": "8"})
    assert live.recommend(USER, 5, where=where, mode="budgeted")["items"] == []
    assert ids(live.recommend(USER, 5, where={"category": "8"}, mode="budgeted")) == [1_000]


def test_sessions_and_popular_items_obey(live: LiveModel) -> None:
    action = NewAction("", 1, live.opened().now_ms)
    wanted: dict[str, Any] = {"where": {"category": "2"}, "exclude": [5, 8]}
    for found in (live.recommend_session([action], 40, **wanted), live.popular(40, **wanted)):
        assert ids(found)
        assert {category_of(item) for item in ids(found)} == {"2"}
        assert not {5, 8} & set(ids(found))
    plain = [item for item in ids(live.popular(N_ITEMS)) if category_of(item) == "2"]
    assert ids(live.popular(N_ITEMS, where={"category": "2"})) == plain
    assert ids(live.recommend_session([], 40, **wanted)) == ids(live.popular(40, **wanted))


def test_a_narrow_list_waits_for_nobody_else(live: LiveModel) -> None:
    with pytest.raises(WouldWaitError):
        live.recommend(USER, 5, where={"category": "1"}, may_wait=False, mode="budgeted")
    with pytest.raises(WouldWaitError):
        live.popular(5, where={"category": "1"}, may_wait=False)
    assert live.recommend(USER, 5, exclude=[1], may_wait=False, mode="budgeted")["items"]
    assert live.popular(5, exclude=[1], may_wait=False)["items"]


def test_request_ids_tell_questions_apart(model: PinnerSage) -> None:
    asked: list[dict[str, Any]] = [
        {}, {"exclude": [1]}, {"exclude": [1, 2]}, {"where": {"category": "1"}}, {"where": {"category": "2"}},
        {"where": {"size": 1}}, {"exclude": [1], "where": {"size": 1}},
    ]  # fmt: skip
    found = {model.recommend_dict(USER, 5, **options)["request_id"] for options in asked}
    assert len(found) == len(asked)
    same = ({"exclude": [2, 1]}, {"where": {"category": ["2"]}}, {"where": {"size": "1"}, "exclude": ["1"]})
    assert {model.recommend_dict(USER, 5, **options)["request_id"] for options in same} < found


@pytest.mark.parametrize("mode", MODES)
def test_counterfactuals_are_of_the_same_items(model: PinnerSage, mode: Any) -> None:
    options: dict[str, Any] = {"mode": mode, "where": {"category": ["0", "1"]}, "exclude": [4, 6]}
    plain = ids(model.recommend_dict(USER, 12, **options))
    told = model.counterfactual_dict(USER, None, 12, **options)
    assert told["item_ids"] == plain
    for interest in told["interests"]:
        come = set(interest["come"])
        assert {category_of(item) for item in come} <= {"0", "1"}
        assert not {4, 6} & come


def test_a_list_without_an_interest_mutes_what_the_user_did(tmp_path: Path, built: Path) -> None:
    with PinnerSage.open(built) as opened:
        opened.save(tmp_path / "live")
    with LiveModel(tmp_path / "live") as live:
        muted, *_, other = [i["medoid_item_id"] for i in live.interests(USER)["interests"]]
        live.set_preference(USER, muted, "muted")
    with PinnerSage.open(tmp_path / "live") as model:
        for mode in MODES[:3]:
            plain = ids(model.recommend_dict(USER, 40, mode=mode))
            assert model.counterfactual_dict(USER, muted, 40, mode=mode)["item_ids"] == plain
            assert model.counterfactual_dict(USER, muted, 40, mode=mode)["interests"][0]["gone"] == []
            without = model.recommend_without_dict(USER, [other], 40, mode=mode)
            assert not {muted, other} & {item["interest"] for item in without["items"]}


def test_muting_leaves_the_others_that_were_drawn(tmp_path: Path, built: Path) -> None:
    with PinnerSage.open(built) as opened:
        opened.save(tmp_path / "live")
    with LiveModel(tmp_path / "live") as live:
        for seed in range(5):
            drawn = {
                item["interest"] for item in live.recommend(USER, 60, mode="sampled", seed=seed)["items"]
            }
            gone = min(drawn)
            live.set_preference(USER, gone, "muted")
            now = {item["interest"] for item in live.recommend(USER, 60, mode="sampled", seed=seed)["items"]}
            live.set_preference(USER, gone, None)
            assert drawn - {gone} <= now
            assert gone not in now


def test_muting_leaves_the_history_of_what_is_not_asked(tmp_path: Path, built: Path) -> None:
    """A balanced list speaks for all actions, also for those of interests behind the ones that propose."""
    with PinnerSage.open(built) as opened:
        opened.save(tmp_path / "live")
    with LiveModel(tmp_path / "live") as live:
        first, *_, last = live.interests(USER)["interests"]
        live.set_preference(USER, first["medoid_item_id"], "muted")
        generation, record = live.opened(), live.opened().record(USER)
        kept = live.journal().preferences(USER)
        for mode in ("budgeted", "balanced", "ranked"):
            chosen = chosen_record(generation, record, kept, ListRequest(5, 1, 0, mode), seed=0)
            assert chosen.record.n_interests == record.n_interests - 1
            rows = generation.items.vocabulary.rows_of(last["item_ids"])
            assert set(rows.tolist()) <= set(chosen.record.item_rows.tolist())


def drawn_by(live: LiveModel, seed: int) -> set[Any]:
    return {item["interest"] for item in live.recommend(USER, 60, mode="sampled", seed=seed)["items"]}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"exclude": "i1"}, "exclude: expected a list of items, got 'i1'"),
        ({"exclude": 7}, "exclude: expected a list of items, got 7"),
        ({"exclude": iter([1])}, "exclude: expected a list of items, got <list_iterator"),
        ({"exclude": [1, None]}, "exclude: expected ids of items, texts or integers, got None"),
        ({"where": "category"}, "where: expected attributes and values, .* got 'category'"),
        ({"where": {"categry": "1"}}, "where: expected one of category, size, got 'categry'"),
        ({"where": {"price": "1"}}, "where: .* got 'price', whose values are of the type double"),
        ({"where": {"category": []}}, "where: expected 1 to 1,000 values of 'category', got 0"),
        ({"where": {"category": list(range(1_001))}}, "where: expected 1 to 1,000 values .* got 1,001"),
        ({"where": {"category": ["1", 0.5]}}, "where: expected text, whole numbers.* got 0.5"),
        ({"where": {"category": None}}, "where: expected text, whole numbers.* got None"),
    ],
)
def test_wrong_questions(model: PinnerSage, options: dict[str, Any], told: str) -> None:
    for ask in (model.recommend_dict, model.counterfactual_dict):
        with pytest.raises(UsageError, match=told):
            ask(USER, **options)
