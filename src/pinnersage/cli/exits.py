"""The one place where errors become messages and exit codes.

=====  =================================================================
code   meaning
=====  =================================================================
0      done
2      usage: the call itself is wrong
3      bad data: the input or a stored file cannot be used
4      not found: no such model, user or item
5      unavailable: busy, full or gone (try again later), or an extra is missing
130    interrupted (Ctrl-C); 143: told to end (SIGTERM); 141: the reader of a pipe went away
=====  =================================================================

Anything else is a defect of this program and shows its traceback.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import typer

from pinnersage.errors import PinnerSageError, UnavailableError

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_TERMINATED = 143

# The class every complaint of the argument parser derives from.
_ParserError: type[Exception] = typer.BadParameter.__mro__[2]


_terminated = threading.Event()
"""Set once SIGTERM came: what ends the program then is raised as for Ctrl-C."""

_Expected = (PinnerSageError, _ParserError, typer.Abort, KeyboardInterrupt, BrokenPipeError, MemoryError)


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of an expected ``error``."""
    if isinstance(error, PinnerSageError):
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        return EXIT_BROKEN_PIPE
    if isinstance(error, MemoryError):
        return UnavailableError.exit_code
    if isinstance(error, _ParserError):
        return EXIT_USAGE
    return EXIT_TERMINATED if _terminated.is_set() else EXIT_INTERRUPTED


def end_well_on_sigterm() -> None:
    """Let SIGTERM do what Ctrl-C does: half-written files are removed, and locks are given back."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # So shells start what runs in the background.
        signal.signal(signal.SIGINT, _only_if_terminated)
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(*_: object) -> None:
    _terminated.set()
    signal.raise_signal(signal.SIGINT)  # Its handler knows when it has to be put off.


def _only_if_terminated(*_: object) -> None:
    if _terminated.is_set():
        raise KeyboardInterrupt


def report(error: BaseException, *, as_json: bool) -> None:
    """Write an expected ``error`` to stderr, as text or as one JSON object on a line."""
    message = _message(error)
    if as_json:
        body = {"error": {"type": _type_name(error), "message": message}}
        print(json.dumps(body), file=sys.stderr)
    else:
        print(f"Error: {message}{_hint(error)}", file=sys.stderr)


def run(command: Callable[[Sequence[str]], int | None], args: Sequence[str]) -> int:
    """Run ``command`` on ``args`` and return the exit code of the process."""
    try:
        code = command(args)
        sys.stdout.flush()
    except typer.Exit as stop:
        return stop.exit_code
    except _Expected as error:
        _finish(error, as_json="--json" in args)
        return exit_code_of(error)
    return code or EXIT_OK


def _finish(error: BaseException, *, as_json: bool) -> None:
    if not _message(error) and isinstance(error, _ParserError):
        return  # No verb at all: the help is printed already.
    if isinstance(error, BrokenPipeError):
        # Python flushes stdout at exit and would complain about the closed pipe once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        report(error, as_json=as_json)


def _message(error: BaseException) -> str:
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return "told to end" if _terminated.is_set() else "interrupted"
    if isinstance(error, _ParserError):
        # The parser hands on what a validation library puts before its messages.
        return str(getattr(error, "format_message", error.__str__)()).replace("Value error, ", "")
    if isinstance(error, MemoryError):
        return f"out of memory{f' ({error})' if str(error) else ''}: allow more, or work on less at once"
    return str(error)


def _type_name(error: BaseException) -> str:
    return "UsageError" if isinstance(error, _ParserError) else type(error).__name__


def _hint(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    if context is None:
        return ""
    is_surplus = "unexpected extra argument" in _message(error)
    told = _how_to_repeat(context.command.params) if is_surplus else ""
    return f"{told}\nSee: {context.command_path} --help"


def _how_to_repeat(parameters: Sequence[Any]) -> str:
    """Say how several values are given: a shell's ``*.parquet`` leaves all but the first without option."""
    names = [p.opts[0] for p in parameters if getattr(p, "multiple", False) and p.required]
    return "".join(f"\nEach value has its option: {name} A {name} B" for name in names[:1])
