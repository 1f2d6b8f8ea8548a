"""The whole page: its figures, its safety, its form."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.evaluation.page.reading import Page
from tests.evaluation.page.values import ARMS, BUDGETS, METRICS, SLICES, additions, forty, values, with_gains

from pinnersage.errors import NotFoundError, StoredFormatError
from pinnersage.evaluation.arms.names import GROUPS
from pinnersage.evaluation.page.__main__ import main
from pinnersage.evaluation.page.writing import page_of, rewrite_page
from pinnersage.evaluation.saved import FORMAT

NAMES = {
    "relevance": "Relevance", "recall": "Recall", "ndcg": "nDCG", "r_precision": "R-precision",
    "reciprocal_rank": "Reciprocal rank", "diversity": "Diversity", "novelty": "Novelty",
    "calibration": "Calibration", "coverage": "Coverage",
}  # fmt: skip
PLACES = {"40": "40 items a list", "1%": "1 % of the pool (12 items a list)"}
PARTS = {"first_time": "First-time items", "repeat": "Repeats", "all": "All targets"}
DASH = "\N{EN DASH}"
FULL = with_gains(values() | additions())


def quick(told: dict[str, Any]) -> str:
    return page_of(told, plots=False)


@pytest.fixture(scope="module")
def html() -> str:
    return page_of(FULL)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def is_shown(shown: tuple[str, str], figure: dict[str, Any]) -> bool:
    """Tell whether a cell shows a figure and its interval, to as many decimals as it has."""
    value, interval = shown
    decimals = len(value.partition(".")[2])
    wanted = f"{figure['value']:,.{decimals}f}"
    ends = [f"{figure[end]:,.{decimals}f}" for end in ("low", "high")] if "low" in figure else []
    return value == wanted and interval == (f"[{', '.join(ends)}]" if ends else "") and decimals > 1


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("part", SLICES)
def test_every_result_is_the_one_of_the_values(page: Page, budget: str, part: str) -> None:
    table = page.table(f"{PARTS[part]}, {PLACES[budget]}")
    rows = [row for row in FULL["results"] if (row["budget"], row["slice"]) == (budget, part)]
    assert list(table.rows) == list(ARMS)
    assert table.columns == ["Arm", *(NAMES[metric] for metric in (*METRICS, "coverage"))]
    for row in rows:
        for metric, figure in row["metrics"].items():
            assert is_shown(table.column(NAMES[metric])[row["arm"]], figure), (row["arm"], metric)


def test_every_lift_is_the_one_of_the_values(page: Page) -> None:
    for row in FULL["lifts"]:
        place = f"{PARTS[row['slice']]}, {PLACES[row['budget']]}"
        table = page.table(f"Lift over {row['over']}. {place}")
        for metric, figure in row["metrics"].items():
            assert is_shown(table.column(NAMES[metric])[row["arm"]], figure)


def test_every_group_of_first_time_items_is_the_one_of_the_values(page: Page) -> None:
    traits = {"activity": "activity", "history_days": "length of history"}
    traits |= {"n_interests": "number of interests"}
    n_shown = 0
    for row in (row for row in FULL["groups"] if row["slice"] == "first_time"):
        caption = f"By {traits[row['by']]}. First-time items, {PLACES[row['budget']]}"
        ends = f"{row['group']}: {row['from']:.0f} to {row['to']:.0f} "
        tables = [table for table in page.tables if table.caption == caption]
        assert max(len(table.columns) for table in tables) <= 1 + 2 * 3
        for metric, figure in row["metrics"].items():
            start = f"{NAMES[metric]}, {ends}"
            places = [(t, name) for t in tables for name in t.columns if name.startswith(start)]
            assert all(is_shown(table.column(name)[row["arm"]], figure) for table, name in places)
            n_shown += len(places)
    n_groups = 3 * 3 * len(ARMS)
    n_metrics = len(METRICS)
    assert n_shown == n_metrics * n_groups + 2 * n_groups  # all at the main budget, two at the other


def test_an_older_report_shows_the_metrics_that_its_groups_have() -> None:
    told = values()
    for row in told["groups"]:
        row["metrics"] = {metric: row["metrics"][metric] for metric in METRICS[:3]}
    page = Page(quick(told))
    heads = {
        head.partition(", ")[0] for t in page.tables if t.caption.startswith("By ") for head in t.columns
    }
    assert heads == {"Arm", *(NAMES[metric] for metric in METRICS[:3])}


def test_costs_are_shown(page: Page) -> None:
    table = page.table("Cost of each arm")
    for arm, cost in FULL["costs"].items():
        for name, key in (("Median ms per list", "median_ms_per_list"), ("Fitting, s", "fit_seconds")):
            value = table.column(name)[arm][0]
            assert value == f"{cost[key]:.{len(value.partition('.')[2])}f}"


def test_the_added_parts_are_shown(page: Page) -> None:
    place = PLACES["1%"]
    gaps = page.table(f"By activity: high less low. First-time items, {place}")
    assert gaps.column("Recall")["mean-0.01"][0].startswith("0.02")
    assert gaps.marks["mean-0.01"] == ["above", "above"]
    assert gaps.column("Recall")["top-20"][0].startswith("-0.01")
    spread = page.table(f"Spread. First-time items, {place}")
    assert spread.column("Gini") == {
        "mean-0.01": ("0.710", "[0.700, 0.800]"),
        "top-20": ("0.720", "[0.700, 0.810]"),
    }
    assert spread.column("Top 1 % of items") == {"mean-0.01": ("0.330", ""), "top-20": (DASH, "")}
    groups = page.table(f"top-20 by provider. First-time items, {place}")
    assert groups.column("Share of the lists")["provider 2"] == (f"{0.4 / 2:.3f}", "")
    assert groups.column("Share of the history")["provider 2"] == (DASH, "")
    quality = page.table("Interests of 300 users")
    assert quality.column("Mean")["Silhouette"] == ("0.210", "[0.200, 0.220]")
    assert quality.column("Mean")["Purity"] == (DASH, "")
    assert quality.column("Mean")["Found again"] == ("0.910", "[0.900, 0.920]")
    ranks = page.table(f"top-20, {place}")
    assert ranks.column("Share of the list")["4"] == (f"{0.4 / 4:.3f}", "")
    knob = page.table("Settings of n_interests")
    assert knob.column("Diversity")["20"] == (f"{0.5 + 0.05 * 2:.3f}", "")
    assert knob.column("Gini")["20"] == (DASH, "")
    gain = page.table("Gain by feature: top-40-ranked, first-time items")
    assert list(gain.rows) == ["trend_30_days", "best_cosine", "age_days", "ever"]
    assert gain.column("Share of the gain")["best_cosine"] == ("0.250", "")
    assert list(page.table("Gain by feature: top-40-ranked, all targets").rows) == ["own_due"]


def test_knobs_tell_what_they_do_to_groups_of_items_and_users_and_to_interests() -> None:
    told, place = values() | additions(), f"First-time items, {PLACES['1%']}"
    settings = {3: "top-3", 20: "top-20", "all": "mean-0.01"}  # of top-3 only the figures were measured
    told["knobs"] = [
        {"knob": "n_interests", "value": value, "arm": arm, "budget": "1%"} for value, arm in settings.items()
    ]
    page = Page(quick(told))
    shares = page.table(f"Share of the lists by provider. {place}")
    assert shares.column("provider 2") == {"3": (DASH, ""), "20": ("0.200", ""), "all": ("0.200", "")}
    gaps = page.table(f"Gaps of recall between users. {place}")
    column = gaps.column("By activity: high less low")
    assert {head: text for head, (text, _) in column.items()} == {"3": DASH, "20": "-0.0100", "all": "0.0200"}
    assert gaps.marks == {"3": ["", ""], "20": ["", ""], "all": ["above", "above"]}
    ranks = page.table(f"Share of the list by rank of the interest. {place}")
    assert ranks.columns[-1] == "11+"
    assert {head: text for head, (text, _) in ranks.column("2").items()} == {
        "by importance": f"{0.5 / 2:.3f}", "20": f"{0.4 / 2:.3f}", "all": f"{0.4 / 2:.3f}",
    }  # fmt: skip


def test_a_best_that_several_share_is_not_marked() -> None:
    told = copy.deepcopy(values())
    rows = [row for row in told["results"] if (row["budget"], row["slice"]) == ("1%", "first_time")]
    able = [row for row in rows if not row["oracle"]]
    for row in able:
        row["metrics"]["coverage"]["value"] = 1.0
        row["metrics"]["recall"] |= {"value": 0.2}
    able[1]["metrics"]["recall"] |= {"value": 0.3}
    table = Page(quick(told)).table(f"First-time items, {PLACES['1%']}")
    coverage, recall = (table.columns.index(name) - 1 for name in ("Coverage", "Recall"))
    marked = [arm for arm in ARMS if table.marks[arm][recall] == "best"]
    assert marked == [able[1]["arm"]]
    assert not any(table.marks[arm][coverage] for arm in ARMS)


def test_measures_of_interests_stand_beside_what_they_are_held_against() -> None:
    quality = additions()["interest_quality"]
    quality |= {name: {"value": 0.5} for name in ("purity_at_random", "normalized_mutual_information")}
    table = Page(quick(values() | {"interest_quality": quality})).table("Interests of 300 users")
    names = list(table.rows)
    assert names.index("Purity at random") == names.index("Purity") + 1
    assert names.index("Found again") == names.index("Stability") + 1 == len(names) - 1


def test_calibration_is_drawn_for_a_few_arms_and_told_for_all() -> None:
    told = additions()["interest_calibration"]
    rows = [row | {"arm": arm} for row in told for arm in ARMS]
    page = Page(quick(values() | {"interest_calibration": rows}))
    drawn = {v for _, name, v in page.attributes if name == "id" and v.startswith("plot-calibration-")}
    assert len(drawn) == 6  # the decayed mean and the arms of the lifts
    assert all(page.table(f"{arm}, {PLACES['1%']}").rows for arm in ARMS)


def test_parts_that_were_not_measured_have_no_section() -> None:
    without = quick(values())
    for key in ("exposure", "gaps", "quality", "calibration", "knobs", "ranker"):
        assert f'<section id="{key}"' not in without
    empty = quick(values() | {"exposure": [], "utility_gaps": [], "interest_quality": None, "knobs": []})
    assert empty == without
    bare = {key: value for key, value in values().items() if key not in {"lifts", "groups", "group_lifts"}}
    assert '<section id="lifts"' not in quick(bare)


def test_the_best_of_a_column_is_marked_and_oracles_stand_apart(page: Page) -> None:
    table = page.table(f"First-time items, {PLACES['1%']}")
    place = ("1%", "first_time")
    found = {r["arm"]: r["metrics"] for r in FULL["results"] if (r["budget"], r["slice"]) == place}
    able = [arm for arm in ARMS if not arm.startswith("oracle")]
    for metric, choose in (("recall", max), ("calibration", min)):
        best = choose(able, key=lambda arm: found[arm][metric]["value"])
        at = table.columns.index(NAMES[metric]) - 1
        assert [arm for arm in ARMS if table.marks[arm][at] == "best"] == [best]
    at = table.columns.index("Diversity") - 1
    assert not any(table.marks[arm][at] for arm in ARMS)
    assert max(found, key=lambda arm: found[arm]["recall"]["value"]) == "oracle-past-items"


def test_every_arm_is_explained() -> None:
    text = quick(forty())
    glossary = text.partition("What the arms (ways to recommend) are")[2].partition("</dl>")[0]
    told = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", glossary))
    assert list(told) == list(dict.fromkeys(name for names in GROUPS.values() for name in names))
    assert len({*told.values()}) == len(told)


def test_long_tables_keep_their_heads_in_sight_and_all_but_the_first_are_folded() -> None:
    long, few = quick(forty()), quick(values())
    for section in ("lifts", "groups"):
        shown = (
            long.partition(f'<section id="{section}"')[2].partition("</section>")[0].partition("<details")[0]
        )
        assert shown.count("<table") == 1, section
    assert long.count('class="scroll long"') > 10
    assert 'class="scroll long"' not in few


def test_what_has_no_value_is_a_dash() -> None:
    changed = values()
    changed["results"][0]["metrics"]["recall"] = {"value": None, "low": None, "high": None, "n_users": 0}
    changed["costs"]["last-item"]["median_ms_per_list"] = None
    page = Page(quick(changed))
    assert page.table(f"First-time items, {PLACES['40']}").column("Recall")["last-item"] == (DASH, "")
    assert page.table("Cost of each arm").column("Median ms per list")["last-item"] == (DASH, "")
    assert "None" not in " ".join(page.texts)
    assert "nan" not in " ".join(page.texts).lower().split()


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0.0000"), (1.0, "1.000"), (None, DASH)])
def test_a_page_of_nothing_but_zeros_ones_or_dashes_can_be_made(value: float | None, shown: str) -> None:
    arms = {name: ARMS[name] for name in ("last-item", "mean-0.01", "sampled-1", "top-20")}
    changed = values(arms)
    for part in ("results", "lifts", "groups", "group_lifts"):
        for row in changed[part]:
            row["metrics"] = {m: {"value": value, "low": value, "high": value} for m in row["metrics"]}
    page = Page(page_of(changed))
    table = page.table(f"First-time items, {PLACES['1%']}")
    assert table.column("Recall")["top-20"][0] == shown
    assert not page.unbalanced


def test_facts_and_verdict_are_told(page: Page) -> None:
    text = " ".join(" ".join(page.texts).split())
    for told in (
        "1,700", "1,300", "1,190 items on the first day, 1,199 on the last", "not real: drawn evenly",
        "and that the catalogue offers now", "Near-duplicates may stand in one list here",
        "41 actions on items that were not in the pool", "52 actions of users", "2020-06-01 to 2020-06-08",
        "98,765 actions of 1,234 users on 1,200 items", "items.parquet: 1,210 rows, 10 left out (10 zero)",
        "Many interests beat one vector on recall by 1.30x [1.16, 1.47].", "top-20 against mean-0.01",
        "1 lost, 1 open", "pinnersage evaluate --items items.parquet", "0.5, 0.25",
    ):  # fmt: skip
        assert told in text
    assert "Vectors" not in text
    assert "<dt>Vectors</dt><dd>text, 384-d</dd>" in quick(with_vectors("text, 384-d"))
    assert "<dd>as given with the items</dd>" in quick(with_vectors("given"))
    assert "kind fused; dim 64" in quick(with_vectors({"kind": "fused", "dim": 64}))


def with_vectors(told: Any) -> dict[str, Any]:
    changed = values()
    changed["about"]["vectors"] = told
    return changed


def test_sentences_that_are_not_understood_are_told_as_they_are() -> None:
    page = quick(values() | {"verdict": ["Nothing is as it was (really).", "Nothing can be said of it."]})
    assert "Nothing is as it was (really)." in page
    assert "allow no comparison" in quick(values() | {"verdict": []})


NASTY = """<script>alert("1")</script>&'$x_1$"""


