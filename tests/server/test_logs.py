"""The log: a line each, as text or as JSON."""

from __future__ import annotations

import json
import logging
import logging.config
import re
import sys
from typing import Any

import pytest

from voiceprint.server.logs import JsonFormatter, TextFormatter, log_config


def record(message: str = "the disk of %s is full", **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("voiceprint.server", logging.ERROR, "x.py", 1, message, ("a store",), None)
    made.__dict__.update(extra)
    return made


def test_text_has_time_level_and_process() -> None:
    line = TextFormatter().format(record())
    pattern = (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ERROR voiceprint\.server \[\d+\] the disk of a store is full"
    )
    assert re.fullmatch(pattern, line)


def test_json_is_one_object_a_line_with_the_request_and_the_trace() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        made = record(request_id="call-17", exc_info=sys.exc_info())
    line = JsonFormatter().format(made)
    fields = json.loads(line)
    assert "\n" not in line
    assert (fields["level"], fields["message"], fields["request_id"]) == (
        "ERROR",
        "the disk of a store is full",
        "call-17",
    )
    assert fields["trace"].endswith("ValueError: two\nlines")


@pytest.mark.parametrize("as_json", [True, False])
def test_what_clients_send_wrong_does_not_fill_the_log(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        logging.config.dictConfig(log_config(as_json=as_json))
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        logging.getLogger("voiceprint.server").error("worker 1 died")
    finally:
        logging.getLogger().handlers[:], level = kept
        logging.getLogger().setLevel(level)
    (line,) = capsys.readouterr().err.splitlines()
    assert "worker 1 died" in line
