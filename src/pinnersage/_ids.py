"""External ids and internal row numbers are different types."""

from __future__ import annotations

from typing import NewType

UserId = str | int
ItemId = str | int
ItemRow = NewType("ItemRow", int)
