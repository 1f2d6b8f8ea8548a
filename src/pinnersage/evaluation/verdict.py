"""What the figures say, in plain sentences."""

from __future__ import annotations

from pinnersage.evaluation.bootstrap import Estimate
from pinnersage.evaluation.report import Report

_MANY = ("top-20", "top-40", "all-interests")
_POPULAR = ("popular", "popular-90d", "popular-30d", "popular-category")
_MEANS = ("mean-0", "mean-0.01", "mean-0.1", "mean-0.25")
_PAPER = (
    ("sampled-3", "sampled-1", "three sampled interests", "one"),
    ("sampled-3", "sampled-3-kmeans-5", "Ward", "k-means with 5 clusters"),
    ("sampled-3", "sampled-3-complete", "Ward", "complete linkage"),
    ("sampled-3", "sampled-3-centroid", "medoids", "centroids"),
    ("sampled-3", "sampled-3-decay-0", "decay 0.01 per day", "no decay"),
    ("sampled-3", "sampled-3-decay-0.1", "decay 0.01 per day", "decay 0.1"),
    ("all-interests", "all-interests-fixed-k", "a number of interests of the user's own", "the same for all"),
)


def baselines(report: Report) -> list[str]:
    """Return the arms that others are divided by: last item, the paper's mean, the best popularity."""
    budget = next(iter(report.budgets))
    found = [name for name in ("last-item", "mean-0.01") if name in report.arms]
    popular = best_of(report, _POPULAR, "recall", budget)
    return found + ([popular] if popular else [])


def best_of(report: Report, names: tuple[str, ...], metric: str, budget: str) -> str | None:
    """Return the arm with the largest mean among those of ``names`` that were measured."""
    there = [name for name in names if name in report.arms]
    values = {name: report.mean(name, metric, budget=budget).value for name in there}
    finite = {name: value for name, value in values.items() if value == value}
    return max(finite, key=finite.__getitem__) if finite else None


def sentences(report: Report) -> list[str]:
    """Return the verdict: many interests against one vector and popularity, then the paper's orderings.

    For many interests speaks the first of ``top-20``, ``top-40``, ``all-interests`` that was measured,
    chosen beforehand; against it stands whichever single mean, and whichever popularity, did best on
    this very span. So the choice favours the others.
    """
    many = next((name for name in _MANY if name in report.arms), None)
    told = []
    for budget in report.budgets:
        for metric in ("relevance", "recall"):
            one = best_of(report, _MEANS, metric, budget)
            popular = best_of(report, _POPULAR, metric, budget)
            if many and one:
                told.append(_versus(report, many, one, "many interests", "one vector", metric, budget))
            if many and popular:
                told.append(_versus(report, many, popular, "many interests", "popularity", metric, budget))
    for a, b, words_a, words_b in _PAPER:
        if a in report.arms and b in report.arms:
            budget = next(iter(report.budgets))
            told.append(_versus(report, a, b, words_a, words_b, "recall", budget))
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
