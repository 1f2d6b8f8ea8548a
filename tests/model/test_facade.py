"""The whole system through its one class, on real files."""

from __future__ import annotations

import gc
import json
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pinnersage import PinnerSage
from pinnersage.config import RecommendMode
from pinnersage.errors import (
    BadRowsWarning,
    BuildInProgressError,
    DataError,
    ItemNotFoundError,
    ModelNotFoundError,
    UsageError,
    UserNotFoundError,
)
from pinnersage.model import validate
from pinnersage.model.building import Stopwatch
from pinnersage.model.live import LiveModel
from pinnersage.store import _environment
from pinnersage.store.codec import encode_record
from pinnersage.store.generations import GenerationDirectory
from pinnersage.streaming import lmdb_journal

N_ITEMS, N_USERS, START_S = 80, 12, 1_700_000_000


def items(n: int = N_ITEMS) -> pa.Table:
    x = np.random.default_rng(0).standard_normal((n, 10)).astype(np.float32)
    available = [i % 10 != 9 for i in range(n)]
    return pa.table(
        {"item_id": [f"i{i:03d}" for i in range(n)], "embedding": x.tolist(), "available": available}
    )


def actions(seed: int = 1, n: int = 600, users: int = N_USERS) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "user_id": [f"u{u}" for u in rng.integers(0, users, n)],
            "item_id": [f"i{i:03d}" for i in rng.integers(0, 50, n)],
            "timestamp": pa.array(START_S + rng.integers(0, 150 * 86_400, n), pa.timestamp("s", tz="UTC")),
            "action": [("click", "save")[k] for k in rng.integers(0, 2, n)],
        }
    )


@pytest.fixture(scope="module")
def model() -> Iterator[PinnerSage]:
    with PinnerSage.build(items(), actions()) as built:
        yield built


def answers(model: PinnerSage) -> str:
    """All that can be asked of every user, as one text."""
    found: list[Any] = []
    for user in model.users():
        found += [model.interests_dict(user), model.recommend_dict(user, 20)["items"]]
    return json.dumps(found)


def records(model: PinnerSage) -> dict[Any, bytes]:
    return {user: encode_record(model.record(user)) for user in model.users()}


def test_every_kind_of_table_gives_the_same_model(model: PinnerSage, tmp_path: Path) -> None:
    kinds: list[tuple[Any, Any]] = [
        (items().to_pandas(), actions().to_pandas()),
        (pl.DataFrame(pl.from_arrow(items())), pl.DataFrame(pl.from_arrow(actions()))),
    ]
    for some_items, some_actions in kinds:
        with PinnerSage.build(some_items, some_actions, path=tmp_path / type(some_items).__module__) as other:
            assert answers(other) == answers(model)
    assert isinstance(kinds[0][0], pd.DataFrame)


def test_interests_add_up(model: PinnerSage) -> None:
    for user in model.users():
        table = model.interests(user)
        assert sum(table["share"].to_pylist()) == pytest.approx(1)
        importances = table["importance"].to_pylist()
        assert importances == sorted(importances, reverse=True)
        for row in table.to_pylist():
            assert row["medoid_item_id"] in row["item_ids"]
            assert row["oldest_action"] <= row["newest_action"]
            assert len(row["item_ids"]) <= row["n_actions"]
        assert sum(table["n_actions"].to_pylist()) == model.record(user).n_actions


@pytest.mark.parametrize("mode", ["sampled", "budgeted"])
def test_lists_keep_their_promises(model: PinnerSage, mode: RecommendMode) -> None:
    acted: dict[str, set[str]] = {}
    for row in actions().to_pylist():
        acted.setdefault(row["user_id"], set()).add(row["item_id"])
    gone = {f"i{i:03d}" for i in range(N_ITEMS) if i % 10 == 9}
    for user in acted:
        found = model.recommend(user, k=25, mode=mode)
        ids = found["item_id"].to_pylist()
        assert len(ids) == len(set(ids)) == 25
        assert not set(ids) & acted[user]
        assert not set(ids) & gone
        assert found["rank"].to_pylist() == list(range(1, 26))
        medoids = set(model.interests(user)["medoid_item_id"].to_pylist())
        assert set(found["interest"].to_pylist()) <= medoids
        x = model.items.embeddings[model.items.vocabulary.rows_of(ids)]
        cosines = x @ x.T
        np.fill_diagonal(cosines, 0)
        assert cosines.max() < model.config.retrieval.near_duplicate_cosine


