"""Ctrl-C, put off."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from pinnersage._interrupts import interrupts_kept, interrupts_put_off
from pinnersage._tables.engine import open_engine, run, translated
from pinnersage.errors import DataError


def test_it_takes_effect_at_the_end() -> None:
    done = []
    before = signal.getsignal(signal.SIGINT)

    def work() -> None:
        with interrupts_put_off():
            signal.raise_signal(signal.SIGINT)
            done.append("all")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all"]
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_inside_stays_one_where_nobody_interrupts() -> None:
    with pytest.raises(ValueError, match="own"), interrupts_put_off():
        raise ValueError("own")
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_other_threads_and_other_handlers_are_left_alone() -> None:
    inside = []

    def work() -> None:
        with interrupts_put_off():
            inside.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_put_off():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_table_engine_is_loaded_whole() -> None:
    """Ctrl-C while its module starts: at once, for it is sent from inside that import."""
    code = """
import importlib.abc, signal, sys
class Interrupts(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "_duckdb":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
from pinnersage._tables import engine
try:
    engine._library()
except KeyboardInterrupt:
    print("interrupted", "_duckdb" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["interrupted", "True"]


def swallowing() -> list[str]:
    """Do as a callback from machine code does: what is raised in it is told, and goes on."""
    done = []
    try:
        signal.raise_signal(signal.SIGINT)
        done.append("not heard at once")
    except KeyboardInterrupt:
        done.append("swallowed")
    return done


def test_what_was_swallowed_is_heard_at_the_end() -> None:
    before, done = signal.getsignal(signal.SIGINT), list[str]()
    with pytest.raises(KeyboardInterrupt), interrupts_kept(), interrupts_kept():
        done += swallowing()
    assert done == ["swallowed"]
    with interrupts_kept():
        pass
    with pytest.raises(KeyboardInterrupt), interrupts_kept():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


ENDLESS = "SELECT sum(a.range * b.range) FROM range(10_000_000) a, range(10_000_000) b"


@pytest.mark.parametrize("has_progress", [True, False])
def test_ctrl_c_stops_a_long_statement_and_its_connection_can_be_closed(
    tmp_path: Path, has_progress: bool
) -> None:
    """Whether DuckDB has the main thread, and tells of it in its own words, or a thread of ours."""
    connection = open_engine(tmp_path, 500, n_threads=1)
    told: list[str] = []
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt), translated("a table"):
            run(connection, ENDLESS, "reading", 1, (lambda *_: told.append("told")) if has_progress else None)
    finally:
        timer.cancel()
    assert connection.execute("SELECT 1").fetchall() == [(1,)]
    connection.close()
    assert bool(told) == has_progress


def test_what_arrow_cannot_do_is_said_of_the_table() -> None:
    """It is a RuntimeError, too."""
    with pytest.raises(DataError, match="a table: cannot be read as a table"), translated("a table"):
        raise pa.ArrowNotImplementedError("no such type")


def test_other_runtime_errors_are_left_alone() -> None:
    with pytest.raises(RuntimeError, match="of ours"), translated("a table"):
        raise RuntimeError("of ours")
