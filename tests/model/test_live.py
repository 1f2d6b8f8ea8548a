"""A live model on real files: every action counts at once, through landings, restarts and other processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pinnersage import PinnerSage
from pinnersage.config import BuildConfig, ImportConfig, InterestConfig, OnlineConfig
from pinnersage.errors import (
    ItemNotFoundError,
    ModelNotFoundError,
    UnavailableError,
    UsageError,
    UserNotFoundError,
)
from pinnersage.model.live import LiveModel
from pinnersage.model.repeats import NEWEST_LOOKED_AT
from pinnersage.store.generations import GenerationDirectory
from pinnersage.streaming.entries import action_entry
from pinnersage.streaming.events import NewAction

N_ITEMS, DAY_MS, START_MS = 60, 86_400_000, 1_700_000_000_000
VECTORS = np.random.default_rng(0).standard_normal((N_ITEMS, 10)).astype(np.float32)
CONFIG = BuildConfig(interests=InterestConfig(max_merge_cost=1.0), imports=ImportConfig(time_unit="ms"))


def name(i: int) -> str:
    return f"i{i:02d}"


def items(numbers: Any = range(50)) -> pa.Table:
    chosen = list(numbers)
    return pa.table({"item_id": [name(i) for i in chosen], "embedding": VECTORS[chosen].tolist()})


def log(seed: int = 1, n: int = 300) -> list[NewAction]:
    """Return actions of 8 users over 120 days, ascending by time, on the first 50 items."""
    rng = np.random.default_rng(seed)
    times = np.sort(START_MS + rng.integers(0, 120 * DAY_MS, n)).tolist()
    users, rows, kinds = (
        rng.integers(0, 8, n).tolist(),
        rng.integers(0, 50, n).tolist(),
        rng.integers(0, 3, n),
    )
    return [
        NewAction(f"u{u}", name(i), t, ("", "click", "save")[k])
        for u, i, t, k in zip(users, rows, times, kinds, strict=True)
    ]


def table(actions: list[NewAction]) -> pa.Table:
    return pa.table(
        {
            "user_id": [a.user_id for a in actions],
            "item_id": [a.item_id for a in actions],
            "timestamp": [a.time_ms for a in actions],
            "action": [a.kind for a in actions],
        }
    )


def built(path: Path, actions: list[NewAction], numbers: Any = range(50)) -> Path:
    PinnerSage.build(items(numbers), table(actions), path=path, config=CONFIG).close()
    return path


def records(live: LiveModel) -> dict[Any, Any]:
    """Return every record in ids and names, so that two models can be compared bit for bit."""
    opened = live.opened()
    ids_of, kinds = opened.items.vocabulary.ids_of, opened.kinds
    found = {}
    for user in opened.store.user_ids():
        record = opened.record(user)
        found[user] = (
            record.as_of_ms, ids_of(record.item_rows), record.times_ms.tolist(), record.weights.tolist(),
            [kinds[k] for k in record.kinds.tolist()], record.labels.tolist(), ids_of(record.medoid_rows),
            record.importances.tolist(), sorted(ids_of(record.seen_rows)),
        )  # fmt: skip
    return found


def batch(tmp_path: Path, actions: list[NewAction], numbers: Any = range(50)) -> dict[Any, Any]:
    path = tmp_path / f"batch-{time.monotonic_ns()}"
    with LiveModel(built(path, actions, numbers)) as whole:
        return records(whole)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveModel]:
    with LiveModel(built(tmp_path / "m", log()[:200])) as opened:
        yield opened


def test_taking_a_log_in_again_changes_nothing(live: LiveModel) -> None:
    """Also of what is older than the window, once the journal has it."""
    every = [*log(), replace(log()[0], event_id="e")]
    live.add_actions(every)
    assert every[0].time_ms < live.opened().now_ms - CONFIG.interests.window_ms
    head = live.journal().heads().all
    assert {outcome.status for outcome in live.add_actions(every)} == {"duplicate"}
    assert {outcome.status for action in every for outcome in live.add_actions([action])} == {"duplicate"}
    assert live.journal().heads().all == head


def test_actions_one_by_one_end_in_the_batch(live: LiveModel, tmp_path: Path) -> None:
    late = log()[200:]
    order = np.random.default_rng(5).permutation(len(late)).tolist()
    for i in order:
        assert live.add_actions([late[i], late[i]])[0].status == "accepted"
    assert live.add_actions(late)[0].status == "duplicate"
    assert records(live) == batch(tmp_path, log())
    assert live.verify().n_differing == 0


def test_duplicates_are_not_written_again(live: LiveModel) -> None:
    live.add_actions(log()[200:220])
    head = live.journal().heads()
    assert {o.status for o in live.add_actions(log()[200:220])} == {"duplicate"}
    assert live.journal().heads() == head


def test_an_acknowledged_action_is_seen_by_other_processes(live: LiveModel, tmp_path: Path) -> None:
    code = f"""
