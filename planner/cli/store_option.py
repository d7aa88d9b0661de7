"""Where a command's store is: of an option, of a file, or of the environment."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from os.path import lexists
from pathlib import Path

from executor.errors import InputError
from executor.files import read_whole

STORE_VARIABLE = "APPORTION_STORE"


def store_url(arguments: Namespace, environment: Mapping[str, str]) -> str | None:
    """Return the URL of a command's store.

    A URL with a password belongs into a file or into the environment: other users of the machine
    can read command lines.

    Args:
        arguments: with `store`, `store_file` and `default_store`.
        environment: variables; APPORTION_STORE counts if no option is given.

    Returns:
        The URL; None if the command has no default of its own.

    Raises:
        InputError: both options are given, or the file or the variable holds no URL.
    """
    file: Path | None = arguments.store_file
    if file is not None:
        if arguments.store is not None:
            raise InputError("--store and --store-file are both given; leave one of them out")
        return _read(file)
    if arguments.store is not None:
        return str(arguments.store)
    default: str | None = arguments.default_store
    if default is None:  # the demo's store is in its folder, and does not mix with a team's
        return None
    if STORE_VARIABLE not in environment:
        return default
    url = environment[STORE_VARIABLE].strip()
    if not url:
        raise InputError(f"{STORE_VARIABLE} is empty; expected the URL of a store (or unset it)")
    return url


def is_named(arguments: Namespace) -> bool:
    """Whether an option of the command names its store."""
    return arguments.store is not None or arguments.store_file is not None


def check_exists(arguments: Namespace, *, named: bool) -> str | None:
    """Check that the store of a command that only reads exists, unless nobody has named it.

    Without a store such commands answer from bundled evidence, which is not what somebody wants who
    has named one in this command. The environment names one for all commands, and the first of them
    have not made it yet: they answer, with a remark.

    Args:
        arguments: with `store`, as `store_url` returns it, `default_store` and `makes_store`.
        named: whether an option of the command names the store.

    Returns:
        The remark, if the store that the environment names does not exist.

    Raises:
        InputError: the file of the store that the command names does not exist; or the store is a
            folder.
    """
    if arguments.makes_store or arguments.store in (None, arguments.default_store):
        return None
    from executor.store.address import parse, shown, sqlite_file

    parsed = parse(arguments.store)
    path = sqlite_file(parsed) if parsed.get_backend_name() == "sqlite" else None
    if path is None:
        return None
    from executor.store.database import check_sqlite_file

    store = shown(arguments.store)
    if named or lexists(path):
        check_sqlite_file(store, path, create=False)
        return None
    return (
        f"store {store}: there is no such file yet; {STORE_VARIABLE} names it. "
        "Only bundled evidence counts"
    )


def _read(file: Path) -> str:
    """Return the one line of a file that is no comment."""
    raw = read_whole(file, "a file with one line, the URL of the store", "--store-file")
    try:
        lines = [line.strip() for line in raw.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise InputError(f"--store-file {file}: not UTF-8; save the file as UTF-8") from None
    urls = [line for line in lines if line and not line.startswith("#")]
    if len(urls) != 1:
        raise InputError(
            f"--store-file {file}: has {len(urls)} lines; expected one, with the URL of the store"
        )
    return urls[0]
