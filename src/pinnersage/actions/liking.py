"""What the weight of an action says: the one rule for all that count what users like."""

from __future__ import annotations

from pinnersage._arrays import Bools, Float32s


def likes(weights: Float32s) -> Bools:
    """Tell which actions speak for their items: those with a weight above 0, bool ``(n_actions,)``.

    An action of weight 0 tells that the user has seen the item. It stands in the user's record, and the
    item is not new to the user; but it gives no interest importance, no item popularity, nothing to learn
    from, and is nothing that a recommendation should have foreseen.
    """
    liked: Bools = weights > 0
    return liked
