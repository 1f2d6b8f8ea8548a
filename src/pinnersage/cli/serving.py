"""The verb ``serve``: a model over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pinnersage.cli import options
from pinnersage.cli.output import write_json
from pinnersage.errors import PinnerSageError, UnavailableError, UsageError, install_hint

if TYPE_CHECKING:
    from pinnersage.serving.settings import ServiceSettings

Level = Literal["debug", "info", "warning", "error"]
_BOUNDS, _LOGS = "Bounds", "Logs"


def _option(*names: str, help: str, panel: str | None = None, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


Host = Annotated[str, _option("--host", help="Address to listen on; beyond this machine only with --keys.")]
Port = Annotated[int, _option("--port", min=0, max=65_535, help="0 takes a free one.")]
Workers = Annotated[int, _option("--workers", min=1, max=256, help="Processes that share the port.")]
Keys = Annotated[
    Path | None,
    _option("--keys", metavar="FILE", help="API keys: see `pinnersage keys`.", show_default=False),
]
AllowedHosts = Annotated[
    list[str] | None,
    _option(
        "--allowed-host", metavar="NAME", show_default=False,
        help="Host name that is answered, besides this machine's; repeatable. With --keys: all.",
    ),
]  # fmt: skip
CorsOrigins = Annotated[
    list[str] | None,
    _option(
        "--cors-origin", metavar="ORIGIN", show_default=False,
        help="Origin, such as https://app.example.org, whose pages may call /v1; repeatable.",
    ),
]  # fmt: skip
PictureOrigins = Annotated[
    list[str] | None,
    _option(
        "--picture-origin", metavar="ORIGIN", show_default=False,
        help="Origin that the page may load pictures of items from; repeatable.",
    ),
]  # fmt: skip
HowDurable = Annotated[
    options.Durability,
    _option("--durability", help="disk: an acknowledged action survives a power cut. process: a kill -9."),
]
MaxK = Annotated[int, _option("--max-k", min=1, panel=_BOUNDS, help="Longest list.")]
MaxBody = Annotated[int, _option("--max-body-mb", min=1, panel=_BOUNDS, help="Largest body.")]
Rate = Annotated[
    float,
    _option("--rate-limit", min=0, panel=_BOUNDS, help="Requests/s of a key or address and worker; 0: none."),
]
ReadTimeout = Annotated[
    float,
    _option("--read-timeout", min=0.1, panel=_BOUNDS, help="Seconds for a head, and for a body, to come."),
]
WriteTimeout = Annotated[
    float,
    _option("--write-timeout", min=0.1, panel=_BOUNDS, help="Seconds without reading of the answer."),
]
RequestTimeout = Annotated[
    float,
    _option("--request-timeout", min=0.1, panel=_BOUNDS, help="Seconds to answer a request."),
]
MaxParked = Annotated[
    int, _option("--max-parked", min=0, panel=_BOUNDS, help="Actions that wait for unknown items, at most.")
]
LogLevel = Annotated[Level, _option("--log-level", panel=_LOGS, help="Lines of this level and worse.")]
AccessLog = Annotated[
    bool, _option("--access-log/--no-access-log", panel=_LOGS, help="A line for each request.")
]
LogUserIds = Annotated[bool, _option("--log-user-ids", panel=_LOGS, help="Paths, and so user ids, in lines.")]
Otel = Annotated[bool, _option("--otel", panel=_LOGS, help="OpenTelemetry traces, as OTEL_* variables say.")]

Settings = Annotated[
    Path | None,
    _option(
        "--config", metavar="F.toml", show_default=False,
        help="Lists are drawn as its [retrieval] says, not as the model's; PINNERSAGE_* go before it.",
    ),
]  # fmt: skip


def serve(
    directory: options.Directory,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    workers: Workers = 1,
    keys: Keys = None,
    allowed_hosts: AllowedHosts = None,
    cors_origins: CorsOrigins = None,
    picture_origins: PictureOrigins = None,
    durability: HowDurable = "disk",
    max_k: MaxK = 1_000,
    max_body_mb: MaxBody = 8,
    rate_limit: Rate = 5_000,
    read_timeout: ReadTimeout = 10.0,
    write_timeout: WriteTimeout = 30.0,
    request_timeout: RequestTimeout = 30.0,
    max_parked: MaxParked = 100_000,
    log_level: LogLevel = "info",
    access_log: AccessLog = True,
    log_user_ids: LogUserIds = False,
    otel: Otel = False,
    config_file: Settings = None,
    as_json: options.AsJson = False,
) -> None:
    """Serve a model over HTTP: actions in, interests and recommendations out, and a page that shows them."""
    check_installed()
    from pinnersage.serving.settings import ServiceSettings

    _check_reach(host, keys)
    bounds = ServiceSettings(
        max_k=max_k, max_body_bytes=max_body_mb * 2**20, rate_per_s=rate_limit, access_log=access_log,
        log_user_ids=log_user_ids, read_timeout_s=read_timeout, write_timeout_s=write_timeout,
        request_timeout_s=request_timeout,
    )  # fmt: skip
    served = ServedModel(
        directory, bounds, keys, tuple(allowed_hosts or ()) if keys is None else None, log_level, otel,
        _model(directory, config_file, durability=durability, max_parked=max_parked),
        _origins(cors_origins, "--cors-origin"), _origins(picture_origins, "--picture-origin"),
    )  # fmt: skip
    served.check()
    _run(served, _Told(directory, host, port, workers, as_json))


def _model(directory: Path, config_file: Path | None, **options: Any) -> dict[str, Any]:
    """Return what the model is opened with."""
    from pinnersage.cli.served_settings import served_retrieval

    return options | {"retrieval": served_retrieval(directory, config_file)}


def _check_reach(host: str, keys: Path | None) -> None:
    from pinnersage.serving.running import is_loopback

    if keys is None and not is_loopback(host):
        raise UsageError(
            f"expected --keys FILE with --host {host}, which others can reach; make a key with "
            "`pinnersage keys add FILE NAME`, or stay on 127.0.0.1"
        )


def _origins(given: list[str] | None, option: str) -> tuple[str, ...]:
    from pinnersage.serving.origins import checked_origin

    try:
        return tuple(map(checked_origin, given or ()))
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from None


@dataclass(frozen=True)
class ServedModel:
    """Makes the application, in this process or in a worker."""

    directory: Path
    bounds: ServiceSettings
    keys: Path | None
    allowed_hosts: tuple[str, ...] | None
    log_level: Level
    otel: bool
    model: dict[str, Any] = field(default_factory=dict)
    cors_origins: tuple[str, ...] = ()
    picture_origins: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise before anything listens if the application cannot be made."""
        from pinnersage.serving.keys import read_keys
        from pinnersage.store.generations import GenerationDirectory

        GenerationDirectory(self.directory).current()
        if self.keys is not None and not read_keys(self.keys):
            raise UsageError(f"{self.keys} holds no key; make one: pinnersage keys add {self.keys} NAME")

    def create(self) -> Any:
        """Open the model and return the application that serves it."""
        from pinnersage.model.live import LiveModel
        from pinnersage.serving.app import create_app
        from pinnersage.serving.collecting import settle_collector
        from pinnersage.serving.connections import BoundedProtocol
        from pinnersage.serving.keys import KeyRing
        from pinnersage.serving.logs import configure_logs
        from pinnersage.serving.page import Page

        configure_logs(self.log_level)
        BoundedProtocol.head_timeout_s = self.bounds.read_timeout_s
        BoundedProtocol.write_timeout_s = self.bounds.write_timeout_s
        keys = None if self.keys is None else KeyRing(self.keys)
        around = None
        if self.otel:
            from pinnersage.serving.tracing import tracing

            around = tracing()
        backend = LiveModel.open(self.directory, swaps_warm=True, **self.model)
        app = create_app(
            backend, self.bounds, keys=keys, allowed_hosts=self.allowed_hosts, around=around,
            cors_origins=self.cors_origins, plugins=[Page(self.picture_origins)],
        )  # fmt: skip
        app.on_startup.append(settle_collector)
        return app

    def __call__(self) -> Any:
        """Return the application in a worker, or end the worker for good."""
        import structlog

        from pinnersage.serving.running import exit_unstarted

        try:
            return self.create()
        except PinnerSageError as error:
            structlog.get_logger().error("cannot start", error=type(error).__name__, detail=str(error))
            exit_unstarted()


