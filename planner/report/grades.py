"""Reasons of grades in words."""

from __future__ import annotations

from executor.answers.reading import LONGEST
from executor.answers.reasons import GradeReason

_WORDS = {
    GradeReason.SAME_TEXT: "same text",
    GradeReason.SAME_VALUE: "same value",
    GradeReason.DIFFERENT_VALUES: "different values",
    GradeReason.UNITS_DIFFER: "units differ",
    GradeReason.NOT_PARSED: "could not be parsed, and the texts differ",
    GradeReason.TOO_LONG: f"longer than {LONGEST:,} characters, and the texts differ",
    GradeReason.TIMED_OUT: "timed out, so they count as different",
    GradeReason.NO_ANSWER: "no answer found",
}


def why(reason: GradeReason) -> str:
    """Return the reason of a grade in words."""
    return _WORDS[reason]
