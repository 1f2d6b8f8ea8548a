"""Examples for the OpenAPI document.

Tests send every body, and hold the answers against their schemas and against what a service really answers.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pinnersage.serving.problems import MAY_BE_TAKEN, code_of

ACTIONS: dict[str, Any] = {
    "one action": {
        "actions": [
            {
                "user_id": "u42",
                "item_id": "i7",
                "timestamp": "2026-11-24T18:30:00Z",
                "action": "buy",
                "event_id": "e1",
            }
        ]
    },
    "two, one of them taken back": {
        "actions": [
            {"user_id": "u42", "item_id": "i7", "timestamp": 1_795_545_000_000, "weight": 2},
            {"user_id": "u42", "item_id": "i9", "timestamp": "2026-11-24T18:29:10+01:00", "retract": True},
        ]
    },
}
RECOMMENDATIONS: dict[str, Any] = {
    "an anonymous session": {"actions": [{"item_id": "i7"}, {"item_id": "i9", "action": "view"}], "k": 20},
    "several users": {"user_ids": ["u1", "u2"], "k": 20, "mode": "budgeted"},
    "some items only": {"user_ids": ["u1"], "exclude": ["i7"], "where": {"category": ["kitchen"]}},
}
ITEM: dict[str, Any] = {"an item": {"embedding": [0.12, -0.4, 0.9], "title": "Teapot", "category": "kitchen"}}
PREFERENCE: dict[str, Any] = {"mute": {"preference": "muted"}, "pin": {"preference": "pinned"}}

_LIST: dict[str, Any] = {
    "user_id": "u42",
    "items": [
        {"rank": 1, "item_id": "i12", "score": 0.93, "interest": "i7"},
        {"rank": 2, "item_id": "i31", "score": 0.88, "interest": "i30"},
    ],
    "request_id": "3f0f1c5f0a6f4b0e8a5f0f0f1c5f0a6f",
}
_POPULAR: dict[str, Any] = _LIST | {
    "user_id": "u99",
    "items": [{"rank": 1, "item_id": "i3", "score": 412.0, "interest": None}],
    "popular": True,
}
_INTEREST: dict[str, Any] = {
    "medoid_item_id": "i7",
    "importance": 3.2,
    "share": 0.8,
    "n_actions": 4,
    "newest_action": "2026-11-24T18:30:00Z",
    "oldest_action": "2026-10-02T07:11:43.250Z",
    "item_ids": ["i7", "i9"],
    "preference": None,
}
_ACTION: dict[str, Any] = {
    "item_id": "i7",
    "timestamp": "2026-11-24T18:30:00Z",
    "action": "buy",
    "weight": 1.0,
}
_ENTRY = {"event_key": "00d1c5f0a6f4b0e8", "retracted": False, "received_at": "2026-11-24T18:30:01.070Z"}
_REFUSED: dict[str, Any] = {
    "results": [
        {
            "status": "rejected",
            "reason": "weight_negative",
            "field": "weight",
            "message": "expected a weight of 0 or more",
        }
    ],
    "n_accepted": 0,
    "n_duplicate": 0,
    "n_parked": 0,
    "n_rejected": 1,
}
_TOO_MANY: dict[str, Any] = _REFUSED | {
    "results": [
        {
            "status": "rejected",
            "reason": "too_many_parked",
            "field": "item_id",
            "message": "too many actions wait for unknown items: put the items, or send this again later",
        }
    ]
}
ANSWERS: dict[str, dict[str, Any]] = {
    "add_actions": {
        "taken": {
            "results": [{"status": "accepted"}, {"status": "parked", "reason": "unknown_item"}],
            "n_accepted": 1,
            "n_duplicate": 0,
            "n_parked": 1,
            "n_rejected": 0,
        }
    },
    "recommend": {"a known user": _LIST, "a user of whom nothing is known": _POPULAR},
    "recommend_many": {
        "an anonymous session": _LIST | {"user_id": None, "n_unknown_items": 1},
        "several users": {"answers": [_LIST, _POPULAR]},
    },
    "show_interests": {
        "interests": {"user_id": "u42", "as_of": "2026-11-24T18:30:00Z", "interests": [_INTEREST]}
    },
    "show_neighbors": {
        "neighbors": {"item_id": "i7", "neighbors": [{"rank": 1, "item_id": "i12", "score": 0.93}]}
    },
    "explain": {
        "a recommendable item": {
            "user_id": "u42",
            "item_id": "i12",
            "rank": 7,
            "score": 0.93,
            "interest": "i7",
            "rank_in_interest": 3,
            "n_offered": 200,
            "recommendable": True,
            "reasons": [],
            "seen": False,
            "available": True,
            "near_duplicate_of_seen": None,
            "near_duplicate_instead": None,
            "actions": [_ACTION | {"similarity": 0.93, "decayed_weight": 0.99, "contribution": 0.9207}],
            "interests": [{"medoid_item_id": "i7", "similarity": 0.93, "share": 0.8}],
        }
    },
    "set_preference": {"muted": {"user_id": "u42", "medoid_item_id": "i7", "preference": "muted"}},
    "forget_preference": {"neither": {"user_id": "u42", "medoid_item_id": "i7", "preference": None}},
    "show_item": {
        "an item": {
            "item_id": "i7",
            "embedding": [0.12, -0.4, 0.9],
            "available": True,
            "title": "Teapot",
            "category": "kitchen",
            "created_at": "2026-10-01T09:00:00Z",
        }
    },
    "put_item": {"a new item": {"item_id": "i99", "created": True, "n_applied": 2}},
    "delete_item": {"gone": {"item_id": "i7", "deleted": True}},
    "export_user": {
        "a user": {
            "user_id": "u42",
            "as_of": "2026-11-24T18:30:00Z",
            "interests": [_INTEREST],
            "actions": [_ACTION | {"event_key": None}],
            "seen_item_ids": ["i3"],
            "journal": [{"sequence": 17} | _ACTION | _ENTRY],
            "taken_back_in_log": [_ACTION | {"item_id": "i8", "event_key": None}],
            "preferences": {"i7": "muted"},
            "preference_item_ids": {"i7": ["i7", "i9"]},
        }
    },
    "erase_user": {
        "a receipt": {
            "user_id": "u42",
            "erased": True,
            "removed": [
                {
                    "generation": "00000001",
                    "n_actions": 90,
                    "n_interests": 6,
                    "n_seen_items": 12,
                    "n_log_retractions": 1,
                }
            ],
            "journal": {"n_entries": 4, "n_preferences": 1},
            "compacted": True,
        }
    },
    "live": {"live": {"status": "live"}},
    "ready": {"ready": {"status": "ready", "generation": "00000001"}},
    "metrics": {"one of them": "# TYPE pinnersage_queue_depth gauge\npinnersage_queue_depth 0.0\n"},
}
_DETAILS = {
    400: "expected no parameters, got durable",
    401: "this key is not valid",
    403: "this route needs the scope write, the key has read",
    404: "item 'i7': expected an item of the catalogue",
    408: "the body did not arrive within 10 s",
    413: "expected a body of at most 8,388,608 bytes (--max-body-mb): send it in parts",
    414: "expected a path of at most 16,384 bytes",
    415: "expected a body of Content-Type application/json",
    421: "this host name is not served; start with --allowed-host NAME",
    422: "embedding: expected 256 numbers, got 3",
    429: "more requests than your rate allows; come again in a second",
    503: f"no room is left on the disk; {MAY_BE_TAKEN}",
    504: f"no answer in time; {MAY_BE_TAKEN}",
}
_FIELDS = {400: "durable", 413: "body", 422: "embedding"}


def refusals_shown(status: int, operation: str) -> dict[str, Any]:
    """Return examples of a refusal, by name."""
    if operation == "add_actions" and status == 422:
        return {
            "refused": _of_actions(status, "no action of this request can be used; see results", _REFUSED)
        }
    detail, field = _DETAILS[status], _FIELDS.get(status)
    refused = _problem(status, detail, [{"field": field, "message": detail}] if field else [])
    if operation == "add_actions" and status == 503:
        later = "no action of this request was taken, some can be later; see results"
        return {"refused": refused, "too many wait": _of_actions(status, later, _TOO_MANY)}
    return {"refused": refused}


def _of_actions(status: int, detail: str, answer: dict[str, Any]) -> dict[str, Any]:
    (result,) = answer["results"]
    error = {"field": f"actions[0].{result['field']}", "message": result["message"]}
    return _problem(status, detail, [error]) | answer


def _problem(status: int, detail: str, errors: list[dict[str, str]]) -> dict[str, Any]:
    found = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": "item_not_found" if status == 404 else code_of(status),
        "instance": "urn:pinnersage:request:5f0c9d27a1b3e846",
    }
    return found | ({"errors": errors} if errors else {})
