"""Why an item is in a user's list, or is not: of the list as they get it now, unless they ask for another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Int32s
from pinnersage._ids import UserId
from pinnersage.interests.record import UserRecord
from pinnersage.model import answers
from pinnersage.model.choosing import ListRequest
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.preferring import Chosen, Kept, Preferences, chosen_record
from pinnersage.ranking.serving import Reasons
from pinnersage.retrieval.candidates import Recommendations
from pinnersage.retrieval.draw import seed_of_user
from pinnersage.retrieval.explain import LIST_LENGTH, Explanation, explain, near_duplicate

_NO_INTERESTS = np.empty(0, np.int64)


class _Told(NamedTuple):
    """What is to say of an item for one record; see :func:`pinnersage.model.answers.explain_answer`."""

    record: UserRecord
    found: Explanation
    ranking: Reasons | None
    rank: int | None
    twin: int | None
    reasons: tuple[str, ...]


def explained(
    opened: OpenedGeneration,
    user_id: UserId,
    record: UserRecord,
    row: int,
    kept: Kept | None = None,
    popular_rows: Int32s | None = None,
) -> answers.Answer:
    """Return why an item is, or is not, in the list of a user, and the actions behind it.

    Parameters
    ----------
    record
        Of the user, whole.
    kept
        Their preferences: a muted interest speaks for nothing, and the answer says so.
    popular_rows
        The list of a user without interests, where it is another than the model makes of the record.

    Raises
    ------
    ItemNotFoundError
        ``row`` is not a row of the catalogue.
    """
    seed = seed_of_user(0, user_id)
    told = whole = _told(opened, Chosen(record, _NO_INTERESTS), row, seed)
    if kept:
        preferences = Preferences(kept, record, opened)
        asked = _told(
            opened, chosen_record(opened, record, kept, ListRequest(LIST_LENGTH), seed=seed), row, seed
        )
        told = _as_preferred(opened, asked, whole, preferences)
    if not record.n_interests and popular_rows is not None:
        rank = _place(popular_rows, row)
        others = (reason for reason in _barring(told.reasons) if reason != "no_interests")
        reasons = () if rank else ("no_interests", *others)
        told = told._replace(rank=rank, twin=None, reasons=reasons, ranking=None)
    vocabulary = opened.items.vocabulary
    answer = answers.explain_answer(
        user_id, told.record, told.found, vocabulary, opened.kinds,
        rank=told.rank, twin=told.twin, reasons=told.reasons,
    )  # fmt: skip
    answer["interests"] = answers.similarities_answer(record, whole.found, vocabulary)
    return answer if told.ranking is None else answer | {"ranking": told.ranking._asdict()}


def _as_preferred(opened: OpenedGeneration, asked: _Told, whole: _Told, preferences: Preferences) -> _Told:
    """Return what is to say of an item when only some interests are asked.

    Parameters
    ----------
    asked, whole
        Told of these interests, and of all.
    """
    is_muted = preferences.of(whole.found.interest) == "muted"
    is_drawn = opened.mode_of(None) == "sampled"
    if asked.reasons == ("too_far",) and is_drawn and not whole.reasons and not is_muted:
        return whole._replace(rank=None)  # Beside pinned interests others may be drawn next time.
    if not asked.record.n_interests and whole.record.n_interests:  # All are muted.
        others = tuple(reason for reason in asked.reasons if reason != "no_interests")
        is_left_out = "no_interests" in asked.reasons
        return asked._replace(reasons=others or (whole.reasons or ("muted",) if is_left_out else ()))
    if asked.reasons in (("too_far",), ("missed",)) and not whole.reasons and is_muted:
        return asked._replace(reasons=("muted",))
    return asked


def _told(opened: OpenedGeneration, chosen: Chosen, row: int, seed: int) -> _Told:
    record, reserved = chosen
    ranked, retriever, retrieval = opened.ranked, opened.retriever, opened.config.retrieval
    listed = opened.recommend(
        record, LIST_LENGTH, seed=seed, mode=None, n_interests=None, exclude_seen=None, reserved=reserved
    )
    candidates = listed if ranked else retriever.candidates(record, LIST_LENGTH, seed=seed)
    found = explain(
        record, row, opened.items.embeddings, opened.items.pool, retrieval,
        (ranked or retriever).shares(record, LIST_LENGTH),
        decay_per_day=opened.config.interests.decay_per_day,
        representative=opened.config.interests.representative,
        interest=_named(row, listed, candidates),
    )  # fmt: skip
    ranking = ranked.explain(record, row, LIST_LENGTH, reserved=reserved) if ranked else None
    is_candidate = ranking.rank > 0 if ranking else _place(candidates.rows, row) is not None
    rank = _place(listed.rows, row)
    twins = (
        near_duplicate(row, rows, opened.items.embeddings, retrieval.near_duplicate_cosine)
        for rows in (listed.rows, candidates.rows)
    )
    twin = None if rank else next((one for one in twins if one is not None), None)
    against = _Against(
        no_interests=found.interest < 0 and not is_candidate,
        seen=found.seen and retrieval.exclude_seen,
        unavailable=not found.available,
        near_duplicate=twin is not None,
        # Drawn interests may be others next time; a ranker's proposals are cut short of the shares.
        missed=ranked is None and retrieval.mode != "sampled" and found.rank <= found.n_offered,
        too_far=found.rank > found.n_offered or ranked is not None,
    )
    return _Told(record, found, ranking, rank, twin, _reasons(against, is_candidate=is_candidate))


class _Against(NamedTuple):
    """What may speak against an item; the first of its kind that holds is the reason."""

    no_interests: bool
    seen: bool
    unavailable: bool
    near_duplicate: bool
    missed: bool
    too_far: bool


def _reasons(against: _Against, *, is_candidate: bool) -> tuple[str, ...]:
    """Return all that bars an item, whatever is near; or the one thing that keeps others in its place."""
    holding = tuple(name for name, holds in against._asdict().items() if holds)
    if barring := _barring(holding):
        return barring
    return tuple(name for name in holding if not is_candidate or name == "near_duplicate")[:1]


def _barring(reasons: Sequence[str]) -> tuple[str, ...]:
    return tuple(reason for reason in reasons if reason in ("no_interests", "seen", "unavailable"))


def _named(row: int, *lists: Recommendations) -> int | None:
    """Return the interest that the first list with an item names for it; None when none does."""
    for one in lists:
        place = _place(one.rows, row)
        if place is not None and one.interests[place - 1] >= 0:
            return int(one.interests[place - 1])
    return None


def _place(rows: Int32s, row: int) -> int | None:
    """Return the place of a row, from 1; None when it is not there."""
    places = np.flatnonzero(rows == row)
    return int(places[0]) + 1 if len(places) else None
