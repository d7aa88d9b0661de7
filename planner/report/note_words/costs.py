"""Notes on costs and prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from planner.notes import Note, NoteCode
from planner.report.wording import unit_words


def _not_known_here(note: Note) -> str:
    quantities = ", ".join(map(unit_words, note.items("quantities")))
    return f"not known here: {quantities} ({note['missing']})"


def _seconds_by_roofline(note: Note) -> str:
    devices = note.whole("devices")
    many = f"{devices} x " if devices > 1 else ""
    caches = "" if note.flag("caches") else "; key-value caches not counted (shape not known)"
    return (
        f"seconds: roofline of {many}{note.text('device')}, not measured; MFU "
        f"{note.number('mfu'):g}, MBU {note.number('mbu'):g}, batch {note.number('batch'):g}, "
        f"context {note.number('context'):g}{caches}"
    )


def _prm_seconds_unknown(note: Note) -> str:
    return f"seconds with a PRM: {note['missing']}"


def _price_by_hour(note: Note) -> str:
    return f"money: {note.number('usd'):g} USD an hour and device ({_dated(note)})"


def _price_by_token(note: Note) -> str:
    return (
        f"money: {note.text('model')} at {note.number('input'):g} USD in, "
        f"{note.number('output'):g} out a million tokens ({_dated(note)})"
    )


def _dated(note: Note) -> str:
    return ", ".join(filter(None, (note.text("source"), note.text("date"))))


WORDINGS: Mapping[NoteCode, str | Callable[[Note], str]] = {
    NoteCode.NOT_KNOWN_HERE: _not_known_here,
    NoteCode.SECONDS_BY_ROOFLINE: _seconds_by_roofline,
    NoteCode.PRM_SECONDS_UNKNOWN: _prm_seconds_unknown,
    NoteCode.PRICE_BY_HOUR: _price_by_hour,
    NoteCode.PRICE_BY_TOKEN: _price_by_token,
}  # fmt: skip
"""The clauses by code: as they are, or made from the note's parameters."""
