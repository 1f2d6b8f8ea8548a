"""The verbs that ask a built model: ``interests``, ``recommend``, ``similar`` and ``explain``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinnersage.cli import options
from pinnersage.cli.exits import report
from pinnersage.cli.output import configure_log, console, tell_if_compiling, write_json
from pinnersage.errors import NotFoundError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pinnersage.cli.tables import TitleOf
    from pinnersage.model import PinnerSage

Answer = Mapping[str, Any]
Render = Callable[[Answer, "TitleOf"], "RenderableType"]

HowMany = Annotated[int, typer.Option("-k", min=1, help="How many items.")]
NInterests = Annotated[
    int | None, typer.Option("--interests", min=1, help="How many interests to draw.", show_default=False)
]
Seed = Annotated[int, typer.Option("--seed", help="Seeds the draw of interests.")]
QueryMode = Annotated[
    options.Mode | None, typer.Option("--mode", help="Default: as built.", show_default=False)
]
IncludeSeen = Annotated[bool, typer.Option("--include-seen", help="Items already acted on may come too.")]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude", metavar="ITEM", help="An item that may not come; repeatable.", show_default=False
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="ATTRIBUTE=VALUE", show_default=False,
        help="Only such items; repeatable: of several values of an attribute one will do.",
    ),
]  # fmt: skip
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without", metavar="MEDOID", help="As if this interest did not exist; repeatable.",
        show_default=False,
    ),
]  # fmt: skip


@contextmanager
def _opened(directory: Path, *, as_json: bool) -> Iterator[PinnerSage]:
    """Open a model; people are told why the first answer of all takes long."""
    from pinnersage.model import PinnerSage

    with PinnerSage.open(directory) as model:
        if not as_json:
            tell_if_compiling()
        yield model


def interests(
    directory: options.Directory,
    users: options.Users,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Show users' interests, the most important first."""
    configure_log(verbose=verbose)
    from pinnersage.cli.tables import interests_table

    with _opened(directory, as_json=as_json) as model:
        _each_user(model, users, model.interests_dict, interests_table, as_json=as_json)


def recommend(
    directory: options.Directory,
    users: options.Users,
    k: HowMany = 100,
    n_interests: NInterests = None,
    seed: Seed = 0,
    mode: QueryMode = None,
    include_seen: IncludeSeen = False,
    exclude: Exclude = None,
    where: Where = None,
    without: Without = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Recommend items to users, each with the interest it comes from."""
    configure_log(verbose=verbose)
    from pinnersage.cli.counterfactual import recommendations_view
    from pinnersage.items.matching import where_of

    options: Any = {
        "interests": n_interests, "seed": seed, "mode": mode, "include_seen": include_seen,
        "exclude": exclude or (), "where": where_of(where or (), "="),
    }  # fmt: skip
    with _opened(directory, as_json=as_json) as model:

        def ask(user: str) -> Answer:
            if without:
                return model.recommend_without_dict(user, without, k, **options)
            return model.recommend_dict(user, k, **options)

        _each_user(model, users, ask, recommendations_view, as_json=as_json)


def similar(
    directory: options.Directory,
    item: options.Item,
    k: HowMany = 10,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Show the items nearest to an item."""
    configure_log(verbose=verbose)
    from pinnersage.cli.tables import neighbors_table

    with _opened(directory, as_json=as_json) as model:
        _show(model, model.similar_dict(item, k), neighbors_table, as_json=as_json)


def explain(
    directory: options.Directory,
    user: options.User,
    item: options.Item,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Show which interest speaks for an item, and which of the user's actions made that interest."""
    configure_log(verbose=verbose)
    from pinnersage.cli.explaining import explanation

    with _opened(directory, as_json=as_json) as model:
        _show(model, model.explain_dict(user, item), explanation, as_json=as_json)


def _each_user(
    model: PinnerSage, users: list[str], ask: Callable[[str], Answer], render: Render, *, as_json: bool
) -> None:
    """Answer for every known user in the order asked; exit with "not found" if one was unknown."""
    code = 0
    for user in users:
        try:
            answer = ask(user)
        except NotFoundError as error:
            report(error, as_json=as_json)
            code = error.exit_code
        else:
            if not as_json:
                _heading(answer)
            _show(model, answer, render, as_json=as_json)
    if code:
        raise typer.Exit(code)


def _heading(answer: Answer) -> None:
    from rich.text import Text

    console().print(Text(f"\nUser {answer['user_id']}", style="bold"))


def _show(model: PinnerSage, answer: Answer, render: Render, *, as_json: bool) -> None:
    if as_json:
        write_json(answer)
        return
    from pinnersage.cli.titles import title_of

    console().print(render(answer, title_of(model)))
