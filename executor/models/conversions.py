"""What surrounds a conversion into a checkpoint folder: its lock, and the room that it needs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from executor.errors import InputError, one_line
from executor.files import is_folder

_BYTES = 2  # of a parameter in bfloat16
_GB = 1e9


def is_converted(target: Path) -> bool:
    """Whether a conversion is there; a folder that appears, appears whole."""
    return is_folder(target) and (target / "config.json").is_file()


def convert_once(target: Path, make: Callable[[], None]) -> None:
    """Call `make` if `target` is not converted yet, in one process and thread at a time.

    Args:
        target: the checkpoint folder.
        make: makes it; others that want the same folder wait meanwhile, and then use it.

    Raises:
        InputError: the cache folder cannot be written.
    """
    if is_converted(target):
        return
    with _locked(target):
        if not is_converted(target):
            _remove_stale(target)
            make()


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Hold the lock of a target, which also shows that its folder can be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = (target.parent / f".{target.name}.lock").open("ab")
    except OSError as error:
        raise unwritable(target.parent, error) from None
    with file:
        try:
            import fcntl
        except ImportError:  # Windows: two processes may both convert, and the first one counts
            yield
            return
        # A file system without locks is no reason to refuse.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_stale(target: Path) -> None:
    """Remove scratch folders of this target that a killed process left; call it with the lock."""
    # Eight characters by tempfile: the folders of a target with a longer name do not match.
    scratch = re.compile(re.escape(f".{target.name}-") + r"[a-z0-9_]{8}")
    for path in target.parent.iterdir():
        if scratch.fullmatch(path.name) and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def unwritable(folder: Path, error: Exception) -> InputError:
    """Return the error to raise if a folder of the cache cannot be written."""
    reason = one_line((isinstance(error, OSError) and error.strerror) or str(error) or repr(error))
    return InputError(
        f"cache folder {folder}: cannot be written ({reason}); "
        "free some space, or name another folder with the variable APPORTION_CACHE"
    )


def check_room(named: str, folder: Path, parameters: int, largest: int) -> None:
    """Check that memory and disk have room for a conversion to 16 bits a weight.

    Args:
        named: the model, for messages.
        folder: folder of the cache, which exists.
        parameters: number of weights.
        largest: number of weights of the largest tensor, which is read in 32 bits and copied.

    Raises:
        InputError: there is too little of one.
    """
    import psutil

    for what, need, free in (
        ("memory", _BYTES * parameters + 8 * largest, psutil.virtual_memory().available),
        (
            f"space in the cache folder {folder}",
            _BYTES * parameters,
            shutil.disk_usage(folder).free,
        ),
    ):
        if need > free:
            raise InputError(
                f"{named}: its conversion needs {need / _GB:.1f} GB of {what}, "
                f"and {free / _GB:.1f} GB are free"
            )
