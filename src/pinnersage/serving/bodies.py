"""Bodies that are not actions, and a query that is more than a value, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pinnersage._times import to_ms
from pinnersage.serving.backend import Preference
from pinnersage.serving.intake import BadActionError, checked_id, decoded
from pinnersage.serving.problems import FieldError, RequestError
from pinnersage.serving.settings import ServiceSettings
from pinnersage.serving.shapes import ItemIn, PreferenceIn, RecommendationsIn

MAX_EXCLUDED = 10_000
_RECOMMENDATIONS = msgspec.json.Decoder(RecommendationsIn)
_PREFERENCE = msgspec.json.Decoder(PreferenceIn)
_ITEM = msgspec.json.Decoder(ItemIn)
_ANY_OBJECT = msgspec.json.Decoder(dict[str, Any])


def read_recommendations(body: bytes, bounds: ServiceSettings) -> RecommendationsIn:
    """Return what is asked of ``POST /v1/recommendations``.

    Raises
    ------
    RequestError
        A field is wrong or beyond its bound, or not exactly one of actions and user_ids is there.
    """
    asked: RecommendationsIn = decoded(_RECOMMENDATIONS, body)
    if (asked.actions is None) == (asked.user_ids is None):
        raise RequestError("expected either actions or user_ids, and not both", field="actions")
    _at_most(asked.k, "k", bounds.max_k)
    _at_most(len(asked.actions or ()), "actions", bounds.max_actions)
    _at_most(len(asked.user_ids or ()), "user_ids", bounds.max_users)
    _at_most(len(asked.exclude or ()), "exclude", MAX_EXCLUDED)
    _check_all_lists(len(asked.user_ids or ()), asked.k, max(bounds.max_items, bounds.max_k))
    for position, user_id in enumerate(asked.user_ids or ()):
        try:
            checked_id(user_id, "user_id", bounds.max_id_bytes)
        except BadActionError as error:
            raise RequestError(str(error), field=f"user_ids[{position}]") from None
    return asked


def read_where(told: Sequence[str]) -> dict[str, list[str]]:
    """Return what items must be like, from ``attribute:value`` as often as a query tells it.

    Raises
    ------
    RequestError
        One has no colon.
    """
    found: dict[str, list[str]] = {}
    for one in told:
        name, colon, value = one.partition(":")
        if not (name and colon):
            raise RequestError(f"expected where as attribute:value, got {one!r:.100}", field="where")
        found.setdefault(name, []).append(value)
    return found


def read_preference(body: bytes) -> Preference:
    """Return the preference of a body.

    Raises
    ------
    RequestError
        It is neither ``muted`` nor ``pinned``.
    """
    found: PreferenceIn = decoded(_PREFERENCE, body)
    return found.preference


def read_item(body: bytes) -> tuple[list[float], dict[str, Any]]:
    """Return the embedding and the attributes of a body; a time among them in milliseconds.

    Raises
    ------
    RequestError
        A field is wrong.
    """
    known: ItemIn = decoded(_ITEM, body)
    attributes = decoded(_ANY_OBJECT, body)
    attributes = {name: value for name, value in attributes.items() if value is not None}
    for name in ("embedding", "item_id"):
        attributes.pop(name, None)
    if known.created_at is not None:
        attributes["created_at"] = to_ms(known.created_at)
    return known.embedding, attributes


def _check_all_lists(n_users: int, k: int, most: int) -> None:
    if n_users * k > most:
        told = (
            f"expected user_ids times k of at most {most:,} items, got {n_users:,} times {k:,}: "
            "ask for shorter lists, or in parts"
        )
        raise RequestError(told, errors=[FieldError(field, told) for field in ("user_ids", "k")])


def _at_most(value: int, field: str, most: int) -> None:
    if value > most:
        raise RequestError(f"expected {field} of at most {most:,}, got {value:,}", field=field)
