"""Several workers on one socket: the first process replaces those that die, and none outlives it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

import structlog
from uvicorn.config import Config
from uvicorn.supervisors import Multiprocess

from pinnersage.serving.metrics import forget_workers_besides

DEATHS_A_WORKER, RECENTLY_S, PAUSE_S = 3, 60.0, 10.0
"""So many within this time are many; then so long is waited after each."""


class Supervisor(Multiprocess):
    """Starts the workers, and starts another for each that dies; gauges count those that live.

    Parameters
    ----------
    config, sockets
        As in the base class.
    metrics_folder
        Where the workers keep their metrics.
    """

    def __init__(self, config: Config, sockets: list[socket], metrics_folder: Path) -> None:
        super().__init__(config, sockets)
        self._metrics_folder = metrics_folder
        self._deaths_s: deque[float] = deque(maxlen=config.workers * DEATHS_A_WORKER)

    def keep_subprocess_alive(self) -> None:
        """See the base class; it comes by twice a second, after signals that replace workers, too."""
        for process in self.processes:
            process.child_conn.close()  # Held here, too, it would hide the death of a worker that is asked.
        before = list(self.processes)
        super().keep_subprocess_alive()
        for old, new in zip(before, self.processes, strict=True):
            if new is not old:
                self._deaths_s.append(time.monotonic())
                told = {"pid": old.pid, "exit_code": old.exitcode, "replaced_by": new.pid}
                structlog.get_logger().error("a worker died, or did not answer, and is replaced", **told)
                self._wait_if_many_died()
        forget_workers_besides({process.pid for process in self.processes}, self._metrics_folder)

    def _wait_if_many_died(self) -> None:
        """Let some time go by before the next: what they die of may pass, and the machine has other work."""
        many = len(self._deaths_s) == self._deaths_s.maxlen
        if not many or time.monotonic() - self._deaths_s[0] > RECENTLY_S:
            return
        structlog.get_logger().error("workers die again and again", waiting_s=PAUSE_S)
        until_s = time.monotonic() + PAUSE_S
        while time.monotonic() < until_s and not self.signal_queue:
            self.should_exit.wait(0.1)


@dataclass(frozen=True)
class Worker:
    """Makes the application in a worker, which ends, as by SIGTERM, when the first process does.

    Parameters
    ----------
    create
        Makes the application; it must be picklable.
    """

    create: Callable[[], Any]

    def __call__(self) -> Any:
        """Return the application."""
        threading.Thread(target=_end_with_parent, name="pinnersage-parent", daemon=True).start()
        return self.create()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        structlog.get_logger().error("the first process is gone: this worker ends")
        os.kill(os.getpid(), signal.SIGTERM)
