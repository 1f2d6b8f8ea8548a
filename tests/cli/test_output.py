"""Remarks on stderr: what is said while something takes long."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from pinnersage import _machine_code
from pinnersage.cli.output import COMPILING, configure_log, progress_bars


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("verbose", [True, False])
@pytest.mark.parametrize("none_compiled", [True, False])
def test_compiling_is_said_once_and_not_on_stdout(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    none_compiled: bool,
    verbose: bool,
    shown: bool,
) -> None:
    """Also where nobody watches: in the log of a container it explains why nothing happens.

    Programs, who ask for JSON, are not told: what they find on stderr is an error.
    """
    monkeypatch.setattr(_machine_code, "when_compiling", lambda tell: tell() if none_compiled else None)
    configure_log(verbose=verbose)
    with progress_bars(shown=shown) as progress:
        progress("users", 0, 2)
        progress("users", 1, 2)
    out, err = capsys.readouterr()
    assert err.count(COMPILING) == (none_compiled and (shown or verbose))
    assert bool(err) == (none_compiled and (shown or verbose))
    assert out == ""


def test_people_at_a_terminal_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_machine_code, "when_compiling", lambda tell: tell())
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with progress_bars() as progress:
        progress("users", 2, 2)
    assert COMPILING.split(":")[0] in capsys.readouterr().err


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("lines", [True, False])
def test_without_a_terminal_a_long_step_tells_now_and_then_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lines: bool, shown: bool
) -> None:
    monkeypatch.setattr(_machine_code, "when_compiling", lambda _tell: None)
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    with progress_bars(shown=shown, lines=lines) as progress:
        for passed_s, n_done in ((10.0, 1_000), (10.0, 2_000), (10.0, 3_000), (10.0, 4_000)):
            now_s += passed_s
            progress("taking actions in", n_done, 4_000)
        now_s += 20.0
        progress("reading", 7, None)
    done = ["done: taking actions in"] if lines else []
    told = ["taking actions in: 2,000 of 4,000", *done, "reading: 7"]
    assert capsys.readouterr().err.splitlines() == (told if shown else [])


def test_who_asks_a_model_is_told_before_the_answer(
    built: Path, call: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_machine_code, "when_compiling", lambda tell: tell())
    assert call("recommend", built, "u1").err == f"{COMPILING}\n"
    assert call("recommend", built, "u1", "--json").err == ""
