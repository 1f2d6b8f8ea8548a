"""What `tune` chose before each span: the table is that of the committed results, nothing sees the span."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from click import Command
from typer.main import get_command

from pinnersage.cli.app import app

ROOT = Path(__file__).parents[1]
COMMANDS: dict[str, Command] = get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))


def test_the_table_is_made_from_the_results() -> None:
    page: Any = importlib.import_module("tuned_page")
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    inside = text.split(page.START)[1].split(page.END)[0]
    assert inside == f"\n{page.page(page.read())}\n"


def test_what_differs_from_the_defaults_is_told() -> None:
    page: Any = importlib.import_module("tuned_page")
    found = {"retrieval": {"mode": "balanced", "sharpness": 6.0}, "ranking": {"fit_ranker": True}}
    assert page.chosen(found) == "mode balanced, sharpness 6.0, second stage"
    assert page.chosen({}) == "the defaults"


def test_nothing_of_the_span_is_read_before_it_is_measured(tmp_path: Path) -> None:
    measuring: Any = importlib.import_module("measure_tuned")
    tables, made = tmp_path / "log", tmp_path / "made"
    for name, span in measuring.SPANS.items():
        for asked in measuring.ASKED:
            tune = measuring.tune_command(tables, name, "fused", asked, made)
            assert tune[tune.index("--until") + 1] == span.first_day
            evaluate = measuring.evaluate_command(tables, name, "fused", asked, made, made)
            assert evaluate[evaluate.index("--from") + 1] == span.first_day
            for command in (tune, evaluate):
                assert command[command.index("--vectors") + 1] == "fused"
                known = {option for parameter in COMMANDS[command[0]].params for option in parameter.opts}
                assert {word for word in command if re.match("--[a-z]", word)} <= known


def test_a_place_without_logs_is_refused_and_leaves_the_page(tmp_path: Path) -> None:
    measuring: Any = importlib.import_module("measure_tuned")
    with pytest.raises(SystemExit, match="expected a directory of some of completejourney"):
        measuring.main(str(tmp_path / "empty"), str(tmp_path / "work"))


def test_a_short_result_holds_the_choice_and_its_figures(tmp_path: Path) -> None:
    measuring: Any = importlib.import_module("measure_tuned")
    value = {"value": 0.5, "low": 0.4, "high": 0.6}
    metrics = {"metrics": {"recall": value, "relevance": value}}
    row = {"arm": "as-configured", "budget": "1%", "slice": "first_time", **metrics}
    report = {
        "results": [row, row | {"arm": "mean-0.01"}, row | {"slice": "repeat"}],
        "lifts": [row | {"over": "mean-0.01"}, row | {"over": "mean-0.01", "slice": "repeat"}],
    }
    (tmp_path / "metrics.json").write_text(measuring.json.dumps(report))
    tuned = tmp_path / "tuned.toml"
    tuned.write_text("# Written by.\n# Chosen by recall.\n\n[retrieval]\nmode = 'balanced'\n")
    found = measuring.short("log", "given", "1%", tuned, tmp_path)
    assert found["settings"] == {"retrieval": {"mode": "balanced"}}
    assert found["remarks"] == ["Chosen by recall."]
    assert found["results"].keys() == {"1%"}
    assert found["results"]["1%"]["over_mean"] == {"relevance": [0.5, 0.4, 0.6], "recall": [0.5, 0.4, 0.6]}
