"""A copy of a model in a directory of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from pinnersage.errors import UnavailableError, UsageError
from pinnersage.model.home import journal_path, still_journal
from pinnersage.model.opened import OpenedGeneration
from pinnersage.store.generations import GenerationDirectory
from pinnersage.store.manifest import OWN_KEYS


def save_copy(opened: OpenedGeneration, home: Path, path: Path) -> Path:
    """Write a generation, and the journal of its model, below ``path``; return the new generation.

    Raises
    ------
    UsageError
        The directory holds a model, and one of the two has a journal: its entries belong to one alone.
    UnavailableError
        Newer builds have removed the generation.
    """
    manifest = {k: v for k, v in opened.manifest.items() if k not in OWN_KEYS}
    target = GenerationDirectory(path)
    with still_journal(home) as journal, target.begin() as staging:
        journals = (journal is not None, any(journal_path(target.path).glob("*.mdb")))
        if any(journals) and target.list():
            raise UsageError(f"{path} holds a model, and there is a journal: save into a new directory")
        if not opened.path.is_dir():
            raise UnavailableError(f"{opened.path} has been removed by newer builds: open again")
        shutil.copytree(opened.path, staging.path, dirs_exist_ok=True)
        if journal is not None:
            journal.copy_to(journal_path(staging.root))
        return staging.publish(manifest)
