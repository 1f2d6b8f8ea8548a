"""A table of users: columns of the caller's own that users of a log are grouped by."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pinnersage._arrays import Bools, Float64s
from pinnersage._report import ImportReport
from pinnersage._tables.engine import Connection, Progress, open_engine, translated
from pinnersage._tables.sources import TableSource, resolve_source
from pinnersage.config import ImportConfig
from pinnersage.errors import DataError, UsageError
from pinnersage.evaluation.user_groups import MOST_NAMED, UserColumn, check_group_by
from pinnersage.evaluation.user_rows import STAGED, stage_users

_SURELY_NUMBERS = 0.75
"""With this share of its different values numbers, a column is meant as one of numbers."""


@contextmanager
def opened_users(
    source: TableSource,
    group_by: str | Sequence[str],
    config: ImportConfig | None = None,
    *,
    progress: Progress | None = None,
) -> Iterator[UserTable]:
    """Check a table of users and hold it until its columns are taken.

    Parameters
    ----------
    source
        A path, a list of paths or globs, or a table in memory.
    group_by
        Its columns to group users by, under the names that they have there; one, or several.
    config
        Mapping of ``user_id``, how many bad rows are too many, memory.
    progress
        Told the stage, the bytes done and the bytes in all.

    Yields
    ------
    UserTable

    Raises
    ------
    UsageError
        A path is wrong, or there is no such column.
    SchemaError
        There is no ``user_id``, or a column is of a type that groups no users.
    BadRowsError, DataError
        Too many rows are bad, a file is damaged or empty, or most values of a column are numbers and some
        are not.

    Examples
    --------
    >>> table = pa.table({"user_id": ["a", "b"], "plan": ["free", "paid"]})
    >>> with opened_users(table, ["plan"]) as users:
    ...     users.columns_of(["a", "b", "c"])["plan"]
    UserColumn(values=array([ 0.,  1., nan]), names=('free', 'paid'))
    """
    imports = config or ImportConfig()
    names = [group_by] if isinstance(group_by, str) else list(dict.fromkeys(group_by))
    check_group_by(names, has_users=True)
    with tempfile.TemporaryDirectory(prefix="pinnersage-users-") as scratch:
        pieces = resolve_source(source, Path(scratch), "users")
        sources = tuple(piece.name for piece in pieces)
        with closing(open_engine(Path(scratch), imports.memory_limit_mb)) as connection:
            with translated(", ".join(sources)):
                report = stage_users(connection, pieces, names, imports, progress)
            if report.n_rows == 0:
                raise DataError(f"{', '.join(sources)}: the table of users holds no rows")
            report.raise_if_too_many(imports)
            with translated(", ".join(sources)):
                kinds = [_kind(connection, i, name) for i, name in enumerate(names)]
            yield UserTable(names, report, kinds, connection)


class _Kind(NamedTuple):
    """Of a column: whether all values are numbers, and whether these are many."""

    are_numbers: bool
    are_many: bool


@dataclass(frozen=True, slots=True)
class UserTable:
    """A table of users, checked.

    Attributes
    ----------
    group_by
        Columns that are read.
    report
        Rows read, kept and left out.
    """

    group_by: list[str]
    report: ImportReport
    _kinds: list[_Kind]
    _connection: Connection

    def columns_of(self, user_ids: Sequence[str] | Sequence[int]) -> dict[str, UserColumn]:
        """Return column -> what is known of each of these users.

        A column of more than :data:`~pinnersage.evaluation.user_groups.MOST_NAMED` different values that
        are all numbers stays numbers; every other one holds names.

        Raises
        ------
        UsageError
            There are no users.
        DataError
            None of the users is in the table, or one stands there with different values.
        """
        if not len(user_ids):
            raise UsageError("expected ids of users to take the columns of, got none")
        with translated(", ".join(self.report.sources)):
            found = self._joined(user_ids)
        places = found["place"].to_numpy()
        in_table = np.zeros(len(user_ids), bool)
        in_table[places] = True
        return {
            name: UserColumn(*_values(found[f"text_{i}"], found[f"number_{i}"], in_table, kind), in_table)
            for i, (name, kind) in enumerate(zip(self.group_by, self._kinds, strict=True))
        }

    def _joined(self, user_ids: Sequence[str] | Sequence[int]) -> pa.Table:
        key = "integer_id" if isinstance(user_ids[0], int) else "text_id"
        ids = pa.table({"place": np.arange(len(user_ids)), "id": pa.array(user_ids)})
        self._connection.register("log_users", ids)
        values = ", ".join(
            f"min(text_{i}) AS text_{i}, min(number_{i}) AS number_{i}, "
            f"count(DISTINCT text_{i}) > 1 AS differs_{i}"
            for i in range(len(self.group_by))
        )
        found = self._connection.sql(
            f"SELECT place, {values} FROM {STAGED} JOIN log_users ON {key} = id WHERE reason IS NULL "
            "GROUP BY place ORDER BY place"
        ).to_arrow_table()
        if not len(found):
            raise DataError(self._nobody(key))
        for i, name in enumerate(self.group_by):
            n_differing = int(np.count_nonzero(found[f"differs_{i}"].to_numpy()))
            if n_differing:
                raise DataError(
                    f"users: expected one value of {name} for each user, found different ones for "
                    f"{n_differing:,} user{'' if n_differing == 1 else 's'} of the log; leave one row of each"
                )
            if found[f"text_{i}"].null_count == len(found):
                raise DataError(
                    f"users: expected values of {name} for users of the log, found none; group by another "
                    "column (--group-by, from Python: group_by=)"
                )
        return found

    def _nobody(self, key: str) -> str:
        (n_of_kind,) = self._connection.execute(f"SELECT count({key}) FROM {STAGED}").fetchall()[0]
        if n_of_kind:
            return "users: expected users of the log, found none of them; is this the table of another log?"
        kinds = ["texts", "integers"] if key == "integer_id" else ["integers", "texts"]
        return (
            f"users: expected user ids of the same type as in the log, found {kinds[0]} where the log has "
            f"{kinds[1]}; give both tables the same ids, of the same type"
        )


def _kind(connection: Connection, i: int, name: str) -> _Kind:
    """Tell numbers from names; numbers of which a few cells are none are neither."""
    sql = (
        f"SELECT count(DISTINCT text_{i}), count(DISTINCT text_{i}) FILTER (number_{i} IS NULL), "
        f"min(text_{i}) FILTER (number_{i} IS NULL) FROM {STAGED} WHERE reason IS NULL"
    )
    n_different, n_no_numbers, example = connection.execute(sql).fetchall()[0]
    n_numbers = n_different - n_no_numbers
    if n_no_numbers and n_numbers > MOST_NAMED and n_numbers >= _SURELY_NUMBERS * n_different:
        raise DataError(
            f"users: expected numbers or names, found both: {n_no_numbers:,} of {n_different:,} different "
            f"values of {name} are no numbers, such as {example!r}; leave these empty to have thirds of the "
            "numbers, or put a letter before every number to have named groups"
        )
    return _Kind(n_no_numbers == 0, n_different > MOST_NAMED)


def _values(
    texts: Any, numbers: Any, in_table: Bools, kind: _Kind
) -> tuple[Float64s, tuple[str, ...] | None]:
    """Return values and names of a :class:`UserColumn`, of rows in the order of the users that have one."""
    values, places = np.full(len(in_table), np.nan), np.flatnonzero(in_table)
    if kind.are_numbers and kind.are_many:
        values[places] = numbers.to_numpy()
        return values, None
    is_known = texts.is_valid()
    given = texts.filter(is_known).to_pylist()
    number_of = dict(zip(given, numbers.filter(is_known).to_pylist(), strict=True))
    names = sorted(number_of, key=lambda name: (number_of[name] if kind.are_numbers else 0, name))
    place_of = {name: place for place, name in enumerate(names)}
    values[places[is_known.to_numpy()]] = [place_of[text] for text in given]
    return values, tuple(names)
