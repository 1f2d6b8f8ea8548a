"""Python's garbage collector in a process that serves: it need not look at what stays until the end."""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _OLD = 10_000, 20, 50


def settle_collector() -> None:
    """Spare the collector everything that is there now, and let it look at the rest less often.

    Modules, kernels and the model are some 200,000 objects; a look at all of them halts every request. It
    changes the whole process: call it once, in a program of our own, when the model has been rehearsed.
    What is replaced later, such as a generation, does not wait for the collector: references free it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
