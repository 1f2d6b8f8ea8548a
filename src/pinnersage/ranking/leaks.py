"""Whether embeddings have seen what a ranker learns to predict: then it will trust them too much."""

from __future__ import annotations

from pinnersage._times import rfc3339
from pinnersage.config import RankingConfig
from pinnersage.items.origin import EmbeddingOrigin
from pinnersage.ranking.fitting import training_moments


def ranker_leak(
    origin: EmbeddingOrigin | None, until_ms: int, config: RankingConfig, otherwise: str
) -> str | None:
    """Return what to say of embeddings that know the weeks a ranker learns from; None where all is well.

    Parameters
    ----------
    origin
        Where the embeddings come from; None: nothing is told, and nothing is said.
    until_ms
        The ranker learns from what happened before.
    config
        How many moments it learns from, and how far apart.
    otherwise
        What else can be done.
    """
    first_ms = training_moments(until_ms, config)[0]
    if origin is None or not origin.knows_after(first_ms):
        return None
    return (
        f"the embeddings were learnt from actions up to {rfc3339(origin.until_ms or 0)}, and the "
        f"ranker learns from what happened since {rfc3339(first_ms)}: it will trust them too much. Make "
        f"embeddings for it with pinnersage embed --until {rfc3339(first_ms)}, or {otherwise}"
    )
