"""From a stream of rows sorted by user to batches of whole users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from pinnersage._arrays import Int64s
from pinnersage.actions.batch import ActionBatch

_VALUES: dict[str, type[np.generic]] = {
    "item_row": np.int32,
    "time_ms": np.int64,
    "weight": np.float32,
    "kind": np.uint8,
    "event_key": np.uint64,
}
_ABSENT = {"weight": 1, "kind": 0, "event_key": 0}
Values = dict[str, npt.NDArray[Any]]


def cut_by_user(rows: Iterable[pa.RecordBatch], max_actions: int) -> Iterator[ActionBatch]:
    """Yield batches of whole users, each with at most ``max_actions`` actions or a single user.

    Where the batches are cut depends on the users' sizes alone, not on how ``rows`` are chunked.

    Parameters
    ----------
    rows
        Sorted by ``user_id``; columns ``user_id, item_row, time_ms`` and, where the log has them,
        ``weight, kind, event_key``.
    max_actions
        At least 1.
    """
    cutter = _Cutter(max_actions)
    for batch in rows:
        if batch.num_rows:
            cutter.take(batch)
            yield from cutter.full_batches(at_end=False)
    yield from cutter.full_batches(at_end=True)


class _Cutter:
    """Rows not yet handed out; the last user may still go on."""

    def __init__(self, max_actions: int) -> None:
        self._max_actions = max_actions
        self._users: list[Any] = []
        self._sizes: list[int] = []
        self._n_closed = 0
        self._pieces: list[Values] = []

    def take(self, batch: pa.RecordBatch) -> None:
        runs = pa.compute.run_end_encode(batch.column("user_id"))
        users = runs.values.to_pylist()
        sizes = np.diff(runs.run_ends.to_numpy(), prepend=0).tolist()
        if self._users and self._users[-1] == users[0]:
            self._sizes[-1] += sizes[0]
            users, sizes = users[1:], sizes[1:]
        if users and self._sizes:
            self._n_closed += self._sizes[-1]
        self._n_closed += sum(sizes[:-1])
        self._users += users
        self._sizes += sizes
        self._pieces.append({name: _column(batch, name, dtype) for name, dtype in _VALUES.items()})

    def full_batches(self, *, at_end: bool) -> Iterator[ActionBatch]:
        if not self._users or not (at_end or self._n_closed > self._max_actions):
            return
        values = {name: np.concatenate([piece[name] for piece in self._pieces]) for name in _VALUES}
        ends = np.cumsum(self._sizes, dtype=np.int64)
        first = 0
        while (last := self._next_cut(ends, first, at_end)) is not None:
            yield _batch(self._users[first:last], ends, first, last, values)
            first = last
        start = int(ends[first - 1]) if first else 0
        self._users, self._sizes = self._users[first:], self._sizes[first:]
        self._n_closed = sum(self._sizes[:-1])
        self._pieces = [{name: value[start:] for name, value in values.items()}]

    def _next_cut(self, ends: Int64s, first: int, at_end: bool) -> int | None:
        """Return the user after the next batch, or None while that is not yet decided."""
        if first == len(ends):
            return None
        start = int(ends[first - 1]) if first else 0
        last = int(np.searchsorted(ends, start + self._max_actions, side="right"))
        last = max(last, first + 1)
        if at_end:
            return last
        # The last user may go on, so neither that user nor a batch that could take more is ready.
        return last if last < len(ends) else None


def _column(batch: pa.RecordBatch, name: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
    if name in _ABSENT and name not in batch.schema.names:
        return np.full(batch.num_rows, _ABSENT[name], dtype=dtype)
    values: npt.NDArray[Any] = batch.column(name).to_numpy(zero_copy_only=False)
    return values.astype(dtype, copy=False)


def _batch(users: list[Any], ends: Int64s, first: int, last: int, values: Values) -> ActionBatch:
    start = int(ends[first - 1]) if first else 0
    rows = slice(start, int(ends[last - 1]))
    offsets = np.concatenate([[0], ends[first:last] - start]).astype(np.int64)
    cut = {name: value[rows] for name, value in values.items()}
    return ActionBatch(
        users, offsets, cut["item_row"], cut["time_ms"], cut["weight"], cut["kind"], cut["event_key"]
    )