def test_what_users_name_is_escaped() -> None:
    arms = copy.deepcopy(ARMS) | {NASTY: {"kind": "Interests", "note": NASTY, NASTY: [1, NASTY]}}
    changed = with_gains(values(arms) | additions())
    changed["about"] |= {"command": NASTY, "vectors": NASTY, "impressions": NASTY}
    changed["about"]["tables"][NASTY] = {"sources": [NASTY], "n_rows": 1, "n_bad": 1, "reasons": {NASTY: 1}}
    changed["about"]["arms_left_out"] = {NASTY: NASTY}
    changed["verdict"].append(NASTY)
    changed["knobs"][0] |= {"knob": NASTY, "value": NASTY}
    changed["exposure"][0]["groups"][0] |= {"by": NASTY, "group": NASTY}
    changed["costs"]["top-40-ranked"]["settings"]["fitted"]["first_time"]["gains"][NASTY] = 0.75
    html = page_of(changed)
    assert "<script>alert" not in html
    assert html.count("<script") == 1
    page = Page(html)
    assert NASTY in page.table(f"First-time items, {PLACES['1%']}").rows
    assert "\n".join(page.texts).count(NASTY) > 20
    assert not page.unbalanced


def test_nothing_is_asked_of_the_network(html: str, page: Page) -> None:
    named = {"src", "href", "srcset", "action", "xlink:href"}
    addresses = [value for _, name, value in page.attributes if name in named]
    assert addresses
    assert all(address.startswith("#") for address in addresses)
    assert not re.search(r"@import|url\((?!#)|<link|<iframe|fetch\(|XMLHttpRequest", html)
    assert "http" not in html


