"""Structured logs: a JSON object a line, without what was asked and answered unless told to.

Errors are logged by their type and the places they came through: their messages may quote a
question. For the same reason requests are logged by the path of their route, never by their own.
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
_DEEPEST = 8


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, event, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info is not None and isinstance(record.exc_info[1], BaseException):
            line |= described(record.exc_info[1])
        return json.dumps(finite(line), default=str)


class Log:
    """Writes events.

    Args:
        stream: where to; None: stderr.
        prompts: whether questions and answers are written, too.
    """

    def __init__(self, stream: TextIO | None = None, *, prompts: bool = False) -> None:
        self.prompts = prompts
        self._handler = logging.StreamHandler(stream or sys.stderr)
        self._handler.setFormatter(JsonFormatter())
        # Not in the tree of loggers: two servers of one process keep their lines apart.
        self._logger = logging.Logger(LOGGER, logging.INFO)
        self._logger.addHandler(self._handler)

    def info(self, event: str, **fields: Any) -> None:
        """Something that is as it should be."""
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: Any) -> None:
        """Something that somebody should look at."""
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, error: BaseException, **fields: Any) -> None:
        """A failure."""
        told = described(error) | ({"message": str(error)} if self.prompts else {})
        self._logger.error(event, extra={"fields": fields | told})

    def adopt(self, *names: str) -> None:
        """Write what other loggers have to say in the same form."""
        for name in names:
            logger = logging.getLogger(name)
            logger.handlers[:] = [self._handler]
            logger.propagate = False


def described(error: BaseException) -> dict[str, Any]:
    """An error without its message: its type, and the innermost places it came through."""
    frames = traceback.extract_tb(error.__traceback__)[-_DEEPEST:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
              for frame in frames]  # fmt: skip
    return {"error": type(error).__name__, "through": places}
