"""Lists of many users as one table: what mails and other programs take from a batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pinnersage._ids import UserId
from pinnersage._tables.engine import Progress
from pinnersage.errors import UsageError, UserNotFoundError
from pinnersage.interests.record import UserRecord
from pinnersage.items._files import check_new_file, finished_file
from pinnersage.model.choosing import ListRequest
from pinnersage.model.list_options import ListOptions
from pinnersage.model.listing import found_list
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.preferring import Kept
from pinnersage.retrieval.draw import seed_of_user

_PART_USERS = 1_000
_PARQUET, _CSV, _JSONL = (".parquet", ".pq"), (".csv",), (".jsonl", ".ndjson")
_ENDINGS = (*_PARQUET, *_CSV, *_JSONL)

Write = Callable[[pa.RecordBatch], None]


class ManyLists:
    """The part of :class:`~pinnersage.model.facade.PinnerSage` that makes the lists of many users."""

    _opened: OpenedGeneration

    def record(self, user_id: UserId) -> UserRecord:
        """Return a user's record; see :meth:`pinnersage.model.facade.PinnerSage.record`."""
        raise NotImplementedError

    def _preferences(self, user_id: UserId) -> Kept:
        raise NotImplementedError

    def recommend_many(
        self, user_ids: Iterable[UserId] | None = None, k: int = 100, **options: Unpack[ListOptions]
    ) -> pa.RecordBatchReader:
        """Return the lists of many users, one after the other, made while they are read.

        Columns: ``user_id, rank, item_id, score, interest``; each list is the one of :meth:`recommend`.

        Parameters
        ----------
        user_ids
            In the order wanted; None: all, ascending. Users that are not known have no rows, and neither have
            those without interests.
        k
            Length of each list.
        **options
            As in :meth:`recommend_dict`.

        Examples
        --------
        ``model.recommend_many(k=20).read_all()`` is an Arrow table; reading batch by batch takes less memory.
        """
        if isinstance(user_ids, str | int):
            raise UsageError(f"user_ids: expected several users, got {user_ids!r:.100} alone")
        wanted = self._opened.store.user_ids() if user_ids is None else user_ids
        batches = self._batches(iter(wanted), ListRequest(k, **options), None)
        return pa.RecordBatchReader.from_batches(self._schema(), batches)

    def export_lists(
        self,
        out: str | Path,
        k: int = 100,
        *,
        progress: Progress | None = None,
        **options: Unpack[ListOptions],
    ) -> dict[str, Any]:
        """Write :meth:`recommend_many` of all users into a new file.

        Parameters
        ----------
        out
            Ends in ``.parquet`` (``.pq``), ``.csv``, or ``.jsonl`` (``.ndjson``), a row a line.
        k, **options
            As there.
        progress
            Called with stage, done, total.

        Returns
        -------
        facts
            ``out, n_users, n_rows, n_users_without``: those who get no list.

        Raises
        ------
        UsageError
            The file is there already, is to be in no directory, or has another ending.
        StorageFullError
            There is no room; nothing is left under the name.
        """
        path, request = Path(out), ListRequest(k, **options)
        check_new_file(path, _ENDINGS)
        n_rows = n_with = 0
        with finished_file(path) as sink, _writer(path, sink, self._schema()) as write:
            for batch in self._batches(self._opened.store.user_ids(), request, progress):
                write(batch)
                n_rows += len(batch)
                n_with += int((np.asarray(batch["rank"]) == 1).sum())
        n_users = len(self._opened.store)
        return {"out": str(path), "n_users": n_users, "n_rows": n_rows, "n_users_without": n_users - n_with}

    def _schema(self) -> pa.Schema:
        manifest = self._opened.manifest
        user, item = (
            pa.int64() if kind == "integer" else pa.string()
            for kind in (manifest["user_kind"], self._opened.items.vocabulary.kind)
        )
        return pa.schema(
            [("user_id", user), ("rank", pa.int32()), ("item_id", item), ("score", pa.float32()),
             ("interest", item)]
        )  # fmt: skip

    def _batches(
        self, users: Iterator[UserId], request: ListRequest, progress: Progress | None
    ) -> Iterator[pa.RecordBatch]:
        n_done, n_all = 0, len(self._opened.store)
        while part := list(islice(users, _PART_USERS)):
            yield self._batch(part, request)
            n_done += len(part)
            if progress:
                progress("making lists", n_done, n_all)

    def _batch(self, users: list[UserId], request: ListRequest) -> pa.RecordBatch:
        """Return the lists of some users; ids of items are looked up together."""
        opened, lists = self._opened, []
        for user_id in users:
            try:
                known = opened.user_of(user_id)
                record = self.record(known)
            except UserNotFoundError:
                continue
            if record.n_interests:
                seed = seed_of_user(request.seed, known)
                asked, found = found_list(opened, record, self._preferences(known), request, seed=seed)
                medoids = np.append(asked.medoid_rows, -1)[found.interests]
                lists.append((known, found.rows, found.scores, medoids))
        rows, scores, medoids = (
            np.concatenate([np.empty(0, kind), *(one[at] for one in lists)])
            for at, kind in ((1, np.int32), (2, np.float32), (3, np.int32))
        )
        ids = opened.items.vocabulary.ids_of(np.where(medoids < 0, 0, medoids)) if len(medoids) else []
        columns = {
            "user_id": [one[0] for one in lists for _ in one[1]],
            "rank": np.concatenate(
                [np.empty(0, np.int32), *(np.arange(1, len(one[1]) + 1) for one in lists)]
            ),
            "item_id": opened.items.vocabulary.ids_of(rows) if len(rows) else [],
            "score": scores,
            "interest": [None if m < 0 else i for i, m in zip(ids, medoids.tolist(), strict=True)],
        }
        return pa.record_batch(columns, schema=self._schema())


@contextmanager
def _writer(path: Path, sink: BinaryIO, schema: pa.Schema) -> Iterator[Write]:
    ending = path.suffix.lower()
    if ending in _JSONL:
        yield lambda batch: sink.writelines(
            json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in batch.to_pylist()
        )
        return
    kind = pq.ParquetWriter if ending in _PARQUET else pyarrow.csv.CSVWriter
    with kind(sink, schema) as writer:
        yield writer.write_batch
