"""What the verdict says of figures that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage.config import BuildConfig, InterestConfig
from pinnersage.evaluation.arms.names import GROUPS
from pinnersage.evaluation.cosines import N_RANKS
from pinnersage.evaluation.measures import METRICS, SLICES
from pinnersage.evaluation.report import Report
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.saved import ArmResult
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.verdict import LEAST_USERS, baselines, pairs, sentences

N_USERS = 40


SETTINGS = {"sampled-3": {"n_interests": 3}, "sampled-1": {"n_interests": 1}}


def report_of(recalls: dict[str, float], n_users: int = N_USERS, n_pool: int = 3_000) -> Report:
    """Every user of an arm has the same relevance and recall: of 100 targets so many are found."""
    arms = {}
    for name, recall in recalls.items():
        sums = np.zeros((n_users, 2, len(SLICES), len(METRICS), 2))
        sums[..., 1] = 100.0
        sums[..., 0] = 100.0 * recall
        exposed, by_rank = np.zeros((2, 2, n_pool), np.int32), np.zeros((2, 2, N_RANKS, 3))
        arms[name] = ArmResult(
            name, False, sums, exposed, by_rank, np.empty((2, 2, 0)), {}, SETTINGS.get(name, {})
        )
    budgets = {"400": 400, "1%": 30}
    return Report(
        {},
        budgets,
        arms,
        {"activity": np.arange(n_users, dtype=np.float64)},
        np.ones(n_pool, np.bool_),
        20,
        0,
    )


def test_a_rival_that_one_user_carries_is_not_lost_to() -> None:
    """One of 40 finds all, the others nothing: a recall of 1/40, above 0.02, that many resamples lack."""
    report = report_of({"popular": 1.0, "balanced-40": 0.02})
    sums = report.arms["popular"].sums.copy()
    sums[1:, ..., 0] = 0.0
    rival = replace(report.arms["popular"], sums=sums)
    told = sentences(replace(report, arms=report.arms | {"popular": rival}))
    assert told[0].startswith("In short, no difference is seen between many interests and popular")
    assert f": {0.02 * N_USERS:.2f} [" in told[0]
    assert "inf]" in told[0]
    assert not any("lose" in line for line in told)


def test_in_short_it_sets_many_against_one_and_all_against_the_best_rival() -> None:
    told = sentences(
        report_of({"mean-0": 0.1, "popular": 0.3, "ease": 0.4, "balanced-40": 0.2, "top-40-ranked": 0.5})
    )
    two, half, more = (f"{ratio:.2f}" for ratio in (0.2 / 0.1, 0.2 / 0.4, 0.5 / 0.4))
    found = "times as many of the next items found"
    assert told[0] == (
        f"In short, many interests beat one vector: {two} [{two}, {two}] {found}. "
        f"Many interests lose to ease, the best other method measured: {half} [{half}, {half}] {found}. "
        f"Interests with a second stage beat ease: {more} [{more}, {more}] {found} "
        "(recall of first-time items, budget 1%)."
    )
    text = " ".join(told)
    assert f"Interests with a second stage beat the best trained model on recall by {0.5 / 0.4:.2f}x" in text
    assert f"Many interests do not beat popularity on recall, they lose: {0.2 / 0.3:.2f}x" in text


def test_in_short_it_says_what_cannot_be_told_apart() -> None:
    told = sentences(report_of({"mean-0": 0.2, "balanced-40": 0.2}))
    assert told[0].startswith(
        "In short, no difference is seen between many interests and one vector: 1.00 [1.00, 1.00] times "
    )


def test_lists_of_half_the_pool_are_not_judged() -> None:
    recalls = {"mean-0": 0.1, "balanced-40": 0.2, "sampled-3": 0.3, "sampled-1": 0.2}
    for n_pool, is_judged in ((801, True), (800, False)):
        told = sentences(report_of(recalls, n_pool=n_pool))
        assert any("budget 400)" in line for line in told) == is_judged
        assert any("left out here: 400." in line for line in told) != is_judged
        assert any("sampled-3 against sampled-1" in line for line in told)
    shares = replace(report_of(recalls, n_pool=100), budgets={"40": 40, "60%": 60})
    assert "budget 40)" in sentences(shares)[0]
    everything = sentences(report_of(recalls, n_pool=50))
    assert any("budget 400)" in line for line in everything)


def test_the_rival_is_whoever_did_best_here() -> None:
    told = sentences(report_of({"mean-0": 0.1, "mean-0.1": 0.15, "top-20": 0.12}))
    assert any("top-20 against mean-0.1," in line for line in told)
    assert not any("top-20 against mean-0," in line for line in told)


def test_what_was_not_measured_is_not_spoken_of_and_that_is_said() -> None:
    (told,) = sentences(report_of({"popular": 0.2, "mean-0": 0.1, "top-1": 0.2}))
    assert told.startswith("In short, nothing can be said of many interests")
    (told,) = sentences(report_of({"balanced-40": 0.2}))
    assert "balanced-40 was measured beside no single vector" in told
    told = sentences(report_of({"sampled-3": 0.2, "sampled-1": 0.1}))[0]
    assert "sampled-3 was measured beside no single vector" in told
    told = sentences(report_of({"sampled-3": 0.2, "popular": 0.0}))[0]
    assert told.startswith("In short, sampled-3 and popular cannot be compared")
    assert baselines(report_of({"popular": 0.2, "last-item": 0.1, "ease": 0.1, "als": 0.3})) == [
        "last-item", "popular", "als",
    ]  # fmt: skip


def test_other_interests_speak_where_the_usual_ones_are_missing() -> None:
    rivals = {"mean-0.01": 0.1, "popular": 0.3}
    one, other = (f"{ratio:.2f}" for ratio in (0.2 / 0.1, 0.2 / 0.3))
    for arm, words in (
        ("sampled-3", "several interests (sampled-3)"),
        ("as-configured", "lists as configured"),
        ("top-20-diverse-0.9", "several interests (top-20-diverse-0.9)"),
    ):
        told = sentences(report_of({**rivals, arm: 0.2}))
        assert told[0].startswith(f"In short, {words} beat one vector: {one} [")
        assert f"{words.capitalize()} lose to popular, the best other method measured: {other} [" in told[0]
        assert len(told) == len(set(told)) > 1
    both = sentences(report_of({**rivals, "sampled-3": 0.2, "top-20": 0.2, "as-configured": 0.2}))
    assert both[0].startswith("In short, many interests beat one vector")
    assert any(line.startswith("Lists as configured beat one vector") for line in both)


def test_what_is_configured_and_the_main_budget_come_before_the_rest() -> None:
    recalls = {"mean-0": 0.1, "popular": 0.2, "balanced-40": 0.2, "as-configured": 0.2, "sampled-3": 0.1}
    report = report_of({**recalls, "sampled-1": 0.1, **dict.fromkeys(GROUPS["knobs"], 0.1)})
    told = sentences(report)
    assert report.main_budget == "1%" != next(iter(report.budgets))
    order = ["In short", "Lists as configured", "Many interests beat one vector on relevance", "budget 400)"]
    order.append("sampled-3 against sampled-1")
    places = [next(i for i, line in enumerate(told) if words in line) for words in order]
    assert "budget 1%)" in told[places[2]]
    assert places == sorted(places)
    assert not any(knob in line for line in told for knob in GROUPS["knobs"])


def test_whoever_is_best_at_any_budget_is_a_baseline() -> None:
    report = report_of({"mean-0.01": 0.1, "ease": 0.3, "als": 0.2})
    report.arms["als"].sums[:, list(report.budgets).index("400"), ..., 0] = 50.0
    assert baselines(report) == ["mean-0.01", "ease", "als"]


def test_pairs_are_those_that_were_measured() -> None:
    report = report_of({"sampled-3": 0.3, "sampled-1": 0.2, "top-40": 0.1})
    assert pairs(report) == [("sampled-3", "sampled-1")]
    rows = report.to_dict([], [], pairs(report))["pairs"]
    assert [(row["budget"], row["metrics"]["recall"]["value"]) for row in rows] == [
        ("400", round(0.3 / 0.2, 6)),
        ("1%", round(0.3 / 0.2, 6)),
    ]


def test_of_few_users_nothing_is_claimed_and_that_is_said_once() -> None:
    recalls = {"mean-0": 0.1, "balanced-40": 0.0, "sampled-3": 0.1, "sampled-1": 0.2}
    (told,) = sentences(report_of(recalls, n_users=LEAST_USERS - 1))
    assert told.startswith("In short, too little happens here")
    assert f"{LEAST_USERS - 1} users act" in told
    assert f"needs {LEAST_USERS}" in told
    assert len(sentences(report_of(recalls, n_users=LEAST_USERS))) > 1
    (told,) = sentences(report_of({"popular": 0.2}, n_users=10))
    assert told.startswith("In short, too little happens here to compare arms: 10 users")


def test_the_paper_s_arms_are_called_what_they_were_set_to(tmp_path: Path) -> None:
    log = log_of(drawn_actions(3, n_users=60, n_items=300, n=3_000), drawn_embeddings(3, 300))
    arms = ["sampled-3", "sampled-1", "sampled-3-complete", "sampled-3-decay-0", "sampled-3-centroid"]
    for more, clustering, decay, n_compared in (
        ({}, "Ward", "decay 0.01 per day", 4),
        ({"clustering": "complete", "decay_per_day": 0.2}, "", "decay 0.2 per day", 3),
        ({"representative": "centroid", "decay_per_day": 0.0}, "Ward", "", 2),
    ):
        report = evaluate_log(
            log, out_dir=tmp_path, first_day_ms=40 * DAY, n_days=10, arms=arms, resume=False, page=False,
            config=BuildConfig(interests=InterestConfig.model_validate(more)),
            evaluation=EvaluationConfig(budgets=(5,), n_resamples=20),
        )  # fmt: skip
        told = [line for line in sentences(report) if "(sampled-3 against" in line]
        assert len(told) == len(pairs(report)) == n_compared
        assert "3 sampled interests" in told[0]
        assert "1 sampled interest " in told[0]
        for words in ("Ward", "decay 0.01 per day", "decay 0.2 per day"):
            assert any(words.lower() in line.lower() for line in told) == (words in (clustering, decay))
