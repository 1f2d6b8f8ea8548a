"""What the demo tells of one user, as plain values: made once, shown as tables or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pinnersage._arrays import Int32s
from pinnersage._ids import ItemId, UserId
from pinnersage.cli.demo_mean import decayed_mean, nearest_unseen, unseen

if TYPE_CHECKING:
    from pinnersage.model import PinnerSage

# From the middle of all users up to the heaviest but a few.
_LOWEST_QUANTILE = 0.5
_HIGHEST_QUANTILE = 0.9
_N_USERS_LOOKED_AT = 20_000


class Story(NamedTuple):
    """One user's interests and two lists of recommendations, with what tells the lists apart.

    Attributes
    ----------
    interests, recommendations
        As the verbs ``interests`` and ``recommend`` give them.
    averaged
        Ids of the items that one averaged vector would give.
    spreads, averaged_spreads
        See :func:`spread_of`, for either list.
    """

    interests: dict[str, Any]
    recommendations: dict[str, Any]
    averaged: list[ItemId]
    spread: dict[str, float]
    averaged_spread: dict[str, float]


def choose_users(model: PinnerSage, n_users: int) -> list[UserId]:
    """Return users from the median number of interests up to the 90th percentile, evenly spaced.

    Of a very large model the first 20,000 users are looked at.
    """
    sizes = []
    for user_id in model.users():
        sizes.append((model.record(user_id).n_interests, str(user_id), user_id))
        if len(sizes) == _N_USERS_LOOKED_AT:
            break
    sizes = sorted(size for size in sizes if size[0] > 0)
    places = np.linspace(_HIGHEST_QUANTILE, _LOWEST_QUANTILE, n_users) * (len(sizes) - 1)
    return list(dict.fromkeys(sizes[round(place)][2] for place in places)) if sizes else []


def tell(model: PinnerSage, user_id: UserId, k: int) -> Story:
    """Return the story of one user with lists of ``k`` items."""
    vocabulary = model.items.vocabulary
    recommendations = model.recommend_dict(user_id, k)
    rows = vocabulary.rows_of([item["item_id"] for item in recommendations["items"]])
    averaged = _averaged_rows(model, user_id, k)
    return Story(
        model.interests_dict(user_id),
        recommendations,
        list(vocabulary.ids_of(averaged)),
        spread_of(model, rows),
        spread_of(model, averaged),
    )


def spread_of(model: PinnerSage, rows: Int32s) -> dict[str, float]:
    """Return how varied a list is: mean cosine of its pairs, and its categories where they are known."""
    embeddings = model.items.embeddings[rows].astype(np.float64)
    cosines = embeddings @ embeddings.T
    n = len(rows)
    pairs = cosines[np.triu_indices(n, 1)]
    spread: dict[str, float] = {"mean_cosine": float(pairs.mean()) if n > 1 else 0.0}
    attributes = model.items.attributes
    if "category" in attributes.column_names:
        spread["n_categories"] = len(set(_taken(attributes.column("category"), rows)))
    return spread


def _averaged_rows(model: PinnerSage, user_id: UserId, k: int) -> Int32s:
    from pinnersage.model.building import pool_of

    config = model.config
    record = model.record(user_id)
    embeddings = model.items.embeddings
    mean = decayed_mean(record, embeddings, config.interests.decay_per_day)
    allowed = unseen(record, len(embeddings)) & pool_of(model.items, config)
    return nearest_unseen(mean, embeddings, allowed, k, config.retrieval.near_duplicate_cosine)


def _taken(column: Any, rows: Sequence[int] | Int32s) -> list[Any]:
    return [column[int(row)].as_py() for row in rows]
