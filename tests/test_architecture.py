"""The layout of the house: who may import whom, how large things may grow, and what no file may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "pinnersage"
MAX_FUNCTION_LINES = 40
MAX_MODULE_LINES = 300

BASE = frozenset(
    {"errors", "config", "_ids", "_kernel", "_arrays", "_times", "_report", "_tables", "_extras"}
    | {"_directories", "_interrupts", "_machine_code"}
)
TO_INTERESTS = BASE | {"actions", "items", "interests"}
TO_STORE = TO_INTERESTS | {"store"}
TO_RETRIEVAL = TO_STORE | {"retrieval"}
TO_SERVING = TO_RETRIEVAL | {"ranking", "batch", "streaming", "serving", "evaluation", "embedding"}

# Layer -> the other layers it may import. A new top-level name has to be added here on purpose.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "_ids": frozenset(),
    "_interrupts": frozenset(),
    "_machine_code": frozenset(),
    "_kernel": frozenset({"_interrupts", "_machine_code"}),
    "_arrays": frozenset(),
    "_times": frozenset({"errors"}),
    "_extras": frozenset({"errors"}),
    "_directories": frozenset({"errors"}),
    "config": frozenset({"errors"}),
    "_report": BASE,
    "_tables": BASE,
    "items": BASE,
    "actions": BASE | {"items"},
    "interests": BASE | {"actions", "items"},
    "embedding": TO_INTERESTS,
    "store": TO_INTERESTS,
    "retrieval": TO_STORE,
    "ranking": TO_RETRIEVAL,
    "batch": TO_STORE,
    "streaming": TO_STORE,
    "evaluation": TO_RETRIEVAL | {"streaming", "embedding", "ranking"},
    "serving": TO_RETRIEVAL | {"streaming"},
    "testing": TO_SERVING,
    "model": TO_SERVING,
    "__init__": TO_SERVING | {"model"},
    "cli": TO_SERVING | {"model"},
    "__main__": frozenset({"cli"}),
}
CONFIGURATION_READERS = {"cli", "model"}

FILES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def layer_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every import, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write imports in full"
            if node.module == "pinnersage":
                yield from ((node.lineno, f"pinnersage.{alias.name}") for alias in node.names)
            elif node.module:
                yield node.lineno, node.module


def broken_imports(layer: str, tree: ast.AST) -> list[str]:
    broken = []
    for line, name in imported(tree):
        package, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if package == "pinnersage" and target not in {"", layer} | MAY_IMPORT[layer]:
            broken.append(f"line {line}: {layer} may not import {name}")
    return broken


def size_of(node: ast.AST) -> int:
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    return (node.end_lineno or node.lineno) - node.lineno + 1


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without its docstring."""
    first = node.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if is_docstring else 0
    return size_of(node) - docstring


def tracked_text_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    assert layer_of(path) in MAY_IMPORT, f"add {layer_of(path)} to the table of layers"
    assert broken_imports(layer_of(path), TREES[path]) == []


def test_the_import_rule_can_fail() -> None:
    assert broken_imports("interests", ast.parse("from pinnersage.store.base import Store"))
    assert broken_imports("store", ast.parse("def f():\n    import pinnersage.cli.app"))
    assert broken_imports("items", ast.parse("from pinnersage import model"))
    assert not broken_imports("store", ast.parse("from pinnersage.interests.record import UserRecord"))


def test_nobody_imports_the_command_line_or_the_test_helpers() -> None:
    allowed = {name: layers for name, layers in MAY_IMPORT.items() if name != "__main__"}
    assert not any({"cli", "testing"} & layers for layers in allowed.values())


def test_what_serves_a_model_loads_no_table_engine() -> None:
    modules = "pinnersage.cli.app, pinnersage.cli.serving, pinnersage.serving.app, pinnersage.model.live"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; print('duckdb' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_only_drivers_read_configuration(path: Path) -> None:
    if layer_of(path) in CONFIGURATION_READERS:
        return
    names = {name.split(".")[0] for _, name in imported(TREES[path])}
    assert not names & {"tomllib", "pydantic_settings"}
    reads = [
        n for n in ast.walk(TREES[path]) if isinstance(n, ast.Attribute) and n.attr in {"environ", "getenv"}
    ]
    assert reads == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= MAX_MODULE_LINES, f"{path.name} has {n_lines} lines"
    large = {
        node.name: code_lines(node)
        for node in ast.walk(TREES[path])
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and code_lines(node) > MAX_FUNCTION_LINES
    }
    assert large == {}


# The brackets keep these patterns from matching their own text.
REGISTRY_HOST = re.compile(r"p[y]pi[.]org|python[h]osted[.]org|p[y]pi[.]python[.]org")
MACHINE_PATH = re.compile(r"[/]home/[a-z]|[/]Users/[A-Za-z]|[/]root/|[A-Z]:[\\]Users|[/]work/\w|[/]tmp/lab")


def test_no_tracked_file_names_a_registry_or_a_developers_machine() -> None:
    found = []
    for path in tracked_text_files():
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if REGISTRY_HOST.search(line) or MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_requirements_are_pinned_with_hashes() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        blocks = re.split(r"\n(?=\S)", path.read_text(encoding="utf-8").strip())
        for block in blocks:
            assert re.match(r"[A-Za-z0-9_.\-\[\]]+==\S+", block), f"{path.name}: {block[:60]}"
            assert "--hash=sha256:" in block, f"{path.name}: {block[:60]}"
