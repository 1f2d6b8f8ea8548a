"""What would be recommended if an interest did not exist: which items go, which come in their place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Unpack

import numpy as np
import pyarrow as pa

from pinnersage._arrays import Int32s, Int64s
from pinnersage._ids import ItemId, UserId
from pinnersage.config import RecommendMode
from pinnersage.errors import ItemNotFoundError, UsageError
from pinnersage.interests.record import UserRecord
from pinnersage.interests.without import without_interests
from pinnersage.model import answers
from pinnersage.model.list_options import ListOptions
from pinnersage.model.opened import OpenedGeneration
from pinnersage.retrieval.draw import sample_others, seed_of_user
from pinnersage.retrieval.retriever import Recommendations


class _Request(NamedTuple):
    """How lists are asked for; as in :meth:`~pinnersage.model.facade.PinnerSage.recommend_dict`."""

    k: int
    interests: int | None = None
    seed: int = 0
    mode: RecommendMode | None = None
    include_seen: bool = False


class Counterfactuals:
    """The part of :class:`~pinnersage.model.facade.PinnerSage` that tells what an interest does to a list.

    All lists come from the model's own retriever, as if nothing was muted or pinned. Without an interest
    its actions do not count for anything either, but their items stay seen. In mode ``sampled`` both lists
    are drawn with the same seed: the interests drawn stay, and in the place of the one left out comes the
    one that would have been drawn next. An interest that was not drawn changes nothing then.
    """

    _opened: OpenedGeneration

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
        opened, request = self._opened, _Request(k, **options)
        known, record = opened.user_of(user_id), opened.record(user_id)
        asked = range(record.n_interests)
        if medoid_item_id is not None:
            asked = _positions(opened, record, [medoid_item_id]).tolist()
        before = _list_without(opened, known, record, np.empty(0, np.int64), request)[1].rows
        total, ids_of = float(record.importances.sum()) or 1.0, opened.items.vocabulary.ids_of
        told = []
        for i in asked:
            after = _list_without(opened, known, record, np.array([i]), request)[1].rows
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
        opened, request = self._opened, _Request(k, **options)
        known, record = opened.user_of(user_id), opened.record(user_id)
        left_out, vocabulary = _positions(opened, record, medoid_item_ids), opened.items.vocabulary
        before = _list_without(opened, known, record, left_out[:0], request)[1]
        reduced, found = _list_without(opened, known, record, left_out, request)
        without = vocabulary.ids_of(record.medoid_rows[left_out])
        asked = (opened.path.name, *request, tuple(without))
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
    opened: OpenedGeneration, user_id: UserId, record: UserRecord, left_out: Int64s, request: _Request
) -> tuple[UserRecord, Recommendations]:
    """Return the record without some interests, and the list it gets; what stands in it is about that."""
    mode, n, seed = request.mode, request.interests, seed_of_user(request.seed, user_id)
    drawn = opened.mode_of(mode)
    if drawn == "sampled":
        wanted = opened.config.retrieval.n_interests if n is None else n
        asked = sample_others(record.importances, wanted, seed, left_out)
        left_out = np.setdiff1d(np.arange(record.n_interests), asked)
    reduced = without_interests(record, left_out)
    if drawn == "ranked" and not reduced.n_interests:
        return reduced, _NOTHING
    found = opened.recommend(
        reduced, request.k, seed=seed, mode=mode, n_interests=n,
        exclude_seen=False if request.include_seen else None,
    )  # fmt: skip
    return reduced, found


def _changes(before: Int32s, after: Int32s, ids_of: Any) -> answers.Answer:
    gone, come = before[~np.isin(before, after)], after[~np.isin(after, before)]
    return {"gone": ids_of(gone), "come": ids_of(come)}


_NO_ROWS = np.empty(0, np.int32)
_NOTHING = Recommendations(_NO_ROWS, np.empty(0, np.float32), _NO_ROWS, 0)
