"""Users in these tests are small: what is known of their clusters is kept nevertheless."""

from __future__ import annotations

from tests.interests.keeping import keeping

__all__ = ["keeping"]
