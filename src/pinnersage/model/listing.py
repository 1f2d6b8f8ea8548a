"""One list for one record: choose the interests and the items that may come, ask, answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pinnersage._arrays import Int64s
from pinnersage._ids import UserId
from pinnersage.interests.record import UserRecord
from pinnersage.model import answers
from pinnersage.model.choosing import ListRequest, choice_of
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.preferring import NO_INTERESTS, Kept, chosen_record
from pinnersage.retrieval.candidates import Recommendations
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.folding import Known, State, fold

_SESSION = "session"
_LONG = 800_000
"""Candidates of a list times actions of the user: some 20 ms for one that looks at every pair of them."""


def found_list(
    opened: OpenedGeneration,
    record: UserRecord,
    kept: Kept,
    request: ListRequest,
    *,
    seed: int,
    left_out: Int64s = NO_INTERESTS,
    chosen: Callable[[], None] = lambda: None,
) -> tuple[UserRecord, Recommendations]:
    """Return the record with the interests that are asked, and the list: what stands in it is about these.

    Parameters
    ----------
    kept
        What the user prefers.
    seed
        Of the draw; that of the request, with the user mixed in.
    left_out
        Positions of interests that are taken for muted.
    chosen
        Called when the interests are chosen, and before the items are.
    """
    choice = choice_of(opened, request.exclude, request.where)
    asked, reserved = chosen_record(
        opened, record, kept, request, seed=seed, choice=choice, left_out=left_out
    )
    chosen()
    found = opened.recommend(
        asked, request.k, seed=seed, mode=request.mode, n_interests=request.interests,
        exclude_seen=request.exclude_seen, reserved=reserved, choice=choice,
    )  # fmt: skip
    return asked, found


def list_answer(
    opened: OpenedGeneration,
    user_id: UserId | None,
    record: UserRecord,
    kept: Kept,
    request: ListRequest,
    *,
    seed: int,
    about: tuple[Any, ...] = (),
    chosen: Callable[[], None] = lambda: None,
) -> answers.Answer:
    """Return :func:`found_list` in the shape of the contract.

    ``about`` tells this answer's request id from others besides the request.
    """
    asked, found = found_list(opened, record, kept, request, seed=seed, chosen=chosen)
    told_apart_by = (opened.path.name, *request.told_apart_by(), *about)
    return answers.recommend_answer(user_id, asked, found, opened.items.vocabulary, told_apart_by)


def takes_long(opened: OpenedGeneration, record: UserRecord, request: ListRequest) -> bool:
    """Tell whether a list is some 20 ms of work and more, or may be."""
    if request.where:
        return True
    by = {"balanced": opened.retriever, "ranked": opened.ranked}.get(opened.mode_of(request.mode))
    return by is not None and by.n_wide(request.k) * len(record.item_rows) > _LONG


def session_record(opened: OpenedGeneration, entries: Sequence[ActionEntry]) -> tuple[UserRecord | None, int]:
    """Return what a batch would make of actions of nobody, and how many are on items that are not known."""
    newest_ms = max((entry.time_ms for entry in entries), default=0)
    state = State(newest_ms, tuple(opened.kinds))
    nobody = [ActionEntry(_SESSION, e.item_id, e.time_ms, e.kind, e.weight, e.event_key, 0) for e in entries]
    _, writes = fold(state, nobody, Known({}), opened.items, opened.config.interests)
    n_unknown = sum(outcome.status == "parked" for outcome in writes.outcomes)
    return writes.records.get(_SESSION), n_unknown
