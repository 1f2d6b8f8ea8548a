"""One generation of a model, opened: its items, its store, its index, and what joins them."""

from __future__ import annotations

import operator
from pathlib import Path

from pinnersage._ids import ItemId, ItemRow, UserId
from pinnersage.config import BuildConfig, RecommendMode
from pinnersage.errors import ItemNotFoundError, UsageError, UserNotFoundError
from pinnersage.interests.extend import extend_records, nothing_new
from pinnersage.interests.record import UserRecord
from pinnersage.items.table import ItemTable
from pinnersage.model.building import INDEX, ITEMS, STORE, pool_of
from pinnersage.model.ranking import RANKER, open_ranker
from pinnersage.model.updating import store_kinds, store_now_ms
from pinnersage.retrieval.faiss_index import open_index
from pinnersage.retrieval.retriever import Recommendations, Retriever
from pinnersage.store.lmdb import LmdbStore
from pinnersage.store.manifest import read_manifest


class OpenedGeneration:
    """The files of one generation, memory-mapped; :meth:`close` gives them back.

    Raises
    ------
    StoredFormatError
        A file is damaged or from a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = read_manifest(path)
        self.config = BuildConfig.model_validate(self.manifest["config"])
        self.items = ItemTable.open(path / ITEMS)
        self.pool = pool_of(self.items, self.config)
        self.retriever = Retriever(
            open_index(path / INDEX, self.items.embeddings),
            self.items.embeddings,
            self.pool,
            self.config.retrieval,
            representative=self.config.interests.representative,
            decay_per_day=self.config.interests.decay_per_day,
        )
        self.ranked = open_ranker(path / RANKER, self.retriever, self.items, self.pool, self.config)
        self.store = LmdbStore(path / STORE, create=False)

    @property
    def now_ms(self) -> int:
        """The moment interests refer to: the build's, or the newest action added since."""
        return store_now_ms(self.store, self.manifest["now_ms"])

    @property
    def kinds(self) -> list[str]:
        """The values of the ``action`` column; the position is the code."""
        return store_kinds(self.store, self.manifest["kinds"])

    def user_of(self, user_id: UserId) -> UserId:
        """Return the id in the type the model's log has."""
        if self.manifest["user_kind"] == "string":
            return str(user_id)
        try:
            return int(user_id) if isinstance(user_id, str) else operator.index(user_id)
        except (TypeError, ValueError):
            raise UserNotFoundError(
                f"user {user_id!r}: this model's user ids are integers; check the id"
            ) from None

    def row_of(self, item_id: ItemId) -> ItemRow:
        """Return an item's row in the embedding matrix."""
        row = self.items.vocabulary.row_of(item_id)
        if row is None:
            raise ItemNotFoundError(f"item {item_id!r}: expected an item of the catalogue; check the id")
        return row

    def record(self, user_id: UserId) -> UserRecord:
        """Return a user's record as of :attr:`now_ms`."""
        known = self.user_of(user_id)
        record = self.store.get(known)
        if record is None:
            raise UserNotFoundError(
                f"user {user_id!r}: expected a user with actions in the log, found none; "
                "check the id, or add their actions and build again"
            )
        now_ms = self.now_ms
        if record.as_of_ms == now_ms:
            return record
        embeddings, interests = self.items.embeddings, self.config.interests
        return extend_records([record], nothing_new(known), embeddings, interests, now_ms).record(0)

    def recommend(
        self,
        record: UserRecord,
        k: int,
        *,
        seed: int,
        mode: RecommendMode | None,
        n_interests: int | None,
        exclude_seen: bool | None,
    ) -> Recommendations:
        """Return recommendations: by the ranker where there is one, unless another mode is asked for."""
        if mode == "ranked" and self.ranked is None:
            raise UsageError("mode 'ranked': this model has no ranker; build it with fit_ranker (--ranker)")
        if self.ranked is not None and mode in (None, "ranked"):
            return self.ranked.recommend(record, k, n_interests=n_interests, exclude_seen=exclude_seen)
        return self.retriever.recommend(
            record, k, seed=seed, mode=mode, n_interests=n_interests, exclude_seen=exclude_seen
        )

    def close(self) -> None:
        """Close the store."""
        self.store.close()
