"""The largest of some values, equal ones by position: the same choice on any processor."""

from __future__ import annotations

import numpy as np

from pinnersage._arrays import Float32s, Int32s


def largest(values: Float32s, n: int) -> Int32s:
    """Return where the ``n`` largest values of each row stand, ascending; of equal ones the first.

    Parameters
    ----------
    values
        float32 ``(n_rows, n_columns)`` without not-a-number.
    n
        1 to ``n_columns``.

    Returns
    -------
    int32 ``(n_rows, n)``.

    Examples
    --------
    >>> largest(np.array([[1, 3, 1, 2, 1]], np.float32), 3).tolist()
    [[0, 1, 3]]
    """
    # Which of equal values argpartition takes differs between processors; the n-th value does not.
    last = np.partition(values, -n, axis=1)[:, -n, None]
    kept = values > last
    n_missing = n - np.count_nonzero(kept, axis=1)
    equal = values == last
    kept |= equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= n_missing[:, None])
    columns: Int32s = np.nonzero(kept)[1].reshape(len(values), n).astype(np.int32)
    return columns
