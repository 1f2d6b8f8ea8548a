"""The page as a plugin of the application."""

from __future__ import annotations

from collections.abc import Iterable

from litestar.config.app import AppConfig
from litestar.plugins import InitPlugin

from pinnersage.serving.origins import checked_origin
from pinnersage.serving.page.doing import DOING
from pinnersage.serving.page.door import as_page, cookie_middleware
from pinnersage.serving.page.reading import READING
from pinnersage.serving.page.rendering import Pages


class Page(InitPlugin):
    """Adds the page: its routes, the cookie that keeps a key, and refusals that people can read.

    Parameters
    ----------
    picture_origins
        Other origins that pictures of items may be loaded from, such as ``https://img.example.org``. None
        by default: nothing is asked of other hosts then.

    Raises
    ------
    UsageError
        An origin is not one.
    """

    def __init__(self, picture_origins: Iterable[str] = ()) -> None:
        self.picture_origins = tuple(map(checked_origin, picture_origins))
        self.pages = Pages(self.picture_origins)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the page to an application that is being made."""
        app_config.route_handlers = [*app_config.route_handlers, *READING, *DOING]
        app_config.middleware = [cookie_middleware, *app_config.middleware]
        app_config.exception_handlers = {
            kind: as_page(self.pages, handler) for kind, handler in app_config.exception_handlers.items()
        }
        app_config.state["page"] = self
        return app_config
