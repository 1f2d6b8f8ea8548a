"""Items put and taken out, carried from the journal into what one generation has open."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from pinnersage._arrays import Float32s
from pinnersage.items.live import LiveItems
from pinnersage.ranking.serving import RankedRetriever
from pinnersage.retrieval.retriever import Retriever
from pinnersage.streaming.entries import EMBEDDING_VERSION, ItemEntry


class CatalogueChanges:
    """Applies entries about items, each once and in their order.

    A build reads a newer table of items than the puts before it: for items in that table the table
    counts. What was taken out stays out until it is put again.

    Parameters
    ----------
    items, retriever, ranked
        What has to know.
    built_after
        The journal's newest entry when the build began.
    version
        Name of the generation's embeddings, if it has one.

    Attributes
    ----------
    applied
        Sequence number of the last entry applied.
    n_left_out
        Entries whose embedding does not fit this generation, such as those of an older embedding.
    """

    def __init__(
        self, items: LiveItems, retriever: Retriever, ranked: RankedRetriever | None, built_after: int,
        version: str | None = None,
    ) -> None:  # fmt: skip
        self._items, self._retriever, self._ranked = items, retriever, ranked
        self._built_after, self._version = built_after, version
        self._lock = threading.Lock()
        self.applied = 0
        self.n_left_out = 0

    def replay(self, entries: Iterable[tuple[int, ItemEntry]]) -> None:
        """Apply the entries that are not applied yet."""
        with self._lock:
            new = [(sequence, entry) for sequence, entry in entries if sequence > self.applied]
            last = {str(e.item_id): sequence for sequence, e in new if sequence <= self._built_after}
            n_rows = len(self._items)
            try:
                for sequence, entry in new:
                    if sequence > self._built_after or self._still_counts(entry, sequence, last):
                        self._apply(entry)
                    self.applied = sequence
            finally:
                self._retriever.take_in(range(n_rows, len(self._items)))

    def _still_counts(self, entry: ItemEntry, sequence: int, last: Mapping[str, int]) -> bool:
        """Tell whether an entry from before the build says more than the build's table of items."""
        is_in_table = self._items.vocabulary.row_of(entry.item_id) is not None
        return last[str(entry.item_id)] == sequence and (entry.embedding is None or not is_in_table)

    def _apply(self, entry: ItemEntry) -> None:
        if entry.embedding is None:
            self._tell(self._items.remove(entry.item_id))
            return
        if not self._is_fit(entry, entry.embedding):
            self.n_left_out += 1
            return
        before = self._items.vocabulary.row_of(entry.item_id)
        row, is_new = self._items.put(entry.item_id, entry.embedding, entry.attributes)
        if is_new:
            self._tell(before)
        self._tell(row)

    def _is_fit(self, entry: ItemEntry, embedding: Float32s) -> bool:
        """Tell whether an embedding is one of this generation's kind."""
        is_same = entry.attributes.get(EMBEDDING_VERSION) == self._version
        return is_same and embedding.shape == self._items.embeddings.shape[1:]

    def _tell(self, row: int | None) -> None:
        if row is None:
            return
        available = bool(self._items.pool[row])
        self._retriever.set_available(row, available)
        if self._ranked is not None:
            self._ranked.set_available(row, available)
