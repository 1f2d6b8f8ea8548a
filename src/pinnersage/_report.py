"""What an import read, kept and left out, and when that is too much to go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pinnersage.errors import BadRowsError

if TYPE_CHECKING:
    from pinnersage.config import ImportConfig

N_EXAMPLES = 5
MAX_SHOWN = 80


class BadRow(NamedTuple):
    """One row that was left out: its file, its row number in the file (from 1), why, and the value."""

    file: str
    row: int
    reason: str
    value: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What one table held.

    Attributes
    ----------
    table
        ``"items"`` or ``"actions"``.
    sources
        Names of the files read, in the order read.
    n_rows, n_good, n_bad
        Rows read; rows kept; rows left out (``n_good + n_bad == n_rows``).
    reasons
        Reason -> number of rows; no reason with zero rows.
    examples
        The first few bad rows of each reason.
    n_retractions
        Good rows that take an action back.
    n_taken_back
        Good rows of actions that these take back.
    outcomes
        Of an update, how many actions were accepted, duplicate, parked, rejected; else empty.
    """

    table: str
    sources: tuple[str, ...]
    n_rows: int
    n_good: int
    n_bad: int
    reasons: dict[str, int]
    examples: list[BadRow]
    n_retractions: int = 0
    n_taken_back: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; without ``outcomes``."""
        return {
            "table": self.table,
            "sources": list(self.sources),
            "n_rows": self.n_rows,
            "n_good": self.n_good,
            "n_bad": self.n_bad,
            "n_retractions": self.n_retractions,
            "n_taken_back": self.n_taken_back,
            "reasons": dict(self.reasons),
            "examples": [example._asdict() for example in self.examples],
        }

    def raise_if_too_many(self, config: ImportConfig, *, retractions_alone: bool = False) -> None:
        """Refuse to go on when nothing is left, or when more rows are bad than ``config`` allows.

        Where ``retractions_alone``, rows that take something back are something.

        Raises
        ------
        RowsRefusedError
            Names the reasons, the first rows with file and row, and what to do; carries the report.
        """
        if self.n_good == 0:
            raise RowsRefusedError(f"{self.table}: none of {self.n_rows:,} rows can be used", self)
        if self.n_good == self.n_retractions + self.n_taken_back and not retractions_alone:
            raise RowsRefusedError(
                f"{self.table}: none of {self.n_rows:,} rows counts, {self.n_taken_back:,} are taken back by "
                f"{self.n_retractions:,} with retract",
                self,
            )
        if config.strict and self.n_bad:
            raise RowsRefusedError(
                f"{self.table}: expected no bad rows (strict), found {self.n_bad:,} of {self.n_rows:,}",
                self,
                "Correct these rows, or leave them out: without --strict (strict=False).",
            )
        if self.n_bad > config.max_bad_share * self.n_rows:
            raise RowsRefusedError(
                f"{self.table}: expected at most {config.max_bad_share:.1%} bad rows, found "
                f"{self.n_bad / self.n_rows:.1%} ({self.n_bad:,} of {self.n_rows:,})",
                self,
                "Correct these rows, or raise max_bad_share to leave them out.",
            )


class RowsRefusedError(BadRowsError):
    """More rows are bad than allowed; ``report`` says which."""

    def __init__(self, found: str, report: ImportReport, advice: str = "Correct the table.") -> None:
        reasons = ", ".join(f"{name} {count:,}" for name, count in report.reasons.items())
        first: dict[str, BadRow] = {}
        for example in report.examples:
            first.setdefault(example.reason, example)
        shown = "".join(f"\n  {e.file} row {e.row}: {e.reason}: {e.value}" for e in first.values())
        told = f" ({reasons})" if reasons else ""
        super().__init__(f"{found}{told}.{shown}\n{advice}")
        self.report = report
        self.reports = {report.table: report}


class TablesRefusedError(BadRowsError):
    """What a check of several tables refuses; ``reports`` has each table's by its name, good ones too."""

    def __init__(self, refused: Sequence[RowsRefusedError], reports: Sequence[ImportReport]) -> None:
        super().__init__("\n".join(map(str, refused)))
        self.reports = {report.table: report for report in reports}


def refuse_together(reports: Sequence[ImportReport], config: ImportConfig) -> None:
    """Refuse several tables in one error, where :meth:`ImportReport.raise_if_too_many` refuses one of them.

    Raises
    ------
    TablesRefusedError
        Says what each table's error would; carries the reports of all.
    """
    refused = []
    for report in reports:
        try:
            report.raise_if_too_many(config)
        except RowsRefusedError as error:
            refused.append(error)
    if refused:
        raise TablesRefusedError(refused, reports)


@dataclass(slots=True)
class BadRowCounter:
    """Counts bad rows by reason and keeps the first few of each."""

    reasons: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[BadRow]] = field(default_factory=dict)

    def count(self, reason: str, n: int) -> None:
        """Add ``n`` rows to a reason."""
        if n:
            self.reasons[reason] = self.reasons.get(reason, 0) + n

    def wants(self, reason: str) -> int:
        """Return how many more examples of ``reason`` are worth showing."""
        return N_EXAMPLES - len(self.examples.get(reason, ()))

    def show(self, file: str, row: int, reason: str, value: object) -> None:
        """Keep one example, unless enough are kept."""
        if self.wants(reason) > 0:
            text = "(no value)" if value is None else repr(value) if isinstance(value, str) else str(value)
            shown = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
            self.examples.setdefault(reason, []).append(BadRow(file, row, reason, shown))

    def add(self, other: BadRowCounter, true_row: Callable[[int], int]) -> None:
        """Add another count, with its row numbers corrected by ``true_row``."""
        for reason, n in other.reasons.items():
            self.count(reason, n)
            kept = self.examples.setdefault(reason, [])
            for example in other.examples.get(reason, [])[: self.wants(reason)]:
                kept.append(example._replace(row=true_row(example.row)))

    def report(
        self, table: str, sources: tuple[str, ...], n_rows: int, n_retractions: int = 0, n_taken_back: int = 0
    ) -> ImportReport:
        """Return the finished report, the most frequent reason first."""
        reasons = dict(sorted(self.reasons.items(), key=lambda pair: (-pair[1], pair[0])))
        examples = [example for name in reasons for example in self.examples.get(name, ())]
        n_bad = sum(reasons.values())
        return ImportReport(
            table, sources, n_rows, n_rows - n_bad, n_bad, reasons, examples, n_retractions, n_taken_back
        )
