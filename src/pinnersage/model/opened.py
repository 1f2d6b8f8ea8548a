"""One generation of a model, opened: its items, its store, its index, and what joins them."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pinnersage._arrays import Bools, Int32s, Int64s
from pinnersage._ids import ItemId, ItemRow, UserId, exact_integer
from pinnersage.batch.popularity import by_popularity, first_allowed, open_popularity
from pinnersage.config import BuildConfig, RecommendMode
from pinnersage.errors import ItemNotFoundError, UnavailableError, UsageError, UserNotFoundError
from pinnersage.interests.record import UserRecord
from pinnersage.items._spare import map_with_spare_rows
from pinnersage.items.live import LiveItems
from pinnersage.items.table import EMBEDDINGS_FILE, ItemTable
from pinnersage.model.building import INDEX, ITEMS, POPULARITY, STORE, pool_of
from pinnersage.model.catalogue import CatalogueChanges
from pinnersage.model.online import with_recent
from pinnersage.model.ranking import RANKER, open_ranker
from pinnersage.model.refilling import refill_of
from pinnersage.model.settings import drawing_as
from pinnersage.model.taken_back import open_taken_back
from pinnersage.model.watermark import record_and_state, store_applied, store_kinds, store_now_ms
from pinnersage.retrieval.faiss_index import open_index
from pinnersage.retrieval.narrowed import Choice
from pinnersage.retrieval.overlay import OverlayIndex
from pinnersage.retrieval.retriever import Recommendations, Retriever
from pinnersage.store.lmdb import LmdbStore
from pinnersage.store.manifest import read_manifest
from pinnersage.streaming.extending import has_room, live_record
from pinnersage.streaming.journal import Heads, Journal
from pinnersage.streaming.log_retractions import LogRetractions

N_SPARE_ROWS = 4_096
MAX_LOOKED_AT = 1_000
"""Who has more entries in the journal waits for items that come, rather than to have all looked through."""
_MAPPED = (ITEMS, INDEX, RANKER)


class OpenedGeneration:
    """The files of one generation, memory-mapped; ``close()`` gives them back.

    Parameters
    ----------
    path
        Its directory.
    journal
        Of the model, where there is one: items put and taken out since are in the catalogue then.
    manifest
        What the generation says about itself, when that is not written yet.
    retrieval
        Fields of the configuration's part that go before those of the build.

    Raises
    ------
    StoredFormatError
        A file is damaged or from a newer version.
    """

    def __init__(
        self,
        path: Path,
        journal: Journal | None = None,
        manifest: Mapping[str, Any] | None = None,
        retrieval: Mapping[str, Any] | None = None,
    ) -> None:
        self.path, self._journal = path, journal
        self.manifest = read_manifest(path) if manifest is None else dict(manifest)
        self.config = drawing_as(BuildConfig.model_validate(self.manifest["config"]), retrieval or {})
        self.table = ItemTable.open(path / ITEMS)
        changes = journal.read_items(0) if journal is not None else []
        self.items = self._live_items(N_SPARE_ROWS + 2 * len(changes))
        self.index = OverlayIndex(open_index(path / INDEX, self._base_embeddings()), self.items)
        self.retriever = Retriever(
            self.index, self.items.embeddings, self.items.pool, self.config.retrieval,
            representative=self.config.interests.representative,
            decay_per_day=self.config.interests.decay_per_day,
        )  # fmt: skip
        self.ranked = open_ranker(path / RANKER, self.retriever, self.table, self.items, self.config)
        self.catalogue = CatalogueChanges(
            self.items, self.retriever, self.ranked, self.manifest.get("journal_head", 0),
            self.config.imports.embedding_version,
        )  # fmt: skip
        self.catalogue.replay(changes)
        self._mapped = [p for part in _MAPPED for p in (path / part).rglob("*") if p.is_file()]
        self.popularity = open_popularity(path / POPULARITY, self.items.n_base)
        self._popular_rows = by_popularity(self.popularity)
        self.log_retractions = open_taken_back(path, self.manifest)
        # The journal has each write before it: what a power cut undoes is folded in again.
        self.store = LmdbStore(path / STORE, create=False, sync="ordered")
        # Whoever still answers from a generation keeps it open: it closes with the last of them.
        self.close = weakref.finalize(self, _close, self.store, self.log_retractions)

    @property
    def pool(self) -> Bools:
        """Which rows may be recommended, those of new items among them."""
        return self.items.pool[: len(self.items)]

    @property
    def now_ms(self) -> int:
        """The moment interests refer to: the build's, or the newest action added since."""
        return store_now_ms(self.store, self.manifest["now_ms"])

    @property
    def kinds(self) -> list[str]:
        """The values of the ``action`` column; the position is the code."""
        return store_kinds(self.store, self.manifest["kinds"])

    def popular_first(self, k: int, left_out: Int32s, choice: Choice | None = None) -> tuple[Int32s, Int32s]:
        """Return the rows of the pool that most users acted on, but for some, and by how many users."""
        allowed = (self.items.pool.copy() if choice is None else choice.of(self.items.pool))[
            : len(self.items)
        ]
        n_base, n_rows = len(self.popularity), len(allowed)
        allowed[left_out[left_out < n_rows]] = False
        found = first_allowed(self._popular_rows, allowed, k)
        if len(found) < k:
            new = np.flatnonzero(allowed[n_base:])[: k - len(found)] + n_base
            found = np.concatenate((found, new)).astype(np.int32)
        known = np.minimum(found, n_base - 1)
        return found, np.where(found < n_base, self.popularity[known], 0).astype(np.int32)

    def user_of(self, user_id: UserId) -> UserId:
        """Return the id in the type the model's log has."""
        if self.manifest["user_kind"] == "string":
            return str(user_id)
        number = exact_integer(user_id)
        if number is None:
            raise UserNotFoundError(f"user {user_id!r}: this model's user ids are integers; check the id")
        return number

    def row_of(self, item_id: ItemId) -> ItemRow:
        """Return an item's row in the embedding matrix."""
        row = self.items.vocabulary.row_of(item_id)
        if row is None:
            raise ItemNotFoundError(f"item {item_id!r}: expected an item of the catalogue; check the id")
        return row

    def check_present(self) -> None:
        """Raise when a file is gone: what is open still answers, but nobody could open it again.

        Raises
        ------
        NotFoundError, UnavailableError, DataError
            What is wrong.
        """
        for path in self._mapped:
            if not path.is_file():
                raise UnavailableError(
                    f"{path} is gone: put it back, or build again (what is in memory still answers)"
                )
        self.store.check_present()
        if self.log_retractions is not None:
            self.log_retractions.check_present()

    def has_all(self, heads: Heads, user_id: UserId | None = None) -> bool:
        """Tell whether an answer about a user has all that the journal had; about anybody, without one."""
        if self._journal is None or self.config.online.online == "recent":  # Reads it with each answer.
            return True
        applied = store_applied(self.store)
        if applied >= heads.all:
            return True
        if user_id is None or self._journal.of_user(user_id, newest=1, after=applied):
            return False
        return heads.items <= applied or not self._waited(self._journal, user_id, applied)

    @staticmethod
    def _waited(journal: Journal, user_id: UserId, applied: int) -> bool:
        """Tell whether an item that came just now may have brought actions of a user that waited for it."""
        own = journal.of_user(user_id, newest=MAX_LOOKED_AT + 1)
        put = {str(entry.item_id) for _, entry in journal.read_items(applied)}
        return len(own) > MAX_LOOKED_AT or any(str(entry.item_id) in put for _, entry in own)

    def record(self, user_id: UserId) -> UserRecord:
        """Return a user's record as of :attr:`now_ms`, on the catalogue as it is."""
        known = self.user_of(user_id)
        record, now_ms, kinds, applied = record_and_state(
            self.store, known, self.manifest["now_ms"], self.manifest["kinds"]
        )
        self._know_items_of(record)
        is_recent = self.config.online.online == "recent"
        if is_recent:
            record = with_recent(self, self._journal, known, record)
        if record is None:
            raise UserNotFoundError(
                f"user {user_id!r}: expected a user with actions in the log, found none; "
                "check the id, or add their actions"
            )
        if is_recent:
            return record
        refill = None
        if self._journal is not None and has_room(record, self.items, self.config.interests):
            refill = refill_of(self.items, kinds, self._journal, self.log_retractions, known, applied)
        return live_record(record, self.items, kinds, self.config.interests, now_ms, refill)

    def stored(self, user_id: UserId) -> UserRecord | None:
        """Return a user's record as the store has it, all of its items known by now; None without one."""
        record = self.store.get(self.user_of(user_id))
        self._know_items_of(record)
        return record

    def _know_items_of(self, record: UserRecord | None) -> None:
        """Take over items that another process put, with an action on them, a moment ago."""
        if record is None:
            return
        rows, seen = record.item_rows, record.seen_rows  # the latter ascending
        largest = max(np.maximum.reduce(rows, initial=0), seen[-1] if len(seen) else 0)
        if largest >= len(self.items):
            if self._journal is None:
                raise UnavailableError("items were put since this model was opened: open it again")
            self.catalogue.replay(self._journal.read_items(self.catalogue.applied))

    def mode_of(self, mode: RecommendMode | None) -> RecommendMode:
        """Return how a list is made that is asked for in ``mode``, or in none.

        Raises
        ------
        UsageError
            By a ranker, and the model has none.
        """
        if mode == "ranked" and self.ranked is None:
            raise UsageError("mode 'ranked': this model has no ranker; build it with fit_ranker (--ranker)")
        return mode or (self.config.retrieval.mode if self.ranked is None else "ranked")

    def recommend(
        self,
        record: UserRecord,
        k: int,
        *,
        seed: int,
        mode: RecommendMode | None,
        n_interests: int | None,
        exclude_seen: bool | None,
        reserved: Int64s | None = None,
        choice: Choice | None = None,
    ) -> Recommendations:
        """Return recommendations: by the ranker where there is one, unless another mode is asked for.

        Parameters
        ----------
        reserved
            Positions of the interests that a ranker has to leave room for.
        choice
            Which items may come; None: all of the pool.
        """
        if self.mode_of(mode) == "ranked" and self.ranked is not None:
            ranked = self.ranked if choice is None else self.ranked.narrowed(choice)
            return ranked.recommend(
                record, k, n_interests=n_interests, exclude_seen=exclude_seen, reserved=reserved
            )
        retriever = self.retriever if choice is None else self.retriever.narrowed(choice)
        return retriever.recommend(
            record, k, seed=seed, mode=mode, n_interests=n_interests, exclude_seen=exclude_seen
        )

    def _live_items(self, n_spare: int) -> LiveItems:
        return LiveItems(
            self.table,
            map_with_spare_rows(self.path / ITEMS / EMBEDDINGS_FILE, n_spare),
            pool_of(self.table, self.config),
            normalize=self.config.imports.normalize,
            min_quality=self.config.index.min_quality,
        )

    def _base_embeddings(self) -> Any:
        return self.items.embeddings[: self.items.n_base]


def _close(store: LmdbStore, log_retractions: LogRetractions | None) -> None:
    store.close()
    if log_retractions is not None:
        log_retractions.close()
