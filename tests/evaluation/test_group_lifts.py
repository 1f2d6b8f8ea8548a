"""Lifts within groups of users against plain ratios, and the page of a real evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.page.reading import Page
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of, with_categories

from pinnersage.evaluation.group_lifts import group_lifts
from pinnersage.evaluation.report import Report
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.verdict import baselines

ARMS = ["last-item", "mean-0.01", "popular-30d", "sampled-1", "sampled-3", "top-20", "oracle-past-items"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation") / "report"


@pytest.fixture(scope="module")
def report(directory: Path) -> Report:
    log = with_categories(log_of(drawn_actions(6), drawn_embeddings(6)))
    settings = EvaluationConfig(budgets=(10, 0.05), n_resamples=40)
    return evaluate_log(
        log, out_dir=directory, first_day_ms=40 * DAY, n_days=9, evaluation=settings, arms=ARMS
    )


def test_a_groups_lift_is_the_ratio_of_its_means(report: Report) -> None:
    rows = group_lifts(report, baselines(report))
    assert {row["over"] for row in rows} == {"mean-0.01"}
    assert len(rows) == 2 * (len(ARMS) - 1) * sum(len(report.groups(by)) for by in report.traits)
    n_checked = 0
    for row in rows:
        users = next(users for name, *_, users in report.groups(row["by"]) if name == row["group"])
        for metric in ("relevance", "recall"):
            top, bottom = (
                report.values(arm, metric, budget=row["budget"])[users] for arm in (row["arm"], row["over"])
            )
            if np.nansum(bottom) > 0:
                ratio = np.nanmean(top) / np.nanmean(bottom)
                assert row["metrics"][metric]["value"] == pytest.approx(ratio, abs=1e-6)
                n_checked += 1
    assert n_checked > len(rows)


def test_a_group_of_everybody_has_the_lift_of_the_whole(report: Report) -> None:
    report.traits["everybody"] = np.zeros(len(report.traits["activity"]))
    rows = [row for row in group_lifts(report, ["mean-0.01"]) if row["by"] == "everybody"]
    del report.traits["everybody"]
    for row in rows:
        whole = report.lift(row["arm"], "mean-0.01", "recall", budget=row["budget"]).to_dict()
        assert row["metrics"]["recall"] == whole


def test_without_the_mean_the_first_baseline_is_divided_by(report: Report) -> None:
    fewer = Report(
        report.about, report.budgets, {arm: report.arms[arm] for arm in ("last-item", "top-20")},
        report.traits, report.pool, report.n_resamples, report.seed,
    )  # fmt: skip
    assert {row["over"] for row in group_lifts(fewer, ["last-item"])} == {"last-item"}
    assert group_lifts(fewer, []) == []


def test_an_evaluation_leaves_a_page_with_its_figures(report: Report, directory: Path) -> None:
    found = json.loads((directory / "metrics.json").read_text())
    page = Page((directory / "report.html").read_text())
    assert not page.unbalanced
    label, n_items = next(iter(found["about"]["budgets"].items()))
    table = page.table(f"First-time items, {label} items a list")
    assert (label, n_items) == ("10", 10)
    for arm in ARMS:
        value = report.mean(arm, "recall", budget="10").value
        assert table.column("Recall")[arm][0] == f"{value:.3f}"
    text = " ".join(page.texts)
    told = [sentence.removeprefix("In short, t").split(" (")[0] for sentence in found["verdict"]]
    assert all(sentence in text for sentence in told)
    assert found["trait_means"] == {
        by: pytest.approx(values.sum() / len(values), abs=1e-3) for by, values in report.traits.items()
    }


def test_the_page_can_be_left_out(tmp_path: Path) -> None:
    log = log_of(drawn_actions(6), drawn_embeddings(6))
    evaluate_log(log, out_dir=tmp_path, first_day_ms=40 * DAY, n_days=2, arms=["last-item"], page=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arms", "evaluation.json", "metrics.json"]
