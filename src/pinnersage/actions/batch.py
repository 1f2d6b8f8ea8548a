"""The value every reader of actions produces and the pure core takes: whole users, ragged."""

from __future__ import annotations

from dataclasses import dataclass

from pinnersage._arrays import Float32s, Int32s, Int64s, UInt8s, UInt64s


@dataclass(frozen=True, slots=True)
class ActionBatch:
    """Actions of whole users, grouped by user; inside a user the rows may be in any order.

    Attributes
    ----------
    user_ids
        ``n_users`` ids, each once, all strings or all integers, ascending.
    offsets
        int64 ``(n_users + 1,)``; user ``u`` owns rows ``offsets[u]:offsets[u + 1]``.
    item_rows
        int32 ``(n_actions,)`` rows of the embedding matrix.
    times_ms
        int64, milliseconds since 1970 in UTC.
    weights
        float32, finite, >= 0; 1 where the log has none.
    kinds
        uint8 codes of the ``action`` column, 0 where the log has none; the vocabulary of codes
        belongs to the model.
    event_keys
        uint64 64-bit hashes of ``event_id``; 0 where the log has none.
    """

    user_ids: list[str] | list[int]
    offsets: Int64s
    item_rows: Int32s
    times_ms: Int64s
    weights: Float32s
    kinds: UInt8s
    event_keys: UInt64s

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.user_ids)
