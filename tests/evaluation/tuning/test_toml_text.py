"""What is written is what `--config` reads: only what differs, whole or not at all."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from tests.evaluation.tuning.tuning_worlds import QUICK, UNTIL, close_topics

from pinnersage.cli.settings import load_config
from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError
from pinnersage.evaluation.tuning.running import tune_log
from pinnersage.evaluation.tuning.space import SECOND_STAGE, SPACE, with_values
from pinnersage.evaluation.tuning.toml_text import differing, toml_text

OPTIONS = [option for group in (*SPACE, *SECOND_STAGE) for option in group.options]


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_every_option_is_read_back(option: dict[str, Any], tmp_path: Path) -> None:
    config = with_values(BuildConfig(), option)
    file = tmp_path / "tuned.toml"
    file.write_text(toml_text(config, ["A comment.", "Two\nlines."]), encoding="utf-8")
    assert load_config(file, {}) == config


@given(
    st.dictionaries(st.text(min_size=1), st.text(), max_size=4),
    st.floats(min_value=0, max_value=1e6, allow_nan=False),
    st.text(),
)
def test_any_text_and_number_is_read_back(columns: dict[str, str], cost: float, comment: str) -> None:
    config = BuildConfig.model_validate(
        {"imports": {"columns": columns}, "interests": {"max_merge_cost": cost}, "n_threads": 3}
    )
    read = tomllib.loads(toml_text(config, [comment]))
    assert BuildConfig.model_validate(read | {"n_threads": 3}) == config


def test_only_what_differs_is_written() -> None:
    config = with_values(BuildConfig(n_threads=2), {"interests.decay_per_day": 0.0})
    assert differing(config) == {"interests": {"decay_per_day": 0.0}}
    assert toml_text(config, []) == "\n[interests]\ndecay_per_day = 0.0\n"
    assert tomllib.loads(toml_text(BuildConfig(), ["x"])) == {}


def test_the_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = tune_log(close_topics(), tuning=QUICK, until_ms=UNTIL)
    file = tmp_path / "tuned.toml"
    result.write(file)
    assert load_config(file, {}) == result.config == result.chosen != BuildConfig()
    assert "in place of the default 1.5" in file.read_text()
    before = file.read_bytes()

    def fails(self: object) -> str:
        raise RuntimeError("on the way")

    monkeypatch.setattr(type(result), "toml", fails)
    with pytest.raises(RuntimeError):
        replace(result, chosen=BuildConfig()).write(file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["tuned.toml"]


FLOATS = [
    f"{section}.{name}"
    for section, values in BuildConfig()
    if isinstance(values, BaseModel)
    for name, field in type(values).model_fields.items()
    if "float" in str(field.annotation) and "Literal" not in str(field.annotation)
]


@pytest.mark.parametrize("key", FLOATS)
@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_no_setting_is_infinite_or_not_a_number(key: str, value: float) -> None:
    # TOML and the manifest of a model have no such numbers, as JSON writes them.
    assert "index.min_quality" in FLOATS
    with pytest.raises(ValidationError):
        with_values(BuildConfig(), {key: value})


@pytest.mark.parametrize("name", ["tuned.json", "nowhere/tuned.toml", "."])
def test_names_that_cannot_be_written_are_refused(name: str, tmp_path: Path) -> None:
    result = tune_log(close_topics(), tuning=QUICK.model_copy(update={"min_users": 999}), until_ms=UNTIL)
    with pytest.raises(UsageError, match="out: expected a file"):
        result.write(tmp_path / name)
