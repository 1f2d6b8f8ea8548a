"""What bodies must be: JSON in UTF-8, not compressed."""

from __future__ import annotations

import re

_CHARSET = re.compile(r"charset\s*=\s*\"?([^\";\s]*)")
_UTF_8 = ("utf-8", "utf8", "us-ascii")


def content_fault(headers: dict[bytes, bytes]) -> str | None:
    """Return why a body with these headers is not read, None if it may be.

    Examples
    --------
    >>> content_fault({b"content-type": b"application/json"})
    >>> content_fault({b"content-type": b"application/json", b"content-encoding": b"gzip"})
    'expected a body without Content-Encoding, got gzip: send it uncompressed'
    >>> content_fault({b"content-type": b"application/json; charset=latin-1"})
    'expected a body in UTF-8, got Content-Type with charset latin-1'
    """
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
    if encoding not in ("identity", ""):
        return f"expected a body without Content-Encoding, got {encoding}: send it uncompressed"
    kind, _, more = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    if not _is_json(kind.strip(), headers):
        return "expected a body of Content-Type application/json"
    charset = _CHARSET.search(more)
    if charset and charset[1] not in _UTF_8:
        return f"expected a body in UTF-8, got Content-Type with charset {charset[1]}"
    return None


def _is_json(kind: str, headers: dict[bytes, bytes]) -> bool:
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return True
    return not kind and headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers
