"""How many interests to ask, and at what cost, in a sentence: what the arms ``top-N`` say of it."""

from __future__ import annotations

from pinnersage.evaluation.report import Report

TOP = ((1, "top-1"), (3, "top-3"), (5, "top-5"), (10, "top-10"), (20, "top-20"), (40, "top-40"))
"""Most important interests asked -> arm."""
_LEAST_COMPARED = 3


def how_many(report: Report, budget: str) -> str | None:
    """Return the smallest number of interests that no other is seen to beat, on recall of first-time items.

    None where fewer than three numbers were measured, or nothing was found.
    """
    recalls = {n: report.mean(arm, "recall", budget=budget).value for n, arm in TOP if arm in report.arms}
    if len(recalls) < _LEAST_COMPARED or not max(recalls.values()) > 0:
        return None
    arms = dict(TOP)
    best = max(recalls, key=recalls.__getitem__)
    lifts = {n: report.lift(arms[best], arms[n], "recall", budget=budget) for n in recalls}
    enough = next(n for n in recalls if n == best or not lifts[n].low > 1)
    more = [n for n in recalls if n > enough]
    figures = ", ".join(f"{recall:.3f} with {n}" for n, recall in recalls.items())
    if more:
        other = max(more, key=recalls.__getitem__)
        over = report.lift(arms[other], arms[enough], "recall", budget=budget)
        seen = "more find less" if over.high < 1 else "more are not seen to find more"
        beyond = f"{other} find {over.value:.2f}x [{over.low:.2f}, {over.high:.2f}] of that"
        told = f"Asking {_interests(enough)} is enough here, {seen}: {beyond}"
    else:
        told = f"Asking {_interests(best)} finds most, and more might find more"
    return f"{told} (recall {figures}; first-time items, budget {budget}).{_cost(report, enough)}"


def _interests(n: int) -> str:
    return "one interest" if n == 1 else f"{n} interests"


def _cost(report: Report, n: int) -> str:
    costs = [
        report.arms[arm].cost.get("median_ms_per_list")
        for m, arm in TOP
        if m in (1, n) and arm in report.arms
    ]
    if len(costs) < 2 or None in costs:
        return ""
    return f" A list takes {costs[1]:.2f} ms with {n}, {costs[0]:.2f} with one."
