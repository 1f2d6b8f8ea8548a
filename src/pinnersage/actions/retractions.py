"""Rows that take an action back: what a log says of them, and the actions that count no more.

An action taken back never counts again, wherever the two rows stand. One with an event id is named by that
alone; one without is the action without an event id that equals the row in all other columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pinnersage._tables.engine import Connection

TAKEN_BACK = "taken_back"
"""Relation of the rows with ``retract``, none twice; made by :func:`stage_retractions`."""

_ABSENT = {"item_row": "-1", "time_ms": "-1", "kind": "''", "weight": "0"}


class Retraction(NamedTuple):
    """One action taken back, with external ids; ``item_id`` is a text, whatever the items have."""

    user_id: str | int
    item_id: str
    time_ms: int
    kind: str
    weight: float
    event_key: int


def stage_retractions(connection: Connection, relation: str) -> int:
    """Make :data:`TAKEN_BACK` from checked rows; return how many good actions it takes back."""
    columns = ", ".join(("user_id", "retracted_item", "item_row", "time_ms", "kind", "weight", "event_key"))
    connection.execute(
        f"CREATE TABLE {TAKEN_BACK} AS SELECT DISTINCT {columns} FROM {relation} WHERE reason = 0 AND retract"
    )
    gone = _joined_sql(f"(SELECT * FROM {relation} WHERE reason = 0 AND NOT retract)", "SEMI")
    return int(connection.execute(f"SELECT count(*) FROM {gone}").fetchall()[0][0])


def counting_sql(relation: str, *, take_back: bool) -> str:
    """Return a relation of the checked rows without ``retract``; of those alone that nothing takes back."""
    others = f"(SELECT * FROM {relation} WHERE NOT retract)"
    return f"(SELECT * FROM {_joined_sql(others, 'ANTI')})" if take_back else others


def read_retractions(connection: Connection, user_type: str, n_per_part: int) -> Iterator[list[Retraction]]:
    """Yield the rows of :data:`TAKEN_BACK`, by user and time, in parts of about ``n_per_part``."""
    names = ("retracted_item", "time_ms", "kind", "weight", "event_key")
    sql = f"SELECT user_id::{user_type}, {', '.join(names)} FROM {TAKEN_BACK} ORDER BY ALL"
    for part in connection.sql(sql).to_arrow_reader(n_per_part):
        yield list(map(Retraction, *(column.to_pylist() for column in part.columns)))


def _joined_sql(relation: str, join: str) -> str:
    names = ("user_id", "event_key")
    same = [f"a.{name} = b.{name}" for name in names]
    same += [f"{_if_no_event('a', name)} = {_if_no_event('b', name)}" for name in _ABSENT]
    return f"{relation} AS a {join} JOIN {TAKEN_BACK} AS b ON {' AND '.join(same)}"


def _if_no_event(row: str, name: str) -> str:
    return f"CASE WHEN {row}.event_key = 0 THEN {row}.{name} ELSE {_ABSENT[name]} END"
