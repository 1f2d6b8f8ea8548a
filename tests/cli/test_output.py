"""Remarks on stderr: what is said while something takes long."""

from __future__ import annotations

import pytest

from pinnersage import _kernel
from pinnersage.cli.output import COMPILING, configure_log, progress_bars


@pytest.mark.parametrize(
    ("verbose", "none_compiled", "n_said"), [(True, True, 1), (True, False, 0), (False, True, 0)]
)
def test_compiling_is_said_once_and_only_to_who_asked(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    verbose: bool,
    none_compiled: bool,
    n_said: int,
) -> None:
    monkeypatch.setattr(_kernel, "none_compiled", lambda: none_compiled)
    configure_log(verbose=verbose)
    with progress_bars() as progress:
        progress("users", 0, 2)
        progress("users", 1, 2)
    out, err = capsys.readouterr()
    assert err.count(COMPILING) == n_said
    assert out == ""


def test_people_at_a_terminal_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_kernel, "none_compiled", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with progress_bars() as progress:
        progress("users", 2, 2)
    assert COMPILING.split(":")[0] in capsys.readouterr().err
