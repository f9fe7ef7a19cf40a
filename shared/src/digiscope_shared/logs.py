"""Structured logs: one line an event; JSON where a machine reads, columns on a terminal."""

import logging
import sys
from contextlib import AbstractContextManager
from typing import Any, Final

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from digiscope_shared.traceparent import trace_id

# Without local variables: an image's bytes and a patient's findings stand in them.
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))


def configure(*, level: str = "info", json: bool | None = None) -> None:
    """Set up logging for this process, on standard error. Call once, from `__main__`."""
    as_json = not sys.stderr.isatty() if json is None else json
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _TRACEBACKS if as_json else structlog.processors.StackInfoRenderer(),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        # Looked up at each call: a terminal that redirects stderr, or a test that captures it, sees the lines.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def trace_context(capture_id: str, traceparent: str) -> AbstractContextManager[None]:
    """Bind a capture and its trace to every line logged inside the `with` block."""
    return structlog.contextvars.bound_contextvars(capture_id=capture_id, trace=trace_id(traceparent))
