"""What tuning found: per group of settings what was chosen and why, and how it does on the held-out days."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError
from pinnersage.evaluation.bootstrap import Estimate
from pinnersage.evaluation.tuning import words
from pinnersage.evaluation.tuning.steps import Step, Tried
from pinnersage.evaluation.tuning.toml_text import differing, toml_text
from pinnersage.items._files import finished_file

FORMAT = 1
_USE = (
    "For `pinnersage build --config`: the model keeps it, and `serve` and `recommend` go by the model's. "
    "`serve --config` takes over [retrieval] for a model that was built otherwise."
)
Verdict = Literal["better", "not told apart", "worse", "unchanged", "not measured"]


@dataclass(frozen=True)
class Choice:
    """One group of settings.

    Attributes
    ----------
    group
        Its name.
    default, chosen
        Dotted key -> value.
    gain
        On the training days, of what was chosen over what stood then, or of the best other where
        nothing changed; None where nothing was compared, or what was chosen was left again.
    why
        In words.
    """

    group: str
    default: dict[str, Any]
    chosen: dict[str, Any]
    gain: Estimate | None
    why: str

    @property
    def changed(self) -> bool:
        """Whether what was chosen is not the default."""
        return self.default != self.chosen


@dataclass(frozen=True)
class HeldOut:
    """The default and what was chosen, on days that chose nothing.

    Attributes
    ----------
    default, chosen
        Mean over users.
    lift
        Chosen / default; None where nothing was chosen, or the default finds nothing to compare with.
    gain
        Chosen - default, of the same users; None where nothing was chosen.
    n_users, n_targets
        What it rests on.
    """

    default: Estimate
    chosen: Estimate
    lift: Estimate | None
    gain: Estimate | None
    n_users: int
    n_targets: int

    @property
    def verdict(self) -> Verdict:
        """What the interval of the lift says, or that of the gain where there is no lift."""
        if self.gain is None:
            return "unchanged"
        if not self.gain.n_users:
            return "not measured"
        told, even = (self.gain, 0) if self.lift is None else (self.lift, 1)
        if told.low > even:
            return "better"
        return "worse" if told.high < even else "not told apart"


@dataclass(frozen=True)
class TuningResult:
    """What was chosen, why, and what it is worth.

    Attributes
    ----------
    about
        Data, spans, what was measured and how, as plain values.
    default
        The configuration that tuning started from, without its second stage: one is compared with none.
    chosen
        What the training days chose.
    choices
        One for each group of settings.
    steps
        Every race, in order.
    train_gain
        On the training days, of what was chosen over the default, all groups together; the same days
        chose, so it is too rosy. None where nothing was compared.
    held_out
        None where nothing was compared.
    sentences
        The whole in words.
    unproved
        What to build with where the held-out days could not speak; None: the default.
    """

    about: dict[str, Any]
    default: BuildConfig
    chosen: BuildConfig
    choices: tuple[Choice, ...]
    steps: tuple[Step, ...] = ()
    train_gain: Estimate | None = None
    held_out: HeldOut | None = None
    sentences: tuple[str, ...] = field(default=())
    unproved: BuildConfig | None = None

    @property
    def config(self) -> BuildConfig:
        """What to build with: what was chosen, unless held-out days speak against it or could not speak."""
        verdict = self.held_out and self.held_out.verdict
        if verdict == "not measured":
            return self.unproved or self.default
        return self.default if verdict == "worse" else self.chosen

    @property
    def warnings(self) -> list[str]:
        """What makes the figures untrustworthy, or a second stage worse, in words."""
        leak = self.about.get("leak")
        return [*([leak] if leak else []), *self.about.get("notes", [])]

    def toml(self) -> str:
        """Return :attr:`config` as a file for ``--config``: what differs from the defaults, and why."""
        written = f"Written by `pinnersage tune` {self.about['version']}. {_USE}"
        return toml_text(self.config, [written, *self.warnings, *self.sentences])

    def write(self, path: str | Path) -> None:
        """Write the TOML; it appears whole or not at all.

        Raises
        ------
        UsageError
            The name is not one of a TOML file in an existing directory.
        StorageFullError
            The disk is full; what was there stays.
        """
        check_out(path)
        with finished_file(Path(path)) as file:
            file.write(self.toml().encode())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "format": FORMAT,
            "about": self.about,
            "choices": [_choice_dict(choice) for choice in self.choices],
            "train_gain": self.train_gain and self.train_gain.to_dict(),
            "held_out": self.held_out and _held_out_dict(self.held_out),
            "sentences": list(self.sentences),
            "config": differing(self.config),
            "toml": self.toml(),
            "races": [_step_dict(step) for step in self.steps],
        }


def check_out(path: str | Path) -> None:
    """Refuse a name that could not be written to, before any work is done.

    Raises
    ------
    UsageError
        It is not a TOML file in an existing directory.
    """
    path = Path(path)
    if path.suffix.lower() != ".toml":
        raise UsageError(f"out: expected a file ending in .toml, got {path}")
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"out: expected a file in an existing directory, got {path}")


def _choice_dict(choice: Choice) -> dict[str, Any]:
    return {
        "group": choice.group,
        "default": choice.default,
        "chosen": choice.chosen,
        "changed": choice.changed,
        "gain": choice.gain and choice.gain.to_dict(),
        "why": choice.why,
    }


def _held_out_dict(held_out: HeldOut) -> dict[str, Any]:
    return {
        "default": held_out.default.to_dict(),
        "chosen": held_out.chosen.to_dict(),
        "lift": held_out.lift and held_out.lift.to_dict(),
        "gain": held_out.gain and held_out.gain.to_dict(),
        "verdict": held_out.verdict,
        "n_users": held_out.n_users,
        "n_targets": held_out.n_targets,
    }


def _step_dict(step: Step) -> dict[str, Any]:
    return {
        "group": step.group,
        "before": step.before,
        "after": step.after,
        "why": step.why,
        "tried": [_tried_dict(tried) for tried in step.tried],
    }


def _tried_dict(tried: Tried) -> dict[str, Any]:
    return {
        "values": tried.values,
        "mean": round(tried.mean, 6) if math.isfinite(tried.mean) else None,
        "gain": tried.gain and tried.gain.to_dict(),
        "n_users": tried.n_users,
        "problem": tried.problem,
    }


def choices_of(steps: list[Step], default: dict[str, dict[str, Any]]) -> tuple[Choice, ...]:
    """Join the races of each group: what it came to, and the words of the race that decided it.

    Parameters
    ----------
    steps
        In order.
    default
        Group -> the default values of its keys.
    """
    found: dict[str, Choice] = {}
    for step in steps:
        old = default[step.group]
        if step.changed and step.after == old:
            why = words.came_back(words.values_text(step.before, None))
            found[step.group] = Choice(step.group, old, old, None, why)
        elif step.changed or step.group not in found:
            found[step.group] = Choice(step.group, old, step.after, step.gain, step.why)
    return tuple(found.values())
