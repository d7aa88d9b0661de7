"""SQLite stores on a disk, in a folder or in a file that this process cannot write.

SQLite keeps a log and an index of it beside the file, also for readers, so that it fails where it
cannot make them unless it is told not to.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL


def is_writable(path: Path) -> bool:
    """Whether this process can write a store's file, and make others beside it."""
    # Root could write a read-only file; the mark holds for root too.
    marked = path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    return bool(marked) and os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)


def read_only(url: URL, path: Path) -> URL:
    """Return the URL by which SQLite reads a store's file and writes nothing.

    If another process left a log beside it, SQLite must read that too; else the file is all there
    is, and counts as one that nobody changes.

    Args:
        url: the store's URL.
        path: its file.
    """
    log = path.with_name(f"{path.name}-wal")
    logged = log.exists() and log.stat().st_size > 0
    options = {"uri": "true", "mode": "ro"} | ({} if logged else {"immutable": "1"})
    file = url.set(database=f"file:{quote(str(path.absolute()))}")
    return file.update_query_dict(options)
