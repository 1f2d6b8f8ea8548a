"""`serve --config`: lists drawn as a file says, over a model that was built otherwise."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.serving.conftest import Serve, action_table, build_model, item_table

from pinnersage import PinnerSage
from pinnersage.cli.served_settings import served_retrieval
from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError
from pinnersage.evaluation.tuning.toml_text import toml_text
from pinnersage.model.live import LiveModel

ONE = {"mode": "budgeted", "n_budgeted_interests": 1}


def interests_of(client: httpx.Client, **asked: str | int) -> set[str]:
    """Return the interests that a list comes from; user u1 has two."""
    found = client.get("/v1/users/u1/recommendations", params={"k": 12, **asked})
    assert found.status_code == 200, found.text
    return {item["interest"] for item in found.json()["items"]}


@pytest.fixture
def tuned(tmp_path: Path) -> Path:
    file = tmp_path / "tuned.toml"
    config = BuildConfig.model_validate({"retrieval": ONE, "imports": {"max_bad_share": 0.5}})
    file.write_text(toml_text(config, ["As `tune` writes it."]), encoding="utf-8")
    return file


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_server_draws_as_its_file_says(serve: Serve, tuned: Path, n_workers: int) -> None:
    server = serve("--config", tuned, "--workers", n_workers)
    for _ in range(4 * n_workers):
        with httpx.Client(base_url=server.url, timeout=30) as client:  # Of whichever worker takes it.
            assert len(interests_of(client)) == 1
            assert len(interests_of(client, interests=2)) == 2
            assert len(interests_of(client, mode="balanced")) == 2
    plain = serve(directory=server.directory)
    assert len(interests_of(plain.client)) == 2


def test_it_holds_for_builds_that_land_later(tmp_path: Path) -> None:
    home = build_model(tmp_path / "model")
    with LiveModel.open(home, swaps_warm=True, retrieval=ONE) as live:
        before = live.generation
        PinnerSage.build(item_table(), action_table(), path=home, mode="balanced").close()
        assert live.refresh()
        assert live.generation != before
        assert live.config.retrieval.mode == "budgeted"
        assert len({item["interest"] for item in live.recommend("u1", 12)["items"]}) == 1
    with LiveModel.open(home) as live:
        assert live.config.retrieval.mode == "balanced"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("settings") / "model")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[interests]\ndecay_per_day = 0.5\n", "interests.decay_per_day 0.5 (the model has 0.01)"),
        ("[ranking]\nfit_ranker = true\n", "ranking.fit_ranker True (the model has False)"),
        ('[imports]\ndtype = "float16"\n', "imports.dtype 'float16'"),
        ('[retrieval]\nmode = "ranked"\n', "has no ranker; build it with --ranker"),
        ("[retrieval]\nn_interests = 0\n", "retrieval.n_interests"),
        ("[retrieval]\nn_interest = 5\n", "did you mean retrieval.n_interests"),
    ],
)
def test_what_needs_a_build_is_refused(home: Path, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "other.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        served_retrieval(home, file)
    assert message in str(caught.value)


def test_the_environment_goes_before_the_file_and_equal_settings_pass(
    home: Path, tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served_retrieval(home, None) == {}
    assert served_retrieval(home, tuned) == ONE
    monkeypatch.setenv("PINNERSAGE_RETRIEVAL__N_BUDGETED_INTERESTS", "7")
    monkeypatch.setenv("PINNERSAGE_INTERESTS__DECAY_PER_DAY", "0.01")
    assert served_retrieval(home, tuned) == ONE | {"n_budgeted_interests": 7}
    assert served_retrieval(home, None) == {"n_budgeted_interests": 7}
    monkeypatch.setenv("PINNERSAGE_INTERESTS__DECAY_PER_DAY", "0.5")
    with pytest.raises(UsageError, match="build again"):
        served_retrieval(home, None)
