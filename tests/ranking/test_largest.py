"""Which of equal values are the largest does not depend on the processor: the first are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.ranking.logs import random_log

from pinnersage._arrays import Float32s, Int32s
from pinnersage.config import MS_PER_DAY, InterestConfig, RankingConfig
from pinnersage.ranking import linking
from pinnersage.ranking.actions import records_before
from pinnersage.ranking.candidates import LINKED, WideSet
from pinnersage.ranking.largest import largest
from pinnersage.ranking.moment import moment_before
from pinnersage.ranking.proposing import from_mean

NOW = 50 * MS_PER_DAY
SMALL = st.integers(-3, 3).map(float)


def naive(row: list[float], n: int) -> list[int]:
    return sorted(sorted(range(len(row)), key=lambda i: (-row[i], i))[:n])


@settings(deadline=None)
@given(st.data())
def test_largest_are_those_of_a_sorted_list(data: Any) -> None:
    shape = data.draw(st.tuples(st.integers(0, 4), st.integers(1, 40)))
    values: Float32s = data.draw(arrays.arrays(np.float32, shape, elements=SMALL))
    n = data.draw(st.integers(1, shape[1]))
    assert largest(values, n).tolist() == [naive(row, n) for row in values.tolist()]


@settings(deadline=None)
@given(st.data())
def test_links_kept_are_the_largest_in_size(data: Any) -> None:
    size = data.draw(st.integers(0, 30))
    matrix: Float32s = data.draw(arrays.arrays(np.float32, (size, size), elements=SMALL))
    n_links = data.draw(st.integers(0, 40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linking, "_ROWS_AT_ONCE", 7)
        links = linking._strongest(matrix, n_links)
    n = min(n_links, max(0, size - 1))
    expected = [naive(row, n) for row in np.abs(matrix).tolist()]
    assert links.offsets.tolist() == [i * n for i in range(size + 1)]
    assert links.columns.tolist() == [j for row in expected for j in row]
    assert links.strengths.tolist() == [matrix[i, j] for i, row in enumerate(expected) for j in row]


def tied(scores: Float32s) -> Float32s:
    return np.append(np.ones(len(scores) - 1, np.float32), scores[-1:])


def test_of_equal_candidates_the_first_are_taken() -> None:
    log, vectors = random_log(1)
    moment = moment_before(log, NOW, vectors, np.ones(len(vectors), np.bool_))
    records = records_before(log, np.array([0]), vectors, InterestConfig(), NOW)
    user, config = moment.view(records.record(0)), RankingConfig(n_linked_per_slot=0.5)
    links = user.links._replace(regression=tied(user.links.regression), cosine=tied(user.links.cosine))
    nothing: Int32s = np.empty(0, np.int32)
    found = WideSet(moment, config).of_user(user._replace(links=links), nothing, 40, repeats=True)
    linked = moment.links.linked
    assert found.rows[found.sources & LINKED > 0].tolist() == linked[moment.pool[linked]][:20].tolist()


def test_of_equally_near_items_the_first_are_proposed() -> None:
    log, vectors = random_log(1)
    moment = moment_before(log, NOW, np.tile(vectors[:1], (len(vectors), 1)), np.ones(80, np.bool_))
    moment = replace(moment, pool=np.ones(80, np.bool_))
    records = records_before(log, np.array([0]), moment.embeddings, InterestConfig(), NOW)
    propose = from_mean(moment, repeats=True)
    assert propose(np.array([0]), records, 20).tolist() == [[*range(20)]]
    assert propose(np.array([0]), records, 0).shape == (1, 0)
