"""The verb ``demo``: the main job from tables to recommendations, told for a few users."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pinnersage._times import to_ms
from pinnersage.cli import options
from pinnersage.cli.output import Progress, configure_log, console, progress_bars, write_json
from pinnersage.errors import UsageError

if TYPE_CHECKING:
    from pinnersage.cli.demo_story import Story
    from pinnersage.model import PinnerSage


Embedder = Literal["tfidf", "minilm"]
_N_DIMENSIONS = {"tfidf": 128, "minilm": 384}
Items = Annotated[
    Path | None, typer.Option("--items", metavar="F", help="Items of your own.", show_default=False)
]
Actions = Annotated[
    Path | None, typer.Option("--actions", metavar="F", help="Actions of your own.", show_default=False)
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the model goes; built anew.")]
Tables = Annotated[
    Path | None,
    typer.Option(
        "--tables",
        metavar="DIR",
        help="Leave what it was built from there: items.parquet and actions.parquet, for the other commands.",
        show_default=False,
    ),
]
Texts = Annotated[
    Embedder, typer.Option("--embedder", help="What turns item texts into embeddings, where there are none.")
]
NUsers = Annotated[int, typer.Option("--users", min=1, help="How many users to show.")]
K = Annotated[int, typer.Option("-k", min=1, help="How many items to recommend.")]


@options.with_settings(mode="budgeted")
def demo(
    items: Items = None,
    actions: Actions = None,
    out: Out = Path("pinnersage-demo"),
    tables: Tables = None,
    embedder: Texts = "tfidf",
    n_users: NUsers = 3,
    k: K = 10,
    embeddings: options.Embeddings = None,
    now: options.Now = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    *,
    config: options.Config,
) -> None:
    """Show the whole way on real purchases: interests, recommendations, and what one vector would give."""
    configure_log(verbose=verbose)
    if (items is None) != (actions is None):
        raise UsageError("expected --items and --actions together, got one of them")
    if tables is not None:
        _check_tables(tables, out, has_own=items is not None or embeddings is not None)
    started = time.monotonic()
    with progress_bars(shown=not as_json) as progress:
        source = _purchases(as_json=as_json) if items is None else (items, actions)
        if embeddings is None:
            source = _embedded(source[0], embedder, config, progress), source[1]
        with _built(source, embeddings, out, now, config, progress) as model:
            if tables is not None:
                _leave(source, tables)
            stories = _stories(model, n_users, k)
            seconds = time.monotonic() - started
            if as_json:
                _write_json(stories, out, tables, seconds)
            else:
                _show(model, stories, out, tables, seconds)


def _check_tables(tables: Path, out: Path, *, has_own: bool) -> None:
    from pinnersage.cli.demo_tables import check_tables

    if has_own:
        raise UsageError("--tables leaves the demo's purchases: expected no tables or embeddings of yours")
    if tables.resolve() == out.resolve():
        raise UsageError(f"--tables: expected another directory than the model's, got {tables} twice")
    check_tables(tables)


def _leave(source: tuple[Any, Any], directory: Path) -> None:
    from pinnersage.cli.demo_tables import write_tables

    write_tables(*source, directory)


def _purchases(*, as_json: bool) -> tuple[Any, Any]:
    from pinnersage.cli.demo_data import ORIGIN, load_purchases

    tables = load_purchases()
    if not as_json:
        terminal = console()
        terminal.print(ORIGIN)
        terminal.print(
            f"{len(tables.actions):,} purchases of {len(tables.items):,} items, an item being one distinct "
            f"description; {tables.n_left_out:,} lines without one, or of money and fuel, left out. "
            "The first run also compiles its kernels, which may take a minute."
        )
    return tables.items, tables.actions


def _built(
    source: tuple[Any, Any],
    embeddings: Path | None,
    out: Path,
    now: str | None,
    config: Any,
    progress: Progress,
) -> PinnerSage:
    from pinnersage.model import PinnerSage

    items, actions = source
    return PinnerSage.build(
        items,
        actions,
        path=out,
        config=config,
        now=to_ms(now),
        embeddings_npy=embeddings,
        progress=progress,
    )


def _embedded(items: Any, embedder: Embedder, config: Any, progress: Progress) -> Any:
    """Return the items with embeddings of their texts, or as they are if they have some."""
    from pinnersage.embedding.settings import EmbeddingSettings
    from pinnersage.embedding.tables import embed_tables, has_embeddings

    if has_embeddings(items, config.imports):
        return items
    settings = EmbeddingSettings("text", n_dimensions=_N_DIMENSIONS[embedder])
    return embed_tables(
        items, None, settings=settings, text_model=embedder, imports=config.imports,
        wall_clock_ms=time.time_ns() // 1_000_000, progress=progress,
    ).table  # fmt: skip


def _stories(model: PinnerSage, n_users: int, k: int) -> list[Story]:
    from pinnersage.cli.demo_story import choose_users, tell

    return [tell(model, user_id, k) for user_id in choose_users(model, n_users)]


def _write_json(stories: list[Story], out: Path, tables: Path | None, seconds: float) -> None:
    left = {} if tables is None else {"tables": str(tables)}
    write_json({"model": str(out), **left, "seconds": seconds, "users": [s._asdict() for s in stories]})


def _show(model: PinnerSage, stories: list[Story], out: Path, tables: Path | None, seconds: float) -> None:
    from pinnersage.cli.demo_tables import ACTIONS, ITEMS
    from pinnersage.cli.demo_view import next_commands, show_next, show_story
    from pinnersage.cli.titles import title_of

    terminal = console()
    terminal.print(f"Built {out} and asked it in {seconds:.0f} s.")
    if tables is not None:
        terminal.print(f"Left what it was built from: {tables / ITEMS} and {tables / ACTIONS}.")
    find = title_of(model)
    for story in stories:
        show_story(terminal, story, find)
    if stories and stories[0].recommendations["items"]:
        first = stories[0].recommendations["items"][0]
        user = str(stories[0].interests["user_id"])
        show_next(terminal, next_commands(str(out), user, str(first["item_id"]), str(first["interest"])))
