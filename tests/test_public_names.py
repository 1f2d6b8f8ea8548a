"""Public names are documented, their docstrings match their signatures, and one thing has one word."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pinnersage

SOURCE = Path(__file__).parents[1] / "src" / "pinnersage"
FILES = sorted(SOURCE.rglob("*.py"))

# Words that stand for a thing which the word list calls something else.
BANNED_WORDS = {
    "pin": "item",
    "pins": "items",
    "neighbour": "neighbor",
    "neighbours": "neighbors",
    "vec": "embedding",
    "vecs": "embeddings",
    "emb": "embedding",
    "embs": "embeddings",
    "vectordb": "index",
    "uid": "user_id",
    "iid": "item_id",
    "persona": "interest",
    "num": "n_",
    "cnt": "n_",
    "sec": "_s",
    "secs": "_s",
    "millis": "_ms",
    "msec": "_ms",
}
SENTENCE_IS_ENOUGH = 2
BANNED_PROSE = re.compile(r"\bpins?\b|\bvector (db|database|store)\b|\bdata ?points?\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def words(identifier: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(identifier)]


def defined_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def public_definitions(tree: ast.Module) -> Iterator[ast.ClassDef | Function]:
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name[0] != "_":
            yield node
            inner = node.body if isinstance(node, ast.ClassDef) else []
            yield from (n for n in inner if isinstance(n, ast.FunctionDef) and n.name[0] != "_")


def section(docstring: str, name: str) -> str | None:
    """Return the body of a numpydoc section, None when it is not there."""
    found = re.search(rf"^{name}\n-+\n(.*?)(?=^[A-Z][A-Za-z ]+\n-+\n|\Z)", docstring, re.M | re.S)
    return found.group(1) if found else None


def documented_parameters(docstring: str) -> set[str]:
    body = section(docstring, "Parameters") or ""
    heads = [line for line in body.splitlines() if line and not line[0].isspace()]
    return {name.strip(" *") for line in heads for name in line.split(":")[0].split(",")}


def parameters_of(node: Function) -> set[str]:
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, [given.vararg, given.kwarg])]
    return {argument.arg for argument in every} - {"self", "cls"}


def public_callables() -> list[Any]:
    """Return what a user calls: exported functions, and public methods of exported classes."""
    found: list[Any] = []
    for name in getattr(pinnersage, "__all__", ()):
        thing = getattr(pinnersage, name)
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            for method, value in vars(thing).items():
                call = getattr(value, "__func__", value)
                if method[0] != "_" and inspect.isfunction(call):
                    found.append(pytest.param(call, id=f"{name}.{method}"))
        elif inspect.isfunction(thing):
            found.append(pytest.param(thing, id=name))
    return found


def test_the_contract_is_exported() -> None:
    assert {"ward_clusters", "build_interests", "PinnerSage", "LiveModel", "NewAction"} <= set(
        pinnersage.__all__
    )


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_every_public_name_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path.name} has no module docstring"
    undocumented = [node.name for node in public_definitions(tree) if not ast.get_docstring(node)]
    assert undocumented == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_documented_parameters_exist(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            stale = documented_parameters(ast.get_docstring(node) or "") - parameters_of(node)
            assert not stale, f"{node.name} documents {stale}, which it does not take"


@pytest.mark.parametrize("call", public_callables())
def test_the_public_interface_documents_parameters_and_results(call: Callable[..., Any]) -> None:
    docstring = inspect.getdoc(call) or ""
    summary = docstring.split("\n\n")[0].lower()
    signature = inspect.signature(call)
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    named = {p.name for p in signature.parameters.values() if p.kind not in variable} - {"self", "cls"}
    undocumented = named - documented_parameters(docstring)
    # A sentence is enough for one or two parameters; where there are more, each has its own.
    assert len(named) <= SENTENCE_IS_ENOUGH or undocumented == set()
    result = str(signature.return_annotation)
    told = "return" in summary or "yield" in summary or section(docstring, "Returns")
    assert told or result in {"None", "Self"} or result == str(inspect.Signature.empty)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_one_word_per_thing(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wrong = {
        name: BANNED_WORDS[word]
        for name in defined_names(tree)
        for word in words(name)
        if word in BANNED_WORDS
    }
    assert wrong == {}, "use the word on the right instead"
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            prose = ast.get_docstring(node) or ""
            assert not BANNED_PROSE.search(prose), prose


def test_the_word_rule_can_fail() -> None:
    assert words("numPins_of_vec") == ["num", "pins", "of", "vec"]
    assert not set(words("n_pinned_embeddings")) & set(BANNED_WORDS)
    assert BANNED_PROSE.search("Look it up in the vector DB.")


def test_sections_are_read_as_numpydoc() -> None:
    docstring = (
        "Do.\n\nParameters\n----------\na, b\n    Two.\n*rest : int\n    More.\n\nReturns\n-------\nint"
    )
    assert documented_parameters(docstring) == {"a", "b", "rest"}
    assert section(docstring, "Returns") == "int"
    assert section(docstring, "Raises") is None
