"""The first call of its kind compiles kernels and opens files: that happens before it is ready."""

from __future__ import annotations

import contextlib
import time

from pinnersage.errors import PinnerSageError
from pinnersage.serving.backend import Backend
from pinnersage.streaming.events import NewAction

_N_ITEMS = 8


def warm_up(backend: Backend) -> None:
    """Ask the model once for everything that requests will ask it for."""
    now_ms = time.time_ns() // 1_000_000
    with contextlib.suppress(PinnerSageError):
        items = [item["item_id"] for item in backend.popular(_N_ITEMS)["items"]]
        backend.recommend_session([NewAction("", item_id, now_ms) for item_id in items], _N_ITEMS)
        for user_id in backend.find_users("", 1):
            backend.interests(user_id)
            backend.recommend(user_id, _N_ITEMS)
