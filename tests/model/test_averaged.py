"""A user as one vector, and items against medoids, beside the same computed the plain way."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pinnersage import PinnerSage
from pinnersage.errors import ItemNotFoundError, UserNotFoundError
from pinnersage.model.live import LiveModel
from pinnersage.streaming.events import NewAction

DAY_S = 86_400
N_ITEMS = 20


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LiveModel:
    path = tmp_path_factory.mktemp("averaged") / "model"
    embeddings = np.random.default_rng(2).standard_normal((N_ITEMS, 6))
    items = pa.table({"item_id": [f"i{n:02d}" for n in range(N_ITEMS)], "embedding": embeddings.tolist()})
    acted = [f"i{n:02d}" for n in (0, 1, 2, 5, 9)]
    times = pa.array([n * DAY_S for n in range(1, 6)], pa.timestamp("s", "UTC"))
    actions = pa.table({"user_id": ["u"] * 5, "item_id": acted, "timestamp": times})
    PinnerSage.build(items, actions, path=path, max_merge_cost=0.5).close()
    return LiveModel.open(path)


def unit_embeddings() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    made = np.random.default_rng(2).standard_normal((N_ITEMS, 6))
    return np.array(made / np.linalg.norm(made, axis=1, keepdims=True))


def test_similarities_are_cosines_with_medoids_in_the_order_of_the_interests(model: LiveModel) -> None:
    medoids = [int(i["medoid_item_id"][1:]) for i in model.interests("u")["interests"]]
    assert len(medoids) > 1
    embeddings = unit_embeddings()
    expected = embeddings[[3, 0]] @ embeddings[medoids].T
    assert np.allclose(model.similarities("u", ["i03", "i00"]), expected, atol=1e-6)
    assert model.similarities("u", []) == []


def test_similarities_of_what_is_not_there(model: LiveModel) -> None:
    with pytest.raises(UserNotFoundError):
        model.similarities("nobody", ["i00"])
    with pytest.raises(ItemNotFoundError):
        model.similarities("u", ["no-such-item"])


def test_the_averaged_vector_weighs_actions_as_importances_do(model: LiveModel) -> None:
    embeddings = unit_embeddings()
    ages_days = np.array([4, 3, 2, 1, 0])
    mean = np.exp(-0.01 * ages_days) @ embeddings[[0, 1, 2, 5, 9]]
    cosines = embeddings @ (mean / np.linalg.norm(mean))
    cosines[[0, 1, 2, 5, 9]] = -np.inf
    expected = [f"i{n:02d}" for n in np.argsort(-cosines)[:6]]
    found = model.mean_list("u", 6)["items"]
    assert [item["item_id"] for item in found] == expected
    assert np.allclose([item["score"] for item in found], np.sort(cosines)[::-1][:6], atol=1e-6)


def test_actions_without_any_weight_average_alike(model: LiveModel) -> None:
    own = [NewAction("weightless", f"i{n:02d}", 5 * DAY_S * 1_000, weight=0.0) for n in (1, 5)]
    model.add_actions(own)
    mean = unit_embeddings()[[1, 5]].mean(axis=0)
    cosines = unit_embeddings() @ (mean / np.linalg.norm(mean))
    cosines[[1, 5]] = -np.inf
    for found in (model.mean_list("weightless", 6), model.recommend("weightless", 6, mode="balanced")):
        assert min(item["score"] for item in found["items"]) > 0
    found = model.mean_list("weightless", 6)
    assert [item["item_id"] for item in found["items"]] == [f"i{n:02d}" for n in np.argsort(-cosines)[:6]]
