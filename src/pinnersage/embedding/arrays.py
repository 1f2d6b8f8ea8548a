"""Embeddings of items at a cut, from plain arrays: what the command and the evaluation both call."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Int64s
from pinnersage._tables.engine import Progress
from pinnersage.embedding.factors import along, main_axes, unit_rows
from pinnersage.embedding.fusing import Fusion
from pinnersage.embedding.log import log_embeddings
from pinnersage.embedding.settings import EmbeddingSettings
from pinnersage.errors import UsageError


def embed_items(
    content: npt.ArrayLike,
    users: npt.ArrayLike,
    item_rows: npt.ArrayLike,
    times_ms: npt.ArrayLike,
    *,
    until_ms: int | None,
    born_ms: npt.ArrayLike | None = None,
    settings: EmbeddingSettings | None = None,
    progress: Progress | None = None,
) -> Float32s:
    """Return embeddings of all items that use no action, and learn from no item, of a time or later.

    Items born at or after the cut get what their content gives with all that was learnt from the others;
    nothing of them changes a bit of the embeddings of the others.

    Parameters
    ----------
    content
        float ``(n_items, d_content)``: what is known of each item without the log, for example
        :func:`~pinnersage.embedding.texts.text_embeddings`; zeros where nothing is. For ``source="log"``
        it may have no columns.
    users
        int ``(n_actions,)``: any number that tells users apart.
    item_rows
        int ``(n_actions,)``: rows of ``content``.
    times_ms
        int ``(n_actions,)``: milliseconds since 1970 in UTC.
    until_ms
        The cut: actions at or after it are dropped before anything else is done. None: all are used.
    born_ms
        int ``(n_items,)``: births, as :func:`~pinnersage.items.births.born_ms` tells them. An action before
        the cut always shows that its item was there, so None leaves it to the actions. Not read without a
        cut: then all items are learnt from.
    settings
        Default: fused, 256 dimensions.
    progress
        Told the stage, how much is done, and of how much.

    Returns
    -------
    float32 ``(n_items, <= n_dimensions)``, unit length; zeros for an item of which nothing is known.
    The order of the actions and repeated actions change no bit.

    Raises
    ------
    UsageError
        Shapes do not match, or a row is out of range.
    UnavailableError
        A library of the extra ``embed`` is not installed.

    Examples
    --------
    >>> week = 7 * 86_400_000
    >>> nothing = np.zeros((4, 0))
    >>> users, rows = [1, 1, 2, 2, 3, 3, 4, 4], [0, 1, 0, 1, 2, 3, 2, 3]
    >>> made = embed_items(nothing, users, rows, [0] * 8, until_ms=week, settings=EmbeddingSettings("log"))
    >>> bool(made[0] @ made[1] > made[0] @ made[2])
    True
    """
    settings = settings or EmbeddingSettings()
    known = np.asarray(content, np.float32)
    owners, rows, times = (np.asarray(values).astype(np.int64) for values in (users, item_rows, times_ms))
    _check(known, owners, rows, times)
    born = np.ones(len(known), np.bool_)
    if until_ms is not None:
        before = times < until_ms
        owners, rows, times = owners[before], rows[before], times[before]
        born = _born(len(known), until_ms, born_ms)
        born[rows] = True
    # Those not born are taken out before anything is learnt, and are given what was learnt afterwards.
    own = (np.cumsum(born) - 1)[rows]
    made, others = _learnt(known[born], known[~born], owners, own, times, settings, progress)
    embeddings = np.zeros((len(known), made.shape[1]), np.float32)
    embeddings[born], embeddings[~born] = made, others
    return embeddings


def _born(n_items: int, until_ms: int, born_ms: npt.ArrayLike | None) -> Bools:
    if born_ms is None:
        return np.zeros(n_items, np.bool_)
    births = np.asarray(born_ms)
    if births.shape != (n_items,):
        raise UsageError(f"born_ms: expected a birth for each of {n_items:,} items, got shape {births.shape}")
    return births < until_ms


def _learnt(
    content: Float32s,
    others: Float32s,
    users: Int64s,
    item_rows: Int64s,
    times_ms: Int64s,
    settings: EmbeddingSettings,
    progress: Progress | None,
) -> tuple[Float32s, Float32s]:
    """Return embeddings of the items learnt from, and of others that are only known by their content."""
    content, others = unit_rows(content), unit_rows(others)
    if settings.source == "text":
        axes = main_axes(content, settings.n_dimensions)
        return along(content, axes), along(others, axes)
    logged = log_embeddings(users, item_rows, times_ms, len(content), settings, progress)
    nothing = np.zeros((len(others), logged.shape[1]), np.float32)
    if settings.source == "log":
        return logged, nothing
    fusion = Fusion.learnt(content, logged, log_share=settings.log_share, n_dimensions=settings.n_dimensions)
    return fusion.of(content, logged), fusion.of(others, nothing)


def _check(
    content: Float32s,
    users: npt.NDArray[np.int64],
    item_rows: npt.NDArray[np.int64],
    times_ms: npt.NDArray[np.int64],
) -> None:
    if content.ndim != 2 or not np.isfinite(content).all():
        raise UsageError(f"content: expected finite numbers (n_items, d_content), got shape {content.shape}")
    if not (users.ndim == 1 and users.shape == item_rows.shape == times_ms.shape):
        raise UsageError(
            "expected one user, item row and time for each action, "
            f"got shapes {users.shape}, {item_rows.shape}, {times_ms.shape}"
        )
    if len(item_rows) and not (item_rows.min() >= 0 and item_rows.max() < len(content)):
        raise UsageError(
            f"item_rows: expected rows of {len(content):,} items, got {item_rows.min()} to {item_rows.max()}"
        )
