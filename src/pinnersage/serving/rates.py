"""A token bucket for each client: steady use passes, floods wait."""

from __future__ import annotations

from collections import OrderedDict

_MAX_CLIENTS = 10_000


class RateLimit:
    """Lets each client do so many requests per second, and a second's worth of them at once.

    Parameters
    ----------
    rate_per_s
        Requests per second; 0 for no limit.

    Examples
    --------
    >>> limit = RateLimit(2)
    >>> [limit.allows("a", now_s) for now_s in (0.0, 0.0, 0.0, 0.5)]
    [True, True, False, True]
    """

    def __init__(self, rate_per_s: float) -> None:
        self._rate, self._burst = rate_per_s, max(1.0, rate_per_s)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, client: str, now_s: float) -> bool:
        """Return whether a request of ``client`` passes, and count it if it does."""
        if not self._rate:
            return True
        tokens, since_s = self._buckets.get(client, (self._burst, now_s))
        tokens = min(self._burst, tokens + (now_s - since_s) * self._rate)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - 1 if allowed else tokens, now_s)
        self._buckets.move_to_end(client)
        if len(self._buckets) > _MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return allowed
