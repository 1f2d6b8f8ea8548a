"""Every error of the tree has its exit code, and defects keep their traceback."""

import json
from collections.abc import Callable, Iterator, Sequence

import pytest
import typer

from pinnersage import errors
from pinnersage.cli import exits

CODES = {
    errors.UsageError: 2,
    errors.DataError: 3,
    errors.SchemaError: 3,
    errors.BadRowsError: 3,
    errors.StoredFormatError: 3,
    errors.NotFoundError: 4,
    errors.ModelNotFoundError: 4,
    errors.UserNotFoundError: 4,
    errors.ItemNotFoundError: 4,
    errors.UnavailableError: 5,
    errors.BuildInProgressError: 5,
    errors.StorageFullError: 5,
    errors.WouldWaitError: 5,
}


def every_error(base: type[errors.PinnerSageError] = errors.PinnerSageError) -> Iterator[type]:
    for child in base.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from every_error(child)


def raising(error: BaseException) -> Callable[[Sequence[str]], int | None]:
    def command(_args: Sequence[str]) -> int | None:
        raise error

    return command


def test_the_table_holds_the_whole_tree() -> None:
    assert set(every_error()) == set(CODES)


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_text_goes_to_stderr_and_the_code_out(
    kind: type[Exception], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exits.run(raising(kind("expected x, got y")), ["build"]) == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Error: expected x, got y\n")


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_json_errors_are_one_object(
    kind: type[Exception], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exits.run(raising(kind("expected x,\ngot y")), ["build", "--json"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {"error": {"type": kind.__name__, "message": "expected x,\ngot y"}}
    assert err.count("\n") == 1


def test_a_complaint_of_the_parser_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert exits.run(raising(typer.BadParameter("no such thing")), ["--json"]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["type"] == "UsageError"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), typer.Abort()])
def test_an_interrupt_is_130(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert exits.run(raising(error), []) == 130
    assert capsys.readouterr().err == "Error: interrupted\n"


@pytest.mark.parametrize(("error", "told"), [(MemoryError(), ""), (MemoryError("8 GiB"), " (8 GiB)")])
def test_out_of_memory_is_unavailable(
    error: BaseException, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exits.run(raising(error), []) == 5
    assert capsys.readouterr().err == f"Error: out of memory{told}: allow more, or work on less at once\n"


def test_a_chosen_exit_is_kept() -> None:
    assert exits.run(raising(typer.Exit(4)), []) == 4
    assert exits.run(lambda _args: None, []) == 0


def test_defects_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        exits.run(raising(ZeroDivisionError()), [])
