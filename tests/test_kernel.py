"""The kernel cache must never serve machine code of other sources, and says when it is empty."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pinnersage

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
