"""The collector of a process that serves has nothing to do with what stays."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.serving.conftest import build_model

SERVED = """
import asyncio, gc, json, sys
from pathlib import Path

from tests.serving.conftest import build_model
from pinnersage.cli.serving import ServedModel
from pinnersage.serving.settings import ServiceSettings

before = gc.get_threshold()
app = ServedModel(Path(sys.argv[1]), ServiceSettings(), None, None, "error", False).create()

async def started():
    async with app.lifespan():
        kept = app.state.service.backend
        gc.collect()
        return {
            "n_seen": len(gc.get_objects()), "n_spared": gc.get_freeze_count(),
            "is_model_seen": any(one is kept for one in gc.get_objects()),
            "is_rarer": all(new > old for new, old in zip(gc.get_threshold(), before)),
        }

print(json.dumps(asyncio.run(started())))
"""


def test_what_is_there_when_serving_begins_is_spared(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SERVED, str(build_model(tmp_path / "model"))],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ran.stdout)
    assert found["n_spared"] > 10 * found["n_seen"]
    assert not found["is_model_seen"]
    assert found["is_rarer"]