from pinnersage.model.live import LiveModel
from pinnersage.model.repeats import NEWEST_LOOKED_AT
with LiveModel({str(tmp_path / "m")!r}) as live:
    for line in iter(input, "end"):
        print(live.interests(line)["interests"][0]["n_actions"], flush=True)
"""
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None
    assert other.stdout is not None
    last_ms = log()[-1].time_ms
    for n in range(1, 4):
        live.add_actions([NewAction("new", "i07", last_ms + n)])
        print("new", file=other.stdin, flush=True)
        assert int(other.stdout.readline()) == n
    print("end", file=other.stdin, flush=True)
    assert other.wait() == 0


def test_a_batch_that_lands_keeps_what_came_meanwhile(live: LiveModel, tmp_path: Path) -> None:
    actions = log()
    live.add_actions(actions[200:250])
    built(tmp_path / "m", actions[:220])
    live.add_actions(actions[250:])
    assert live.generation == "00000002"
    assert records(live) == batch(tmp_path, actions)
    with PinnerSage.open(tmp_path / "m") as model:
        assert model.record("u1").n_actions == live.opened().record("u1").n_actions


def test_a_rollback_loses_nothing(live: LiveModel, tmp_path: Path) -> None:
    actions = log()
    built(tmp_path / "m", actions[:200])
    live.add_actions(actions[200:])
    GenerationDirectory(tmp_path / "m").rollback()
    assert live.refresh()
    assert live.generation == "00000001"
    assert records(live) == batch(tmp_path, actions)


def test_a_rollback_to_what_is_not_there_says_so_and_changes_nothing(live: LiveModel, tmp_path: Path) -> None:
    for wanted in (None, "00000007"):
        with pytest.raises(ModelNotFoundError):
            live.rollback(wanted)
    assert live.generation == "00000001"
    (tmp_path / "m" / "CURRENT").unlink()
    with pytest.raises(UnavailableError, match="has gone meanwhile"):
        live.rollback("00000007")


def test_writing_where_the_records_are_gone_is_no_matter_of_what_was_asked(
    live: LiveModel, tmp_path: Path
) -> None:
    """It is said to come right once the file is back: nobody takes it for an unknown user or item."""
    (records_file,) = (tmp_path / "m").glob("generations/*/store/records-*.mdb")
    records_file.unlink()
    for write in (
        lambda: live.add_actions([NewAction("u1", "i01", START_MS)]),
        lambda: live.put_item("new", VECTORS[0]),
        lambda: live.erase("u1"),
    ):
        with pytest.raises(UnavailableError):
            write()


def test_what_a_killed_writer_left_is_folded_in(live: LiveModel, tmp_path: Path) -> None:
    actions = log()
    live.journal().append([action_entry(action, 0) for action in actions[200:]])
    with LiveModel(tmp_path / "m") as again:
        assert records(again) == batch(tmp_path, actions)
    assert live.recover() == 0


def test_an_older_action_takes_nothing_from_what_a_killed_writer_left(
    live: LiveModel, tmp_path: Path
) -> None:
    actions = log()[:201]
    left = NewAction("new", "i07", START_MS + 130 * DAY_MS, "a new kind")
    live.journal().append([action_entry(left, 0)])
    live.add_actions(actions[200:])
    assert records(live) == batch(tmp_path, [*actions, left])


def test_the_facade_folds_in_what_a_killed_writer_left(live: LiveModel, tmp_path: Path) -> None:
    live.journal().append([action_entry(NewAction("new", "i07", START_MS), 0)])
    with PinnerSage.open(tmp_path / "m") as model:
        assert model.interests("new")["medoid_item_id"].to_pylist() == ["i07"]


def test_unknown_items_wait_within_a_bound(tmp_path: Path) -> None:
    actions = log()[:200]
    waiting = [NewAction("u1", name(i), START_MS + 119 * DAY_MS + i) for i in (55, 56, 57)]
    with LiveModel(built(tmp_path / "m", actions), max_parked=2) as live:
        assert [o.status for o in live.add_actions(waiting)] == ["parked", "parked", "rejected"]
        assert live.status()["journal"]["n_parked"] == 2
        answer = live.put_item(name(55), VECTORS[55].tolist(), {"title": "new"})
        assert answer == {"item_id": name(55), "created": True, "n_applied": 1}
        assert records(live) == batch(tmp_path, [*actions, waiting[0]], [*range(50), 55])
        built(tmp_path / "m", actions, [*range(50), 56])
        assert live.status()["journal"]["n_parked"] == 0
        assert records(live) == batch(tmp_path, [*actions, *waiting[:2]], [*range(50), 55, 56])


def test_an_item_put_is_found_and_one_taken_out_is_not(live: LiveModel, tmp_path: Path) -> None:
    live.put_item("new", (VECTORS[7] * 2).tolist(), {"title": "seven again"})
    assert live.neighbors("i07", 1)["neighbors"][0]["item_id"] == "new"
    assert live.items_info(["new", "none"]) == [
        {"item_id": "new", "title": "seven again"},
        {"item_id": "none"},
    ]
    user = live.find_users()[0]
    medoid = live.interests(user)["interests"][0]["medoid_item_id"]
    live.delete_item(medoid)
    assert medoid not in [i["medoid_item_id"] for i in live.interests(user)["interests"]]
    everything = live.recommend(user, 60, include_seen=True, mode="budgeted")["items"]
    assert medoid not in [item["item_id"] for item in everything]
    for generation in ("00000001", "00000002"):
        assert live.generation == generation
        with pytest.raises(ItemNotFoundError):
            live.neighbors(medoid)
        assert live.neighbors("i07", 1)["neighbors"][0]["item_id"] == "new"
        built(tmp_path / "m", log()[:200])
        live.refresh()


def test_the_table_of_a_later_build_counts_more_than_an_earlier_put(live: LiveModel, tmp_path: Path) -> None:
    live.put_item("i07", VECTORS[8].tolist(), {})
    assert live.neighbors("i07", 1)["neighbors"][0]["item_id"] == "i08"
    built(tmp_path / "m", log()[:200])
    live.refresh()
    row = live.opened().row_of("i07")
    assert np.allclose(live.opened().items.embeddings[row], VECTORS[7] / np.linalg.norm(VECTORS[7]))


def test_more_items_than_spare_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinnersage.model.opened.N_SPARE_ROWS", 3)
    with LiveModel(built(tmp_path / "m", log()[:50])) as live:
        for i in range(10):
            live.put_item(f"new{i}", VECTORS[50 + i].tolist(), {})
        assert live.status()["n_new_items"] == 10
        assert live.neighbors("new9", 100)["neighbors"][-1]["rank"] == 50 + 9


def test_muted_interests_propose_nothing_and_pinned_ones_always(live: LiveModel, tmp_path: Path) -> None:
    user = "u1"
    medoids = [i["medoid_item_id"] for i in live.interests(user)["interests"]]
    live.set_preference(user, medoids[0], "muted")
    live.set_preference(user, medoids[-1], "pinned")
    for seed in range(8):
        asked = {i["interest"] for i in live.recommend(user, 30, interests=2, seed=seed)["items"]}
        assert medoids[-1] in asked
        assert medoids[0] not in asked
    with LiveModel(tmp_path / "m") as again:
        preferences = [i["preference"] for i in again.interests(user)["interests"]]
    assert (preferences[0], preferences[-1], set(preferences[1:-1])) == ("muted", "pinned", {None})
    live.set_preference(user, medoids[0], None)
    assert live.interests(user)["interests"][0]["preference"] is None
    with pytest.raises(ItemNotFoundError):
        live.set_preference(user, name(59), "muted")


def test_what_is_taken_back_does_not_count(live: LiveModel) -> None:
    action = NewAction("u1", "i07", START_MS + 119 * DAY_MS, "save", event_id="e1")
    before = records(live)["u1"][1]
    live.add_actions([action])
    live.add_actions([replace(action, retract=True)])
    assert live.add_actions([action])[0].status == "accepted"
    assert records(live)["u1"][1][-len(before) :] == before[-len(records(live)["u1"][1]) :]
    assert live.verify().n_differing == 0


@pytest.mark.parametrize("event_id", ["e1", None])
def test_what_is_taken_back_and_comes_again_makes_the_journal_no_longer(
    live: LiveModel, event_id: str | None
) -> None:
    first = NewAction("u1", "i07", START_MS + 119 * DAY_MS, "save", event_id=event_id)
    other = replace(first, item_id="i08", event_id=event_id and "e2")
    sent = [first, replace(first, retract=True), replace(other, retract=True), other]
    told = [[(o.status, bool(o.reason)) for o in live.add_actions(sent)] for _ in range(3)]
    assert told[0] == [("accepted", True), ("accepted", False), ("accepted", False), ("accepted", True)]
    assert (
        told[1:] == [[("accepted", True), ("duplicate", False), ("duplicate", False), ("accepted", True)]] * 2
    )
    assert live.journal().heads().all == len(sent)
    assert live.verify().n_differing == 0


def test_bad_actions_are_rejected_one_by_one(live: LiveModel) -> None:
    far_ms, good = time.time_ns() // 1_000_000 + DAY_MS, NewAction("u1", "i01", START_MS)
    at = datetime.fromtimestamp(START_MS / 1_000, UTC)
    bad: list[Any] = [
        ("user_id", {"user_id": ""}), ("user_id", {"user_id": "u" * 2_000}), ("user_id", {"user_id": None}),
        ("user_id", {"user_id": "\ud800"}), ("item_id", {"item_id": ""}), ("item_id", {"item_id": 1.5}),
        ("timestamp", {"time_ms": -1}), ("timestamp", {"time_ms": far_ms}), ("timestamp", {"time_ms": at}),
        ("timestamp", {"time_ms": START_MS // 1_000}), ("timestamp", {"time_ms": float(START_MS)}),
        ("weight", {"weight": -1.0}), ("weight", {"weight": float("nan")}), ("weight", {"weight": "2"}),
        ("action", {"kind": "a\0b"}), ("action", {"kind": None}),
        ("weight", {"weight": 10**400}), ("event_id", {"event_id": pd.NA}),
        ("event_id", {"event_id": np.ones(2)}),
        ("retract", {"retract": "false"}), ("retract", {"retract": pd.NA}),
    ]  # fmt: skip
    given: list[Any] = [replace(good, **changes) for _, changes in bad]
    given.append({"user_id": "u1"})
    found = live.add_actions([*given, good])
    assert [o.status for o in found] == ["rejected"] * (len(bad) + 1) + ["accepted"]
    assert [str(o.reason).split(":")[0] for o in found[:-1]] == [*(field for field, _ in bad), "action"]
    with pytest.raises(UsageError, match="put it in a list"):
        live.add_actions(good)  # type: ignore[arg-type]


def test_a_time_in_seconds_can_be_taken_back(live: LiveModel) -> None:
    """An earlier version may have taken it in."""
    (found,) = live.add_actions([NewAction("u1", "i01", START_MS // 1_000, event_id="e", retract=True)])
    assert found.status == "accepted"


def test_numbers_of_numpy_are_those_of_python(live: LiveModel) -> None:
    plain = NewAction("7", "i01", START_MS, "save", 2.0, event_id=9)
    of_numpy: dict[str, Any] = {
        "user_id": np.int64(7), "time_ms": np.int64(START_MS), "weight": np.float32(2.0),
        "event_id": np.uint16(9), "retract": np.bool_(False),
    }  # fmt: skip
    given = replace(plain, **of_numpy)
    assert [o.status for o in live.add_actions([given])] == ["accepted"]
    assert [o.status for o in live.add_actions([plain])] == ["duplicate"]
    assert live.export("7")["actions"][0]["weight"] == 2.0
    assert live.verify().n_differing == 0


def test_erasing_leaves_nothing_anywhere(tmp_path: Path) -> None:
    secret = "erase-me-please"
    actions = [replace(a, user_id=secret) if a.user_id == "u3" else a for a in log()]
    with LiveModel(built(tmp_path / "m", actions[:200])) as live:
        live.add_actions(actions[200:])
        live.add_actions([NewAction(secret, "not-known-item", START_MS)])
        medoid = live.interests(secret)["interests"][0]["medoid_item_id"]
        live.set_preference(secret, medoid, "muted")
        assert live.export(secret)["preferences"] == {medoid: "muted"}
        receipt = live.erase(secret)
        assert receipt["journal"]["n_entries"] == sum(a.user_id == secret for a in actions[200:]) + 1
        with pytest.raises(UserNotFoundError):
            live.export(secret)
        with pytest.raises(UserNotFoundError):
            live.erase(secret)
        assert live.status()["journal"]["n_parked"] == 0
    for path in (tmp_path / "m").rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path


def test_a_session_belongs_to_nobody(live: LiveModel) -> None:
    actions = [
        NewAction("x", "i01", START_MS),
        NewAction("y", "i02", START_MS),
        NewAction("y", "none", START_MS),
    ]
    found = live.recommend_session(actions, 5)
    assert (found["user_id"], found["n_unknown_items"], len(found["items"])) == (None, 1, 5)
    assert {item["interest"] for item in found["items"]} <= {"i01", "i02"}
    assert not {"i01", "i02"} & {item["item_id"] for item in found["items"]}
    assert live.recommend_session([], 3)["popular"]


def test_popular_items_are_those_of_most_users(live: LiveModel) -> None:
    opened = live.opened()
    users: dict[str, set[Any]] = {}
    for user in opened.store.user_ids():
        for item in opened.items.vocabulary.ids_of(opened.record(user).item_rows):
            users.setdefault(item, set()).add(user)
    found = live.popular(10)["items"]
    assert [item["score"] for item in found] == sorted((len(u) for u in users.values()), reverse=True)[:10]


def test_a_user_whose_actions_left_the_window_gets_popular_unseen_items(live: LiveModel) -> None:
    live.add_actions([NewAction("u0", "i00", log()[-1].time_ms + 200 * DAY_MS)])
    found = live.recommend("u1", 10)
    held = live.export("u1")
    seen = {*held["seen_item_ids"], *(action["item_id"] for action in held["actions"])}
    popular = [item["item_id"] for item in live.popular(50)["items"]]
    assert (found["user_id"], found["popular"], live.interests("u1")["interests"]) == ("u1", True, [])
    assert [item["item_id"] for item in found["items"]] == [i for i in popular if i not in seen][:10]


def test_the_list_of_one_vector_is_nearest_to_the_mean(live: LiveModel) -> None:
    opened = live.opened()
    record = opened.record("u1")
    ages = (record.as_of_ms - record.times_ms) / DAY_MS
    mean = np.exp(-opened.config.interests.decay_per_day * ages) @ opened.items.embeddings[record.item_rows]
    cosines = opened.items.embeddings[:50] @ (mean / np.linalg.norm(mean))
    cosines[record.item_rows] = cosines[record.seen_rows] = -2
    wanted = [name(i) for i in np.argsort(-cosines)[:5]]
    assert [item["item_id"] for item in live.mean_list("u1", 5)["items"]] == wanted


def test_it_is_ready_until_its_directory_is_gone(live: LiveModel, tmp_path: Path) -> None:
    live.check_ready()
    shutil.move(tmp_path / "m", tmp_path / "away")
    with pytest.raises(UnavailableError):
        live.check_ready()
    shutil.move(tmp_path / "away", tmp_path / "m")
    live.check_ready()


def test_a_lost_action_is_found_by_verify(live: LiveModel) -> None:
    live.add_actions(log()[200:])
    opened = live.opened()
    record = opened.store.get("u1")
    assert record is not None
    shorter = replace(
        record,
        **{
            column: getattr(record, column)[:-1]
            for column in ("item_rows", "times_ms", "weights", "kinds", "event_keys", "labels")
        },
    )
    opened.store.put("u1", shorter)
    found = live.verify()
    assert found.n_differing > 0
    assert "a journalled action is missing" in found.differences


def test_a_new_embedding_of_an_item_seen_long_ago_is_no_difference(live: LiveModel) -> None:
    live.add_actions(log()[200:])
    seen = [item for user in live.find_users() for item in live.export(user)["seen_item_ids"]]
    live.put_item(seen[0], VECTORS[55].tolist(), {})
    assert live.verify().n_differing == 0


def test_verify_against_the_tables_of_the_build(live: LiveModel) -> None:
    live.add_actions(log()[200:])
    live.put_item("new", VECTORS[55].tolist(), {})
    found = live.verify(items(), table(log()[:200]))
    assert (found.n_differing, found.n_users) == (0, 8)
    opened = live.opened()
    opened.store.put("u1", opened.record("u2"))
    assert live.verify(items(), table(log()[:200])).n_differing > 0


def test_a_table_is_taken_in_and_again_changes_nothing(live: LiveModel, tmp_path: Path) -> None:
    report, counts = live.add_table(table([*log()[200:], NewAction("u1", "unknown", START_MS)]))
    assert (report.n_rows, counts) == (101, {"accepted": 100, "duplicate": 0, "parked": 1, "rejected": 0})
    assert records(live) == batch(tmp_path, log())
    assert live.add_table(table(log()[200:]))[1]["duplicate"] == 100


def test_a_table_without_rows_brings_nothing(live: LiveModel, tmp_path: Path) -> None:
    before = records(live)
    (tmp_path / "an-hour.csv").write_text("user_id,item_id,timestamp\n")
    for nothing in (table(log()).slice(0, 0), tmp_path / "an-hour.csv"):
        report, counts = live.add_table(nothing)
        assert (report.n_rows, set(counts.values())) == (0, {0})
    assert records(live) == before


def test_a_table_taken_in_again_is_known_however_much_a_user_did(live: LiveModel) -> None:
    """Older than the window, so that no record tells, and more than is looked at for single actions."""
    much = [NewAction("busy", name(n % 50), START_MS + n, "click") for n in range(NEWEST_LOOKED_AT + 200)]
    live.add_actions([NewAction("u1", name(1), START_MS + 200 * DAY_MS)])
    assert live.add_table(table(much))[1]["accepted"] == len(much)
    for again in (much, much[:50]):
        assert live.add_table(table(again))[1] == {
            "accepted": 0, "duplicate": len(again), "parked": 0, "rejected": 0,
        }  # fmt: skip


def test_ids_of_another_type_are_refused(live: LiveModel) -> None:
    with pytest.raises(UsageError, match="embedding"):
        live.put_item("x", [1.0])
    with pytest.raises(UsageError, match="item_id"):
        live.put_item("", VECTORS[0].tolist())


def test_a_copy_goes_on_by_itself(live: LiveModel, tmp_path: Path) -> None:
    live.put_item("new", VECTORS[55].tolist(), {})
    live.add_actions([*log()[200:], NewAction("u1", "new", log()[-1].time_ms)])
    with PinnerSage.open(tmp_path / "m") as model:
        model.save(tmp_path / "copy")
    with LiveModel(tmp_path / "copy") as copy:
        assert records(copy) == records(live)
        assert copy.recover() == 0
        copy.add_actions([NewAction("u1", "i09", log()[-1].time_ms)])
        assert records(copy) != records(live)


def test_recent_mode_keeps_no_windows_and_counts_the_newest(tmp_path: Path) -> None:
    recent = CONFIG.model_copy(update={"online": OnlineConfig(online="recent", n_recent=3)})
    PinnerSage.build(items(), table(log()[:200]), path=tmp_path / "m", config=recent).close()
    with LiveModel(built(tmp_path / "exact", log()[:200])) as exact, LiveModel(tmp_path / "m") as live:
        record, whole = live.opened().record("u1"), exact.opened().record("u1")
        assert record.n_actions == record.n_interests == whole.n_interests
        last_ms = whole.as_of_ms
        new = [NewAction("u1", name(i), last_ms + i) for i in (40, 41, 42, 43)]
        assert {o.status for o in live.add_actions(new)} == {"accepted"}
        after = live.opened().record("u1")
        assert after.n_actions == record.n_actions + 3
        seen = {row["item_id"] for row in live.recommend("u1", 60, interests=60, mode="budgeted")["items"]}
        assert not seen & {action.item_id for action in new}
        live.add_actions([replace(new[3], retract=True)])
        ids = live.opened().items.vocabulary.ids_of(live.opened().record("u1").item_rows)
        assert name(43) not in ids[-3:]
        with PinnerSage.open(tmp_path / "m") as model:
            told = [i["medoid_item_id"] for i in model.interests_dict("u1")["interests"]]
            assert told == [i["medoid_item_id"] for i in live.interests("u1")["interests"]]
        PinnerSage.build(items(), table(log()[:200]), path=tmp_path / "m", config=recent).close()
        exact.add_actions(new[:3])
        landed = live.opened().record("u1")
        assert sorted(landed.medoid_rows) == sorted(exact.opened().record("u1").medoid_rows)
