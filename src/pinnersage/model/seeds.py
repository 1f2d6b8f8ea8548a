"""The seed of one user's draws."""

from __future__ import annotations

import hashlib

from pinnersage._ids import UserId


def seed_of(seed: int, user_id: UserId) -> int:
    """Mix the user into the seed: equal seeds must not draw alike for all users."""
    digest = hashlib.sha256(f"{seed}/{user_id}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little")
