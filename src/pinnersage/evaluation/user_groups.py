"""Groups of users by a column that the caller knows of them: country, age, plan, campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Float64s, Int32s
from pinnersage.errors import UsageError
from pinnersage.evaluation.gaps import thirds

MOST_NAMED = 12
"""Groups with names of their own; also how many different numbers still make named groups."""

LEAST_USERS = 20
"""With fewer users that have a figure, a group is shown and not compared."""

OTHER, UNKNOWN, ALL_OTHERS = "(other)", "(unknown)", "all others"
OWN_TRAITS = ("activity", "history_days", "n_interests", "history_popularity", "main_category_share")
"""What every report groups or compares users by; no column may have such a name."""


class Group(NamedTuple):
    """Some users; named groups have no ends."""

    name: str
    least: float | None
    most: float | None
    users: Bools


class Comparison(NamedTuple):
    """Two groups, of which the first is taken from the second."""

    low_name: str
    low: Bools
    high_name: str
    high: Bools


@dataclass(frozen=True, slots=True)
class UserColumn:
    """What is known of each user in one respect.

    Attributes
    ----------
    values
        float64 ``(n_users,)``: numbers, or places in ``names``; NaN where nothing is known.
    names
        Of the values; None: the values are numbers, and users are parted into thirds.
    in_table
        bool ``(n_users,)``: who stands in the table, with a value or without; None: not told.
    """

    values: Float64s
    names: tuple[str, ...] | None = None
    in_table: Bools | None = field(default=None, repr=False)

    def of(self, users: Int32s) -> UserColumn:
        """Return the column of some users only."""
        in_table = None if self.in_table is None else self.in_table[users]
        return UserColumn(self.values[users], self.names, in_table)

    def groups(self) -> list[Group]:
        """Return groups that part the users: by name or from low to high, the unknown ones last.

        At most :data:`MOST_NAMED` names, those with most users, stand for themselves; users of all other
        names are one group.

        Examples
        --------
        >>> plan = UserColumn(np.array([1.0, 0.0, np.nan, 1.0]), ("free", "paid"))
        >>> [(group.name, int(group.users.sum())) for group in plan.groups()]
        [('free', 1), ('paid', 2), ('(unknown)', 1)]
        """
        known = third_groups(self.values) if self.names is None else self._named_groups(self.names)
        unknown = ~np.isfinite(self.values)
        return [*known, *([Group(UNKNOWN, None, None, unknown)] if unknown.any() else [])]

    def comparisons(self) -> list[Comparison]:
        """Return what is set against each other: the ends of thirds, or each name and all other known users.

        Of two names only the second against the first: the other way round says the same. None where the
        known users are one group.
        """
        groups = [group for group in self.groups() if group.name != UNKNOWN]
        if len(groups) < 2:
            return []
        if self.names is None or len(groups) == 2:
            return [Comparison(groups[0].name, groups[0].users, groups[-1].name, groups[-1].users)]
        known = np.isfinite(self.values)
        return [Comparison(ALL_OTHERS, known & ~group.users, group.name, group.users) for group in groups]

    def _named_groups(self, names: tuple[str, ...]) -> list[Group]:
        known = self.values[np.isfinite(self.values)].astype(np.int64).tolist()
        counts = Counter({place: n for place, n in Counter(known).items() if names[place] != OTHER})
        largest = sorted(counts, key=lambda place: (-counts[place], place))[:MOST_NAMED]
        found = [Group(names[place], None, None, self.values == place) for place in sorted(largest)]
        rest = np.isfinite(self.values) & ~np.isin(self.values, largest)
        return [*found, *([Group(OTHER, None, None, rest)] if rest.any() else [])]


def third_groups(values: Float64s) -> list[Group]:
    """Return the thirds by a number with their ends; fewer where it ties."""
    return [
        Group(name, float(values[chosen].min()), float(values[chosen].max()), chosen)
        for name, chosen in thirds(values)
    ]


def check_group_by(group_by: str | Sequence[str], *, has_users: bool) -> None:
    """Refuse columns without a table, a table without columns, and names that every report has.

    Raises
    ------
    UsageError
        One of these; says what to do.
    """
    if bool(group_by) != has_users:
        there, missing = ("--users", "--group-by") if has_users else ("--group-by", "--users")
        raise UsageError(
            f"expected both a table of users and columns to group them by, got {there} without {missing} "
            "(from Python: users= and group_by=)"
        )
    names = [group_by] if isinstance(group_by, str) else group_by
    taken = sorted({*names} & {*OWN_TRAITS})
    if taken:
        raise UsageError(
            f"cannot group users by {', '.join(taken)}: every report has groups of this name; rename the "
            "column in the table of users"
        )


def check_columns(columns: Mapping[str, UserColumn], n_users: int) -> None:
    """Refuse columns of other users than those of the log, and names that every report has.

    Parameters
    ----------
    columns
        By name, of all users of the log.
    n_users
        Of the log.

    Raises
    ------
    UsageError
        A column is of other users, or its name is taken.
    """
    check_group_by(list(columns), has_users=bool(columns))
    for name, column in columns.items():
        if len(column.values) != n_users:
            raise UsageError(
                f"expected a value of {name} for each of the {n_users:,} users of the log, "
                f"found {len(column.values):,}; take UserTable.columns_of(log.user_ids)"
            )


def users_found(columns: Mapping[str, UserColumn]) -> dict[str, int]:
    """Return how many of the users measured stand in their table; nothing where that is not told."""
    told = [column.in_table for column in columns.values() if column.in_table is not None]
    return {"n_users_in_table": int(np.count_nonzero(told[0]))} if told else {}