def test_scores_are_cosines_to_the_interest(model: PinnerSage) -> None:
    rows = model.items.vocabulary.rows_of
    for row in model.recommend("u1", k=10).to_pylist():
        item, medoid = model.items.embeddings[rows([row["item_id"], row["interest"]])]
        assert row["score"] == pytest.approx(float(item @ medoid), abs=1e-6)


def test_equal_seeds_give_equal_lists_and_others_draw_other_interests(model: PinnerSage) -> None:
    same = [model.recommend_dict("u2", 10, seed=5) for _ in range(2)]
    assert same[0] == same[1]
    drawn = {tuple(sorted(set(model.recommend("u2", 30, seed=s)["interest"].to_pylist()))) for s in range(12)}
    assert len(drawn) > 1


def test_update_equals_a_build_with_all_actions() -> None:
    log = actions(2)
    order = np.argsort(log["timestamp"].to_numpy())
    early, late = log.take(order[:400]), log.take(order[400:])
    with PinnerSage.build(items(), log) as whole, PinnerSage.build(items(), early) as model:
        assert records(model) != records(whole)
        model.update(late)
        model.update(late)
        assert records(model) == records(whole)
        assert answers(model) == answers(whole)


@pytest.mark.parametrize("durability", ["disk", "process"])
def test_an_update_waits_for_the_disk_as_the_model_was_opened(tmp_path: Path, durability: Any) -> None:
    log = actions()
    PinnerSage.build(items(), log.slice(2), path=tmp_path / "m").close()
    for part in (log.slice(0, 1), log.slice(1, 1)):  # without a journal, and with one
        watched = patch.object(lmdb_journal, "acquire", wraps=_environment.acquire)
        with watched as acquired, PinnerSage.open(tmp_path / "m", durability=durability) as model:
            model.update(part)
        assert {one.kwargs["sync"] for one in acquired.call_args_list} == {durability == "disk"}


def test_an_update_counts_at_once(tmp_path: Path) -> None:
    one = pa.table({"user_id": ["new"], "item_id": ["i007"], "timestamp": ["2024-06-01T00:00:00Z"]})
    with PinnerSage.build(items(), actions(), path=tmp_path / "m") as model:
        assert "i007" in {row["item_id"] for row in model.similar("i007", 79).to_pylist()} | {"i007"}
        told = [model.update(one).outcomes for _ in range(2)]
        assert [(found["accepted"], found["duplicate"]) for found in told] == [(1, 0), (0, 1)]
        assert model.interests("new")["medoid_item_id"].to_pylist() == ["i007"]
        assert "i007" not in model.recommend("new", k=60)["item_id"].to_pylist()
        with PinnerSage.open(tmp_path / "m") as other:
            assert other.interests("new")["medoid_item_id"].to_pylist() == ["i007"]


def test_saved_models_open_and_answer_alike(model: PinnerSage, tmp_path: Path) -> None:
    model.save(tmp_path / "copy")
    with PinnerSage.open(tmp_path / "copy") as copy:
        assert answers(copy) == answers(model)


def test_a_second_build_is_a_second_generation(tmp_path: Path) -> None:
    with PinnerSage.build(items(), actions(1), path=tmp_path / "m") as first:
        before = answers(first)
        with PinnerSage.build(items(), actions(9), path=tmp_path / "m") as second:
            assert answers(second) != before
        assert answers(first) == before
    GenerationDirectory(tmp_path / "m").rollback()
    with PinnerSage.open(tmp_path / "m") as rolled_back:
        assert answers(rolled_back) == before


