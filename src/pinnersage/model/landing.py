"""A batch lands while events flow: the new generation takes in the journal, then becomes current."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinnersage.config import MS_PER_DAY
from pinnersage.model.home import WriteLock
from pinnersage.model.online import drop_windows
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.watermark import store_applied
from pinnersage.model.writing import catch_up
from pinnersage.store._durable import sync_tree
from pinnersage.store.generations import Staging
from pinnersage.streaming.journal import Journal


def land(staging: Staging, manifest: Mapping[str, Any], journal: Journal | None, home: Path) -> Path:
    """Publish a finished build with every journalled action in its records.

    Most of the journal is folded in while others go on writing; only for the rest, and the rename,
    they wait.

    Returns
    -------
    Directory of the new generation.
    """
    if manifest["config"]["online"]["online"] == "recent":
        _keep_interests_alone(staging.path, manifest, journal)
        return staging.publish(manifest)
    if journal is None:
        return staging.publish(manifest)
    _fold_journal(staging.path, manifest, journal)
    sync_tree(staging.path)
    with WriteLock(home).held():
        _fold_journal(staging.path, manifest, journal)
        return staging.publish(manifest)


def trim_journal(journal: Journal, opened: OpenedGeneration, now_ms: int, retention_days: float) -> int:
    """Remove the actions received more than ``retention_days`` ago; return how many.

    A later build counts them only if its log of actions holds them.
    """
    return journal.trim(now_ms - round(retention_days * MS_PER_DAY), store_applied(opened.store))


def _keep_interests_alone(generation: Path, manifest: Mapping[str, Any], journal: Journal | None) -> None:
    """Fold the journal in while there are windows, then drop them."""
    opened = OpenedGeneration(generation, journal, manifest)
    try:
        if journal is not None:
            catch_up(opened, journal, landing=True)
        drop_windows(opened.store, opened.config.interests.decay_per_day)
    finally:
        opened.close()


def _fold_journal(generation: Path, manifest: Mapping[str, Any], journal: Journal) -> None:
    opened = OpenedGeneration(generation, journal, manifest)
    try:
        catch_up(opened, journal)
    finally:
        opened.close()
