"""What bounds the table engine in a container: files as kernels write them, in a directory of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinnersage._tables.engine import open_engine
from pinnersage._tables.memory import MB, container_limit_bytes, engine_limit_mb

UNBOUNDED = 9_223_372_036_854_771_712  # what version 1 says of a group without a bound


def kernel(root: Path, groups: str, **bounds: object) -> Path:
    files = {"proc/self/cgroup": groups} | {name.replace("__", "/"): str(b) for name, b in bounds.items()}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def test_version_2_the_smallest_of_all_groups_counts(tmp_path: Path) -> None:
    root = kernel(tmp_path, "0::/a/b")
    base = tmp_path / "sys/fs/cgroup"
    for inside, bound in (("a/b", "max"), ("a", 700 * MB), ("", 900 * MB)):
        (base / inside).mkdir(parents=True, exist_ok=True)
        (base / inside / "memory.max").write_text(f"{bound}\n")
    assert container_limit_bytes(root) == 700 * MB
    assert engine_limit_mb(1_500, root) == 700 // 4
    assert engine_limit_mb(100, root) == 100


def test_a_container_that_does_not_know_its_outer_name(tmp_path: Path) -> None:
    root = kernel(tmp_path, "0::/../../machine.slice/x")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("104857600\n")
    assert container_limit_bytes(root) == 100 * MB
    assert engine_limit_mb(1_500, root) == 64


def test_version_1(tmp_path: Path) -> None:
    root = kernel(tmp_path, "5:cpu,cpuacct:/x\n4:memory:/job\n0::/")
    memory = tmp_path / "sys/fs/cgroup/memory"
    (memory / "job").mkdir(parents=True)
    (memory / "memory.limit_in_bytes").write_text(f"{UNBOUNDED}\n")
    assert engine_limit_mb(1_500, root) == 1_500
    (memory / "job/memory.limit_in_bytes").write_text(f"{2_000 * MB}\n")
    assert container_limit_bytes(root) == 2_000 * MB
    assert engine_limit_mb(1_500, root) == 500


@pytest.mark.parametrize("groups", [None, "", "0::/"])
def test_nothing_bounds_it(tmp_path: Path, groups: str | None) -> None:
    root = tmp_path if groups is None else kernel(tmp_path, groups)
    assert container_limit_bytes(root) is None
    assert engine_limit_mb(1_500, root) == 1_500


def test_the_engine_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = kernel(tmp_path / "root", "0::/")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/memory.max").write_text(f"{800 * 10**6}\n")
    monkeypatch.setattr("pinnersage._tables.memory._ROOT", root)
    connection = open_engine(tmp_path, 1_500)
    (told,) = connection.execute("SELECT current_setting('memory_limit')").fetchall()[0]
    connection.close()
    assert told.startswith("181"), told  # of 762 MiB a quarter, 190 MB, as the engine tells it in MiB
