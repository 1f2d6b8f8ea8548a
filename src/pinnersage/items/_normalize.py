"""Rows of floats: found fit or not, and scaled to unit length."""

from __future__ import annotations

import math

import numpy as np

from pinnersage._arrays import Float32s, UInt8s
from pinnersage._kernel import kernel

FIT, NOT_FINITE, ZERO = 0, 1, 2


@kernel
def check_rows(values: np.ndarray, normalize: bool, out: Float32s, codes: UInt8s) -> None:
    """Write float32 rows to ``out``, of unit length if asked (reckoned in float64), and a code each.

    Parameters
    ----------
    values
        float32 or float64 ``(n, d)``.
    normalize
        Divide each row by its length.
    out
        ``(n, d)``, overwritten; rows that are not fit hold anything.
    codes
        ``(n,)``, overwritten with ``FIT``, ``NOT_FINITE`` or ``ZERO``.
    """
    for i in range(values.shape[0]):
        row = values[i]
        largest, total = 0.0, 0.0
        finite = True
        for j in range(len(row)):
            x = np.float64(row[j])
            finite = finite and math.isfinite(x)
            largest = max(largest, abs(x))
            total += x * x
        if not finite:
            codes[i] = NOT_FINITE
            continue
        if largest == 0.0:
            codes[i] = ZERO
            continue
        scale = 1.0
        if total < 1e-200 or total > 1e200:
            # Squares of such numbers leave the range of float64: bring the largest to 1 first.
            scale, total = largest, 0.0
            for j in range(len(row)):
                total += (np.float64(row[j]) / scale) ** 2
        length = math.sqrt(total)
        codes[i] = FIT
        for j in range(len(row)):
            out[i, j] = np.float64(row[j]) / scale / length if normalize else np.float64(row[j])
