"""The client of the chaos test: it sends until it is answered, and keeps the ledger."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from copy import deepcopy

from chaos_world import DAY_MS, N_ITEMS, N_LATER, VECTORS, Events, Ledger, item_id
from chaos_writers import UnansweredError, Writer

from pinnersage.streaming.events import NewAction

_AT_ONCE = 200


class Client:
    """Sends events to whatever writer there is, and keeps the ledger."""

    def __init__(self, ledger: Ledger, events: Events, rng: random.Random) -> None:
        self.ledger, self._events, self._rng = ledger, events, rng
        self.waiting: list[NewAction] = []
        self._change: tuple[int, bool] | None = None
        self.outcomes: Counter[str] = Counter()
        self.failure: AssertionError | None = None
        self.enough = threading.Event()

    def send_while(self, writer: Writer, n_batches: int, pause_s: float = 0.0) -> threading.Thread:
        """Send batches from a thread, until no answer comes, or ``enough`` is set."""
        self.enough.clear()
        thread = threading.Thread(target=self._send, args=(writer, n_batches, pause_s))
        thread.start()
        return thread

    def _send(self, writer: Writer, n_batches: int, pause_s: float) -> None:
        for _ in range(n_batches):
            if self.enough.wait(pause_s * self._rng.random()):
                return
            self.waiting += self._events.some(self._rng.choice((1, 3, 10, 40)))
            if self._change is None and self._rng.random() < 0.15:
                self._change = (self._rng.randrange(N_ITEMS + N_LATER), self._rng.random() < 0.7)
            try:
                self.drain(writer)
            except UnansweredError:
                return
            except AssertionError as error:
                self.failure = error
                return

    def possible(self) -> list[Ledger]:
        """Return the ledger, and what it is if what is sent and not answered has been taken in.

        One request is one commit: it is there as a whole or not at all.
        """
        without, taken = deepcopy(self.ledger), deepcopy(self.ledger)
        if self._change is not None:
            number, is_put = self._change
            (taken.catalogue.add if is_put else taken.catalogue.discard)(number)
        else:
            latest_ms = time.time_ns() // 1_000_000 + DAY_MS
            taken.acked += [a for a in self.waiting[:_AT_ONCE] if a.time_ms < latest_ms]
        return [without, taken]

    def drain(self, writer: Writer) -> None:
        """Send what has no answer yet."""
        if self._change is not None:
            number, is_put = self._change
            if is_put:
                writer.put(item_id(number), VECTORS[number].tolist())
                self.ledger.catalogue.add(number)
            else:
                writer.delete(item_id(number))
                self.ledger.catalogue.discard(number)
            self._change = None
        later: list[NewAction] = []
        while self.waiting:
            batch = self.waiting[:_AT_ONCE]
            for action, (status, reason) in zip(batch, writer.actions(batch), strict=True):
                self.outcomes[status] += 1
                if status != "rejected":
                    self.ledger.acked.append(action)
                elif action.time_ms < time.time_ns() // 1_000_000 + DAY_MS:
                    if "time_in_future" not in str(reason):
                        raise AssertionError(f"{action}: rejected, {reason}")
                    later.append(action)
            self.waiting = self.waiting[_AT_ONCE:]
        self.waiting = later
