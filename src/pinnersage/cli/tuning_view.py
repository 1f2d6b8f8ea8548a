"""What tuning found, for people: a row for each group of settings, then what it is worth."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pinnersage.cli.evaluation_view import warned
from pinnersage.cli.options import Read, actions_flags, reading_flags
from pinnersage.cli.tables import Answer, facts_table
from pinnersage.cli.times import span
from pinnersage.evaluation.tuning.words import embed_command, values_text

_LEARNT = {
    "log": "learnt from the log before each of these spans",
    "fused": "as given, fused with what the log says before each of these spans",
}


def tuning_view(found: Answer) -> Group:
    """Return facts, the table of choices, and the verdict; only the reason where nothing was compared."""
    verdict = Text(found["sentences"][-1], style="bold")
    about = found["about"]
    if found["held_out"] is None:
        return Group(*warned(about), verdict)
    train, held_out, tuning = about["train"], about["held_out"], about["tuning"]
    facts = {
        "chosen on": f"{span(train['from'], train['until'])} (not included), "
        f"{about['n_users_asked']:,} of {train['n_users']:,} users, {train['n_targets']:,} targets",
        "measured on": f"{span(held_out['from'], held_out['until'])} (not included)",
        "metric": f"{tuning['metric']}, targets: {tuning['targets'].replace('_', '-')}, "
        f"{about['n_items_per_list']:,} items a list",
        **({"embeddings": _LEARNT[about["vectors"]]} if about["vectors"] in _LEARNT else {}),
        "settings tried": f"{about['n_settings_tried']} in {about['seconds']:.0f} s",
    }
    return Group(*warned(about), facts_table(facts), Text(), _table(found["choices"]), Text(), verdict)


def next_steps(found: Answer, read: Read, out: Path) -> str:
    """Return the commands that build with what was chosen, on embeddings like those it was chosen on."""
    source, log = found["about"]["vectors"], actions_flags(read.actions)
    given = f"--items {quote(str(read.items))} {log}"
    both, of_log = (reading_flags(read.imports, of=of) for of in (("items", "actions"), ("actions",)))
    config = f"--config {quote(str(out))} --out DIR"
    beside = f" --embeddings {quote(str(read.embeddings))}" if read.embeddings else ""
    if source == "given":
        return f"pinnersage build {given}{beside}{both} {config}"
    return (
        f"pinnersage {embed_command(source)} {given}{both} --out E.parquet\n"
        f"then: pinnersage build --items E.parquet {log}{of_log} {config}"
    )


def _table(choices: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for head in ("Setting", "Default", "Chosen", "Why"):
        table.add_column(head, overflow="fold")  # no name is cut in a narrow terminal
    for choice in choices:
        default, chosen = (values_text(choice[name], None) for name in ("default", "chosen"))
        style = "bold" if choice["changed"] else "dim"
        table.add_row(Text(choice["group"]), Text(default), Text(chosen, style=style), Text(choice["why"]))
    return table
