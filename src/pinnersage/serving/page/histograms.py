"""Prometheus text read back into what a person wants to know: counts, medians, slow ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something took how long.

    Attributes
    ----------
    bounds_s
        Upper bounds of the buckets, ascending; the last is infinite.
    counts
        How many fell into each bucket.
    """

    bounds_s: Sequence[float]
    counts: Sequence[int]

    @property
    def n(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def quantile_s(self, share: float) -> float | None:
        """Return the time that ``share`` of them did not exceed, even within a bucket; None without any.

        Examples
        --------
        >>> Histogram([1.0, 2.0, inf], [2, 2, 0]).quantile_s(0.75)
        1.5
        """
        wanted, passed, low = share * self.n, 0, 0.0
        if not self.n:
            return None
        for bound, n in zip(self.bounds_s, self.counts, strict=True):
            if n and passed + n >= wanted:
                return low if bound == inf else low + (bound - low) * (wanted - passed) / n
            passed, low = passed + n, bound
        return low

    @property
    def bars(self) -> list[tuple[float, int]]:
        """Bound and count of the buckets from the first to the last that hold anything."""
        held = [place for place, n in enumerate(self.counts) if n]
        if not held:
            return []
        return list(zip(self.bounds_s, self.counts, strict=True))[held[0] : held[-1] + 1]


def added(histograms: Sequence[Histogram]) -> Histogram:
    """Return histograms with equal bounds as one."""
    if not histograms:
        return Histogram([], [])
    counts = [sum(column) for column in zip(*(h.counts for h in histograms), strict=True)]
    return Histogram(histograms[0].bounds_s, counts)


class Measured:
    """The samples of a metrics text, by name.

    Parameters
    ----------
    text
        In Prometheus' text format.
    """

    def __init__(self, text: str) -> None:
        self._samples: dict[str, list[Sample]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples.setdefault(sample.name, []).append(sample)

    def value(self, name: str, default: float = 0.0) -> float:
        """Return the value of a metric without labels."""
        found = self._samples.get(name)
        return found[0].value if found else default

    def by_labels(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return values by those labels, added up over all others."""
        totals: dict[tuple[str, ...], float] = {}
        for sample in self._samples.get(name, ()):
            key = tuple(sample.labels.get(label, "") for label in labels)
            totals[key] = totals.get(key, 0.0) + sample.value
        return totals

    def histograms(self, name: str, label: str | None = None) -> Mapping[str, Histogram]:
        """Return histograms by the value of one label; under the empty text without a label."""
        found: dict[str, list[tuple[float, float]]] = {}
        for sample in self._samples.get(f"{name}_bucket", ()):
            bound = float(sample.labels["le"])
            found.setdefault(sample.labels.get(label or "", ""), []).append((bound, sample.value))
        return {key: _histogram(sorted(pairs)) for key, pairs in found.items()}


def _histogram(cumulated: Sequence[tuple[float, float]]) -> Histogram:
    bounds, totals = zip(*cumulated, strict=True)
    counts = [round(b - a) for a, b in zip((0.0, *totals), totals, strict=False)]
    return Histogram(bounds, counts)
