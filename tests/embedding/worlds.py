"""Small logs in which users keep to their topics."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pinnersage.config import MS_PER_DAY

N_TOPICS, N_PER_TOPIC = 4, 6
N_ITEMS = N_TOPICS * N_PER_TOPIC
START_MS = 17_000 * MS_PER_DAY


Values = npt.NDArray[Any]


class Log(NamedTuple):
    users: Values
    item_rows: Values
    times_ms: Values


def topic_of(rows: Values) -> Values:
    """Return the topic of items; item ``i`` is of topic ``i // N_PER_TOPIC``."""
    return rows // N_PER_TOPIC


def topical_log(n_users: int = 40, n_weeks: int = 3, seed: int = 5) -> Log:
    """Return a log in which a user takes three items of one topic a week."""
    rng = np.random.default_rng(seed)
    rows, users, times = [], [], []
    for user in range(n_users):
        for week in range(n_weeks):
            topic = (user + week) % N_TOPICS
            rows += (topic * N_PER_TOPIC + rng.choice(N_PER_TOPIC, 3, replace=False)).tolist()
            users += [user] * 3
            times += [START_MS + (7 * week + day) * MS_PER_DAY for day in range(3)]
    return Log(np.array(users), np.array(rows, np.int32), np.array(times))
