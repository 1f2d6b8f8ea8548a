"""The verbs ``keys add``, ``keys list`` and ``keys remove``: who may call a service."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from pinnersage._times import rfc3339
from pinnersage.cli import options
from pinnersage.cli.output import console, write_json
from pinnersage.cli.serving import check_installed

KeyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The file that `serve --keys` reads.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")]
Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", help="read, write, or admin for all; repeatable. Else read.", show_default=False),
]

app = typer.Typer(name="keys", help="Make, list and remove the keys of a service.", no_args_is_help=True)


@app.command(epilog="Example: [bold]pinnersage keys add keys.json shop --scope read --scope write[/bold]")
def add(file: KeyFile, name: Name, scopes: Scopes = None, as_json: options.AsJson = False) -> None:
    """Make a key and print it, this once."""
    check_installed()
    from pinnersage.serving.keys import add_key

    wanted = scopes or ["read"]
    key = add_key(file, name, wanted, rfc3339(time.time_ns() // 1_000_000))
    if as_json:
        write_json({"name": name, "scopes": wanted, "key": key, "file": str(file)})
        return
    typer.echo(key)
    typer.echo(f"Keep it: {file} holds its hash only.", err=True)


@app.command("list", epilog="Example: [bold]pinnersage keys list keys.json[/bold]")
def list_(file: KeyFile, as_json: options.AsJson = False) -> None:
    """List names and scopes."""
    check_installed()
    from pinnersage.serving.keys import read_keys

    for key in read_keys(file):
        if as_json:
            facts = {"name": key.name, "id": key.id, "scopes": key.scopes, "created_at": key.created_at}
            write_json(facts)
        else:
            console().print(f"{key.name}  {key.id}  {', '.join(key.scopes)}  {key.created_at}")


@app.command(epilog="Example: [bold]pinnersage keys remove keys.json shop[/bold]")
def remove(file: KeyFile, name: Name, as_json: options.AsJson = False) -> None:
    """Remove a key; services that run refuse it within a second."""
    check_installed()
    from pinnersage.serving.keys import remove_key

    remove_key(file, name)
    if as_json:
        write_json({"name": name, "removed": True})
    else:
        typer.echo(f"Removed {name} from {file}.")
