"""The vocabulary against a dictionary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage.errors import DataError, StoredFormatError
from pinnersage.items.vocabulary import ItemVocabulary

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None)
@given(st.sets(TEXTS, min_size=1, max_size=60), st.lists(TEXTS, max_size=10))
def test_strings_are_found_like_in_a_dictionary(ids: set[str], others: list[str]) -> None:
    vocabulary = ItemVocabulary.from_ids(list(ids))
    rows = {item_id: row for row, item_id in enumerate(sorted(ids, key=str.encode))}
    asked = [*ids, *others]
    assert vocabulary.kind == "string"
    assert vocabulary.rows_of(asked).tolist() == [rows.get(item_id, -1) for item_id in asked]
    assert [vocabulary.row_of(item_id) for item_id in asked] == [rows.get(item_id) for item_id in asked]
    assert vocabulary.ids_of(vocabulary.rows_of(list(ids))) == list(ids)


@settings(deadline=None)
@given(st.sets(INTEGERS, min_size=1, max_size=60), st.lists(INTEGERS, max_size=10))
def test_integers_are_found_like_in_a_dictionary(ids: set[int], others: list[int]) -> None:
    vocabulary = ItemVocabulary.from_ids(list(ids))
    rows = {item_id: row for row, item_id in enumerate(sorted(ids))}
    asked = [*ids, *others]
    expected = [rows.get(item_id, -1) for item_id in asked]
    assert vocabulary.kind == "integer"
    assert vocabulary.rows_of(asked).tolist() == expected
    assert vocabulary.rows_of(np.array(asked, dtype=np.int64)).tolist() == expected
    assert vocabulary.rows_of([str(item_id) for item_id in asked]).tolist() == expected
    assert vocabulary.ids_of(vocabulary.rows_of(list(ids))) == list(ids)


def test_seven_and_its_text_are_the_same_id_in_both_kinds() -> None:
    integers, strings = ItemVocabulary.from_ids([7, 10]), ItemVocabulary.from_ids(["7", "007"])
    assert integers.row_of("7") == integers.row_of(7) == integers.row_of(np.int32(7)) == 0
    for other in ("07", "+7", " 7", "7.0", "\u0667", "", "x", str(2**70), 2**70, "9" * 5_000):
        assert integers.row_of(other) is None
    assert strings.row_of(7) == strings.row_of("7") == 1
    assert 7 in strings
    assert 8 not in strings
    assert None not in strings
    assert strings.row_of("\ud800") is None


@pytest.mark.parametrize("ids", [["b", "ä", "a", ""], [3, -5, 2**62], []])
def test_saved_and_opened_it_is_the_same(tmp_path: Path, ids: list[str] | list[int]) -> None:
    vocabulary = ItemVocabulary.from_ids(ids)
    vocabulary.save(tmp_path / "v.arrow")
    opened = ItemVocabulary.open(tmp_path / "v.arrow")
    assert opened.kind == vocabulary.kind
    assert len(opened) == len(ids)
    assert opened.ids.equals(vocabulary.ids)
    assert opened.rows_of(ids).tolist() == vocabulary.rows_of(ids).tolist()
    assert opened.row_of("zz") is None
    assert [path.name for path in tmp_path.iterdir()] == ["v.arrow"]


def test_damaged_or_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.arrow"
    with pytest.raises(StoredFormatError, match=r"v\.arrow"):
        ItemVocabulary.open(path)
    ItemVocabulary.from_ids(["a", "b"]).save(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoredFormatError, match="build again"):
        ItemVocabulary.open(path)
    table = pa.table({"item_id": pa.array([1.5])})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(StoredFormatError, match="double"):
        ItemVocabulary.open(path)


def test_an_id_twice_is_refused() -> None:
    with pytest.raises(DataError, match="once"):
        ItemVocabulary.from_ids(["a", "a"])
