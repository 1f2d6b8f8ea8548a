"""Settings that a server takes over a model that is built: how lists are drawn, which needs no rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pinnersage.cli.settings import given_settings
from pinnersage.errors import UsageError

_TAKEN = "retrieval."
_OF_NO_MATTER = ("n_threads", "imports.")
"""Of the machine, and of how tables are read: a server of a model reads none."""
_OF_EMBEDDINGS = ("imports.normalize", "imports.dtype")


def served_retrieval(directory: Path, file: Path | None) -> dict[str, Any]:
    """Return the settings of ``[retrieval]`` that a file and the environment give, by name.

    Parameters
    ----------
    directory
        Of the model that is served.
    file
        As ``--config`` takes it; ``PINNERSAGE_*`` variables go before it.

    Raises
    ------
    UsageError
        A setting is unknown or out of range, or is not the model's and needs a build.
    """
    given, wanted = given_settings(file)
    if not given:
        return {}
    from pinnersage.cli.settings import value_at
    from pinnersage.config import BuildConfig
    from pinnersage.store.generations import GenerationDirectory
    from pinnersage.store.manifest import read_manifest

    model = BuildConfig.model_validate(read_manifest(GenerationDirectory(directory).current())["config"])
    other = [
        f"{key} {value_at(wanted, key)!r} (the model has {value_at(model, key)!r})"
        for key in given
        if _needs_a_build(key) and value_at(wanted, key) != value_at(model, key)
    ]
    if other:
        raise UsageError(
            f"{directory} was built with other settings than are to be served: {', '.join(other)}; build "
            "again with them (pinnersage build --config), or leave them out: a server takes over [retrieval] "
            "only"
        )
    found = {key.removeprefix(_TAKEN): value_at(wanted, key) for key in given if key.startswith(_TAKEN)}
    return _without_ranked(directory, found, model)


def _needs_a_build(key: str) -> bool:
    return not key.startswith((_TAKEN, *_OF_NO_MATTER)) or key in _OF_EMBEDDINGS


def _without_ranked(directory: Path, found: dict[str, Any], model: Any) -> dict[str, Any]:
    """Refuse a mode that the model cannot be asked in; a ranker, where there is one, orders in any case."""
    mode, has_ranker = found.get("mode"), model.ranking.fit_ranker
    if mode == "ranked" and not has_ranker:
        raise UsageError(
            f"retrieval.mode 'ranked': {directory} has no ranker; build it with --ranker, or take another "
            "mode"
        )
    if has_ranker and mode not in (None, "ranked", model.retrieval.mode):
        raise UsageError(
            f"retrieval.mode {mode!r}: {directory} has a ranker, which orders its lists unless a request "
            "names a mode; build it with --no-ranker, or leave the mode out"
        )
    return {name: value for name, value in found.items() if not (has_ranker and name == "mode")}
