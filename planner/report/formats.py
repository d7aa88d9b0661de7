"""A report as a file: an HTML page, Markdown or JSON, written whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from executor.errors import InputError
from executor.files import is_device
from planner.report.document import Report
from planner.report.html import to_html
from planner.report.markdown import to_markdown
from planner.report.plain import to_json

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "html": to_html,
    "md": to_markdown,
    "json": to_json,
}


def write(report: Report, path: Path, form: str = "html") -> None:
    """Write the report, whole or not at all.

    Raises:
        InputError: the folder is missing, or the file cannot be written.
    """
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected the name of a file")
    content = FORMATS[form](report).encode("utf-8", errors="replace")
    if is_device(path):  # a file in its place would break it for every process
        path.write_bytes(content)
        return
    path = path.resolve()  # a link stays a link
    # Not tempfile: its files are readable by their owner alone, and a report is for others.
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with scratch.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        scratch.unlink(missing_ok=True)
