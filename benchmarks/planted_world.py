"""A catalogue of topics and users with planted interests, whose next actions come from those interests.

What each number means, and why it is what it is:

- **Items** belong to topics; topics to fields. An item deviates from its topic's center by ``spread``
  (a length, beside the center's 1), so two items of a topic have cosine ``1 / (1 + spread ** 2)`` on
  average. At 0.7 that is 0.67, and a cosine of 0.8 says "much alike even for one topic". Topics are
  stretched in a few directions of their own and differ in spread and size (a power law). Two topics of a
  field have ``sibling_cosine`` between their centers, all others about 0.
- **Users** have some interests at any time, each a topic and in it a taste (one of its items), with
  importances that fall as a power of their rank. Some interests are in the same field as another
  one of the user.
- **Drift**: an interest lives ``lifetime_days`` on average, then another takes its place. While it lives it
  comes in spells of ``spell_days``, and rests ``idle_days`` between them, in which it is ``resting`` times
  as likely as otherwise. All of them are exponential, and the world is as old as it needs to be.
- **Sessions** come at random. One is about one interest, but each action may be about another one
  (``wandering``), and a share of the actions are **outliers**: any item of the catalogue.
- **An action** falls on the one of ``n_looked_at`` items of the topic that is nearest to the taste. Of a
  topic's items some are seen far more often (``popularity``: places ``u ** popularity`` for an even u).
  Nobody acts on an item twice.

Nothing of this is fitted to a result: every next action is drawn by the rules of the actions before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pinnersage.actions.batch import ActionBatch
from pinnersage.config import MS_PER_DAY
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.items.table import ItemTable
from pinnersage.items.vocabulary import ItemVocabulary

START_MS = 1_600_000_000_000 // MS_PER_DAY * MS_PER_DAY
FOREVER_DAYS = 1e9
_SHAPED = 0.8
_SMALLEST_TOPIC = 30
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class World:
    """The numbers of a world; see the module for what they mean."""

    n_items: int = 1_000_000
    dim: int = 64
    n_items_per_topic: int = 500
    n_topics_per_field: int = 8
    sibling_cosine: float = 0.5
    topic_size_exponent: float = 0.7
    spread: float = 0.7
    n_shape: int = 6
    popularity: float = 2.0
    n_users: int = 400
    n_crowd: int = 2_000
    n_days: int = 90
    n_measured_days: int = 10
    n_interests: tuple[int, int] = (3, 12)
    importance_exponent: float = 1.0
    sibling_share: float = 0.3
    sessions_per_day: float = 0.5
    actions_per_session: float = 3.0
    outlier_share: float = 0.1
    wandering: float = 0.2
    lifetime_days: float = 120.0
    spell_days: float = 10.0
    idle_days: float = 20.0
    resting: float = 0.1
    n_looked_at: int = 8
    seed: int = 1


@dataclass(frozen=True)
class Catalogue:
    """Items, topic after topic.

    ``embeddings`` float32 ``(n_items, dim)``; ``topics`` int32 ``(n_items,)``; topic ``t`` owns items
    ``offsets[t]:offsets[t + 1]`` and is in field ``fields[t]``; ``centers`` ``(n_topics, dim)``.
    """

    embeddings: Array
    topics: Array
    offsets: Array
    fields: Array
    centers: Array


@dataclass(frozen=True)
class Planted:
    """A world as a log, and the truth behind it.

    Attributes
    ----------
    log
        Users ``a...`` are measured; users ``c...``, the crowd, act before the measured days only.
    catalogue
        Of the items.
    first_day_ms
        Where the measured days begin.
    n_interests
        ``(n_users,)`` planted at any time, of the measured users.
    outlier_share
        Of the actions, as drawn.
    """

    log: ReplayLog
    catalogue: Catalogue
    first_day_ms: int
    n_interests: Array
    outlier_share: float


def unit(rows: Array) -> Array:
    """Scale to length 1."""
    scaled: Array = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return scaled


def make_catalogue(world: World) -> Catalogue:
    """Draw topics and their items."""
    rng = np.random.default_rng([world.seed, 0])
    n_topics = max(world.n_topics_per_field, round(world.n_items / world.n_items_per_topic))
    sizes = _topic_sizes(n_topics, world, rng)
    fields = np.arange(n_topics) // world.n_topics_per_field
    of_field = unit(rng.standard_normal((int(fields[-1]) + 1, world.dim)))[fields]
    own = unit(rng.standard_normal((n_topics, world.dim)))
    shared = np.sqrt(world.sibling_cosine)
    centers = unit(shared * of_field + np.sqrt(1 - world.sibling_cosine) * own)
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    embeddings = np.empty((world.n_items, world.dim), np.float32)
    for t in range(n_topics):
        embeddings[offsets[t] : offsets[t + 1]] = _items_of(centers[t], int(sizes[t]), world, rng)
    return Catalogue(
        embeddings, np.repeat(np.arange(n_topics, dtype=np.int32), sizes), offsets, fields, centers
    )


def _topic_sizes(n_topics: int, world: World, rng: np.random.Generator) -> Array:
    weights = rng.permutation(np.arange(1, n_topics + 1) ** -world.topic_size_exponent)
    least = min(_SMALLEST_TOPIC, world.n_items // n_topics)
    left = world.n_items - least * n_topics
    sizes = least + np.floor(left * weights / weights.sum()).astype(np.int64)
    sizes[np.argmax(sizes)] += world.n_items - sizes.sum()
    return np.asarray(sizes)


def _items_of(center: Array, n: int, world: World, rng: np.random.Generator) -> Array:
    directions = unit(rng.standard_normal((world.n_shape, world.dim)))
    shares = 1 / np.arange(1, world.n_shape + 1)
    stretched = rng.standard_normal((n, world.n_shape)) * np.sqrt(shares / shares.sum())
    even = rng.standard_normal((n, world.dim)) / np.sqrt(world.dim)
    deviation = np.sqrt(_SHAPED) * stretched @ directions + np.sqrt(1 - _SHAPED) * even
    spread = world.spread * rng.lognormal(0.0, 0.2)
    return unit(center + spread * deviation)


@dataclass(frozen=True)
class _Slot:
    """One place among a user's interests: who holds it when, and when it is in a spell."""

    until_days: Array
    topics: Array
    tastes: Array
    turns_days: Array
    begins_in_spell: bool

    def holder(self, days: Array) -> Array:
        return np.searchsorted(self.until_days, days, side="right")

    def likely(self, days: Array, resting: float) -> Array:
        n_turns = np.searchsorted(self.turns_days, days, side="right")
        return np.where((n_turns % 2 == 0) == self.begins_in_spell, 1.0, resting)


