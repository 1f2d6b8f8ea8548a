"""The page of results says what the committed results say, and its commands are those of the program."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pinnersage.evaluation.arms.names import BY_NAME_ONLY, GROUPS
from pinnersage.evaluation.tuning.words import measured

ROOT = Path(__file__).parents[1]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> ModuleType:
    return script("results_page")


def test_the_tables_are_made_from_the_results(page: ModuleType) -> None:
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    inside = text.split(page.START)[1].split(page.END)[0]
    everything = page.read(ROOT / "docs" / "results")
    assert inside == f"\n{page.page(everything)}\n"
    for name in page.ORDER:
        text = (ROOT / "docs" / "results" / f"{name}.md").read_text(encoding="utf-8")
        assert text == page.log_page(name, everything)
        assert f"](results/{name}.md)" in inside


def test_every_arm_is_measured_on_every_log_or_said_to_be_left_out(page: ModuleType) -> None:
    every = {name for group in GROUPS if group != "knobs" for name in GROUPS[group]} - {*BY_NAME_ONLY}
    for results in page.read(ROOT / "docs" / "results").values():
        table, left_out = results["results"][f"{page.MAIN} first_time"], results["about"]["arms_left_out"]
        assert set(table) | set(left_out) == every
        assert set(results["about"].get("arms_of_another_run", [])) <= set(table)


def test_every_result_names_a_command_of_its_own(page: ModuleType) -> None:
    for results in page.read(ROOT / "docs" / "results").values():
        about = results["about"]
        text = (ROOT / "docs" / "results" / f"{results['data']}.md").read_text(encoding="utf-8")
        command = re.search(
            rf"`pinnersage evaluate [^`]*{results['data']}[^`]*--vectors {about['vectors']} [^`]*`", text
        )
        assert command is not None
        assert f"--from {about['span']['from'][:10]} --days {about['span']['n_days']}" in command[0]


def test_the_commands_are_those_that_measure_all_logs(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    measuring: Any = importlib.import_module("measure_results")
    for name in measuring.SPANS:
        text = (ROOT / "docs" / "results" / f"{name}.md").read_text(encoding="utf-8")
        for vectors in page.VECTORS:
            words = measuring.command(Path(), name, vectors, Path(f"report-{name}-{vectors}"))
            asked = re.escape(" ".join(words[words.index("evaluate") :])).replace(
                r"\-\-arms\ all", r"--arms \S+"
            )
            assert re.search(f"pinnersage {asked}", text), (name, vectors)


def test_the_next_span_begins_where_the_reported_one_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    measuring: Any = importlib.import_module("measure_next_spans")
    assert measuring.behind(measuring.Span("2011-09-01", 30)) == ("2011-10-01", 30)
    assert measuring.behind(measuring.Span("2008-02-28", 2)) == ("2008-03-01", 2)


def test_figures_lose_no_digit_that_is_shown(page: ModuleType) -> None:
    assert page.figure([0.1234, 0.1, 0.15]) == ".123 [.100, .150]"
    assert page.figure(None) == "-"
    assert page.figure(12.3456) == "12.346"
    assert [page.figure(x, 2) for x in (20.51, 10.0, -0.5, 0.0)] == ["20.51", "10.00", "-.50", ".00"]
    assert page.times([1.239, 1.2, 1.301]) == "1.24 [1.20, 1.30]"


def test_whole_groups_of_arms_are_asked_for_by_their_names(page: ModuleType) -> None:
    def asked(names: list[str], *left_out: str) -> str:
        about = {"arms_left_out": dict.fromkeys(left_out, "why")}
        table = dict.fromkeys(names)
        return str(page.arms_of({"results": {f"{page.MAIN} first_time": table}, "about": about}))

    untrained, ranked = list(GROUPS["untrained"]), list(GROUPS["ranked"])
    assert asked([*untrained, "ease", "als"]) == "untrained,ease,als"
    assert asked([*untrained[:-1], "ease"]) == ",".join([*untrained[:-1], "ease"])
    assert asked(untrained[:-1], untrained[-1]) == "untrained"
    trained = list(GROUPS["trained"])
    assert asked([*untrained, "as-configured", *ranked, *trained]) == "all"
    of_all = [name for name in ranked if name not in BY_NAME_ONLY]
    assert asked([*untrained, "as-configured", *of_all, *trained]) == "all"
    assert asked(of_all) == ",".join(of_all)
    assert asked([*untrained, *ranked, *trained]) == "untrained,ranked,trained"
    assert asked(ranked[:1]) == ranked[0]


def report(*, recall: float) -> dict[str, Any]:
    metric = {"value": recall, "low": recall, "high": recall, "n_users": 3}
    metrics = {"recall": metric, "relevance": metric, "coverage": {"value": 0.5}}
    row = {"arm": "a", "budget": "1%", "slice": "first_time", "metrics": metrics}
    lift = row | {"over": "ease"}
    exposure = {"gini": 0.1, "coverage": 0.5, "popularity_lift": 0.0, "top_1_percent_share": 0.2}
    return {
        "about": {"budgets": {"1%": 3}, "tables": {"items": "where"}},
        "verdict": ["In short."],
        "results": [row, row | {"arm": "ease"}],
        "lifts": [lift],
        "pairs": [lift],
        "groups": [row | {"by": "activity", "group": "low"}],
        "exposure": [row | exposure],
        "interest_quality": {"n_users": 3},
        "costs": {"a": {"recommend_seconds": 1.0, "settings": {"fitted": {}}}},
    }


def test_short_results_hold_no_places_of_files_and_every_figure() -> None:
    short = script("compact_results").compact(report(recall=0.25))
    assert "where" not in json.dumps(short)
    assert short["results"]["1% first_time"]["a"]["recall"] == [0.25, 0.25, 0.25]
    assert short["lifts"]["1%"]["a"]["ease"]["recall"] == [0.25, 0.25, 0.25]
    assert short["rival"] == {"1%": "ease"}
    assert short["groups"]["low"]["a"]["recall"] == [0.25, 0.25, 0.25]
    assert short["results"]["1% first_time"]["a"]["coverage"] == 0.5


@pytest.mark.parametrize(
    ("script", "page", "name"),
    [
        ("bench_balance", "adr/0006-balanced-list.md", "balance"),
        ("bench_links", "adr/0008-two-regressions.md", "links"),
        ("bench_slots", "adr/0009-ranked-lists-for-many-items.md", "slots"),
        ("longer_training", "results.md", "sequences"),
    ],
)
def test_a_page_shows_the_committed_comparison(
    script: str, page: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    made: Any = importlib.import_module(script)
    kept = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert f"<!-- {name} -->\n{made.table(kept)}\n<!-- end of {name} -->" in text


def test_the_time_of_the_whole_study_is_the_committed_one() -> None:
    kept = json.loads((ROOT / "benchmarks" / "results" / "study.json").read_text())
    text = " ".join((ROOT / "docs" / "results.md").read_text(encoding="utf-8").split())
    wall_s, cpu_s = round(kept["wall_s"]), round(kept["cpu_s"])
    assert f"{wall_s // 60} min {wall_s % 60} s by the clock for {kept['n_arms']} arms" in text
    assert (
        f"({cpu_s // 60} min {cpu_s % 60} s of processor time, {kept['peak_mb'] / 1e3:.1f} GB at most)"
        in text
    )
    assert f"`{kept['command']}`" in text


def test_what_is_said_of_the_default_is_what_was_measured(page: ModuleType) -> None:
    everything = page.read(ROOT / "docs" / "results").values()

    def found(budget: str, arm: str, metric: str = "recall") -> list[float]:
        tables = [results["results"][f"{budget} first_time"] for results in everything]
        return sorted(table["as-configured"][metric][0] / table[arm][metric][0] for table in tables)

    def times(ratios: list[float]) -> str:
        return f"{min(ratios):.2f} to {max(ratios):.2f} times"

    short, long = (times(found(budget, "balanced-40")) for budget in ("1%", "400"))
    ranked = times(found("1%", "top-40-ranked") + found("400", "top-40-ranked"))
    text = " ".join((ROOT / "docs" / "results.md").read_text(encoding="utf-8").split())
    of_balanced = f"it finds {short} what `--mode balanced` finds at 1 % and {long} at 400"
    assert f"{of_balanced}, and {ranked} what `--ranker` finds" in text
    told = f"it finds {short} what balanced lists find at 1 % of the pool, {long} in lists of 400"
    assert told in measured()
    assert "On most logs measured" in measured()
    for budget in ("1%", "400"):
        over_the_mean = found(budget, "mean-0.01", "relevance")
        assert sum(ratio < 1 for ratio in over_the_mean) > len(over_the_mean) / 2
