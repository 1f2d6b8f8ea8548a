"""Ctrl-C, put off."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from pinnersage._tables.interrupts import interrupts_put_off


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
