"""Where things are on the page; ids in paths are escaped, so that any id can stand there."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from pinnersage._ids import ItemId, UserId


def user_link(user_id: UserId, **query: object) -> str:
    """Return where a user is shown.

    Examples
    --------
    >>> user_link("a/b c", mode="balanced")
    '/users/a%2Fb%20c?mode=balanced'
    """
    return _with_query(f"/users/{quote(str(user_id), safe='')}", query)


def item_link(item_id: ItemId, **query: object) -> str:
    """Return where an item is shown.

    Examples
    --------
    >>> item_link(7, user="zoë")
    '/items/7?user=zo%C3%AB'
    """
    return _with_query(f"/items/{quote(str(item_id), safe='')}", query)


def session_link(item_ids: Iterable[ItemId]) -> str:
    """Return where a session with these items is shown.

    Examples
    --------
    >>> session_link(["a", "b&c"])
    '/session?item=a&item=b%26c'
    """
    return _with_query("/session", {"item": list(item_ids)})


def is_inside(link: str) -> bool:
    r"""Return whether a link leads to a place on this host.

    Examples
    --------
    >>> [is_inside(link) for link in ("/users/a", "//evil.example", "/\\evil.example", "https://a.example")]
    [True, False, False, False]
    """
    return link.startswith("/") and not link.startswith(("//", "/\\")) and link.isprintable()


def _with_query(path: str, query: dict[str, object]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path
