"""What explanations say, in words: reasons, sources of candidates, and the features of a second stage."""

from __future__ import annotations

from collections.abc import Sequence

REASON_WORDS = {
    "no_interests": "nothing of this user is in the window",
    "seen": "the user has acted on it already",
    "unavailable": "it is not in the pool",
    "muted": "its interest is muted",
    "near_duplicate": "an item that is nearly the same comes before it",
    "too_far": "other items are nearer to every interest",
    "missed": "the index, which is approximate, did not find it",
}
"""The reasons of an answer in words."""

FEATURE_WORDS = {
    "best_cosine": "cosine with the nearest interest",
    "best_cosine_rank": "place by nearness to an interest",
    "interest_share": "share of the nearest interest",
    "rank_in_interest": "place among the candidates of its interest",
    "weighted_cosine": "cosine with all interests, by their share",
    "sharp_cosine": "nearness to interests, where near ones count far more",
    "mean_cosine": "cosine with the mean of the user's actions",
    "mean_cosine_rank": "place by nearness to the mean of the user's actions",
    "newest_cosine": "cosine with the newest ten actions",
    "in_7_days": "actions on it in 7 days",
    "in_30_days": "actions on it in 30 days",
    "in_90_days": "actions on it in 90 days",
    "ever": "all actions on it",
    "decayed": "popularity, newer actions counting more",
    "popularity_rank": "place by popularity, newer actions counting more",
    "popularity_in_interest": "popularity against others of its interest",
    "trend_7_days": "its last 7 days against its last 30",
    "trend_30_days": "its last 30 days against its last 90",
    "actions_per_user": "how often one user acts on it",
    "age_days": "days since it came to be",
    "idle_days": "days since anyone acted on it",
    "regression": "link to the user's items through common users",
    "regression_rank": "place by links to the user's items",
    "common_users": "users in common with the user's items",
    "common_users_rank": "place by common users",
    "shrunk_regression": "link to the user's items that many users share",
    "shrunk_regression_rank": "place by links that many users share",
    "category_share": "share of its category in the user's actions",
    "own_count": "the user's own actions on it",
    "own_idle_days": "days since the user's last action on it",
    "own_gap_days": "days between the user's actions on it",
    "own_due": "whether the user's next action on it is due",
    "user_n_items": "how many items the user acted on",
    "user_n_interests": "how many interests the user has",
    "user_recent_share": "share of the user's actions in the last 7 days",
    "user_popularity": "how popular the user's items are",
    "user_new_share": "how rarely the user acts on an item again",
    "affinity_4": "how many of the user's actions are around it",
    "affinity_4_rank": "place by actions around it",
    "affinity_12": "how many of the user's actions are close to it",
    "affinity_12_rank": "place by actions close to it",
}
"""Name of a feature -> what it is."""

SOURCE_WORDS = {
    "proposed": "near to an interest",
    "popular": "popular",
    "linked": "acted on by the same people as the user's items",
    "category": "popular in a category of the user's",
    "own": "acted on by the user before",
}
"""Name of a source of candidates -> what that says of the item."""


def in_a_row(words: Sequence[str]) -> str:
    """Return words as a sentence lists them; of none an empty text.

    Examples
    --------
    >>> in_a_row(["near", "popular", "linked"]), in_a_row(["near"])
    ('near, popular and linked', 'near')
    """
    first, last = ", ".join(words[:-1]), "".join(words[-1:])
    return f"{first} and {last}" if first else last