def _times(mean_days: tuple[float, float], until_days: float, rng: np.random.Generator) -> Array:
    """Return when a renewal process turns, in days, up to the first turn after the end."""
    turns: list[float] = [0.0]
    while turns[-1] <= until_days:
        turns.append(turns[-1] + rng.exponential(mean_days[len(turns) % 2]))
    return np.array(turns[1:])


def _slot(world: World, made: Catalogue, fields: list[int], rng: np.random.Generator) -> _Slot:
    n_days = world.n_days + world.n_measured_days
    until = _times((world.lifetime_days, world.lifetime_days), n_days, rng)
    topics = np.array([_topic(world, made, fields, rng) for _ in until])
    in_spell = rng.random() < world.spell_days / (world.spell_days + world.idle_days)
    means = (world.idle_days, world.spell_days) if in_spell else (world.spell_days, world.idle_days)
    turns = _times(means, n_days, rng) if world.idle_days > 0 else np.array([FOREVER_DAYS])
    return _Slot(until, topics, _seen(world, made, topics, rng), turns, in_spell or world.idle_days == 0)


def _topic(world: World, made: Catalogue, fields: list[int], rng: np.random.Generator) -> int:
    """Draw a topic by size, sometimes one of a field that the user is in already."""
    if fields and rng.random() < world.sibling_share:
        topic = int(rng.choice(np.flatnonzero(made.fields == rng.choice(fields))))
    else:
        topic = int(made.topics[rng.integers(world.n_items)])
    fields.append(int(made.fields[topic]))
    return topic


def _seen(world: World, made: Catalogue, topics: Array, rng: np.random.Generator) -> Array:
    """Draw an item of each topic, some of them far more often than others."""
    sizes = np.diff(made.offsets)[topics]
    places = np.floor(sizes * rng.random(topics.shape) ** world.popularity).astype(np.int64)
    return np.asarray(made.offsets[topics] + places)


