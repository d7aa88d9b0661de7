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
    GradeReason.TESTS_PASSED: "passed all tests",
    GradeReason.TEST_FAILED: "failed a test",
    GradeReason.PROGRAM_RAISED: "raised an error",
    GradeReason.SYNTAX_ERROR: "is not Python",
    GradeReason.PROGRAM_TIMED_OUT: "took too long",
    GradeReason.TOO_MUCH_MEMORY: "took too much memory",
    GradeReason.TOO_MUCH_OUTPUT: "wrote too much",
    GradeReason.PROGRAM_ENDED: "ended before its tests",
    GradeReason.PROGRAM_UNUSED: "was not used by its tests",
}


def why(reason: GradeReason) -> str:
    """Return the reason of a grade in words."""
    return _WORDS[reason]