def test_the_page_is_well_formed_and_can_be_read_by_machines(html: str, page: Page) -> None:
    assert not page.unbalanced
    assert not page.open
    assert sorted(set(page.ids)) == sorted(page.ids)
    links = {v[1:] for _, name, v in page.attributes if name == "href"}
    labels = {v for _, name, v in page.attributes if name in {"aria-labelledby", "aria-describedby"}}
    assert links | labels <= set(page.ids)
    references = set(re.findall(r"url\(#([^)]+)\)", html))
    assert references <= set(page.ids)
    assert all(table.caption and table.scopes == {"col", "row"} for table in page.tables)
    assert html.count('role="img"') == html.count("<svg") == html.count("<desc") == 7 + 2 + 2 + 1
    assert not re.search(r"#(c65102|0068ad|1b232c|5a6673)\b", html.partition("</style>")[2])


PROGRAM = """
import json, sys
from pinnersage.evaluation.page.writing import page_of
sys.stdout.buffer.write(page_of(json.load(sys.stdin)).encode())
"""
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""


def made_by(program: str) -> str:
    """Return the page that another process makes."""
    told = json.dumps(FULL).encode()
    found = subprocess.run([sys.executable, "-c", program], input=told, capture_output=True)
    assert found.returncode == 0, found.stderr.decode()[-500:]
    return found.stdout.decode()


