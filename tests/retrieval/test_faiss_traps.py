"""What faiss does that this package is built around; a new faiss that changes one of these shows up here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from pinnersage.retrieval.codes import encode, scan, write_codes
from pinnersage.testing.index import clustered

_faiss: Any = faiss
INNER_PRODUCT = _faiss.METRIC_INNER_PRODUCT


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )


def test_removing_and_adding_damages_codes() -> None:
    items = clustered(2_000, 32, seed=0)
    index = _faiss.index_factory(32, "IVF16,PQ16x4fs", INNER_PRODUCT)
    index.train(items)
    index.add(items)
    index.nprobe = 16
    some = np.arange(37)

    def found() -> float:
        return float((index.search(items[some], 20)[1] == some[:, None]).any(axis=1).mean())

    assert found() == 1.0
    index.remove_ids(some)
    index.add_with_ids(items[some], some)
    assert found() < 0.9  # hence codes are written once and never changed


def test_adding_to_a_mapped_store_ends_the_process(tmp_path: Path) -> None:
    items = clustered(500, 16, seed=1)
    store = _faiss.IndexScalarQuantizer(16, _faiss.ScalarQuantizer.QT_fp16, INNER_PRODUCT)
    store.train(items)
    store.add(items)
    _faiss.write_index(store, str(tmp_path / "store"))
    done = run(
        "import faiss, numpy as np\n"
        f"index = faiss.read_index({str(tmp_path / 'store')!r}, faiss.IO_FLAG_MMAP_IFC)\n"
        "index.add(np.ones((1, 16), np.float32))\n"
    )
    assert done.returncode < 0  # killed by a signal: no exception to catch, so there is no second store
    assert "viewed vector" in done.stderr


def test_the_plain_fast_scan_type_refuses_selectors() -> None:
    items = clustered(500, 16, seed=2)
    plain = _faiss.IndexPQFastScan(16, 8, 4, INNER_PRODUCT)
    plain.train(items)
    plain.add(items)
    allowed = np.arange(500) % 2 == 0
    selector = _faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
    with pytest.raises(RuntimeError):
        plain.search(items[:1], 5, params=_faiss.SearchParameters(sel=selector))
    ours = encode(items, np.arange(500, dtype=np.int32), seed=0, n_threads=1)
    positions = scan(ours, items[:9], 250, 1, allowed)
    assert allowed[positions].all()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_which_flag_maps_the_file(tmp_path: Path) -> None:
    items = clustered(5_000, 32, seed=3)
    path = tmp_path / "codes.faiss"
    write_codes(encode(items, np.arange(5_000, dtype=np.int32), seed=0, n_threads=1), path)
    for call, mapped in (
        (f"faiss.read_index({str(path)!r}, faiss.IO_FLAG_MMAP)", False),
        (f"open_codes(Path({str(path)!r}), n_items=5000, dim=32)", True),
    ):
        done = run(
            "import faiss\nfrom pathlib import Path\nfrom pinnersage.retrieval.codes import open_codes\n"
            f"index = {call}\nprint({str(path)!r} in Path('/proc/self/maps').read_text())"
        )
        assert done.stdout.strip() == str(mapped), done.stderr


def test_saving_is_not_atomic(tmp_path: Path) -> None:
    """A save that fails leaves a damaged file under the name, over what was there before."""
    items = clustered(5_000, 32, seed=4)
    path = tmp_path / "codes.faiss"
    index = encode(items, np.arange(5_000, dtype=np.int32), seed=0, n_threads=1)
    write_codes(index, path)
    whole = path.stat().st_size
    done = run(
        "import faiss, resource, signal\n"
        f"index = faiss.read_index({str(path)!r})\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({whole // 2}, {whole // 2}))\n"
        f"faiss.write_index(index, {str(path)!r})\n"
    )
    assert done.returncode != 0
    assert path.stat().st_size < whole
