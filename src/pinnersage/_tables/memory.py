"""How much memory this process may have, where a container or a unit bounds it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

MB = 2**20
ENGINE_SHARE = 4
"""The table engine gets a part in so many: items, users and the libraries themselves are not in its count."""
_LEAST_MB, _ROOT = 64, Path("/")


def engine_limit_mb(wanted_mb: int, root: Path | None = None) -> int:
    """Return how much memory the table engine may take: as wanted, or less in a small container.

    Parameters
    ----------
    wanted_mb
        As configured.
    root
        Where the kernel's files are.
    """
    bound = container_limit_bytes(root)
    return wanted_mb if bound is None else min(wanted_mb, max(_LEAST_MB, bound // MB // ENGINE_SHARE))


def container_limit_bytes(root: Path | None = None) -> int | None:
    """Return the smallest bound of this process's control groups, of version 1 or 2; None without one."""
    found = [bound for path in _files(root or _ROOT) if (bound := _number(path)) is not None]
    return min(found, default=None)


def _files(root: Path) -> Iterator[Path]:
    mounted = root / "sys/fs/cgroup"
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in groups:
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        version_2 = (number, controllers) == ("0", "")
        if not (version_2 or "memory" in controllers.split(",")):
            continue
        name = "memory.max" if version_2 else "memory.limit_in_bytes"
        # Inside a container its own group is what is mounted, whatever it is called outside.
        places = [mounted, mounted / "unified"] if version_2 else [mounted / "memory"]
        inside = Path(group.lstrip("/"))
        for place in places:
            yield from (place / part / name for part in (inside, *inside.parents))


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
