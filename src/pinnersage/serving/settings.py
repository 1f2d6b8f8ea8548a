"""What can be set about the service, with its units and bounds."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pinnersage.errors import UsageError


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Bounds of the service; every one is positive, and 0 switches a rate limit off.

    Attributes
    ----------
    max_k
        Longest list that may be asked for.
    max_body_bytes
        Larger bodies are refused with 413.
    max_actions
        Actions in one request.
    max_users
        Users in one request of recommendations.
    max_items
        Items in the lists of one request of recommendations: users times ``k``. One list may have ``max_k``.
    max_id_bytes
        Bytes of an id in UTF-8.
    max_queued_actions
        Actions waiting for their commit; beyond it requests get 503.
    max_joined_actions
        Actions in one commit.
    read_timeout_s
        The head of a request must have arrived in this time, else the connection is closed; then its body,
        else 408.
    request_timeout_s
        A request must be answered in this time, else 504; how long the answer is read does not count.
    write_timeout_s
        A connection whose client has not read anything of its answer for this time is closed.
    shutdown_timeout_s
        Requests in flight get this long after SIGTERM.
    rate_per_s
        Requests per second of one key, or of one address without keys, in each worker; bursts of as many.
    refresh_interval_s
        How often a new generation is looked for between requests.
    n_threads
        Threads for what takes long: so many for reads (sessions, exports, the page), so many for lists of
        several users, so many for writes (items, preferences, erasures), and so many for lists that have to
        wait for a lock or for files. Health, metrics and the watch
        for generations have one each.
    max_waiting
        Calls that may wait for these threads; more are answered with 503.
    access_log
        A log line for each request.
    log_user_ids
        Name users in log lines of requests. Off: ids of users are never logged.
    """

    max_k: int = 1_000
    max_body_bytes: int = 8 * 2**20
    max_actions: int = 10_000
    max_users: int = 500
    max_items: int = 50_000
    max_id_bytes: int = 1_024
    max_queued_actions: int = 50_000
    max_joined_actions: int = 10_000
    read_timeout_s: float = 10.0
    request_timeout_s: float = 30.0
    write_timeout_s: float = 30.0
    shutdown_timeout_s: float = 20.0
    rate_per_s: float = 5_000.0
    refresh_interval_s: float = 0.5
    n_threads: int = 4
    max_waiting: int = 1_000
    access_log: bool = True
    log_user_ids: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, bool) and not value > 0 and (field.name, value) != ("rate_per_s", 0):
                raise UsageError(f"expected {field.name} above 0, got {value}")
