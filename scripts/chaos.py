"""Chaos test: faults at random points under a client that knows what was acknowledged.

    python scripts/chaos.py --rounds 200 --seed 1 --save     writes benchmarks/results/chaos.json
    python scripts/chaos.py --rounds 3 --faults kill build --service-share 0     a quick look

Each round sends events to a writer - the real service, or a forked process on LiveModel - while one fault
strikes. Then what got no answer is sent again, as clients do, and every record is compared, in ids and
names, with a fresh batch over everything that was acknowledged. The faults:

kill           kill -9 of the writer
storm          several kills in a row, some before it is ready
build          a batch lands while events flow
kill-build     kill -9 of a build at a random point, events flow on
kill-both      both at once
clock-back     the writer's clock is an hour slow: what happened since is refused, and taken later
disk-full      the writer's files may not grow any more; then they may
gone           the model's directory is moved away while the service runs; then back
power-cut      the writer is frozen at a random point and the directory copied as it is; then what was not
               on the disk for certain is dropped or garbled: pages behind the last commit, and the last commit
               of the store. The copy must hold all that was acknowledged before
torn           the same copy, its files cut short or garbled in use: right answers, or a refusal
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import lmdb
from chaos_world import (
    DAY_MS,
    N_ITEMS,
    N_LATER,
    VECTORS,
    Events,
    Ledger,
    action_table,
    build,
    check,
    first_log,
    item_id,
    item_table,
    warm,
)
from chaos_writers import COMMAND, ForkedWriter, Service, UnansweredError, Writer, answer_of

from pinnersage.streaming.events import NewAction

FAULTS = (
    "kill", "storm", "build", "kill-build", "kill-both", "clock-back", "disk-full", "gone", "power-cut", "torn",
)  # fmt: skip
FIGURES = ("lost", "doubled", "doubled_in_exports", "differing", "verify_differing")
RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "chaos.json"


class Client:
    """Sends events to whatever writer there is, and keeps the ledger."""

    def __init__(self, ledger: Ledger, events: Events, rng: random.Random) -> None:
        self.ledger, self._events, self._rng = ledger, events, rng
        self.waiting: list[NewAction] = []
        self._change: tuple[int, bool] | None = None
        self.outcomes: Counter[str] = Counter()
        self.enough = threading.Event()

    def send_while(self, writer: Writer, n_batches: int, pause_s: float = 0.0) -> threading.Thread:
        """Send batches from a thread, until no answer comes, or ``enough`` is set."""
        self.enough.clear()
        thread = threading.Thread(target=self._send, args=(writer, n_batches, pause_s))
        thread.start()
        return thread

    def _send(self, writer: Writer, n_batches: int, pause_s: float) -> None:
        for _ in range(n_batches):
            if self.enough.wait(pause_s * self._rng.random()):
                return
            self.waiting += self._events.some(self._rng.choice((1, 3, 10, 40)))
            if self._rng.random() < 0.15:
                self._change = (self._rng.randrange(N_ITEMS + N_LATER), self._rng.random() < 0.7)
            try:
                self.drain(writer)
            except UnansweredError:
                return

    def drain(self, writer: Writer) -> None:
        """Send what has no answer yet."""
        if self._change is not None:
            number, is_put = self._change
            if is_put:
                writer.put(item_id(number), VECTORS[number].tolist())
                self.ledger.catalogue.add(number)
            else:
                writer.delete(item_id(number))
                self.ledger.catalogue.discard(number)
            self._change = None
        later: list[NewAction] = []
        while self.waiting:
            batch = self.waiting[:200]
            for action, (status, reason) in zip(batch, writer.actions(batch), strict=True):
                self.outcomes[status] += 1
                if status != "rejected":
                    self.ledger.acked.append(action)
                elif action.time_ms < time.time_ns() // 1_000_000 + DAY_MS:
                    if "time_in_future" not in str(reason):
                        raise AssertionError(f"{action}: rejected, {reason}")
                    later.append(action)
            self.waiting = self.waiting[200:]
        self.waiting = later


class Chaos:
    """A model, its client, and the faults."""

    def __init__(self, folder: Path, seed: int, service_share: float) -> None:
        self.rng, self.folder, self.home = random.Random(seed), folder, folder / "model"
        self._share = service_share
        now_ms = time.time_ns() // 1_000_000
        self.ledger = Ledger(first_log(seed, now_ms))
        self.client = Client(self.ledger, Events(seed + 1, now_ms), random.Random(seed + 2))
        self.counts: Counter[str] = Counter()
        warm()
        answer_of(build, self.home, self.ledger.log, range(N_ITEMS))
        self._write_tables()

    def round(self, fault: str) -> dict[str, Any]:
        """Let one fault strike, then send again what got no answer, and check."""
        is_service = fault == "gone" or self.rng.random() < self._share
        clock_s = -3_600.0 if fault == "clock-back" else 0.0
        writer = self.start(is_service, clock_s)
        found = getattr(self, fault.replace("-", "_"))(writer, is_service)
        writer = found or writer
        if clock_s:
            writer.kill()
            writer = self.start(is_service)
        self.client.drain(writer)
        writer.kill()
        self.counts["rounds"] += 1
        self.counts["service_rounds"] += is_service
        result = answer_of(check, self.home, self.ledger)
        if isinstance(result, str):
            raise AssertionError(f"check after {fault}: {result}")
        return dict(result)

    def start(self, is_service: bool, clock_s: float = 0.0, *, wait: bool = True) -> Writer:
        """Start a writer."""
        if is_service:
            return Service(self.home, self.folder / "service.log", clock_s, wait=wait)
        return ForkedWriter(self.home, clock_s)

    # The faults. Each returns the writer that lives on, if it is another.

    def kill(self, writer: Writer, is_service: bool) -> Writer:
        """Shoot the writer while it works."""
        n_before = len(self.ledger.acked)
        sending = self.client.send_while(writer, 1_000)
        while self.rng.random() < 0.8 and len(self.ledger.acked) == n_before and sending.is_alive():
            time.sleep(0.02)  # Mostly it is shot in the middle of its work.
        self._shoot(writer, 0.6)
        sending.join()
        return self.start(is_service)

    def storm(self, writer: Writer, is_service: bool) -> Writer:
        """Shoot it again and again, also while it recovers."""
        for _ in range(self.rng.randint(2, 4)):
            writer = self.kill(writer, is_service)
            if self.rng.random() < 0.5:
                self._shoot(writer, 0.05)
                writer = self.start(is_service, wait=False)
                self._shoot(writer, 2.0 if is_service else 0.05)
                writer = self.start(is_service)
        return writer

    def build(self, writer: Writer, is_service: bool) -> None:
        """Let a batch land while events flow."""
        building = self._start_build()
        sending = self.client.send_while(writer, 1_000, pause_s=0.2)
        if building.wait(300) != 0:
            raise AssertionError("the build failed")
        self.client.enough.set()
        self.counts["builds"] += 1
        sending.join()

    def kill_build(self, writer: Writer, is_service: bool) -> None:
        """Shoot a build at a random point."""
        building = self._start_build()
        sending = self.client.send_while(writer, 1_000, pause_s=0.2)
        self._wait_within_build(building)
        self.counts["build_kills"] += building.poll() is None
        building.kill()
        building.wait()
        self.client.enough.set()
        sending.join()

    def kill_both(self, writer: Writer, is_service: bool) -> Writer:
        """Shoot writer and build."""
        self.kill_build(writer, is_service)
        return self.kill(writer, is_service)

    def clock_back(self, writer: Writer, is_service: bool) -> None:
        """Send to a writer whose clock is slow."""
        self.client.send_while(writer, 20).join()
        self.counts["refused_by_clock"] += len(self.client.waiting)

    def disk_full(self, writer: Writer, is_service: bool) -> None:
        """Let no file of the writer grow, for a while."""
        import resource

        self.client.send_while(writer, 2).join()
        largest = max(path.stat().st_size for path in self.home.rglob("*.mdb"))
        limit = self.rng.choice((largest, largest // 2, 4_096))
        resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        self.client.send_while(writer, 40).join()
        self.counts["refused_by_disk"] += len(self.client.waiting)
        resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def gone(self, writer: Service, is_service: bool) -> None:
        """Move the directory away and back."""
        sending = self.client.send_while(writer, 10)
        time.sleep(self.rng.random() * 0.3)
        away = self.home.with_name("away")
        self.home.rename(away)
        sending.join()
        expected = [("GET", "/health/ready", None), ("GET", "/v1/users/person-1/recommendations", None)]
        expected.append(
            (
                "POST",
                "/v1/actions",
                {"actions": [{"user_id": "x", "item_id": "y", "timestamp": "2026-01-01T00:00:00Z"}]},
            )
        )
        for method, path, body in expected:
            status, _, kind = writer.request(method, path, body)
            if (status, kind) != (503, "application/problem+json"):
                raise AssertionError(f"{method} {path} without a directory: {status} {kind}")
        if self.home.exists():
            raise AssertionError("the directory was made anew")
        away.rename(self.home)
        writer.wait_until_ready()

    def power_cut(self, writer: Writer, is_service: bool) -> None:
        """Drop, in a copy of a moment, what the disk need not have had."""
        copy, before = self._frozen_copy(writer)
        for file in copy.rglob("records-*.mdb"):
            how = self.rng.choice(("cut", "garble", "keep"))
            answer_of(_drop_unfinished, file, how, self.rng.randbytes(65_536))
            if file.parent.name == "store" and self.rng.random() < 0.7:
                answer_of(_undo_last_commit, file)
        found = answer_of(check, copy, before)
        shutil.rmtree(copy)
        if isinstance(found, str) or found["lost"]:
            raise AssertionError(f"after a power cut: {found}")
        self.counts["power_cuts"] += 1

    def torn(self, writer: Writer, is_service: bool) -> None:
        """Damage a copy of a moment; it must be refused, or answer right."""
        copy, before = self._frozen_copy(writer)
        file = self.rng.choice(sorted(copy.rglob("records-*.mdb")))
        size, content = file.stat().st_size, bytearray(file.read_bytes())
        if self.rng.random() < 0.5:
            file.write_bytes(content[: self.rng.randrange(size)])
        else:
            n = 4_096 * self.rng.randint(1, 4)
            content[-n:] = self.rng.randbytes(n)
            file.write_bytes(content)
        found = answer_of(check, copy, before)
        shutil.rmtree(copy)
        if isinstance(found, dict):
            self.counts["torn_right"] += not found["lost"]
            self.counts["torn_wrong"] += bool(found["lost"])
        else:
            refused = found.startswith("StoredFormatError")
            self.counts["torn_refused" if refused else "torn_" + found.partition(":")[0]] += 1

    # Helpers.

    def _wait_within_build(self, building: subprocess.Popen[bytes]) -> None:
        """Wait until some point of a build: its start, its work, or its landing."""
        point, staged = self.rng.random(), self.home / "generations" / ".staging"
        until_s = time.monotonic() + 60
        while point > 0.1 and not staged.exists() and building.poll() is None and time.monotonic() < until_s:
            time.sleep(0.005)
        if point > 0.5:
            while not (staged / "store").exists() and staged.exists() and time.monotonic() < until_s:
                time.sleep(0.002)
        time.sleep(self.rng.random() * 0.5)

    def _shoot(self, writer: Writer, within_s: float) -> None:
        time.sleep(self.rng.random() * within_s)
        writer.kill()
        self.counts["kills"] += 1

    def _frozen_copy(self, writer: Writer) -> tuple[Path, Ledger]:
        """Stop the writer somewhere, and copy the directory and the ledger of before."""
        sending = self.client.send_while(writer, 25)
        time.sleep(self.rng.random() * 0.4)
        os.kill(writer.pid, signal.SIGSTOP)
        time.sleep(0.02)  # What was answered before has arrived.
        before = deepcopy(self.ledger)
        copy = self.folder / "copy"
        shutil.copytree(self.home, copy)
        os.kill(writer.pid, signal.SIGCONT)
        sending.join()
        return copy, before

    def _write_tables(self) -> None:
        import pyarrow.parquet as pq

        pq.write_table(item_table(range(N_ITEMS)), self.folder / "items.parquet")
        pq.write_table(action_table(self.ledger.log), self.folder / "actions.parquet")

    def _start_build(self) -> subprocess.Popen[bytes]:
        """Start the real command, as an operator would."""
        from chaos_world import CONFIG

        options = ["--items", "items.parquet", "--actions", "actions.parquet", "--out", "model", "--json"]
        options += ["--window-days", str(CONFIG.interests.window_days)]
        options += ["--max-merge-cost", str(CONFIG.interests.max_merge_cost)]
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, "build", *options], cwd=self.folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def _drop_unfinished(file: Path, how: str, noise: bytes) -> None:
    """Cut off, or garble, all pages behind the last commit: nothing says that they were written."""
    env = lmdb.open(str(file), subdir=False, readonly=True, lock=False)
    n_used = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    env.close()
    size = file.stat().st_size
    if size > n_used and how == "cut":
        os.truncate(file, n_used)
    if size > n_used and how == "garble":
        with file.open("r+b") as opened:
            opened.seek(n_used)
            opened.write((noise * ((size - n_used) // len(noise) + 1))[: size - n_used])


def _undo_last_commit(file: Path) -> None:
    """Put the older of the two meta pages in the place of the newer one, which was written last."""
    env = lmdb.open(str(file), subdir=False, readonly=True, lock=False)
    newest, psize = env.info()["last_txnid"] & 1, env.stat()["psize"]
    env.close()
    with file.open("r+b") as opened:
        pages = [opened.read(psize), opened.read(psize)]
        opened.seek(newest * psize)
        number = pages[newest][:8]
        opened.write(number + pages[1 - newest][8:])


def run(
    rounds: int, seed: int, faults: list[str], service_share: float, scratch: str | None
) -> dict[str, Any]:
    """Go through the rounds, every fault in turn in a shuffled order; stop at the first round that fails."""
    rng, sums, by_fault = random.Random(seed), Counter[str](), Counter[str]()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pinnersage-chaos-", dir=scratch) as folder:
        chaos = Chaos(Path(folder), seed, service_share)
        order: list[str] = []
        for number in range(rounds):
            order = order or rng.sample(faults, len(faults))
            fault = order.pop()
            found = chaos.round(fault)
            by_fault[fault] += 1
            sums.update({name: found[name] for name in FIGURES})
            line = {name: found[name] for name in (*FIGURES, "n_acked")}
            print(json.dumps({"round": number + 1, "fault": fault} | line), file=sys.stderr, flush=True)
            if any(found[name] for name in FIGURES):
                print(json.dumps(found["examples"], default=str), file=sys.stderr)
                shutil.copytree(chaos.home, Path(tempfile.mkdtemp(prefix="chaos-kept-")) / "model")
                break
        finished = {
            "seed": seed, "acked": len(chaos.ledger.acked), "outcomes": dict(chaos.client.outcomes),
            **dict(sorted(chaos.counts.items())),
        }  # fmt: skip
    return {
        **finished, **{name: sums[name] for name in FIGURES}, "rounds_by_fault": dict(sorted(by_fault.items())),
        "wall_s": round(time.monotonic() - started), "command": f"python scripts/chaos.py --rounds {rounds} --seed {seed}",
    }  # fmt: skip


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument(
        "--service-share", type=float, default=0.25, help="of the rounds, on the real service"
    )
    parser.add_argument("--scratch", help="directory to work in")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/chaos.json")
    arguments = parser.parse_args()
    result = run(
        arguments.rounds, arguments.seed, arguments.faults, arguments.service_share, arguments.scratch
    )
    print(json.dumps(result, indent=2))
    if arguments.save:
        RESULT.write_text(json.dumps(result, indent=2) + "\n")
    return int(any(result[name] for name in FIGURES))


if __name__ == "__main__":
    sys.exit(main())
