"""The files of an import: a file, a folder or a tar archive of them, read as they come."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from executor.errors import InputError
from executor.files import is_folder, unreadable
from profiling.importers.fields import Fields
from profiling.problems.file_bytes import (
    PACKED_SUFFIXES,
    PARQUET,
    check_kind,
    decode,
    unpack,
)
from profiling.problems.json_text import json_records, parse_json
from profiling.problems.tables import parquet_records

NEEDED = "a JSONL or Parquet file, a folder of them or a tar archive is needed"
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class File:
    """One file of an import.

    Attributes:
        where: how messages call it.
        path: where it lies; absolute, or inside its archive; without the suffix of a packed file.
        content: its bytes, unpacked.
    """

    where: str
    path: PurePosixPath
    content: bytes

    def records(self) -> Iterator[Fields]:
        """Its records: the JSON objects of JSONL or of a list, or the rows of a Parquet file.

        Raises:
            InputError: one is no JSON object, or there is none.
        """
        if self.content.startswith(PARQUET):
            for where, row in parquet_records(self.content, self.where):
                yield Fields.of(_without_nulls(row), where)
            return
        check_kind(self.content, self.where, NEEDED)
        empty = True
        for where, value in json_records(decode(self.content, self.where), self.where):
            empty = False
            yield Fields.of(value, where)
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
        if is_folder(path):
            for found in sorted(p for p in path.rglob("*") if p.is_file()):
                if wanted(_unpacked(PurePosixPath(found))):
                    yield _file(found)
        elif path.name.endswith(_ARCHIVES):
            yield from _members(path, wanted)
        else:
            yield _file(path)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: is no whole tar archive ({error})") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise unreadable(path, error, "a file, a folder or a tar archive") from None


def _file(path: Path) -> File:
    where = str(path)
    return File(where, _unpacked(PurePosixPath(path.absolute())), unpack(path.read_bytes(), where))


def _unpacked(path: PurePosixPath) -> PurePosixPath:
    """The name that a packed file has when it is unpacked."""
    return path.with_suffix("") if path.suffix in PACKED_SUFFIXES else path


def _without_nulls(value: Any) -> Any:
    """A value of Parquet, where each object has the fields of all, as JSON would have it."""
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    return value


def _members(path: Path, wanted: Callable[[PurePosixPath], bool]) -> Iterator[File]:
    with tarfile.open(path) as archive:
        members = [(PurePosixPath(m.name), m) for m in archive.getmembers() if m.isfile()]
        for name, member in sorted(members, key=lambda at: at[0]):
            if wanted(_unpacked(name)):
                stream: Any = archive.extractfile(member)
                where = f"{path}: {name}"
                yield File(where, _unpacked(name), unpack(stream.read(), where))
