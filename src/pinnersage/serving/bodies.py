"""Bodies that are not actions, read and checked."""

from __future__ import annotations

from typing import Any

import msgspec

from pinnersage.serving.backend import Preference
from pinnersage.serving.intake import BadActionError, checked_id, decoded
from pinnersage.serving.problems import FieldError, RequestError
from pinnersage.serving.settings import ServiceSettings
from pinnersage.serving.shapes import ItemIn, PreferenceIn, RecommendationsIn

DEFAULT_K, MAX_EXCLUDED = 100, 10_000
_RECOMMENDATIONS = msgspec.json.Decoder(RecommendationsIn)
_PREFERENCE = msgspec.json.Decoder(PreferenceIn)
_ITEM = msgspec.json.Decoder(ItemIn)
_ITEM_FIELDS = frozenset(ItemIn.__struct_fields__)
_ANY_OBJECT = msgspec.json.Decoder(dict[str, Any])


def length_of(k: int | None, most: int, usual: int = DEFAULT_K) -> int:
    """Return how long a list is to be.

    Raises
    ------
    RequestError
        It is asked to be longer than ``most``.
    """
    if k is None:
        return min(usual, most)
    _at_most(k, "k", most)
    return k


def read_recommendations(body: bytes, bounds: ServiceSettings) -> tuple[RecommendationsIn, int]:
    """Return what is asked of ``POST /v1/recommendations``, and the length of the lists.

    Raises
    ------
    RequestError
        A field is wrong or beyond its bound, or not exactly one of actions and user_ids is there.
    """
    asked: RecommendationsIn = decoded(_RECOMMENDATIONS, body)
    if (asked.actions is None) == (asked.user_ids is None):
        raise RequestError("expected either actions or user_ids, and not both", field="actions")
    k = length_of(asked.k, bounds.max_k)
    _at_most(len(asked.actions or ()), "actions", bounds.max_actions)
    _at_most(len(asked.user_ids or ()), "user_ids", bounds.max_users)
    _at_most(len(asked.exclude or ()), "exclude", MAX_EXCLUDED)
    _check_all_lists(len(asked.user_ids or ()), k, max(bounds.max_items, bounds.max_k))
    for position, user_id in enumerate(asked.user_ids or ()):
        try:
            checked_id(user_id, "user_id", bounds.max_id_bytes)
        except BadActionError as error:
            raise RequestError(str(error), field=f"user_ids[{position}]") from None
    return asked, k


def read_preference(body: bytes) -> Preference:
    """Return the preference of a body.

    Raises
    ------
    RequestError
        It is neither ``muted`` nor ``pinned``.
    """
    found: PreferenceIn = decoded(_PREFERENCE, body)
    return found.preference


def read_item(body: bytes, item_id: str, columns: frozenset[str]) -> tuple[list[float], dict[str, Any]]:
    """Return the embedding and the attributes of a body.

    Parameters
    ----------
    item_id
        Of the path; a body that names another is refused.
    columns
        Attributes that the model's items have besides those of every item.

    Raises
    ------
    RequestError
        A field is wrong, or there is none of that name.
    """
    known: ItemIn = decoded(_ITEM, body)
    attributes = decoded(_ANY_OBJECT, body)
    named = attributes.pop("item_id", None)
    if named is not None and str(named) != item_id:
        raise RequestError(f"expected item_id as in the path, or none, got {named!r:.100}", field="item_id")
    for name in attributes.keys() - columns - _ITEM_FIELDS:
        told = ", ".join(sorted(columns | _ITEM_FIELDS))
        raise RequestError(f"expected the fields {told}, got {name!r:.100}", field=name[:100])
    attributes = {name: value for name, value in attributes.items() if value is not None}
    attributes.pop("embedding", None)
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
