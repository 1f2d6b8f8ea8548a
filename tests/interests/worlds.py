"""Small random users, as hypothesis makes them and as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from pinnersage.actions.batch import ActionBatch
from pinnersage.config import MS_PER_DAY

NOW_MS = 1_700_000_000_000
N_ITEMS = 25


def embeddings(seed: int, d: int = 6, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    x = np.random.default_rng(seed).standard_normal((N_ITEMS, d))
    unit: npt.NDArray[Any] = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(dtype)
    return unit


ages_ms = st.one_of(
    st.integers(-2 * MS_PER_DAY, 200 * MS_PER_DAY),
    st.sampled_from([0, 1, -1, 90 * MS_PER_DAY, 90 * MS_PER_DAY - 1, 90 * MS_PER_DAY + 1]),
)
Action = tuple[int, int, int, float, int]

contents = st.tuples(
    ages_ms.map(lambda age: NOW_MS - age),
    st.integers(0, N_ITEMS - 1),
    st.integers(0, 2),
    st.sampled_from([1.0, 0.5, 3.0, 0.0]),
)


def _with_key(content: tuple[int, int, int, float], which: int) -> Action:
    """Return an action without an event key (0), or with one of two that no other content has."""
    return (*content, which and (hash(content) % 2**60) * 2 + which)


actions = st.builds(_with_key, contents, st.sampled_from([0, 0, 1, 2]))
conflicting = st.builds(lambda content, key: (*content, key), contents, st.integers(0, 3))


@st.composite
def users(draw: st.DrawFn, of: st.SearchStrategy[Action] = actions) -> list[list[Action]]:
    """Return a few users' actions; some repeat."""
    found = draw(st.lists(st.lists(of, max_size=14), min_size=1, max_size=4))
    return [own + own[: draw(st.integers(0, len(own)))] for own in found]


def batch(found: list[list[Action]]) -> ActionBatch:
    rows = [action for own in found for action in own]
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return ActionBatch(
        list(range(len(found))),
        np.concatenate(([0], np.cumsum([len(own) for own in found]))).astype(np.int64),
        np.array(columns[1], np.int32),
        np.array(columns[0], np.int64),
        np.array(columns[3], np.float32),
        np.array(columns[2], np.uint8),
        np.array(columns[4], np.uint64),
    )
