"""The verbs ``serve`` and ``keys``, as processes."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
from tests.cli.conftest import Run


def test_listening_for_others_needs_keys(call: Run, built: Path, tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.7"):
        ran = call("serve", built, "--host", host, "--json")
        assert ran.code == 2
        assert "pinnersage keys add" in ran.error()["message"]
    ran = call("serve", built, "--host", "0.0.0.0", "--keys", tmp_path / "none.json")
    assert (ran.code, "no file of keys" in ran.err) == (4, True)


def test_settings_that_need_a_build_are_refused(call: Run, built: Path, tmp_path: Path) -> None:
    file = tmp_path / "tuned.toml"
    file.write_text("[interests]\nmax_merge_cost = 0.25\n", encoding="utf-8")
    ran = call("serve", built, "--config", file, "--json")
    assert ran.code == 2
    assert "pinnersage build --config" in ran.error()["message"]
    assert call("serve", built, "--config", tmp_path / "none.toml").code == 2
    assert call("serve", built, PINNERSAGE_INTERESTS__MAX_MERGE_COST="0.25").code == 2


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--port", "70000"), 2, "port"),
        (("--workers", "0"), 2, "workers"),
        (("--max-k", "0"), 2, "max-k"),
        (("--host", "not a host", "--keys", "KEYS"), 2, "address"),
        (("--durability", "perhaps"), 2, "durability"),
        (("--cors-origin", "*"), 2, "--cors-origin: expected an origin"),
        (("--picture-origin", "img.example.org"), 2, "--picture-origin: expected an origin"),
    ],
)
def test_wrong_options_are_usage_errors(
    call: Run, built: Path, tmp_path: Path, options: tuple[str, ...], code: int, message: str
) -> None:
    keys = tmp_path / "keys.json"
    assert call("keys", "add", keys, "a").code == 0
    ran = call("serve", built, *(str(keys) if option == "KEYS" else option for option in options))
    assert ran.code == code
    assert message in ran.err


def test_no_model_is_not_found(call: Run, tmp_path: Path) -> None:
    ran = call("serve", tmp_path / "none")
    assert ran.code == 4
    assert "pinnersage build" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_unavailable(call: Run, built: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = call("serve", built, "--port", taken.getsockname()[1])
    assert ran.code == 5
    assert "take another --port" in ran.err


def test_keys_are_made_listed_and_removed(call: Run, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    made = call("keys", "add", file, "shop", "--scope", "read", "--scope", "write", "--json").object()
    assert made["scopes"] == ["read", "write"]
    assert made["key"].startswith("ps_")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    plain = call("keys", "add", file, "root", "--scope", "admin")
    assert plain.out.startswith("ps_")
    assert plain.out.strip() not in file.read_text(encoding="utf-8")
    assert [k["name"] for k in call("keys", "list", file, "--json").objects()] == ["shop", "root"]
    assert "root" in call("keys", "list", file).out
    assert call("keys", "add", file, "shop").code == 2
    assert call("keys", "add", file, "x", "--scope", "everything").code == 2
    assert call("keys", "remove", file, "shop").code == 0
    assert call("keys", "remove", file, "shop").code == 4
    assert [k["name"] for k in call("keys", "list", file, "--json").objects()] == ["root"]


def test_a_service_without_its_packages_names_the_extra(
    call: Run, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "litestar", None)
    ran = call("serve", built)
    assert ran.code == 5
    assert "pip install '.[serve]'" in ran.err
