"""Readers of TOML from users; a wrong file is an error of one line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from executor.errors import InputError
from executor.files import read_whole


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read the tables of a file.

    Args:
        path: path of the file.
        what: kind of the file, for messages.

    Raises:
        InputError: the file cannot be read or is not TOML; the message names the line.
    """
    where = f"{what} {path}"
    raw = read_whole(path, "a TOML file", what)
    try:
        return parse_toml(raw.decode("utf-8-sig"), where)
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not TOML ({error})") from None


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Read the tables of a text.

    Args:
        text: the TOML text.
        where: origin of the text, for messages.

    Raises:
        InputError: the text is not TOML; the message names the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not TOML ({error})") from None
