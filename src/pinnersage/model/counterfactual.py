"""What would be recommended if an interest did not exist: which items go, which come in their place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

import numpy as np
import pyarrow as pa

from pinnersage._arrays import Int32s, Int64s
from pinnersage._ids import ItemId, UserId
from pinnersage.errors import ItemNotFoundError, UsageError
from pinnersage.interests.record import UserRecord
from pinnersage.model import answers
from pinnersage.model.choosing import ListRequest
from pinnersage.model.list_options import ListOptions
from pinnersage.model.listing import found_list
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.preferring import Kept
from pinnersage.retrieval.draw import seed_of_user
from pinnersage.retrieval.retriever import Recommendations


class Counterfactuals:
    """The part of :class:`~pinnersage.model.facade.PinnerSage` that tells what an interest does to a list.

    Without an interest its actions do not count for anything either, but their items stay seen. Interests
    that are muted or pinned are so in every list. In mode ``sampled`` all lists are drawn with the same seed:
    the interests drawn stay, and in the place of the one left out comes the one that would have been drawn
    next. An interest that was not drawn changes nothing then.
    """

    _opened: OpenedGeneration

    def record(self, user_id: UserId) -> UserRecord:
        """Return a user's record; see :meth:`pinnersage.model.facade.PinnerSage.record`."""
        raise NotImplementedError

    def _preferences(self, user_id: UserId) -> Kept:
        raise NotImplementedError

    def counterfactual(
        self,
        user_id: UserId,
        medoid_item_id: ItemId | None = None,
        k: int = 100,
        **options: Unpack[ListOptions],
    ) -> pa.Table:
        """Return, per interest, the items that go from the user's list without it, and those that come.

        Columns: ``medoid_item_id, share, n_gone, gone, come``, most important interest first; ``gone``
        and ``come`` are lists of item ids by rank.

        Parameters
        ----------
        user_id
            A user of the model.
        medoid_item_id
            Of one of the user's interests; None: all, one after the other.
        k
            Length of the lists.
        **options
            ``interests``, ``seed``, ``mode`` and ``include_seen``, as in :meth:`recommend_dict`.
        """
        answer = self.counterfactual_dict(user_id, medoid_item_id, k, **options)
        return answers.counterfactual_table(answer, self._opened.items.vocabulary)

    def counterfactual_dict(
        self,
        user_id: UserId,
        medoid_item_id: ItemId | None = None,
        k: int = 100,
        **options: Unpack[ListOptions],
    ) -> answers.Answer:
        """Return what :meth:`counterfactual` tells as plain values, with the list as it is.

        Parameters
        ----------
        user_id, medoid_item_id, k, **options
            As there.

        Raises
        ------
        ItemNotFoundError
            The item is not the medoid of an interest of the user.
        """
        opened, request = self._opened, ListRequest(k, **options)
        known, record = opened.user_of(user_id), self.record(user_id)
        asked = range(record.n_interests)
        if medoid_item_id is not None:
            asked = _positions(opened, record, [medoid_item_id]).tolist()
        kept = self._preferences(known)
        before = _list_without(opened, known, record, kept, np.empty(0, np.int64), request)[1].rows
        total, ids_of = float(record.importances.sum()) or 1.0, opened.items.vocabulary.ids_of
        told = []
        for i in asked:
            after = _list_without(opened, known, record, kept, np.array([i]), request)[1].rows
            medoid, share = ids_of(record.medoid_rows[i : i + 1])[0], float(record.importances[i]) / total
            told.append({"medoid_item_id": medoid, "share": share} | _changes(before, after, ids_of))
        return {"user_id": known, "k": k, "item_ids": ids_of(before), "interests": told}

    def recommend_without_dict(
        self, user_id: UserId, medoid_item_ids: Iterable[ItemId], k: int = 100, **options: Unpack[ListOptions]
    ) -> answers.Answer:
        """Return recommendations as if some interests did not exist, in the contract's JSON shape.

        Beside it stand ``without``, the medoids; ``gone``, the items of the usual list that are not in
        this one; ``come``, those of this one that are not in the usual one.

        Parameters
        ----------
        user_id
            A user of the model.
        medoid_item_ids
            Of the interests to leave out.
        k, **options
            As in :meth:`recommend_dict`.

        Raises
        ------
        ItemNotFoundError
            An item is not the medoid of an interest of the user.
        """
        opened, request = self._opened, ListRequest(k, **options)
        known, record = opened.user_of(user_id), self.record(user_id)
        left_out, vocabulary = _positions(opened, record, medoid_item_ids), opened.items.vocabulary
        kept = self._preferences(known)
        before = _list_without(opened, known, record, kept, left_out[:0], request)[1]
        reduced, found = _list_without(opened, known, record, kept, left_out, request)
        without = vocabulary.ids_of(record.medoid_rows[left_out])
        asked = (opened.path.name, *request.told_apart_by(), tuple(without))
        answer = answers.recommend_answer(known, reduced, found, vocabulary, asked)
        return answer | {"without": without} | _changes(before.rows, found.rows, vocabulary.ids_of)


def _positions(opened: OpenedGeneration, record: UserRecord, medoid_item_ids: Iterable[ItemId]) -> Int64s:
    if isinstance(medoid_item_ids, str):
        raise UsageError(f"medoid_item_ids: expected a list of items, got a single text {medoid_item_ids!r}")
    positions = set()
    for item_id in medoid_item_ids:
        found = np.flatnonzero(record.medoid_rows == opened.row_of(item_id))
        if not len(found):
            raise ItemNotFoundError(
                f"item {item_id!r}: expected the medoid of an interest of the user, and it stands for none; "
                "`pinnersage interests` lists them"
            )
        positions.add(int(found[0]))
    return np.array(sorted(positions), np.int64)


def _list_without(
    opened: OpenedGeneration, user_id: UserId, record: UserRecord, kept: Kept, left_out: Int64s,
    request: ListRequest,
) -> tuple[UserRecord, Recommendations]:  # fmt: skip
    """Return the record without some interests, and the list it gets; what stands in it is about that."""
    seed = seed_of_user(request.seed, user_id)
    reduced, found = found_list(opened, record, kept, request, seed=seed, left_out=left_out)
    is_ranked = opened.mode_of(request.mode) == "ranked"
    return reduced, _NOTHING if is_ranked and not reduced.n_interests else found


def _changes(before: Int32s, after: Int32s, ids_of: Any) -> answers.Answer:
    gone, come = before[~np.isin(before, after)], after[~np.isin(after, before)]
    return {"gone": ids_of(gone), "come": ids_of(come)}


_NO_ROWS = np.empty(0, np.int32)
_NOTHING = Recommendations(_NO_ROWS, np.empty(0, np.float32), _NO_ROWS, 0)
