"""What an embedding of items is made of, as one frozen value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pinnersage.errors import UsageError

Source = Literal["text", "log", "fused"]
TextModel = Literal["tfidf", "minilm", "given"]


@dataclass(frozen=True, slots=True)
class EmbeddingSettings:
    """How items become embeddings.

    Attributes
    ----------
    source
        ``text``: what is known of an item without the log. ``log``: which items are acted on in the
        same sessions. ``fused``: both.
    n_dimensions
        Upper bound; small catalogues give fewer.
    n_text_dimensions
        Of TF-IDF, before it is fused.
    session_days
        Actions of one user in one span of so many days (counted from 1970) are one session; 0: all
        actions of a user are one.
    shift
        Subtracted from every mutual information before the negative ones are dropped; larger keeps
        only the surer pairs.
    smoothing
        Exponent of the context frequencies, in (0, 1]; below 1 it takes some weight from rare pairs.
    spectrum_power
        Exponent of the singular values, >= 0: 0 makes all dimensions equally long, 1 keeps them.
    log_share
        Share of the log part in the cosine of two fused embeddings, in [0, 1].
    max_session_items
        Of larger sessions the newest distinct items count; bounds time and memory.
    max_neighbors
        Co-occurring items kept per item, the most informative; bounds memory.
    seed
        Seeds the randomised decompositions.
    """

    source: Source = "fused"
    n_dimensions: int = 256
    n_text_dimensions: int = 128
    session_days: float = 7.0
    shift: float = 0.0
    smoothing: float = 0.75
    spectrum_power: float = 0.5
    log_share: float = 0.7
    max_session_items: int = 500
    max_neighbors: int = 2_000
    seed: int = 0

    def __post_init__(self) -> None:
        least = {
            "n_dimensions": 1,
            "n_text_dimensions": 1,
            "max_session_items": 2,
            "max_neighbors": 1,
        }
        for name, bound in {**least, "spectrum_power": 0.0, "shift": -math.inf}.items():
            _check(name, getattr(self, name), bound, math.inf)
        _check("session_days", self.session_days, 0.0, 1e9)
        _check("seed", self.seed, 0, 2**32 - 1)
        _check("log_share", self.log_share, 0.0, 1.0)
        _check("smoothing", self.smoothing, math.nextafter(0.0, 1.0), 1.0)
        if self.source not in ("text", "log", "fused"):
            raise UsageError(f"source: expected text, log or fused, got {self.source!r}")


def _check(name: str, value: float, least: float, most: float) -> None:
    if not (math.isfinite(value) and least <= value <= most):
        raise UsageError(f"{name}: expected a number from {least:g} to {most:g}, got {value}")
