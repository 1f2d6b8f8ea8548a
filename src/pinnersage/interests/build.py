"""Algorithm 2: every user's actions become a record, independently of all other users.

Everything that makes interests calls these functions: batch, stream and evaluation. For one user:
put the actions in canonical order, keep the window, cluster the distinct items (an item acted on
several times counts as often), choose a medoid per cluster, sum the decayed weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import InterestConfig
from pinnersage.interests.canonical import Columns, canonical_order, first_in_window
from pinnersage.interests.clustering import Comparison, Rule, buffer_size, comparison_of, rule_of
from pinnersage.interests.record import RecordBatch
from pinnersage.interests.user import Before, interests_of, seen_elsewhere


@kernel
def _copy_window(columns: Columns, order: Int64s, out: Columns, at: int) -> Columns:
    """Copy the actions ``order`` into ``out`` from ``at`` on; return that part of it."""
    end = at + order.shape[0]
    for k in range(order.shape[0]):
        i = order[k]
        out.item_rows[at + k] = columns.item_rows[i]
        out.times_ms[at + k] = columns.times_ms[i]
        out.weights[at + k] = columns.weights[i]
        out.kinds[at + k] = columns.kinds[i]
        out.event_keys[at + k] = columns.event_keys[i]
    return Columns(
        out.item_rows[at:end],
        out.times_ms[at:end],
        out.weights[at:end],
        out.kinds[at:end],
        out.event_keys[at:end],
    )


@kernel
def _append(target: npt.NDArray[Any], at: int, part: npt.NDArray[Any]) -> int:
    """Copy ``part`` into ``target`` from ``at`` on; return where it ends."""
    for k in range(part.shape[0]):
        target[at + k] = part[k]
    end: int = at + part.shape[0]
    return end


@kernel
def _build(
    source: npt.NDArray[Any],
    used: Int64s | None,
    columns: Columns,
    labels_before: Int32s,
    offsets: Int64s,
    seen_offsets: Int64s,
    seen_rows: Int32s,
    rule: Rule,
    comparison: Comparison | None,
    now_ms: int,
    out: Columns,
    labels: Int32s,
    medoid_rows: Int32s,
    importances: Float64s,
    seen_out: Int32s,
) -> Int64s:
    """Build all users one after the other; return where the parts of each end, ``(n_users + 1, 5)``.

    The parts: actions in the window, interests, seen items, different actions up to now, untied users.
    """
    ends = np.zeros((offsets.shape[0], 5), np.int64)
    buffer = np.empty(0, np.float32)
    for u in range(offsets.shape[0] - 1):
        order = canonical_order(columns, offsets[u], offsets[u + 1], now_ms)
        first = first_in_window(columns, order, now_ms - rule.window_ms, rule.max_actions)
        a, i, s, n_known, n_untied = ends[u]
        window = _copy_window(columns, order[first:], out, a)
        n = window.item_rows.shape[0]
        if buffer.shape[0] < buffer_size(n, source.shape[1]):
            buffer = np.empty(buffer_size(n, source.shape[1]), np.float32)
        if n > 0:
            before = Before(labels_before[offsets[u] : offsets[u + 1]], labels_before[order[first:]])
            found = interests_of(source, used, window, before, rule, comparison, now_ms, buffer)
            _append(labels, a, found[0])
            _append(medoid_rows, i, found[1])
            i = _append(importances, i, found[2])
            n_untied += found[3]
        already = seen_rows[seen_offsets[u] : seen_offsets[u + 1]]
        s = _append(seen_out, s, seen_elsewhere(columns.item_rows[order], first, already))
        ends[u + 1, 0], ends[u + 1, 1], ends[u + 1, 2] = a + n, i, s
        ends[u + 1, 3], ends[u + 1, 4] = n_known + order.shape[0], n_untied
    return ends


def _readable(embeddings: npt.NDArray[Any], item_rows: Int32s) -> tuple[npt.NDArray[Any], Int64s | None]:
    """Return a matrix the kernels can read and which items its rows are (None: all items).

    It is never writable: a kernel compiles once for what may be written and once for what may not.
    """
    used = None
    if embeddings.dtype != np.float32:
        used = np.unique(item_rows).astype(np.int64)
        embeddings = embeddings[used].astype(np.float32)
    source = embeddings.view()
    source.flags.writeable = False
    return source, used


def build_records(
    actions: ActionBatch,
    embeddings: npt.NDArray[Any],
    config: InterestConfig,
    now_ms: int,
    *,
    seen: tuple[Int64s, Int32s] | None = None,
    labels: Int32s | None = None,
) -> RecordBatch:
    """Build the records of many users.

    Parameters
    ----------
    actions
        Whole users, actions in any order, repeats allowed.
    embeddings
        float32 or float16 ``(n_items, d)``.
    config
        How actions become interests.
    now_ms
        The window is ``(now_ms - window, now_ms]``; later actions are left out.
    seen
        Offsets ``(n_users + 1,)`` and item rows of items known to have been seen before.
    labels
        int32 ``(n_actions,)``: the interest of actions that are known from untied records with the same
        embeddings and settings, with all their other actions; -1 of all others. It changes no result:
        clusters that an action cannot have changed are not made again.

    Returns
    -------
    records
        One per user, in the order given; a pure function of the arguments. Runs in the calling
        thread with the GIL released.
    """
    n = len(actions.item_rows)
    seen_offsets, seen_rows = seen or (np.zeros(actions.n_users + 1, np.int64), np.empty(0, np.int32))
    source, used = _readable(embeddings, actions.item_rows)
    columns = Columns(actions.item_rows, actions.times_ms, actions.weights, actions.kinds, actions.event_keys)
    out = Columns(
        np.empty(n, np.int32), np.empty(n, np.int64), np.empty(n, np.float32),
        np.empty(n, np.uint8), np.empty(n, np.uint64),
    )  # fmt: skip
    before = np.full(n, -1, np.int32) if labels is None else labels
    labels, medoid_rows = np.empty(n, np.int32), np.empty(n, np.int32)
    importances, seen_out = np.empty(n, np.float64), np.empty(n + len(seen_rows), np.int32)
    ends = _build(
        source, used, columns, before, actions.offsets, seen_offsets, seen_rows, rule_of(config),
        comparison_of(config), now_ms, out, labels, medoid_rows, importances, seen_out,
    )  # fmt: skip
    a, i, s, n_known = (int(end) for end in ends[-1, :4])
    n_until_now = int((actions.times_ms <= now_ms).sum())
    return RecordBatch(
        now_ms, actions.user_ids, ends[:, 0].copy(), out.item_rows[:a], out.times_ms[:a],
        out.weights[:a], out.kinds[:a], out.event_keys[:a], labels[:a], ends[:, 1].copy(),
        medoid_rows[:i], importances[:i], ends[:, 2].copy(), seen_out[:s],
        np.diff(ends[:, 4]) > 0, n_known - a, n_until_now - n_known,
    )  # fmt: skip
