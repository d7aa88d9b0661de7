"""The files of an import: a file, a folder or a tar archive of them, read as they come."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from executor.errors import InputError
from profiling.importers.fields import Fields
from profiling.problems.file_bytes import decode
from profiling.problems.json_text import parse_json

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class File:
    """One file of an import.

    Attributes:
        where: how messages call it.
        path: where it lies; absolute, or inside its archive.
        content: its bytes.
    """

    where: str
    path: PurePosixPath
    content: bytes

    def records(self) -> Iterator[Fields]:
        """Its JSON objects, one a line.

        Raises:
            InputError: a line is no JSON object, or there is none.
        """
        empty = True
        # Not splitlines: U+2028 and its like may stand inside a JSON string.
        for number, line in enumerate(decode(self.content, self.where).split("\n"), start=1):
            if line.strip():
                empty = False
                where = f"{self.where}, line {number}"
                yield Fields.of(parse_json(line, self.where, number), where)
        if empty:
            raise InputError(f"{self.where}: is empty; one JSON object a line is needed")

    def document(self) -> Fields:
        """The one JSON object it is."""
        return Fields.of(parse_json(decode(self.content, self.where), self.where, 1), self.where)


def read_files(path: Path, wanted: Callable[[PurePosixPath], bool]) -> Iterator[File]:
    """The wanted files at `path`, in the order of their names.

    Args:
        path: a file (wanted, whatever its name), a folder, or a tar archive, packed or not.
        wanted: tells by its path whether a file in a folder or an archive is one.

    Raises:
        InputError: there is nothing at `path`, or it cannot be read.
    """
    try:
        if path.is_dir():
            for found in sorted(p for p in path.rglob("*") if p.is_file()):
                if wanted(PurePosixPath(found)):
                    yield _file(found)
        elif path.name.endswith(_ARCHIVES):
            yield from _members(path, wanted)
        else:
            yield _file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file or folder") from None
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: is no whole tar archive ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def _file(path: Path) -> File:
    return File(str(path), PurePosixPath(path.absolute()), path.read_bytes())


def _members(path: Path, wanted: Callable[[PurePosixPath], bool]) -> Iterator[File]:
    with tarfile.open(path) as archive:
        members = [(PurePosixPath(m.name), m) for m in archive.getmembers() if m.isfile()]
        for name, member in sorted(members, key=lambda at: at[0]):
            if wanted(name):
                stream: Any = archive.extractfile(member)
                yield File(f"{path}: {name}", name, stream.read())
