from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from tests.ranking.logs import random_log

from pinnersage import PinnerSage
from pinnersage.config import MS_PER_DAY, RecommendMode
from pinnersage.errors import StoredFormatError, UsageError
from pinnersage.interests.without import without_interests
from pinnersage.items.origin import LeakWarning, origin_of_this_version, with_origin
from pinnersage.model.live import LiveModel
from pinnersage.model.ranking import RANKER
from pinnersage.ranking.candidates import PROPOSED, slots_for
from pinnersage.ranking.features import FEATURES
from pinnersage.streaming.events import NewAction

SETTINGS: dict[str, Any] = {
    "fit_ranker": True, "budget": 40, "horizon_days": 5, "n_moments": 3, "n_trees": 10, "min_leaf_rows": 5,
}  # fmt: skip


def tables() -> tuple[pa.Table, pa.Table]:
    log, vectors = random_log(1)
    users = np.repeat(np.arange(60), np.diff(log.offsets))
    times = pa.array(log.times_ms + 19_000 * MS_PER_DAY, pa.timestamp("ms", tz="UTC"))
    columns = {"user_id": users, "item_id": log.item_rows, "timestamp": times}
    items = {
        "item_id": np.arange(80),
        "embedding": list(vectors),
        "category": [str(i % 3) for i in range(80)],
    }
    items["available"] = [i != 3 for i in range(80)]
    return pa.table(items), pa.table(columns)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ranked") / "model"
    PinnerSage.build(*tables(), path=path, **SETTINGS).close()
    return path


def test_a_model_with_a_ranker_uses_it(built: Path) -> None:
    with PinnerSage.open(built) as model:
        ranked = model.recommend_dict(7, 10)["items"]
        assert ranked == model.recommend_dict(7, 10, mode="ranked")["items"]
        assert ranked != model.recommend_dict(7, 10, mode="budgeted")["items"]
        scores = [item["score"] for item in ranked]
        assert scores == sorted(scores, reverse=True)
        assert model.summary()["timings"]["ranker_s"] > 0


def test_a_log_that_holds_actions_more_than_once_fits_the_same_ranker(tmp_path: Path) -> None:
    items, actions = tables()
    actions = actions.append_column("event_id", pa.array([f"e{i}" for i in range(len(actions))]))
    twice = pa.concat_tables([actions.slice(0, 500), actions, actions.slice(100, 900)])
    found = []
    for name, log in (("once", actions), ("twice", twice)):
        PinnerSage.build(items, log, path=tmp_path / name, **SETTINGS).close()
        (ranker,) = (tmp_path / name).rglob(RANKER)
        found.append({file.name: file.read_bytes() for file in sorted(ranker.iterdir())})
    assert found[0] == found[1]


@pytest.mark.parametrize("days_too_late", [0, 1])
def test_a_ranker_on_embeddings_that_know_its_weeks_is_warned_of(tmp_path: Path, days_too_late: int) -> None:
    items, actions = tables()
    newest_ms = int(np.max(actions["timestamp"].to_numpy().astype("datetime64[ms]").astype(np.int64)))
    first_ms = newest_ms + 1 - SETTINGS["n_moments"] * SETTINGS["horizon_days"] * MS_PER_DAY
    told = with_origin(items, origin_of_this_version("log", first_ms + days_too_late * MS_PER_DAY))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with PinnerSage.build(told, actions, path=tmp_path / "model", **SETTINGS) as model:
            summary = model.summary()
    found = [str(it.message) for it in caught if it.category is LeakWarning]
    assert found == summary["warnings"]
    assert len(found) == days_too_late
    assert all("embed --until" in text for text in found)
    with warnings.catch_warnings():
        warnings.simplefilter("error", LeakWarning)
        PinnerSage.build(told, actions, path=tmp_path / "plain").close()


def test_the_rules_of_every_list_hold(built: Path) -> None:
    with PinnerSage.open(built) as model:
        for user in range(0, 60, 7):
            record = model.record(user)
            seen = set(record.item_rows.tolist()) | set(record.seen_rows.tolist())
            items = [item["item_id"] for item in model.recommend_dict(user, 30)["items"]]
            assert items
            assert not seen & set(items)
            assert 3 not in items
            vectors = model.items.embeddings[items]
            assert np.triu(vectors @ vectors.T, 1).max() < model.config.retrieval.near_duplicate_cosine
            interests = {item["interest"] for item in model.recommend_dict(user, 30)["items"]}
            assert interests <= set(record.medoid_rows.tolist())
            again = [item["item_id"] for item in model.recommend_dict(user, 60, include_seen=True)["items"]]
            assert seen & set(again)


