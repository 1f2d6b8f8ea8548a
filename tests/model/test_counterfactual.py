"""Lists as if an interest did not exist, against plain lists and topics that can be seen to go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.cli.conftest import N_PER_TOPIC, action_table, item_table
from tests.model.test_facade import actions, items
from tests.model.test_ranked import SETTINGS, tables

from pinnersage import PinnerSage
from pinnersage.errors import ItemNotFoundError, UsageError
from pinnersage.interests.without import without_interests

MODES = ("sampled", "budgeted", "balanced", "ranked")


@pytest.fixture(scope="module")
def models() -> Iterator[dict[str, PinnerSage]]:
    with PinnerSage.build(items(), actions()) as plain, PinnerSage.build(*tables(), **SETTINGS) as ranked:
        yield {"sampled": plain, "budgeted": plain, "balanced": plain, "ranked": ranked}


def some_user(model: PinnerSage) -> Any:
    return next(user for user in model.users() if len(model.interests(user)) > 4)


def ids(answer: dict[str, Any]) -> list[Any]:
    return [item["item_id"] for item in answer["items"]]


def test_without_an_interest_its_topic_goes() -> None:
    with PinnerSage.build(item_table(), action_table()) as model:
        interests = model.interests("u0").to_pylist()
        topic_of = {i["medoid_item_id"]: int(i["medoid_item_id"][1:]) // N_PER_TOPIC for i in interests}
        for medoid, topic in topic_of.items():
            for mode in ("sampled", "budgeted"):
                found = model.recommend_without_dict("u0", [medoid], 7, mode=mode)
                topics = {int(item[1:]) // N_PER_TOPIC for item in ids(found)}
                assert topic not in topics
                assert {i["interest"] for i in found["items"]} == set(topic_of) - {medoid}
                assert {int(item[1:]) // N_PER_TOPIC for item in found["gone"]} == {topic}


@pytest.mark.parametrize("mode", MODES)
def test_gone_and_come_are_the_set_differences(models: dict[str, PinnerSage], mode: Any) -> None:
    model = models[mode]
    user = some_user(model)
    plain = ids(model.recommend_dict(user, 12, mode=mode))
    changed = 0
    for interest in model.counterfactual_dict(user, None, 12, mode=mode)["interests"]:
        medoid = interest["medoid_item_id"]
        found = model.recommend_without_dict(user, [medoid], 12, mode=mode)
        assert list(found) == ["user_id", "items", "request_id", "without", "gone", "come"]
        assert found["without"] == [medoid]
        assert found["gone"] == interest["gone"] == [item for item in plain if item not in ids(found)]
        assert found["come"] == interest["come"] == [item for item in ids(found) if item not in plain]
        assert all(item["interest"] != medoid for item in found["items"])
        assert [item["rank"] for item in found["items"]] == list(range(1, len(found["items"]) + 1))
        changed += bool(found["gone"])
        seen = set(model.items.vocabulary.ids_of(model.record(user).item_rows))
        assert not seen & set(ids(found))
    assert changed


@pytest.mark.parametrize("mode", MODES)
def test_without_nothing_is_the_plain_list(models: dict[str, PinnerSage], mode: Any) -> None:
    model = models[mode]
    for user in list(model.users())[:8]:
        for more in ({}, {"seed": 3, "interests": 2}, {"include_seen": True}):
            plain = model.recommend_dict(user, 15, mode=mode, **more)
            found = model.recommend_without_dict(user, [], 15, mode=mode, **more)
            assert found["items"] == plain["items"]
            assert (found["gone"], found["come"], found["without"]) == ([], [], [])


def test_the_default_mode_is_the_models(models: dict[str, PinnerSage]) -> None:
    for mode in ("sampled", "ranked"):
        model = models[mode]
        user = some_user(model)
        medoid = model.interests(user)["medoid_item_id"][0].as_py()
        one, other = (model.recommend_without_dict(user, [medoid], 9, mode=m) for m in (None, mode))
        assert one["items"] == other["items"]


def test_others_drawn_stay_and_the_next_comes(models: dict[str, PinnerSage]) -> None:
    model = models["sampled"]
    user = some_user(model)
    medoids = set(model.interests(user)["medoid_item_id"].to_pylist())
    drawn = {item["interest"] for item in model.recommend_dict(user, 60, seed=4)["items"]}
    assert len(drawn) == 3
    for medoid in drawn:
        found = model.recommend_without_dict(user, [medoid], 60, seed=4)
        now = {item["interest"] for item in found["items"]}
        assert drawn - {medoid} < now
        assert len(now) == 3
    for medoid in medoids - drawn:
        assert model.recommend_without_dict(user, [medoid], 60, seed=4)["gone"] == []


@pytest.mark.parametrize("mode", MODES)
def test_without_any_interest_there_is_no_list(models: dict[str, PinnerSage], mode: Any) -> None:
    model = models[mode]
    user = some_user(model)
    medoids = model.interests(user)["medoid_item_id"].to_pylist()
    found = model.recommend_without_dict(user, reversed(medoids), 5, mode=mode)
    assert (found["items"], found["come"]) == ([], [])
    assert found["gone"] == ids(model.recommend_dict(user, 5, mode=mode))
    assert found["without"] == medoids


def test_rankers_see_neither_the_interest_nor_its_actions(models: dict[str, PinnerSage]) -> None:
    model = models["ranked"]
    user = some_user(model)
    medoid, own = next(
        (i["medoid_item_id"], i["item_ids"]) for i in model.interests(user).to_pylist() if i["n_actions"] > 1
    )
    record, reduced = model.record(user), model.recommend_without_dict(user, [medoid], 10)
    rows = set(model.items.vocabulary.rows_of(own).tolist())
    kept = [row for row in record.item_rows.tolist() if row not in rows]
    assert kept
    at = np.flatnonzero(record.medoid_rows == model.items.vocabulary.row_of(medoid))
    left = without_interests(record, at)
    assert left.item_rows.tolist() == kept
    assert rows <= set(left.seen_rows.tolist())
    expected = model._opened.recommend(left, 10, seed=0, mode=None, n_interests=None, exclude_seen=None)
    assert ids(reduced) == list(model.items.vocabulary.ids_of(expected.rows))


def test_the_table(models: dict[str, PinnerSage]) -> None:
    model = models["budgeted"]
    user = some_user(model)
    table = model.counterfactual(user, k=10, mode="budgeted")
    assert table.column_names == ["medoid_item_id", "share", "n_gone", "gone", "come"]
    assert table["medoid_item_id"].to_pylist() == model.interests(user)["medoid_item_id"].to_pylist()
    assert table["share"].to_pylist() == pytest.approx(model.interests(user)["share"].to_pylist())
    assert [len(gone) for gone in table["gone"].to_pylist()] == table["n_gone"].to_pylist()
    medoid = table["medoid_item_id"][1].as_py()
    assert (
        model.counterfactual(user, medoid, 10, mode="budgeted").to_pylist() == table.slice(1, 1).to_pylist()
    )
    assert table.schema.field("gone").type == pa.list_(pa.string())


def test_wrong_calls(models: dict[str, PinnerSage]) -> None:
    model = models["sampled"]
    user = some_user(model)
    stranger = next(
        i for i in model.items.vocabulary.ids_of(np.arange(80, dtype=np.int32))
        if i not in model.interests(user)["medoid_item_id"].to_pylist()
    )  # fmt: skip
    for ask in (model.counterfactual, lambda u, m: model.recommend_without_dict(u, [m])):
        with pytest.raises(ItemNotFoundError, match="medoid of an interest"):
            ask(user, stranger)
        with pytest.raises(ItemNotFoundError, match="check the id"):
            ask(user, "no such item")
    medoid = model.interests(user)["medoid_item_id"][0].as_py()
    for wrong in ({"k": 0}, {"interests": 0}, {"mode": "ranked"}, {"mode": "psychic"}):
        with pytest.raises(UsageError):
            model.recommend_without_dict(user, [medoid], **wrong)
