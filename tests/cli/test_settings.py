"""Precedence: flags, environment, file, a verb's own defaults, the library's defaults."""

import re
from pathlib import Path
from typing import get_args

import pytest

from pinnersage import config
from pinnersage.cli import options
from pinnersage.cli.options import SETTINGS, parse_map
from pinnersage.cli.settings import known_keys, load_config
from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError
from pinnersage.model import home

KEY = "interests.decay_per_day"
VARIABLE = "PINNERSAGE_INTERESTS__DECAY_PER_DAY"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text("[interests]\ndecay_per_day = 0.3\nwindow_days = 30\n")
    return path


def test_nothing_given_is_the_default() -> None:
    assert load_config(None, {}) == BuildConfig()


def test_each_source_wins_over_the_next(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {KEY: 0.4}
    assert load_config(None, {}, own).interests.decay_per_day == 0.4
    assert load_config(file, {}, own).interests.decay_per_day == 0.3
    monkeypatch.setenv(VARIABLE, "0.2")
    assert load_config(file, {}, own).interests.decay_per_day == 0.2
    assert load_config(file, {KEY: 0.1}, own).interests.decay_per_day == 0.1


def test_a_flag_that_was_not_given_leaves_the_file_alone(file: Path) -> None:
    flags = dict.fromkeys((setting.key for setting in SETTINGS), None)
    assert load_config(file, flags).interests.decay_per_day == 0.3


def test_sources_are_merged_key_by_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINNERSAGE_INTERESTS__MAX_ACTIONS", "7")
    merged = load_config(file, {"interests.max_merge_cost": 2.0}).interests
    expected = (2.0, 0.3, 30.0, 7)
    assert (merged.max_merge_cost, merged.decay_per_day, merged.window_days, merged.max_actions) == expected


def test_a_false_flag_is_a_given_flag(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[imports]\nnormalize = true\nstrict = true\n")
    imports = load_config(path, {"imports.normalize": False}).imports
    assert (imports.normalize, imports.strict) == (False, True)


def test_mappings_come_from_toml_json_and_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('[imports.columns]\nitem_id = "asin"\n')
    assert load_config(path, {}).imports.columns == {"item_id": "asin"}
    monkeypatch.setenv("PINNERSAGE_IMPORTS__COLUMNS", '{"user_id": "who"}')
    assert load_config(path, {}).imports.columns == {"user_id": "who"}
    assert load_config(path, {"imports.columns": {"weight": "w"}}).imports.columns == {"weight": "w"}


@pytest.mark.parametrize("content", ["[interests]\ndecay = 1", "speed = 1", "[speed]\nx = 1", "[speed]"])
def test_unknown_keys_of_a_file_are_refused_with_the_known_ones(tmp_path: Path, content: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"unknown setting .*known are: .*interests\.decay_per_day"):
        load_config(path, {})


@pytest.mark.parametrize("name", ["PINNERSAGE_THREADS", "PINNERSAGE_INTERESTS__DECAY", "PINNERSAGE_A__B__C"])
def test_unknown_names_in_the_environment_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(UsageError, match=f"unknown setting .* from {name}.*known are: "):
        load_config(None, {})


@pytest.mark.parametrize(
    "name", ["PINNERSAGE_PORT", "PINNERSAGE_SERVICE_HOST", "PINNERSAGE_PORT_80_TCP_ADDR"]
)
def test_service_links_of_kubernetes_are_not_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:80")
    assert load_config(None, {}) == BuildConfig()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("interests.decay_per_days", "interests.decay_per_day"),
        ("interests.decay", "interests.decay_per_day"),
        ("interest.window_days", "interests"),
        ("threads", "n_threads"),
        ("interests.alfa", "interests.max_merge_cost"),
        ("interests.lambda", "interests.decay_per_day"),
    ],
)
def test_a_near_miss_is_pointed_out(tmp_path: Path, written: str, meant: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"{written} = 1")
    with pytest.raises(UsageError, match=rf"did you mean {re.escape(meant)}\?"):
        load_config(path, {})


@pytest.mark.parametrize("written", ["interests.fruit", "retrieval.xyz"])
def test_nothing_is_pointed_to_where_nothing_is_near(tmp_path: Path, written: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"{written} = 1")
    with pytest.raises(UsageError, match=r"^unknown setting '[a-z.]+'; known are"):
        load_config(path, {})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({KEY: -1.0}, "interests.decay_per_day: .*got -1.0"),
        ({"interests.clustering": "kmeans"}, "needs n_clusters"),
        ({"imports.max_bad_share": 2.0}, "max_bad_share"),
        ({"interests.window_days": 1e300}, "window_days"),
        ({"interests.max_actions": 10**20}, "max_actions"),
        ({"interests.n_clusters": 10**20}, "n_clusters"),
        ({"imports.memory_limit_mb": 10**20}, "memory_limit_mb"),
        ({"n_threads": 100_000}, "n_threads"),
    ],
)
def test_values_out_of_range_are_usage_errors(flags: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_config(None, flags)


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe", b"[a\n"])
def test_a_file_that_is_not_toml_is_a_usage_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not valid TOML"):
        load_config(path, {})


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_config(tmp_path / "none.toml", {})


def test_broken_json_in_the_environment_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINNERSAGE_IMPORTS__COLUMNS", "{")
    with pytest.raises(UsageError, match=r"imports.*double quotes"):
        load_config(None, {})


def test_every_flag_sets_a_known_key() -> None:
    assert {setting.key for setting in SETTINGS} <= set(known_keys())


def test_choices_on_the_command_line_are_those_of_the_settings() -> None:
    assert (options.Clustering, options.Representative) == (config.Clustering, config.Representative)
    assert options.Mode == config.RecommendMode
    assert options.Durability == home.Durability
    fields = config.ImportConfig.model_fields
    assert get_args(options.TimeUnit) == get_args(get_args(fields["time_unit"].annotation)[0])
    assert get_args(options.Dtype) == get_args(fields["dtype"].annotation)


@pytest.mark.parametrize("pairs", [["a"], ["=b"], ["a="], ["a=b", "a=c"]])
def test_a_map_that_is_no_map_is_a_usage_error(pairs: list[str]) -> None:
    with pytest.raises(UsageError, match="NAME=COLUMN"):
        parse_map(pairs)


def test_a_column_may_hold_an_equals_sign() -> None:
    assert parse_map(["item_id=a=b"]) == {"item_id": "a=b"}
    assert parse_map([]) is None
