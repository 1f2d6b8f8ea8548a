"""docs/results/fairness.md says what the committed results say, and these what a report says."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of, with_categories

from pinnersage.evaluation.arms.names import arm_names
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.settings import EvaluationConfig

ROOT = Path(__file__).parents[1]


@pytest.fixture
def fairness(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("fairness_page")


def test_the_tables_are_made_from_the_results(fairness: Any) -> None:
    text = fairness.PAGE.read_text(encoding="utf-8")
    made = fairness.page(fairness.read(fairness.RESULTS)).rstrip()
    assert text == f"{text.split(fairness.START)[0]}{fairness.START}\n{made}\n"


def test_a_report_is_shortened_to_its_own_figures(fairness: Any, tmp_path: Path) -> None:
    log = with_categories(log_of(drawn_actions(6, n_users=90, n=2_700), drawn_embeddings(6)))
    log = replace(log, providers=(np.arange(60) % 2).astype(np.int32), provider_names=pa.array(["a", "b"]))
    evaluate_log(
        log, out_dir=tmp_path, first_day_ms=40 * DAY, n_days=5, page=False,
        arms=["mean-0.01", "popular-30d", "top-3", "top-20", "balanced-40", "knobs"],
        evaluation=EvaluationConfig(budgets=(0.01,), n_resamples=50),
    )  # fmt: skip
    report = json.loads((tmp_path / "metrics.json").read_text())
    short = fairness.short(report)
    for row in report["results"]:
        if row["slice"] == "first_time":
            recall = row["metrics"]["recall"]
            told = short["results"][row["arm"]]["recall"]
            assert told == [round(recall[key], 4) for key in ("value", "low", "high")]
    (gap,) = (
        row["gap"]["value"]
        for row in report["utility_gaps"]
        if (row["arm"], row["by"], row["metric"]) == ("top-20", "activity", "recall")
    )
    assert short["gaps"]["top-20"]["activity"][0] == round(gap, 4)
    (exposed,) = (row for row in report["exposure"] if (row["arm"], row["slice"]) == ("top-20", "first_time"))
    told = short["exposure"]["top-20"]
    assert told["gini"][0] == exposed["gini"]
    assert set(told["shares"]) == {f"{row['by']}: {row['group']}" for row in exposed["groups"]}
    assert {row["arm"] for row in short["knobs"].values()} == {row["arm"] for row in report["knobs"]}
    tables = fairness.page({"a": {"data": "a"} | short})
    assert tables.count("`top-20`") >= 4
    assert "share by category" in tables
    assert "share by provider" in tables


def test_every_row_of_a_table_has_its_cells(fairness: Any) -> None:
    tables = fairness.PAGE.read_text(encoding="utf-8").split("\n\n")
    for table in (part.strip().splitlines() for part in tables if part.strip().startswith("|")):
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1, table[0]


def test_the_arms_measured_are_arms(fairness: Any) -> None:
    measuring: Any = importlib.import_module("measure_fairness")
    names, left_out = arm_names(measuring.ARMS)
    assert {*fairness.TOLD} <= {*names, *left_out}
