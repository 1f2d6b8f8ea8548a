"""Structured logs: one JSON object a line on stderr, without ids of users."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from typing import Any, BinaryIO, cast

import msgspec
import structlog


def configure_logs(level: str = "info") -> None:
    """Send lines of this level and worse to stderr as JSON; those of server and model among them."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _to_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(file=cast("BinaryIO", _Unfailing(sys.stderr.buffer))),
        cache_logger_on_first_use=True,
    )
    handler = _ToStructlog()
    for name in ("pinnersage", "uvicorn", "uvicorn.error"):
        logger, is_part = logging.getLogger(name), "." in name
        logger.handlers, logger.propagate = [] if is_part else [handler], is_part
        logger.setLevel(max(number, logging.WARNING))


class _Unfailing(io.RawIOBase):
    """A stream without errors: a full disk, or a pipe that nobody reads, loses lines and fails no request."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, line: Any) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line)
        return len(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _to_json(_logger: Any, _method: str, line: Any) -> bytes:
    return msgspec.json.encode(line, enc_hook=str)


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.exc_info:
            structlog.get_logger().log(record.levelno, message, exc_info=record.exc_info)
        else:
            structlog.get_logger().log(record.levelno, message)
