"""Find notes by their code, among notes and in JSON documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from planner.notes import Note, NoteCode


def of_code(notes: Iterable[Note], code: NoteCode) -> list[Note]:
    """The notes of a code, in order."""
    return [note for note in notes if note.code is code]


def worded(document: Mapping[str, Any], code: NoteCode) -> list[str]:
    """The wording of a document's notes of a code, in order."""
    pairs = zip(document["note_codes"], document["notes"], strict=True)
    return [words for found, words in pairs if found == code]
