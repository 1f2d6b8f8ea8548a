"""Which items have an attribute: masks against a loop over all items, with puts in between."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from pinnersage.errors import UsageError
from pinnersage.items.matching import N_HELD, AttributeMatches, as_text

N_SPARE = 3
COLUMNS: dict[str, tuple[st.SearchStrategy[Any], pa.DataType]] = {
    "category": (st.sampled_from(["a", "b", "", "true", "7", "ü"]), pa.string()),
    "provider": (st.sampled_from(["a", "b"]), pa.dictionary(pa.int32(), pa.string())),
    "size": (st.integers(-3, 120), pa.int8()),
    "serial": (st.sampled_from([7, 2**63 - 1]), pa.int64()),
    "handmade": (st.booleans(), pa.bool_()),
}
WANTED = st.frozensets(
    st.sampled_from(["a", "b", "", "true", "false", "7", "07", "300", "-1", "ü"]), min_size=1
)


def naive(rows: list[dict[str, Any]], name: str, values: frozenset[str]) -> list[bool]:
    return [as_text(row.get(name)) in values for row in rows]


@given(st.data())
def test_masks_are_those_of_a_loop(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 8))
    rows: list[dict[str, Any]] = [
        {name: data.draw(st.none() | values) for name, (values, _) in COLUMNS.items()} for _ in range(n)
    ]
    base = pa.table(
        {name: pa.array([row[name] for row in rows], kind) for name, (_, kind) in COLUMNS.items()}
    )
    matches = AttributeMatches(base, n + N_SPARE)
    rows += [{} for _ in range(N_SPARE)]
    for _ in range(data.draw(st.integers(1, 6))):
        name, values = data.draw(st.sampled_from(list(COLUMNS))), data.draw(WANTED)
        assert matches.of(name, values).tolist() == naive(rows, name, values)
        assert matches.of(name, values).tolist() == naive(rows, name, values)  # what is held
        if data.draw(st.booleans()):
            row, own = data.draw(st.integers(0, n + N_SPARE - 1)), data.draw(st.sampled_from(list(COLUMNS)))
            rows[row] = {own: data.draw(COLUMNS[own][0])}
            matches.put(row, rows[row])


def test_an_attribute_that_only_new_items_have() -> None:
    matches = AttributeMatches(pa.table({"title": ["x"]}), 2)
    with pytest.raises(UsageError, match=r"where: expected one of title, got 'colour'$"):
        matches.of("colour", frozenset({"red"}))
    matches.put(1, {"colour": "red"})
    assert matches.of("colour", frozenset({"red"})).tolist() == [False, True]
    assert matches.of("colour", frozenset({"blue"})).tolist() == [False, False]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.array([0.5]), "whose values are of the type double"),
        (pa.array([["a"]]), "whose values are of the type list"),
        (pa.array([0], pa.timestamp("ms")), "whose values are of the type timestamp"),
    ],
)
def test_values_that_cannot_be_asked_for(column: pa.Array, told: str) -> None:
    matches = AttributeMatches(pa.table({"title": ["x"], "odd": column}), 1)
    with pytest.raises(UsageError, match=rf"expected one of title, got 'odd', {told}"):
        matches.of("odd", frozenset({"0.5"}))


def test_without_attributes_nothing_can_be_asked_for() -> None:
    table = pa.table({"created_at_ms": [1]})
    with pytest.raises(UsageError, match="expected no attribute, for the items have none"):
        AttributeMatches(table, 1).of("created_at_ms", frozenset({"1"}))


def test_a_held_mask_is_not_changed_under_who_has_it() -> None:
    matches, wanted = AttributeMatches(pa.table({"category": ["a", "b"]}), 2), frozenset({"a"})
    before = matches.of("category", wanted)
    matches.put(1, {"category": "a"})
    assert matches.of("category", wanted).tolist() == [True, True]
    assert before.tolist() == [True, False]


def test_so_many_masks_are_held_and_no_more() -> None:
    matches = AttributeMatches(pa.table({"size": np.arange(100)}), 100)
    for size in range(100):
        assert matches.of("size", frozenset({str(size)})).nonzero()[0].tolist() == [size]
    assert len(matches._held) == N_HELD
