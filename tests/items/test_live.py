"""The catalogue as it changes: rows, ids, candidates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage.errors import StoredFormatError, UnavailableError, UsageError
from pinnersage.items._spare import map_with_spare_rows
from pinnersage.items.live import GONE, LiveItems
from pinnersage.items.table import ItemTable
from pinnersage.items.vocabulary import ItemVocabulary


def catalogue(ids: list[str] | list[int], n_spare: int = 4, min_quality: float | None = None) -> LiveItems:
    vocabulary = ItemVocabulary.from_ids(ids)
    known = np.eye(len(ids), 3, dtype=np.float32) + np.float32(0.1)
    table = ItemTable(
        known, vocabulary, pa.table({"title": list(map(str, ids))}), np.ones(len(ids), np.bool_)
    )
    room = np.vstack([known, np.zeros((n_spare, 3), np.float32)])
    return LiveItems(table, room, table.pool, normalize=True, min_quality=min_quality)


def test_ids_are_taken_in_the_catalogues_type() -> None:
    numbers, texts = catalogue([1, 2]).vocabulary, catalogue(["1", "b"]).vocabulary
    given: list[int | str] = [7, "7", "-7", "--7", "07", "b"]
    assert [numbers.as_own(item) for item in given] == [7, 7, -7, "--7", "07", "b"]
    assert [texts.as_own(item) for item in given] == ["7", "7", "-7", "--7", "07", "b"]


def test_a_new_item_gets_a_row_behind_the_others() -> None:
    items = catalogue(["a", "b"])
    assert items.put("c", items.scaled([3, 0, 4]), {"title": "new"}) == (2, True)
    assert items.embeddings[2].tolist() == [np.float32(0.6), 0.0, np.float32(0.8)]
    assert (len(items), items.n_new, items.n_items, items.vocabulary.row_of("c")) == (3, 1, 3, 2)
    assert items.vocabulary.ids_of([2, 0]) == ["c", "a"]
    assert (items.attributes_of(2), items.attributes_of(0)) == ({"title": "new"}, {"title": "a"})


def test_the_same_embedding_keeps_the_row() -> None:
    items = catalogue(["a", "b"])
    assert items.put("b", np.array(items.embeddings[1]), {"title": "other", "available": False}) == (1, False)
    assert (items.n_new, bool(items.pool[1]), items.attributes_of(1)["title"]) == (0, False, "other")


def test_another_embedding_retires_the_row() -> None:
    items = catalogue(["a", "b"])
    row, is_new = items.put("b", items.scaled([0, 0, 1]), {})
    assert (row, is_new, items.n_items) == (2, True, 2)
    assert (items.current_rows[1], bool(items.pool[1]), bool(items.pool[2])) == (2, False, True)


def test_an_item_taken_out_is_gone_until_it_is_put_again() -> None:
    items = catalogue(["a", "b"])
    assert items.remove("b") == 1
    assert items.remove("b") is None
    assert (items.vocabulary.row_of("b"), items.current_rows[1], items.n_items) == (None, GONE, 1)
    row, _ = items.put("b", items.scaled([1, 1, 0]), {})
    assert (items.current_rows[1], items.vocabulary.row_of("b"), row) == (2, 2, 2)


def test_integer_ids_are_the_same_as_their_text() -> None:
    items = catalogue([5, 7])
    items.put(6, items.scaled([1, 0, 0]), {})
    assert items.vocabulary.row_of("6") == items.vocabulary.row_of(6) == 2
    assert items.remove("7") == 1
    assert items.vocabulary.rows_of(["7", 5, "x"]).tolist() == [-1, 0, -1]


def test_quality_and_availability_decide_who_is_a_candidate() -> None:
    items = catalogue(["a"], min_quality=0.5)
    extras: dict[str, dict[str, object]] = {
        "b": {"quality": 0.4},
        "c": {"quality": 0.5},
        "d": {"available": False},
    }
    rows = [items.put(name, items.scaled([1, 0, len(extra)]), extra)[0] for name, extra in extras.items()]
    assert items.pool[rows].tolist() == [False, True, False]


def test_when_all_rows_are_used_it_says_so() -> None:
    items = catalogue(["a"], n_spare=1)
    items.put("b", items.scaled([1, 0, 0]), {})
    with pytest.raises(UnavailableError, match="open the model again"):
        items.put("c", items.scaled([0, 1, 0]), {})
    assert items.vocabulary.row_of("c") is None


@pytest.mark.parametrize(
    ("embedding", "fault"),
    [([1, 2], "3 numbers"), ([0, 0, 0], "all values are 0"), ([1, 2, float("nan")], "not finite"),
     ([1, 2, "x"], "numbers"), ([[1, 2, 3]], "shape"), ([1e300, 1, 10**400], "numbers")],
)  # fmt: skip
def test_bad_embeddings_are_refused(embedding: list[float], fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        catalogue(["a"]).scaled(embedding)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-1, 3)), max_size=15))
def test_it_stands_for_what_a_dictionary_says(steps: list[tuple[str, int]]) -> None:
    items, held = catalogue(["a", "b"], n_spare=20), {"a": None, "b": None}
    vectors = {name: np.array(items.embeddings[row]) for row, name in enumerate("ab")}
    for name, direction in steps:
        if direction < 0:
            items.remove(name)
            held.pop(name, None)
            vectors.pop(name, None)
        else:
            vectors[name] = np.eye(4, 3, k=direction - 1, dtype=np.float32)[0] + np.float32(direction)
            held[name] = None
            items.put(name, vectors[name], {})
    for name in "abcd":
        row = items.vocabulary.row_of(name)
        assert (row is not None) == (name in held)
        if row is not None:
            assert items.embeddings[row].tolist() == vectors[name].tolist()
            assert items.pool[row]
    assert int(items.pool.sum()) == items.n_items == len(held)
    for old in range(len(items)):
        now = items.vocabulary.row_of(items.vocabulary.id_of(old))
        assert items.current_rows[old] == (GONE if now is None else now)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("n_rows", [1, 7, 2_000])
def test_spare_rows_follow_those_of_the_file(tmp_path: Path, n_rows: int, dtype: type) -> None:
    matrix: np.ndarray = np.random.default_rng(0).normal(size=(n_rows, 5)).astype(dtype)
    np.save(tmp_path / "m.npy", matrix)
    mapped = map_with_spare_rows(tmp_path / "m.npy", 3_000)
    assert mapped.shape == (n_rows + 3_000, 5)
    assert np.array_equal(mapped[:n_rows], matrix)
    assert not mapped[n_rows:].any()
    mapped[n_rows:] = 1.5
    assert np.array_equal(np.load(tmp_path / "m.npy"), matrix)
    assert mapped[n_rows:].sum() == 1.5 * 5 * 3_000


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.npy").write_bytes(b"no matrix")
    with pytest.raises(StoredFormatError, match="build again"):
        map_with_spare_rows(tmp_path / "m.npy", 1)
