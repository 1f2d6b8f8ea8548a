"""What a build or a check found, and the receipt of an erasure, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinnersage.cli.tables import Answer, facts_table
from pinnersage.cli.times import short_date

_BYTES_PER_MB = 1e6


def build_report(summary: Answer) -> Group:
    """Return the summary of a build: what was made, how long it took, which rows were left out."""
    counts, sizes = summary["counts"], summary["sizes"]
    facts = {
        "model": f"{summary['path']}, generation {int(summary['generation'])}",
        "items": f"{counts['n_items']:,}, {counts['n_pool_items']:,} of them in the pool",
        "users": counts["n_users"],
        "interests": f"{counts['n_interests']:,} from {counts['n_actions_in_windows']:,} actions",
        **_of_journal(counts),
        "as of": summary["as_of"],
        "index": f"{summary['index']['kind']}: {summary['index']['reason']}",
        "size of the store": f"{sizes['store_bytes'] / _BYTES_PER_MB:,.1f} MB",
        "time": ", ".join(f"{_name(key)} {value:.1f} s" for key, value in summary["timings"].items()),
    }
    return Group(facts_table(facts), *_left_out(summary["reports"].values()))


def _of_journal(counts: Answer) -> Answer:
    # Models of earlier versions do not know it.
    n_entries = counts.get("n_journal_entries", 0)
    return {"and of the journal": f"{n_entries:,} entries, repeats and items among them"} if n_entries else {}


def check_report(report: Answer) -> Group:
    """Return what ``validate`` found in both tables."""
    span = f"{short_date(report['oldest_action'])} to {short_date(report['newest_action'])}"
    facts = {name: _rows(report[name]) for name in ("items", "actions")} | {"time of the actions": span}
    return Group(facts_table(facts), *_left_out([report["items"], report["actions"]]))


def embedding_report(summary: Answer) -> Group:
    """Return what ``embed`` made, from what, and which rows were left out."""
    facts = {
        "items": f"{summary['out']}, {summary['n_items']:,} with {summary['n_dimensions']} dimensions each",
        "made from": _origin(summary),
        "time": f"{summary['seconds']:.1f} s",
    }
    if "actions" in summary["reports"]:
        log = f"{summary['n_actions']:,} actions before {summary['until']}"
        facts["log"] = f"{log}, on {summary['n_items_in_log']:,} items"
    if summary["n_items_without"]:
        facts["left out"] = f"{summary['n_items_without']:,} items of which nothing is known"
    return Group(facts_table(facts), *_left_out(summary["reports"].values()))


def _origin(summary: Answer) -> str:
    texts = {"tfidf": "texts (TF-IDF)", "minilm": "texts (MiniLM)", "given": "the embeddings given"}
    parts = [] if summary["text_model"] is None else [texts[summary["text_model"]]]
    return " and ".join(parts + ([] if summary["from"] == "text" else ["sessions of the log"]))


def erasure_receipt(receipt: Answer) -> Group:
    """Return what was removed of a user."""
    sentence = Text(f"User {receipt['user_id']} is erased.", style="bold")
    journal = receipt["journal"]
    facts = {
        f"generation {found['generation']}": f"{found['n_actions']:,} actions, {found['n_interests']:,} "
        f"interests, {found['n_seen_items']:,} items seen before those"
        + (f", {n:,} that the log takes back" if (n := found["n_log_retractions"]) else "")
        for found in receipt["removed"]
    }
    facts |= {"journal": f"{journal['n_entries']:,} entries, {journal['n_preferences']:,} preferences"}
    return Group(sentence, facts_table(facts))


def ingest_report(answer: Answer) -> Group:
    """Return what became of the actions of a table."""
    facts = {
        "read": _rows(answer["report"]),
        "accepted": f"{answer['accepted']:,}",
        "known before": f"{answer['duplicate']:,}",
        "waiting for their item": f"{answer['parked']:,}",
        "rejected": f"{answer['rejected']:,}",
    }
    return Group(facts_table(facts), *_left_out([answer["report"]]))


def unknown_items_told(answer: Answer, max_share: float) -> str:
    """Return a warning where more than ``max_share`` of the rows of a table found no item; else nothing."""
    n_rows, n_parked, n_rejected = answer["report"]["n_rows"], answer["parked"], answer["rejected"]
    if n_parked + n_rejected <= max_share * n_rows:
        return ""
    rejected = f", {n_rejected:,} more were rejected (--max-parked)" if n_rejected else ""
    return (
        f"{n_parked:,} of {n_rows:,} actions are on items that the model does not know{rejected}: they count "
        "once these items are there. If they should be there, check that this is the right file and that its "
        "item ids are those of the items (--map item_id=COLUMN)"
    )


def verification_report(found: Answer) -> Group:
    """Return whether records are what a batch builds."""
    good = "Every record is what a batch builds of its actions, and holds every journalled one."
    sentence = Text(good, style="green") if found["ok"] else Text("Records differ from a batch.", style="red")
    facts = {
        "records": f"{found['n_users']:,}",
        "journalled actions": f"{found['n_journal_actions']:,}",
        "differing": f"{found['n_differing']:,}",
        **{reason: f"{count:,}" for reason, count in found["differences"].items()},
    }
    if found["n_behind"]:
        facts["not in the records before"] = f"{found['n_behind']:,} journal entries, folded in now"
    if found["n_not_in_model"]:
        who = f"{found['n_not_in_model']:,} users: erased since, or new in this log"
        facts["in the log, not in the model"] = who
    if found["n_waiting_for_build"]:
        who = f"{found['n_waiting_for_build']:,} users: older actions that only the log has count then"
        facts["waiting for the next build"] = who
    return Group(sentence, facts_table(facts))


def _rows(report: Answer) -> str:
    return f"{report['n_rows']:,} rows read, {report['n_good']:,} good, {report['n_bad']:,} bad"


def _name(timing: str) -> str:
    return timing.removesuffix("_s").replace("_", " ")


def _left_out(reports: Any) -> Iterator[RenderableType]:
    for report in reports:
        if report.get("n_retractions"):
            n_back, n_gone = report["n_retractions"], report["n_taken_back"]
            told = f"{n_back:,} rows take an action back, {n_gone:,} hold one of these"
            yield Text(f"\nTaken back in {report['table']}: {told} and do not count.")
        if report["n_bad"]:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in report["reasons"].items())
            counted = " (rows are counted without the head of a CSV file)"
            told = f"\nLeft out of {report['table']}: {reasons}. The first of them{counted}:"
            yield Text(told, style="yellow")
            yield _examples(report["examples"])


def _examples(examples: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("File", "Row", "Reason", "Value"):
        table.add_column(name, overflow="fold")
    for example in examples:
        table.add_row(*(Text(str(example[name])) for name in ("file", "row", "reason", "value")))
    return table
