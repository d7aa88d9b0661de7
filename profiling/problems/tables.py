"""Rows of tables: CSV with any of the usual separators, and Parquet."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from executor.errors import InputError

# Of a field; Python's own limit is 131,072 characters, and worked solutions are longer.
csv.field_size_limit(2**31 - 1)

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_SAYS_SEPARATOR = re.compile(r'"?sep=([^\r\n"])"?\r?\n', re.IGNORECASE)

_BLANK_LINES = re.compile(r"(?:[ \t]*(?:\r\n|\r|\n))+")

Fits = Callable[[dict[str, str]], bool]


def csv_records(
    text: str, where: str, fits: Fits, remark: Callable[[str], None]
) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a CSV file with a header.

    Commas separate its fields; or what its first line says (`sep=;`), as Excel writes it; or the
    one other separator with which its header names the fields of a problem.

    Args:
        text: the file's text.
        where: the file, for messages.
        fits: whether a row with the fields of a header can hold a problem.
        remark: receives a sentence if the separator is no comma.

    Yields:
        Where a row stands, for messages, and its fields by name.

    Raises:
        InputError: it is no CSV file; the message names the line.
    """
    blank = _BLANK_LINES.match(text)
    skipped, text = (len(blank[0].splitlines()), text[blank.end() :]) if blank else (0, text)
    separator = ","
    if says := _SAYS_SEPARATOR.match(text):
        skipped, separator = skipped + 1, says[1]
        text = text[says.end() :]
    elif (found := _separator(text, fits)) != ",":
        separator = found
        remark(f"{where}: read as CSV with {SEPARATORS[separator]} between fields")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        header = [name.strip() for name in next(rows)]
        repeated = [name for name, count in Counter(header).items() if count > 1]
        if repeated:
            raise InputError(
                f"{where}, line {1 + skipped}: the CSV header has {repeated[0]!r} more than once"
            )
        start = rows.line_num + 1
        for row in rows:
            at = f"{where}, line {start + skipped}"
            start = rows.line_num + 1
            if not row:
                continue
            if len(row) != len(header):
                raise InputError(f"{at}: bad CSV ({_unequal(row, header, separator)}")
            yield at, dict(zip(header, row, strict=True))
    except csv.Error as error:
        why = "a double quote is never closed" if "end of data" in str(error) else error
        raise InputError(f"{where}, line {start + skipped}: bad CSV ({why})") from None


def _separator(text: str, fits: Fits) -> str:
    """The separator with which the header names a problem's fields; a comma if several do."""
    usable = [
        separator
        for separator in SEPARATORS
        if len(names := _header(text, separator)) > 1 and fits(dict.fromkeys(names, "x"))
    ]
    return usable[0] if len(usable) == 1 else ","


def _header(text: str, separator: str) -> list[str]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        return [name.strip() for name in next(rows)]
    except (csv.Error, StopIteration):
        return []


def _unequal(row: list[str], header: list[str], separator: str) -> str:
    """The end of a message on a row that has not as many fields as the header."""
    count = f"{len(row)} field{'s' if len(row) > 1 else ''}, the header has {len(header)})"
    for mark, name in SEPARATORS.items():
        if len(header) == 1 and mark in header[0]:
            return f"{count}; {name} seem to separate the header: its fields must name the problem"
    quoted = SEPARATORS.get(separator, repr(separator))
    return f"{count}; text with {quoted} or line breaks needs double quotes"


def parquet_records(raw: bytes, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a Parquet file.

    Args:
        raw: bytes of the file.
        where: the file, for messages.

    Yields:
        Where a row stands, for messages, and its fields by name.

    Raises:
        InputError: it is no whole Parquet file.
    """
    # Only users of Parquet pay for the import.
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(pyarrow.BufferReader(raw))
        repeated = [name for name, n in Counter(table.column_names).items() if n > 1]
        rows = [] if repeated else table.to_pylist()
    except OverflowError as error:  # a date or a time beyond those of Python
        raise InputError(f"{where}: has a value that cannot be read ({error})") from None
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise InputError(f"{where}: is no whole Parquet file ({why})") from None
    if repeated:
        raise InputError(f"{where}: has the column {repeated[0]!r} more than once")
    for number, row in enumerate(rows, start=1):
        yield f"{where}, row {number}", row
