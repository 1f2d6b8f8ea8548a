"""Answers in the shapes of the contract: plain values, external ids, RFC 3339 times."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa

from pinnersage._arrays import Float32s, Int32s
from pinnersage._ids import ItemId, UserId
from pinnersage._times import rfc3339, to_ms
from pinnersage.interests.record import UserRecord
from pinnersage.items.live import LiveVocabulary
from pinnersage.items.vocabulary import ItemVocabulary
from pinnersage.retrieval.candidates import NO_INTEREST, Recommendations
from pinnersage.retrieval.explain import ActionBehind, Explanation

Answer = dict[str, Any]
Vocabulary = ItemVocabulary | LiveVocabulary


def interests_answer(user_id: UserId, record: UserRecord, vocabulary: Vocabulary) -> Answer:
    """Return a user's interests, most important first; members are items, newest action first."""
    total = float(record.importances.sum()) or 1.0
    interests = []
    for k in range(record.n_interests):
        own = np.flatnonzero(record.labels == k)[::-1]
        rows = list(dict.fromkeys(record.item_rows[own].tolist()))
        interests.append(
            {
                "medoid_item_id": vocabulary.id_of(int(record.medoid_rows[k])),
                "importance": float(record.importances[k]),
                "share": float(record.importances[k]) / total,
                "n_actions": len(own),
                "newest_action": rfc3339(int(record.times_ms[own[0]])),
                "oldest_action": rfc3339(int(record.times_ms[own[-1]])),
                "item_ids": vocabulary.ids_of(rows),
            }
        )
    return {"user_id": user_id, "as_of": rfc3339(record.as_of_ms), "interests": interests}


def recommend_answer(
    user_id: UserId | None,
    record: UserRecord,
    found: Recommendations,
    vocabulary: Vocabulary,
    request: tuple[Any, ...],
) -> Answer:
    """Return recommendations; equal requests to an equal model have equal request ids."""
    interests = found.interests.tolist()
    asked = [i for i in dict.fromkeys(interests) if i != NO_INTEREST]
    ids = vocabulary.ids_of(np.concatenate((found.rows, record.medoid_rows[asked])))
    medoids = dict(zip(asked, ids[len(interests) :], strict=True))
    items = [
        {"rank": rank, "item_id": item_id, "score": score, "interest": medoids.get(interest)}
        for rank, (item_id, score, interest) in enumerate(
            zip(ids[: len(interests)], found.scores.tolist(), interests, strict=True), start=1
        )
    ]
    return {
        "user_id": user_id,
        "items": items,
        "request_id": request_id_of(user_id, record.as_of_ms, *request),
    }