def test_erasing_removes_a_user_from_every_generation(tmp_path: Path) -> None:
    named = actions().append_column("event_id", [[f"e{i}" for i in range(600)]])
    users = ["erase-me-please" if u == "u3" else u for u in named["user_id"].to_pylist()]
    log = named.set_column(0, "user_id", [users])
    for _ in range(2):
        PinnerSage.build(items(), log, path=tmp_path / "m").close()
    with PinnerSage.open(tmp_path / "m") as model:
        held = model.record("erase-me-please")
        receipt = model.erase("erase-me-please")
        assert [r["generation"] for r in receipt["removed"]] == ["00000001", "00000002"]
        assert receipt["removed"][0]["n_actions"] == held.n_actions
        with pytest.raises(UserNotFoundError):
            model.interests("erase-me-please")
        with pytest.raises(UserNotFoundError):
            model.erase("erase-me-please")
        assert model.interests("u1").num_rows
    for path in (tmp_path / "m").rglob("*"):
        assert path.is_dir() or b"erase-me-please" not in path.read_bytes(), path


def test_integer_ids_stay_integers() -> None:
    some = pa.table({"item_id": [3, 10, 7], "embedding": [[1.0, 0], [0.9, 0.1], [0, 1.0]]})
    log = pa.table({"user_id": [5, 12], "item_id": [3, 7], "timestamp": [START_S, START_S]})
    with PinnerSage.build(some, log, time_unit="s") as model:
        assert list(model.users()) == [5, 12]
        assert model.interests_dict("5")["user_id"] == 5
        assert model.recommend(5, k=1)["item_id"].to_pylist() == [10]
        assert model.similar_dict("3", 1)["neighbors"][0]["item_id"] == 10
        assert model.interests_dict(np.int32(5))["user_id"] == 5  # type: ignore[arg-type]
        for other in ("five", 5.5, None):
            with pytest.raises(UserNotFoundError, match="integers"):
                model.interests(other)  # type: ignore[arg-type]


def test_explain_names_the_actions_behind_an_item(model: PinnerSage) -> None:
    first = model.recommend("u4", k=1, mode="budgeted").to_pylist()[0]
    why = model.explain("u4", first["item_id"])
    members = next(
        row for row in model.interests("u4").to_pylist() if row["medoid_item_id"] == why["interest"]
    )
    assert {action["item_id"] for action in why["actions"]} == set(members["item_ids"])
    assert (why["recommendable"], why["seen"]) == (True, False)
    seen = model.explain("u4", members["medoid_item_id"])
    assert (seen["recommendable"], seen["seen"]) == (False, True)
    assert "unavailable" in model.explain("u4", "i009")["reasons"]
    with pytest.raises(ItemNotFoundError, match="check the id"):
        model.explain("u4", "no such item")


def test_low_quality_items_leave_the_pool() -> None:
    some = items().append_column("quality", [[i / N_ITEMS for i in range(N_ITEMS)]])
    with PinnerSage.build(some, actions(), min_quality=0.5) as model:
        found = model.recommend("u1", k=80)["item_id"].to_pylist()
        assert found
        assert min(found) >= "i040"


