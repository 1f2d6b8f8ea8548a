"""Which generations a model's directory holds, which one counts, and what unfinished builds left in it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from pinnersage.errors import StoredFormatError

CURRENT, LOCK, GENERATIONS, STAGING = "CURRENT", ".lock", "generations", ".staging"
UNPUBLISHED = ".unpublished"
_NAME = re.compile(r"\d{8}")
_DROPPED = ".dropped-"


def read_current(root: Path) -> str | None:
    """Return the name in CURRENT, None where there is no such file."""
    try:
        name = (root / CURRENT).read_text("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not _NAME.fullmatch(name):
        raise StoredFormatError(
            f"expected a generation's name of eight digits in {root / CURRENT}, found other text: "
            f"write the newest name in {root / GENERATIONS} into it, or run `pinnersage build` again"
        )
    return name


def names_of(root: Path) -> list[str]:
    """Return the names of all generations, oldest first."""
    directory = root / GENERATIONS
    names = (entry.name for entry in directory.iterdir()) if directory.is_dir() else iter(())
    return sorted(name for name in names if _NAME.fullmatch(name))


def sweep(root: Path) -> None:
    """Remove what unfinished builds left; the lock is ours."""
    current = read_current(root)
    for leftover in leftovers(root):
        if leftover.name == current:
            (leftover / UNPUBLISHED).unlink()
        else:
            _remove(leftover)
    (root / f".{CURRENT}.part").unlink(missing_ok=True)
    if current is None and (root / GENERATIONS).is_dir():
        (root / GENERATIONS).rmdir()


def leftovers(root: Path) -> list[Path]:
    """Return the directories of builds that are at work, or were killed."""
    generations = root / GENERATIONS
    return [*generations.glob(".*"), *(mark.parent for mark in generations.glob(f"[0-9]*/{UNPUBLISHED}"))]


def drop_old(root: Path, first: list[str], keep: int) -> None:
    """Remove all generations but ``keep``."""
    others = [name for name in reversed(names_of(root)) if name not in first]
    for name in [*first, *others][keep:]:
        _remove(root / GENERATIONS / name)


def _remove(generation: Path) -> None:
    """Remove a directory; under another name first, so that half of it is never taken for a generation."""
    dropped = generation
    if _NAME.fullmatch(generation.name):
        dropped = generation.rename(generation.with_name(f"{_DROPPED}{generation.name}"))
    shutil.rmtree(dropped)
