"""The result of one arm, and its two files; results of other inputs are never taken for these."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pinnersage._arrays import Float64s, Int32s
from pinnersage._directories import make_directory
from pinnersage.errors import UsageError
from pinnersage.evaluation.replay import Arm, ReplayLog
from pinnersage.items._files import finished_file

FORMAT = 2
MARKER, METRICS_JSON, PAGE = "evaluation.json", "metrics.json", "report.html"
_STUDY = ("log_digest", "data", "span", "vectors", "impressions", "impressions_digest")
_COSTS = "lists are timed by themselves"
"""Part of the digest: costs that were measured otherwise do not stand beside these."""
_ARMS = "arms"
_ARRAYS = ("sums", "exposed", "by_rank", "exposure_errors")


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What was measured of one arm.

    Attributes
    ----------
    name, is_oracle
        Of the arm.
    sums
        float64 ``(n_users, n_budgets, 3 slices, n_metrics, 2)``: numerators and denominators.
    exposed
        int32 ``(n_budgets, 2 modes, n_items)``: lists (of a user's day) that each item stood in.
    by_rank
        float64 ``(n_budgets, 2 modes, N_RANKS, 3)``: by rank of the user's interest, sums over lists of
        the share of importance, of the list nearest to the interest, and of the targets nearest to it.
    exposure_errors
        float64 ``(n_budgets, 2 modes, n_figures)``: half of the 95 % intervals, as in
        :func:`~pinnersage.evaluation.exposure_errors.half_widths`; no figures where they are not told.
    cost
        Seconds of ``recommend`` and ``fit`` in the walk, and the median of milliseconds of a list by itself.
    settings
        The arm's own, and what it fitted.
    """

    name: str
    is_oracle: bool
    sums: Float64s
    exposed: Int32s
    by_rank: Float64s
    exposure_errors: Float64s
    cost: dict[str, float]
    settings: dict[str, Any]


class Place(NamedTuple):
    """Where results are kept, and of which inputs."""

    directory: Path
    inputs: str


def settings_of(arm: Arm) -> dict[str, Any]:
    """Return the fields of a dataclass arm that are shown, as plain values."""
    if not is_dataclass(arm):
        return {"kind": type(arm).__name__}
    shown = {f.name: getattr(arm, f.name) for f in fields(arm) if f.repr}
    return {"kind": type(arm).__name__} | {name: _plain(value) for name, value in shown.items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else repr(value)


def log_digest(log: ReplayLog) -> str:
    """Return a digest of a log: users, actions, items and their embeddings."""
    digest = hashlib.blake2b(digest_size=16)
    for user_id in log.user_ids:
        digest.update(f"{user_id}\n".encode())
    for array in (
        log.offsets, log.item_rows, log.times_ms, log.weights, log.kinds, log.embeddings, log.born_ms,
        log.available, log.categories, log.providers, log.event_keys if log.event_keys.any() else None,
        *(() if log.overruled is None else (*log.overruled.actions.columns(), log.overruled.until_ms)),
    ):  # fmt: skip
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def inputs_digest(about: dict[str, Any]) -> str:
    """Return a digest of everything that results depend on, but for the arm; digests of logs among it."""
    return _digest_of([FORMAT, _COSTS, about])


def arm_digest(inputs: str, arm: Arm) -> str:
    """Return the digest that an arm's result is kept under; taken before the arm is fitted."""
    further = arm.depends_on() if hasattr(arm, "depends_on") else None
    return _digest_of([inputs, arm.name, settings_of(arm), further])


def _digest_of(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def check_report_directory(directory: Path) -> None:
    """Refuse a directory that reports may not be written to.

    Raises
    ------
    UsageError
        It is a file, or holds something else than an earlier evaluation.
    """
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory}: expected a directory for the report, found a file")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / MARKER).exists():
        raise UsageError(f"{directory}: not empty, and not an evaluation's; choose another directory")


def open_report_directory(directory: Path) -> None:
    """Make a directory for reports, or take one of an earlier evaluation.

    Raises
    ------
    UsageError, StorageFullError
        As :func:`check_report_directory`, or it cannot be made.
    """
    check_report_directory(directory)
    make_directory(directory)
    make_directory(directory / _ARMS)
    write_json(directory / MARKER, {"format": FORMAT})


def empty_report_directory(directory: Path) -> None:
    """Remove what an earlier evaluation left, so that a run that is stopped can go on where it was."""
    for path in [directory / METRICS_JSON, directory / PAGE, *(directory / _ARMS).iterdir()]:
        path.unlink(missing_ok=True)


def refuse_other_study(directory: Path, about: dict[str, Any]) -> None:
    """Leave the finished report of another log, span, vectors or impressions alone.

    Raises
    ------
    UsageError
        There is one; says what it is of.
    """
    try:
        kept = json.loads((directory / METRICS_JSON).read_bytes())["about"]
        same = all(kept.get(name, about[name]) == about[name] for name in _STUDY)
        found = _told(kept)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    if not same:
        raise UsageError(
            f"{directory}: holds the report of another study ({found}) than this one ({_told(about)}); "
            "choose another --out (out_dir), or replace it with --fresh (resume=False)"
        )


def _told(about: dict[str, Any]) -> str:
    data, span = about["data"], about["span"]
    return (
        f"{data['n_users']:,} users, {data['n_items']:,} items, {data['n_actions']:,} actions, log "
        f"{about['log_digest'][:8] if 'log_digest' in about else 'unknown'}; from {span['from'][:10]}, "
        f"{span['n_days']} days; vectors {about['vectors']}; impressions {about['impressions']}"
    )


def write_json(path: Path, value: Any) -> None:
    """Write JSON that appears whole or not at all."""
    with finished_file(path) as file:
        file.write(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n")


def save(directory: Path, digest: str, result: ArmResult) -> None:
    """Keep a finished result: arrays first, then the JSON that vouches for them."""
    base = directory / _ARMS / result.name
    with finished_file(base.with_name(f"{result.name}.npz")) as file:
        np.savez_compressed(
            file,
            digest=np.array(digest),
            **{name: getattr(result, name) for name in _ARRAYS},
        )
    about = {"name": result.name, "is_oracle": result.is_oracle}
    about |= {"digest": digest, "cost": result.cost, "settings": result.settings}
    write_json(base.with_name(f"{result.name}.json"), about)


def load(directory: Path, name: str, digest: str) -> ArmResult | None:
    """Return a kept result; None when there is none of these inputs and settings, or it is damaged."""
    base = directory / _ARMS / name
    try:
        about = json.loads(base.with_name(f"{name}.json").read_bytes())
        with np.load(base.with_name(f"{name}.npz"), allow_pickle=False) as arrays:
            if about["digest"] != digest or str(arrays["digest"]) != digest:
                return None
            found = {name: arrays[name] for name in _ARRAYS}
            return ArmResult(
                name, about["is_oracle"], cost=about["cost"], settings=about["settings"], **found
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
