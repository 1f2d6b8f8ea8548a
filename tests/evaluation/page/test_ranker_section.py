"""What the second stages go by stands on the page of a real evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.evaluation.page.reading import Page
from tests.evaluation.page.values import values, with_gains
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage.config import BuildConfig, RankingConfig
from pinnersage.evaluation.page.gains import gains_of
from pinnersage.evaluation.page.summary import summary_of
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.settings import EvaluationConfig

SMALL = RankingConfig(budget=8, horizon_days=5, n_moments=2, n_trees=8, min_leaf_rows=5, n_negatives=20)
PARTS = {"first_time": "first-time items", "all": "all targets"}


def test_a_report_with_second_stages_tells_what_they_go_by(tmp_path: Path) -> None:
    arms = ["top-20", "top-40-ranked", "popular-ranked"]
    evaluate_log(
        log_of(drawn_actions(8), drawn_embeddings(8)), out_dir=tmp_path, first_day_ms=50 * DAY, n_days=2,
        arms=arms, config=BuildConfig(ranking=SMALL),
        evaluation=EvaluationConfig(budgets=(10,), n_resamples=20),
    )  # fmt: skip
    html = (tmp_path / "report.html").read_text()
    section = html[html.index('<section id="ranker"') :]
    section = section[: section.index("</section>")]
    assert "What the trees of top-40-ranked split by for first-time items" in section
    assert section.count("<svg") == 1
    costs = json.loads((tmp_path / "metrics.json").read_text())["costs"]
    page = Page(html)
    for arm in arms[1:]:
        for mode, lists in PARTS.items():
            gains = costs[arm]["settings"]["fitted"][mode]["gains"]
            rows = page.table(f"Gain by feature: {arm}, {lists}").rows
            assert list(rows) == sorted((f for f in gains if gains[f]), key=lambda f: -gains[f])
            assert rows
            for feature, [(shown, _)] in rows.items():
                assert shown == f"{gains[feature]:.{len(shown.partition('.')[2])}f}"


@pytest.mark.parametrize(
    "fitted", [{"n_clusters": 5}, {"chosen": {"gains": 1}}, {"all": {"gains": {}}}, "no", None]
)
def test_what_else_an_arm_fitted_is_no_gain(fitted: object) -> None:
    told = with_gains(values())
    assert [(gains.arm, gains.slice) for gains in gains_of(summary_of(told))] == [
        ("top-40-ranked", "first_time"), ("top-40-ranked", "all"),
    ]  # fmt: skip
    told["costs"]["top-40-ranked"]["settings"]["fitted"] = fitted
    assert gains_of(summary_of(told)) == []
