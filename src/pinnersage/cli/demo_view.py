"""The demo's stories on the terminal."""

from __future__ import annotations

import os
import shutil
import sys
from itertools import zip_longest

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from pinnersage.cli.demo_story import Story
from pinnersage.cli.tables import TitleOf, indented, interests_table, kept_whole, stretched_table
from pinnersage.cli.times import span
from pinnersage.errors import install_command

_N_INTERESTS_SHOWN = 7


def show_story(terminal: Console, story: Story, title_of: TitleOf) -> None:
    """Print one user's interests, then both lists side by side."""
    found = story.interests["interests"]
    terminal.print()
    terminal.print(Rule(Text(f"User {story.interests['user_id']}", style="bold"), align="left"))
    terminal.print(Text(_summary(found), style="dim"))
    terminal.print()
    terminal.print(indented(interests_table(story.interests, title_of, n_shown=_N_INTERESTS_SHOWN)))
    terminal.print()
    terminal.print(indented(_lists(story, title_of)))
    terminal.print(indented(Text(_comparison(story), style="italic")))


def next_commands(directory: str, user: str, item: str, medoid: str) -> list[tuple[str, str]]:
    """Return (command, what it shows) of what to try after the demo."""
    return [
        (f"pinnersage interests {directory} {user}", "all interests of this user"),
        (
            f"pinnersage recommend {directory} {user} -k 20 --mode sampled",
            "three drawn interests",
        ),
        (f"pinnersage explain {directory} {user} {item}", "why this item"),
        (f"pinnersage similar {directory} {medoid}", "items like this one"),
        (f"pinnersage serve {directory}", f"all this as a page; before: {install_command('serve')}"),
        ("pinnersage demo --tables DIR", "the same, and leaves these tables for the other commands"),
        ("pinnersage demo --items F --actions F", "the same with your own tables"),
        ("pinnersage build --items F --actions F --out DIR", "a model of your own"),
    ]


def show_next(terminal: Console, commands: list[tuple[str, str]]) -> None:
    """Print the commands to try next, with the program as it was called if no shell would find it."""
    found = shutil.which("pinnersage") or not os.access(sys.argv[0], os.X_OK)
    program = "pinnersage" if found else os.path.relpath(sys.argv[0])
    terminal.print()
    terminal.print(Rule(Text("Try next", style="bold"), align="left"))
    for command, what in commands:
        called = program + command.removeprefix("pinnersage")
        terminal.print(Text.assemble("  ", (called, "bold cyan"), (f"   # {what}", "dim")), soft_wrap=True)


def _summary(found: list[dict[str, object]]) -> str:
    n_actions = sum(int(str(interest["n_actions"])) for interest in found)
    items = {str(item) for interest in found for item in interest["item_ids"]}  # type: ignore[attr-defined]
    oldest = min(str(interest["oldest_action"]) for interest in found)
    newest = max(str(interest["newest_action"]) for interest in found)
    return (
        f"{n_actions:,} actions on {len(items):,} items, {span(oldest, newest)}: {len(found):,} interests, "
        "the most important first"
    )


def _lists(story: Story, title_of: TitleOf) -> Table:
    table = stretched_table(
        "#",
        "Recommended",
        "because of the interest",
        "One averaged vector gives",
        stretch={"Recommended": 1, "because of the interest": 1, "One averaged vector gives": 1},
    )
    for number, (item, averaged) in enumerate(
        zip_longest(story.recommendations["items"], story.averaged), start=1
    ):
        table.add_row(
            str(number),
            Text(title_of(item["item_id"]) if item else "", style="bold"),
            Text(f"← {title_of(item['interest'])}" if item else "", style="cyan"),
            Text("" if averaged is None else title_of(averaged), style="dim"),
        )
    return kept_whole(table)


def _comparison(story: Story) -> str:
    n_interests = len({item["interest"] for item in story.recommendations["items"]})
    ours, theirs = story.spread, story.averaged_spread
    text = f"{n_interests} interests speak in this list; "
    if "n_categories" in ours:
        text += f"{ours['n_categories']:.0f} categories against {theirs['n_categories']:.0f}, "
    return text + f"mean cosine of two items {ours['mean_cosine']:.2f} against {theirs['mean_cosine']:.2f}."
