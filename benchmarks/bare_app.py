"""The server of the service with nothing behind it: each request is read and answered, and that is all.

What it takes under the same load is what HTTP itself costs on this machine in this minute.
"""

from __future__ import annotations

import json
from typing import Any

from pinnersage.serving.running import bind, run_one

ANSWER = json.dumps({"results": [{"index": 0, "status": "accepted"}], "accepted": 1}).encode()
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(ANSWER)).encode()),
]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer anything with the same few bytes."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    bound = bind("127.0.0.1", 0)
    print(json.dumps({"url": f"http://127.0.0.1:{bound.getsockname()[1]}"}), flush=True)
    run_one(app, bound, 1.0)
