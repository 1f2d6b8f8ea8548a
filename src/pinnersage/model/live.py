"""A model that takes actions and answers at once; what the service serves.

Several threads and several processes may use one directory. A write returns when it is durable and in
the records, each of which is the one a batch over all of its user's actions would build. Who asks for a
user whose newest action is durable, and not in the record yet, waits for the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pinnersage._ids import ItemId, UserId
from pinnersage._report import ImportReport
from pinnersage._tables.engine import Progress
from pinnersage.config import BuildConfig, RecommendMode
from pinnersage.errors import UnavailableError, UserNotFoundError
from pinnersage.model import answers
from pinnersage.model.answering import Answering
from pinnersage.model.clock import arrival_ms
from pinnersage.model.current import CurrentGeneration
from pinnersage.model.erasing import erase_before, erase_everywhere
from pinnersage.model.home import Durability, WriteLock, open_journal
from pinnersage.model.incoming import incoming, outcomes_of
from pinnersage.model.ingesting import staged_entries
from pinnersage.model.item_changes import ItemChanges
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.preferring import Kept, with_preference
from pinnersage.model.rehearsing import rehearse_writes
from pinnersage.model.settings import config_with
from pinnersage.model.upkeep import Upkeep
from pinnersage.model.writing import add_entries, of_this_log
from pinnersage.store.generations import GenerationDirectory
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.events import MAX_AHEAD_S, NewAction, Outcome
from pinnersage.streaming.journal import Journal

MAX_PARKED = 100_000
N_REHEARSED = 8
REHEARSED_MODES: tuple[RecommendMode | None, ...] = (None, "sampled", "budgeted", "balanced")


class LiveModel(Answering, ItemChanges, Upkeep):
    """The current generation of a model's directory, and its journal. Close it, or use it in a ``with``.

    Parameters
    ----------
    path
        Directory of the model.
    durability
        ``disk``: what is acknowledged survives a power cut. ``process``: it survives the end of this
        process, however sudden; a power cut may take the last moments of it, or damage the file.
    max_parked
        At most so many actions wait for items that are not known yet.
    max_ahead_s
        Actions further ahead of this machine's clock are rejected: one of them would move "now".
    swaps_warm
        When a newer batch lands, answer from the one before, and from every action since, until
        :meth:`refresh` has warmed the newer one's caches. Without it the next call goes on with that one.
    retrieval
        Fields of :class:`~pinnersage.config.RetrievalConfig` that go before those of any build that lands.

    Raises
    ------
    ModelNotFoundError
        No build has finished there.
    StoredFormatError
        A file is damaged or from a newer version.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        durability: Durability = "disk",
        max_parked: int = MAX_PARKED,
        max_ahead_s: float = MAX_AHEAD_S,
        swaps_warm: bool = False,
        retrieval: Mapping[str, Any] | None = None,
    ) -> None:
        self._home = Path(path)
        self.observe = lambda _stage, _seconds: None
        GenerationDirectory(self._home).current()
        self._max_parked, self._max_ahead_ms = max_parked, round(max_ahead_s * 1_000)
        journal = open_journal(self._home, create=True, durability=durability)
        if journal is None:
            raise UnavailableError(f"{self._home}: the journal cannot be opened")
        self._journal: Journal = journal
        self._write_lock = WriteLock(self._home)
        self._current = CurrentGeneration(
            self._home, journal, self._write_lock, swaps_warm=swaps_warm, retrieval=retrieval
        )
        self.recover()

    @classmethod
    def open(cls, path: str | Path, **options: Any) -> Self:
        """Open a model's directory; see the class."""
        return cls(path, **options)

    @property
    def config(self) -> BuildConfig:
        """The settings the current generation was built with."""
        return self._current.opened.config

    @property
    def generation(self) -> str:
        """Name of the generation that answers."""
        return self._current.opened.path.name

    def opened(self, *, records: bool = True, may_wait: bool = True) -> OpenedGeneration:
        """Return the generation that is current, with all items known by now."""
        return self._current.follow(records=records, may_wait=may_wait)

    def opened_for(self, user_id: UserId, *, may_wait: bool = True) -> tuple[OpenedGeneration, Kept]:
        """Return :meth:`opened`, and what is kept of the user's preferences by item id."""
        heads, preferences = self._journal.heads_and_preferences(user_id)
        return self._current.follow(heads, user_id, may_wait=may_wait), preferences

    def journal(self) -> Journal:
        """Return the journal."""
        return self._journal

    def refresh(self) -> bool:
        """Go over to a generation that landed. Finishes erasures, too.

        Returns
        -------
        bool
            Whether there was one.
        """
        self.finish_erasures()
        return self._current.refresh()

    def rehearse(self) -> None:
        """Do once what calls will do, and keep nothing: the first of them need not wait for compilers."""
        opened = self.opened()
        rehearse_writes(opened)
        items = [item["item_id"] for item in self.popular(N_REHEARSED)["items"]]
        for some in (items[:1], items):
            self.recommend_session([NewAction("", item, opened.now_ms) for item in some], N_REHEARSED)
        for item in items[:1]:
            self.neighbors(item, N_REHEARSED)
        for user_id in self.find_users("", 1):
            self.interests(user_id)
            for mode in REHEARSED_MODES:
                self.recommend(user_id, N_REHEARSED, mode=mode)
            self.mean_list(user_id, N_REHEARSED)
            for item in items[:1]:
                self.explain(user_id, item)
                self.similarities(user_id, [item])

    def add_actions(
        self,
        actions: Sequence[NewAction],
        *,
        acknowledged: Callable[[list[Outcome]], None] | None = None,
    ) -> list[Outcome]:
        """Take actions in; return what became of each once all are durable and in the records.

        Parameters
        ----------
        actions
            Of any users.
        acknowledged
            Called with what will be returned as soon as the actions are durable; whoever asks about their
            users from then on waits for the records, so it may not ask itself, nor write.

        Raises
        ------
        UnavailableError
            There is no room (StorageFullError), or a file is gone. The journal may have the actions all the
            same, and then they count in the end: add them again, repeats change nothing.
        """
        with self._write_lock.held():
            known = self._journal.heads_and_newest()
            opened, before = self._current.caught_up_state(known[0])
            opened.store.check_present()  # Nothing is acknowledged that could get no record.
            received_ms = arrival_ms(self._journal, known)
            checked = incoming(opened, actions, before.kinds, received_ms, self._max_ahead_ms)
            entries = [entry for entry in checked if isinstance(entry, ActionEntry)]
            erase_before(self._current.directory, (entry.user_id for entry in entries), self._journal)

            def tell(found: list[Outcome]) -> None:
                with self._write_lock.closed_to_its_holder():
                    if acknowledged is not None:
                        acknowledged(outcomes_of(checked, found))

            found = add_entries(
                opened, self._journal, entries, before, max_parked=self._max_parked,
                acknowledged=tell if acknowledged else None,
            )  # fmt: skip
        return outcomes_of(checked, found)

    def add_table(
        self, actions: Any, imports: Mapping[str, Any] | None = None, progress: Progress | None = None
    ) -> tuple[ImportReport, dict[str, int]]:
        """Take a whole table of actions in, a few thousand at a time; each part is durable.

        Doing it again changes nothing.

        Parameters
        ----------
        actions
            A path, a list of paths, or a table, as in a build. Actions on unknown items are parked.
        imports
            Fields of :class:`~pinnersage.config.ImportConfig`, where they differ from the build's.
        progress
            Called with stage, done, total.

        Returns
        -------
        report
            Rows read, kept and left out.
        counts
            Rows that were accepted, duplicate, parked, rejected.
        """
        opened = self.opened()
        config = config_with(opened.config, imports or {})
        received_ms = arrival_ms(self._journal)
        with staged_entries(actions, opened, config, received_ms, progress) as (report, parts):
            counts = dict.fromkeys(("accepted", "duplicate", "parked", "rejected"), 0)
            n_done = 0
            for entries in parts:
                with self._write_lock.held():
                    opened = self._current.caught_up()
                    own = [entry for _, entry in of_this_log(opened, list(enumerate(entries)))]
                    erase_before(self._current.directory, (entry.user_id for entry in own), self._journal)
                    outcomes = add_entries(
                        opened, self._journal, own, max_parked=self._max_parked, look_back=None
                    )
                counts["rejected"] += len(entries) - len(own)
                for outcome in outcomes:
                    counts[outcome.status] += 1
                n_done += len(entries)
                if progress:
                    progress("taking actions in", n_done, report.n_good)
        return report, counts

    def set_preference(
        self, user_id: UserId, medoid_item_id: ItemId, preference: Literal["muted", "pinned"] | None
    ) -> answers.Answer:
        """Let an interest of a user propose nothing (``muted``), or always (``pinned``), or as usual.

        The interest is known again by its items, also when the medoid changes or is taken out. None works
        for an interest that is gone, too.

        Parameters
        ----------
        user_id
            A user of the model.
        medoid_item_id
            The medoid of the interest, or another of its items.
        preference
            None takes back what was said.

        Returns
        -------
        answer
            ``user_id``, ``medoid_item_id`` and ``preference`` as they are kept.

        Raises
        ------
        UserNotFoundError, ItemNotFoundError, UsageError
            There is no such user, the item is in none of their interests, or there is no such preference.
        """
        with self._write_lock.held():
            self._current.caught_up()
            opened = self._current.follow()  # What the user saw.
            known = opened.user_of(user_id)
            kept = self._journal.preferences(known)
            item, wanted = with_preference(opened, known, medoid_item_id, preference, kept)
            self._journal.set_preferences(known, wanted)
        return {"user_id": known, "medoid_item_id": item, "preference": preference}

    def erase(self, user_id: UserId) -> answers.Answer:
        """Remove all that is held of a user: records, journal, preferences; return a receipt.

        Raises
        ------
        UserNotFoundError
            Nothing is held of them.
        """
        with self._write_lock.held():
            try:
                known = self._current.caught_up().user_of(user_id)
            except UserNotFoundError:  # Of this generation; another may have had such users.
                known = user_id
            return erase_everywhere(self._current.directory, known, self._journal)

    def close(self) -> None:
        """Close generation and journal."""
        self._current.close()
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