def user_actions(world: World, made: Catalogue, rng: np.random.Generator) -> tuple[Array, Array, int, Array]:
    """Return one user's items, times (days from the start), number of interests, and which are outliers."""
    low, high = np.log(world.n_interests[0]), np.log(world.n_interests[1] + 1)
    n_interests = min(int(np.exp(rng.uniform(low, high))), world.n_interests[1])
    fields: list[int] = []
    slots = [_slot(world, made, fields, rng) for _ in range(n_interests)]
    n_days = world.n_days + world.n_measured_days
    sessions = np.sort(rng.uniform(0, n_days, rng.poisson(_rate(world, rng) * n_days)))
    lengths = rng.geometric(1 / world.actions_per_session, len(sessions))
    days = np.repeat(sessions, lengths)
    of_session = np.repeat(_chosen(world, slots, sessions, rng), lengths)
    wanders = rng.random(len(days)) < world.wandering
    interest = np.where(wanders, _chosen(world, slots, days, rng), of_session)
    rows = _acted_on(world, made, slots, interest, days, rng)
    is_outlier = rng.random(len(days)) < world.outlier_share
    rows = np.where(is_outlier, rng.integers(0, world.n_items, len(days)), rows)
    first = np.sort(np.unique(rows, return_index=True)[1])
    minutes = np.arange(len(days)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return rows[first], (days + minutes / 1_440)[first], n_interests, is_outlier[first]


def _rate(world: World, rng: np.random.Generator) -> float:
    """Return sessions per day; some users come several times as often as others."""
    return float(world.sessions_per_day * rng.lognormal(-0.125, 0.5))


def _chosen(world: World, slots: list[_Slot], days: Array, rng: np.random.Generator) -> Array:
    """Draw an interest for each moment, by importance and by whether it is in a spell."""
    ranks = np.arange(1, len(slots) + 1) ** -world.importance_exponent
    weights = np.stack([slot.likely(days, world.resting) for slot in slots], axis=1) * ranks
    steps = np.cumsum(weights, axis=1)
    drawn = rng.random(len(days)) * steps[:, -1]
    return np.asarray((steps < drawn[:, None]).sum(axis=1))


def _acted_on(
    world: World, made: Catalogue, slots: list[_Slot], interest: Array, days: Array, rng: np.random.Generator
) -> Array:
    """Return, for each action, the one of some items of the topic that is nearest to the taste."""
    topics, tastes = np.zeros(len(days), np.int64), np.zeros(len(days), np.int64)
    for i, slot in enumerate(slots):
        own = interest == i
        holder = slot.holder(days[own])
        topics[own], tastes[own] = slot.topics[holder], slot.tastes[holder]
    looked_at = _seen(world, made, np.repeat(topics[:, None], world.n_looked_at, axis=1), rng)
    cosines = np.einsum("akd,ad->ak", made.embeddings[looked_at], made.embeddings[tastes])
    return np.asarray(looked_at[np.arange(len(days)), cosines.argmax(axis=1)])


def make_world(world: World) -> Planted:
    """Draw everything; equal worlds are equal to the last bit."""
    made = make_catalogue(world)
    ids = [f"a{i:06d}" for i in range(world.n_users)] + [f"c{i:06d}" for i in range(world.n_crowd)]
    parts, n_interests, n_outliers = [], [], 0
    for u in range(len(ids)):
        rows, days, n, is_outlier = user_actions(world, made, np.random.default_rng([world.seed, 1, u]))
        kept = days < (world.n_days + world.n_measured_days if u < world.n_users else world.n_days)
        parts.append((rows[kept], START_MS + (days[kept] * MS_PER_DAY).astype(np.int64)))
        n_interests.append(n)
        n_outliers += int(is_outlier[kept].sum())
    lengths = [len(rows) for rows, _ in parts]
    n = sum(lengths)
    batch = ActionBatch(
        ids,
        np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        np.concatenate([rows for rows, _ in parts]).astype(np.int32),
        np.concatenate([times for _, times in parts]),
        np.ones(n, np.float32),
        np.zeros(n, np.uint8),
        np.zeros(n, np.uint64),
    )
    log = ReplayLog.from_batch(batch, _item_table(made.embeddings))
    first_day_ms = START_MS + world.n_days * MS_PER_DAY
    return Planted(log, made, first_day_ms, np.array(n_interests[: world.n_users]), n_outliers / n)


def _item_table(embeddings: Array) -> ItemTable:
    """Return a catalogue in which every item was there from the beginning."""
    n = len(embeddings)
    attributes = pa.table({"created_at_ms": np.zeros(n, np.int64)})
    return ItemTable(embeddings, ItemVocabulary.from_ids(list(range(n))), attributes, np.ones(n, np.bool_))
