"""What things are called on the page, and which way is better."""

from __future__ import annotations

from typing import Literal, NamedTuple

Better = Literal["more", "less", "neither"]


class Metric(NamedTuple):
    """A metric: its name in tables, which way is better, and what it says."""

    name: str
    better: Better
    meaning: str


METRICS: dict[str, Metric] = {
    "relevance": Metric(
        "Relevance",
        "more",
        "Share of the targets that are near to any recommended item: at the set cosine or above.",
    ),
    "recall": Metric("Recall", "more", "Share of the targets that are in the list themselves."),
    "ndcg": Metric(
        "nDCG",
        "more",
        "Normalized discounted cumulative gain: recall that counts more for targets high in the list; 1 is "
        "the best order.",
    ),
    "r_precision": Metric(
        "R-precision", "more", "Of k targets among impressions: the share that the arm ranks in its top k."
    ),
    "reciprocal_rank": Metric(
        "Reciprocal rank", "more", "Mean of 1 / rank of each target among targets and impressions."
    ),
    "diversity": Metric(
        "Diversity",
        "neither",
        "1 less the mean cosine of the pairs in a list. More is more varied, not better.",
    ),
    "novelty": Metric(
        "Novelty", "neither", "Mean bits of surprise of the items listed: rarely used items have more."
    ),
    "calibration": Metric(
        "Calibration", "less", "How far a list's shares are from the user's importances; 0 is calibrated."
    ),
    "coverage": Metric(
        "Coverage", "more", "Share of the pool that was recommended to anyone. It has no interval."
    ),
}
SLICES = {"first_time": "First-time items", "repeat": "Repeats", "all": "All targets"}
TRAITS = {
    "activity": ("activity", "actions in the window"),
    "history_days": ("length of history", "days since the first action"),
    "n_interests": ("number of interests", "interests"),
}
FIELDS = {
    "gini": "Gini",
    "popularity_lift": "Popularity lift",
    "top_1_percent_share": "Top 1 % of items",
    "coverage": "Coverage",
}


def metric_name(key: str) -> str:
    """Return a metric's name; a metric that is not known keeps its own."""
    if key in METRICS:
        return METRICS[key].name
    return FIELDS.get(key, key.replace("_", " ").capitalize())


def share_of(key: str) -> str:
    """Return a metric that is a share of the targets, as an axis is called."""
    return f"{metric_name(key)} (share of the targets)"


def better(key: str) -> Better:
    """Return which way a metric is better."""
    return METRICS[key].better if key in METRICS else "neither"


def slice_name(key: str) -> str:
    """Return a slice's name."""
    return SLICES.get(key, key)


def trait_name(by: str) -> str:
    """Return what users are grouped by, to stand after "by"."""
    return TRAITS[by][0] if by in TRAITS else by.replace("_", " ")


def trait_unit(by: str) -> str:
    """Return what the ends of a group count."""
    return TRAITS[by][1] if by in TRAITS else by.replace("_", " ")


def budget_name(label: str, n_items: int) -> str:
    """Return a budget in words.

    Examples
    --------
    >>> budget_name("400", 400), budget_name("1%", 35)
    ('400 items a list', '1 % of the pool (35 items a list)')
    """
    items = f"{n_items:,} item{'' if n_items == 1 else 's'} a list"
    return f"{label[:-1]} % of the pool ({items})" if label.endswith("%") else items
