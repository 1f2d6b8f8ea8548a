"""Entries of the journal as bytes.

An entry is ``b"PJ"``, the version (1 byte, 1), a CRC-32 of all that follows (4 bytes, lowest first),
then JSON in UTF-8: an array whose first value names the kind of entry.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pinnersage._arrays import Float32s
from pinnersage._ids import ItemId, UserId
from pinnersage.actions.event_keys import event_key
from pinnersage.errors import StoredFormatError
from pinnersage.streaming.events import NewAction

FORMAT_VERSION = 1
_MAGIC = b"PJ"
_HEAD = struct.Struct("<2sBI")
_ACTION, _RETRACTION, _ITEM = "action", "retraction", "item"


@dataclass(frozen=True, slots=True)
class ActionEntry:
    """An action, or one taken back, as the journal keeps it.

    Attributes
    ----------
    user_id, item_id, time_ms, kind, weight, retract
        As in :class:`~pinnersage.streaming.events.NewAction`; the weight is a float32's value.
    event_key
        64-bit key of the event id, 0 for none.
    received_ms
        When it arrived, by the clock of the machine that took it.
    """

    user_id: UserId
    item_id: ItemId
    time_ms: int
    kind: str
    weight: float
    event_key: int
    received_ms: int
    retract: bool = False

    @property
    def identity(self) -> tuple[Any, ...]:
        """Two actions of a user are the same when these are equal."""
        if self.event_key:
            return (self.event_key,)
        return (str(self.item_id), self.time_ms, self.kind, self.weight)


@dataclass(frozen=True, slots=True, eq=False)
class ItemEntry:
    """An item put into the catalogue, or taken out of it (``embedding`` None).

    Attributes
    ----------
    embedding
        float32 ``(n_dimensions,)``, already scaled as the model's embeddings are.
    """

    item_id: ItemId
    embedding: Float32s | None
    received_ms: int
    attributes: Mapping[str, Any] = field(default_factory=dict)


Entry = ActionEntry | ItemEntry
_ENCODER = json.JSONEncoder(separators=(",", ":"))
EMBEDDING_VERSION = "embedding_version"
"""Attribute that names what made the embedding; absent where the model had no name for it."""
DECISIVE_ATTRIBUTES = ("available", "quality", EMBEDDING_VERSION)
"""Attributes that decide whether an item may be a candidate or has a row, and so which row it gets."""


def shortened(entry: ItemEntry) -> ItemEntry:
    """Return what must be kept of an entry that a later one about the same item replaces.

    A replay gives rows in the order of the entries, and records hold rows: so the embedding stays, and the
    attributes that decide whether the item gets a row of its own.
    """
    kept = {name: entry.attributes[name] for name in DECISIVE_ATTRIBUTES if name in entry.attributes}
    return entry if len(kept) == len(entry.attributes) else replace(entry, attributes=kept)


def action_entry(
    action: NewAction, received_ms: int, *, user_id: UserId | None = None, item_id: ItemId | None = None
) -> ActionEntry:
    """Return what the journal keeps of an action that arrived, with its own ids unless others are given."""
    return ActionEntry(
        action.user_id if user_id is None else user_id, action.item_id if item_id is None else item_id,
        action.time_ms, action.kind, float(np.float32(action.weight)), event_key(action.event_id),
        received_ms, action.retract,
    )  # fmt: skip


def encode_entry(entry: Entry) -> bytes:
    """Return an entry's bytes."""
    body = _ENCODER.encode(_fields(entry)).encode()
    return _HEAD.pack(_MAGIC, FORMAT_VERSION, zlib.crc32(body)) + body


def decode_entry(data: bytes | memoryview) -> Entry:
    """Return the entry whose bytes these are.

    Raises
    ------
    StoredFormatError
        The bytes are damaged, cut short, or of a newer version.
    """
    try:
        magic, version, checksum = _HEAD.unpack_from(data)
        body = bytes(data[_HEAD.size :])
        if magic != _MAGIC or not version:
            raise _damaged("it does not begin like an entry")
        if version > FORMAT_VERSION:
            raise StoredFormatError(
                f"the journal has format version {version}, this pinnersage reads up to {FORMAT_VERSION}: "
                "upgrade pinnersage (pip install --upgrade pinnersage)"
            )
        if zlib.crc32(body) != checksum:
            raise _damaged("its checksum is wrong")
        return _entry(*json.loads(body))
    except (struct.error, ValueError, TypeError, KeyError) as error:
        if isinstance(error, StoredFormatError):
            raise
        raise _damaged(str(error)) from error


def _fields(entry: Entry) -> list[Any]:
    if isinstance(entry, ItemEntry):
        raw = None if entry.embedding is None else entry.embedding.astype("<f4").tobytes()
        text = None if raw is None else base64.b64encode(raw).decode()
        return [_ITEM, entry.item_id, text, entry.received_ms, dict(entry.attributes)]
    return [
        _RETRACTION if entry.retract else _ACTION, entry.user_id, entry.item_id, entry.time_ms, entry.kind,
        entry.weight, entry.event_key, entry.received_ms,
    ]  # fmt: skip


def _entry(kind: str, *values: Any) -> Entry:
    if kind == _ITEM:
        item_id, text, received_ms, attributes = values
        embedding = None if text is None else np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)
        return ItemEntry(item_id, embedding, received_ms, attributes)
    if kind not in (_ACTION, _RETRACTION):
        raise ValueError(f"unknown kind of entry {kind!r}")
    user_id, item_id, time_ms, action, weight, key, received_ms = values
    return ActionEntry(user_id, item_id, time_ms, action, weight, key, received_ms, kind == _RETRACTION)


def _damaged(reason: str) -> StoredFormatError:
    return StoredFormatError(
        f"expected an entry of the journal, but {reason}: restore the journal from a copy; "
        "records and batch builds do not need the damaged entry, replaying does"
    )
