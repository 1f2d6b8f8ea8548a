"""What the figures say, in plain sentences."""

from __future__ import annotations

from pinnersage.evaluation.arms.trained_registry import TRAINED
from pinnersage.evaluation.bootstrap import Estimate
from pinnersage.evaluation.report import Report

_MANY = ("balanced-40", "top-20", "top-40", "all-interests")
_SECOND_STAGE = ("top-40-ranked",)
_POPULAR = ("popular", "popular-90d", "popular-30d", "popular-category")
_MEANS = ("mean-0", "mean-0.01", "mean-0.1", "mean-0.25")
LEAST_USERS = 30
"""With fewer users an interval over resampled users says little, and of none that met a target nothing."""

_SINGLE_RANKED = (
    ("mean-0.01-ranked", "one vector with the same second stage"),
    ("popular-ranked", "the same second stage without any vector"),
)
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
    """Return the arms that others are divided by.

    The last item, the paper's mean, and at every budget the best of the popularities and of the trained
    arms.
    """
    found: list[str] = [name for name in ("last-item", "mean-0.01") if name in report.arms]
    for budget in (_main_budget(report), *report.budgets):
        best = (best_of(report, names, "recall", budget) for names in (_POPULAR, tuple(TRAINED)))
        found += [name for name in best if name and name not in found]
    return found


def pairs(report: Report) -> list[tuple[str, str]]:
    """Return the pairs of arms that the verdict sets against each other whatever the figures are."""
    staged = [(arm, other) for arm in _SECOND_STAGE for other, _ in _SINGLE_RANKED]
    wanted = [(a, b) for a, b, *_ in _PAPER] + staged + [("balanced-40", "top-40")]
    return [(a, b) for a, b in wanted if a in report.arms and b in report.arms]


def best_of(report: Report, names: tuple[str, ...], metric: str, budget: str) -> str | None:
    """Return the arm with the largest mean among those of ``names`` that were measured."""
    there = [name for name in names if name in report.arms]
    values = {name: report.mean(name, metric, budget=budget).value for name in there}
    finite = {name: value for name, value in values.items() if value == value}
    return max(finite, key=finite.__getitem__) if finite else None


def sentences(report: Report) -> list[str]:
    """Return the verdict: in short, then many interests against others, the second stage, the paper.

    For many interests speaks the first of ``balanced-40``, ``top-20``, ``top-40``, ``all-interests``
    that was measured, chosen beforehand; against it stands whichever single mean, whichever popularity
    and whichever trained arm did best on this very span. So the choice favours the others.
    """
    many = next((name for name in _MANY if name in report.arms), None)
    staged = next((name for name in _SECOND_STAGE if name in report.arms), None)
    told = [line for line in [_in_short(report, many, staged)] if line]
    budgets = judged_budgets(report)
    left_out = [label for label in report.budgets if label not in budgets]
    if left_out:
        told.append(
            f"Lists of half the pool or more tell arms apart badly, left out here: {', '.join(left_out)}."
        )
    for budget in budgets:
        for metric in ("relevance", "recall"):
            told += _against_best(report, many, "many interests", metric, budget)
        told += _against_best(report, staged, "interests with a second stage", "recall", budget)
        for other, words in _SINGLE_RANKED:
            if staged and other in report.arms:
                words_a = "interests with a second stage"
                told.append(_versus(report, staged, other, words_a, words, "recall", budget))
    for a, b, words_a, words_b in _PAPER:
        if a in report.arms and b in report.arms:
            told.append(_versus(report, a, b, words_a, words_b, "recall", budgets[0]))
    return told


def judged_budgets(report: Report) -> list[str]:
    """Return the budgets that are compared in words: lists of less than half the pool, or all if none is.

    In a list of half the pool or more every arm finds nearly everything.
    """
    n_pool = int(report.pool.sum())
    small = [label for label, n_items in report.budgets.items() if 2 * n_items < n_pool]
    return small or list(report.budgets)


def _main_budget(report: Report) -> str:
    """Return the budget told first: of those judged the smallest share of the pool, else the first."""
    judged = judged_budgets(report)
    shares = [budget for budget in judged if budget.endswith("%")]
    return min(shares, key=report.budgets.__getitem__) if shares else judged[0]


def _in_short(report: Report, many: str | None, staged: str | None) -> str | None:
    """Return one sentence for those who read no further."""
    budget = _main_budget(report)
    one = best_of(report, _MEANS, "recall", budget)
    rival = best_of(report, _POPULAR + tuple(TRAINED), "recall", budget)
    parts = []
    for arm, other, words in (
        (many, one, "many interests find {} times the next items that one vector finds"),
        (many, rival, f"{{}} times those of the best of the other methods measured ({rival})"),
        (staged, rival, f"with a second stage {{}} times those of {rival}"),
    ):
        if arm and other:
            lift = report.lift(arm, other, "recall", budget=budget)
            if lift.value == lift.value and lift.n_users >= LEAST_USERS:
                told = f"{lift.value:.2f} [{lift.low:.2f}, {lift.high:.2f}]"
                unsure = " (which cannot be told apart)" if lift.low <= 1 <= lift.high else ""
                parts.append(words.format(told) + unsure)
    return f"In short, {', '.join(parts)} (recall of first-time items, budget {budget})." if parts else None


def _against_best(report: Report, arm: str | None, words: str, metric: str, budget: str) -> list[str]:
    rivals = (
        (_MEANS, "one vector"),
        (_POPULAR, "popularity"),
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
    if 0 < lift.n_users < LEAST_USERS:
        return (
            f"Too little happens here to say more of {a} and {b} on {metric}: "
            f"{lift.n_users} users of {LEAST_USERS} that a comparison needs"
        )
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
