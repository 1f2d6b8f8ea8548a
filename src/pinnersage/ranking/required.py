"""Lists ordered by a ranker need one."""

from __future__ import annotations

from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError


def check_ranker_wanted(config: BuildConfig) -> None:
    """Refuse lists ordered by a ranker where none is to be fitted.

    Raises
    ------
    UsageError
        Says what to add.
    """
    if config.retrieval.mode == "ranked" and not config.ranking.fit_ranker:
        raise UsageError(
            "mode 'ranked' needs a second stage: add --ranker (fit_ranker=True), or choose another mode"
        )
