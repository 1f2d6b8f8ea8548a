"""What pages show, computed without a server: time lines, lists, pictures, quantiles."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnersage.serving.page.histograms import Histogram, Measured, added
from pinnersage.serving.page.lists import nearest_list, own_list
from pinnersage.serving.page.tiles import Tile, Tiles
from pinnersage.serving.page.timeline import ActionAt, timeline
from pinnersage.serving.page.user_view import varied_popular

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS


class Catalogue:
    """A backend that knows attributes and what is popular."""

    def __init__(self, infos: list[dict[str, Any]]) -> None:
        self.infos = {info["item_id"]: info for info in infos}

    def items_info(self, item_ids: list[str]) -> list[dict[str, Any]]:
        return [self.infos.get(item_id, {"item_id": item_id}) for item_id in item_ids]

    def popular(self, k: int) -> dict[str, Any]:
        return {"items": [{"item_id": item_id} for item_id in list(self.infos)[:k]]}


def tile(item_id: str) -> Tile:
    return Tile(item_id, item_id, "", None, "T", f"/items/{item_id}")


times = st.integers(0, 60 * YEAR_MS)


@given(st.lists(st.tuples(st.sampled_from("abcdx"), times), max_size=40), times, st.booleans())
def test_every_action_stands_in_its_lane_where_its_time_is(
    made: list[tuple[str, int]], as_of_ms: int, pictured: bool
) -> None:
    actions = [ActionAt(item, time_ms, "") for item, time_ms in made]
    has_picture = frozenset("abcd") if pictured else frozenset[str]()
    found = timeline([["a", "b"], ["c"], ["d"]], actions, as_of_ms, has_picture)
    for lane, items in zip(found.lanes, ("ab", "c", "d"), strict=True):
        assert sorted(dot.time_ms for dot in lane) == sorted(t for item, t in made if item in items)
        assert [dot.x for dot in lane] == sorted(dot.x for dot in lane)
        assert all(0 < dot.x < 100 for dot in lane)
        shown = [dot.x for dot in lane if dot.with_picture]
        assert all(b - a >= 9 for a, b in pairwise(shown))
        assert bool(shown) == (bool(lane) and pictured)
    assert len(found.ticks) <= 7
    assert [tick.x for tick in found.ticks] == sorted({tick.x for tick in found.ticks})
    assert found.last_ms >= as_of_ms


@pytest.mark.parametrize(
    ("span_days", "labels"),
    [
        (0.5, ["00:00", "03:00", "06:00", "09:00", "12:00"]),
        (6, ["1 Jan", "2 Jan", "3 Jan", "4 Jan", "5 Jan", "6 Jan", "7 Jan"]),
        (90, ["1 Jan", "1 Feb", "1 Mar", "1 Apr"]),
    ],
)
def test_ticks_are_round_moments(span_days: float, labels: list[str]) -> None:
    first_ms = 1_735_689_600_000  # 2025-01-01
    found = timeline([["a"]], [ActionAt("a", first_ms, "")], first_ms + round(span_days * DAY_MS))
    assert [tick.label for tick in found.ticks] == labels


def test_a_list_covers_the_interests_its_items_name_or_are_nearest_to() -> None:
    tiles: dict[str | int, Tile] = {item: tile(item) for item in "pqrs"}
    cosines: dict[str | int, list[float]] = {
        "p": [0.9, 0.1],
        "q": [0.2, 0.8],
        "r": [0.6, 0.5],
        "s": [0.3, 0.4],
    }
    items = [{"rank": n, "item_id": item, "interest": "m0"} for n, item in enumerate("qrs", 1)]
    own = own_list(items, {"m0": 0, "m1": 1}, cosines, tiles)
    assert own.covered == [0]
    assert own.similarity == 0.3  # the median of 0.2, 0.6, 0.3
    assert [entry.nearness for entry in own.entries] == ["far", "fair", "far"]
    nearest = nearest_list(items, 2, cosines, tiles)
    assert [entry.interest for entry in nearest.entries] == [1, 0, 1]
    assert nearest.covered == [0, 1]
    assert [cell.tile.item_id for cell in nearest.cells] == ["r", "q", "s"]
    unnamed = own_list([{"rank": 1, "item_id": "p", "interest": None}], {"m0": 0}, cosines, tiles)
    assert (unnamed.covered, unnamed.similarity) == ([], None)
    assert unnamed.of_interest(None)[0].tile.item_id == "p"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/pictures/a.png", True),
        ("data:image/png;base64,AAAA", True),
        ("data:image/svg+xml,%3Csvg/%3E", True),
        ("data:text/html,<script>", False),
        ("javascript:alert(1)", False),
        ("//other.example/a.png", False),
        ("/\\other.example/a.png", False),
        ("http://other.example/a.png", False),
        ("https://img.example/a.png", True),
        ("https://img.example.evil/a.png", False),
        ("", False),
        (None, False),
    ],
)
def test_only_pictures_that_may_be_loaded_are_shown(address: str | None, shown: bool) -> None:
    backend: Any = Catalogue([])
    made = Tiles(backend, ("https://img.example",)).from_attributes({"item_id": 1, "image_url": address})
    assert made.picture == (address if shown else None)


def test_popular_items_are_of_many_categories() -> None:
    backend: Any = Catalogue(
        [{"item_id": item, "category": item[0]} for item in ("a1", "a2", "a3", "b1", "c1", "c2")]
    )
    assert [t.item_id for t in varied_popular(backend, Tiles(backend), 5)] == ["a1", "b1", "c1", "a2", "c2"]


def test_quantiles_lie_within_the_bucket_that_holds_them() -> None:
    histogram = Histogram([0.1, 0.2, inf], [10, 10, 1])
    assert histogram.quantile_s(0.5) == pytest.approx(0.1 + 0.1 * (21 * 0.5 - 10) / 10)
    assert histogram.quantile_s(1.0) == 0.2
    assert Histogram([], []).quantile_s(0.5) is None
    assert Histogram([1.0, 2.0, 3.0, inf], [0, 4, 1, 0]).bars == [(2.0, 4), (3.0, 1)]
    assert added([histogram, histogram]).counts == [20, 20, 2]


def test_a_metrics_text_is_read_back() -> None:
    measured = Measured(
        "# TYPE t_seconds histogram\n"
        't_seconds_bucket{route="/a",le="0.1"} 2\nt_seconds_bucket{route="/a",le="+Inf"} 5\n'
        't_seconds_count{route="/a"} 5\nt_seconds_sum{route="/a"} 1\n'
        '# TYPE n counter\nn_total{status="200",route="/a"} 3\nn_total{status="200",route="/b"} 4\n'
        "# TYPE g gauge\ng 7\n"
    )
    assert measured.histograms("t_seconds", "route")["/a"].counts == [2, 3]
    assert measured.by_labels("n_total", "status") == {("200",): 7.0}
    assert (measured.value("g"), measured.value("none", 1.5)) == (7.0, 1.5)
