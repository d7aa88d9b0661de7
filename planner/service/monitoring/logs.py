"""Structured logs: one JSON object a line, without questions and answers by default.

An error is logged with its type and stack frames only, because its message may quote a question.
For the same reason a request is logged with the path of its route, and never with its own path.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from executor.json_values import finite

LOGGER = "apportion.service"
_MAX_FRAMES = 8


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time, level, event, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info is not None and isinstance(record.exc_info[1], BaseException):
            line |= describe_error(record.exc_info[1])
        return json.dumps(finite(line), default=str)


class ServiceLog:
    """Writes events to a stream.

    Args:
        stream: the stream; None: stderr.
        prompts: whether questions and answers are written too.
    """

    def __init__(self, stream: TextIO | None = None, *, prompts: bool = False) -> None:
        self.prompts = prompts
        self._handler = logging.StreamHandler(stream or sys.stderr)
        self._handler.setFormatter(JsonFormatter())
        # Not in the tree of loggers, so that two servers of one process keep their lines apart.
        self._logger = logging.Logger(LOGGER, logging.INFO)
        self._logger.addHandler(self._handler)

    def info(self, event: str, **fields: Any) -> None:
        """Log a normal event."""
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: Any) -> None:
        """Log an event that somebody should look at."""
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, error: BaseException, **fields: Any) -> None:
        """Log a failure."""
        details = describe_error(error) | ({"message": str(error)} if self.prompts else {})
        self._logger.error(event, extra={"fields": fields | details})

    def adopt(self, *names: str) -> None:
        """Write the lines of other loggers in the same format."""
        for name in names:
            logger = logging.getLogger(name)
            logger.handlers[:] = [self._handler]
            logger.propagate = False


def describe_error(error: BaseException) -> dict[str, Any]:
    """Return an error's type and innermost stack frames, without its message."""
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    locations = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
              for frame in frames]  # fmt: skip
    return {"error": type(error).__name__, "through": locations}
