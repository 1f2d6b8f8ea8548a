"""From tables to the items table of the contract."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.embedding.worlds import N_ITEMS, START_MS, topic_of, topical_log

from pinnersage.config import MS_PER_DAY, ImportConfig
from pinnersage.embedding.settings import EmbeddingSettings
from pinnersage.embedding.tables import EmbeddedItems, embed_tables, has_embeddings
from pinnersage.embedding.writing import check_out, write_items
from pinnersage.errors import BadRowsError, DataError, SchemaError, UsageError
from pinnersage.items.importing import import_items

WALL_CLOCK_MS = START_MS + 400 * MS_PER_DAY
CUT_MS = START_MS + 14 * MS_PER_DAY


def item_table() -> pa.Table:
    rows = np.arange(N_ITEMS)[::-1]
    return pa.table(
        {
            "item_id": [f"i{row:02d}" for row in rows],
            "title": [f"thing {row}" for row in rows],
            "category": [f"topic {'abcd'[topic]}" * 2 for topic in topic_of(rows)],
            "price": rows * 0.5,
            "created_at": pa.array([START_MS - 1_000 * int(row) for row in rows], pa.timestamp("ms", "UTC")),
            "tags": [["nested", "lists"]] * N_ITEMS,
        }
    )


def action_table() -> pa.Table:
    log = topical_log()
    return pa.table(
        {
            "user_id": [f"u{user}" for user in log.users],
            "item_id": [f"i{row:02d}" for row in log.item_rows],
            "timestamp": pa.array(log.times_ms, pa.timestamp("ms", "UTC")),
        }
    )


def embedded(
    items: Any = None, actions: Any = None, source: Any = "fused", text_model: Any = "tfidf", **more: Any
) -> EmbeddedItems:
    imports = more.pop("imports", ImportConfig())
    return embed_tables(
        item_table() if items is None else items,
        action_table() if actions is None else actions,
        settings=EmbeddingSettings(source=source, n_dimensions=12),
        text_model=text_model,
        imports=imports,
        wall_clock_ms=WALL_CLOCK_MS,
        **more,
    )


def test_scalar_columns_are_kept_and_rows_are_in_order_of_id() -> None:
    made = embedded().table
    expected = item_table().sort_by("item_id").drop_columns(["tags"])
    assert set(made.column_names) == {*expected.column_names, "embedding"}
    for name in expected.column_names:
        assert made.column(name).to_pylist() == expected.column(name).to_pylist()
    assert made.column("created_at").to_pylist()[1] == datetime.fromtimestamp(START_MS / 1_000 - 1, UTC)
    assert made.schema.field("embedding").type == pa.list_(pa.float32(), 12)
    lengths = np.linalg.norm(np.stack(made.column("embedding").to_pylist()), axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-5)


def test_an_action_that_an_event_id_overrules_is_not_learnt_from() -> None:
    actions = action_table()
    actions = actions.append_column("event_id", pa.array([f"e{i}" for i in range(len(actions))]))
    earlier = pa.array(topical_log().times_ms - MS_PER_DAY, pa.timestamp("ms", "UTC"))
    others = pa.array([f"i{(row * 7) % N_ITEMS:02d}" for row in topical_log().item_rows])
    overruled = actions.set_column(2, "timestamp", earlier).set_column(1, "item_id", others)
    twice = pa.concat_tables([overruled, actions])
    assert embedded(actions=twice).table.equals(embedded(actions=actions).table)


@pytest.mark.parametrize("source", ["log", "fused"])
def test_later_actions_change_no_byte_of_the_file(tmp_path: Path, source: str) -> None:
    actions = action_table()
    early = actions.filter(
        pa.compute.less(actions["timestamp"], pa.scalar(CUT_MS, pa.timestamp("ms", "UTC")))
    )
    later = pa.table(
        {
            "user_id": ["u1", "u1", "new"],
            "item_id": ["i00", "i23", "i23"],
            "timestamp": pa.array([CUT_MS, CUT_MS, CUT_MS + 1], pa.timestamp("ms", "UTC")),
        }
    )
    written = []
    for number, log in enumerate([actions, early, pa.concat_tables([early, later])]):
        made = embedded(actions=log, source=source, until_ms=CUT_MS)
        assert made.n_actions == early.num_rows
        write_items(made.table, tmp_path / f"{number}.parquet")
        written.append((tmp_path / f"{number}.parquet").read_bytes())
    assert written[0] == written[1] == written[2]


def growing_catalogue() -> tuple[pa.Table, pa.Table, list[bool]]:
    """Return items of which the last of each topic is born at the cut, their log, and which those are."""
    items, late = item_table(), [int(name[1:]) % 6 == 5 for name in item_table()["item_id"].to_pylist()]
    born = [CUT_MS if is_late else START_MS for is_late in late]
    at = items.schema.get_field_index("created_at")
    items = items.set_column(at, "created_at", pa.array(born, pa.timestamp("ms", "UTC")))
    names = {name for name, is_late in zip(items["item_id"].to_pylist(), late, strict=True) if is_late}
    there = [row["item_id"] not in names for row in action_table().to_pylist()]
    return items, action_table().filter(pa.array(there)), late


def changed_titles(items: pa.Table, late: list[bool]) -> pa.Table:
    """Return items whose late ones have many words that no other has, and some that others have."""
    titles = [
        f"zebra quantum lamp {i} thing topic aa" if is_late else title
        for i, (title, is_late) in enumerate(zip(items["title"].to_pylist(), late, strict=True))
    ]
    return items.set_column(items.schema.get_field_index("title"), "title", pa.array(titles))


@pytest.mark.parametrize("source", ["text", "fused"])
@pytest.mark.parametrize("births", ["created_at", "first action"])
def test_items_not_born_before_the_cut_change_no_bit_of_the_others(source: str, births: str) -> None:
    items, actions, late = growing_catalogue()
    if births == "first action":
        items = items.drop_columns(["created_at"])
    there = pa.array([not is_late for is_late in late])
    known = items.filter(there)["item_id"].to_pylist()
    found = []
    for table in (items, changed_titles(items, late), items.filter(there)):
        made = embedded(table, actions, source, until_ms=CUT_MS).table
        found.append({row["item_id"]: row["embedding"] for row in made.to_pylist()})
    assert {*found[2]} == {*known} < {*found[0]}
    for other in found[1:]:
        assert [other[name] for name in known] == [found[0][name] for name in known]


def test_without_a_cut_all_items_are_learnt_from() -> None:
    items, actions, late = growing_catalogue()
    one, two = (embedded(table, actions, "text").table for table in (items, changed_titles(items, late)))
    assert one["embedding"] != two["embedding"]


def test_texts_at_a_cut_need_something_that_tells_births() -> None:
    items, actions, _ = growing_catalogue()
    plain: dict[str, Any] = {"settings": EmbeddingSettings("text"), "imports": ImportConfig()}
    plain |= {"wall_clock_ms": WALL_CLOCK_MS, "until_ms": CUT_MS}
    made = embed_tables(items, None, **plain)
    assert (made.actions_report, made.until_ms, made.n_actions) == (None, CUT_MS, 0)
    bare = items.drop_columns(["created_at"])
    assert embed_tables(bare, actions, **plain).actions_report is not None
    with pytest.raises(UsageError, match="until: expected a column created_at or a table of actions"):
        embed_tables(bare, None, **plain)
    with pytest.raises(DataError, match="items: expected some created or acted on before"):
        embed_tables(items, actions, **(plain | {"until_ms": START_MS}))


def test_an_action_without_weight_shows_that_its_item_was_there() -> None:
    items, actions, late = growing_catalogue()
    items = items.drop_columns(["created_at"])
    doubted = pa.table({"user_id": ["u1"], "item_id": ["i05"]}).append_column(
        "timestamp", pa.array([CUT_MS - 1], pa.timestamp("ms", "UTC"))
    )
    weights = pa.array([1.0] * actions.num_rows + [0.0])
    weighed = pa.concat_tables([actions, doubted]).append_column("weight", weights)
    known = pa.array(sorted(set(actions["item_id"].to_pylist())))
    one, two = (
        embedded(table, weighed, "text", until_ms=CUT_MS).table
        for table in (items, changed_titles(items, late))
    )
    one, two = (made.filter(pa.compute.is_in(made["item_id"], known))["embedding"] for made in (one, two))
    assert one != two


def test_without_a_cut_the_newest_action_counts() -> None:
    made = embedded(source="log")
    log = topical_log()
    assert made.n_actions == len(log.users)
    assert made.until_ms == log.times_ms.max() + 1
    assert made.n_items_in_log == len(set(log.item_rows.tolist()))


def test_actions_without_weight_say_nothing() -> None:
    actions = action_table()
    doubted = pa.table({"user_id": ["u1"] * 2, "item_id": ["i00", "i23"]}).append_column(
        "timestamp", pa.array([START_MS] * 2, pa.timestamp("ms", "UTC"))
    )
    weights = pa.array([1.0] * actions.num_rows + [0.0] * 2)
    weighed = pa.concat_tables([actions, doubted]).append_column("weight", weights)
    assert embedded(actions=weighed).table.equals(embedded(actions=actions).table)


def test_items_of_which_nothing_is_known_are_left_out_and_counted() -> None:
    lonely = pa.table({"item_id": ["zz"], "title": ["?"], "category": [""]})
    items = pa.concat_tables([item_table(), lonely], promote_options="default")
    for source in ("text", "log", "fused"):
        made = embedded(items, source=source)
        assert (made.table.num_rows, made.n_without) == (N_ITEMS, 1), source


def test_given_embeddings_stand_for_the_texts() -> None:
    one_hot = np.eye(N_ITEMS, 6)[:, ::-1] + 1.0
    items = item_table().select(["item_id"]).append_column("embedding", pa.array(one_hot.tolist()))
    made = embedded(items, None, "text", "given").table
    expected = one_hot[::-1] / np.linalg.norm(one_hot[::-1], axis=1, keepdims=True)
    np.testing.assert_allclose(np.stack(made.column("embedding").to_pylist()), expected, atol=1e-6)
    assert embedded(items, source="fused", text_model="given").table.num_rows == N_ITEMS


def test_csv_and_mapped_columns_give_the_same(tmp_path: Path) -> None:
    plain = item_table().select(["item_id", "title", "category"])
    lines = [f"{row['item_id']},{row['title']},{row['category']}" for row in plain.to_pylist()]
    (tmp_path / "items.csv").write_text("\n".join(["asin,title,category", *lines]) + "\n")
    imports = ImportConfig(columns={"item_id": "asin"})
    assert embedded(tmp_path / "items.csv", imports=imports).table.equals(embedded(plain).table)


def test_what_cannot_be_embedded_is_refused() -> None:
    settings = EmbeddingSettings()
    with pytest.raises(UsageError, match="table of actions"):
        embed_tables(
            item_table(), None, settings=settings, imports=ImportConfig(), wall_clock_ms=WALL_CLOCK_MS
        )
    with pytest.raises(DataError, match=r"expected some before .* pass a later --until"):
        embedded(until_ms=START_MS)
    with pytest.raises(SchemaError, match="--from log"):
        embedded(item_table().select(["item_id", "price"]))
    with pytest.raises(DataError, match="--session-days 0"):
        embedded(actions=action_table().slice(0, 1), source="log")
    with pytest.raises(BadRowsError):
        embedded(pa.concat_tables([item_table()] * 2))


def test_a_table_that_has_embeddings_is_told_from_one_that_has_none(tmp_path: Path) -> None:
    plain = item_table()
    assert not has_embeddings(plain, ImportConfig())
    named = plain.append_column("e", pa.array([[1.0]] * N_ITEMS))
    assert has_embeddings(named, ImportConfig(columns={"embedding": "e"}))
    pq.write_table(plain, tmp_path / "items.parquet")
    assert not has_embeddings(tmp_path / "items.parquet", ImportConfig())
    np.save(tmp_path / "items.npy", np.ones((N_ITEMS, 2)))
    assert has_embeddings(tmp_path / "items.parquet", ImportConfig())


def test_ids_and_attributes_can_be_imported_alone(tmp_path: Path) -> None:
    broken = item_table().append_column("embedding", pa.nulls(N_ITEMS, pa.list_(pa.float32())))
    table, report = import_items(broken, tmp_path / "items", ImportConfig(), without_embeddings=True)
    assert (report.n_good, report.n_bad) == (N_ITEMS, 0)
    assert table.embeddings.shape == (N_ITEMS, 1)
    assert table.attributes.column_names == ["title", "category", "created_at_ms", "price"]


@pytest.mark.parametrize("name", ["items.csv", "no/such/folder.parquet", "folder.parquet", "in.parquet"])
def test_names_that_cannot_be_written_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "in.parquet").touch()
    with pytest.raises(UsageError, match=r"^out: expected"):
        check_out(tmp_path / name, tmp_path / "in.parquet")


def test_what_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    out.write_bytes(b"before")
    unwritable = pa.table({"x": pa.array([None], pa.month_day_nano_interval())})
    with pytest.raises(DataError):
        write_items(unwritable, out)
    assert out.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [out]