def test_a_pinned_interest_has_its_share_of_the_list_and_a_muted_one_nothing(
    built: Path, tmp_path: Path
) -> None:
    k, n_changed = 12, 0
    with LiveModel(Path(shutil.copytree(built, tmp_path / "model"))) as live:
        for user in range(0, 60, 5):
            interests = live.interests(user)["interests"]
            muted, pinned = interests[0]["medoid_item_id"], interests[-1]["medoid_item_id"]
            if muted == pinned:
                continue
            live.set_preference(user, muted, "muted")
            usual, every = (live.recommend(user, n)["items"] for n in (k, 80))
            live.set_preference(user, pinned, "pinned")
            items = live.recommend(user, k)["items"]
            share = interests[-1]["importance"] / sum(i["importance"] for i in interests[1:])
            of_pinned = [item["item_id"] for item in every if item["interest"] == pinned]
            least = of_pinned[: max(1, int(k * share))]
            assert muted not in {item["interest"] for item in usual + items}
            # What the ranker likes best, but for the room that is left; in the ranker's order.
            others = [item["item_id"] for item in every if item["item_id"] not in least]
            wanted = {*least, *others[: k - len(least)]}
            assert [i["item_id"] for i in items] == [i["item_id"] for i in every if i["item_id"] in wanted]
            n_changed += items != usual
    assert n_changed > 3


def test_pinned_interests_are_asked_and_each_has_an_item(built: Path, tmp_path: Path) -> None:
    n_alone = 0
    with LiveModel(Path(shutil.copytree(built, tmp_path / "model"))) as live:
        for user in range(0, 60, 5):
            medoids = [found["medoid_item_id"] for found in live.interests(user)["interests"]]
            live.set_preference(user, medoids[-1], "pinned")
            (item,) = live.recommend(user, 1, interests=1)["items"]
            assert item["interest"] == medoids[-1]
            opened, last = live.opened(), len(medoids) - 1
            assert opened.ranked is not None
            record = opened.record(user)
            viewed = opened.ranked._moment.view(record)
            wide = opened.ranked._candidates(viewed, 1, 1, True, np.array([last]))
            alone = without_interests(record, np.arange(last))
            own = opened.retriever.recommend(alone, 4 * SETTINGS["budget"], mode="budgeted").rows
            assert set(own.tolist()) <= set(wide.rows[wide.sources & PROPOSED > 0].tolist())
            for medoid in medoids:
                live.set_preference(user, medoid, "pinned")
            found = {item["interest"] for item in live.recommend(user, SETTINGS["budget"])["items"]}
            short = [item["interest"] for item in live.recommend(user, len(found))["items"]]
            assert sorted(short) == sorted(found)
            n_alone += len(found) > 2
    assert n_alone > 3


def test_explained_per_item(built: Path) -> None:
    with PinnerSage.open(built) as model:
        best = model.recommend_dict(7, 1)["items"][0]
        told = model.explain(7, best["item_id"])["ranking"]
        assert told["rank"] == 1
        assert told["score"] == pytest.approx(best["score"], abs=1e-5)
        assert told["expected"] + sum(told["contributions"].values()) == pytest.approx(
            told["score"], abs=1e-4
        )
        assert set(told["contributions"]) <= set(FEATURES)
        assert set(told["sources"]) & {"proposed", "popular", "linked", "category"}
        assert model.explain(7, 3)["ranking"]["rank"] == 0


def test_interests_share_what_is_proposed_for_a_list(built: Path) -> None:
    with LiveModel(built) as live:
        opened = live.opened()
        assert opened.ranked is not None
        per_slot = opened.config.ranking.n_proposed_per_slot
        for k in (10, 40, 200):
            n_proposed = round(per_slot * slots_for(k, opened.config.ranking))
            assert opened.ranked.shares(opened.record(7), k).sum() == n_proposed


def test_equal_builds_are_equal(built: Path, tmp_path: Path) -> None:
    PinnerSage.build(*tables(), path=tmp_path / "model", **SETTINGS).close()
    for name in ("ranker.bin", "statistics.bin", "links.bin"):
        one, two = (next(p.glob(f"generations/*/{RANKER}/{name}")) for p in (built, tmp_path / "model"))
        assert one.read_bytes() == two.read_bytes(), name


