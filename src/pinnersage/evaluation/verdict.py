"""What the figures say, in plain sentences.

What the paper's arms are called follows from their settings: the flags of the evaluation (``--clustering``,
``--decay-per-day`` and so on) hold for them as for a model, but for the one thing each is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pinnersage.config import InterestConfig
from pinnersage.evaluation.arms.names import GROUPS
from pinnersage.evaluation.arms.trained_registry import TRAINED
from pinnersage.evaluation.bootstrap import Estimate
from pinnersage.evaluation.comparable import MEANS, POPULAR, many_arm, not_compared
from pinnersage.evaluation.how_many import how_many
from pinnersage.evaluation.report import Report
from pinnersage.evaluation.settings import judged_budgets

_SECOND_STAGE = ("top-40-ranked",)
LEAST_USERS = 30
"""With fewer users an interval over resampled users says little, and of none that met a target nothing."""

_SINGLE_RANKED = (
    ("mean-0.01-ranked", "one vector with the same second stage"),
    ("popular-ranked", "the same second stage without any vector"),
)


def _config_of(settings: Mapping[str, Any]) -> InterestConfig:
    return InterestConfig.model_validate(settings.get("config") or {})


def _number(settings: Mapping[str, Any]) -> str:
    if settings.get("match") == "n_clusters":
        return "the same number for all"
    n = settings.get("n_interests")
    return "all interests of the user's own" if n is None else f"{n} sampled interest{'' if n == 1 else 's'}"


def _clustering(settings: Mapping[str, Any]) -> str:
    config = _config_of(settings)
    name = {"ward": "Ward", "complete": "complete linkage", "kmeans": "k-means"}[config.clustering]
    return name if config.n_clusters is None else f"{name} with {config.n_clusters} clusters"


def _representative(settings: Mapping[str, Any]) -> str:
    return f"{_config_of(settings).representative}s"


def _decay(settings: Mapping[str, Any]) -> str:
    decay = _config_of(settings).decay_per_day
    return f"decay {decay:g} per day" if decay else "no decay"


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "number": _number, "clustering": _clustering, "representative": _representative, "decay": _decay,
}  # fmt: skip
"""What arms may differ in -> an arm in that respect, in words, from its settings."""

_PAPER = (
    ("sampled-3", "sampled-1", "number"),
    ("sampled-3", "sampled-3-kmeans-5", "clustering"),
    ("sampled-3", "sampled-3-complete", "clustering"),
    ("sampled-3", "sampled-3-centroid", "representative"),
    ("sampled-3", "sampled-3-decay-0", "decay"),
    ("sampled-3", "sampled-3-decay-0.1", "decay"),
    ("all-interests", "all-interests-fixed-k", "number"),
)
"""The paper's comparisons: two arms, and in what they differ; how, depends on the evaluation's settings."""


def baselines(report: Report) -> list[str]:
    """Return the arms that others are divided by.

    The last item, the paper's mean, and at every budget the best of the popularities and of the trained
    arms.
    """
    found: list[str] = [name for name in ("last-item", "mean-0.01") if name in report.arms]
    for budget in (report.main_budget, *report.budgets):
        best = (best_of(report, names, "recall", budget) for names in (POPULAR, tuple(TRAINED)))
        found += [name for name in best if name and name not in found]
    return found


def pairs(report: Report) -> list[tuple[str, str]]:
    """Return the pairs of arms that the verdict sets against each other whatever the figures are."""
    staged = [(arm, other) for arm in _SECOND_STAGE for other, _ in _SINGLE_RANKED]
    wanted = [*staged, ("balanced-40", "top-40")]
    there = [(a, b) for a, b in wanted if a in report.arms and b in report.arms]
    return [(a, b) for a, b, *_ in _paper(report)] + there


def best_of(report: Report, names: tuple[str, ...], metric: str, budget: str) -> str | None:
    """Return the arm with the largest mean among those of ``names`` that were measured."""
    there = [name for name in names if name in report.arms]
    values = {name: report.mean(name, metric, budget=budget).value for name in there}
    finite = {name: value for name, value in values.items() if value == value}
    return max(finite, key=finite.__getitem__) if finite else None


def sentences(report: Report) -> list[str]:
    """Return the verdict: in short, what is configured, how many, main budget, the other budgets, the paper.

    At least one sentence: where there is too little data, or arms that no comparison is made of, it says so.
    For many interests speaks the first of ``balanced-40``, ``top-20``, ``top-40``, ``all-interests``
    that was measured, chosen beforehand, or else another of several interests; against it stands whichever
    single mean, whichever popularity and whichever trained arm did best on this very span. So the choice
    favours the others. Arms of knobs, which have tables of their own, speak only where no other does.
    """
    n_users = _n_users(report)
    if n_users < LEAST_USERS:
        return [
            f"In short, too little happens here to compare arms: {n_users} users act on items new to them, "
            f"and a comparison needs {LEAST_USERS}."
        ]
    many, words = many_arm(report)
    staged = next((name for name in _SECOND_STAGE if name in report.arms), None)
    budgets = judged_budgets(report.budgets, int(report.pool.sum()))
    told = [_in_short(report, many, words, staged) or not_compared(report, many)]
    configured = next((name for name in GROUPS["configured"] if name in report.arms), None)
    if configured != many:
        told += _against_best(report, configured, "lists as configured", "recall", report.main_budget)
    told += [line for line in [how_many(report, report.main_budget)] if line]
    for budget in sorted(budgets, key=lambda budget: budget != report.main_budget):
        for metric in ("relevance", "recall"):
            told += _against_best(report, many, words, metric, budget)
        told += _against_best(report, staged, "interests with a second stage", "recall", budget)
        for other, other_words in _SINGLE_RANKED:
            if staged and other in report.arms:
                words_a = "interests with a second stage"
                told.append(_versus(report, staged, other, words_a, other_words, "recall", budget))
    told += [_versus(report, *pair, "recall", budgets[0]) for pair in _paper(report)]
    return told + _budgets_left_out(report, budgets)


def _n_users(report: Report) -> int:
    """Return how many users have a first-time target: all arms answer the same."""
    arm, budget = next(iter(report.arms)), next(iter(report.budgets))
    return report.mean(arm, "recall", budget=budget).n_users


def _budgets_left_out(report: Report, judged: list[str]) -> list[str]:
    left_out = [label for label in report.budgets if label not in judged]
    if not left_out:
        return []
    return [f"Lists of half the pool or more tell arms apart badly, left out here: {', '.join(left_out)}."]


def _paper(report: Report) -> list[tuple[str, str, str, str]]:
    """Return the paper's comparisons that were measured and differ: both arms, and both in words."""
    found = []
    for a, b, aspect in _PAPER:
        if a in report.arms and b in report.arms:
            words_a, words_b = (_WORDS[aspect](report.arms[arm].settings) for arm in (a, b))
            if words_a != words_b:
                found.append((a, b, words_a, words_b))
    return found


