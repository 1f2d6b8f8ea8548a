"""How time or memory grows: the exponent of a power law, fitted where sizes are large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

N_RESAMPLES = 2_000


def upper_half(sizes: Sequence[int]) -> list[bool]:
    """Tell which sizes lie in the upper half of the range, on a logarithmic scale."""
    middle = math.sqrt(min(sizes) * max(sizes))
    return [size >= middle for size in sizes]


def slope(sizes: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> float:
    """Return the exponent of the power law nearest in the logarithms (least squares)."""
    x, y = np.log(sizes), np.log(values)
    x = x - x.mean()
    return float((x * y).sum() / (x * x).sum())


def fit(sizes: Sequence[int], samples: Sequence[Sequence[float]], seed: int = 0) -> dict[str, Any]:
    """Fit medians over the upper half of the sizes.

    Parameters
    ----------
    sizes
        Ascending.
    samples
        Of each size the repeats, all above zero.
    seed
        Of the bootstrap: repeats are drawn again within each size, so the interval tells the noise of
        measuring, not whether a power law is the right curve. None where nothing was repeated, and
        no exponent without two sizes.
    """
    used = [i for i, is_used in enumerate(upper_half(sizes)) if is_used]
    if len(used) < 2:
        return {"exponent": None, "low": None, "high": None, "from": sizes[0], "to": sizes[-1]}
    x = np.array([sizes[i] for i in used], np.float64)
    repeats = [np.array(samples[i], np.float64) for i in used]
    exponent = slope(x, np.array([np.median(r) for r in repeats]))
    low: float | None = None
    high: float | None = None
    if min(len(r) for r in repeats) > 1:
        rng = np.random.default_rng(seed)
        drawn = [np.median(rng.choice(r, (N_RESAMPLES, len(r))), axis=1) for r in repeats]
        slopes = [slope(x, medians) for medians in np.stack(drawn, axis=1)]
        low, high = (round(float(v), 3) for v in np.percentile(slopes, [2.5, 97.5]))
    return {"exponent": round(exponent, 3), "low": low, "high": high, "from": int(x[0]), "to": int(x[-1])}
