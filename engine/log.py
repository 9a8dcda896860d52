"""Logging: structlog, as JSON lines or coloured on a terminal, always to standard error.

Standard output belongs to what a command prints. py-cord, uvicorn and pykka log through the standard library;
what they say from WARNING on takes the same way.
"""

import json
import logging
import sys
from collections.abc import Iterable
from typing import Any, Literal, TextIO
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# A shorter one would blot out parts of ordinary words.
_SECRET_MIN_LENGTH = 4
_HIDDEN = "***"
# py-cord says at each start that it cannot play sound; nobody asked it to.
_NOISE = "voice will NOT be supported"


def configure(
    process: str,
    *,
    level: str = "info",
    form: Literal["auto", "json", "console"] = "auto",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Set up logging for this process; each line names ``process`` and holds no value in ``secrets``."""
    sink = _Sink(stream or sys.stderr)
    console = form == "console" or (form == "auto" and sink.isatty())
    ending: list[Processor] = [*_ending(console), _Redactor(secrets)]
    beginning = _beginning(process, console)
    structlog.configure(
        processors=[*beginning, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sink),  # type: ignore[arg-type]  # it only writes and flushes
        cache_logger_on_first_use=True,
    )
    _take_over_stdlib(sink, beginning, ending)


def _beginning(process: str, console: bool) -> list[Processor]:
    def add_process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    moment = (
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
        if console
        else structlog.processors.TimeStamper(fmt="iso", utc=True)
    )
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        add_process,
        moment,
    ]


def _ending(console: bool) -> list[Processor]:
    if console:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=True, exception_formatter=plain, pad_event_to=24)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]


def _take_over_stdlib(sink: "_Sink", beginning: list[Processor], ending: list[Processor]) -> None:
    handler = logging.StreamHandler(sink)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*beginning, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    handler.addFilter(lambda record: not record.getMessage().endswith(_NOISE))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


class _Redactor:
    """The last processor: hides secrets in the finished line, wherever in it they came from."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) >= _SECRET_MIN_LENGTH:
                forms |= {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, _logger: WrappedLogger, _method: str, line: Any) -> str:
        text: str = line
        for form in self._forms:
            text = text.replace(form, _HIDDEN)
        return text


class _Sink:
    """Standard error whose reader may go away: a lost log line must not fail what was logged."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # ValueError: closed
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def isatty(self) -> bool:
        return self._stream.isatty()
