"""What each arm recommends, in a line, for those who see the names the first time."""

from __future__ import annotations

from pinnersage.evaluation.page.summary import Summary

_ARMS = {
    "last-item": "The items nearest to the user's newest one.",
    "popular": "Items by their number of users, of all time.",
    "popular-category": "Popular items of the categories of the user's items, as many as each has a share.",
    "sampled-3-centroid": "As sampled-3, each interest stood for by its centroid.",
    "sampled-3-kmeans-5": "As sampled-3, interests made by k-means with five clusters.",
    "sampled-3-complete": "As sampled-3, interests made by complete linkage.",
    "all-interests": "All interests of the user, in turns by importance.",
    "all-interests-fixed-k": "All interests, with the same number of them for every user.",
    "balanced-40": "One list that speaks for all of a user's actions, from what 40 interests propose.",
    "oracle-kmeans-3": (
        "With hindsight: neighbors of the one of three k-means medoids that is nearest to a target."
    ),
    "oracle-past-items": "With hindsight: neighbors of the user's earlier item that is nearest to a target.",
    "as-configured": "What a build with these settings serves.",
    "top-40-ranked": (
        "What 40 interests, popularity and common users propose, ordered by the second stage "
        "(a gradient-boosted ranker)."
    ),
    "all-interests-ranked": "As top-40-ranked, with all of a user's interests.",
    "mean-0.01-ranked": "As top-40-ranked, with one vector in place of the interests.",
    "popular-ranked": "As top-40-ranked, with no vector at all.",
    "ease": "EASE: a linear model of items by their common users, in closed form; learnt anew every day.",
    "item-item": "Item-item: neighbors by common users; learnt anew every day.",
    "als": "ALS, alternating least squares: a factorization of users by items; learnt anew every week.",
    "sasrec": "SASRec: a network that reads a user's items in order; learnt once before the first day.",
    "comirec": "ComiRec: such a network with several vectors per user; learnt once before the first day.",
    "mind": "MIND: the same by capsule routing; learnt once before the first day.",
}
_PREFIXES = {
    "mean-": "The items nearest to the mean of the user's items of 90 days, decayed by {rest} a day.",
    "popular-": "Items by their number of users of the last {rest}.",
    "sampled-3-decay-": "As sampled-3, with a decay of importance of {rest} a day.",
    "sampled-": "Neighbors of medoids drawn by importance, at most {rest}: the paper's serving path.",
    "top-20-diverse-": "As top-20, no two items at or above a cosine of {rest}.",
    "balanced-40-saturation-": (
        "As balanced-40, saturation {rest}: how soon a list has enough of one direction."
    ),
    "top-": "The most important interests, at most {rest}, in turns by importance.",
}
_EQUAL = "-equal"


def arm_words(arm: str) -> str:
    """Return what an arm recommends; empty for one of another name.

    Examples
    --------
    >>> arm_words("popular-30d"), arm_words("top-3-equal"), arm_words("mine")
    ('Items by their number of users of the last 30d.', 'As top-3, each interest with the same share.', '')
    """
    if arm in _ARMS:
        return _ARMS[arm]
    if arm.endswith(_EQUAL):
        return f"As {arm.removesuffix(_EQUAL)}, each interest with the same share."
    return next(
        (told.format(rest=arm.removeprefix(p)) for p, told in _PREFIXES.items() if arm.startswith(p)), ""
    )


def arms_told(summary: Summary) -> list[tuple[str, str]]:
    """Return the arms measured that have words, with them, in the order of the tables."""
    return [(arm, arm_words(arm)) for arm in summary.arms if arm_words(arm)]
