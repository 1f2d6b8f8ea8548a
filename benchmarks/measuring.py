"""Processor seconds and peak memory of calls, each point of a curve in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LEAST_S = 0.02
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
_LEAST_MB = 1 / 256


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the function returns in a forked child; nothing of it stays in this process.

    The parent must not have started threads. Compiled kernels it has loaded are there in the child.
    """
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sending, function, arguments))
    process.start()
    sending.close()
    try:
        answer = receiving.recv()
    except EOFError:
        raise RuntimeError(f"{function.__name__}{arguments} failed; its error stands above") from None
    finally:
        process.join()
    return answer


def _answer(sending: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sending.send(function(*arguments))
    sending.close()


def cpu_seconds(tasks: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return processor seconds of one call of each task, taken in turn; short ones are called often."""
    n_calls = {name: _calls_for(task) for name, task in tasks.items()}
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            started = time.process_time()
            for _ in range(n_calls[name]):
                task()
            times[name].append((time.process_time() - started) / n_calls[name])
    return times


def _calls_for(task: Callable[[], object]) -> int:
    """Call once without counting, then see how many calls take long enough to be timed."""
    task()
    started = time.process_time()
    task()
    return max(1, round(LEAST_S / max(time.process_time() - started, 1e-6)))


def peak_mb(call: Callable[[], object]) -> float:
    """Return by how many MB (2**20 bytes) the peak of resident memory exceeds what was there before.

    At least a page: less cannot be seen. Where the system lets a process reset its peak (Linux), what
    came before the call does not count.
    """
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text(_RESET_PEAK)
    before = _peak_so_far_mb()
    call()
    return max(_peak_so_far_mb() - before, _LEAST_MB)


def cpu_and_peak(call: Callable[[], object]) -> tuple[float, float]:
    """Return processor seconds of one call, and its :func:`peak_mb`."""
    started = time.process_time()
    peak = peak_mb(call)
    return time.process_time() - started, peak


def _peak_so_far_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