def test_without_a_ranker(tmp_path: Path) -> None:
    with PinnerSage.build(*tables(), path=tmp_path / "model") as model:
        assert "ranking" not in model.explain(7, 1)
        assert not list(tmp_path.glob(f"model/generations/*/{RANKER}"))
        with pytest.raises(UsageError, match="--ranker"):
            model.recommend(7, mode="ranked")


def test_a_build_whose_lists_would_need_a_ranker_is_refused_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mode 'ranked' needs a second stage: add --ranker"):
        PinnerSage.build(*tables(), path=tmp_path / "model", mode="ranked")
    assert not list(tmp_path.rglob("records-*"))


def test_a_damaged_ranker_is_refused(built: Path, tmp_path: Path) -> None:
    with PinnerSage.open(built) as model:
        copy = model.save(tmp_path / "copy")
    file = copy / RANKER / "ranker.bin"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(StoredFormatError, match="build again"):
        PinnerSage.open(tmp_path / "copy")


def test_a_user_whose_window_is_empty_gets_popular_items_of_no_interest() -> None:
    items, actions = tables()
    with PinnerSage.build(items, actions, **SETTINGS) as model:
        later = pa.array([model.now_ms + 200 * MS_PER_DAY], pa.timestamp("ms", tz="UTC"))
        model.update(pa.table({"user_id": [1], "item_id": [2], "timestamp": later}))
        assert model.record(7).n_interests == 0
        found = model.recommend_dict(7, 5)["items"]
        assert [item["interest"] for item in found] == [None] * 5
        assert model.recommend(7, 5)["interest"].null_count == 5


def test_a_long_list_is_full_where_sources_give_little(tmp_path: Path) -> None:
    little = SETTINGS | {
        "budget": 10, "n_proposed_per_slot": 1, "n_popular_per_slot": 1, "n_linked_per_slot": 1,
        "n_category_per_slot": 0,
    }  # fmt: skip
    with PinnerSage.build(*tables(), path=tmp_path / "model", **little) as model:
        for user in range(0, 60, 5):
            every = len(model.recommend_dict(user, 40, mode="budgeted", include_seen=True)["items"])
            assert len(model.recommend_dict(user, 40, include_seen=True)["items"]) == every == 40


def test_an_item_that_becomes_available_is_proposed(built: Path, tmp_path: Path) -> None:
    """The build left it out of the index; only its availability changes."""
    vector = tables()[0]["embedding"][3].as_py()
    with LiveModel(Path(shutil.copytree(built, tmp_path / "model"))) as live:
        assert not any(3 in listed(live, user, mode) for user in range(60) for mode in ("ranked", "budgeted"))
        live.put_item(3, vector, {"category": "0"})
        for mode in ("ranked", "budgeted"):
            assert sum(3 in listed(live, user, mode) for user in range(0, 60, 2)) > 20
        nearest = int(np.argsort(-np.array(tables()[0]["embedding"].to_pylist()) @ np.array(vector))[1])
        assert 3 in [item["item_id"] for item in live.neighbors(nearest, 5)["neighbors"]]
        rows = live.status()["n_new_items"]
        live.put_item(3, vector, {"category": "0"})
        assert live.status()["n_new_items"] == rows == 1
        assert live.verify().to_dict()["ok"]


def listed(live: LiveModel, user: int, mode: RecommendMode) -> list[Any]:
    return [item["item_id"] for item in live.recommend(user, 80, mode=mode, include_seen=True)["items"]]


@pytest.mark.parametrize("mode", ["ranked", "sampled"])
def test_verifying_fits_no_ranker(tmp_path: Path, mode: RecommendMode) -> None:
    """Also where the log given ends long before now, so that none could be fitted."""
    items, actions = tables()
    path = tmp_path / "model"
    PinnerSage.build(items, actions, path=path, mode=mode, **SETTINGS).close()
    with LiveModel(path) as live:
        later_ms = live.opened().now_ms + 60 * MS_PER_DAY
        live.add_actions([NewAction(7, 5, later_ms)])
        with patch("pinnersage.model.building.write_ranker") as fitted:
            found = live.verify(items, actions)
        assert (found.to_dict()["ok"], found.n_journal_actions) == (True, 1)
        fitted.assert_not_called()
