"""Where embeddings come from, and whether they have seen what is to be predicted: then they are refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pinnersage._times import rfc3339
from pinnersage.config import RankingConfig
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.names import GROUPS
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.evaluation.vectors import VectorSource
from pinnersage.items.origin import EmbeddingOrigin
from pinnersage.ranking.fitting import training_moments
from pinnersage.ranking.leaks import ranker_leak

_LEARN = "(--vectors log, from Python: vectors='log')"
_OTHERWISE_TUNE = f"let tune learn them {_LEARN}, or tune without --ranker (fit_ranker=False)"


def embeddings_said(
    origin: EmbeddingOrigin | None,
    first_ms: int,
    doing: str,
    *,
    allowed: bool,
    instead: str = "",
    ranking: RankingConfig | None = None,
) -> dict[str, Any]:
    """Return what a report says of embeddings: their origin, and the ``leak`` in words where there is one.

    Parameters
    ----------
    origin
        Where the embeddings come from; None: nothing is told, and nothing is checked.
    first_ms
        What is predicted lies from here on.
    doing
        The verb of the command line.
    allowed
        Go on with such embeddings.
    instead
        A further way out.
    ranking
        Of the rankers that are fitted; None: none is.

    Raises
    ------
    UsageError
        The embeddings know of actions from ``first_ms`` on, and that is not allowed.
    """
    if origin is None or not origin.knows_after(first_ms):
        return {"embeddings": None if origin is None else origin.to_dict(), "leak": None}
    first, until = rfc3339(first_ms), rfc3339(origin.until_ms or 0)
    found = (
        f"the embeddings were learnt from actions up to {until} (pinnersage embed, {origin.source}), "
        f"and what is predicted begins at {first}"
    )
    if allowed:
        leak = f"Do not trust these figures: {found}. They have seen the answers."
        return {"embeddings": origin.to_dict(), "leak": leak}
    for_ranker = ""
    if ranking is not None:
        earlier = rfc3339(training_moments(first_ms, ranking)[0])
        for_ranker = f"; --until {earlier} for rankers, which learn from the weeks before"
    raise UsageError(
        f"items: {found}: they have seen the answers, and all figures would be too good. Make embeddings "
        f"that have not (pinnersage embed --until {first}{for_ranker}){instead}, or {doing} all the same "
        "with --allow-leak (from Python: allow_leak=True)"
    )


def said_of_evaluated(
    log: ReplayLog,
    vectors: VectorSource,
    first_ms: int,
    arms: Iterable[str],
    config: RankingConfig,
    *,
    allowed: bool,
) -> dict[str, Any]:
    """Return :func:`embeddings_said` of embeddings that ``evaluate`` is given for some arms."""
    instead = f", let the evaluation learn them {_LEARN}"
    ranking = config if _rankers_among(arms, config) else None
    return embeddings_said(
        _origin(log, vectors), first_ms, "evaluate", allowed=allowed, instead=instead, ranking=ranking
    )


def said_of_tuned(
    log: ReplayLog, vectors: VectorSource, first_ms: int, ranking: RankingConfig | None, *, allowed: bool
) -> dict[str, Any]:
    """Return :func:`embeddings_said` of what ``tune`` is given, whose it takes, and ``notes`` on its ranker.

    Parameters
    ----------
    first_ms
        Start of the training days.
    ranking
        Of the second stage that is tried; None: none is.
    """
    origin = _origin(log, vectors)
    instead = f", let tune learn them {_LEARN}"
    said = embeddings_said(origin, first_ms, "tune", allowed=allowed, instead=instead, ranking=ranking)
    leak = None if ranking is None else ranker_leak(origin, first_ms, ranking, _OTHERWISE_TUNE)
    return said | {"vectors": vectors, "notes": [] if leak is None else [f"Of the second stage: {leak}."]}


def notes_on_rankers(
    arms: Iterable[str], log: ReplayLog, vectors: VectorSource, until_ms: int, config: RankingConfig
) -> list[str]:
    """Return what to say of those arms measured whose rankers learn from weeks that the embeddings have seen.

    They are no leak of what is measured; such rankers expect too much of the embeddings, and find less.
    """
    ranked = ", ".join(_rankers_among(arms, config))
    found = ranker_leak(_origin(log, vectors), until_ms, config, "leave these arms out") if ranked else None
    return [] if found is None else [f"Not at their best: {ranked}; {found}."]


def _origin(log: ReplayLog, vectors: VectorSource) -> EmbeddingOrigin | None:
    """Return what the given embeddings tell, where they are used: as they are, or fused with the log."""
    return None if vectors == "log" else log.origin


def _rankers_among(arms: Iterable[str], config: RankingConfig) -> list[str]:
    with_ranker = {*GROUPS["ranked"], *(GROUPS["configured"] if config.fit_ranker else ())}
    return [arm for arm in arms if arm in with_ranker]
