"""The directory of a model: builds land in it as generations, each whole or not at all.

::

    DIR/CURRENT                 name of the generation that counts, replaced by an atomic rename
    DIR/.lock                   held by the process that builds
    DIR/generations/00000001/   the files of one build, with a manifest.json
    DIR/generations/.staging/   a build at work, or what a killed one left

A first build is staged as a whole directory ``.DIR.building`` beside DIR and appears by one rename.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pinnersage._directories import make_directory
from pinnersage.errors import (
    BuildInProgressError,
    ModelNotFoundError,
    PinnerSageError,
    StoredFormatError,
    UsageError,
)
from pinnersage.store._build_lock import build_lock
from pinnersage.store._durable import full_disk_is_named, sync_path, sync_tree, write_whole
from pinnersage.store._generation_files import (
    CURRENT,
    GENERATIONS,
    LOCK,
    STAGING,
    UNPUBLISHED,
    drop_old,
    leftovers,
    names_of,
    read_current,
    sweep,
)
from pinnersage.store.manifest import write_manifest

T = TypeVar("T")

_PATIENCE_S = 1.0
"""An erasure may hold the lock for a moment, to remove what a killed build left."""
_OURS = frozenset({CURRENT, LOCK, GENERATIONS, f".{CURRENT}.part"})


class Staging:
    """A build at work: write into :attr:`path`, then :meth:`publish`.

    Attributes
    ----------
    path
        Of the generation while it is made.
    root
        Of the model while it is made: what stands beside the generations of a first build goes here.
    """

    def __init__(self, root: Path, target: Path, keep: int) -> None:
        self.root, self._target, self._keep = root, target, keep
        self.published: Path | None = None
        self.path = root / GENERATIONS / STAGING
        self.path.mkdir(parents=True)

    def publish(self, manifest: Mapping[str, Any], *, created_at_ms: int | None = None) -> Path:
        """Make the staged files the current generation; close what writes to them before.

        Parameters
        ----------
        manifest
            What to say about the build, as JSON values; the format version, the library's version and
            the time are added.
        created_at_ms
            Time of the build; the wall clock if None.

        Returns
        -------
        Directory of the new generation.
        """
        now_ms = time.time_ns() // 1_000_000 if created_at_ms is None else created_at_ms
        write_manifest(self.path, manifest, created_at_ms=now_ms)
        (self.path / UNPUBLISHED).touch()
        sync_tree(self.path)
        before = read_current(self.root)
        name = f"{max([0, *map(int, names_of(self.root))]) + 1:08d}"
        self.path = self.path.rename(self.root / GENERATIONS / name)
        sync_path(self.root / GENERATIONS)
        write_whole(self.root / CURRENT, f"{name}\n".encode())
        (self.path / UNPUBLISHED).unlink()
        if self.root != self._target:
            self.root.rename(self._target)
            sync_path(self._target.parent)
        self.published = self._target / GENERATIONS / name
        drop_old(self._target, [name, *([before] if before else [])], self._keep)
        return self.published


class GenerationDirectory:
    """The generations of one model.

    Parameters
    ----------
    path
        Directory of the model; it need not exist before the first build.
    keep
        Generations kept when a build lands: the new one, the one it replaces, then the newest others.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     model = GenerationDirectory(Path(scratch) / "model")
    ...     with model.begin() as staging:
    ...         _ = (staging.path / "greeting").write_text("hello")
    ...         _ = staging.publish({"n_users": 0})
    ...     (model.current() / "greeting").read_text()
    'hello'
    """

    def __init__(self, path: str | Path, *, keep: int = 2) -> None:
        if keep < 1:
            raise UsageError(f"expected to keep at least one generation, got keep={keep}")
        self.path = Path(path)
        self._keep = keep

    @contextmanager
    def begin(self) -> Iterator[Staging]:
        """Start a build; leaving the block without :meth:`Staging.publish` leaves nothing behind.

        What a killed build left is removed first.

        Raises
        ------
        BuildInProgressError
            If another process builds into this directory.
        UsageError
            If the path is a file, or a directory of something else.
        StorageFullError
            If the disk fills up inside the block.
        """
        target = self.path.absolute()
        beside = _beside(target)
        with full_disk_is_named(target), _locked_root(target, beside) as root:
            sweep(root)
            staging = Staging(root, target, self._keep)
            try:
                yield staging
            finally:
                if staging.published is None:
                    sweep(root)

    def current(self) -> Path:
        """Return the directory of the generation that counts.

        Raises
        ------
        ModelNotFoundError
            If no build has finished here.
        StoredFormatError
            If CURRENT is damaged.
        """
        while True:
            name = read_current(self.path)
            if name is None:
                raise ModelNotFoundError(
                    f"no finished build in {self.path}: "
                    f"run `pinnersage build --out {self.path}`, or check the path"
                )
            generation = self.path / GENERATIONS / name
            if generation.is_dir():
                return generation
            if read_current(self.path) == name:
                raise StoredFormatError(
                    f"{self.path / CURRENT} names generation {name}, which is missing: "
                    "restore the directory from a copy, or run `pinnersage build` again"
                )

    def read(self, opener: Callable[[Path], T]) -> T:
        """Return ``opener(current generation)``, again if a build landed and dropped its files meanwhile."""
        while True:
            generation = self.current()
            try:
                return opener(generation)
            except (OSError, PinnerSageError):
                if self.current() == generation:
                    raise

    def list(self) -> list[Path]:
        """Return the directories of all kept generations, oldest first."""
        return [self.path / GENERATIONS / name for name in names_of(self.path)]

    def remove_leftovers(self) -> bool:
        """Remove what a killed build left; tell whether that could be done: not while a build runs."""
        beside = _beside(self.path.absolute())
        try:
            if leftovers(self.path):
                with build_lock(self.path / LOCK, self.path):
                    sweep(self.path)
            if beside.exists():
                with build_lock(beside / LOCK, self.path):
                    shutil.rmtree(beside)
        except BuildInProgressError:
            return False
        return True

    def rollback(self, to: str | None = None) -> Path:
        """Make an older generation current and return its directory.

        Nobody may write meanwhile: :meth:`pinnersage.model.live.LiveModel.rollback` sees to that.

        Parameters
        ----------
        to
            Name of the generation; the newest one older than the current if None.

        Raises
        ------
        BuildInProgressError
            If a build is running.
        ModelNotFoundError
            If there is no such generation.
        """
        self.current()
        with build_lock(self.path / LOCK, self.path):
            sweep(self.path)
            now = self.current().name
            names = names_of(self.path)
            name = to if to is not None else max((name for name in names if name < now), default=None)
            if name not in names:
                raise ModelNotFoundError(
                    f"no generation {to or 'older than ' + now} in {self.path}: there are {', '.join(names)}"
                )
            with full_disk_is_named(self.path):
                write_whole(self.path / CURRENT, f"{name}\n".encode())
        return self.path / GENERATIONS / name


def _beside(target: Path) -> Path:
    """Return where a first build is staged."""
    return target.with_name(f".{target.name}.building")


@contextmanager
def _locked_root(target: Path, beside: Path) -> Iterator[Path]:
    """Yield the locked directory to stage in: the model's own, or one beside where there is none yet."""
    while True:
        _refuse_foreign(target)
        root = target if target.exists() else beside
        made = [parent for parent in root.parents if not parent.exists()]
        make_directory(root)
        with build_lock(root / LOCK, target, patience_s=_PATIENCE_S):
            try:
                if root == beside:
                    _empty(root)
                if root == target or not target.exists():
                    yield root
                    return
            finally:
                _leave_no_trace(root, beside, made)


