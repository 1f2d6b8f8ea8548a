"""What the targets of a day are ranked against: items that were shown, or else drawn from the pool."""

from __future__ import annotations

import numpy as np

from pinnersage._arrays import Int32s, Int64s
from pinnersage.config import MS_PER_DAY
from pinnersage.evaluation.replay import Day, Mode, ReplayLog
from pinnersage.evaluation.state import ragged, user_seed


def candidates_to_rank(
    day: Day, known: ReplayLog, mode: Mode, n_per_target: int, seed: int, shown: ReplayLog | None
) -> tuple[Int64s, Int32s]:
    """Return, for every user of a day, all targets and then the impressions they are ranked against.

    Parameters
    ----------
    day
        With its targets.
    known
        What was known before the day.
    mode
        In ``first_time`` items the user acted on before are no impressions, and only first-time
        targets have any.
    n_per_target
        Impressions per target, as far as there are any.
    seed
        Of the draw.
    shown
        Real impressions; None: drawn evenly from the pool, without the day's targets.

    Returns
    -------
    offsets
        int64 ``(n_users + 1,)``.
    item_rows
        int32; of each user first the targets, as in ``day``, then impressions.
    """
    real = None if shown is None else _of_day(shown, day.start_ms)
    everywhere, nothing = np.flatnonzero(day.pool).astype(np.int32), np.empty(0, np.int32)
    parts, lengths = [nothing], []
    for u, user in enumerate(day.users.tolist()):
        own = slice(day.target_offsets[u], day.target_offsets[u + 1])
        rows, counted = day.target_rows[own], day.first_time[own]
        others: Int32s = everywhere
        if real is not None:
            there = np.unique(real.get(known.user_ids[user], nothing))
            others = there[day.pool[there]]
        n = n_per_target * (int(counted.sum()) if mode == "first_time" else len(rows))
        rng = np.random.default_rng(user_seed(seed, day, known, user))
        drawn = _drawn(rng, others, _barred(known, user, rows, mode), n)
        parts += [rows, drawn]
        lengths.append(len(rows) + len(drawn))
    return ragged(lengths), np.concatenate(parts)


def _barred(known: ReplayLog, user: int, targets: Int32s, mode: Mode) -> Int32s:
    """Return what is no impression, ascending, none twice."""
    if mode == "all":
        return np.unique(targets)
    seen = known.item_rows[known.offsets[user] : known.offsets[user + 1]]
    return np.unique(np.concatenate((targets, seen)))


def _drawn(rng: np.random.Generator, rows: Int32s, barred: Int32s, n: int) -> Int32s:
    """Draw up to ``n`` of ``rows`` (ascending) that are not barred, without going through all of them."""
    places = np.searchsorted(rows, barred)
    inside = places < len(rows)
    places, barred = places[inside], barred[inside]
    gone = places[rows[places] == barred]
    n_left = len(rows) - len(gone)
    drawn = rng.choice(n_left, min(n, n_left), replace=False)
    chosen: Int32s = rows[drawn + np.searchsorted(gone - np.arange(len(gone)), drawn, side="right")]
    return chosen


def _of_day(shown: ReplayLog, start_ms: int) -> dict[str | int, Int32s]:
    shown = shown.as_of(start_ms + MS_PER_DAY)
    today = (shown.times_ms >= start_ms) & (shown.times_ms < start_ms + MS_PER_DAY)
    users, rows = shown.users[today], shown.item_rows[today]
    return {shown.user_ids[u]: rows[users == u] for u in np.unique(users).tolist()}
