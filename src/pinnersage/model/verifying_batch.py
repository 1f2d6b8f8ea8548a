"""Is what is served what a batch builds? Everything built again from its tables and the journal."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pinnersage._ids import UserId
from pinnersage._tables.engine import Progress
from pinnersage.config import BuildConfig
from pinnersage.errors import UserNotFoundError
from pinnersage.interests.extend import nothing_new
from pinnersage.interests.record import UserRecord
from pinnersage.items.live import GONE
from pinnersage.model.building import write_generation
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.turns import Turn, in_turns
from pinnersage.model.verification import Verification, differing
from pinnersage.model.verifying import any_counts, entries_of
from pinnersage.model.waiting import n_held_back, waits_for_build
from pinnersage.model.writing import catch_up
from pinnersage.streaming.extending import live_record
from pinnersage.streaming.journal import Journal

_USERS_PER_REPORT = 1_000


def verify_against_batch(
    turn: Turn,
    journal: Journal,
    items: Any,
    actions: Any,
    progress: Progress | None = None,
    *,
    embeddings_npy: Any = None,
) -> Verification | None:
    """Build a batch over the log and the journal together, and compare every record with it.

    Users of the log of whom the model has no record, and its journal nothing that counts, are counted apart:
    erasing leaves no trace by which they could be told from users who are new in the log. So are those whose
    record waits for actions that only the log has. Others write meanwhile, between the turns of the
    comparison.

    Parameters
    ----------
    items, actions
        The tables the model was built from.
    embeddings_npy
        Path or array of embeddings in row order of ``items``.

    Returns
    -------
    None when a generation landed meanwhile: verify that one.
    """
    with turn() as opened:
        now_ms = opened.now_ms
    with tempfile.TemporaryDirectory(prefix="pinnersage-verify-") as scratch:
        path = Path(scratch) / "batch"
        path.mkdir()
        config = _to_compare(opened.config, n_held_back(opened, journal))
        as_text = opened.manifest["user_kind"] == "string"
        manifest = write_generation(
            path, items, actions, config, now_ms=now_ms,
            embeddings_npy=embeddings_npy, progress=progress, users_as_text=as_text,
        )  # fmt: skip
        manifest["journal_head"] = opened.manifest.get("journal_head", 0)
        with closing(OpenedGeneration(path, journal, manifest)) as batch:
            return _Comparison(opened, batch, journal, progress).made(turn)


def _to_compare(config: BuildConfig, n_more: int) -> BuildConfig:
    """Return settings of a batch of which only the records are wanted: no ranker, no codes for the index.

    So many actions more count: as many may be left out again.
    """
    interests, ranking, retrieval = config.interests, config.ranking, config.retrieval
    changed = {
        "interests": interests.model_copy(update={"max_actions": interests.max_actions + n_more}),
        "index": config.index.model_copy(update={"exact_below": sys.maxsize}),
        "ranking": ranking.model_copy(update={"fit_ranker": False}),
    }
    if retrieval.mode == "ranked":  # That takes a ranker.
        changed["retrieval"] = retrieval.model_copy(update={"mode": "budgeted"})
    return config.model_copy(update=changed)


class _Comparison:
    """Of what is online with a batch that takes in what comes meanwhile."""

    def __init__(
        self, opened: OpenedGeneration, batch: OpenedGeneration, journal: Journal, progress: Progress | None
    ) -> None:
        self._opened, self._batch, self._journal, self._progress = opened, batch, journal, progress
        self._found = Verification()
        self._n_folded = 0

    def made(self, turn: Turn) -> Verification | None:
        """Return what differs; None when a generation landed meanwhile."""

        @contextmanager
        def both() -> Iterator[OpenedGeneration]:
            with turn() as opened:
                self._catch_up()
                yield opened

        self._catch_up()  # Most of it while others write.
        if not in_turns(both, self._opened, self._batch.store.user_ids(), self._compare):
            return None
        if not in_turns(both, self._opened, self._opened.store.user_ids(), self._find_online_only):
            return None
        self._found.n_journal_actions = self._n_folded - len(self._journal.read_items(0))
        return self._found

    def _catch_up(self) -> None:
        self._n_folded += catch_up(self._batch, self._journal, alone=False)

    def _compare(self, opened: OpenedGeneration, user_id: UserId) -> None:
        found, journal = self._found, self._journal
        if opened.store.get(user_id) is None:
            if any_counts(opened, user_id, entries_of(opened, journal, user_id)):
                found.note(user_id, ["no record online"])
            else:
                found.n_not_in_model += 1
            return
        found.n_users += 1
        online, built = opened.record(user_id), self._built(opened, user_id)
        back = {str(entry.item_id) for entry in journal.retractions([user_id]).get(user_id, ())}
        names = differing(_named(online, opened, back), _named(built, self._batch, back))
        if names and waits_for_build(online, opened, built, self._batch, journal, user_id):
            found.n_waiting_for_build += 1
        else:
            found.note(user_id, [f"{name} differ from a batch" for name in names])
        if self._progress and found.n_users % _USERS_PER_REPORT == 0:
            self._progress("comparing", found.n_users, len(self._batch.store))

    def _find_online_only(self, opened: OpenedGeneration, user_id: UserId) -> None:
        if self._batch.store.get(user_id) is None:
            if self._journal.of_user(user_id, newest=1) and not opened.record(user_id).n_actions:
                return  # All they acted on is out, or was taken back.
            self._found.note(user_id, ["record online only"])

    def _built(self, opened: OpenedGeneration, user_id: UserId) -> UserRecord:
        """Return the batch's record, of as many actions as count in the model."""
        batch, config = self._batch, opened.config.interests
        if batch.config.interests == config:
            return batch.record(user_id)
        record = batch.store.get(user_id)
        if record is None:
            raise UserNotFoundError(f"user {user_id!r}: the batch has lost its record")
        other = replace(record, untied=False)  # The clusters are those of other settings.
        return live_record(other, batch.items, batch.kinds, config, batch.now_ms, nothing_new(0))


def _named(record: UserRecord, opened: OpenedGeneration, taken_back: set[str]) -> Any:
    """Return a record with ids in the place of rows, and names in the place of codes.

    Whether an item was seen that is out, or on which something was taken back, a model need not know.
    """
    ids_of, kinds = opened.items.vocabulary.ids_of, opened.kinds
    values = {name: getattr(record, name) for name in UserRecord.__dataclass_fields__}
    for name in ("item_rows", "medoid_rows"):
        values[name] = np.array([repr(item) for item in ids_of(values[name])])
    seen = ids_of(record.seen_rows[opened.items.current_rows[record.seen_rows] != GONE])
    values["seen_rows"] = np.array(sorted(repr(item) for item in seen if str(item) not in taken_back))
    values["kinds"] = np.array([kinds[code] for code in record.kinds.tolist()])
    return UserRecord(**values)
