"""Settings from flags, the environment, a TOML file and the defaults, in this order of precedence."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError

ENVIRONMENT_PREFIX = "PINNERSAGE_"
# Kubernetes puts these into every container beside a service called "pinnersage".
_SERVICE_LINK = re.compile(r"^(SERVICE_HOST|SERVICE_PORT.*|PORT|PORT_.*)$")
_NAMES_IN_THE_PAPER = {"alpha": "interests.max_merge_cost", "lambda": "interests.decay_per_day"}
_LEAST_LIKENESS = 0.55

Tree = dict[str, Any]


class _Environment(BuildConfig, BaseSettings):
    """The names and types that the environment may hold."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__")


def known_keys(model: type[BaseModel] = BuildConfig, prefix: str = "") -> Iterator[str]:
    """Yield every setting as a dotted key, for example ``interests.decay_per_day``."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from known_keys(inner, f"{prefix}{name}.")
        else:
            yield prefix + name


def load_config(
    file: Path | None, flags: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> BuildConfig:
    """Merge flags, environment, file and defaults into one validated configuration.

    Parameters
    ----------
    file
        TOML with the sections of :class:`~pinnersage.config.BuildConfig`.
    flags
        Dotted key -> value; None stands for a flag that was not given.
    defaults
        Dotted key -> value, where a verb departs from the defaults of the library.

    Raises
    ------
    UsageError
        The file cannot be read, a key is unknown, or a value is out of range.
    """
    given = {key: value for key, value in flags.items() if value is not None}
    return _checked({**(defaults or {}), **_told(file), **given})


def given_settings(file: Path | None) -> tuple[list[str], BuildConfig]:
    """Return the dotted keys that a file and the environment give, and the settings these come to.

    Raises
    ------
    UsageError
        As in :func:`load_config`.
    """
    told = _told(file)
    return list(told), _checked(told)


def value_at(config: BuildConfig, key: str) -> Any:
    """Return the value of a dotted key.

    Examples
    --------
    >>> value_at(BuildConfig(), "retrieval.n_interests")
    3
    """
    found: Any = config
    for name in key.split("."):
        found = getattr(found, name)
    return found


def _told(file: Path | None) -> Tree:
    """Return what a file and, before it, the environment say, by dotted key."""
    return {**(_flat(_toml(file)) if file is not None else {}), **_flat(_environment())}


def _checked(flat: Tree) -> BuildConfig:
    try:
        return BuildConfig.model_validate(_nested(flat))
    except ValidationError as error:
        raise UsageError("; ".join(_complaint(problem) for problem in error.errors())) from None


def _toml(file: Path) -> Tree:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the settings file {file}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{file} is not valid TOML: {error}") from None


def _environment() -> Tree:
    for name in sorted(os.environ):
        rest = name.removeprefix(ENVIRONMENT_PREFIX)
        if rest != name and not _SERVICE_LINK.match(rest):
            _refuse_unknown(rest.lower().replace("__", "."), f", from {name}")
    try:
        return EnvSettingsSource(_Environment)()
    except SettingsError as error:
        raise UsageError(f"{error}: {error.__cause__}") from None


def _flat(tree: Tree, prefix: str = "") -> Tree:
    """Return a tree as dotted keys; a mapping that is itself a value stays whole."""
    flat: Tree = {}
    for name, value in tree.items():
        key = prefix + name
        if isinstance(value, dict) and any(known.startswith(f"{key}.") for known in known_keys()):
            flat |= _flat(value, f"{key}.")
        else:
            flat[key] = value
    return flat


def _nested(flat: Tree) -> Tree:
    tree: Tree = {}
    for key, value in flat.items():
        *sections, name = key.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        node[name] = value
    return tree


def _refuse_unknown(key: str, where: str = "") -> None:
    if key not in known_keys():
        raise UsageError(_unknown(key, where))


def _unknown(key: str, where: str = "") -> str:
    known = list(known_keys())
    # Without the section: two keys of one section are alike for its name alone.
    sections = {name.partition(".")[0]: name.partition(".")[0] for name in known}
    names = sections | {name.rpartition(".")[2]: name for name in known} | _NAMES_IN_THE_PAPER
    close = difflib.get_close_matches(key.rpartition(".")[2], names, n=1, cutoff=_LEAST_LIKENESS)
    nearest = f" (did you mean {names[close[0]]}?)" if close else ""
    return f"unknown setting {key!r}{where}{nearest}; known are: {', '.join(known)}"


def _complaint(problem: Mapping[str, Any]) -> str:
    key = ".".join(str(place) for place in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return _unknown(key)
    return f"{key}: {problem['msg']} (got {problem['input']!r})"
