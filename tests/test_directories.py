"""Directories that cannot be made: the error says which, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinnersage._directories import make_directory
from pinnersage.errors import UsageError


def test_a_directory_is_made_with_those_above_it(tmp_path: Path) -> None:
    for _ in range(2):
        make_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("below", ["", "deeper", "deeper/still"])
def test_a_file_in_the_way_is_named(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    with pytest.raises(UsageError, match=r"file.*cannot be made \(.+\); name one where you may write"):
        make_directory(file / below)
    assert file.read_text() == "kept"


def test_a_place_nobody_may_write_to_is_named() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs /proc, of Linux")
    with pytest.raises(UsageError, match="cannot be made"):
        make_directory(Path("/proc/pinnersage/report"))
