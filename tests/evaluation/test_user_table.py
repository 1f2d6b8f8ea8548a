"""Tables of users in every format, and what is refused of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage.config import ImportConfig
from pinnersage.errors import BadRowsError, DataError, SchemaError, UsageError
from pinnersage.evaluation.user_groups import MOST_NAMED, UserColumn
from pinnersage.evaluation.user_table import opened_users

USERS = pa.table(
    {
        "user_id": ["a", "b", "c", "d"],
        "country": ["DE", None, " FR ", ""],
        "age": pa.array([31, 19, None, 64], pa.int32()),
        "is_paying": [True, False, None, True],
    }
)
LOG = ["a", "b", "c", "zoe"]


def columns_of(
    source: Any, group_by: str | Sequence[str], user_ids: Sequence[Any] = LOG, **config: Any
) -> dict[str, UserColumn]:
    with opened_users(source, group_by, ImportConfig(**config)) as users:
        return users.columns_of(user_ids)


def told(column: UserColumn) -> list[Any]:
    """Return the name or number of each user."""
    known = [None if np.isnan(value) else float(value) for value in column.values]
    if column.names is None:
        return known
    return [None if value is None else column.names[int(value)] for value in known]


def as_csv(path: Path) -> Path:
    USERS.to_pandas().to_csv(path / "users.csv", index=False)
    return path / "users.csv"


def as_jsonl(path: Path) -> Path:
    lines = [json.dumps({k: v for k, v in row.items() if v is not None}) for row in USERS.to_pylist()]
    (path / "users.jsonl").write_text("\n".join(lines))
    return path / "users.jsonl"


def as_parquet(path: Path) -> Path:
    pa.parquet.write_table(USERS, path / "users.parquet")
    return path / "users.parquet"


def as_arrow(path: Path) -> Path:
    pyarrow.feather.write_feather(USERS, str(path / "users.arrow"), compression="uncompressed")
    return path / "users.arrow"


def as_two_files(path: Path) -> list[Path]:
    pa.parquet.write_table(USERS.slice(0, 1), path / "one.parquet")
    USERS.slice(1).to_pandas().to_csv(path / "two.csv", index=False)
    return [path / "one.parquet", path / "two.csv"]


@pytest.mark.parametrize("user_ids", [[1, 7], ["1", "7"]], ids=["integers", "texts"])
@pytest.mark.parametrize("other", ["csv", "jsonl", "parquet"])
def test_ids_are_integers_in_one_file_and_texts_in_another(
    user_ids: list[Any], other: str, tmp_path: Path
) -> None:
    files = [tmp_path / "one.parquet", tmp_path / f"two.{other}"]
    pa.parquet.write_table(pa.table({"user_id": [1], "country": ["DE"]}), files[0])
    rows = {"user_id": ["7", "07"], "country": ["FR", "IT"]}
    if other == "csv":
        pd.DataFrame(rows).to_csv(files[1], index=False)
    elif other == "jsonl":
        pd.DataFrame(rows).to_json(files[1], orient="records", lines=True)
    else:
        pa.parquet.write_table(pa.table(rows), files[1])
    assert told(columns_of(files, ["country"], user_ids)["country"]) == ["DE", "FR"]


@pytest.mark.parametrize(
    "source",
    [
        as_csv, as_jsonl, as_parquet, as_arrow, as_two_files, lambda _: USERS, lambda _: USERS.to_pandas(),
        lambda _: pl.DataFrame(USERS), lambda _: USERS.to_reader(),
    ],
    ids=["csv", "jsonl", "parquet", "arrow", "two files", "table", "pandas", "polars", "stream"],
)  # fmt: skip
def test_every_format_tells_the_same(source: Callable[[Path], Any], tmp_path: Path) -> None:
    found = columns_of(source(tmp_path), ["country", "age", "is_paying"])
    assert told(found["country"]) == ["DE", None, "FR", None]
    assert told(found["age"]) == ["31", "19", None, None]
    assert [str(name).lower() for name in told(found["is_paying"])] == ["true", "false", "none", "none"]
    assert found["age"].names == ("19", "31")


@settings(deadline=None, max_examples=40)
@given(
    values=st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), min_size=1, max_size=40),
    as_text=st.booleans(),
)
def test_few_numbers_are_names_and_many_stay_numbers(values: list[int | None], as_text: bool) -> None:
    ids = [f"u{i}" for i in range(len(values))]
    table = pa.table({"user_id": ids, "x": pa.array(values, pa.int64())})
    if as_text:
        table = table.set_column(1, "x", table["x"].cast(pa.string()))
    different = sorted({value for value in values if value is not None})
    if not different:
        with pytest.raises(DataError, match="expected values of x for users of the log, found none"):
            columns_of(table, "x", ids)
        return
    column = columns_of(table, "x", ids)["x"]
    if as_text or len(different) <= MOST_NAMED:
        # Also numbers too large for float64 stay apart.
        assert told(column) == [None if value is None else str(value) for value in values]
        assert column.names is not None
        assert sorted(column.names, key=str if as_text else float) == list(column.names)
    else:
        assert told(column) == [None if value is None else float(value) for value in values]


def test_whole_floats_are_named_as_integers_and_codes_keep_their_zeros(tmp_path: Path) -> None:
    table = pa.table({"user_id": LOG, "tier": [1.0, 2.5, float("nan"), float("inf")]})
    assert told(columns_of(table, "tier")["tier"]) == ["1", "2.5", None, None]
    rows = [f"u{i},{i:03d},{i}.5" for i in range(20)]
    (tmp_path / "users.csv").write_text("\n".join(["user_id,zip,score", *rows]))
    found = columns_of(tmp_path / "users.csv", ["zip", "score"], ["u1", "u19"])
    assert told(found["zip"]) == ["001", "019"]
    assert told(found["score"]) == [1.5, 19.5]


@pytest.mark.parametrize("cell", ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "-", "\t- "])
def test_a_missing_value_as_others_spell_it_is_unknown(cell: str, tmp_path: Path) -> None:
    rows = [*(f"u{i},{20 + i},p{i % 2}" for i in range(40)), f"x,{cell},{cell}"]
    (tmp_path / "users.csv").write_text("\n".join(["user_id,age,plan", *rows]) + "\n")
    lines = [json.dumps(dict(zip(("user_id", "age", "plan"), row.split(","), strict=True))) for row in rows]
    (tmp_path / "users.jsonl").write_text("\n".join(lines))
    names = [*(f"p{i % 2}" for i in range(40)), cell]
    typed = pa.table({"user_id": [*(f"u{i}" for i in range(40)), "x"], "plan": names})
    for source in (tmp_path / "users.csv", tmp_path / "users.jsonl"):
        found = columns_of(source, ["age", "plan"], ["u0", "u39", "x"])
        assert told(found["age"]) == [20, 59, None]
        assert told(found["plan"]) == ["p0", "p1", None]
    assert told(columns_of(typed, "plan", ["u0", "x"])["plan"]) == ["p0", None]


def csv_of(path: Path, values: Sequence[str]) -> Path:
    (path / "users.csv").write_text("\n".join(["user_id,x", *(f"u{i},{v}" for i, v in enumerate(values))]))
    return path / "users.csv"


@pytest.mark.parametrize(
    ("n_numbers", "others", "is_refused"),
    [(40, ["?"], True), (13, ["?", "old"], True), (40, ["1e999", "?"], True), (12, ["?"], False),
     (20, list("abcdefgh"), False), (0, ["?"], False)],
)  # fmt: skip
def test_numbers_with_a_few_other_values_are_refused(
    n_numbers: int, others: list[str], is_refused: bool, tmp_path: Path
) -> None:
    source = csv_of(tmp_path, [*map(str, range(n_numbers)), *others])
    if not is_refused:
        assert columns_of(source, "x", ["u0"])["x"].names is not None
        return
    said = f"{len(others)} of {n_numbers + len(others)} different values of x are no numbers, such as "
    with pytest.raises(DataError, match=f"expected numbers or names, found both: {said}") as error:
        columns_of(source, "x", ["u0"])
    assert repr(min(others)) in str(error.value)
    assert "u4" not in str(error.value)


def test_numbers_are_numbers_however_they_are_written(tmp_path: Path) -> None:
    odd = ["+5", ".5", "-.5", "7.", "1e2", "\t2.50", "2.5\u00a0", "-0"]
    source = csv_of(tmp_path, [*odd, *(f"{i}.25" for i in range(20))])
    ids = [f"u{i}" for i in range(len(odd))]
    assert told(columns_of(source, "x", ids)["x"]) == [5, 0.5, -0.5, 7, 100, 2.5, 2.5, 0]
    few = columns_of(csv_of(tmp_path, odd), "x", ids)["x"]
    assert told(few) == ["5", "0.5", "-0.5", "7", "100", "2.5", "2.5", "0"]
    assert few.names == ("-0.5", "0", "0.5", "2.5", "5", "7", "100")


def test_how_many_values_there_are_is_asked_of_the_table_and_not_of_the_log() -> None:
    table = pa.table({"user_id": [f"u{i}" for i in range(30)], "age": list(range(30))})
    assert columns_of(table, "age", ["u3"])["age"].names is None


def test_categories_of_pandas_are_names() -> None:
    frame = pd.DataFrame({"user_id": LOG, "band": pd.Categorical(["18-24", "25-34", None, "18-24"])})
    assert told(columns_of(frame, "band")["band"]) == ["18-24", "25-34", None, "18-24"]


def test_other_names_of_user_ids_are_mapped() -> None:
    table = USERS.rename_columns(["customer", "country", "age", "is_paying"])
    found = columns_of(table, "country", columns={"user_id": "customer"})
    assert told(found["country"]) == ["DE", None, "FR", None]
    with pytest.raises(SchemaError, match="expected a column user_id"):
        columns_of(table, "country")


@pytest.mark.parametrize("type_", [pa.int64(), pa.int32(), pa.string()])
def test_ids_of_the_logs_type_are_found(type_: pa.DataType, tmp_path: Path) -> None:
    table = pa.table({"user_id": pa.array([7, 8], pa.int64()).cast(type_), "plan": ["x", "y"]})
    other: list[Any] = ["8", "7"] if type_ != pa.string() else [8, 7]
    log: list[Any] = [8, 7] if type_ != pa.string() else ["8", "7"]
    assert told(columns_of(table, "plan", log)["plan"]) == ["y", "x"]
    with pytest.raises(DataError, match="user ids of the same type as in the log, found") as error:
        columns_of(table, "plan", other)
    assert ("found integers where the log has texts" in str(error.value)) == (type_ != pa.string())
    # CSV has no types: its 7 is what the log says it is.
    (tmp_path / "users.csv").write_text("user_id,plan\n7,x\n8,y\n")
    for ids in (log, other):
        assert told(columns_of(tmp_path / "users.csv", "plan", ids)["plan"]) == ["y", "x"]


def test_json_integers_are_users_of_a_log_of_texts_and_strings_none_of_integers(tmp_path: Path) -> None:
    lines = [json.dumps({"user_id": user, "plan": f"p{user}"}) for user in (7, 8, "abc", "9")]
    (tmp_path / "users.jsonl").write_text("\n".join(lines))
    (tmp_path / "integers.jsonl").write_text("\n".join(lines[:2]))
    found = columns_of(tmp_path / "users.jsonl", "plan", ["8", "abc", "7", "9", "no"])["plan"]
    assert told(found) == ["p8", "pabc", "p7", "p9", None]
    assert told(columns_of(tmp_path / "integers.jsonl", "plan", ["7", "abc"])["plan"]) == ["p7", None]
    assert told(columns_of(tmp_path / "users.jsonl", "plan", [7, 9])["plan"]) == ["p7", None]


def test_who_stands_in_the_table_is_told_with_a_value_or_without() -> None:
    for name in USERS.column_names[1:]:
        in_table = columns_of(USERS, name, ["zoe", "b", "a"])[name].in_table
        assert in_table is not None
        assert in_table.tolist() == [False, True, True]


def test_repeated_users_may_leave_a_value_out_but_not_contradict() -> None:
    users = ["a", "a", "b", "b", "stranger", "stranger"]
    table = pa.table({"user_id": users, "plan": ["x", None, "y", "y", "x", "y"]})
    assert told(columns_of(table, "plan")["plan"]) == ["x", "y", None, None]
    table = pa.table({"user_id": users, "plan": ["x", "y", "y", "x", "x", "x"]})
    with pytest.raises(DataError, match="one value of plan for each user, found different ones for 2 users"):
        columns_of(table, "plan")


@pytest.mark.parametrize(
    ("group_by", "error", "message"),
    [
        ("contry", UsageError, "expected a column contry .*besides user_id there is country, age, is_paying"),
        ("user_id", UsageError, "expected a column user_id"),
        ("activity", UsageError, "cannot group users by activity"),
        ([], UsageError, "--users without --group-by"),
    ],
)
def test_columns_that_cannot_be_are_refused(
    group_by: str | list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        columns_of(USERS, group_by)


@pytest.mark.parametrize("form", ["memory", "parquet", "arrow", "csv", "jsonl"])
def test_names_that_differ_in_case_alone_are_refused_by_name(form: str, tmp_path: Path) -> None:
    table = pa.table({"user_id": LOG, "Land": ["x"] * 4, "land": ["y"] * 4, "Age": [1] * 4})
    path: Any = tmp_path / f"users.{form}"
    if form == "parquet":
        pa.parquet.write_table(table, path)
    elif form == "arrow":
        pyarrow.feather.write_feather(table, str(path), compression="uncompressed")
    elif form == "csv":
        table.to_pandas().to_csv(path, index=False)
    elif form == "jsonl":
        path.write_text("\n".join(map(json.dumps, table.to_pylist())))
    source = table if form == "memory" else path
    for group_by in ("land", ["Land", "land"]):
        with pytest.raises(SchemaError, match="upper and lower case, found Land, land; rename"):
            columns_of(source, group_by)
    if form != "csv":
        assert told(columns_of(source, "Age")["Age"]) == ["1"] * 4


def test_a_column_that_appears_late_in_json_is_found(tmp_path: Path) -> None:
    lines = [json.dumps({"user_id": f"u{i}"} | ({"plan": "x"} if i == 1_500 else {})) for i in range(2_000)]
    (tmp_path / "users.jsonl").write_text("\n".join(lines))
    assert told(columns_of(tmp_path / "users.jsonl", "plan", ["u0", "u1500"])["plan"]) == [None, "x"]
    with pytest.raises(UsageError, match=r"expected a column age .*besides user_id there is plan"):
        columns_of(tmp_path / "users.jsonl", "age")


def test_no_users_at_all_are_refused() -> None:
    with pytest.raises(UsageError, match="expected ids of users"):
        columns_of(USERS, "country", [])


def test_types_that_group_nobody_are_refused() -> None:
    table = pa.table({"user_id": LOG, "since": pa.array([0] * 4, pa.date32()), "tags": [["x"]] * 4})
    for name in ("since", "tags"):
        with pytest.raises(SchemaError, match=f"to group users by in column {name}, found"):
            columns_of(table, name)


def test_a_table_of_other_users_is_refused_without_naming_anyone() -> None:
    with pytest.raises(DataError, match="expected users of the log, found none of them") as error:
        columns_of(USERS, "country", ["secret"])
    assert "secret" not in str(error.value)


def test_bad_rows_are_counted_shown_and_too_many_refused(tmp_path: Path) -> None:
    lines = ["user_id,country", *(f"u{i},DE" for i in range(18)), ",FR", "u18,FR,more", ",AT"]
    (tmp_path / "users.csv").write_text("\n".join(lines) + "\n")
    with opened_users(tmp_path / "users.csv", "country", ImportConfig(max_bad_share=0.2)) as users:
        report = users.report
        assert users.columns_of(["u1"])["country"].names == ("DE",)
    assert (report.n_rows, report.n_good) == (21, 18)
    assert report.reasons == {"empty_user_id": 2, "unreadable_row": 1}
    assert [(e.reason, e.row) for e in report.examples] == [
        ("empty_user_id", 19), ("empty_user_id", 21), ("unreadable_row", 20),
    ]  # fmt: skip
    with pytest.raises(BadRowsError, match=r"at most 10\.0% bad rows"):
        columns_of(tmp_path / "users.csv", "country", ["u1"])
    with pytest.raises(DataError, match="the table of users holds no rows"):
        columns_of(USERS.slice(0, 0), "country")


def test_unreadable_lines_of_json_are_counted(tmp_path: Path) -> None:
    lines = [json.dumps({"user_id": f"u{i}", "country": "DE"}) for i in range(20)]
    lines[3] = "{"
    (tmp_path / "users.jsonl").write_text("\n".join(lines))
    with opened_users(tmp_path / "users.jsonl", "country") as users:
        assert users.report.reasons == {"unreadable_row": 1}
        assert users.report.examples[0].row == 4