def _leave_no_trace(root: Path, beside: Path, made: list[Path]) -> None:
    """Remove what a build that published nothing has made: a directory beside, its parents, the lock."""
    if root == beside:
        shutil.rmtree(root, ignore_errors=True)
    elif read_current(root) is None:
        (root / LOCK).unlink(missing_ok=True)
    with suppress(OSError):
        for parent in made:
            parent.rmdir()


def _empty(beside: Path) -> None:
    """Remove all that a killed first build left, but for the lock."""
    shutil.rmtree(beside / GENERATIONS, ignore_errors=True)
    (beside / CURRENT).unlink(missing_ok=True)


def _refuse_foreign(target: Path) -> None:
    if target.is_symlink() and not target.exists():
        raise UsageError(f"{target} is a link to nothing: remove it or make its target")
    if target.exists() and not target.is_dir():
        raise UsageError(f"expected a directory to build into, {target} is a file: choose another --out")
    nearest = next(parent for parent in target.parents if parent.exists())
    if not nearest.is_dir():
        raise UsageError(f"expected a directory to build into, {nearest} is a file: choose another --out")
    if not target.exists() or read_current(target) is not None:
        return
    foreign = sorted(entry.name for entry in target.iterdir() if entry.name not in _OURS)
    if foreign:
        raise UsageError(
            f"expected a model or an empty directory, {target} holds {foreign[0]!r}: choose another --out"
        )
