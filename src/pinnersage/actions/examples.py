"""The first few bad rows of each reason, found by reading again, file after file until there are enough."""

from __future__ import annotations

from collections.abc import Sequence

from pinnersage._report import N_EXAMPLES, BadRowCounter
from pinnersage._tables.engine import Connection
from pinnersage._tables.parts import Rejects, open_part, true_row
from pinnersage.actions.checks import REASONS, Checks, checked_sql
from pinnersage.actions.opening import ActionPart

_SHOWN = (
    "CASE WHEN reason IN (3, 4) THEN item_text WHEN reason BETWEEN 5 AND 8 THEN time_text "
    "WHEN reason BETWEEN 9 AND 11 THEN weight_text WHEN reason = 12 THEN retract_text END"
)


def show_bad_rows(
    connection: Connection,
    parts: Sequence[ActionPart],
    checks: Checks,
    rejects: Rejects,
    bad: BadRowCounter,
) -> None:
    """Add examples to ``bad``, whose counts are complete.

    One file at a time and in order, which is why this is apart from the parallel pass that counts.
    """
    for name, rows in rejects.items():
        for row, found in rows[:N_EXAMPLES]:
            bad.show(name, row, "unreadable_row", found)
    connection.execute("SET preserve_insertion_order = true")
    for part, columns in parts:
        for piece in part.pieces:
            if not _missing(bad):
                return
            ids = [columns["user_id"], columns["item_id"]]
            one = open_part(connection, [piece], list(part.types), ids)
            _show_piece(connection, (one, columns), checks, rejects.get(piece.name, []), bad)


def _missing(bad: BadRowCounter) -> bool:
    return any(min(n, N_EXAMPLES) > len(bad.examples.get(name, ())) for name, n in bad.reasons.items())


def _show_piece(
    connection: Connection,
    part: ActionPart,
    checks: Checks,
    rejects: list[tuple[int, str]],
    bad: BadRowCounter,
) -> None:
    checked = checked_sql([part], checks, numbered=True)
    rows = connection.execute(
        f"SELECT row, reason, {_SHOWN} FROM ({checked}) WHERE reason > 0 "
        f"QUALIFY row_number() OVER (PARTITION BY reason ORDER BY row) <= {N_EXAMPLES} ORDER BY row"
    )
    for row, reason, value in rows.fetchall():
        bad.show(part[0].pieces[0].name, true_row(row, rejects), REASONS[reason], value)
