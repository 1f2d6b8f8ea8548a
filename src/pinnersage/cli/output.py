"""Where results and remarks go: stdout for results, stderr for everything else."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

Progress = Callable[[str, int, int | None], None]
TOLD_EVERY_S = 15.0
COMPILING = "Compiling kernels for this machine, once: about half a minute."


def write_json(value: Mapping[str, Any]) -> None:
    """Write ``value`` to stdout as one line of UTF-8 JSON."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()


def console() -> Console:
    """Return the console for results."""
    from rich.console import Console

    return Console(highlight=False)


def error_console() -> Console:
    """Return the console for remarks and progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


@contextmanager
def progress_bars(*, shown: bool = True, lines: bool = False) -> Iterator[Progress]:
    """Give a function ``(step, n_done, n_total)`` that draws bars, if stderr is a terminal.

    ``n_total`` None means that the amount of work is not known. What is no terminal gets a line every 15 s,
    and with ``lines`` one for each finished step.
    """
    terminal = error_console()
    if not (shown and terminal.is_terminal):
        yield _with_notice(_Lines(each=lines) if shown else _nothing, _say if shown else _log)
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bars(*columns, console=terminal, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(step: str, n_done: int, n_total: int | None) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=None)
            bars.update(tasks[step], completed=n_done, total=n_total)

        yield _with_notice(report, terminal.print)


def _nothing(_step: str, _n_done: int, _n_total: int | None) -> None:
    """Tell nothing."""


class _Lines:
    """Progress in lines: how far a step is, every ``TOLD_EVERY_S``, and with ``each`` that it is done."""

    def __init__(self, *, each: bool) -> None:
        self._each, self._told_s = each, time.monotonic()

    def __call__(self, step: str, n_done: int, n_total: int | None) -> None:
        now_s = time.monotonic()
        if n_done == n_total:
            if self._each:
                _say(f"done: {step}")
        elif now_s - self._told_s >= TOLD_EVERY_S:
            self._told_s = now_s
            _say(f"{step}: {n_done:,}" + ("" if n_total is None else f" of {n_total:,}"))


def _with_notice(report: Progress, say: Callable[[str], None]) -> Progress:
    """Ask once, as soon as kernels are loaded: see :func:`tell_if_compiling`."""
    asked = False

    def noticing(step: str, n_done: int, n_total: int | None) -> None:
        nonlocal asked
        if "pinnersage._machine_code" in sys.modules and not asked:
            asked = True
            tell_if_compiling(say)
        report(step, n_done, n_total)

    return noticing


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _log(message: str) -> None:
    import structlog

    structlog.get_logger().info(message)


def tell_if_compiling(say: Callable[[str], None] = _say) -> None:
    """Let it be said why the next step takes so long, when kernels are loaded and have to be compiled."""
    machine_code = sys.modules.get("pinnersage._machine_code")
    if machine_code is not None:
        machine_code.when_compiling(lambda: say(COMPILING))


def configure_log(*, verbose: bool) -> None:
    """Send operational lines to stderr: all of them when ``verbose``, else warnings and worse."""
    import logging

    import structlog

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("Warning: %(message)s."))
    own = logging.getLogger("pinnersage")
    own.handlers, own.propagate = [handler], False
    level = logging.INFO if verbose else logging.WARNING
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
