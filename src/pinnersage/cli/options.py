"""Arguments and flags that several verbs share, each described once."""

from __future__ import annotations

import functools
import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from pinnersage.errors import UsageError

if TYPE_CHECKING:
    from pinnersage.config import BuildConfig

    Config = BuildConfig
else:
    # The signature of a verb is evaluated at start-up, and importing the settings' types takes 0.2 s.
    Config = object


# The choices of pinnersage.config once more, for the same reason; a test holds them together.
TimeUnit = Literal["s", "ms", "us", "ns"]
Dtype = Literal["float32", "float16"]
Clustering = Literal["ward", "complete", "kmeans"]
Representative = Literal["medoid", "centroid"]
Mode = Literal["sampled", "budgeted", "balanced", "ranked"]
Online = Literal["exact", "recent"]
Durability = Literal["disk", "process"]


def _option(*names: str, help: str, panel: str | None = None, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, show_default=False, **more)


_TABLES = "Reading the tables"
_INTERESTS = "Interests"
_RUN = "Running"

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A model made by `pinnersage build`.")]
Users = Annotated[list[str], typer.Argument(metavar="USER...", help="One or more user ids.")]
User = Annotated[str, typer.Argument(metavar="USER", help="A user id.")]
Item = Annotated[str, typer.Argument(metavar="ITEM", help="An item id.")]
Items = Annotated[Path, _option("--items", metavar="F", help="Items: Parquet, Arrow, CSV or JSONL.")]
Actions = Annotated[
    list[Path],
    _option("--actions", metavar="F", help="Actions: Parquet, Arrow, CSV or JSONL; several are one log."),
]
Embeddings = Annotated[
    Path | None,
    _option("--embeddings", metavar="X.npy", panel=_TABLES, help="Embeddings, one row per row of the items."),
]
Now = Annotated[
    str | None,
    _option(
        "--now", metavar="T", help="End of the window: RFC 3339, ISO date or ms. Else the newest action."
    ),
]
ConfigFile = Annotated[
    Path | None,
    _option("--config", metavar="F.toml", panel=_RUN, help="Settings; flags and PINNERSAGE_* go before it."),
]
AllowLeak = Annotated[
    bool,
    typer.Option("--allow-leak", help="Go on with embeddings that were learnt from the days measured."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON only, for programs.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to stderr.")]


class Setting(NamedTuple):
    """A flag that sets one key of the configuration; not given, it is None and sets nothing."""

    flag: str
    key: str
    annotation: Any


def _setting(key: str, flag: str, kind: Any, help: str, panel: str, **more: Any) -> Setting:
    return Setting(
        flag.split("/")[0].lstrip("-").replace("-", "_"),
        key,
        Annotated[kind | None, _option(flag, help=help, panel=panel, **more)],
    )


SETTINGS = (
    _setting(
        "interests.max_merge_cost",
        "--max-merge-cost",
        float,
        "Ward stops before a costlier merge (squared distance).",
        _INTERESTS,
        metavar="A",
    ),
    _setting(
        "interests.decay_per_day", "--decay-per-day", float, "How fast actions lose importance.", _INTERESTS
    ),
    _setting("interests.window_days", "--window-days", float, "Days of actions that count.", _INTERESTS),
    _setting(
        "interests.max_actions", "--max-actions", int, "Newest actions kept of a user's window.", _INTERESTS
    ),
    _setting("interests.clustering", "--clustering", Clustering, "How actions are grouped.", _INTERESTS),
    _setting("interests.n_clusters", "--n-clusters", int, "A fixed number of clusters per user.", _INTERESTS),
    _setting(
        "interests.representative",
        "--representative",
        Representative,
        "What stands for a cluster.",
        _INTERESTS,
    ),
    _setting(
        "interests.drop_singletons",
        "--drop-singletons/--keep-singletons",
        bool,
        "Drop actions that merge with no other (the paper's literal rule).",
        _INTERESTS,
    ),
    _setting("imports.time_unit", "--time-unit", TimeUnit, "Unit of an integer timestamp column.", _TABLES),
    _setting(
        "imports.normalize", "--normalize/--no-normalize", bool, "Scale embeddings to length one.", _TABLES
    ),
    _setting("imports.dtype", "--dtype", Dtype, "Storage type of the embeddings.", _TABLES),
    _setting(
        "imports.embedding_version",
        "--embedding-version",
        str,
        "Name of what made the embeddings; items put online under another are left out.",
        _TABLES,
        metavar="NAME",
    ),
    _setting("imports.strict", "--strict/--lenient", bool, "Refuse any bad row.", _TABLES),
    _setting(
        "imports.max_bad_share",
        "--max-bad-share",
        float,
        "Refuse a table when more than this share of its rows is bad.",
        _TABLES,
    ),
    _setting(
        "imports.memory_limit_mb", "--memory-limit-mb", int, "Memory of the table engine; it spills.", _RUN
    ),
    _setting("n_threads", "--threads", int, "Threads of the build.", _RUN),
    _setting(
        "ranking.fit_ranker", "--ranker/--no-ranker", bool, "Fit a second stage that orders the lists.", _RUN
    ),
    _setting("online.online", "--online", Online, "How later actions reach interests.", _INTERESTS),
    _setting("retrieval.mode", "--mode", Mode, "How `recommend` draws unless told otherwise.", _INTERESTS),
)

# Which arguments of verbs are tables of items, and which have columns as actions have.
_TABLES_READ = (("items",), ("actions", "file", "impressions", "users"))
_MAP = Annotated[
    list[str] | None,
    _option(
        "--map",
        metavar="NAME=COLUMN",
        panel=_TABLES,
        help="item_id=asin reads asin; repeatable. items.item_id=… is of that table alone.",
    ),
]


def check_files(*tables: Path | None, embeddings: Path | None = None) -> None:
    """Tell a path that leads nowhere at once: what verbs import next takes seconds.

    Raises
    ------
    UsageError
        A path does not exist, matches nothing, or has an unknown extension.
    """
    from pinnersage._tables.sources import check_paths

    check_paths(*(path for path in tables if path is not None))
    if embeddings is not None and not embeddings.exists():
        raise UsageError(f"{embeddings}: no such file. Check the path of the embeddings.")


def parse_map(pairs: list[str] | None) -> dict[str, str] | None:
    """Return ``["item_id=asin"]`` as ``{"item_id": "asin"}``; None for no pair at all.

    Raises
    ------
    UsageError
        A pair has no name, no column or no ``=``, or a name comes twice.

    Examples
    --------
    >>> parse_map(["item_id=asin", "timestamp=t"])
    {'item_id': 'asin', 'timestamp': 't'}
    """
    columns: dict[str, str] = {}
    for pair in pairs or []:
        name, equals, column = pair.partition("=")
        if not (name and equals and column) or name in columns:
            raise UsageError(
                f"expected --map NAME=COLUMN, each name once, got {pair!r}; where items and actions name it "
                f"differently: --map items.item_id=… --map actions.item_id=…"
            )
        columns[name] = column
    return columns or None


def _paths(given: Path | Sequence[Path] | None) -> Sequence[Path]:
    return [given] if isinstance(given, Path) else given or ()


class Read(NamedTuple):
    """Tables as they were named on the command line, and the import's fields with which they were read."""

    items: Path
    actions: Sequence[Path]
    embeddings: Path | None
    imports: Mapping[str, Any]


def actions_flags(actions: Sequence[Path] | None) -> str:
    """Return the flags that name a log, for a command to be copied."""
    return " ".join(f"--actions {shlex.quote(str(path))}" for path in actions or ("F",))


def reading_flags(imports: Mapping[str, Any], *, of: Sequence[str]) -> str:
    """Return the flags that read the tables named the same way again, each with a space before it.

    Parameters
    ----------
    imports
        Fields of :class:`~pinnersage.config.ImportConfig`.
    of
        ``items``, ``actions``, or both: what the command to be copied reads as the user gave it.
    """
    from pinnersage._tables.columns import ACTION_COLUMNS, ITEM_COLUMNS, tables_of

    names = {"items": ITEM_COLUMNS, "actions": ACTION_COLUMNS}
    flags = []
    for name, column in imports["columns"].items():
        kind, plain = tables_of(name)
        if any(plain in names[table] for table in of if kind in ("", table)):
            flags.append(f"--map {shlex.quote(f'{name}={column}')}")
    unit = imports["time_unit"]
    return "".join(f" {flag}" for flag in [*flags, *([f"--time-unit {unit}"] if unit else [])])


def _check_map(columns: dict[str, str], given: Mapping[str, Any]) -> None:
    """Refuse a flag for a column that is not there; a settings file may serve verbs with other tables."""
    from pinnersage._tables.mapped import check_mapped

    items, logs = ([path for name in names for path in _paths(given.get(name))] for names in _TABLES_READ)
    check_mapped(columns, items, logs)


def with_settings(
    *, section: str | None = None, **defaults: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the flags of all settings, or of one section; it receives them merged, as ``config``.

    ``defaults`` are the verb's own, by the flag's name: ``mode="budgeted"``.
    """
    settings = [s for s in SETTINGS if section is None or s.key.startswith(f"{section}.")]
    keys = {setting.flag: setting.key for setting in settings}
    own = {keys[flag]: value for flag, value in defaults.items()}
    return functools.partial(_with_settings, own, settings)


def _with_settings(
    defaults: dict[str, Any], settings: Sequence[Setting], verb: Callable[..., None]
) -> Callable[..., None]:
    inner = inspect.signature(verb, eval_str=True)
    own = [p for p in inner.parameters.values() if p.name != "config"]
    added = [_parameter("config_file", ConfigFile), _parameter("map_columns", _MAP)]
    added += [_parameter(setting.flag, setting.annotation) for setting in settings]

    @functools.wraps(verb)
    def wrapper(config_file: Path | None, map_columns: list[str] | None, **given: Any) -> None:
        from pinnersage.cli.settings import load_config

        flags = {setting.key: given.pop(setting.flag) for setting in settings}
        flags["imports.columns"] = columns = parse_map(map_columns)
        if columns is not None:
            _check_map(columns, given)
        verb(config=load_config(config_file, flags, defaults), **given)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in [*own, *added]]
    wrapper.__signature__ = inner.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
