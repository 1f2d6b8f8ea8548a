"""Embeddings learnt from the log know nothing of what comes after the moment they are of."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage.embedding.arrays import embed_items
from pinnersage.embedding.settings import EmbeddingSettings
from pinnersage.errors import DataError
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.evaluation.vectors import VectorsAt, VectorSource, vectors_of

CUT = 40 * DAY
LOG = log_of(drawn_actions(1), drawn_embeddings(1))


def learnt(log: ReplayLog, source: VectorSource) -> VectorsAt:
    found = vectors_of(log, source)
    assert found is not None
    return found


def test_given_embeddings_are_those_of_the_items() -> None:
    assert vectors_of(LOG, "given") is None


@pytest.mark.parametrize("source", ["log", "fused"])
def test_later_actions_change_nothing(source: VectorSource) -> None:
    later = LOG.times_ms >= CUT
    other = replace(LOG, item_rows=np.where(later, (LOG.item_rows + 7) % LOG.n_items, LOG.item_rows))
    one, two = (learnt(log, source) for log in (LOG, other))
    assert one(CUT).tobytes() == two(CUT).tobytes()
    assert one(60 * DAY).tobytes() != two(60 * DAY).tobytes()


@pytest.mark.parametrize("source", ["log", "fused"])
def test_they_are_those_of_the_command_embed(source: Literal["log", "fused"]) -> None:
    known = LOG.before(CUT)
    plain = embed_items(
        LOG.embeddings, known.users, known.item_rows, known.times_ms,
        until_ms=None, settings=EmbeddingSettings(source),
    )  # fmt: skip
    assert np.array_equal(learnt(LOG, source)(CUT), plain)


def test_nothing_to_learn_from_is_told() -> None:
    with pytest.raises(DataError, match="later --from"):
        learnt(LOG, "log")(0)
