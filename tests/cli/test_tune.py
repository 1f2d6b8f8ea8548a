"""The verb ``tune``, through the same entry point as on the command line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import Run
from tests.evaluation.tuning.tuning_worlds import close_topics_tables

from pinnersage.cli import evaluating, tuning
from pinnersage.cli.evaluating import parse_budget
from pinnersage.cli.options import Read
from pinnersage.cli.settings import load_config
from pinnersage.cli.tuning_view import next_steps
from pinnersage.config import BuildConfig, RetrievalConfig
from pinnersage.evaluation.replay import Mode
from pinnersage.evaluation.tuning.settings import Metric, TuningSettings
from pinnersage.evaluation.vectors import VectorSource
from pinnersage.model.live import LiveModel

SPANS = ("--until", "1970-02-21", "--train-days", 14, "--held-out-days", 7, "--budget", 8)


@pytest.fixture
def topics(tmp_path: Path) -> Path:
    items, actions = close_topics_tables()
    pq.write_table(items, tmp_path / "items.parquet")
    pq.write_table(actions, tmp_path / "actions.parquet")
    return tmp_path


def tables(folder: Path) -> tuple[object, ...]:
    return ("--items", folder / "items.parquet", "--actions", folder / "actions.parquet")


def test_the_file_is_one_that_build_takes(call: Run, topics: Path) -> None:
    file = topics / "tuned.toml"
    ran = call("tune", *tables(topics), *SPANS, "--out", file, "--json")
    assert ran.code == 0, ran.err
    told = ran.object()
    config = load_config(file, {})
    assert config.interests.max_merge_cost < 1
    assert told["config"] == {
        "interests": {"max_merge_cost": config.interests.max_merge_cost},
        "retrieval": {"mode": "balanced"},
    }
    assert told["toml"] == file.read_text()
    assert told["out"] == str(file)
    assert "For `pinnersage build --config`" in file.read_text().splitlines()[0]
    built = call("build", *tables(topics), "--config", file, "--out", topics / "model", "--json")
    assert built.code == 0, built.err
    interests = call("interests", topics / "model", "u000", "--json").object()["interests"]
    assert len(interests) == 2
    # The service opens a model like this: it goes by the settings kept there, and takes no others.
    with LiveModel.open(topics / "model") as model:
        assert model.config.interests == config.interests
        assert model.config.retrieval == config.retrieval


def test_json_holds_choices_spans_and_races(call: Run, topics: Path) -> None:
    told = call("tune", *tables(topics), *SPANS, "--json").object()
    assert told["format"] == 1
    assert list(told) == [
        "format", "about", "choices", "train_gain", "held_out", "sentences", "config", "toml", "races", "out",
    ]  # fmt: skip
    assert told["out"] is None
    assert told["about"]["train"]["from"] == "1970-01-31T00:00:00Z"
    assert told["about"]["train"]["until"] == told["about"]["held_out"]["from"] == "1970-02-14T00:00:00Z"
    assert told["about"]["held_out"]["until"] == "1970-02-21T00:00:00Z"
    assert told["about"]["tables"]["actions"]["n_good"] > 0
    groups = [choice["group"] for choice in told["choices"]]
    assert groups == [
        "alpha (max_merge_cost)",
        "budget rule and number of interests",
        "lambda (decay_per_day)",
    ]
    for choice in told["choices"]:
        assert list(choice) == ["group", "default", "chosen", "changed", "gain", "why"]
    assert told["held_out"]["verdict"] == "better"
    assert set(told["races"][0]["tried"][1]) == {"values", "mean", "gain", "n_users", "problem"}


def test_embeddings_are_learnt_and_the_commands_told_next_build_with_such(call: Run, topics: Path) -> None:
    file, told = topics / "tuned.toml", {}
    given = ("tune", *tables(topics), *SPANS, "--max-trials", 3)
    for vectors in ("given", "log", "fused"):
        told[vectors] = call(*given, "--vectors", vectors, "--json").object()
        assert told[vectors]["about"]["vectors"] == vectors
    races = [found["races"] for found in told.values()]
    assert races[0] != races[1] != races[2] != races[0]
    ran = call(*given, "--vectors", "fused", "--out", file, COLUMNS="160")
    assert ran.code == 0, ran.err
    assert "fused with what the log says before each of these spans" in ran.out
    assert "# Embeddings were learnt (fused)" in file.read_text()
    embed, build = (line.partition(": pinnersage ")[2] for line in ran.out.splitlines()[-2:])
    for command, more in ((embed, ()), (build, ("--json",))):
        verb, *words = command.replace("E.parquet", str(topics / "E.parquet")).split()
        ran = call(verb, *(word.replace("DIR", str(topics / "model")) for word in words), *more)
        assert ran.code == 0, ran.err
    assert (topics / "model").is_dir()


def test_the_command_told_next_reads_the_tables_as_they_were_read() -> None:
    columns = {"item_id": "art nr", "title": "name", "timestamp": "zeit", "actions.action": "was"}
    imports = {"columns": columns, "time_unit": "s"}
    read = Read(Path("my items.csv"), [Path("log_*.csv")], Path("v.npy"), imports)
    given, fused = (
        next_steps({"about": {"vectors": vectors}}, read, Path("tuned.toml")).splitlines()
        for vectors in ("given", "fused")
    )
    of_log = ["--map", "item_id=art nr", "--map", "timestamp=zeit", "--map", "actions.action=was"]
    assert shlex.split(given[0]) == [
        *(
            "pinnersage",
            "build",
            "--items",
            "my items.csv",
            "--actions",
            "log_*.csv",
            "--embeddings",
            "v.npy",
        ),
        *(*of_log[:2], "--map", "title=name", *of_log[2:], "--time-unit", "s"),
        *("--config", "tuned.toml", "--out", "DIR"),
    ]
    assert "title=name" in fused[0]
    assert shlex.split(fused[1])[1:] == [
        *("pinnersage", "build", "--items", "E.parquet", "--actions", "log_*.csv", *of_log),
        *("--time-unit", "s", "--config", "tuned.toml", "--out", "DIR"),
    ]


def test_people_get_a_table_a_verdict_and_the_file(call: Run, topics: Path) -> None:
    ran = call("tune", *tables(topics), *SPANS, COLUMNS="160")
    assert ran.code == 0, ran.err
    for text in ("alpha (max_merge_cost)", "better recall", "[interests]", "max_merge_cost = "):
        assert text in ran.out
    assert "nothing was written" in ran.err
    assert sorted(path.name for path in topics.iterdir()) == ["actions.parquet", "items.parquet"]


def test_a_narrow_terminal_cuts_no_name(call: Run, topics: Path) -> None:
    ran = call("tune", *tables(topics), *SPANS, "--max-trials", 4, COLUMNS="60")
    assert ran.code == 0, ran.err
    assert "\N{HORIZONTAL ELLIPSIS}" not in ran.out


def test_little_data_gets_balanced_lists_and_is_told(call: Run, world: Path) -> None:
    file = world / "tuned.toml"
    ran = call("tune", *tables(world), "--out", file, COLUMNS="160")
    assert ran.code == 0, ran.err
    told = " ".join(ran.out.split())
    assert 'retrieval.mode = "balanced" is set, the safe guess' in told
    assert "too few to choose by: 50 are needed" in told
    assert load_config(file, {}) == BuildConfig(retrieval=RetrievalConfig(mode="balanced"))
    comments = [line for line in file.read_text().splitlines() if line.startswith("#")]
    assert any("relevant than one averaged vector" in line for line in comments)


def test_little_data_leaves_a_second_stage_out_and_says_so(call: Run, world: Path) -> None:
    ran = call("tune", *tables(world), "--ranker", COLUMNS="160")
    assert ran.code == 0, ran.err
    assert "The second stage that was asked for is off" in " ".join(ran.out.split())
    assert "second stage that was asked for" not in call("tune", *tables(world), COLUMNS="160").out


@pytest.mark.parametrize("mode", ["sampled", "budgeted"])
def test_little_data_keeps_a_mode_that_is_asked_for(call: Run, world: Path, mode: str) -> None:
    file, mine = world / "tuned.toml", world / "mine.toml"
    mine.write_text(f'[retrieval]\nmode = "{mode}"\n')
    for flags, env in (
        (("--config", mine), {}),
        (("--mode", mode), {}),
        ((), {"PINNERSAGE_RETRIEVAL__MODE": mode}),
    ):
        ran = call("tune", *tables(world), "--out", file, *flags, COLUMNS="160", **env)
        assert ran.code == 0, ran.err
        assert f'retrieval.mode = "{mode}" as asked for' in " ".join(ran.out.split())
        assert load_config(file, {}) == BuildConfig.model_validate({"retrieval": {"mode": mode}})
    mine.write_text("[retrieval]\nn_balanced_interests = 11\n")
    ran = call("tune", *tables(world), "--out", file, "--config", mine, COLUMNS="160")
    assert load_config(file, {}) == BuildConfig(
        retrieval=RetrievalConfig(mode="balanced", n_balanced_interests=11)
    )


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--train-days", 0), 2, "--train-days"),
        (("--held-out-days", -1), 2, "--held-out-days"),
        (("--budget", "0"), 2, "--budget like 400"),
        (("--metric", "luck"), 2, "--metric"),
        (("--vectors", "luck"), 2, "--vectors"),
        (("--until", "soon"), 2, "expected a time"),
        (("--until", "1960-01-01"), 3, "nothing to tune on before 1960-01-01"),
        (("--out", "tuned.json"), 2, "out: expected a file ending in .toml"),
        (("--out", "nowhere/tuned.toml"), 2, "out: expected a file in an existing directory"),
        (("--mode", "ranked"), 2, "second stage"),
    ],
)
def test_errors_have_their_exit_codes(
    call: Run, world: Path, more: tuple[object, ...], code: int, message: str
) -> None:
    ran = call("tune", *tables(world), *more, "--json")
    assert ran.code == code
    assert message in ran.error()["message"]
    assert ran.out == ""


def test_choices_and_defaults_on_the_command_line_are_those_of_the_settings(call: Run) -> None:
    assert get_args(tuning.MetricName) == get_args(Metric)
    assert get_args(tuning.TargetsName) == get_args(Mode)
    assert get_args(evaluating.VectorSource) == get_args(VectorSource)
    parameters: Any = tuning.tune.__signature__.parameters  # type: ignore[attr-defined]
    given = {name: parameters[name].default for name in ("train_days", "held_out_days", "metric", "targets")}
    given |= {name: parameters[name].default for name in ("max_users", "max_trials", "seed")}
    defaults = TuningSettings()
    assert given == {name: getattr(defaults, name) for name in given}
    assert parse_budget(parameters["budget"].default) == defaults.budget
    assert parameters["seconds"].default is defaults.max_seconds is None
    assert "Example" in call("tune", "--help").out
    assert json.dumps(given)
