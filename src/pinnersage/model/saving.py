"""A copy of a model in a directory of its own, made while others write to the model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pinnersage.errors import UnavailableError, UsageError
from pinnersage.model.building import STORE
from pinnersage.model.erasing import finish_erasure
from pinnersage.model.home import WriteLock, has_journal, journal_of, journal_path
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.taken_back import TAKEN_BACK
from pinnersage.store.generations import GenerationDirectory
from pinnersage.store.manifest import OWN_KEYS
from pinnersage.streaming.lmdb_journal import LmdbJournal


def back_up(home: Path, out: Path) -> dict[str, Any]:
    """Copy a model as :func:`save_copy` does, its current generation, into a new directory.

    Returns
    -------
    facts
        ``path, out, generation, n_bytes``; the generation as it is called in the model: in the copy it is the
        first.

    Raises
    ------
    ModelNotFoundError
        No build has finished there.
    UsageError
        There is something in the directory already.
    StorageFullError
        There is no room; nothing is left in the directory.
    """
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty: name a new directory for each copy")
    directory = GenerationDirectory(home)
    opened = directory.read(OpenedGeneration)
    try:
        save_copy(opened, home, out)
    finally:
        opened.close()
    return {
        "path": str(home),
        "out": str(out),
        "generation": opened.path.name,
        "n_bytes": sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
    }


class _Changing(Protocol):
    """A file that writers change, and that can be copied as it is at one moment."""

    def copy_to(self, directory: Path, begun: Callable[[], None]) -> None: ...


def save_copy(opened: OpenedGeneration, home: Path, path: Path) -> Path:
    """Write a generation, and the journal of its model, below ``path``; return the new generation.

    Of what writers change, the copy has one moment after the call; they wait until that is settled, and not
    until it is copied.

    Raises
    ------
    UsageError
        The directory holds a model, and one of the two has a journal: its entries belong to one alone.
    UnavailableError
        Newer builds have removed the generation, or the first actions ever came in meanwhile.
    """
    manifest = {k: v for k, v in opened.manifest.items() if k not in OWN_KEYS}
    target = GenerationDirectory(path)
    with journal_of(home) as journal, target.begin() as staging, ExitStack() as writers_out:
        if target.list() and (journal is not None or has_journal(target.path)):
            raise UsageError(f"{path} holds a model, and there is a journal: save into a new directory")
        if journal is not None:
            writers_out.enter_context(WriteLock(home).held())
            finish_erasure(GenerationDirectory(home), journal)  # A killed one is not copied half done.

        def begun() -> None:
            writers_out.close()
            if journal is None and has_journal(home):
                raise UnavailableError(f"{home}: the first actions came in while it was copied: try again")

        _copy_moment(opened, journal, staging.path, staging.root, begun)
        _copy_rest(opened.path, staging.path)
        return staging.publish(manifest)


def _copy_moment(
    opened: OpenedGeneration,
    journal: LmdbJournal | None,
    generation: Path,
    root: Path,
    begun: Callable[[], None],
) -> None:
    """Copy records, retractions and journal as they are at one moment; call ``begun`` once it has come."""
    changing: list[tuple[_Changing | None, Path]] = [
        (opened.store, generation / STORE),
        (opened.log_retractions, generation / TAKEN_BACK),
        (journal, journal_path(root)),
    ]
    for part, directory in reversed(changing):
        if part is not None:
            begun = partial(part.copy_to, directory, begun)
    begun()


def _copy_rest(generation: Path, target: Path) -> None:
    """Copy the files that nobody changes."""
    try:
        for path in sorted(generation.rglob("*")):
            inside = path.relative_to(generation)
            if path.is_file() and inside.parts[0] not in (STORE, TAKEN_BACK):
                (target / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / inside)
    except FileNotFoundError:
        if not generation.is_dir():
            raise UnavailableError(f"{generation} has been removed by newer builds: open it again") from None
        raise
