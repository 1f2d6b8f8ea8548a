"""The kernel cache must never serve machine code of other sources, and says when it is empty."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

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
from pinnersage._kernel import none_compiled
print(none_compiled())
print(centroids(np.ones((2, 3), np.float32), np.arange(2), np.ones(2), np.zeros(2, np.int32), 1)[0, 0])
print(none_compiled())
"""


def centroid_with(package_parent: Path, *, compiled: bool) -> float:
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(package_parent)}
    )
    before, value, after = done.stdout.split()
    assert (before, after) == (str(not compiled), "False")
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
