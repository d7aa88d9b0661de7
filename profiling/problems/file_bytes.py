"""From the bytes of a file to text: packed files are unpacked, files of another kind are named."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable
from typing import IO

from executor.errors import InputError

PARQUET = b"PAR1"
NEEDED = "a JSONL, JSON, CSV or Parquet file is needed"
_MOST_BYTES = 4 << 30  # of an unpacked file; a small packed one can hold terabytes of nothing

_Opener = Callable[[IO[bytes]], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]
PACKED_SUFFIXES = (".gz", ".bz2", ".xz")
"""Ends of the names of packed files."""
_PACKED: dict[bytes, tuple[str, _Opener]] = {
    b"\x1f\x8b": ("gzip", lambda raw: gzip.GzipFile(fileobj=raw)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
}
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive; unpack it",
    b"PK\x05\x06": "an empty ZIP archive",
    b"%PDF": "a PDF",
    b"SQLite format 3\x00": "an SQLite database",
    b"ARROW1": "an Arrow file; save it as Parquet",
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Office file; save it as CSV",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"\x7fELF": "a program",
    b"{\\rtf": "an RTF document",
    b"version https://git-lfs": "a Git LFS pointer, not the file; git lfs pull fetches it",
}
"""The first bytes of files of other kinds, and what messages call them."""
_MARKUP = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml\b")
_UTF = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def unpack(raw: bytes, where: str) -> bytes:
    """The bytes of a file, unpacked if gzip, bzip2 or xz packed them.

    Args:
        raw: bytes of the file.
        where: the file, for messages.

    Raises:
        InputError: the packed file is broken, or holds more than 4 GiB.
    """
    for magic, (name, opened) in _PACKED.items():
        if not raw.startswith(magic):
            continue
        try:
            with opened(io.BytesIO(raw)) as file:
                unpacked = file.read(_MOST_BYTES + 1)
        except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
            raise InputError(f"{where}: is no whole {name} file ({error})") from None
        if len(unpacked) > _MOST_BYTES:
            raise InputError(f"{where}: unpacks to more than 4 GiB; split it")
        if any(map(unpacked.startswith, _PACKED)):
            raise InputError(f"{where}: is packed twice; unpack it once")
        return unpacked
    return raw


def check_kind(raw: bytes, where: str, needed: str = NEEDED) -> None:
    """Refuse a file of another kind by its first bytes.

    Args:
        raw: bytes of the file, unpacked.
        where: the file, for messages.
        needed: what would be right, as a clause.

    Raises:
        InputError: it is a ZIP archive, a PDF, a web page or the like.
    """
    kind = _other_kind(raw)
    if kind is not None:
        raise InputError(f"{where}: is {kind}; {needed}")


def _other_kind(raw: bytes) -> str | None:
    if raw.startswith(b"PK\x03\x04") and b"xl/" in raw[:4096]:
        return "an Excel workbook; save it as CSV"
    if raw[257:262] == b"ustar":
        return "a tar archive; unpack it"
    if _MARKUP.match(raw):
        return "a web page (HTML), not the file behind it"
    if _XML.match(raw):
        return "an XML document"
    return next((kind for magic, kind in _OTHERS.items() if raw.startswith(magic)), None)


def decode(raw: bytes, where: str) -> str:
    """UTF-8 text, or UTF-16 or UTF-32 after a byte order mark.

    Args:
        raw: bytes of the file, unpacked.
        where: the file, for messages.

    Raises:
        InputError: it is no such text; the message names the line.
    """
    encoding = next((name for mark, name in _UTF.items() if raw.startswith(mark)), "utf-8-sig")
    if encoding == "utf-8-sig" and b"\x00" in raw[:4]:
        raise InputError(f"{where}: UTF-16 without its byte order mark; save the file as UTF-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise InputError(f"{where}: not {encoding.upper()}, though it begins so") from None
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{where}, line {line}: not UTF-8; save the file as UTF-8") from None
