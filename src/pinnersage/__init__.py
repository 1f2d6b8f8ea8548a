"""As many interests per user as their actions show, kept fresh, and recommendations from them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pinnersage.config import BuildConfig as BuildConfig
    from pinnersage.config import InterestConfig as InterestConfig
    from pinnersage.interests.single import Interest as Interest
    from pinnersage.interests.single import build_interests as build_interests
    from pinnersage.interests.ward import ward_clusters as ward_clusters
    from pinnersage.model import PinnerSage as PinnerSage
    from pinnersage.model.live import LiveModel as LiveModel
    from pinnersage.streaming.events import NewAction as NewAction

__version__ = "0.1.0"

_HOMES = {
    "BuildConfig": "pinnersage.config",
    "Interest": "pinnersage.interests.single",
    "InterestConfig": "pinnersage.config",
    "LiveModel": "pinnersage.model.live",
    "NewAction": "pinnersage.streaming.events",
    "PinnerSage": "pinnersage.model",
    "build_interests": "pinnersage.interests.single",
    "ward_clusters": "pinnersage.interests.ward",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the command line starts in a blink."""
    if name not in _HOMES:
        raise AttributeError(f"module 'pinnersage' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