def test_the_same_values_give_the_same_bytes(html: str) -> None:
    assert made_by(PROGRAM) == html


def test_without_matplotlib_all_tables_are_there_and_the_extra_is_named(page: Page) -> None:
    html = made_by(BLOCK + PROGRAM)
    assert "pip install &#39;.[report]&#39;" in html
    assert "<svg" not in html
    bare = Page(html)
    assert [(t.caption, t.rows) for t in bare.tables] == [(t.caption, t.rows) for t in page.tables]
    assert not bare.unbalanced


def test_the_page_is_made_anew(html: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(FULL))
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == html
    assert not (tmp_path / "report.html.part").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda v: v | {"format": 0}, f"expected metrics.json of format {FORMAT}, got 0"),
        (lambda v: {k: w for k, w in v.items() if k != "format"}, f"format {FORMAT}, got None"),
        (lambda v: {"arms": []}, "an object with 'results'; got one with 'arms'"),
        (lambda v: [v], "got a list"),
        (lambda v: {k: w for k, w in v.items() if k != "costs"}, "cannot be read at costs: Field required"),
        (lambda v: v | {"results": []}, "cannot be read at results"),
        (lambda v: v | {"verdict": [1]}, "cannot be read at verdict.0"),
        (lambda v: v | {"knobs": [{"knob": "n"}]}, "cannot be read at knobs.0.value"),
    ],
)
def test_other_values_are_refused(change: Any, told: str) -> None:
    with pytest.raises(StoredFormatError, match=re.escape(told)):
        page_of(change(values()))


def test_missing_and_damaged_files_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotFoundError, match=r"no metrics.json there"):
        rewrite_page(tmp_path)
    (tmp_path / "metrics.json").write_text('{"format": 1, "resul')
    with pytest.raises(StoredFormatError, match="not JSON"):
        rewrite_page(tmp_path / "metrics.json")
    assert main([str(tmp_path)]) == StoredFormatError.exit_code
    assert "not JSON" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()
