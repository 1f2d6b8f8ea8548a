"""What the service asks of a model. It never sees more than this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from pinnersage._ids import ItemId, UserId
from pinnersage.config import RecommendMode
from pinnersage.items.matching import Where
from pinnersage.streaming.events import NewAction, Outcome

Answer = dict[str, Any]
Preference = Literal["muted", "pinned"]


class Backend(Protocol):
    """A model that is read and written while it serves; every method may be called from any thread.

    Answers are plain values in the shapes of the contract. Methods raise the errors of
    :mod:`pinnersage.errors`; writes return when they are durable and in the records. A read that
    takes ``may_wait`` raises :class:`~pinnersage.errors.WouldWaitError` without it, rather than to wait for
    a lock or for files.
    """

    observe: Callable[[str, float], None]
    """Told ``("interests" | "retrieve", seconds)`` of each list; the service sets it."""

    @property
    def path(self) -> Path:
        """Directory of the model; errors name files below it, and whoever asks is not told where it is."""

    @property
    def generation(self) -> str:
        """Name of the generation that answers."""

    def add_actions(
        self,
        actions: Sequence[NewAction],
        *,
        acknowledged: Callable[[list[Outcome]], None] | None = None,
    ) -> list[Outcome]:
        """Take actions in one commit and return an outcome for each, in order.

        ``acknowledged`` is called with them, once, as soon as the actions are durable: reads wait for what is
        left to do. Where this raises before, the actions may have been taken all the same; taking them again
        changes nothing.
        """

    def item(self, item_id: ItemId) -> Answer:
        """Return an item: ``item_id, embedding, available`` and its other attributes."""

    def put_item(self, item_id: ItemId, embedding: Sequence[float], attributes: Mapping[str, Any]) -> Answer:
        """Add or replace an item; return ``item_id, created, n_applied``."""

    def delete_item(self, item_id: ItemId) -> Answer:
        """Take an item out of every list."""

    def set_preference(
        self, user_id: UserId, medoid_item_id: ItemId, preference: Preference | None
    ) -> Answer:
        """Say that an interest is muted or pinned; None forgets it."""

    def erase(self, user_id: UserId) -> Answer:
        """Remove everything of a user and return a receipt."""

    def interests(self, user_id: UserId, *, may_wait: bool = True) -> Answer:
        """Return a user's interests."""

    def recommend(
        self,
        user_id: UserId,
        k: int = 100,
        *,
        interests: int | None = None,
        seed: int = 0,
        mode: RecommendMode | None = None,
        include_seen: bool = False,
        exclude: Sequence[ItemId] = (),
        where: Where | None = None,
        may_wait: bool = True,
    ) -> Answer:
        """Return a user's recommendations."""

    def recommend_session(
        self,
        actions: Sequence[NewAction],
        k: int = 100,
        *,
        interests: int | None = None,
        seed: int = 0,
        mode: RecommendMode | None = None,
        include_seen: bool = False,
        exclude: Sequence[ItemId] = (),
        where: Where | None = None,
    ) -> Answer:
        """Return recommendations from actions alone; nothing is kept."""

    def popular(
        self,
        k: int = 100,
        *,
        exclude: Sequence[ItemId] = (),
        where: Where | None = None,
        may_wait: bool = True,
    ) -> Answer:
        """Return what most users act on."""

    def mean_list(self, user_id: UserId, k: int = 100) -> Answer:
        """Return what one averaged vector would recommend."""

    def similarities(self, user_id: UserId, item_ids: Sequence[ItemId]) -> list[list[float]]:
        """Return the cosine of each item with each of a user's medoids, interests in their order."""

    def neighbors(self, item_id: ItemId, k: int = 10, *, may_wait: bool = True) -> Answer:
        """Return an item's neighbors."""

    def explain(self, user_id: UserId, item_id: ItemId) -> Answer:
        """Return why an item would, or would not, be recommended."""

    def export(self, user_id: UserId) -> Answer:
        """Return everything held of a user."""

    def find_users(self, prefix: str, limit: int = 20) -> list[UserId]:
        """Return users whose id begins with ``prefix``."""

    def item_attributes(self) -> frozenset[str]:
        """Return the names of what is known of the build's items."""

    def items_info(self, item_ids: Sequence[ItemId]) -> list[Answer]:
        """Return the attributes of items, in order."""

    def refresh(self) -> bool:
        """Go over to a new generation once it is warm; return whether there was one."""

    def rehearse(self) -> None:
        """Do once, and keep nothing of it, what calls will do, so that the first of them is quick."""

    def check_ready(self) -> None:
        """Raise if store, journal, items or index is gone."""

    def status(self) -> Answer:
        """Return counts, sizes and positions for people and gauges."""

    def close(self) -> None:
        """Let go of all files."""