def test_without_seen_items_is_the_default(model: PinnerSage) -> None:
    seen = set(model.items.vocabulary.ids_of(model.record("u1").item_rows))
    assert seen & {row["item_id"] for row in model.recommend_dict("u1", 70, include_seen=True)["items"]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"no_such_setting": 1}, "unknown setting"),
        ({"max_merge_cost": -1}, "max_merge_cost"),
        ({"n_threads": 0}, "n_threads"),
        ({"clustering": "kmeans"}, "n_clusters"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PinnerSage.build(items(), actions(), **settings)


def test_nothing_is_left_of_a_build_that_fails(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown_item"):
        PinnerSage.build(items(5), actions(), path=tmp_path / "m")
    with pytest.raises(DataError, match="at or before now"):
        PinnerSage.build(items(), actions(), path=tmp_path / "m", now="2001-01-01")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ModelNotFoundError, match="pinnersage build"):
        PinnerSage.open(tmp_path / "m")


def test_a_failed_build_keeps_the_model_there_was(tmp_path: Path) -> None:
    with PinnerSage.build(items(), actions(), path=tmp_path / "m") as model:
        before = answers(model)
    with pytest.raises(DataError):
        PinnerSage.build(items(5), actions(), path=tmp_path / "m")
    with PinnerSage.open(tmp_path / "m") as again:
        assert answers(again) == before


def test_two_builds_at_once_are_one_too_many(tmp_path: Path) -> None:
    with GenerationDirectory(tmp_path / "m").begin(), pytest.raises(BuildInProgressError):
        PinnerSage.build(items(), actions(), path=tmp_path / "m")


def test_validate_counts_without_building(tmp_path: Path) -> None:
    report = validate(items(), actions())
    assert report["actions"]["n_good"] == 600
    assert report["items"]["reasons"] == {}
    with pytest.raises(DataError, match="unknown_item"):
        validate(items(5), actions())


def test_stages_of_a_build_count_no_time_twice() -> None:
    watch, began = Stopwatch(), time.perf_counter()
    with watch.measure("outer_s"):
        for _ in range(2):
            with watch.measure("inner_s"), watch.measure("innermost_s"):
                time.sleep(0.02)
            time.sleep(0.01)
    spent = time.perf_counter() - began
    assert watch.seconds["innermost_s"] >= 0.04
    assert watch.seconds["outer_s"] >= 0.02
    assert sum(watch.seconds.values()) <= spent + 0.01  # each is rounded


def test_rows_that_are_left_out_are_warned_of(tmp_path: Path) -> None:
    lost = pa.table({"user_id": ["u0"] * 2, "item_id": ["nowhere"] * 2, "timestamp": [START_S] * 2})
    lost = lost.set_column(2, "timestamp", lost["timestamp"].cast(pa.timestamp("s", tz="UTC")))
    log = pa.concat_tables([actions().select(lost.column_names), lost])
    with pytest.warns(BadRowsWarning) as found, PinnerSage.build(items(), log, path=tmp_path / "m") as model:
        (example, *_) = model.summary()["reports"]["actions"]["examples"]
    (told,) = [str(warning.message) for warning in found]
    assert told.startswith("actions: 2 of 602 rows are left out (unknown_item 2)")
    assert (example["file"], example["row"]) == ("<actions>", 601)
    assert found[0].filename == __file__
    with warnings.catch_warnings(action="error", category=BadRowsWarning):
        PinnerSage.build(items(), actions(), path=tmp_path / "good").close()


def test_a_temporary_model_that_nobody_closes_goes_with_its_files() -> None:
    built = PinnerSage.build(items(), actions())
    home = Path(built.summary()["path"])
    if (fork := os.fork()) == 0:  # pragma: no cover - a child that ends as programs end.
        built._remove()
        os._exit(0)
    os.waitpid(fork, 0)
    assert home.is_dir()
    users = built.users()
    del built
    gc.collect()
    assert len(list(users)) == N_USERS  # What still yields keeps it.
    del users
    gc.collect()
    assert not home.parent.exists()


def test_at_a_prompt_a_model_is_its_directory_and_generation(tmp_path: Path) -> None:
    with (
        PinnerSage.build(items(), actions(), path=tmp_path / "m") as model,
        LiveModel(tmp_path / "m") as live,
    ):
        for one in (model, live):
            assert repr(one) == f"{type(one).__name__}('{tmp_path / 'm'}', generation '00000001')"
    assert "generation '00000001'" in repr(model)


def test_a_single_text_is_no_list_of_interests(model: PinnerSage) -> None:
    with pytest.raises(
        UsageError, match="medoid_item_ids: expected a list of items, got a single text 'i000'"
    ):
        model.recommend_without_dict("u0", "i000")