def request_id_of(*about: Any) -> str:
    """Return an id that is the same for the same request to the same model."""
    return blake2b(repr(about).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def similar_answer(item_id: ItemId, rows: Int32s, scores: Float32s, vocabulary: Vocabulary) -> Answer:
    """Return the neighbors of an item, nearest first."""
    pairs = zip(vocabulary.ids_of(rows), scores.tolist(), strict=True)
    neighbors = [
        {"rank": rank, "item_id": neighbor, "score": score}
        for rank, (neighbor, score) in enumerate(pairs, start=1)
    ]
    return {"item_id": item_id, "neighbors": neighbors}


def explain_answer(
    user_id: UserId,
    record: UserRecord,
    found: Explanation,
    vocabulary: Vocabulary,
    kinds: list[str],
    *,
    rank: int | None,
    twin: int | None,
    reasons: Sequence[str],
) -> Answer:
    """Return why an item is, or is not, in a list, and the actions behind it.

    Parameters
    ----------
    record
        With the interests that are asked.
    rank
        Place in the list; None when it is not in it.
    twin
        A near-duplicate of it that the list has, or may have, instead.
    reasons
        Why it cannot be in the list.
    """
    scores = dict(zip(found.interests.tolist(), found.similarities.tolist(), strict=True))
    own = found.near_duplicate_of
    return {
        "user_id": user_id,
        "item_id": vocabulary.id_of(found.row),
        "rank": rank,
        "score": scores.get(found.interest),
        "interest": vocabulary.id_of(record.medoid_rows[found.interest]) if found.interest >= 0 else None,
        "rank_in_interest": found.rank or None,
        "n_offered": found.n_offered,
        "recommendable": not reasons,
        "reasons": list(reasons),
        "seen": found.seen,
        "available": found.available,
        "near_duplicate_of_seen": None if own is None else vocabulary.id_of(own),
        "near_duplicate_instead": None if twin is None else vocabulary.id_of(twin),
        "actions": [_action_answer(action, vocabulary, kinds) for action in found.actions],
    }


def _action_answer(action: ActionBehind, vocabulary: Vocabulary, kinds: list[str]) -> Answer:
    return {
        "item_id": vocabulary.id_of(action.item_row),
        "timestamp": rfc3339(action.time_ms),
        "action": kinds[action.kind] or None,
        "weight": action.weight,
        "similarity": action.similarity,
        "decayed_weight": action.decayed_weight,
        "contribution": action.contribution,
    }


def similarities_answer(record: UserRecord, found: Explanation, vocabulary: Vocabulary) -> list[Answer]:
    """Return a user's interests by similarity to an item, nearest first."""
    medoids, total = vocabulary.ids_of(record.medoid_rows), float(record.importances.sum()) or 1.0
    return [
        {"medoid_item_id": medoids[k], "similarity": score, "share": float(record.importances[k]) / total}
        for k, score in zip(found.interests.tolist(), found.similarities.tolist(), strict=True)
    ]


def interests_table(answer: Answer, vocabulary: Vocabulary) -> pa.Table:
    """Return :func:`interests_answer` as an Arrow table with real times."""
    item, moment = _item_type(vocabulary), pa.timestamp("ms", tz="UTC")
    schema = pa.schema(
        [
            ("medoid_item_id", item),
            ("importance", pa.float64()),
            ("share", pa.float64()),
            ("n_actions", pa.int64()),
            ("newest_action", moment),
            ("oldest_action", moment),
            ("item_ids", pa.list_(item)),
        ]
    )
    times = ("newest_action", "oldest_action")
    rows = [row | {name: to_ms(row[name]) for name in times} for row in answer["interests"]]
    return pa.Table.from_pylist(rows, schema=schema)


def recommend_table(answer: Answer, vocabulary: Vocabulary) -> pa.Table:
    """Return :func:`recommend_answer` as an Arrow table."""
    item = _item_type(vocabulary)
    schema = [("rank", pa.int64()), ("item_id", item), ("score", pa.float64()), ("interest", item)]
    return pa.Table.from_pylist(answer["items"], schema=pa.schema(schema))


def similar_table(answer: Answer, vocabulary: Vocabulary) -> pa.Table:
    """Return :func:`similar_answer` as an Arrow table."""
    schema = [("rank", pa.int64()), ("item_id", _item_type(vocabulary)), ("score", pa.float64())]
    return pa.Table.from_pylist(answer["neighbors"], schema=pa.schema(schema))


def counterfactual_table(answer: Answer, vocabulary: Vocabulary) -> pa.Table:
    """Return the interests of a counterfactual answer as an Arrow table."""
    item = _item_type(vocabulary)
    schema = pa.schema(
        [
            ("medoid_item_id", item),
            ("share", pa.float64()),
            ("n_gone", pa.int64()),
            ("gone", pa.list_(item)),
            ("come", pa.list_(item)),
        ]
    )
    rows = [row | {"n_gone": len(row["gone"])} for row in answer["interests"]]
    return pa.Table.from_pylist(rows, schema=schema)


def _item_type(vocabulary: Vocabulary) -> pa.DataType:
    return pa.int64() if vocabulary.kind == "integer" else pa.string()
