"""What an evaluation tells people on the command line."""

from __future__ import annotations

from pinnersage.cli.evaluation_view import _arms_left_out


def test_arms_left_out_for_one_reason_stand_together_and_are_named_once() -> None:
    why = {"als": "not installed", "ease": "ease: too short a log", "item-item": "not installed"}
    assert _arms_left_out(why) == {"arms left out": "als, item-item (not installed); ease (too short a log)"}
    assert _arms_left_out({}) == {}
