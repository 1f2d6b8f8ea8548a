"""What is held of one user or item, and what an erasure removed, as types."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pinnersage.serving.shapes import Id, Interest, ReadTime


class ItemHeld(Struct, frozen=True):
    """An item as it is now, in the fields that put it; others that the model's items have come, too."""

    item_id: Id
    embedding: Annotated[list[float], Meta(description="Scaled as the model's are.")]
    available: bool
    title: str | None = None
    url: str | None = None
    image_url: str | None = None
    category: str | None = None
    provider: str | None = None
    quality: float | None = None
    created_at: ReadTime | None = None
    embedding_version: str | None = None


class ExportedAction(Struct, frozen=True):
    """One action that counts for a user; ``event_key`` stands for its event id."""

    item_id: Id
    timestamp: ReadTime
    action: str | None
    weight: float
    event_key: str | None


class JournalledAction(Struct, frozen=True):
    """One entry of the journal on a user, as it arrived; ``retracted`` ones take an action back."""

    sequence: int
    item_id: Id
    timestamp: ReadTime
    action: str | None
    weight: float
    event_key: str | None
    retracted: bool
    received_at: ReadTime


class UserExport(Struct, frozen=True):
    """Everything held of one user."""

    user_id: Id
    as_of: ReadTime
    interests: list[Interest]
    actions: list[ExportedAction]
    seen_item_ids: list[Id]
    journal: list[JournalledAction]
    taken_back_in_log: Annotated[
        list[ExportedAction], Meta(description="What the log that the model was built from takes back.")
    ]
    preferences: dict[str, str]
    preference_item_ids: Annotated[
        dict[str, list[str]], Meta(description="The items by which the interest of a preference is known.")
    ]


class RemovedRecord(Struct, frozen=True):
    """What a generation of the model held of an erased user."""

    generation: str
    n_actions: int
    n_interests: int
    n_seen_items: int
    n_log_retractions: int


class ForgottenEntries(Struct, frozen=True):
    """What the journal held of an erased user."""

    n_entries: int
    n_preferences: int


class Receipt(Struct, frozen=True):
    """What an erasure removed; ``compacted``: the freed pages of the files are rewritten, too."""

    user_id: Id
    erased: bool
    removed: list[RemovedRecord]
    journal: ForgottenEntries
    compacted: bool
