"""The page that the service serves: what is known of a user, and what is recommended, for people to see.

Written on the server, readable without a script; a script of this package makes it quick. Nothing is asked
of any other host. :class:`~pinnersage.serving.page.plugin.Page` adds it to the application.
"""

from __future__ import annotations

from pinnersage.serving.page.plugin import Page

__all__ = ["Page"]
