"""What a command imports before it does anything: each of these takes a good part of a second."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_HEAVY = (
    "pandas",
    "pydantic",
    "numpy",
    "numba",
    "duckdb",
    "pyarrow",
    "faiss",
    "litestar",
    "structlog",
    "rich",
)


def loaded(*args: object) -> set[str]:
    """Return the packages that are loaded once a command has run, in a process of its own."""
    program = (
        "import sys; from pinnersage.cli.app import invoke; from pinnersage.cli.exits import run\n"
        "code = run(invoke, sys.argv[1:])\n"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", program, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_the_version_is_told_without_what_verbs_need() -> None:
    assert loaded("--version").isdisjoint(_HEAVY)


@pytest.mark.parametrize(
    "question", [("recommend", "u1"), ("interests", "u1"), ("similar", "i01"), ("explain", "u1", "i05")]
)
def test_a_question_to_a_model_is_answered_without_pandas(built: Path, question: tuple[str, ...]) -> None:
    verb, *words = question
    found = loaded(verb, built, *words, "--json")
    assert "numba" in found, "the packages are not those of the answer"
    assert found.isdisjoint({"pandas", "litestar", "sklearn", "matplotlib"})


@pytest.mark.parametrize("verb", [("recommend", "u0", "-k", "2"), ("backup", "--out", "elsewhere")])
def test_with_closed_streams_a_command_does_its_work(
    copy: Path, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    """As some who start daemons close them: what is opened next must not get their numbers."""
    name, *more = verb
    command = [sys.executable, "-m", "pinnersage", name, str(copy), *more]
    closing = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    assert subprocess.run([*closing, *command], cwd=tmp_path, check=False, timeout=300).returncode == 0
