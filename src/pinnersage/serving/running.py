"""Running the application: one process, or several on one socket, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import errno
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from pinnersage.errors import UnavailableError, UsageError
from pinnersage.serving.connections import server_options
from pinnersage.serving.workers import Supervisor, Worker

_BACKLOG = 2_048


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises
    ------
    UsageError
        There is no such address on this machine.
    UnavailableError
        The port is taken, or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        number = error.errno or 0
        if number < 0 or number == errno.EADDRNOTAVAIL:  # Below 0: there is no such name.
            raise UsageError(f"expected an address of this machine as host, got {host!r}") from None
        raise UnavailableError(
            f"cannot listen on {host}:{port}: {os.strerror(number)}; take another --port"
        ) from None
    bound.set_inheritable(True)
    return bound


def run_one(app: Any, bound: socket.socket, shutdown_timeout_s: float) -> None:
    """Serve in this process; return after the last request when told to stop.

    Raises
    ------
    UnavailableError
        The application could not start.
    """
    # The server raises the signal that stopped it once more when it is done: then it ends this process well.
    signal.signal(signal.SIGTERM, _exit_well)
    signal.signal(signal.SIGINT, _exit_well)
    server = uvicorn.Server(uvicorn.Config(app, **server_options(shutdown_timeout_s)))
    server.run(sockets=[bound])
    if not server.started:
        raise UnavailableError("the service could not start; its log says why")


def run_several(
    create: Callable[[], Any],
    bound: socket.socket,
    n_workers: int,
    shutdown_timeout_s: float,
    metrics_folder: Path,
) -> None:
    """Serve in several processes that share one socket; a worker that dies is replaced.

    Workers end with this process, however sudden its end.

    Parameters
    ----------
    create
        Makes the application in each worker; it must be picklable.
    metrics_folder
        Where the workers keep their metrics, as their ``PROMETHEUS_MULTIPROC_DIR`` says.

    Raises
    ------
    UnavailableError
        The workers could not start.
    """
    config = uvicorn.Config(
        Worker(create), factory=True, workers=n_workers, **server_options(shutdown_timeout_s)
    )  # fmt: skip
    supervisor = Supervisor(config, [bound], metrics_folder)
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise UnavailableError("the workers could not start; their log says why")


def exit_unstarted() -> NoReturn:
    """End a worker so that its supervisor does not try again."""
    sys.exit(STARTUP_FAILURE)


def _exit_well(*_: object) -> NoReturn:
    sys.exit(0)
