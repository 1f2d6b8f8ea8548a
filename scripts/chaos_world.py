"""What the chaos test knows: the tables of the builds, everything that was acknowledged, and the oracle.

The ledger is a plain set of actions and a plain catalogue. Whatever was done to a model, its records must
be those of one fresh batch over the ledger.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pinnersage import PinnerSage
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import BuildConfig, InterestConfig
from pinnersage.errors import UserNotFoundError
from pinnersage.interests.build import build_records
from pinnersage.interests.moving import record_at
from pinnersage.items.vocabulary import ItemVocabulary
from pinnersage.model.live import LiveModel
from pinnersage.model.opened import OpenedGeneration
from pinnersage.store.codec import decode_record, encode_record
from pinnersage.streaming.events import NewAction

N_ITEMS, N_LATER, N_TOPICS, DIM, N_USERS, N_LOGGED = 60, 12, 6, 8, 40, 600
DAY_MS, HOUR_MS, WINDOW_DAYS = 86_400_000, 3_600_000, 30.0
KINDS = ("", "click", "save")
CONFIG = BuildConfig(interests=InterestConfig(window_days=WINDOW_DAYS, max_merge_cost=0.7))
FIGURES = ("lost", "doubled", "doubled_in_exports", "differing", "verify_differing")
Identity = tuple[Any, ...]


def item_id(number: int) -> str:
    """Return the id of an item."""
    return f"i{number:03d}"


def vectors() -> Any:
    """Return the embeddings of all items there will ever be."""
    noise = np.random.default_rng(5).standard_normal((N_ITEMS + N_LATER, DIM))
    topics = np.repeat(np.eye(N_TOPICS, DIM), (N_ITEMS + N_LATER) // N_TOPICS, axis=0)
    return (topics + 0.3 * noise).astype(np.float32)


VECTORS = vectors()


def identity(action: NewAction) -> Identity:
    """Return what makes two actions the same one."""
    if action.event_id:
        return (action.user_id, action.event_id)
    return (action.user_id, action.item_id, action.time_ms, action.kind, action.weight)


class Events:
    """Makes events: new, late, repeated, corrected, taken back, on items that come later, from the future.

    Parameters
    ----------
    seed
        Equal seeds make equal events.
    now_ms
        They happen around this moment.
    known
        Actions that are known from elsewhere, to be repeated, corrected and taken back, too.
    """

    def __init__(self, seed: int, now_ms: int, known: Sequence[NewAction] = ()) -> None:
        self.rng, self._now_ms = random.Random(seed), now_ms
        self._made = list(known)
        self._n = 0

    def some(self, n: int) -> list[NewAction]:
        """Return ``n`` events."""
        return [self._one() for _ in range(n)]

    def _one(self) -> NewAction:
        way = self.rng.random()
        if self._made and way < 0.12:
            return self.rng.choice(self._made)
        if self._made and way < 0.2:
            old = self.rng.choice(self._made)
            return replace(old, kind=self.rng.choice(KINDS), weight=self.rng.choice((0.5, 1.0, 2.0)))
        if self._made and way < 0.26:
            return replace(self.rng.choice(self._made), retract=True)
        if way < 0.28:
            return replace(self._new(), time_ms=self._now_ms + 400 * DAY_MS)
        made = self._new()
        self._made.append(made)
        if way < 0.31:  # What is taken back arrives before the action itself, which comes as a repeat.
            return replace(made, retract=True)
        return made

    def _new(self) -> NewAction:
        self._n += 1
        age_ms = self.rng.choice((0, 60_000, HOUR_MS, 20 * DAY_MS, 29 * DAY_MS, 100 * DAY_MS))
        return NewAction(
            f"person-{self.rng.randrange(N_USERS)}",
            item_id(self.rng.randrange(N_ITEMS + N_LATER)),
            self._now_ms - age_ms - self.rng.randrange(DAY_MS // 4),
            self.rng.choice(KINDS),
            self.rng.choice((1.0, 0.5)),
            f"e{self._n}" if self.rng.random() < 0.5 else None,
        )


def first_log(seed: int, now_ms: int) -> list[NewAction]:
    """Return the log of the builds: actions on the items of their table, and what takes some of them back."""
    events = Events(seed, now_ms)
    made = [events._new() for _ in range(N_LOGGED)]
    on_table = [a for a in made if int(str(a.item_id)[1:]) < N_ITEMS]
    log = [replace(a, event_id=a.event_id and f"log-{a.event_id}") for a in on_table]
    return log + [replace(a, retract=True) for a in log if events.rng.random() < 0.1]


def warm() -> None:
    """Load the compiled kernels, without a thread or a file, so that forked processes have them."""
    record = build_records(
        ActionBatch(
            ["u"], np.array([0, 3], np.int64), np.arange(3, dtype=np.int32), np.arange(3, dtype=np.int64),
            np.ones(3, np.float32), np.zeros(3, np.uint8), np.zeros(3, np.uint64),
        ),
        VECTORS, CONFIG.interests, 10,
    ).record(0)  # fmt: skip
    decode_record(encode_record(record))
    record_at(record, 20, VECTORS, CONFIG.interests)
    ItemVocabulary.from_ids(["a"]).rows_of(["a"])


@dataclass
class Ledger:
    """Everything that was acknowledged."""

    log: list[NewAction]
    acked: list[NewAction] = field(default_factory=list)
    catalogue: set[int] = field(default_factory=lambda: set(range(N_ITEMS)))

    def counted(self) -> list[NewAction]:
        """Return the actions that count, repeats among them."""
        every = self.log + self.acked
        gone = {identity(a) for a in every if a.retract}
        known = {item_id(number) for number in self.catalogue}
        return [a for a in every if not a.retract and identity(a) not in gone and a.item_id in known]

    def taken_back(self) -> set[tuple[Any, Any]]:
        """Return user and item of all that was taken back."""
        return {(a.user_id, a.item_id) for a in self.log + self.acked if a.retract}


def item_table(numbers: Sequence[int]) -> pa.Table:
    """Return items as a build reads them."""
    return pa.table({"item_id": [item_id(n) for n in numbers], "embedding": VECTORS[list(numbers)].tolist()})


def action_table(actions: Sequence[NewAction]) -> pa.Table:
    """Return actions as a build reads them."""
    return pa.table(
        {
            "user_id": [a.user_id for a in actions],
            "item_id": [a.item_id for a in actions],
            "timestamp": pa.array([a.time_ms for a in actions], pa.timestamp("ms", "UTC")),
            "action": pa.array([a.kind or None for a in actions], pa.string()),
            "weight": pa.array([a.weight for a in actions], pa.float32()),
            "event_id": pa.array([a.event_id for a in actions], pa.string()),
            "retract": pa.array([a.retract for a in actions], pa.bool_()),
        }
    )


def build(
    home: Path, actions: Sequence[NewAction], numbers: Sequence[int], now_ms: int | None = None
) -> None:
    """Build a model as a batch would."""
    PinnerSage.build(item_table(numbers), action_table(actions), path=home, config=CONFIG, now=now_ms).close()


def check(home: Path, ledger: Ledger) -> dict[str, Any]:
    """Compare a model with a fresh batch over the ledger; all figures but ``n_*`` are to be 0."""
    with LiveModel(home, durability="process") as live, tempfile.TemporaryDirectory() as scratch:
        verified = live.verify()
        opened = live.opened()
        build(Path(scratch) / "batch", ledger.counted(), sorted(ledger.catalogue), opened.now_ms)
        with LiveModel(Path(scratch) / "batch") as batch:
            found = _compared(opened, batch.opened(), ledger)
        exported = _exported(live, ledger)
    return found | exported | {
        "verify_differing": verified.n_differing, "verify": verified.differences,
        "n_users": verified.n_users, "n_acked": len(ledger.acked),
    }  # fmt: skip


def _compared(online: OpenedGeneration, batch: OpenedGeneration, ledger: Ledger) -> dict[str, Any]:
    lost = doubled = differing = 0
    examples = []
    for user in sorted({str(a.user_id) for a in ledger.log + ledger.acked}):
        found, wanted = _told(online, user, ledger), _told(batch, user, ledger)
        have, want = (Counter(zip(*record["actions"], strict=True)) for record in (found, wanted))
        lost += sum((want - have).values())
        doubled += sum((have - want).values())
        if found != wanted:
            differing += 1
            examples.append(
                {name: (found[name], wanted[name]) for name in found if found[name] != wanted[name]}
            )
    return {"lost": lost, "doubled": doubled, "differing": differing, "examples": examples[:2]}


def _told(opened: OpenedGeneration, user: str, ledger: Ledger) -> dict[str, Any]:
    """Return a record in ids and names; what is gone or was taken back was perhaps seen."""
    names = ("actions", "labels", "medoids", "importances", "seen")
    try:
        record = opened.record(user)
    except UserNotFoundError:
        return {name: [] for name in names} | {"actions": [[], [], [], [], []]}
    ids_of, kinds = opened.items.vocabulary.ids_of, opened.kinds
    known, back = {item_id(n) for n in ledger.catalogue}, ledger.taken_back()
    actions = [
        ids_of(record.item_rows), record.times_ms.tolist(), record.weights.tolist(),
        [kinds[code] for code in record.kinds.tolist()], record.event_keys.tolist(),
    ]  # fmt: skip
    seen = [i for i in ids_of(record.seen_rows) if i in known and (user, i) not in back]
    rest = (record.labels.tolist(), ids_of(record.medoid_rows), record.importances.tolist(), sorted(seen))
    return dict(zip(names, (actions, *rest), strict=True))


def _exported(live: LiveModel, ledger: Ledger) -> dict[str, int]:
    """Count, in the exports of all users, journalled actions that stand there more than once by event id."""
    twice = 0
    for user in sorted({str(a.user_id) for a in ledger.log + ledger.acked}):
        try:
            keys = Counter(a["event_key"] for a in live.export(user)["actions"] if a["event_key"])
        except UserNotFoundError:
            continue
        twice += sum(n - 1 for n in keys.values())
    return {"doubled_in_exports": twice}
