from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from unittest.mock import patch

import pytest

from pinnersage.errors import (
    BuildInProgressError,
    ModelNotFoundError,
    StoredFormatError,
    UnavailableError,
    UsageError,
)
from pinnersage.store.generations import GenerationDirectory
from pinnersage.store.manifest import read_manifest


def build(model: GenerationDirectory, content: str) -> Path:
    with model.begin() as staging:
        (staging.path / "items").mkdir()
        (staging.path / "items" / "content").write_text(content)
        return staging.publish({"content": content})


def content(model: GenerationDirectory) -> str:
    return (model.current() / "items" / "content").read_text()


def tree(path: Path) -> list[str]:
    return sorted(str(entry.relative_to(path)) for entry in path.rglob("*"))


def test_builds_land_one_after_the_other(tmp_path: Path) -> None:
    model = GenerationDirectory(tmp_path / "model")
    for number in range(1, 5):
        landed = build(model, f"build {number}")
        assert landed == model.current() == tmp_path / "model" / "generations" / f"{number:08d}"
        assert content(model) == f"build {number}"
        assert [path.name for path in model.list()] == [f"{n:08d}" for n in (number - 1, number) if n > 0]
    assert tree(tmp_path) == [
        "model",
        "model/.lock",
        "model/CURRENT",
        "model/generations",
        *sorted(
            f"model/generations/0000000{n}{rest}"
            for n in (3, 4)
            for rest in ("", "/items", "/items/content", "/manifest.json")
        ),
    ]


def test_nothing_is_seen_before_it_is_published(tmp_path: Path) -> None:
    model = GenerationDirectory(tmp_path / "model")
    with model.begin() as staging:
        assert not (tmp_path / "model").exists()
        staging.publish({})
    with model.begin() as staging:
        (staging.path / "half").touch()
        assert model.current().name == "00000001"
        assert [path.name for path in model.list()] == ["00000001"]


def test_the_manifest_says_what_and_when(tmp_path: Path) -> None:
    model = GenerationDirectory(tmp_path / "model")
    with model.begin() as staging:
        staging.publish({"n_users": 3, "kinds": ["gekauft", "geöffnet"]}, created_at_ms=86_400_000 + 1_500)
    manifest = read_manifest(model.current())
    assert manifest.pop("library_version")
    assert manifest == {
        "format_version": 1,
        "created_at": "1970-01-02T00:00:01.500Z",
        "n_users": 3,
        "kinds": ["gekauft", "geöffnet"],
    }


def test_the_library_fills_in_its_own_keys(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="created_at"),
        GenerationDirectory(tmp_path / "m").begin() as staging,
    ):
        staging.publish({"created_at": "today"})
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"format_version": "1"}', "\xff", "[" * 100_000, '{"format_version": true}'],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(StoredFormatError, match="manifest"):
        read_manifest(tmp_path)


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoredFormatError, match="missing"):
        read_manifest(tmp_path)


def test_a_newer_manifest_says_who_wrote_it(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format_version": 2, "library_version": "9.1"}))
    with pytest.raises(StoredFormatError, match=r"written by pinnersage 9\.1, this is .*upgrade"):
        read_manifest(tmp_path)


class ItFailsError(Exception):
    pass


def fail(model: GenerationDirectory) -> None:
    with model.begin() as staging:
        (staging.path / "half").touch()
        raise ItFailsError


@pytest.mark.parametrize("existing", [[], ["model"], ["model", "model/CURRENT"]])
def test_a_failed_build_leaves_nothing(tmp_path: Path, existing: list[str]) -> None:
    model = GenerationDirectory(tmp_path / "model")
    if "model" in existing:
        (tmp_path / "model").mkdir()
    if "model/CURRENT" in existing:
        build(model, "first")
    before = tree(tmp_path)
    with pytest.raises(ItFailsError):
        fail(model)
    assert tree(tmp_path) == before


def test_a_failed_first_build_removes_the_parents_it_made(tmp_path: Path) -> None:
    with pytest.raises(ItFailsError):
        fail(GenerationDirectory(tmp_path / "a" / "b" / "model"))
    assert tree(tmp_path) == []


def test_leaving_without_publishing_leaves_nothing(tmp_path: Path) -> None:
    with GenerationDirectory(tmp_path / "model").begin() as staging:
        (staging.path / "half").touch()
    assert tree(tmp_path) == []


def test_parents_are_made(tmp_path: Path) -> None:
    model = GenerationDirectory(tmp_path / "a" / "b" / "model")
    build(model, "first")
    assert content(model) == "first"
    assert tree(tmp_path / "a" / "b")[0] == "model"


def test_an_existing_empty_directory_is_built_into(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    inode = (tmp_path / "model").stat().st_ino
    model = GenerationDirectory(tmp_path / "model")
    build(model, "first")
    assert content(model) == "first"
    assert (tmp_path / "model").stat().st_ino == inode


def test_a_link_to_a_directory_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "model").symlink_to(tmp_path / "disk")
    model = GenerationDirectory(tmp_path / "model")
    build(model, "first")
    assert (tmp_path / "disk" / "CURRENT").exists()


def test_a_relative_path_is_one_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    build(GenerationDirectory("model"), "first")
    assert content(GenerationDirectory(tmp_path / "model")) == "first"


def test_other_peoples_directories_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match=r"thesis\.tex"), GenerationDirectory(tmp_path).begin():
        pytest.fail("the build began")
    assert tree(tmp_path) == ["thesis.tex"]


