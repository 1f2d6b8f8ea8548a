"""The part of a live model that is about its catalogue: items shown, put and taken out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._ids import ItemId
from pinnersage._times import rfc3339
from pinnersage.errors import UsageError
from pinnersage.model import answers
from pinnersage.model.clock import arrival_ms
from pinnersage.model.current import CurrentGeneration
from pinnersage.model.home import WriteLock
from pinnersage.model.incoming import id_fault
from pinnersage.model.item_attributes import checked_attributes, with_version
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.writing import put_item, remove_item
from pinnersage.streaming.journal import Journal


class ItemChanges:
    """The part of :class:`~pinnersage.model.live.LiveModel` that shows items, puts and removes them."""

    _current: CurrentGeneration
    _journal: Journal
    _write_lock: WriteLock

    def item(self, item_id: ItemId) -> answers.Answer:
        """Return what is known of an item by now: what puts it again as it is.

        Returns
        -------
        answer
            ``item_id``; ``embedding``, scaled as the model's are; ``available``; what else is known, by name,
            ``created_at`` in RFC 3339.

        Raises
        ------
        ItemNotFoundError
            There is no such item, or it was taken out.
        """
        items = (opened := self._current.follow(records=False)).items
        row = opened.row_of(item_id)
        known = {"available": True} | items.attributes_of(row)
        created_ms = known.pop("created_at_ms", known.get("created_at"))
        if created_ms is not None:
            known["created_at"] = rfc3339(created_ms)
        return known | {"item_id": items.vocabulary.id_of(row), "embedding": items.embeddings[row].tolist()}

    def put_item(
        self, item_id: ItemId, embedding: npt.ArrayLike, attributes: Mapping[str, Any] | None = None
    ) -> answers.Answer:
        """Put an item into the catalogue, or replace it; the next recommendation may hold it.

        Parameters
        ----------
        item_id
            Text or a 64-bit integer, as in the model's items.
        embedding
            Numbers, ``(n_dimensions,)``; scaled to unit length if the build scaled its own.
        attributes
            What is known of the item besides, by name; values that JSON can hold. ``available`` is True or
            False, ``quality`` a number, ``created_at`` a time; nulls are left out.

        Returns
        -------
        answer
            ``item_id``; ``created``, whether it got a row of its own; ``n_applied``, actions that had waited.

        Raises
        ------
        UsageError
            The id, the embedding or an attribute cannot be used, the attributes are too large, or
            ``embedding_version`` among them is not the model's.
        """
        item_id = item_id.item() if isinstance(item_id, np.integer) else item_id
        if fault := id_fault("item_id", item_id):
            raise UsageError(fault)
        checked = checked_attributes(attributes or {})
        with self._write_lock.held():
            opened = self._current.with_room()
            _check_kind(opened, item_id)
            known = with_version(opened, checked)
            is_new, n_applied = put_item(
                opened, self._journal, item_id, opened.items.scaled(embedding), known,
                arrival_ms(self._journal),
            )  # fmt: skip
        own = opened.items.vocabulary.as_own(item_id)
        return {"item_id": own, "created": is_new, "n_applied": n_applied}

    def item_attributes(self) -> frozenset[str]:
        """Return the names of what is known of the build's items besides their embeddings."""
        return frozenset(self._current.opened.table.attributes.column_names)

    def delete_item(self, item_id: ItemId) -> answers.Answer:
        """Take an item out of the catalogue: it is never returned again, and stands for no interest.

        Raises
        ------
        ItemNotFoundError
            There is no such item.
        """
        with self._write_lock.held():
            opened = self._current.caught_up()
            own = opened.items.vocabulary.id_of(opened.row_of(item_id))
            remove_item(opened, self._journal, own, arrival_ms(self._journal))
        return {"item_id": own, "deleted": True}


def _check_kind(opened: OpenedGeneration, item_id: ItemId) -> None:
    kind = opened.items.vocabulary.kind
    if kind == "integer" and not isinstance(opened.items.vocabulary.as_own(item_id), int):
        raise UsageError(f"item_id: expected an integer, as in this model's items, got {item_id!r}")
