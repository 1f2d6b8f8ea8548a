"""A fitted ranker: scores candidates by their features, and tells what each feature added."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np

from pinnersage._arrays import Float32s
from pinnersage.errors import StoredFormatError
from pinnersage.ranking import arrays_file
from pinnersage.ranking.features import FEATURES
from pinnersage.ranking.forest import Forest

RANKER_FILE = "ranker.bin"
_KIND, _VERSION = "pinnersage ranker", 1


@dataclass(frozen=True, slots=True)
class Ranker:
    """Boosted trees over :data:`~pinnersage.ranking.features.FEATURES`.

    Attributes
    ----------
    forest
        The trees.
    about
        How it was fitted: plain values.
    """

    forest: Forest
    about: dict[str, Any]

    def score(self, features: Float32s) -> Float32s:
        """Return the log-odds that the user acts on each candidate, float32 ``(n,)``."""
        return self.forest.scores(features)

    def explain(self, features: Float32s) -> list[dict[str, float]]:
        """Return for each candidate what each feature adds to its score; ``expected`` is the rest.

        The values of a candidate sum to its score.
        """
        contributions, expected = self.forest.contributions(features)
        return [
            {"expected": expected} | dict(zip(FEATURES, row, strict=True)) for row in contributions.tolist()
        ]

    def gains(self) -> dict[str, float]:
        """Return each feature's share of what the trees gained in training, largest first."""
        gains = self.forest.total_gains(len(FEATURES))
        order = np.argsort(-gains, kind="stable").tolist()
        total = max(float(gains.sum()), 1e-12)
        return {FEATURES[i]: float(gains[i]) / total for i in order}

    def save(self, directory: Path) -> None:
        """Write into a directory, which is made if needed."""
        directory.mkdir(parents=True, exist_ok=True)
        about = json.dumps({"features": FEATURES, "about": self.about}).encode()
        arrays = {f.name: getattr(self.forest, f.name) for f in fields(Forest)}
        arrays["about"] = np.frombuffer(about, np.uint8)
        arrays_file.save(directory / RANKER_FILE, _KIND, _VERSION, arrays)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        StoredFormatError
            It is missing, damaged, from a newer version, or fitted for other features.
        """
        path = directory / RANKER_FILE
        arrays = arrays_file.load(path, _KIND, _VERSION, [*(f.name for f in fields(Forest)), "about"])
        stored = json.loads(arrays.pop("about").tobytes())
        if tuple(stored["features"]) != FEATURES:
            raise StoredFormatError(
                f"{path}: fitted for other features than this pinnersage computes; build again"
            )
        return cls(Forest(**arrays), stored["about"])
