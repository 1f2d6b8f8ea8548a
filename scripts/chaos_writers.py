"""Who writes to the model under test: a forked process on LiveModel, or the real service. Both can be shot.

Each takes ``actions``, ``put`` and ``delete``, and raises :class:`UnansweredError` when no answer comes: what
was sent may then be there or not, and is sent again, as a client that wants it counted does.

The clock of a writer is set back by ``CHAOS_CLOCK_S``: a ``sitecustomize`` in front of the path wraps
``time.time_ns``, which is the only clock that the program asks what time of day it is.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pinnersage.errors import ItemNotFoundError, UnavailableError
from pinnersage.model.live import LiveModel
from pinnersage.streaming.events import NewAction

COMMAND = """from pinnersage.cli.app import main
from pinnersage.interests.clustering import known_clusters_kept
with known_clusters_kept():
    main()
"""
CLOCK = """import os, time
_real, _off = time.time_ns, int(float(os.environ.get("CHAOS_CLOCK_S", "0")) * 1e9)
time.time_ns = lambda: _real() + _off
"""
_FORK = multiprocessing.get_context("fork")
Answers = list[tuple[str, str | None]]


class UnansweredError(Exception):
    """No answer came, or one that says to try again."""


class DefectError(AssertionError):
    """The writer failed in a way that no fault excuses."""


class Writer(Protocol):
    """What a round sends to."""

    pid: int

    def actions(self, actions: Sequence[NewAction]) -> Answers:
        """Send actions; return status and reason of each."""

    def put(self, item_id: str, embedding: list[float]) -> None:
        """Put an item."""

    def delete(self, item_id: str) -> None:
        """Take an item out; one that is not there is fine."""

    def kill(self) -> None:
        """Shoot it, and wait until it is gone."""


def forked(call: Callable[..., Any], *arguments: Any) -> Any:
    """Start a forked process that runs ``call``."""
    process = _FORK.Process(target=_quietly, args=(call, *arguments), daemon=True)
    process.start()
    return process


def answer_of(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a call returns in a forked process; text that names what it raised, or died of."""
    receiving, sending = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_send, args=(sending, call, *arguments))
    process.start()
    sending.close()
    try:
        value = receiving.recv()
    except EOFError:
        process.join()
        return f"died of signal {-process.exitcode}" if process.exitcode else "no answer"
    process.join()
    return value


def _send(sending: Any, call: Callable[..., Any], *arguments: Any) -> None:
    try:
        sending.send(call(*arguments))
    except Exception as error:  # noqa: BLE001 - told to who asked.
        sending.send(f"{type(error).__name__}: {error}")


def _quietly(call: Callable[..., Any], *arguments: Any) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    call(*arguments)


class ForkedWriter:
    """A process that does nothing but write; starts in milliseconds."""

    def __init__(self, home: Path, clock_s: float = 0.0) -> None:
        self._pipe, other = _FORK.Pipe()
        self._process = forked(_serve, other, home, clock_s)
        other.close()
        self.pid = self._process.pid

    def actions(self, actions: Sequence[NewAction]) -> Answers:
        """See the protocol."""
        found: Answers = self._ask("add_actions", list(actions))
        return found

    def put(self, item_id: str, embedding: list[float]) -> None:
        """See the protocol."""
        self._ask("put_item", item_id, embedding)

    def delete(self, item_id: str) -> None:
        """See the protocol."""
        self._ask("delete_item", item_id)

    def kill(self) -> None:
        """See the protocol."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _ask(self, name: str, *arguments: Any) -> Any:
        try:
            self._pipe.send((name, arguments))
            ok, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise UnansweredError from error
        if ok:
            return value
        raise UnansweredError if value is None else DefectError(value)


def _serve(pipe: Any, home: Path, clock_s: float) -> None:
    real = time.time_ns
    time.time_ns = lambda: real() + int(clock_s * 1e9)
    live: LiveModel | None = None
    while True:
        name, arguments = pipe.recv()
        n_told = 0

        def tell(ok: bool, value: Any = None) -> None:
            nonlocal n_told
            if not n_told:  # What fails after the acknowledgement is no answer any more.
                pipe.send((ok, value))
            n_told += 1

        try:
            live = live or LiveModel(home)
            if name == "add_actions":  # Killed after this, it leaves the records to whoever comes next.
                live.add_actions(*arguments, acknowledged=lambda o: tell(True, [tuple(one) for one in o]))
            else:
                getattr(live, name)(*arguments)
                tell(True)
        except ItemNotFoundError:
            tell(True)
        except UnavailableError:  # A full disk, a directory that is gone: a service says 503.
            tell(False)
        except Exception:
            if n_told:
                raise
            tell(False, traceback.format_exc())


class Service:
    """``pinnersage serve``, asked over HTTP."""

    def __init__(self, home: Path, log: Path, clock_s: float = 0.0, *, wait: bool = True) -> None:
        (log.parent / "sitecustomize.py").write_text(CLOCK)
        paths = [str(log.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "CHAOS_CLOCK_S": str(clock_s)}
        options = ["serve", str(home), "--port", "0", "--json", "--no-access-log", "--rate-limit", "0"]
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, *options], env=environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
            )  # fmt: skip
        self.pid = self._process.pid
        self._port = 0
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until it says that it is ready.

        Raises
        ------
        UnansweredError
            It ended, or is not ready in two minutes.
        """
        if not self._port:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            if not line:
                raise UnansweredError("the service did not start")
            self._port = int(json.loads(line)["url"].rpartition(":")[2])
        until_s = time.monotonic() + 120
        while time.monotonic() < until_s:
            try:
                if self.request("GET", "/health/ready")[0] == 200:
                    return
            except UnansweredError:
                time.sleep(0.05)
        raise UnansweredError("not ready in two minutes")

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any, str]:
        """Return status, JSON and content type of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read()), response.headers.get_content_type()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UnansweredError(str(error)) from error
        finally:
            connection.close()

    def actions(self, actions: Sequence[NewAction]) -> Answers:
        """See the protocol."""
        answer = self._ask("POST", "/v1/actions", {"actions": [_json(action) for action in actions]})
        return [(result["status"], result.get("reason")) for result in answer["results"]]

    def put(self, item_id: str, embedding: list[float]) -> None:
        """See the protocol."""
        self._ask("PUT", f"/v1/items/{item_id}", {"embedding": embedding})

    def delete(self, item_id: str) -> None:
        """See the protocol."""
        self._ask("DELETE", f"/v1/items/{item_id}")

    def kill(self) -> None:
        """See the protocol."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        status, answer, kind = self.request(method, path, body)
        if status >= 500:
            if kind != "application/problem+json":
                raise AssertionError(f"expected application/problem+json with {status}, got {kind}")
            if status == 500:
                raise DefectError(f"{method} {path}: {answer}")
            raise UnansweredError(str(status))
        if status == 422 and "results" in answer:  # None of them can be used; each says why.
            return answer
        if status not in (200, 201, 202) and not (method == "DELETE" and status == 404):
            raise AssertionError(f"{method} {path}: {status} {answer}")
        return answer


def _json(action: NewAction) -> dict[str, Any]:
    moment = datetime.fromtimestamp(action.time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    found = {
        "user_id": action.user_id,
        "item_id": action.item_id,
        "timestamp": moment,
        "weight": action.weight,
    }
    named = {"action": action.kind or None, "event_id": action.event_id, "retract": action.retract or None}
    return found | {name: value for name, value in named.items() if value is not None}
