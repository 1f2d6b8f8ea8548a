"""The real command from tables to erasure, its JSON key by key."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import DAY_MS, N_PER_TOPIC, START_MS, Ran, Run, item_table

RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def test_the_way_through_in_real_processes(copy: Path, process: Run) -> None:
    interests = process("interests", copy, "u0", "--json")
    recommended = process("recommend", copy, "u0", "-k", 3, "--json")
    item = recommended.object()["items"][0]
    similar = process("similar", copy, item["item_id"], "--json")
    explained = process("explain", copy, "u0", item["item_id"], "--json")
    erased = process("erase", copy, "u0", "--json")
    answers = [interests, recommended, similar, explained, erased]
    assert [(ran.code, ran.err) for ran in answers] == [(0, "")] * 5
    assert item["interest"] in {found["medoid_item_id"] for found in interests.object()["interests"]}
    gone = process("interests", copy, "u0", "--json")
    assert (gone.code, gone.out, gone.error()["type"]) == (4, "", "UserNotFoundError")


def test_build_reports_what_it_made(world: Path, call: Run) -> None:
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    ran = call("build", *tables, "--out", world / "model", "--json")
    assert (ran.code, ran.err) == (0, "")
    summary = ran.object()
    assert (summary["counts"]["n_items"], summary["counts"]["n_users"]) == (40, 6)
    assert summary["reports"]["actions"]["n_good"] == 6 * 6
    assert (world / "model" / "CURRENT").is_file()


def test_interests(built: Path, call: Run) -> None:
    ran = call("interests", built, "u0", "--json")
    assert (ran.code, ran.err) == (0, "")
    found = ran.object()
    assert list(found) == ["user_id", "as_of", "interests"]
    assert found["user_id"] == "u0"
    assert RFC3339.match(found["as_of"])
    assert len(found["interests"]) == 2
    for interest in found["interests"]:
        assert list(interest) == [
            "medoid_item_id", "importance", "share", "n_actions",
            "newest_action", "oldest_action", "item_ids",
        ]  # fmt: skip
        assert interest["medoid_item_id"] in interest["item_ids"]
        assert interest["n_actions"] == 3
        assert RFC3339.match(interest["newest_action"])
        assert interest["oldest_action"] < interest["newest_action"]
    importances = [interest["importance"] for interest in found["interests"]]
    assert importances == sorted(importances, reverse=True)
    assert sum(interest["share"] for interest in found["interests"]) == pytest.approx(1.0)
    topics = {item[1] for item in found["interests"][0]["item_ids"]}
    assert len(topics) == 1


def test_recommend(built: Path, call: Run) -> None:
    ran = call("recommend", built, "u0", "-k", 5, "--json")
    assert (ran.code, ran.err) == (0, "")
    found = ran.object()
    assert list(found) == ["user_id", "items", "request_id"]
    assert [item["rank"] for item in found["items"]] == [1, 2, 3, 4, 5]
    medoids = {i["medoid_item_id"] for i in call("interests", built, "u0", "--json").object()["interests"]}
    acted_on = {f"i{topic * N_PER_TOPIC + number:02d}" for topic in (0, 1) for number in range(3)}
    for item in found["items"]:
        assert list(item) == ["rank", "item_id", "score", "interest"]
        assert item["interest"] in medoids
        assert item["item_id"] not in acted_on


def test_seen_items_come_when_asked(built: Path, call: Run) -> None:
    items = call("recommend", built, "u0", "-k", 40, "--include-seen", "--json").object()["items"]
    assert {"i00", "i01"} & {item["item_id"] for item in items}


def test_the_same_seed_draws_the_same(built: Path, call: Run) -> None:
    def items(*more: object) -> object:
        return call("recommend", built, "u0", "--interests", 1, "--json", *more).object()["items"]

    assert items("--seed", 3) == items("--seed", 3)
    assert len({str(items("--seed", seed)) for seed in range(12)}) > 1


def test_recommend_some_items_only(built: Path, call: Run) -> None:
    def ids(*more: object) -> list[str]:
        answer = call("recommend", built, "u0", "-k", 40, "--mode", "budgeted", "--json", *more).object()
        return [item["item_id"] for item in answer["items"]]

    plain = ids()
    found = ids("--exclude", plain[0], "--exclude", plain[2])
    assert len(found) >= len(plain) - 2
    assert not {plain[0], plain[2]} & set(found)
    titles = [row["title"] for row in item_table().to_pylist() if row["item_id"] in plain[:2]]
    where = [word for title in titles for word in ("--where", f"title={title}")]
    assert sorted(ids(*where)) == sorted(plain[:2])
    ran = call("recommend", built, "u0", "--where", "colour=red", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert "expected one of " in ran.error()["message"]


def test_recommend_all(built: Path, tmp_path: Path, call: Run) -> None:
    ran = call("recommend-all", built, "--out", tmp_path / "l.parquet", "-k", 3, "--seed", 5, "--json")
    rows = pq.read_table(tmp_path / "l.parquet").to_pylist()
    alone = call("recommend", built, "u0", "-k", 3, "--seed", 5, "--json").object()["items"]
    own = [{k: v for k, v in row.items() if k != "user_id"} for row in rows if row["user_id"] == "u0"]
    assert own == alone
    assert ran.object()["n_rows"] == len(rows)
    told = call("recommend-all", built, "--out", tmp_path / "l.csv", "-k", 3, COLUMNS="300").out
    assert f"l.csv: {len(rows):,} items for {len({row['user_id'] for row in rows}):,} users" in told
    assert call("recommend-all", built, "--out", tmp_path / "l.csv").code == 2


def test_recommend_without_an_interest(built: Path, call: Run) -> None:
    plain = [item["item_id"] for item in call("recommend", built, "u0", "-k", 5, "--json").object()["items"]]
    interests = call("interests", built, "u0", "--json").object()["interests"]
    medoid, other = (interest["medoid_item_id"] for interest in interests)
    ran = call("recommend", built, "u0", "-k", 5, "--without", medoid, "--json")
    assert (ran.code, ran.err) == (0, "")
    found = ran.object()
    assert list(found) == ["user_id", "items", "request_id", "without", "gone", "come"]
    assert {item["interest"] for item in found["items"]} == {other}
    now = [item["item_id"] for item in found["items"]]
    assert found["gone"] == [item for item in plain if item not in now]
    assert found["come"] == [item for item in now if item not in plain]
    both = call("recommend", built, "u0", "--without", medoid, "--without", other, "--json").object()
    assert both["items"] == []
    ran = call("recommend", built, "u0", "-k", 5, "--without", medoid, COLUMNS="160")
    assert "Without the interest Topic" in ran.out
    assert f"{len(found['gone'])} items gone: Topic" in ran.out
    ran = call("recommend", built, "u0", "u5", "--without", medoid, "--json")
    assert (ran.code, ran.error()["type"]) == (4, "ItemNotFoundError")
    assert [answer["user_id"] for answer in ran.objects()] == ["u0"]


def test_several_users_are_answered_in_the_order_asked(built: Path, call: Run) -> None:
    ran = call("interests", built, "u3", "u1", "u2", "--json")
    assert [found["user_id"] for found in ran.objects()] == ["u3", "u1", "u2"]


@pytest.mark.parametrize("verb", ["interests", "recommend"])
def test_an_unknown_user_among_others(built: Path, call: Run, verb: str) -> None:
    ran = call(verb, built, "u3", "nobody", "u1", "--json")
    assert ran.code == 4
    assert [found["user_id"] for found in ran.objects()] == ["u3", "u1"]
    assert ran.error()["type"] == "UserNotFoundError"


def test_similar(built: Path, call: Run) -> None:
    found = call("similar", built, "i05", "-k", 3, "--json").object()
    assert found["item_id"] == "i05"
    assert len(found["neighbors"]) == 3
    for neighbor in found["neighbors"]:
        assert int(neighbor["item_id"][1:]) < N_PER_TOPIC
        assert neighbor["item_id"] != "i05"
    scores = [neighbor["score"] for neighbor in found["neighbors"]]
    assert scores == sorted(scores, reverse=True)


def test_explain(built: Path, call: Run) -> None:
    item = call("recommend", built, "u0", "-k", 1, "--json").object()["items"][0]
    found = call("explain", built, "u0", item["item_id"], "--json").object()
    assert (found["user_id"], found["item_id"]) == ("u0", item["item_id"])


def test_erase_leaves_nothing_and_says_so(copy: Path, call: Run) -> None:
    receipt = call("erase", copy, "u1", "--json")
    assert (receipt.code, receipt.err) == (0, "")
    assert receipt.object()["user_id"] == "u1"
    assert call("interests", copy, "u1", "--json").code == 4
    assert call("interests", copy, "u0", "--json").code == 0
    assert call("erase", copy, "u1", "--json").code == 4


def test_validate_counts_without_building(world: Path, call: Run) -> None:
    ran = call(
        "validate", "--items", world / "items.parquet", "--actions", world / "actions.parquet", "--json"
    )
    assert (ran.code, ran.err) == (0, "")
    report = ran.object()
    assert (report["items"]["n_rows"], report["items"]["n_bad"]) == (40, 0)
    assert (report["actions"]["n_rows"], report["actions"]["n_bad"]) == (36, 0)
    assert sorted(path.name for path in world.iterdir()) == ["actions.parquet", "items.parquet"]


def test_validate_tells_of_both_tables_when_both_are_bad(tmp_path: Path, call: Run) -> None:
    pq.write_table(pa.table({"item_id": ["a", "b"], "embedding": [[1.0, 0.0], None]}), tmp_path / "i.parquet")
    actions = {"user_id": ["u", "u"], "item_id": ["a", "no-such"], "timestamp": [10**12, 10**12]}
    pq.write_table(pa.table(actions), tmp_path / "a.parquet")
    tables = ("--items", tmp_path / "i.parquet", "--actions", tmp_path / "a.parquet", "--time-unit", "ms")
    ran = call("validate", *tables, "--json")
    told = ran.object()
    assert (ran.code, told["ok"]) == (3, False)
    assert {name: told[name]["n_bad"] for name in ("items", "actions")} == {"items": 1, "actions": 1}
    message = ran.error()["message"]
    assert "items: expected at most" in message
    assert "actions: expected at most" in message
    all_bad = actions | {"item_id": ["x", "y"]}
    pq.write_table(pa.table(all_bad), tmp_path / "a.parquet")
    told = call("validate", *tables, "--json").object()
    assert {name: told[name]["n_bad"] for name in ("items", "actions")} == {"items": 1, "actions": 2}


@pytest.mark.parametrize(
    "args",
    [
        ("interests", "none-such", "u0"),
        ("recommend", "none-such", "u0"),
        ("similar", "none-such", "i00"),
        ("explain", "none-such", "u0", "i00"),
        ("erase", "none-such", "u0"),
    ],
)
def test_a_missing_model_is_not_found(tmp_path: Path, call: Run, args: tuple[str, ...]) -> None:
    ran = call(*args, "--json", cwd=tmp_path)
    assert (ran.code, ran.out, ran.error()["type"]) == (4, "", "ModelNotFoundError")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_item_is_not_found(built: Path, call: Run) -> None:
    for args in (("similar", built, "i99"), ("explain", built, "u0", "i99")):
        ran = call(*args, "--json")
        assert (ran.code, ran.out, ran.error()["type"]) == (4, "", "ItemNotFoundError")


@pytest.mark.parametrize(
    "args",
    [
        ("fly",),
        ("build",),
        ("recommend", "model", "u0", "-k", "0"),
        ("recommend", "model", "u0", "-k", "many"),
        ("recommend", "model", "u0", "--mode", "psychic"),
        ("recommend", "model", "u0", "--where", "title"),
        ("build", "--items", "i", "--actions", "a", "--out", "o", "--now", "soon"),
        ("build", "--items", "i", "--actions", "a", "--out", "o", "--decay-per-day", "-1"),
        ("build", "--items", "i.parquet", "--actions", "a.parquet", "--out", "o"),
        ("build", "--items", "i", "--actions", "a", "--out", "o", "--map", "item_id"),
        ("demo", "--items", "i.parquet"),
    ],
)
def test_wrong_calls_are_usage_errors(tmp_path: Path, call: Run, args: tuple[str, ...]) -> None:
    ran = call(*args, "--json", cwd=tmp_path)
    assert (ran.code, ran.out, ran.error()["type"]) == (2, "", "UsageError")
    assert list(tmp_path.iterdir()) == []


def test_settings_reach_the_build(world: Path, call: Run) -> None:
    def n_interests(*more: str, **environment: str) -> int:
        tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
        done = call("build", *tables, "--out", world / "model", "--json", *more, **environment)
        assert done.code == 0, done.err
        return len(call("interests", world / "model", "u0", "--json").object()["interests"])

    file = world / "settings.toml"
    file.write_text("[interests]\nmax_merge_cost = 0.0\n")
    assert n_interests() == 2
    assert n_interests("--config", str(file)) == 6
    assert n_interests("--config", str(file), PINNERSAGE_INTERESTS__MAX_MERGE_COST="100") == 1
    variable = {"PINNERSAGE_INTERESTS__MAX_MERGE_COST": "100"}
    assert n_interests("--config", str(file), "--max-merge-cost", "1.0", **variable) == 2


def test_now_ends_the_window(world: Path, call: Run) -> None:
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    now = str(START_MS + 5 * DAY_MS)
    assert call("build", *tables, "--out", world / "model", "--now", now, "--json").code == 0
    assert len(call("interests", world / "model", "u0", "--json").object()["interests"]) == 1


def test_people_get_tables(built: Path, call: Run) -> None:
    for args, wanted in (
        (("interests", built, "u0"), "Topic 0, item"),
        (("recommend", built, "u0", "-k", 3), "From the interest"),
        (("similar", built, "i00"), "Topic 0, item"),
        (("explain", built, "u0", "i05"), "Topic 0, item"),
    ):
        ran = call(*args, COLUMNS="160")
        assert (ran.code, ran.err) == (0, "")
        assert wanted in ran.out
        assert "\x1b" not in ran.out


def test_narrow_terminals_are_kept_within(built: Path, call: Run) -> None:
    ran = call("interests", built, "u0", COLUMNS="50")
    assert max(len(line) for line in ran.out.splitlines()) <= 50


def test_help_has_an_example_for_every_verb(call: Run) -> None:
    for verb in ("demo", "validate", "build", "interests", "recommend", "similar", "explain", "erase"):
        ran = call(verb, "--help", COLUMNS="200")
        assert ran.code == 0
        assert f"Example: pinnersage {verb}" in ran.out


def test_a_closed_pipe_is_quiet(built: Path) -> None:
    command = Path(sys.executable).with_name("pinnersage")
    users = ["u0"] * 3000
    with subprocess.Popen(
        [command, "interests", built, *users, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (141, b"")


def _ignore_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize(
    ("number", "code", "said", "before"),
    [
        (signal.SIGINT, 130, b"interrupted", None),
        (signal.SIGTERM, 143, b"told to end", None),
        (signal.SIGTERM, 143, b"told to end", _ignore_ctrl_c),  # as what a script runs in the background
    ],
)
def test_a_signal_stops_a_build_without_a_trace(
    world: Path, number: int, code: int, said: bytes, before: Callable[[], None] | None
) -> None:
    """While the tables are taken in: many actions make that last some seconds."""
    n_actions = 2_000_000
    table = {
        "user_id": np.arange(n_actions) // 10,
        "item_id": pa.array([f"i{n:02d}" for n in range(40)]).take(pa.array(np.arange(n_actions) % 40)),
        "timestamp": np.full(n_actions, START_MS),
    }
    pq.write_table(pa.table(table), world / "actions.parquet")
    args = ("--items", world / "items.parquet", "--actions", world / "actions.parquet", "--time-unit", "ms")
    command: list[str | Path] = [
        Path(sys.executable).with_name("pinnersage"),
        *("build", *args, "--out", world / "model"),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=before
    ) as process:
        while not any(world.glob(".model.*/generations/*")) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert said in errors
    assert b"Traceback" not in errors
    assert {path.name for path in world.iterdir()} == {"items.parquet", "actions.parquet"}


def test_log_lines_name_no_user(built: Path, call: Run) -> None:
    ran: Ran = call("interests", built, "u0", "--json", "--verbose")
    assert ran.code == 0
    assert "u0" not in ran.err


def test_files_behind_one_option_are_told_that_each_has_its_own(call: Run) -> None:
    """So comes what a shell makes of ``--actions *.parquet``."""
    ran = call("build", "--items", "i.parquet", "--actions", "a.parquet", "b.parquet", "--out", "m")
    assert ran.code == 2
    assert "b.parquet" in ran.err
    assert "Each value has its option: --actions A --actions B" in ran.err
    assert "Each value" not in call("build", "--itms", "i.parquet").err
    assert "Each value" not in call("ingest", "m", "a.parquet", "b.parquet").err
