"""What the system page shows: the model, its store and journal, and how the service is doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinnersage.errors import PinnerSageError
from pinnersage.serving.page.histograms import Histogram, Measured, added
from pinnersage.serving.page.words import NOTHING, ago, day_and_time, ms_of, percent, size
from pinnersage.serving.service import Service

_PAGE_ROUTES = ("/assets/", "/system", "/login", "/logout", "/health", "/metrics")
_STAGES = {
    "parse": "read a body",
    "queue": "wait for a commit",
    "commit": "commit to disk, then acknowledge",
    "records": "update interests",
    "interests": "read interests",
    "retrieve": "recommend",
    "encode": "write an answer",
}


@dataclass(frozen=True, slots=True)
class Timed:
    """Something that is measured often."""

    name: str
    told: str
    histogram: Histogram


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its name, and a sentence that says more; ``large`` for the few that matter most."""

    name: str
    value: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class SystemView:
    """The state of the service.

    Attributes
    ----------
    fault
        Why it is not ready; None when it is.
    corpus, store, load
        Facts of the catalogue, of what is kept, and of the moment.
    requests
        Time of requests, all routes together.
    freshness
        From the arrival of an action until its record is made.
    routes, stages
        Times by route and by stage.
    """

    fault: str | None
    corpus: Sequence[Fact]
    store: Sequence[Fact]
    load: Sequence[Fact]
    requests: Histogram
    freshness: Histogram
    routes: Sequence[Timed]
    stages: Sequence[Timed]


def system_view(service: Service, now_ms: int) -> SystemView:
    """Return the state of the service; where the model cannot be read, why."""
    fault = _fault(service)
    try:
        status: Mapping[str, Any] = service.backend.status()
    except PinnerSageError as error:
        status, fault = {}, fault or str(error)
    service.observe_status()
    measured = Measured(service.metrics.text().decode())
    of_route = measured.histograms("pinnersage_request_seconds", "route")
    routes = {route: h for route, h in of_route.items() if not route.startswith(_PAGE_ROUTES) and h.n}
    stages = measured.histograms("pinnersage_stage_seconds", "stage")
    return SystemView(
        fault=fault,
        corpus=_corpus(status, now_ms),
        store=[*_store(status, now_ms), *_journal(status)],
        load=[*_cache(status), *_load(measured)],
        requests=added(list(routes.values())),
        freshness=measured.histograms("pinnersage_freshness_seconds").get("", Histogram([], [])),
        routes=[Timed(route, "", h) for route, h in sorted(routes.items(), key=lambda r: (-r[1].n, r[0]))],
        stages=[Timed(name, told, stages[name]) for name, told in _STAGES.items() if name in stages],
    )


def _fault(service: Service) -> str | None:
    try:
        service.check_ready()
    except PinnerSageError as error:
        return str(error)
    return None


def _counts(measured: Measured, name: str, label: str) -> str:
    """Return how many there are of each kind, in words."""
    found = sorted(measured.by_labels(name, label).items(), key=lambda kind: -kind[1])
    return ", ".join(f"{key}: {n:,.0f}" for (key,), n in found if n) or "0"


def _corpus(status: Mapping[str, Any], now_ms: int) -> list[Fact]:
    if not status:
        return []
    as_of_ms = ms_of(status["as_of"])
    index = status["index"]
    kind = index.get("kind", index.get("type", "")) if isinstance(index, Mapping) else index
    return [
        Fact("Users", f"{status['n_users']:,}"),
        Fact("Items", f"{status['n_items']:,}", f"{status['n_new_items']:,} since the build"),
        Fact("Candidates", f"{status['n_pool_items']:,}", "items that may be recommended"),
        Fact("Newest action", day_and_time(as_of_ms), ago(as_of_ms, now_ms)),
        Fact("Dimensions", f"{status['n_dimensions']:,}"),
        *([Fact("Embedding", version)] if (version := status["embedding_version"]) else []),
        Fact("Index", str(kind or NOTHING)),
        Fact("Second stage", "yes" if status["has_ranker"] else "no"),
    ]


def _store(status: Mapping[str, Any], now_ms: int) -> list[Fact]:
    if not status:
        return []
    built_ms = ms_of(status["created_at"])
    n_users = max(1, status["n_users"])
    return [
        Fact("Generation", str(status["generation"])),
        Fact("Built", day_and_time(built_ms), ago(built_ms, now_ms)),
        Fact("Store", size(status["store_bytes"]), f"{size(status['store_bytes'] / n_users)} a user"),
        Fact("Version", str(status["library_version"])),
    ]


def _cache(status: Mapping[str, Any]) -> list[Fact]:
    if not status:
        return []
    cache = status["cache"]
    n_asked = cache["n_hits"] + cache["n_misses"]
    rate = percent(cache["n_hits"] / n_asked) if n_asked else NOTHING
    return [
        Fact("Cache hits", rate, f"of {n_asked:,} questions"),
        Fact("Cache entries", f"{cache['n_entries']:,}", "medoids, in this worker"),
    ]


def _journal(status: Mapping[str, Any]) -> list[Fact]:
    if not status:
        return []
    journal = status["journal"]
    return [
        Fact("Journal", size(journal["n_bytes"]), f"{journal['head']:,} entries so far"),
        Fact("Parked", f"{journal['n_parked']:,}", "actions wait for their item"),
    ]


def _load(measured: Measured) -> list[Fact]:
    return [
        Fact("Answers", _counts(measured, "pinnersage_requests_total", "status")),
        Fact("Actions", _counts(measured, "pinnersage_actions_total", "status")),
        Fact("Actions waiting", f"{measured.value('pinnersage_queue_depth'):,.0f}"),
        Fact("Requests in flight", f"{measured.value('pinnersage_requests_in_flight'):,.0f}"),
        Fact("Generations changed", f"{measured.value('pinnersage_generation_swaps_total'):,.0f}"),
    ]
