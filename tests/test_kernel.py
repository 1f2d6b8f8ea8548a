"""The kernel cache must never serve machine code of other sources, and says when it is empty."""

from __future__ import annotations

import importlib
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pinnersage
from pinnersage import _kernel
from pinnersage._kernel import kernel

DOUBLE = """
from pinnersage._kernel import kernel

def double(values):
    return values + values
"""
PROBE = """
import numpy as np
from pinnersage.interests.exact import squared_difference
from pinnersage.interests.medoid import centroids
from pinnersage._machine_code import when_compiling
when_compiling(lambda: print("compiling"))
print(centroids(np.ones((2, 3), np.float32), np.arange(2), np.ones(2), np.zeros(2, np.int32), 1)[0, 0])
"""


def write_nothing() -> None:
    """Let no file get a single byte."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def centroid_with(
    package_parent: Path, *, compiled: bool, can_write: bool = True, **environment: object
) -> float:
    """Return what a process of its own computes, after asserting whether it had machine code."""
    command = [sys.executable, "-c", PROBE]
    env = {"PYTHONPATH": str(package_parent)} | {k: str(v) for k, v in environment.items()}
    before = None if can_write else write_nothing
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env, preexec_fn=before)
    *told, value = done.stdout.split()
    assert told == ([] if compiled else ["compiling"])
    return float(value)


def test_a_change_in_an_inlined_module_recompiles_its_callers(tmp_path: Path) -> None:
    """``centroids`` stands in another file than ``add_scaled``, which it inlines."""
    copy = tmp_path / "pinnersage"
    shutil.copytree(Path(pinnersage.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert centroid_with(tmp_path, compiled=False) == 1.0
    assert centroid_with(tmp_path, compiled=True) == 1.0
    inlined = copy / "interests" / "exact.py"
    before = inlined.read_text()
    after = before.replace("total[k] += scale *", "total[k] += 2.0 * scale *")
    assert after != before
    inlined.write_text(after)
    assert centroid_with(tmp_path, compiled=False) == 2.0


def test_code_of_one_type_is_never_taken_for_that_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes begin without a cache, and each writes between two steps of the other."""
    (tmp_path / "doubling.py").write_text(DOUBLE)
    monkeypatch.syspath_prepend(tmp_path)
    double = importlib.import_module("doubling").double
    one, other = kernel(double), kernel(double)
    file, its_file = one._cache._cache_file, other._cache._cache_file
    save_data = file._save_data

    def save_late(name: str, data: object) -> None:
        monkeypatch.setattr(its_file, "_load_index", dict)  # It looked before either had written.
        assert other(np.ones((2, 2))).tolist() == [[2.0, 2.0]] * 2
        save_data(name, data)

    monkeypatch.setattr(file, "_save_data", save_late)
    assert one(np.float32(3)) == 6
    later = kernel(double)
    assert later(np.ones((2, 2))).tolist() == [[2.0, 2.0]] * 2
    assert later(np.float32(3)) == 6
    assert later.stats.cache_hits


def test_code_of_earlier_sources_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tripling.py").write_text(DOUBLE)
    monkeypatch.syspath_prepend(tmp_path)
    double = importlib.import_module("tripling").double
    for digest in ("before", "after"):
        monkeypatch.setattr(_kernel, "_DIGEST", digest)
        made = kernel(double)
        made(1)
        assert len(list(tmp_path.rglob("*.nbc"))) == 1
        made(1.5)
        assert len(list(tmp_path.rglob("*.nbc"))) == 2


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return where a copy of the package lies, of which nothing is compiled."""
    parent = tmp_path / "site-packages"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(pinnersage.__file__).parent, parent / "pinnersage", ignore=ignored)
    return parent


def test_without_a_place_for_machine_code_kernels_run_all_the_same(package: Path) -> None:
    """A user without a home and a package that belongs to root, or a disk that is full."""
    for _ in range(2):
        assert centroid_with(package, compiled=False, can_write=False) == 1.0
    assert not list(package.rglob("*.nb?"))


def test_machine_code_that_is_there_is_used_where_nothing_can_be_written(
    package: Path, tmp_path: Path
) -> None:
    """An image that was warmed, and is mounted for reading."""
    wheres: list[dict[str, Any]] = [{}, {"NUMBA_CACHE_DIR": tmp_path / "given"}]
    for where in wheres:
        assert centroid_with(package, compiled=False, **where) == 1.0
        assert centroid_with(package, compiled=True, can_write=False, **where) == 1.0
    assert list((tmp_path / "given").rglob("*.nbc"))


def test_beside_a_package_of_somebody_else_machine_code_is_kept_in_the_users_cache(
    package: Path, tmp_path: Path
) -> None:
    for folder in [path for path in package.rglob("*") if path.is_dir()]:
        (folder / "__pycache__").unlink(missing_ok=True)
        (folder / "__pycache__").touch()  # In the way of root, too, who may write everywhere.
    assert centroid_with(package, compiled=False, HOME=tmp_path) == 1.0
    assert centroid_with(package, compiled=True, HOME=tmp_path) == 1.0
    assert list((tmp_path / ".cache" / "pinnersage").rglob("*.nbc"))


@pytest.mark.parametrize("pattern", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("left", [b"", b"\0" * 4_096, None])
def test_machine_code_that_a_power_cut_damaged_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, left: bytes | None
) -> None:
    """Empty, full of zeros, or cut short."""
    (tmp_path / "halving.py").write_text(DOUBLE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "halving", raising=False)
    double = importlib.import_module("halving").double
    assert kernel(double)(3) == 6
    (file,) = tmp_path.rglob(pattern)
    file.write_bytes(file.read_bytes()[:-50] if left is None else left)
    again = kernel(double)
    assert (again(3), sum(again.stats.cache_hits.values())) == (6, 0)
    later = kernel(double)
    assert (later(3), sum(later.stats.cache_hits.values())) == (6, 1)