def _in_short(report: Report, many: str | None, many_words: str, staged: str | None) -> str | None:
    """Return a few plain sentences, as one entry, for those who read no further."""
    budget = report.main_budget
    one = best_of(report, MEANS, "recall", budget)
    rival = best_of(report, POPULAR + tuple(TRAINED), "recall", budget)
    told = []
    for arm, other, words, other_words in (
        (many, one, many_words, "one vector"),
        (many, rival, many_words, f"{rival}, the best other method measured"),
        (staged, rival, "interests with a second stage", str(rival)),
    ):
        if arm and other:
            lift = report.lift(arm, other, "recall", budget=budget)
            if lift.value == lift.value:
                told.append(_plainly(lift, words, other_words))
    sentences = " ".join(f"{_capital(line) if i else line}." for i, line in enumerate(told))
    basis = f"(recall of first-time items, budget {budget})"
    return f"In short, {sentences.removesuffix('.')} {basis}." if told else None


def _plainly(lift: Estimate, a: str, b: str) -> str:
    figures = f"{lift.value:.2f} [{lift.low:.2f}, {lift.high:.2f}] times as many of the next items found"
    if lift.low > 1:
        return f"{a} beat {b}: {figures}"
    if lift.high < 1:
        return f"{a} lose to {b}: {figures}"
    return f"no difference is seen between {a} and {b}: {figures}"


def _against_best(report: Report, arm: str | None, words: str, metric: str, budget: str) -> list[str]:
    rivals = (
        (MEANS, "one vector"),
        (POPULAR, "popularity"),
        (tuple(TRAINED), "the best trained model"),
    )
    told = []
    for names, other_words in rivals:
        other = best_of(report, names, metric, budget)
        if arm and other:
            told.append(_versus(report, arm, other, words, other_words, metric, budget))
    return told


def _versus(report: Report, a: str, b: str, words_a: str, words_b: str, metric: str, budget: str) -> str:
    lift = report.lift(a, b, metric, budget=budget)
    names = f"{a} against {b}, first-time items, budget {budget}"
    return f"{_told(lift, words_a, words_b, metric)} ({names})."


def _told(lift: Estimate, a: str, b: str, metric: str) -> str:
    if lift.value != lift.value:
        return f"Nothing can be said of {a} and {b} on {metric}: there is nothing to divide by"
    figures = f"{lift.value:.2f}x [{lift.low:.2f}, {lift.high:.2f}]"
    if lift.low > 1:
        return f"{_capital(a)} beat {b} on {metric} by {figures}"
    if lift.high < 1:
        return f"{_capital(a)} do not beat {b} on {metric}, they lose: {figures}"
    return f"{_capital(a)} and {b} cannot be told apart on {metric}: {figures}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
