"""How the worker logs: pretty on a terminal, JSON lines otherwise; knows no message's content."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from typing import TYPE_CHECKING, Literal

import structlog

if TYPE_CHECKING:
    from pathlib import Path


def configure(
    form: Literal["auto", "pretty", "json"] = "auto",
    level: Literal["debug", "info", "warning", "error"] = "info",
    *,
    file: Path | None = None,
    file_bytes: int = 10_000_000,
    files_kept: int = 5,
) -> None:
    """Set up logging for ours and for the libraries' loggers.

    Args:
        form: `auto` is pretty where standard error is a terminal, and JSON lines otherwise.
        level: The least that is logged of ours; of the libraries, never less than a warning.
        file: Where to log instead of standard error; rotated, so that nothing else has to
            (launchd keeps the files it redirects to open, docs/decisions/0012).
        file_bytes: The size at which a file is set aside.
        files_kept: How many are kept besides the one that is written.

    Raises:
        OSError: The file can't be written.

    """
    terminal = file is None and sys.stderr.isatty()
    pretty = form == "pretty" or (form == "auto" and terminal)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if not pretty else _unchanged,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=terminal,
            # The default shows local variables, and so what people said.
            exception_formatter=structlog.dev.plain_traceback,
        )
        if pretty
        else structlog.processors.JSONRenderer()
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _handler(file, file_bytes, files_kept)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    # The libraries' own voices: only what a person must hear.
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("worker").setLevel(number)


def _handler(file: Path | None, file_bytes: int, files_kept: int) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stderr)
    file.parent.mkdir(parents=True, exist_ok=True)
    return logging.handlers.RotatingFileHandler(
        file, maxBytes=file_bytes, backupCount=files_kept, encoding="utf-8"
    )


def _unchanged(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return event
