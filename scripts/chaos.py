"""Chaos test: faults at random points under a client that knows what was acknowledged.

    python scripts/chaos.py --rounds 200 --seed 1 --save     writes benchmarks/results/chaos.json
    python scripts/chaos.py --rounds 3 --faults kill build --service-share 0     a quick look

Each round sends events to a writer - the real service, or a forked process on LiveModel - while one fault
strikes. Then what got no answer is sent again, as clients do, and every record is compared, in ids and
names, with a fresh batch over everything that was acknowledged. The faults:

kill           kill -9 of the writer
storm          several kills in a row, some before it is ready
build          a batch lands while events flow
kill-build     kill -9 of a build at a random point, events flow on
kill-both      both at once
clock-back     the writer's clock is an hour slow: what happens now is taken all the same
disk-full      the writer's files may not grow any more; then they may
gone           the model's directory is moved away while the service runs; then back
power-cut      the writer is frozen at a random point and the directory copied as it is; then what was not
               on the disk for certain is dropped or garbled: pages behind the last commit, and the last
               commit of the store. The copy must hold all that was acknowledged before, and of the
               request under way all or nothing
torn           the same copy, its files cut short or garbled in use: right answers, or a refusal

Writers keep the clusters that an action cannot have changed for these small users, too, as they do for
large ones; the batch that records are compared with clusters everything.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from chaos_faults import Chaos
from chaos_world import FIGURES

from pinnersage.interests.clustering import known_clusters_kept

FAULTS = (
    "kill", "storm", "build", "kill-build", "kill-both", "clock-back", "disk-full", "gone", "power-cut",
    "torn",
)  # fmt: skip
RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "chaos.json"


def run(
    rounds: int, seed: int, faults: list[str], service_share: float, scratch: str | None
) -> dict[str, Any]:
    """Go through the rounds, every fault in turn in a shuffled order; stop at the first round that fails."""
    rng, sums, by_fault = random.Random(seed), Counter[str](), Counter[str]()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pinnersage-chaos-", dir=scratch) as folder:
        chaos = Chaos(Path(folder), seed, service_share)
        order: list[str] = []
        for number in range(rounds):
            order = order or rng.sample(faults, len(faults))
            fault = order.pop()
            found = chaos.round(fault)
            by_fault[fault] += 1
            sums.update({name: found[name] for name in FIGURES})
            line = {name: found[name] for name in (*FIGURES, "n_acked")}
            print(json.dumps({"round": number + 1, "fault": fault} | line), file=sys.stderr, flush=True)
            if any(found[name] for name in FIGURES):
                print(json.dumps([found["verify"], found["examples"]], default=str), file=sys.stderr)
                shutil.copytree(chaos.home, Path(tempfile.mkdtemp(prefix="chaos-kept-")) / "model")
                break
        finished = {
            "seed": seed, "acked": len(chaos.ledger.acked), "outcomes": dict(chaos.client.outcomes),
            **dict(sorted(chaos.counts.items())),
        }  # fmt: skip
    return {
        **finished,
        **{name: sums[name] for name in FIGURES},
        "rounds_by_fault": dict(sorted(by_fault.items())),
        "wall_s": round(time.monotonic() - started),
        "command": f"python scripts/chaos.py --rounds {rounds} --seed {seed} --service-share {service_share}",
    }


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument(
        "--service-share", type=float, default=0.25, help="of the rounds, on the real service"
    )
    parser.add_argument("--scratch", help="directory to work in")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/chaos.json")
    arguments = parser.parse_args()
    with known_clusters_kept():
        result = run(
            arguments.rounds, arguments.seed, arguments.faults, arguments.service_share, arguments.scratch
        )
    print(json.dumps(result, indent=2))
    if arguments.save:
        RESULT.write_text(json.dumps(result, indent=2) + "\n")
    return int(any(result[name] for name in FIGURES))


if __name__ == "__main__":
    sys.exit(main())
