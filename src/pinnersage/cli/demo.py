"""The verb ``demo``."""

from pinnersage.cli import options


def demo(as_json: options.AsJson = False) -> None:
    """Show."""
