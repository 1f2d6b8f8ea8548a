"""One class that is the whole system: build, open, ask, update, erase."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self, Unpack

import pyarrow as pa

from pinnersage._arrays import Bools
from pinnersage._ids import ItemId, UserId
from pinnersage._tables.engine import Progress
from pinnersage._times import to_ms
from pinnersage.config import BuildConfig, RecommendMode
from pinnersage.interests.record import UserRecord
from pinnersage.items.matching import Where
from pinnersage.items.table import ItemTable
from pinnersage.model import answers
from pinnersage.model.building import warnings_of, write_generation
from pinnersage.model.changes import Changes
from pinnersage.model.choosing import ListRequest
from pinnersage.model.counterfactual import Counterfactuals
from pinnersage.model.explaining import explained
from pinnersage.model.home import Durability
from pinnersage.model.landing import land, take_off
from pinnersage.model.list_options import ListOptions
from pinnersage.model.list_table import ManyLists
from pinnersage.model.listing import list_answer
from pinnersage.model.saving import save_copy
from pinnersage.model.settings import config_with
from pinnersage.retrieval.draw import seed_of_user
from pinnersage.store.generations import GenerationDirectory


class PinnerSage(Changes, Counterfactuals, ManyLists):
    """A built model, with every action since. Close it, or use it in a ``with`` statement.

    Later builds and items are seen when it is opened anew; :class:`~pinnersage.model.live.LiveModel` follows.

    Examples
    --------
    >>> import pyarrow as pa
    >>> items = pa.table({"item_id": ["a", "b", "c"], "embedding": [[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]]})
    >>> actions = pa.table({"user_id": ["u"], "item_id": ["a"], "timestamp": [1_700_000_000]})
    >>> with PinnerSage.build(items, actions, time_unit="s") as model:
    ...     model.recommend("u", k=1).select(["item_id", "interest"]).to_pylist()
    [{'item_id': 'c', 'interest': 'a'}]
    """

    def __init__(
        self, generation: Path, home: Path, scratch: Path | None = None, *, durability: Durability = "disk"
    ) -> None:
        self._durability = durability
        # Also of a model that nobody closes, at the latest when the interpreter ends.
        self._remove = weakref.finalize(self, _remove_scratch, scratch, os.getpid())
        self._open(generation, home)

    @property
    def config(self) -> BuildConfig:
        """The settings the model was built with."""
        return self._opened.config

    @property
    def items(self) -> ItemTable:
        """Embeddings, ids and attributes of the items, as they were built."""
        return self._opened.table

    @property
    def pool(self) -> Bools:
        """Which items may be recommended: bool, one per row, new items behind those of the build."""
        return self._opened.pool

    @property
    def now_ms(self) -> int:
        """The moment interests refer to: the build's, or the newest action added since."""
        return self._opened.now_ms

    @classmethod
    def build(
        cls,
        items: Any,
        actions: Any,
        *,
        path: str | Path | None = None,
        config: BuildConfig | None = None,
        now: int | str | datetime | None = None,
        embeddings_npy: Any = None,
        progress: Progress | None = None,
        **settings: Any,
    ) -> Self:
        """Build a model from a table of items and a log of actions.

        Parameters
        ----------
        items, actions
            A path, a list of paths, or a pandas, Polars or Arrow table, with the columns of the contract.
        path
            Directory of the model; the build lands there as a new generation. Without it the model
            lives in a temporary directory until :meth:`close`; :meth:`save` keeps it.
        config, **settings
            A :class:`~pinnersage.config.BuildConfig`, and single fields of its parts by name, for
            example ``max_merge_cost=0.8`` or ``time_unit="s"``.
        now
            The moment interests refer to: milliseconds since 1970, RFC 3339 text or a datetime.
            Default: the newest action.
        embeddings_npy
            Path or array of embeddings in row order of ``items``.
        progress
            Called with stage, done, total.

        Raises
        ------
        PinnerSageError
            See :mod:`pinnersage.errors`; nothing is left under ``path``.

        Warns
        -----
        BadRowsWarning
            Rows were left out; :meth:`summary` has the first of them.
        LeakWarning
            A second stage is fitted on embeddings that were learnt from the weeks it learns from.
        """
        chosen = config_with(config, settings)
        scratch = None if path is not None else Path(tempfile.mkdtemp(prefix="pinnersage-"))
        home = Path(path) if path is not None else scratch / "model"  # type: ignore[operator]
        try:
            with GenerationDirectory(home).begin() as staging:
                head, as_text = take_off(home)
                manifest = write_generation(
                    staging.path, items, actions, chosen, now_ms=to_ms(now),
                    embeddings_npy=embeddings_npy, progress=progress, users_as_text=as_text,
                )  # fmt: skip
                for warning in warnings_of(manifest):
                    warnings.warn(warning, stacklevel=2)
                generation = land(staging, manifest | {"journal_head": head}, home, progress)
            return cls(generation, home, scratch)
        except BaseException:
            if scratch:
                shutil.rmtree(scratch, ignore_errors=True)
            raise

    @classmethod
    def open(cls, path: str | Path, *, durability: Durability = "disk") -> Self:
        """Open the current generation of a model's directory.

        Parameters
        ----------
        path
            Of the model.
        durability
            Of :meth:`update`; see :class:`~pinnersage.model.live.LiveModel`.

        Raises
        ------
        ModelNotFoundError
            No build has finished there.
        StoredFormatError
            A file is damaged or from a newer version.
        """
        home = Path(path)
        return GenerationDirectory(home).read(lambda generation: cls(generation, home, durability=durability))

    def save(self, path: str | Path) -> Path:
        """Write this model, and its journal, into a new directory; return that of the generation.

        Raises
        ------
        UsageError
            The directory holds a model, and one of the two has a journal: its entries belong to one alone.
        UnavailableError
            Newer builds have removed the generation that is open.
        """
        return save_copy(self._opened, self._home, Path(path))

    def record(self, user_id: UserId) -> UserRecord:
        """Return a user's record as of :attr:`now_ms`.

        Raises
        ------
        UserNotFoundError
            The model holds no such user.
        """
        return self._with_all_of(user_id).record(user_id)

    def interests(self, user_id: UserId) -> pa.Table:
        """Return a user's interests, most important first.

        Columns: ``medoid_item_id, importance, share, n_actions, newest_action, oldest_action, item_ids``.
        """
        return answers.interests_table(self.interests_dict(user_id), self._opened.items.vocabulary)

    def interests_dict(self, user_id: UserId) -> answers.Answer:
        """Return a user's interests in the JSON shape of the contract."""
        vocabulary = self._opened.items.vocabulary
        return answers.interests_answer(self._opened.user_of(user_id), self.record(user_id), vocabulary)

    def recommend(self, user_id: UserId, k: int = 100, **options: Unpack[ListOptions]) -> pa.Table:
        """Return recommendations: columns ``rank, item_id, score, interest``.

        Takes the options of :meth:`recommend_dict`.
        """
        return answers.recommend_table(
            self.recommend_dict(user_id, k, **options), self._opened.items.vocabulary
        )

    def recommend_dict(
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
    ) -> answers.Answer:
        """Return recommendations in the JSON shape of the contract.

        Parameters
        ----------
        user_id, k
            A user of the model, and the length of the list.
        interests
            How many interests to ask; as configured by default (3 drawn, the top 20, or 40 in one list).
        seed
            Seeds the draw, together with the user; equal seeds give equal lists.
        mode
            ``sampled`` (the paper's), ``budgeted``, ``balanced``, or ``ranked``: the default with a ranker.
        include_seen
            Also recommend what the user already acted on.
        exclude
            Items that may not come.
        where
            Attribute -> value or values; items must have one of each. Interests without an action on such
            items are not asked, unless none has one.
        """
        request = ListRequest(k, interests, seed, mode, include_seen, exclude, where)
        known, opened = self._opened.user_of(user_id), self._opened
        record, kept, drawn = self.record(known), self._preferences(known), seed_of_user(seed, known)
        return list_answer(opened, known, record, kept, request, seed=drawn)

    def similar(self, item_id: ItemId, k: int = 10) -> pa.Table:
        """Return the neighbors of an item: columns ``rank, item_id, score``."""
        return answers.similar_table(self.similar_dict(item_id, k), self._opened.items.vocabulary)

    def similar_dict(self, item_id: ItemId, k: int = 10) -> answers.Answer:
        """Return the neighbors of an item as plain values."""
        row = self._opened.row_of(item_id)
        rows, scores = self._opened.retriever.neighbors(row, k)
        vocabulary = self._opened.items.vocabulary
        return answers.similar_answer(vocabulary.id_of(row), rows, scores, vocabulary)

    def explain(self, user_id: UserId, item_id: ItemId) -> answers.Answer:
        """Return which interest speaks for an item, the user's actions behind it, and what speaks against.

        ``rank`` is its place in the list of 100 that the user gets, ``reasons`` why it cannot be in it.
        """
        known, record = self._opened.user_of(user_id), self.record(user_id)
        return explained(self._opened, known, record, self._opened.row_of(item_id), self._preferences(known))

    explain_dict = explain

    def users(self) -> Iterator[UserId]:
        """Yield all user ids, ascending."""
        yield from self._opened.store.user_ids()

    def summary(self) -> answers.Answer:
        """Return what was built: counts, index, reports, sizes, timings; :attr:`config` has the settings."""
        keys = ("as_of", "counts", "index", "reports", "timings")
        told = {"warnings": self._opened.manifest.get("warnings", [])}
        sizes = {
            "store_bytes": self._opened.store.n_bytes,
            "store_bytes_per_user": round(self._opened.store.n_bytes / max(1, len(self._opened.store)), 1),
        }
        about = {"path": str(self._home), "generation": self._opened.path.name}
        return about | {key: self._opened.manifest[key] for key in keys} | told | {"sizes": sizes}

    def close(self) -> None:
        """Close the store, and remove the files of a model that was built without a path."""
        self._close()
        self._remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _remove_scratch(scratch: Path | None, owner: int) -> None:
    if scratch is not None and os.getpid() == owner:  # And not in a fork of it.
        shutil.rmtree(scratch, ignore_errors=True)
