from __future__ import annotations

import threading

from pinnersage.store._gate import Gate


def test_many_are_inside_together_and_one_alone() -> None:
    gate = Gate()
    together = threading.Barrier(4)
    inside: list[str] = []
    overlaps: list[list[str]] = []

    def share(name: str) -> None:
        with gate.shared:
            together.wait(60)  # passes only if all four are inside at once
        for _ in range(200):
            with gate.shared:
                inside.append(name)
                inside.remove(name)

    def alone() -> None:
        for _ in range(200):
            with gate.exclusive():
                if inside:
                    overlaps.append(list(inside))

    threads = [threading.Thread(target=share, args=(f"reader {n}",)) for n in range(4)]
    threads += [threading.Thread(target=alone) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert overlaps == []
