from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
import numpy.typing as npt
import pytest

from pinnersage._arrays import Bools
from pinnersage.config import IndexConfig
from pinnersage.errors import StoredFormatError, UsageError
from pinnersage.retrieval import codes, tuning
from pinnersage.retrieval.base import VectorIndex
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.retrieval.faiss_index import CODES_FILE, FaissIndex, build_index, open_index
from pinnersage.testing.index import VectorIndexSuite, clustered

ALWAYS_CODES = IndexConfig(exact_below=0)
SMALL_KS = (10, 40)


@pytest.fixture(autouse=True)
def _tuned_for_small_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep ``k`` as small beside a pool of thousands as 400 is beside a hundred thousand."""
    monkeypatch.setattr(tuning, "TUNED_KS", SMALL_KS)


def everything(embeddings: npt.NDArray[Any]) -> Bools:
    return np.ones(len(embeddings), np.bool_)


class TestOneList(VectorIndexSuite):
    recall = 0.97
    dtype: type = np.float32
    built: ClassVar[dict[tuple[str, bytes], Path]] = {}

    def make(self, embeddings: npt.NDArray[Any], pool: Bools, folder: Path) -> VectorIndex:
        """Build once for the class, open anew for each test."""
        stored: npt.NDArray[Any] = embeddings.astype(self.dtype)
        folder = self.built.setdefault((type(self).__name__, stored[:50].tobytes()), folder)
        if not folder.exists():
            build_index(stored, pool, folder, ALWAYS_CODES, n_threads=2)
        return open_index(folder, stored)

    def test_is_not_the_exact_one(self, index: VectorIndex) -> None:
        assert isinstance(index, FaissIndex)

    def test_search_after_close(self, index: VectorIndex) -> None:
        index.close()
        with pytest.raises(UsageError, match="closed"):
            index.search(np.ones((1, 16), np.float32), 1)


class TestHalves(TestOneList):
    dtype = np.float16

    def test_shapes_types_and_order(self, index: VectorIndex, embeddings: Any, pool: Bools) -> None:
        scores, rows = index.search(embeddings[:7], 50)
        half = embeddings.astype(np.float16).astype(np.float64)
        np.testing.assert_allclose(scores, np.einsum("qd,qkd->qk", embeddings[:7], half[rows]), atol=1e-5)


class TestManyLists(TestOneList):
    @pytest.fixture(autouse=True)
    def _lists_for_small_pools(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(codes, "ONE_LIST_UP_TO", 100)

    def test_has_many_lists(self, embeddings: Any, pool: Bools, tmp_path: Path) -> None:
        manifest = build_index(embeddings, pool, tmp_path / "many", ALWAYS_CODES, n_threads=1)
        # 2400 items: 4 sqrt(2400) = 196 is nearest to 2^8 on a log scale
        assert manifest.factory == "IVF256,PQ8x4fs"
        assert all(s.nprobe > 1 for s in manifest.settings)


def test_scores_are_those_of_the_exact_index(tmp_path: Path) -> None:
    embeddings = clustered(4_000, 32, seed=2)
    build_index(embeddings, everything(embeddings), tmp_path / "index", ALWAYS_CODES, 1)
    near_scores, near_rows = open_index(tmp_path / "index", embeddings).search(embeddings[:50], 20)
    true_scores, true_rows = ExactIndex(embeddings).search(embeddings[:50], 20)
    same = near_rows == true_rows
    assert same.mean() > 0.9
    np.testing.assert_array_equal(near_scores[same], true_scores[same])


@pytest.mark.parametrize("dim", [1, 2, 3, 7, 8, 9, 10, 15, 30, 49, 100])
def test_any_width(dim: int, tmp_path: Path) -> None:
    embeddings = clustered(1_500, dim, seed=dim)
    manifest = build_index(embeddings, everything(embeddings), tmp_path / "index", ALWAYS_CODES, 1)
    index = open_index(tmp_path / "index", embeddings)
    assert manifest.kind == ("exact" if dim < codes.SMALLEST_DIM else manifest.kind)
    scores, _ = index.search(embeddings[:20], 10)
    true_scores, _ = ExactIndex(embeddings).search(embeddings[:20], 10)
    assert (scores >= true_scores[:, -1:]).mean() > 0.95


@pytest.mark.parametrize(
    ("n_items", "lists"), [(1, 1), (20_000, 1), (200_000, 1), (200_001, 2_048), (1_000_000, 4_096)]
)
def test_parts_of_the_inverted_file(n_items: int, lists: int) -> None:
    # 4 sqrt(200001) = 1789, nearest power of two on a log scale 2048; 4 sqrt(10^6) = 4000 -> 4096
    assert codes.n_lists(n_items) == lists
    assert codes.factory(n_items, 256) == f"IVF{lists},PQ128x4fs"
    assert codes.factory(n_items, 49) == f"IVF{lists},PQ25x4fs"


def test_small_pools_are_exact(tmp_path: Path) -> None:
    embeddings = clustered(300, 16, seed=0)
    manifest = build_index(
        embeddings, everything(embeddings), tmp_path / "index", IndexConfig(exact_below=301), 1
    )
    assert manifest.kind == "exact"
    assert "fewer than 301" in manifest.reason
    assert isinstance(open_index(tmp_path / "index", embeddings), ExactIndex)


@pytest.mark.parametrize("n_pool", [0, 1, 2, 5])
def test_tiny_pools(n_pool: int, tmp_path: Path) -> None:
    embeddings = clustered(40, 16, seed=0)
    pool = np.arange(40) < n_pool
    build_index(embeddings, pool, tmp_path / "index", ALWAYS_CODES, 1)
    _, rows = open_index(tmp_path / "index", embeddings).search(embeddings[:1], 6)
    assert np.sort(rows[0])[::-1].tolist() == sorted(range(n_pool), reverse=True) + [-1] * (6 - n_pool)


def test_codes_below_the_target_are_never_published(tmp_path: Path) -> None:
    """Noise without clusters, in few codes: no affordable setting finds all neighbors."""
    noise = np.random.default_rng(0).standard_normal((2_000, 64)).astype(np.float32)
    manifest = build_index(
        noise, everything(noise), tmp_path / "index", IndexConfig(exact_below=0, target_recall=1.0), 1
    )
    assert manifest.kind == "exact"
    assert "below 1.0 even at the widest setting" in manifest.reason
    assert not (tmp_path / "index" / CODES_FILE).exists()
    assert open_index(tmp_path / "index", noise).search(noise[:5], 1)[1][:, 0].tolist() == [0, 1, 2, 3, 4]


def test_every_tuned_k_reaches_the_target(tmp_path: Path) -> None:
    embeddings = clustered(4_000, 32, seed=3)
    manifest = build_index(embeddings, everything(embeddings), tmp_path / "index", ALWAYS_CODES, 1)
    assert manifest.kind == "codes"
    assert [s.k for s in manifest.settings] == list(SMALL_KS)
    index, exact = open_index(tmp_path / "index", embeddings), ExactIndex(embeddings)
    queries = np.random.default_rng(9).choice(embeddings, 200, replace=False)
    for k in SMALL_KS:
        worst = exact.search(queries, k)[0][:, -1:]
        # other queries than those tuned on: leave four standard errors of a share measured on 200 queries
        assert (index.search(queries, k)[0] >= worst).mean() >= 0.99 - 4 * np.sqrt(0.99 * 0.01 / 200)


@pytest.mark.parametrize("one_list_up_to", [10_000, 100])
def test_same_bytes_at_any_thread_count(
    one_list_up_to: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "ONE_LIST_UP_TO", one_list_up_to)
    embeddings = clustered(6_000, 32, seed=4)
    config = IndexConfig(exact_below=0, target_recall=0.9)
    for n_threads in (1, 2):
        manifest = build_index(
            embeddings, everything(embeddings), tmp_path / f"{n_threads}", config, n_threads
        )
        assert manifest.kind == "codes"
    assert (tmp_path / "1" / CODES_FILE).read_bytes() == (tmp_path / "2" / CODES_FILE).read_bytes()
    assert (tmp_path / "1" / "index.json").read_bytes() == (tmp_path / "2" / "index.json").read_bytes()


def test_faiss_thread_settings_do_not_leak(tmp_path: Path) -> None:
    embeddings = clustered(2_000, 16, seed=5)
    before = faiss.omp_get_max_threads()
    try:
        faiss.omp_set_num_threads(3)
        build_index(embeddings, everything(embeddings), tmp_path / "index", ALWAYS_CODES, 1)
        open_index(tmp_path / "index", embeddings).search(embeddings[:1], 5)
        assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)


def test_searches_run_on_one_thread_wherever_they_are_called() -> None:
    """The setting belongs to the calling thread, so it is made around every call."""
    inside: list[int] = []

    def ask() -> None:
        with codes.faiss_threads(1):
            inside.append(faiss.omp_get_max_threads())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert inside == [1]


def test_progress_counts_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "ADD_BLOCK", 800)
    embeddings = clustered(2_000, 16, seed=6)
    told: list[tuple[int, int]] = []
    build_index(
        embeddings,
        everything(embeddings),
        tmp_path / "index",
        ALWAYS_CODES,
        1,
        progress=lambda *n: told.append(n),
    )
    assert told == [(800, 2_000), (1_600, 2_000), (2_000, 2_000)]


def test_another_matrix_is_refused(tmp_path: Path) -> None:
    embeddings = clustered(500, 16, seed=7)
    build_index(embeddings, everything(embeddings), tmp_path / "index", ALWAYS_CODES, 1)
    with pytest.raises(StoredFormatError, match="same build"):
        open_index(tmp_path / "index", embeddings[:-1])
