"""The wording of notes: a plain clause for each code of `planner.notes`, made nowhere else.

A clause starts in lower case and has no full stop, so that it can follow `note: ` on a terminal;
`sentence` makes a sentence of it. The most important part comes first. The clauses themselves are
in `planner.report.note_words`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from planner.notes import Note, NoteCode
from planner.report import models_wording, wording
from planner.report.note_words import answers, beside, choice, costs, evidence, plans, published

# Notes that explain an answer further; without the others it would be misread.
_DETAILS = frozenset({
    NoteCode.BONFERRONI, NoteCode.SHRUNK, NoteCode.COMPARED_ON_SHARED,
    NoteCode.STRATEGY_PUBLISHED, NoteCode.OUTSIDE_FIGURES, NoteCode.SOURCES_DISAGREE,
    NoteCode.TOKENS_ASSUMED, NoteCode.TOKENS_PUBLISHED, NoteCode.NOT_KNOWN_HERE,
    NoteCode.TOKENS_BY_POLICY,
    NoteCode.PRICE_BY_HOUR, NoteCode.PRICE_BY_TOKEN, NoteCode.PRM_SECONDS_UNKNOWN,
})  # fmt: skip


def word(note: Note) -> str:
    """The clause of a note."""
    wording_of = _WORDINGS[note.code]
    return wording_of if isinstance(wording_of, str) else wording_of(note)


def sentence(note: Note) -> str:
    """The clause of a note with a capital and a full stop."""
    return wording.sentence(word(note))


def why(note: Note | None) -> str | None:
    """The clause of a note; None without one."""
    return None if note is None else word(note)


def essential(notes: Iterable[Note]) -> list[Note]:
    """Notes without which an answer would be misread, in order; details are left out."""
    return [note for note in notes if not _is_detail(note)]


def _is_detail(note: Note) -> bool:
    if note.code is NoteCode.VOTE_GAIN:  # a PRM that hurts must be named
        return note.number("high") >= 0
    if note.code is NoteCode.BUDGETS_CONSIDERED:  # a budget that was asked for and is not there
        return note["missing"] is None
    return note.code in _DETAILS


_MODELS: Mapping[NoteCode, Callable[[Note], str]] = {
    NoteCode.AGAINST_LARGER: models_wording.against_larger,
    NoteCode.MODELS_LEFT_OUT: models_wording.models_left_out,
    NoteCode.MODELS_WITHOUT_COST: models_wording.models_without_cost,
    NoteCode.TOKENS_BY_POLICY: models_wording.tokens_by_policy,
}
_WORDINGS: Mapping[NoteCode, str | Callable[[Note], str]] = {
    **choice.WORDINGS,
    **beside.WORDINGS,
    **_MODELS,
    **evidence.WORDINGS,
    **published.WORDINGS,
    **costs.WORDINGS,
    **plans.WORDINGS,
    **answers.WORDINGS,
}
