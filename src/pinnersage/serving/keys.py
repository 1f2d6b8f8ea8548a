"""API keys: made here, shown once, kept as hashes in a JSON file that running services read anew.

A key is ``ps_ID_SECRET``; the file holds the id, a name, scopes and the SHA-256 of the secret. The secret is
32 random bytes, so a plain hash is enough: there is nothing to guess. Scopes: ``read``, ``write``, and
``admin``, which includes both.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

import msgspec
import structlog

from pinnersage.errors import NotFoundError, StoredFormatError, UnavailableError, UsageError

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_VERSION = 1
_RELOAD_S = 1.0


class Key(msgspec.Struct, frozen=True):
    """One key as it is kept."""

    id: str
    name: str
    scopes: list[Scope]
    sha256: str
    created_at: str

    def allows(self, scope: Scope) -> bool:
        """Return whether the key opens a route of this scope."""
        return scope in self.scopes or "admin" in self.scopes


class _File(msgspec.Struct):
    version: int
    keys: list[Key]


def read_keys(path: Path) -> list[Key]:
    """Return the keys of a file.

    Raises
    ------
    NotFoundError
        There is no such file.
    StoredFormatError
        It is not a file of keys.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        raise NotFoundError(f"no file of keys at {path}; make one: pinnersage keys add {path} NAME") from None
    except PermissionError:
        raise UnavailableError(
            f"{path} may not be read by this user: give it to whom the service runs as"
        ) from None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoredFormatError(
            f"{path} is not a file of keys: {error}; restore it, or make it anew"
        ) from None
    if found.version != _VERSION:
        raise StoredFormatError(
            f"{path} has version {found.version}, expected {_VERSION}: upgrade pinnersage"
        )
    return found.keys


def add_key(path: Path, name: str, scopes: Iterable[str], created_at: str) -> str:
    """Add a key to a file, which is made if it is not there, and return the key; it cannot be read again.

    Raises
    ------
    UsageError
        The name is taken, or a scope does not exist.
    """
    chosen = [scope for scope in SCOPES if scope in set(scopes)]
    unknown = set(scopes) - set(SCOPES)
    if unknown or not chosen:
        raise UsageError(
            f"expected scopes of {', '.join(SCOPES)}, got {', '.join(sorted(unknown)) or 'none'}"
        )
    keys = read_keys(path) if path.exists() else []
    if not name or any(key.name == name for key in keys):
        raise UsageError(f"expected a name that no other key has, got {name!r}; remove that key first")
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    keys.append(Key(key_id, name, chosen, _sha256(secret), created_at))
    _write(path, keys)
    return f"ps_{key_id}_{secret}"


def remove_key(path: Path, name: str) -> None:
    """Remove a key; services that run refuse it within a second.

    Raises
    ------
    NotFoundError
        No key has this name.
    """
    keys = read_keys(path)
    left = [key for key in keys if key.name != name]
    if len(left) == len(keys):
        raise NotFoundError(f"no key is named {name!r} in {path}; see: pinnersage keys list {path}")
    _write(path, left)


class KeyRing:
    """The keys of a file, read anew when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked_s = time.monotonic()
        self._stamp = self._stamp_now()
        self._keys = _by_id(read_keys(path))

    def find(self, presented: str) -> Key | None:
        """Return the key that someone presented; None if there is none."""
        self._reload()
        prefix, _, rest = presented.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self._keys.get(key_id) if prefix == "ps" else None
        if key is None or not hmac.compare_digest(key.sha256, _sha256(secret)):
            return None
        return key

    def _reload(self) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s < _RELOAD_S:
            return
        self._looked_s = now_s
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = _by_id(read_keys(self._path))
        except NotFoundError:
            self._keys = {}
            structlog.get_logger().error("the file of keys is gone: no key is valid", path=str(self._path))
        except (StoredFormatError, UnavailableError) as error:
            structlog.get_logger().error("the file of keys is unusable: the old keys stay", detail=str(error))

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def _by_id(keys: Iterable[Key]) -> Mapping[str, Key]:
    return {key.id: key for key in keys}


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def _write(path: Path, keys: list[Key]) -> None:
    """Write the file whole or not at all; a new one is readable by its owner only.

    One that is there keeps owner and rights, also when root writes it: the service reads it as another user.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if path.exists():
                _take_over(descriptor, path.stat())
            file.write(msgspec.json.format(msgspec.json.encode(_File(_VERSION, keys)), indent=1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _take_over(descriptor: int, before: os.stat_result) -> None:
    """Give a file the owner that another has, where that is allowed, and its rights."""
    with suppress(PermissionError):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