def test_a_file_is_not_built_into(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("precious")
    model = GenerationDirectory(tmp_path / "model")
    with pytest.raises(UsageError, match="file"), model.begin():
        pytest.fail("the build began")
    with pytest.raises(ModelNotFoundError):
        model.current()
    assert tree(tmp_path) == ["model"]


def test_below_a_file_nothing_is_built(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with (
        pytest.raises(UsageError, match=r"file is a file"),
        GenerationDirectory(tmp_path / "file/x/y").begin(),
    ):
        pytest.fail("the build began")
    assert tree(tmp_path) == ["file"]


@pytest.mark.parametrize("path", ["nowhere", ".", "nowhere/at/all"])
def test_where_nothing_was_built_the_command_is_named(tmp_path: Path, path: str) -> None:
    with pytest.raises(ModelNotFoundError, match="pinnersage build"):
        GenerationDirectory(tmp_path / path).current()


@pytest.mark.parametrize("damage", ["", "latest", "../../etc", "00000007", "\xff\xff"])
def test_a_damaged_pointer_is_refused(tmp_path: Path, damage: str) -> None:
    model = GenerationDirectory(tmp_path / "model")
    build(model, "first")
    (tmp_path / "model" / "CURRENT").write_bytes(damage.encode("latin-1"))
    with pytest.raises(StoredFormatError):
        model.current()


def test_two_builds_at_once(tmp_path: Path) -> None:
    model = GenerationDirectory(tmp_path / "model")
    for _ in range(2):
        with model.begin() as staging:
            with (
                pytest.raises(BuildInProgressError, match="wait"),
                GenerationDirectory(tmp_path / "model").begin(),
            ):
                pytest.fail("the second build began")
            if model.list():
                with pytest.raises(BuildInProgressError):
                    model.rollback()
            staging.publish({})
    assert [path.name for path in model.list()] == ["00000001", "00000002"]


def test_rollback(tmp_path: Path) -> None:
    model = GenerationDirectory(tmp_path / "model", keep=3)
    for number in (1, 2, 3):
        build(model, f"build {number}")
    assert model.rollback().name == "00000002"
    assert content(model) == "build 2"
    assert model.rollback().name == "00000001"
    with pytest.raises(ModelNotFoundError, match="older than 00000001"):
        model.rollback()
    assert model.rollback(to="00000003").name == "00000003"
    for unknown in ("00000009", "nonsense"):
        with pytest.raises(ModelNotFoundError, match=unknown):
            model.rollback(to=unknown)
    assert content(model) == "build 3"


def test_a_build_after_a_rollback_keeps_what_was_served(tmp_path: Path) -> None:
    model = GenerationDirectory(tmp_path / "model")
    for number in (1, 2):
        build(model, f"build {number}")
    model.rollback()
    build(model, "build 3")
    assert [path.name for path in model.list()] == ["00000001", "00000003"]
    assert content(model) == "build 3"


def test_keeping_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keep=0"):
        GenerationDirectory(tmp_path, keep=0)


def test_readers_always_open_a_whole_generation(tmp_path: Path) -> None:
    """A thread publishes as fast as it can while this one opens; with keep=1 old files go at once."""
    model = GenerationDirectory(tmp_path / "model", keep=1)
    build(model, "0")
    stop = threading.Event()

    def publish() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            build(model, str(number))

    def open_all(generation: Path) -> tuple[str, str]:
        written = (generation / "items" / "content").read_text()
        return written, read_manifest(generation)["content"]

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        opened: set[tuple[str, str]] = set()
        while len(opened) < 10:
            opened.add(model.read(open_all))
    finally:
        stop.set()
        thread.join()
    assert all(a == b for a, b in opened)


def test_an_error_that_no_build_explains_is_raised(tmp_path: Path) -> None:
    model = GenerationDirectory(tmp_path / "model")
    build(model, "first")
    with pytest.raises(FileNotFoundError):
        model.read(lambda generation: (generation / "missing").read_text())


def test_a_directory_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    """Root may write everywhere, so the answer of the system is put in its place."""
    refused = OSError(errno.EROFS, "Read-only file system")
    with (
        patch.object(os, "open", side_effect=refused),
        pytest.raises(UnavailableError, match="Read-only file system"),
        GenerationDirectory(tmp_path).begin(),
    ):
        pass
