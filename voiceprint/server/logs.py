"""The server's log: a line each, with time, level and what it is about; as JSON where that is wanted."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any


class TextFormatter(logging.Formatter):
    """``2026-01-31T12:00:00.123Z ERROR voiceprint.server.problems [4711] message``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as text; an error's trace follows on lines of its own."""
        line = f"{_time(record)} {record.levelname} {record.name} [{record.process}] {record.getMessage()}"
        return line + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as JSON, with the request it is about where there is one."""
        fields: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        request = getattr(record, "request_id", None)
        if request is not None:
            fields["request_id"] = request
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def log_config(*, as_json: bool) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes, for each process of a server.

    What uvicorn warns of is what clients send, who must not be able to fill a disk with it; its errors stay.
    """
    formatter = JsonFormatter if as_json else TextFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"server": {"()": f"{formatter.__module__}.{formatter.__qualname__}"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "server"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "voiceprint": {"level": "INFO"},
            "uvicorn.error": {"level": "ERROR"},
            "uvicorn.access": {"level": "CRITICAL"},
        },
    }


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
