from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pinnersage.config import IndexConfig
from pinnersage.errors import ModelNotFoundError, StoredFormatError, UsageError
from pinnersage.retrieval import tuning
from pinnersage.retrieval.faiss_index import build_index, open_index
from pinnersage.retrieval.manifest import FORMAT_VERSION, MANIFEST, read_manifest
from pinnersage.testing.index import clustered

EMBEDDINGS = clustered(1_000, 16, seed=0)


@pytest.fixture(autouse=True)
def _tuned_for_small_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "TUNED_KS", (5,))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    build_index(EMBEDDINGS, np.ones(1_000, np.bool_), tmp_path / "index", IndexConfig(exact_below=0), 1)
    return tmp_path / "index"


def test_round_trip(built: Path, tmp_path: Path) -> None:
    manifest = build_index(
        EMBEDDINGS, np.ones(1_000, np.bool_), tmp_path / "b", IndexConfig(exact_below=0), 1
    )
    assert read_manifest(built) == manifest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "index"]


@pytest.mark.parametrize("name", ["codes.faiss", "rows.npy", MANIFEST])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "longer"])
def test_damage_is_noticed(built: Path, name: str, damage: str) -> None:
    path = built / name
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        content[len(content) // 3] ^= 0xFF
        path.write_bytes(
            {"flip": bytes(content), "cut": bytes(content[:-9]), "longer": path.read_bytes() + b"x"}[damage]
        )
    with pytest.raises((StoredFormatError, ModelNotFoundError)):
        open_index(built, EMBEDDINGS)


def test_a_newer_format_is_refused(built: Path) -> None:
    fields = json.loads((built / MANIFEST).read_text())
    fields.update(format_version=FORMAT_VERSION + 1, something_new=1)
    (built / MANIFEST).write_text(json.dumps(fields))
    with pytest.raises(StoredFormatError, match="upgrade"):
        open_index(built, EMBEDDINGS)


def test_file_names_cannot_leave_the_directory(built: Path) -> None:
    fields = json.loads((built / MANIFEST).read_text())
    fields["files"]["../rows.npy"] = fields["files"].pop("rows.npy")
    (built / MANIFEST).write_text(json.dumps(fields))
    (built.parent / "rows.npy").write_bytes((built / "rows.npy").read_bytes())
    with pytest.raises(StoredFormatError):
        open_index(built, EMBEDDINGS)


def test_no_index_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="build first"):
        open_index(tmp_path, EMBEDDINGS)


def test_an_empty_directory_is_filled_and_a_full_one_refused(built: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in built.iterdir()}
    with pytest.raises(UsageError, match="empty directory"):
        build_index(EMBEDDINGS, np.ones(1_000, np.bool_), built, IndexConfig(), 1)
    assert {path.name: path.read_bytes() for path in built.iterdir()} == before
    (tmp_path / "empty").mkdir()
    build_index(EMBEDDINGS, np.ones(1_000, np.bool_), tmp_path / "empty", IndexConfig(), 1)
    assert read_manifest(tmp_path / "empty").kind == "exact"


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(EMBEDDINGS, np.ones(1_000, np.bool_), tmp_path / "x", IndexConfig(exact_below=0), 1, stop)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_build_leaves_no_index_under_the_name(tmp_path: Path) -> None:
    code = (
        "import sys, time, numpy as np\nfrom pathlib import Path\n"
        "from pinnersage.config import IndexConfig\n"
        "from pinnersage.retrieval.faiss_index import build_index\n"
        "def wait(*_):\n    print('encoding', flush=True)\n    time.sleep(60)\n"
        "items = np.random.default_rng(0).standard_normal((2000, 16)).astype(np.float32)\n"
        f"build_index(items, np.ones(2000, bool), Path({str(tmp_path / 'index')!r}), "
        "IndexConfig(exact_below=0), 1, wait)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "encoding\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "index").exists()
    with pytest.raises(ModelNotFoundError):
        open_index(tmp_path / "index", EMBEDDINGS)
