"""Small parts by themselves: errors to statuses, rates, settings, the file of keys."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import patch

import pytest
import structlog

from pinnersage import errors
from pinnersage.serving import service
from pinnersage.serving.keys import KeyRing, add_key, read_keys, remove_key
from pinnersage.serving.metrics_folder import metrics_folder
from pinnersage.serving.problems import RequestError, status_of
from pinnersage.serving.rates import RateLimit
from pinnersage.serving.service import Service
from pinnersage.serving.settings import ServiceSettings


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UsageError, 400), (errors.DataError, 422), (errors.SchemaError, 422),
        (errors.BadRowsError, 422),
        (errors.StoredFormatError, 503), (errors.UserNotFoundError, 404), (errors.ItemNotFoundError, 404),
        (errors.ModelNotFoundError, 404), (errors.UnavailableError, 503), (errors.StorageFullError, 503),
        (errors.PinnerSageError, 500),
    ],
)  # fmt: skip
def test_every_error_has_its_status(error: type[errors.PinnerSageError], status: int) -> None:
    assert status_of(error("x")) == status
    assert status_of(RequestError("x", status=418)) == 418


def test_a_rate_is_a_steady_rate_with_a_burst() -> None:
    limit = RateLimit(4)
    assert [limit.allows("a", 0) for _ in range(5)] == [True] * 4 + [False]
    assert limit.allows("b", 0)
    assert [limit.allows("a", 0.5) for _ in range(3)] == [True] * 2 + [False]
    assert [limit.allows("a", 100) for _ in range(5)] == [True] * 4 + [False]
    assert all(RateLimit(0).allows("a", 0) for _ in range(9))


def test_rates_of_many_clients_take_bounded_room() -> None:
    limit = RateLimit(1)
    for number in range(30_000):
        limit.allows(str(number), 0)
    assert len(limit._buckets) <= 10_000


def test_settings_are_positive() -> None:
    assert ServiceSettings(rate_per_s=0).rate_per_s == 0
    for wrong in ({"max_k": 0}, {"read_timeout_s": -1.0}, {"rate_per_s": -1.0}, {"n_threads": 0}):
        with pytest.raises(errors.UsageError, match=next(iter(wrong))):
            ServiceSettings(**wrong)


def test_keys_are_found_by_the_whole_key_only(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key = add_key(file, "a", ["read", "write"], "t")
    other = add_key(file, "b", ["admin"], "t")
    ring = KeyRing(file)
    found = ring.find(key)
    assert found is not None
    assert [found.allows(scope) for scope in ("read", "write", "admin")] == [True, True, False]
    admin = ring.find(other)
    assert admin is not None
    assert all(admin.allows(scope) for scope in ("read", "write", "admin"))
    mixed = key.rpartition("_")[0] + "_" + other.split("_", 2)[2]
    for wrong in (
        "",
        "ps",
        "ps__",
        key[:-1],
        key + "x",
        mixed,
        key.upper(),
        "\udc80",
        key.replace("ps", "PS"),
    ):
        assert ring.find(wrong) is None


def test_names_and_scopes_of_keys_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    add_key(file, "a", ["read"], "t")
    wrong: list[tuple[str, list[str], str]] = [
        ("a", ["read"], "no other key"), ("", ["read"], "name"), ("b", ["all"], "all"), ("b", [], "none"),
    ]  # fmt: skip
    for name, scopes, message in wrong:
        with pytest.raises(errors.UsageError, match=message):
            add_key(file, name, scopes, "t")
    with pytest.raises(errors.NotFoundError, match="no key is named"):
        remove_key(file, "b")
    with pytest.raises(errors.NotFoundError, match="pinnersage keys add"):
        read_keys(tmp_path / "none.json")
    for damaged in (b"", b"{}", b'{"version": 9, "keys": []}', b"\xff"):
        file.write_bytes(damaged)
        with pytest.raises(errors.StoredFormatError):
            read_keys(file)
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_a_file_of_keys_keeps_its_owner_and_its_rights(tmp_path: Path) -> None:
    """Root adds a key, and the service reads the file as another user."""
    file = tmp_path / "keys.json"
    add_key(file, "a", ["read"], "t")
    assert file.stat().st_mode & 0o777 == 0o600
    is_root = os.getuid() == 0
    if is_root:
        os.chown(file, 12_345, 23_456)
    file.chmod(0o640)
    add_key(file, "b", ["read"], "t")
    remove_key(file, "a")
    status = file.stat()
    assert status.st_mode & 0o777 == 0o640
    assert (status.st_uid, status.st_gid) == ((12_345, 23_456) if is_root else (os.getuid(), status.st_gid))
    assert [key.name for key in read_keys(file)] == ["b"]


def test_keys_that_may_not_be_read_are_not_called_damaged(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    add_key(file, "a", ["read"], "t")
    with (
        patch.object(Path, "read_bytes", side_effect=PermissionError(13, "Permission denied")),
        pytest.raises(errors.UnavailableError, match="may not be read"),
    ):
        read_keys(file)


def test_several_workers_need_a_place_for_their_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)
    with pytest.raises(errors.UnavailableError, match="TMPDIR"), metrics_folder():
        pass


@pytest.mark.parametrize("cold", [True, False])
def test_the_log_tells_why_the_first_start_takes_long(cold: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed = []

    async def look(work: Callable[[], None]) -> None:
        work()

    waiting = SimpleNamespace(_look=look, backend=SimpleNamespace(rehearse=lambda: rehearsed.append(True)))
    told: list[str] = []
    monkeypatch.setattr(service, "when_compiling", lambda tell: tell() if cold else None)
    monkeypatch.setattr(structlog, "get_logger", lambda: SimpleNamespace(info=told.append))
    asyncio.run(Service._rehearse(cast(Service, waiting)))
    assert ["compiling kernels" in line for line in told] == cold * [True]
    assert rehearsed
