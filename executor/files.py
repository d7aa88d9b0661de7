"""The project's folders, and files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from executor.errors import InputError, one_line

_LONGEST_PATH = 300  # characters of a path in a message


def data_folder() -> Path:
    """Return the project's folder `data/`, in the source tree or inside an installed wheel."""
    root = Path(__file__).resolve().parent.parent
    installed = root / "planner" / "data"
    return installed if installed.is_dir() else root / "data"


def cache_folder() -> Path:
    """Return the user's cache folder of this project; the variable APPORTION_CACHE moves it."""
    chosen = os.environ.get("APPORTION_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("apportion"))


def is_folder(name: str | Path) -> bool:
    """Return whether a folder has this name; no folder has one that is too long for a file."""
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def read_whole(path: Path, needed: str, what: str = "") -> bytes:
    """Return the bytes of a file that a user named.

    Args:
        path: the file.
        needed: what would be right, with its article.
        what: what the file is for, which messages put before its path.

    Raises:
        InputError: there is no such file, it is a folder, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise unreadable(path, error, needed, what) from None


def unreadable(path: Path, error: Exception, needed: str, what: str = "") -> InputError:
    """Return the error to raise for a file that cannot be read; see `read_whole`."""
    match error:
        case FileNotFoundError():
            reason = "no such file"
        case IsADirectoryError():
            reason = "is a folder"
        case OSError():
            reason = f"cannot be read ({error.strerror or error})"
        case _:  # a name with a character that no name has
            reason = f"cannot be read ({error})"
    where = one_line(f"{what} {path}".strip(), _LONGEST_PATH)
    return InputError(f"{where}: {reason}; expected {needed}")


def is_device(path: Path) -> bool:
    """Whether a path leads to what is neither file nor folder: a device, a pipe or a socket."""
    return path.exists() and not path.is_file() and not path.is_dir()


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that it appears whole or not at all.

    A link stays a link, and what it leads to is written. What is no file, as /dev/stdout or
    /dev/null, is written to: a file in its place would break it for every process.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        if is_device(path):
            path.write_text(text, encoding="utf-8")
            return
        path = path.resolve()
        handle, scratch = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(scratch, 0o644)
            os.replace(scratch, path)
        except BaseException:
            os.unlink(scratch)
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


@contextmanager
def written_whole(target: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a scratch folder that becomes `target` at the end, so `target` is never half written.

    Args:
        target: path of the finished folder. If the block fails, an existing folder stays.
        replace: whether the new folder takes the place of one that exists by then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch, old = (
        Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent)) for _ in range(2)
    )
    try:
        yield scratch
        # Only its owner may read a scratch folder; a checkpoint follows the umask.
        umask = os.umask(0)
        os.umask(umask)
        scratch.chmod(0o777 & ~umask)
        if replace and target.exists():
            target.rename(old / target.name)
        if not target.exists():
            scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
