"""A build takes off and lands while events flow: it takes in the journal, then becomes current.

What a build has read is older than what happens while it runs. So at its end it folds in what the
journal got meanwhile, and leaves out who was erased; only for the last of this, writers wait.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from pinnersage._ids import UserId
from pinnersage._tables.engine import Progress
from pinnersage.config import MS_PER_DAY
from pinnersage.errors import StorageFullError, UnavailableError
from pinnersage.model.erasing import finish_erasure
from pinnersage.model.home import WriteLock, journal_of, journal_path, open_journal
from pinnersage.model.online import drop_windows
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.watermark import store_applied
from pinnersage.model.writing import catch_up, fold_again
from pinnersage.store._durable import sync_tree
from pinnersage.store._generation_files import read_current
from pinnersage.store.generations import GenerationDirectory, Staging
from pinnersage.store.manifest import read_manifest
from pinnersage.streaming.journal import Journal


def take_off(home: Path) -> tuple[int, bool]:
    """Begin a build on a model's directory: who was erased before concerns it no more.

    Returns
    -------
    head
        Sequence number of the newest journal entry: catalogue changes up to here are older than the build.
    users_as_text
        Whether ids of users must be text: the journal may hold some that are no integers.
    """
    if not _is_model(home):
        return 0, False
    with journal_of(home) as journal:
        if journal is None:
            return 0, False
        if journal.has_erasures():
            with WriteLock(home).held():  # Not in the midst of one; and one that was killed ends first.
                finish_erasure(GenerationDirectory(home), journal)
                journal.forget_erasures()
        return journal.heads().all, _had_text_users(home)


def land(staging: Staging, manifest: Mapping[str, Any], home: Path, progress: Progress | None = None) -> Path:
    """Publish a finished build with every journalled action in its records, and nobody erased.

    Most of the journal is folded in while others go on writing; only for the rest, and the rename,
    they wait.

    Returns
    -------
    Directory of the new generation; its manifest tells how much of the journal was folded in (``counts``) and
    how long that took (``timings``).
    """
    staged, began_s = _Staged(staging.path, manifest, home if _is_model(home) else None), time.perf_counter()
    try:
        staged.fold_journal(progress)
        staged.settle_journal()
        if manifest["config"]["online"]["online"] == "recent":
            staged.drop_windows()
        with _writers_kept_out(home):
            staged.check_users()
            staged.fold_journal()
            staged.leave_out_erased()
            staged.close()  # A file may be open but once in a process, by whatever name.
            counts = manifest["counts"] | {"n_journal_entries": staged.n_folded}
            spent = {"journal_s": round(time.perf_counter() - began_s, 3)} if staged.n_folded else {}
            timings = manifest["timings"] | spent
            return staging.publish({**manifest, "counts": counts, "timings": timings})
    finally:
        staged.close()


def trim_journal(journal: Journal, opened: OpenedGeneration, now_ms: int, retention_days: float) -> int:
    """Remove the actions received more than ``retention_days`` ago, waiting ones too; return how many.

    A later build counts them only if its log of actions holds them.
    """
    return journal.trim(now_ms - round(retention_days * MS_PER_DAY), store_applied(opened.store))


def trim_item_entries(journal: Journal, directory: GenerationDirectory) -> int:
    """Remove or shorten entries about items that later ones replace; return how many."""
    heads = [read_manifest(path).get("journal_head", 0) for path in directory.list()]
    return journal.trim_items(min(heads))


@contextmanager
def _writers_kept_out(home: Path) -> Iterator[None]:
    """Hold the write lock; of a model that is not there yet, there is none."""
    if not _is_model(home):
        yield
        return
    journal_path(home).mkdir(exist_ok=True)
    with WriteLock(home).held():
        yield


def _is_model(home: Path) -> bool:
    return read_current(home) is not None


def _had_text_users(home: Path) -> bool:
    return any(read_manifest(path)["user_kind"] == "string" for path in GenerationDirectory(home).list())


class _Staged:
    """A generation not yet published, and the journal of its model, once there is one."""

    def __init__(self, path: Path, manifest: Mapping[str, Any], home: Path | None) -> None:
        self._path, self._manifest, self._home = path, manifest, home
        self._journal: Journal | None = None
        self._opened: OpenedGeneration | None = None
        self._has_windows = True
        self.n_folded = 0

    def fold_journal(self, progress: Progress | None = None) -> None:
        """Fold in what the journal holds by now; without windows it is read from there instead."""
        self._find_journal()
        if self._journal is not None and self._has_windows:
            self.n_folded += catch_up(self._with_room(), self._journal, landing=True, progress=progress)
            sync_tree(self._path)

    def settle_journal(self) -> None:
        """Let questions about a user look into what came since this build only."""
        if self._journal is not None:
            with suppress(StorageFullError):
                self._journal.settle()

    def check_users(self) -> None:
        """Refuse integers as ids of users, where a journal that began meanwhile may hold others.

        Raises
        ------
        UnavailableError
            A build that begins now takes ids as text.
        """
        self._find_journal()
        if self._journal is None or self._home is None or self._manifest["user_kind"] == "string":
            return
        if _had_text_users(self._home):
            raise UnavailableError(
                "this log has integers as user ids, earlier ones had text, and actions came in while this "
                "build ran: build again, ids are taken as text then"
            )

    def drop_windows(self) -> None:
        """Leave what mode ``recent`` may keep."""
        store = self._open().store
        self._drop_windows_of(store.user_ids())
        store.compact()
        self._has_windows = False

    def leave_out_erased(self) -> None:
        """Remove who was erased since the build began; what they did since the erasure counts."""
        if self._journal is None:
            return
        store, log = self._open().store, self._open().log_retractions
        known = chain(store.user_ids(), log.user_ids() if log is not None else ())
        erased = list(dict.fromkeys(self._journal.erased_of(known)))
        if log is not None and log.forget(erased):
            log.compact()
        for user_id in erased:
            store.delete(user_id)
            own = [(at, e) for at, e in self._journal.of_user(user_id) if at <= store_applied(store)]
            fold_again(self._open(), self._journal, own, store_applied(store))
        if not self._has_windows:
            self._drop_windows_of(erased)
        if erased:
            store.compact()
        self._journal.forget_erasures()

    def close(self) -> None:
        """Close generation and journal; may be called again."""
        if self._opened is not None:
            self._opened.close()
        if self._journal is not None:
            self._journal.close()
        self._opened = self._journal = None

    def _find_journal(self) -> None:
        if self._journal is None and self._home is not None:
            self.close()
            self._journal = open_journal(self._home)

    def _with_room(self) -> OpenedGeneration:
        """Return the generation, opened anew if it has no rows left for items put meanwhile."""
        opened, journal = self._open(), self._journal
        if journal is not None:
            n_new = len(journal.read_items(opened.catalogue.applied))
            if len(opened.items) + n_new > len(opened.items.embeddings):
                opened.close()
                self._opened = None
        return self._open()

    def _open(self) -> OpenedGeneration:
        if self._opened is None:
            self._opened = OpenedGeneration(self._path, self._journal, self._manifest)
        return self._opened

    def _drop_windows_of(self, user_ids: Iterable[UserId]) -> None:
        opened = self._open()
        drop_windows(opened.store, opened.config.interests.decay_per_day, user_ids)
