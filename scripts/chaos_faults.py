"""The faults of the chaos test; :mod:`chaos` tells what each is."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from chaos_client import Client
from chaos_damage import drop_unfinished, last_commit, tear, undo_last_commit
from chaos_world import (
    CONFIG,
    FIGURES,
    N_ITEMS,
    Events,
    Ledger,
    action_table,
    build,
    check,
    first_log,
    item_table,
    warm,
)
from chaos_writers import COMMAND, ForkedWriter, Service, Writer, answer_of


class Chaos:
    """A model, its client, and the faults."""

    def __init__(self, folder: Path, seed: int, service_share: float) -> None:
        self.rng, self.folder, self.home = random.Random(seed), folder, folder / "model"
        self._share, self.is_service = service_share, False
        now_ms = time.time_ns() // 1_000_000
        self.ledger = Ledger(first_log(seed, now_ms))
        in_log = [a for a in self.ledger.log if not a.retract]
        self.client = Client(self.ledger, Events(seed + 1, now_ms, in_log), random.Random(seed + 2))
        self.counts: Counter[str] = Counter()
        warm()
        answer_of(build, self.home, self.ledger.log, range(N_ITEMS))
        self._write_tables()

    def round(self, fault: str) -> dict[str, Any]:
        """Let one fault strike, then send again what got no answer, and check."""
        self.is_service = fault == "gone" or self.rng.random() < self._share
        clock_s = -3_600.0 if fault == "clock-back" else 0.0
        writer = self.start(clock_s)
        found = getattr(self, fault.replace("-", "_"))(writer)
        writer = found or writer
        if clock_s:
            writer.kill()
            writer = self.start()
        self.client.drain(writer)
        if self.client.failure is not None:
            raise self.client.failure
        writer.kill()
        self.counts["rounds"] += 1
        self.counts["service_rounds"] += self.is_service
        result = answer_of(check, self.home, self.ledger)
        if isinstance(result, str):
            raise AssertionError(f"check after {fault}: {result}")
        return dict(result)

    def start(self, clock_s: float = 0.0, *, wait: bool = True) -> Writer:
        """Start a writer."""
        if self.is_service:
            return Service(self.home, self.folder / "service.log", clock_s, wait=wait)
        return ForkedWriter(self.home, clock_s)

    # The faults. Each returns the writer that lives on, if it is another.

    def kill(self, writer: Writer) -> Writer:
        """Shoot the writer while it works."""
        n_before = len(self.ledger.acked)
        sending = self.client.send_while(writer, 1_000)
        while self.rng.random() < 0.8 and len(self.ledger.acked) == n_before and sending.is_alive():
            time.sleep(0.02)  # Mostly it is shot in the middle of its work.
        self._shoot(writer, 0.6)
        sending.join()
        return self.start()

    def storm(self, writer: Writer) -> Writer:
        """Shoot it again and again, also while it recovers."""
        for _ in range(self.rng.randint(2, 4)):
            writer = self.kill(writer)
            if self.rng.random() < 0.5:
                self._shoot(writer, 0.05)
                writer = self.start(wait=False)
                self._shoot(writer, 2.0 if self.is_service else 0.05)
                writer = self.start()
        return writer

    def build(self, writer: Writer) -> None:
        """Let a batch land while events flow."""
        building = self._start_build()
        sending = self.client.send_while(writer, 1_000, pause_s=0.2)
        if building.wait(300) != 0:
            raise AssertionError("the build failed")
        self.client.enough.set()
        self.counts["builds"] += 1
        sending.join()

    def kill_build(self, writer: Writer) -> None:
        """Shoot a build at a random point."""
        building = self._start_build()
        sending = self.client.send_while(writer, 1_000, pause_s=0.2)
        self._wait_within_build(building)
        self.counts["build_kills"] += building.poll() is None
        building.kill()
        building.wait()
        self.client.enough.set()
        sending.join()

    def kill_both(self, writer: Writer) -> Writer:
        """Shoot writer and build."""
        self.kill_build(writer)
        return self.kill(writer)

    def clock_back(self, writer: Writer) -> None:
        """Send to a writer whose clock is slow."""
        self.client.send_while(writer, 20).join()
        self.counts["refused_by_clock"] += len(self.client.waiting)

    def disk_full(self, writer: Writer) -> None:
        """Let no file of the writer grow, for a while."""
        self.client.send_while(writer, 2).join()
        largest = max(path.stat().st_size for path in self.home.rglob("*.mdb"))
        limit = self.rng.choice((largest, largest // 2, 4_096))
        resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        self.client.send_while(writer, 40).join()
        self.counts["refused_by_disk"] += len(self.client.waiting)
        resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def gone(self, writer: Service) -> None:
        """Move the directory away and back."""
        sending = self.client.send_while(writer, 10)
        time.sleep(self.rng.random() * 0.3)
        away = self.home.with_name("away")
        self.home.rename(away)
        sending.join()
        expected: list[tuple[str, str, Any]] = [
            ("GET", "/health/ready", None),
            ("GET", "/v1/users/person-1/recommendations", None),
        ]
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

    def power_cut(self, writer: Writer) -> None:
        """Drop, in a copy of a moment, what the disk need not have had."""
        built = {
            path.relative_to(self.home): answer_of(last_commit, path) for path in self._data_files(self.home)
        }
        copy, ledgers = self._frozen_copy(writer)
        for file in self._data_files(copy):
            how = self.rng.choice(("cut", "garble", "keep"))
            answer_of(drop_unfinished, file, how, self.rng.randbytes(65_536))
            # What was there before the writer came is on the disk: a build ends with that.
            is_new = answer_of(last_commit, file) > built.get(file.relative_to(copy), 1 << 60)
            if is_new and file.parent.name == "store" and self.rng.random() < 0.7:
                answer_of(undo_last_commit, file)
                self.counts["commits_undone"] += 1
        found = self._checked(copy, ledgers)
        if isinstance(found, str) or any(found[name] for name in FIGURES):
            raise AssertionError(f"after a power cut: {found}")
        shutil.rmtree(copy)
        self.counts["power_cuts"] += 1

    def torn(self, writer: Writer) -> None:
        """Damage a copy of a moment; it must be refused, or answer right."""
        copy, ledgers = self._frozen_copy(writer)
        tear(self.rng.choice(self._data_files(copy)), self.rng)
        found = self._checked(copy, ledgers)
        shutil.rmtree(copy)
        if isinstance(found, dict):
            if any(found[name] for name in FIGURES):
                raise AssertionError(f"torn file: {found}")
            self.counts["torn_right"] += 1
        else:
            if not found.startswith(("StoredFormatError", "died of signal")):
                raise AssertionError(f"torn file: {found}")
            self.counts["torn_refused" if found.startswith("Stored") else "torn_killed"] += 1

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

    @staticmethod
    def _data_files(folder: Path) -> list[Path]:
        return sorted(folder.rglob("records-*.mdb"))

    @staticmethod
    def _checked(home: Path, ledgers: list[Ledger]) -> Any:
        """Return what a check finds against the ledger that fits, or against the last one."""
        for ledger in ledgers:
            found = answer_of(check, home, ledger)
            if isinstance(found, str) or not any(found[name] for name in FIGURES):
                break
        return found

    def _frozen_copy(self, writer: Writer) -> tuple[Path, list[Ledger]]:
        """Stop the writer somewhere; copy the directory, and return what the ledger may be then."""
        sending = self.client.send_while(writer, 25)
        time.sleep(self.rng.random() * 0.4)
        os.kill(writer.pid, signal.SIGSTOP)
        time.sleep(0.1)  # What was answered before has arrived.
        ledgers = self.client.possible()
        copy = self.folder / "copy"
        shutil.copytree(self.home, copy)
        os.kill(writer.pid, signal.SIGCONT)
        sending.join()
        return copy, ledgers

    def _write_tables(self) -> None:
        pq.write_table(item_table(range(N_ITEMS)), self.folder / "items.parquet")
        pq.write_table(action_table(self.ledger.log), self.folder / "actions.parquet")

    def _start_build(self) -> subprocess.Popen[bytes]:
        """Start the real command, as an operator would."""
        options = ["--items", "items.parquet", "--actions", "actions.parquet", "--out", "model", "--json"]
        options += ["--window-days", str(CONFIG.interests.window_days)]
        options += ["--max-merge-cost", str(CONFIG.interests.max_merge_cost)]
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, "build", *options], cwd=self.folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
