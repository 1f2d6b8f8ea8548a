"""A configuration as TOML, with comments: only what differs from the defaults of the library."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pinnersage.config import BuildConfig

_OF_THE_MACHINE = ("n_threads",)


def differing(config: BuildConfig) -> dict[str, dict[str, Any]]:
    """Return section -> key -> value of what differs from the defaults.

    Examples
    --------
    >>> differing(BuildConfig(retrieval={"mode": "budgeted"}))
    {'retrieval': {'mode': 'budgeted'}}
    """
    defaults = BuildConfig().model_dump(mode="json")
    found = {}
    for section, values in config.model_dump(mode="json").items():
        if section not in _OF_THE_MACHINE:
            other = {key: value for key, value in values.items() if value != defaults[section][key]}
            if other:
                found[section] = other
    return found


def toml_text(config: BuildConfig, comments: Sequence[str]) -> str:
    """Return a file that ``--config`` takes.

    Parameters
    ----------
    config
        What it should say; a value of None, which TOML has no word for, is left out.
    comments
        Sentences, put at the top.
    """
    lines = [f"# {_printable(line)}" for comment in comments for line in comment.splitlines()]
    sections = differing(config)
    for section, values in sections.items():
        plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
        tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
        lines += ["", f"[{section}]", *_assignments(plain)]
        for name, inner in tables.items():
            lines += ["", f"[{section}.{name}]", *_assignments(inner)]
    if not sections:
        lines += ["", "# Nothing differs from the defaults."]
    return "\n".join(lines) + "\n"


def _assignments(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if value is not None:
            yield f"{_text(key) if not key.isidentifier() or not key.isascii() else key} = {_value(value)}"


def _printable(text: str) -> str:
    """Return a text without the control characters that TOML forbids in comments."""
    return "".join(character if character.isprintable() else " " for character in text)


def _value(value: Any) -> str:
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    """Return a basic string: JSON's escapes are TOML's, but for the one character that TOML forbids."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
