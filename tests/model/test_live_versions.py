"""Embeddings change as a whole: items put online with the ones before must not stand among the new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.model.test_live import CONFIG, VECTORS, items, log, records, table

from pinnersage import PinnerSage
from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError
from pinnersage.model.live import LiveModel
from pinnersage.streaming.events import NewAction

ROTATION = np.linalg.qr(np.random.default_rng(7).standard_normal((10, 10)))[0].astype(np.float32)
OLD, NEW = VECTORS[55].tolist(), (VECTORS[55] @ ROTATION).tolist()
MINE = NewAction("u0", "novel", log()[199].time_ms)


def build(home: Path, version: str | None, rotated: bool = False, extra: bool = False) -> None:
    embeddings = np.array(items()["embedding"].to_pylist(), np.float32)
    ids = items()["item_id"].to_pylist()
    if rotated:
        embeddings = embeddings @ ROTATION
    if extra:
        ids, embeddings = [*ids, "novel"], np.vstack((embeddings, NEW))
    tables = pa.table({"item_id": ids, "embedding": embeddings.tolist()})
    imports = CONFIG.imports.model_copy(update={"embedding_version": version})
    config: BuildConfig = CONFIG.model_copy(update={"imports": imports})
    actions = [*log()[:200], MINE] if extra else log()[:200]
    PinnerSage.build(tables, table(actions), path=home, config=config).close()


def neighbors(live: LiveModel) -> set[str]:
    found = live.neighbors("i00", 60)["neighbors"]
    return {str(one["item_id"]) for one in found}


@pytest.mark.parametrize(("first", "second"), [("v1", "v2"), (None, "v2"), ("v1", None)])
def test_an_item_put_with_the_embeddings_before_waits_for_the_new(
    tmp_path: Path, first: str | None, second: str | None
) -> None:
    home = tmp_path / "m"
    build(home, first)
    with LiveModel(home) as live:
        live.put_item("novel", OLD, {"title": "new"})
        assert live.add_actions([MINE])[0].status == "accepted"
        assert "novel" in neighbors(live)
    build(home, second, rotated=True)
    with LiveModel(home) as live:
        assert "novel" not in neighbors(live)
        assert live.status()["journal"]["n_items_left_out"] == 1
        assert live.verify().to_dict()["ok"]
        assert live.put_item("novel", NEW)["n_applied"] == 1
        assert live.verify().to_dict()["ok"]
        build(tmp_path / "fresh", second, rotated=True, extra=True)
        with LiveModel(tmp_path / "fresh") as fresh:
            assert records(live) == records(fresh)
        live.compact()
        live.rollback("00000001")
        assert live.neighbors("novel", 5)["neighbors"] == before(tmp_path, first)
        assert live.verify().to_dict()["ok"]


def before(tmp_path: Path, version: str | None) -> list[object]:
    build(tmp_path / "again", version)
    with LiveModel(tmp_path / "again") as live:
        live.put_item("novel", OLD)
        found: list[object] = live.neighbors("novel", 5)["neighbors"]
        return found


def test_the_same_embeddings_keep_the_item(tmp_path: Path) -> None:
    for _ in range(2):
        build(tmp_path / "m", "v1")
        with LiveModel(tmp_path / "m") as live:
            live.put_item("novel", OLD, {"embedding_version": "v1"})
    build(tmp_path / "m", "v1")
    with LiveModel(tmp_path / "m") as live:
        assert "novel" in neighbors(live)


@pytest.mark.parametrize(("own", "given"), [("v1", "v2"), (None, "v2")])
def test_an_embedding_of_another_version_is_refused(tmp_path: Path, own: str | None, given: str) -> None:
    build(tmp_path / "m", own)
    with LiveModel(tmp_path / "m") as live:
        with pytest.raises(UsageError, match=f"^embedding_version: .*got '{given}'; build it anew"):
            live.put_item("novel", OLD, {"embedding_version": given})
        assert "novel" not in neighbors(live)
        assert live.journal().heads().all == 0
