"""One made world for the tests of the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.serving.page.world import build_world


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the world's model."""
    return build_world(tmp_path_factory.mktemp("world") / "model")