@dataclass(frozen=True)
class _Told:
    directory: Path
    host: str
    port: int
    n_workers: int
    as_json: bool

    def tell(self) -> None:
        shown = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        url = f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}"
        if self.as_json:
            write_json({"url": url, "page_url": f"{url}/", "schema_url": f"{url}/schema",
                        "model": str(self.directory), "n_workers": self.n_workers})  # fmt: skip
            return
        typer.echo(f"Serving {self.directory} on {url}")
        typer.echo(f"  page     {url}/")
        typer.echo(f"  OpenAPI  {url}/schema")
        typer.echo(f"  try      curl '{url}/v1/users/USER/recommendations?k=10'")


def _run(served: ServedModel, told: _Told) -> None:
    from pinnersage.serving.running import bind, run_one, run_several

    bound, timeout_s = bind(told.host, told.port), served.bounds.shutdown_timeout_s
    told = replace(told, port=bound.getsockname()[1])
    if told.n_workers == 1:
        app = served.create()
        told.tell()
        run_one(app, bound, timeout_s)
        return
    import os

    from pinnersage.serving.logs import configure_logs
    from pinnersage.serving.metrics_folder import metrics_folder

    configure_logs(served.log_level)  # The first process has things to say, too.
    with metrics_folder() as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        told.tell()
        run_several(served, bound, told.n_workers, timeout_s, folder)


def check_installed() -> None:
    """Raise if the packages of a service are not there."""
    try:
        import litestar  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UnavailableError(
            f"`pinnersage serve` needs the package {error.name}: {install_hint('serve')}"
        ) from None
