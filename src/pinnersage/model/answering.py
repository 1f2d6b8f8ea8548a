"""What a live model answers: plain values in the shapes of the contract."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from pinnersage._arrays import Int32s
from pinnersage._ids import ItemId, UserId
from pinnersage._times import rfc3339
from pinnersage.config import RecommendMode
from pinnersage.errors import UserNotFoundError, WouldWaitError
from pinnersage.interests.record import UserRecord
from pinnersage.items.matching import Where
from pinnersage.model import answers
from pinnersage.model.averaged import medoid_cosines, nearest_to_mean
from pinnersage.model.choosing import ListRequest, asked_like, choice_of
from pinnersage.model.explaining import explained
from pinnersage.model.exporting import exported_actions, exported_entry, exported_retraction
from pinnersage.model.listing import list_answer, session_record, takes_long
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.preferring import Kept, Preferences, items_of, preference_of
from pinnersage.retrieval.draw import seed_of_user, seen_rows
from pinnersage.retrieval.explain import LIST_LENGTH
from pinnersage.streaming.entries import action_entry
from pinnersage.streaming.events import NewAction
from pinnersage.streaming.journal import Journal

_NO_ROWS = np.empty(0, np.int32)


class Answering(ABC):
    """The reading half of :class:`~pinnersage.model.live.LiveModel`.

    Attributes
    ----------
    observe
        Told of each list ``("interests" | "retrieve", seconds)``: reading or making the user's interests, and
        finding the items. Whoever measures sets it.
    """

    observe: Callable[[str, float], None]

    @abstractmethod
    def opened(self, *, records: bool = True, may_wait: bool = True) -> OpenedGeneration:
        """Return the generation that is current, all items known by now; ``records``: of everybody."""

    @abstractmethod
    def opened_for(self, user_id: UserId, *, may_wait: bool = True) -> tuple[OpenedGeneration, Kept]:
        """Return :meth:`opened`, and what is kept of the user's preferences by item id."""

    @abstractmethod
    def journal(self) -> Journal:
        """Return the journal."""

    def interests(self, user_id: UserId, *, may_wait: bool = True) -> answers.Answer:
        """Return a user's interests, most important first, each with ``preference`` where there is one.

        Raises
        ------
        UserNotFoundError
            The model holds no such user.
        WouldWaitError
            The answer has to wait for a lock, or for files, and may not.
        """
        opened, held = self.opened_for(user_id, may_wait=may_wait)
        known, record = opened.user_of(user_id), opened.record(user_id)
        answer = answers.interests_answer(known, record, opened.items.vocabulary)
        preferences = Preferences(held, record, opened)
        for position, interest in enumerate(answer["interests"]):
            interest["preference"] = preferences.of(position)
        return answer

    def recommend(
        self,
        user_id: UserId,
        k: int = 100,
        *,
        interests: int | None = None,
        seed: int = 0,
        mode: RecommendMode | None = None,
        include_seen: bool = False,
        exclude: Sequence[ItemId] = (),
        where: Where | None = None,
        may_wait: bool = True,
    ) -> answers.Answer:
        """Return recommendations; see :meth:`pinnersage.model.facade.PinnerSage.recommend_dict`.

        Muted interests propose nothing, pinned ones always do. A user whose actions have all left the
        window gets :meth:`popular` items, but for what they have seen.

        Raises
        ------
        WouldWaitError
            The list has to wait, or takes long, and may not.
        """
        began_s = time.perf_counter()
        opened, held = self.opened_for(user_id, may_wait=may_wait)
        opened.mode_of(mode)  # A wrong mode is wrong of users that are not known, too.
        known, record = opened.user_of(user_id), opened.record(user_id)
        request = ListRequest(k, interests, seed, mode, include_seen, exclude, where)
        if not may_wait and takes_long(opened, record, request):
            raise WouldWaitError("the list takes long: ask where others need not wait for it")
        if not record.n_interests:
            return self._popular(opened, request, seen_rows(record)) | {"user_id": known}
        return self._list(opened, known, record, held, request, seed_of_user(seed, known), began_s)

    def recommend_session(
        self,
        actions: Sequence[NewAction],
        k: int = 100,
        *,
        interests: int | None = None,
        seed: int = 0,
        mode: RecommendMode | None = None,
        include_seen: bool = False,
        exclude: Sequence[ItemId] = (),
        where: Where | None = None,
    ) -> answers.Answer:
        """Return recommendations for actions that belong to nobody and are not kept.

        Actions on unknown items are left out; ``n_unknown_items`` counts them.
        """
        began_s = time.perf_counter()
        opened = self.opened(records=False)
        opened.mode_of(mode)
        entries = [action_entry(action, 0) for action in actions]
        record, n_unknown = session_record(opened, entries)
        request = ListRequest(k, interests, seed, mode, include_seen, exclude, where)
        if record is None or not record.n_interests:
            return self._popular(opened, request, _NO_ROWS) | {"n_unknown_items": n_unknown}
        about = (record.item_rows.tolist(),)
        found = self._list(opened, None, record, {}, request, seed, began_s, about)
        return found | {"n_unknown_items": n_unknown}

    def popular(
        self,
        k: int = 100,
        *,
        exclude: Sequence[ItemId] = (),
        where: Where | None = None,
        may_wait: bool = True,
    ) -> answers.Answer:
        """Return the items most users acted on, marked ``popular``: what the service gives unknown users."""
        if where and not may_wait:
            raise WouldWaitError("the list takes long: ask where others need not wait for it")
        request = ListRequest(k, exclude=exclude, where=where)
        return self._popular(self.opened(records=False, may_wait=may_wait), request, _NO_ROWS)

    @staticmethod
    def _popular(opened: OpenedGeneration, request: ListRequest, seen: Int32s) -> answers.Answer:
        choice = choice_of(opened, request.exclude, request.where)
        rows, counts = opened.popular_first(request.k, seen, choice)
        items = [
            {"rank": rank, "item_id": item_id, "score": float(count), "interest": None}
            for rank, (item_id, count) in enumerate(
                zip(opened.items.vocabulary.ids_of(rows), counts.tolist(), strict=True), start=1
            )
        ]
        asked = (request.k, *asked_like(request.exclude, request.where))
        request_id = answers.request_id_of(opened.path.name, "popular", *asked)
        return {"user_id": None, "items": items, "popular": True, "request_id": request_id}

    def mean_list(self, user_id: UserId, k: int = 100) -> answers.Answer:
        """Return what one vector gives: the items nearest to the mean of the user's, decayed alike."""
        opened, _ = self.opened_for(user_id)
        known, record = opened.user_of(user_id), opened.record(user_id)
        rows, scores = nearest_to_mean(opened, record, k)
        neighbors = answers.similar_answer(0, rows, scores, opened.items.vocabulary)["neighbors"]
        return {"user_id": known, "items": [item | {"interest": None} for item in neighbors]}

    def similarities(self, user_id: UserId, item_ids: Sequence[ItemId]) -> list[list[float]]:
        """Return the cosine of each item with each of a user's medoids, interests in their order."""
        opened, _ = self.opened_for(user_id)
        rows = [opened.row_of(item_id) for item_id in item_ids]
        return medoid_cosines(opened.record(user_id), rows, opened.items.embeddings)

    def neighbors(self, item_id: ItemId, k: int = 10, *, may_wait: bool = True) -> answers.Answer:
        """Return the items most similar to an item."""
        opened = self.opened(records=False, may_wait=may_wait)
        row = opened.row_of(item_id)
        rows, scores = opened.retriever.neighbors(row, k)
        return answers.similar_answer(
            opened.items.vocabulary.id_of(row), rows, scores, opened.items.vocabulary
        )

    def explain(self, user_id: UserId, item_id: ItemId) -> answers.Answer:
        """Return which interest speaks for an item, the actions behind it, and what speaks against."""
        opened, kept = self.opened_for(user_id)
        known, record = opened.user_of(user_id), opened.record(user_id)
        row = opened.row_of(item_id)
        popular = None if record.n_interests else opened.popular_first(LIST_LENGTH, seen_rows(record))[0]
        return explained(opened, known, record, row, kept, popular)

    def export(self, user_id: UserId) -> answers.Answer:
        """Return everything held of a user.

        Raises
        ------
        UserNotFoundError
            Nothing is held.
        """
        opened, kept = self.opened_for(user_id)
        known = opened.user_of(user_id)
        record, entries = opened.stored(known), self.journal().of_user(known)
        back = [] if opened.log_retractions is None else opened.log_retractions.of_user(known)
        if record is None and not (entries or kept or back):
            raise UserNotFoundError(f"user {user_id!r}: nothing is held of such a user; check the id")
        held: answers.Answer = {"user_id": known, "as_of": rfc3339(opened.now_ms), "interests": []}
        if record is not None:
            held["interests"] = self.interests(known)["interests"]
        ids = opened.items.vocabulary.ids_of
        return held | {
            "actions": [] if record is None else exported_actions(record, opened),
            "seen_item_ids": [] if record is None else ids(record.seen_rows),
            "journal": [exported_entry(at, entry) for at, entry in entries],
            "taken_back_in_log": [exported_retraction(entry, opened) for entry in back],
            "preferences": {item: preference_of(kept, item) for item in kept},
            "preference_item_ids": {item: items_of(kept, item) for item in kept},
        }

    def find_users(self, prefix: str = "", limit: int = 20) -> list[UserId]:
        """Return the first ids that begin with a text, ascending."""
        return list(islice(self._users_from(prefix), limit))

    def items_info(self, item_ids: Sequence[ItemId]) -> list[answers.Answer]:
        """Return what is known of items besides their embeddings, in the order asked."""
        opened = self.opened(records=False)
        rows = opened.items.vocabulary.rows_of(item_ids).tolist()
        return [
            {"item_id": item_id} | (opened.items.attributes_of(row) if row >= 0 else {})
            for item_id, row in zip(item_ids, rows, strict=True)
        ]

    def status(self) -> answers.Answer:
        """Return what the model holds, and how its caches and journal stand."""
        opened, heads = self.opened(records=False), self.journal().heads()
        cache = opened.retriever.cache_counts()
        return {
            "generation": opened.path.name,
            "as_of": rfc3339(opened.now_ms),
            "n_users": len(opened.store),
            "n_items": opened.items.n_items,
            "n_new_items": opened.items.n_new,
            "n_pool_items": int(opened.items.pool.sum()),
            "n_dimensions": int(opened.items.embeddings.shape[1]),
            "embedding_version": opened.config.imports.embedding_version,
            "index": opened.manifest["index"],
            "has_ranker": opened.ranked is not None,
            "journal": {
                "head": heads.all,
                "n_parked": self.journal().n_parked(),
                "n_items_left_out": opened.catalogue.n_left_out,
                "n_bytes": self.journal().n_bytes,
            },
            "cache": {"n_hits": cache.n_hits, "n_misses": cache.n_misses, "n_entries": cache.n_entries},
            "store_bytes": opened.store.n_bytes,
            "library_version": opened.manifest["library_version"],
            "created_at": opened.manifest["created_at"],
        }

    def _users_from(self, prefix: str) -> Iterator[UserId]:
        opened = self.opened()
        if opened.manifest["user_kind"] == "integer":
            yield from (user for user in opened.store.user_ids() if str(user).startswith(prefix))
            return
        for user in opened.store.user_ids(start=prefix or None):
            if not str(user).startswith(prefix):
                return
            yield user

    def _list(
        self, opened: OpenedGeneration, user_id: UserId | None, record: UserRecord, kept: Kept,
        request: ListRequest, seed: int, began_s: float, about: tuple[Any, ...] = (),
    ) -> answers.Answer:  # fmt: skip
        chosen_s = began_s

        def chosen() -> None:
            nonlocal chosen_s
            chosen_s = time.perf_counter()
            self.observe("interests", chosen_s - began_s)

        answer = list_answer(opened, user_id, record, kept, request, seed=seed, about=about, chosen=chosen)
        self.observe("retrieve", time.perf_counter() - chosen_s)
        return answer
