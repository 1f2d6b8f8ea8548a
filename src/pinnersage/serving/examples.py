"""Examples for the OpenAPI document; a test sends every one of them."""

from __future__ import annotations

from typing import Any

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
}
ITEM: dict[str, Any] = {"an item": {"embedding": [0.12, -0.4, 0.9], "title": "Teapot", "category": "kitchen"}}
PREFERENCE: dict[str, Any] = {"mute": {"preference": "muted"}, "pin": {"preference": "pinned"}}
