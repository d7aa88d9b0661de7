"""Records of problem files: JSONL, JSON, CSV or Parquet, packed or not, as fields by name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from executor.answers.reading import spelt_number
from executor.errors import InputError
from executor.files import read_whole
from profiling.problems.file_bytes import PARQUET, check_kind, decode, unpack
from profiling.problems.json_text import json_records
from profiling.problems.lost_backslashes import LostBackslash, lost_backslash
from profiling.problems.tables import Fits, csv_records, parquet_records

Remark = Callable[[str], None]
"""Receives a sentence on what was read otherwise than it stands in a file."""

_CHARACTERS_SHOWN = 24


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file.

    Attributes:
        where: file and line, for messages.
        fields: its fields by name.
        is_json: whether the fields were read from JSON, whose escapes can eat a backslash.
    """

    where: str
    fields: Mapping[str, Any]
    is_json: bool = True

    def spelling(self, name: str) -> str | None:
        """The record's own spelling of a field; None if it has no such field."""
        if name in self.fields:
            return name
        return next((key for key in self.fields if key.lower() == name), None)

    def find(self, name: str) -> str | None:
        """The record's own spelling of a field; None if it has no such field, or nothing in it."""
        key = self.spelling(name)
        return None if key is None or self.fields[key] in (None, "", []) else key

    def listing(self) -> str:
        """The names of all fields, for messages."""
        return ", ".join(map(repr, self.fields)) or "none"

    def plain(self, key: str) -> str:
        """A field's value as text; numbers as they are written, 43.0 as 43.

        Raises:
            InputError: it is neither text nor a number, or has a character that no text has.
        """
        return self._plain(key, self.fields[key], "text or a number")

    def question(self, key: str) -> str:
        """A part of the question as text.

        Raises:
            InputError: as `plain`; or LaTeX commands in it lost their backslashes.
        """
        return self._with_backslashes(key, self.plain(key), answer=False)

    def answer(self, key: str) -> tuple[str, int]:
        """An answer as text, and the number of values that it lists.

        The only value of a list is the answer; of several, all are, in any order.

        Raises:
            InputError: it is no text, number, truth value or list of these, or LaTeX commands in
                it lost their backslashes.
        """
        value = self.fields[key]
        values = value if isinstance(value, list) else [value]
        wanted = "text, a number, or a list of these"
        texts = [
            json.dumps(one) if isinstance(one, bool) else self._plain(key, one, wanted)
            for one in values
        ]
        if len(texts) > 1 and not all(text.strip() for text in texts):
            raise InputError(
                f"{self.where}: field {key!r} has an empty value; leave it out, or fill it in"
            )
        texts = [self._with_backslashes(key, text, answer=True) for text in texts]
        if len(texts) == 1:
            return texts[0], 1
        return ", ".join(map(_element, texts)), len(texts)

    def _plain(self, key: str, value: Any, wanted: str) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
            kind = "null" if value is None else type(value).__name__
            raise InputError(f"{self.where}: field {key!r} is of type {kind}; {wanted} is needed")
        text = value if isinstance(value, str) else number_text(value)
        if fault := bad_character(text):
            raise InputError(f"{self.where}: field {key!r} {fault}")
        return text

    def _with_backslashes(self, key: str, text: str, *, answer: bool) -> str:
        if fault := backslash_fault(text, answer=answer, json=self.is_json):
            raise InputError(f"{self.where}: field {key!r} {fault}")
        return text


def _element(text: str) -> str:
    """One of several values, so that commas and dollar signs of its own do not part it."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == "$" and "$" not in text[1:-1]:
        text = text[1:-1].strip()
    return text.replace(",", "") if "," in text and spelt_number(text) else text


def bad_character(text: str) -> str | None:
    """A message on a character that no text may have; None if there is none."""
    if "\x00" in text:
        return "holds the character NUL, which no text has"
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        return "holds half a character (a lone surrogate)"
    return None


def backslash_fault(text: str, *, answer: bool, json: bool) -> str | None:
    r"""A message on the first LaTeX command whose backslash an escape ate; None if there is none.

    Args:
        text: text of a field.
        answer: whether it is an answer.
        json: whether it was read from JSON, where `\\` is to be written for a backslash.
    """
    lost = lost_backslash(text, answer=answer)
    return None if lost is None else lost_fault(text, lost, json=json)


def lost_fault(text: str, lost: LostBackslash, *, json: bool) -> str:
    """A message on a LaTeX command in `text` that lost its backslash."""
    shown = text[lost.start + 1 :][:_CHARACTERS_SHOWN].partition("\n")[0]
    written = "\\" * (2 if json else 1) + lost.command
    why = f"JSON reads one backslash before {lost.command} as that" if json else "an escape"
    space = f", or a space after {lost.character} that is meant" if lost.may_be_white_space else ""
    return f"holds {lost.character} before {shown!r} ({why}); write {written}{space}"


def number_text(value: int | Decimal) -> str:
    """A number as text, 43.0 as 43; written out only if it is short."""
    # 1e999999999 has a billion digits.
    plain = isinstance(value, int) or (value.is_finite() and abs(value.adjusted()) < 40)
    text = f"{value:f}" if plain and isinstance(value, Decimal) else str(value)
    return without_zeros(text)


def without_zeros(text: str) -> str:
    """43.0 as 43; any other text as it is."""
    return re.sub(r"\.0+", "", text) if re.fullmatch(r"-?\d+\.0+", text) else text


def read_records(path: Path, fits: Fits, remark: Remark) -> Iterator[Record]:
    """The records of a JSONL, JSON, CSV or Parquet file, packed with gzip, bzip2, xz, or not.

    Args:
        path: the file; its content tells what it is, and its name only a CSV from broken JSON.
        fits: whether a row with given fields can hold a problem.
        remark: receives sentences on what was read otherwise than it stands there.

    Raises:
        InputError: the file cannot be read; the message names the line.
    """
    where = str(path)
    raw = unpack(read_whole(path, "a JSONL, JSON, CSV or Parquet file"), where)
    if raw.startswith(PARQUET):
        for at, row in parquet_records(raw, where):
            yield Record(at, {name: _plain(value) for name, value in row.items()}, is_json=False)
        return
    check_kind(raw, where)
    text = decode(raw, where)
    if not text.strip():
        raise InputError(f"{where}: is empty; one JSON object a line, or a CSV, is needed")
    suffixes = {suffix.lower() for suffix in path.suffixes[-2:]}
    is_json = text.lstrip()[0] in "[{" or not suffixes.isdisjoint({".json", ".jsonl", ".ndjson"})
    if is_json and suffixes.isdisjoint({".csv", ".tsv"}):
        # Decimal keeps a number as it is written.
        for at, value in json_records(text, where, parse_float=Decimal):
            if not isinstance(value, dict):
                raise InputError(f"{at}: not a JSON object; a record needs named fields")
            yield Record(at, value)
    else:
        for at, fields in csv_records(text, where, fits, remark):
            yield Record(at, fields, is_json=False)


def _plain(value: Any) -> Any:
    """A value of Parquet as JSON would have it; NaN stands there for a missing value."""
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value
