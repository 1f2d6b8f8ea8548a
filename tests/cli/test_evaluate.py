"""The verb ``evaluate``, through the same entry point as on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import Run

ARMS = "mean-0.01,sampled-3,top-20,popular-category"


def evaluated(call: Run, world: Path, *more: object) -> Any:
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    return call("evaluate", *tables, "--out", world / "report", "--days", 5, *more)


def test_json_tells_what_the_file_tells(call: Run, world: Path) -> None:
    ran = evaluated(call, world, "--arms", ARMS, "--budget", "5", "--budget", "10%", "--json")
    assert ran.code == 0, ran.err
    told = ran.object()
    written = json.loads((world / "report" / "metrics.json").read_text())
    assert {key: told[key] for key in ("about", "verdict", "results", "costs")} == {
        key: written[key] for key in ("about", "verdict", "results", "costs")
    }
    n_pool = told["about"]["pool"]["n_items_first_day"]
    assert told["about"]["budgets"] == {"5": 5, "10%": n_pool // 10}
    assert list(told["costs"]) == ARMS.split(",")


def test_people_get_tables_a_verdict_and_the_span(call: Run, world: Path) -> None:
    ran = evaluated(call, world, "--arms", ARMS, "--budget", "5")
    assert ran.code == 0, ran.err
    for text in (
        "First-time items, 5 items a list",
        "top-20",
        "Verdict",
        "metrics.json",
        "report.html",
        "drawn evenly",
    ):
        assert text in ran.out
    assert "No --from was given: the last 5 days" in ran.err


def test_arms_may_be_given_once_or_several_times(call: Run, world: Path) -> None:
    for given in (("--arms", "mean-0, popular"), ("--arms", "mean-0", "--arms", "popular")):
        ran = evaluated(call, world, *given, "--budget", "5", "--fresh", "--json")
        assert list(ran.object()["costs"]) == ["mean-0", "popular"]


def test_tables_in_a_pipe_are_whole(call: Run, world: Path) -> None:
    ran = evaluated(call, world, "--arms", "mean-0,balanced-40-saturation-100", "--budget", "5")
    assert ran.code == 0, ran.err
    assert "\N{HORIZONTAL ELLIPSIS}" not in ran.out
    line = next(line for line in ran.out.splitlines() if "balanced-40-saturation-100" in line)
    assert line.count("[") == line.count("]") == 2


def test_without_a_terminal_there_is_a_line_for_each_arm(call: Run, world: Path) -> None:
    lines = evaluated(call, world, "--arms", "mean-0,popular", "--budget", "5").err.splitlines()
    assert [line for line in lines if "/2 " in line] == ["done: 1/2 mean-0", "done: 2/2 popular"]
    assert evaluated(call, world, "--arms", "mean-0,popular", "--budget", "5", "--json").err == ""


def test_days_beyond_the_log_are_told(call: Run, world: Path) -> None:
    # The users' second topic begins on the 11th day and has three days of actions.
    more = ("--arms", "mean-0", "--budget", "5", "--from", "2016-07-28")
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    ran = call("evaluate", *tables, "--out", world / "report", "--days", 30, *more, COLUMNS="200")
    assert ran.code == 0, ran.err
    told = "27 of these 30 days hold no action; the log ends on 2016-07-30"
    assert told in " ".join(ran.err.split())
    assert told in (world / "report" / "report.html").read_text()
    measured = json.loads((world / "report" / "metrics.json").read_text())["about"]["measured"]
    n_users, n_user_days = measured["n_users"], measured["n_user_days"]
    assert f"{n_users} users on 30 days ({n_user_days} user-days, one list each)" in " ".join(ran.out.split())
    assert "hold no action" not in evaluated(call, world, "--arms", "mean-0", "--days", 3, "--fresh").err


def test_frames_of_other_libraries_are_mapped(call: Run, world: Path) -> None:
    table = pq.read_table(world / "actions.parquet")
    table = table.rename_columns(["user_id", "item_id", "datetime"])
    pyarrow.csv.write_csv(table.append_column("weight", pa.array([1.0] * len(table))), world / "rec.csv")
    given = (
        "--items",
        world / "items.parquet",
        "--actions",
        world / "rec.csv",
        "--map",
        "timestamp=datetime",
    )
    ran = call("evaluate", *given, "--out", world / "r", "--days", 5, "--arms", "mean-0", "--json")
    assert ran.code == 0, ran.err
    plain = evaluated(call, world, "--arms", "mean-0", "--json").object()
    assert ran.object()["results"] == plain["results"]


def test_real_impressions_are_said(call: Run, world: Path) -> None:
    more = ("--impressions", world / "actions.parquet", "--arms", "mean-0", "--json")
    about = evaluated(call, world, *more).object()["about"]
    assert about["impressions"] == "real"
    # Users were shown what they acted on that day: no impressions beside the targets.
    assert about["impressions_found"] == {"share_of_user_days": 0.0, "mean_per_target": None}
    page = (world / "report" / "report.html").read_text()
    assert "real, as given: on 0.0% of the user-days, the other user-days do not count" in page
    assert "per target" not in page


@pytest.mark.parametrize(
    ("user", "said"), [(7, "1 user, ids are integers"), ("secret", "1 user, ids are texts")]
)
def test_impressions_of_other_users_are_refused_without_naming_anyone(
    call: Run, world: Path, user: int | str, said: str
) -> None:
    actions = pq.read_table(world / "actions.parquet")
    at = actions.column_names.index("user_id")
    pq.write_table(actions.set_column(at, "user_id", [[user] * len(actions)]), world / "shown.parquet")
    ran = evaluated(call, world, "--impressions", world / "shown.parquet", "--json")
    assert ran.code == 3
    message = ran.error()["message"]
    assert "expected users of the actions (6 users, ids are texts), found none of them" in message
    assert f"those of the impressions ({said})" in message
    assert "u0" not in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--budget", "0"), 2, "--budget like 400"),
        (("--budget", "half"), 2, "--budget like 400"),
        (("--arms", "best"), 2, "no arm best"),
        (("--arms", ","), 2, "--arms: expected names of arms or groups with commas between them"),
        (("--from", "soon"), 2, "expected a time"),
        (("--from", "2040-01-01"), 3, "nothing to measure"),
    ],
)
def test_errors_have_their_exit_codes(
    call: Run, world: Path, more: tuple[str, ...], code: int, message: str
) -> None:
    ran = evaluated(call, world, *more, "--json")
    assert ran.code == code
    assert message in ran.error()["message"]
    assert ran.out == ""


@pytest.mark.parametrize(
    ("verb", "more", "message"),
    [
        ("evaluate", ("--arms", "popular,best"), "no arm best"),
        ("evaluate", ("--from", "soon"), "expected a time"),
        ("evaluate", ("--impressions", "shown.parquet"), "shown.parquet: no such file"),
        ("evaluate", ("--embeddings", "x.npy"), "x.npy: no such file"),
        ("evaluate", ("--users", "users.csv", "--group-by", "plan"), "users.csv: no such file"),
        ("evaluate", ("--group-by", "plan"), "got --group-by without --users"),
        ("evaluate", ("--actions", "log.txt"), "log.txt: no such file"),
        ("tune", ("--items", "nowhere.parquet"), "nowhere.parquet: no such file"),
        ("build", ("--actions", "*.csv"), "*.csv: no such file"),
        ("embed", ("--actions", "nowhere.parquet"), "nowhere.parquet: no such file"),
    ],
)
def test_what_is_wrong_at_first_sight_is_told_before_heavy_imports(
    world: Path, verb: str, more: tuple[str, ...], message: str
) -> None:
    tables = ("--items", "items.parquet", "--actions", "actions.parquet", "--out", "out")
    program = (
        "import sys; from pinnersage.cli.app import invoke; from pinnersage.cli.exits import run\n"
        "code = run(invoke, sys.argv[1:]); assert 'numba' not in sys.modules; sys.exit(code)"
    )
    command = [sys.executable, "-c", program, verb, *tables, *more]
    done = subprocess.run(command, cwd=world, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert not (world / "out").exists()


def test_a_report_of_another_span_is_refused_until_told(call: Run, world: Path) -> None:
    assert evaluated(call, world, "--arms", "mean-0", "--json").code == 0
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    other = ("evaluate", *tables, "--out", world / "report", "--days", 4, "--arms", "mean-0", "--json")
    ran = call(*other)
    assert ran.code == 2
    assert "--fresh" in ran.error()["message"]
    assert call(*other, "--fresh").code == 0


def test_a_directory_of_others_is_refused(call: Run, world: Path) -> None:
    (world / "report").mkdir()
    (world / "report" / "notes.txt").write_text("mine")
    ran = evaluated(call, world, "--json")
    assert ran.code == 2
    assert "choose another directory" in ran.error()["message"]


@pytest.mark.parametrize(
    ("verb", "message"),
    [("evaluate", "out: this directory cannot be made"), ("build", "items.parquet is a file")],
)
def test_an_output_below_a_file_is_refused(call: Run, world: Path, verb: str, message: str) -> None:
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    more = ("--days", 5, "--arms", "mean-0") if verb == "evaluate" else ()
    ran = call(verb, *tables, "--out", world / "items.parquet" / "out", *more, "--json")
    assert ran.code == 2
    assert message in ran.error()["message"]


def users_table(world: Path, **columns: list[Any]) -> Path:
    """Write users u0..u5 as CSV, for the table of users."""
    users = {"user_id": [f"u{number}" for number in range(6)]}
    pyarrow.csv.write_csv(pa.table(users | columns), world / "users.csv")
    return world / "users.csv"


def test_users_are_grouped_by_columns_of_their_own(call: Run, world: Path) -> None:
    users = users_table(world, country=["DE", "FR", "DE", "", "FR", "DE"], age=[31, 19, 40, 22, 64, 28])
    more = ("--users", users, "--group-by", "country", "--group-by", "age", "--arms", "mean-0,popular")
    ran = evaluated(call, world, *more, "--budget", 5)
    assert ran.code == 0, ran.err
    found = json.loads((world / "report" / "metrics.json").read_text())
    sizes = {
        (row["by"], row["group"]): row["n_users"]
        for row in found["groups"]
        if row["by"] in ("country", "age")
    }
    # Nobody acted on the items of u5's last days before: nothing to measure.
    assert {key: n for key, n in sizes.items() if key[0] == "country"} == {
        ("country", "DE"): 2, ("country", "FR"): 2, ("country", "(unknown)"): 1,
    }  # fmt: skip
    assert [group for by, group in sizes if by == "age"] == ["19", "22", "31", "40", "64"]
    assert found["about"]["tables"]["users"]["n_rows"] == 6
    page = (world / "report" / "report.html").read_text()
    assert "Recall by country" in page
    assert "DE (2 users)" in page
    assert "users.csv: 6 rows" in page

    again = evaluated(call, world, *more, "--budget", 5)
    assert "done: 1/2 mean-0" in again.err
    assert "5 of the 5 users measured stand in the table of users." in again.err
    plain = evaluated(call, world, "--arms", "mean-0,popular", "--budget", 5)
    assert plain.code == 0
    assert "in the table of users" not in plain.err
    assert "by country" not in (world / "report" / "report.html").read_text()


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--users", "users.csv"), 2, "got --users without --group-by"),
        (("--group-by", "country"), 2, "got --group-by without --users"),
        (("--users", "users.csv", "--group-by", "activity"), 2, "cannot group users by activity"),
        (("--users", "users.csv", "--group-by", "contry"), 2, "besides user_id there is country"),
        (("--users", "none.csv", "--group-by", "country"), 2, "none.csv: no such file"),
        (("--users", "others.csv", "--group-by", "country"), 3, "found none of them"),
        (
            ("--users", "numbers.parquet", "--group-by", "country"),
            3,
            "found integers where the log has texts",
        ),
        (("--users", "twice.csv", "--group-by", "country"), 3, "found different ones for 1 user of the log"),
    ],
)
def test_tables_of_users_that_cannot_be_used(
    call: Run, world: Path, more: tuple[str, ...], code: int, message: str
) -> None:
    users_table(world, country=["DE"] * 6)
    (world / "others.csv").write_text("user_id,country\nnobody,DE\n")
    (world / "twice.csv").write_text("user_id,country\nu1,DE\nu1,FR\nu2,DE\n")
    pq.write_table(pa.table({"user_id": [1], "country": ["DE"]}), world / "numbers.parquet")
    tables = ("--items", "items.parquet", "--actions", "actions.parquet", "--out", "report")
    ran = call("evaluate", *tables, "--arms", "mean-0", "--json", *more, cwd=world)
    assert ran.code == code
    assert message in ran.error()["message"]
    assert not (world / "report").exists()
