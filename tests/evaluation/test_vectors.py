"""Embeddings learnt from the log know nothing of what comes after the moment they are of."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage._arrays import Bools, Float32s
from pinnersage.embedding.arrays import embed_items
from pinnersage.embedding.settings import EmbeddingSettings
from pinnersage.errors import DataError
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.evaluation.vectors import LearntVectors, VectorsAt, VectorSource, vectors_of

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


def test_items_born_later_change_no_bit_of_those_that_were_there() -> None:
    # Every fifth item is born late; so is another fifth, but for its created_at.
    fifth = np.arange(LOG.n_items) % 5
    kept = np.flatnonzero(~(np.isin(fifth, (3, 4))[LOG.item_rows] & (LOG.times_ms < CUT)))
    actions = [(f"u{LOG.users[i]:02d}", int(LOG.item_rows[i]), int(LOG.times_ms[i])) for i in kept]
    created = [CUT - 1 if is_third else None for is_third in fifth == 3]
    log = log_of(actions, drawn_embeddings(1), created_at_ms=created)
    late = log.born_ms >= CUT
    assert late[fifth == 4].all()
    assert not late[fifth == 3].any()

    few = EmbeddingSettings("fused", n_dimensions=8)

    def changed(rows: Bools) -> Float32s:
        mirrored = np.where(rows[:, None], -log.embeddings[:, ::-1], log.embeddings)
        return LearntVectors(replace(log, embeddings=mirrored), few)(CUT)

    plain = LearntVectors(log, few)(CUT)
    assert changed(late)[~late].tobytes() == plain[~late].tobytes()
    assert changed(late)[late].tobytes() != plain[late].tobytes()
    there = ~late & (fifth < 3)
    assert changed(fifth == 3)[there].tobytes() != plain[there].tobytes()


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
