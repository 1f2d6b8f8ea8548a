"""The journal: every action in the order it was taken, durable before it is acknowledged.

A journal belongs to a model's directory and outlives its generations: a new batch lands and replays
it, so nothing taken meanwhile is lost, and a set of actions cannot count one twice. It also holds what
belongs to no generation: items put and taken out, actions whose item is not known yet (*parked*),
what was taken back, and what users prefer. Users are told apart by their ids as text: what one log holds as
integers, the next may hold as text.

A backend implements the abstract methods; its tests subclass
``pinnersage.testing.journal.JournalConformance``. ``MemoryJournal`` is the reference, ``LmdbJournal``
the default; an adapter for a log server needs no more than this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from pinnersage._ids import ItemId, UserId
from pinnersage.streaming.entries import ActionEntry, Entry, ItemEntry


class Heads(NamedTuple):
    """Sequence numbers of the newest entry of any kind, and of the newest about an item; 0 for none."""

    all: int
    items: int


class Forgotten(NamedTuple):
    """What an erasure removed from the journal."""

    n_entries: int
    n_preferences: int


class Journal(ABC):
    """Entries numbered from 1; each append is atomic, and durable when the call returns."""

    @abstractmethod
    def heads(self) -> Heads:
        """Return the newest sequence numbers; they never go back."""

    @abstractmethod
    def append(
        self, entries: Sequence[Entry], *, parked: Collection[int] = (), often_asked: bool = False
    ) -> int:
        """Write all these entries or none; return the last one's sequence number.

        Parameters
        ----------
        parked
            Positions of actions whose item is not known.
        often_asked
            These users will be asked for by :meth:`of_user` at once and often: make that quick rather than
            this. Answers are the same.

        Raises
        ------
        StorageFullError
            There is no room; nothing was written.
        """

    @abstractmethod
    def read(self, after: int, limit: int = 10_000) -> list[tuple[int, Entry]]:
        """Return the first ``limit`` entries after a sequence number, ascending."""

    @abstractmethod
    def read_items(self, after: int) -> list[tuple[int, ItemEntry]]:
        """Return all entries about items after a sequence number, ascending."""

    @abstractmethod
    def of_user(
        self, user_id: UserId, *, newest: int | None = None, after: int = 0
    ) -> list[tuple[int, ActionEntry]]:
        """Return the entries about a user after a sequence number, ascending.

        Only the last ``newest`` of the user's entries are looked at if that is given.
        """

    @abstractmethod
    def parked_of(self, item_id: ItemId) -> list[tuple[int, ActionEntry]]:
        """Return the actions on an item that are or were parked, or are to be found so, ascending.

        Those applied are among them: another generation, rolled back to or not landed yet, may not
        have them.
        """

    @abstractmethod
    def set_parked(
        self, *, add: Iterable[int] = (), find: Iterable[int] = (), remove: Iterable[int] = ()
    ) -> None:
        """Park entries, or tell that they are applied, by sequence number.

        Parameters
        ----------
        add
            Actions whose item is not known.
        find
            Actions that :meth:`parked_of` returns from now on, though they wait for nothing: a generation
            other than the current one does not know their item. Those that do wait go on waiting.
        remove
            Actions that are applied, if they were parked.
        """

    @abstractmethod
    def n_parked(self) -> int:
        """Count the actions that wait; no matter how many there are, this is quick."""

    @abstractmethod
    def retractions(self, user_ids: Iterable[UserId]) -> dict[UserId, list[ActionEntry]]:
        """Return what was taken back, for those of the users who took anything back."""

    @abstractmethod
    def preferences(self, user_id: UserId) -> dict[str, Any]:
        """Return a user's preferences, empty where there are none."""

    def heads_and_preferences(self, user_id: UserId) -> tuple[Heads, dict[str, Any]]:
        """Return :meth:`heads` and :meth:`preferences`; every list asks for both."""
        return self.heads(), self.preferences(user_id)

    def heads_and_newest(self) -> tuple[Heads, list[tuple[int, Entry]]]:
        """Return :meth:`heads` and the entry there, unless it was removed; every arrival asks for both."""
        heads = self.heads()
        return heads, self.read(max(0, heads.all - 1), 1)

    def check_present(self) -> None:
        """Raise when the journal is gone or does not answer, also where what is open could still be read.

        Raises
        ------
        NotFoundError, UnavailableError, DataError
            What is wrong.
        """
        self.heads()

    @abstractmethod
    def set_preferences(self, user_id: UserId, preferences: Mapping[str, Any]) -> None:
        """Replace a user's preferences (JSON values); empty removes them."""

    @abstractmethod
    def forget(self, user_id: UserId) -> Forgotten:
        """Remove all that concerns a user; :meth:`compact` removes the last bytes.

        That it happened is remembered, without the id, until :meth:`forget_erasures`: a build that runs
        may have read of the user what is gone now.
        """

    @abstractmethod
    def erased_of(self, user_ids: Iterable[UserId]) -> list[UserId]:
        """Return those of the users whose erasure is remembered; quick when none is."""

    @abstractmethod
    def has_erasures(self) -> bool:
        """Tell whether any erasure is remembered."""

    @abstractmethod
    def forget_erasures(self) -> None:
        """Remember no erasure any more."""

    @abstractmethod
    def trim(self, received_before_ms: int, applied: int) -> int:
        """Remove action entries received before a time, up to sequence number ``applied``; count them.

        Those that wait for their item go, too. What was taken back stays, but waits no longer: an action that
        comes later finds it. What users did stays whose erasure is remembered: it tells them from those who
        did not come back.
        """

    @abstractmethod
    def trim_items(self, before: int) -> int:
        """Remove or shorten the entries about items that later ones replace; count them.

        Up to sequence number ``before``, from where on every generation replays, only the last entry about an
        item stays. Of the others it is kept what decides which rows a replay gives to items: see
        :func:`~pinnersage.streaming.entries.shortened`.
        """

    def settle(self) -> None:  # noqa: B027 - a journal that has nothing to rearrange does nothing.
        """Rearrange what was appended, so that :meth:`of_user` is quick; answers stay the same.

        Raises
        ------
        StorageFullError
            There is no room; some may be rearranged.
        """

    @abstractmethod
    def compact(self) -> None:
        """Rewrite the journal so that nothing of removed entries is left in its files."""

    @property
    @abstractmethod
    def n_bytes(self) -> int:
        """Bytes the journal takes, on disk or in memory."""

    @abstractmethod
    def close(self) -> None:
        """Give the resources back; calling it again does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
