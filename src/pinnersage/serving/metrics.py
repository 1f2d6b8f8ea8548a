"""Prometheus metrics of one worker; with several workers, of all of them together.

With ``PROMETHEUS_MULTIPROC_DIR`` in the environment (``pinnersage serve --workers`` sets it) every worker
writes its values into files there, and whichever worker is asked adds them up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.values import MutexValue, ValueClass

STAGES = ("parse", "queue", "commit", "records", "interests", "retrieve", "encode")
_OF_EACH = ("process_start_time_seconds", "process_max_fds")
_BUCKETS_S = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
)  # fmt: skip


class Metrics:
    """All metrics; names begin with ``pinnersage_``, or ``process_`` where every program has them."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "pinnersage_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self._request_s = _histogram(
            "pinnersage_request_seconds", "Whole time of requests.", ["route"], registry
        )
        self._stage_s = _histogram("pinnersage_stage_seconds", "Time of stages.", ["stage"], registry)
        self._freshness_s = _histogram(
            "pinnersage_freshness_seconds",
            "From the arrival of actions until the records have them; who asks earlier waits for that.",
            [], registry,
        )  # fmt: skip
        self._actions = Counter("pinnersage_actions", "Actions by outcome.", ["status"], registry=registry)
        self._swaps = Counter("pinnersage_generation_swaps", "Generations changed to.", registry=registry)
        self._queued = _gauge(
            "pinnersage_queue_depth", "Actions that wait for their commit.", "livesum", registry
        )
        self._in_flight = _gauge(
            "pinnersage_requests_in_flight", "Requests being answered.", "livesum", registry
        )
        self.n_in_flight = 0
        self._process = ProcessCollector(registry=None)
        self._gauges: dict[str, Gauge] = {}
        self._growing: dict[str, _Growing] = {}
        self.freshness = self._freshness_s.observe
        self._stages = {stage: self._stage_s.labels(stage).observe for stage in STAGES}
        self._routes: dict[tuple[str, str, int], tuple[Any, Any]] = {}
        self._outcomes: dict[str, Any] = {}

    def stage(self, name: str, seconds: float) -> None:
        """Count one passage through a stage."""
        self._stages[name](seconds)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; ``route`` is its template, never its path."""
        key = (route, method, status)
        found = self._routes.get(key)
        if found is None:
            found = self._requests.labels(route, method, str(status)), self._request_s.labels(route)
            self._routes[key] = found
        found[0].inc()
        found[1].observe(seconds)

    def actions(self, counts: Mapping[str, int]) -> None:
        """Count actions by outcome."""
        for status, n in counts.items():
            if status not in self._outcomes:
                self._outcomes[status] = self._actions.labels(status).inc
            if n:
                self._outcomes[status](n)

    def swapped(self) -> None:
        """Count a change of generation."""
        self._swaps.inc()

    def load(self, *, n_queued: int) -> None:
        """Set how many actions wait, how many requests are being answered, and what the process uses."""
        self._queued.set(n_queued)
        self._in_flight.set(self.n_in_flight)
        for family in self._process.collect():
            told, value = family.documentation, family.samples[0].value
            if family.type == "counter":
                self._grow(family.name, told, value)
            else:
                self._set(family.name, told, value, "livemax" if family.name in _OF_EACH else "livesum")

    def status(self, facts: Mapping[str, Any], prefix: str = "pinnersage_") -> None:
        """Set a gauge for every number of the model's status; what a cache found, or not, is counted."""
        for name, value in facts.items():
            told = f"Status of the model: {(prefix + name).partition('_')[2].replace('_', ' ')}."
            if isinstance(value, Mapping):
                self.status(value, f"{prefix}{name}_")
            elif name in ("n_hits", "n_misses"):
                self._grow(prefix + name.removeprefix("n_"), told, value)
            elif name == "generation" and str(value).isdecimal():
                self._set(prefix + name, told, int(value), "livemin")
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                self._set(prefix + name, told, value, "livesum" if "cache" in prefix else "livemax")

    def _set(self, name: str, told: str, value: float, mode: str) -> None:
        if name not in self._gauges:
            self._gauges[name] = _gauge(name, told, mode, self._registry)
        self._gauges[name].set(value)

    def _grow(self, name: str, told: str, value: float) -> None:
        if name not in self._growing:
            self._growing[name] = _Growing(Counter(name, told, registry=self._registry))
        self._growing[name].reached(value)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        if ValueClass is MutexValue:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


class _Growing:
    """A counter of what somebody else counts, and now and then counts from 0 again."""

    def __init__(self, counter: Counter) -> None:
        self._counter, self._last = counter, 0.0

    def reached(self, value: float) -> None:
        self._counter.inc(value - self._last if value >= self._last else value)
        self._last = value


def forget_workers_besides(pids: Collection[int | None], folder: Path) -> None:
    """Let gauges count these processes only; what others counted stays counted."""
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if pid not in pids:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def _histogram(name: str, told: str, labels: list[str], registry: CollectorRegistry) -> Histogram:
    return Histogram(name, told, labels, registry=registry, buckets=_BUCKETS_S)


def _gauge(name: str, told: str, mode: Any, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, told, registry=registry, multiprocess_mode=mode)
