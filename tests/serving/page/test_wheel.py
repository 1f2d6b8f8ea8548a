"""The page works from the wheel: all that it serves is in it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = "pinnersage/serving/page"
CODE = (".py", ".pyc", ".nbi", ".nbc")

# What the page finds beside its own code, wherever that is.
FOUND = """
import json
from pinnersage.serving.page import rendering

names = rendering.environment().list_templates()
for name in names:
    rendering.environment().get_template(name)
sizes = {name: len(rendering.asset(name).content) for name in rendering._ASSETS}
print(json.dumps({"code": rendering.__file__, "templates": names, "assets": sizes}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the unpacked wheel, built from this checkout without the network."""
    pytest.importorskip("hatchling", reason="needs the package hatchling, which builds the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    ran = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as file:
        file.extractall(folder / "unpacked")
    return folder / "unpacked"


def other_files(folder: Path) -> dict[str, bytes]:
    """Return the files of the page that are no code, by name."""
    paths = [path for path in (folder / PAGE).rglob("*") if path.is_file() and path.suffix not in CODE]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_wheel_holds_every_file_of_the_page(wheel: Path) -> None:
    expected = other_files(ROOT / "src")
    assert {Path(name).parent.name for name in expected} == {"assets", "templates"}
    assert other_files(wheel) == expected


def test_the_page_of_the_wheel_finds_its_templates_and_assets(wheel: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(wheel)!r})\n{FOUND}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert Path(found["code"]).is_relative_to(wheel)
    files = other_files(wheel)
    names = {folder: {Path(name).name for name in files if f"/{folder}/" in name}
             for folder in ("assets", "templates")}  # fmt: skip
    assert set(found["templates"]) == names["templates"]
    assert found["assets"] == {name: len(files[f"{PAGE}/assets/{name}"]) for name in names["assets"]}
