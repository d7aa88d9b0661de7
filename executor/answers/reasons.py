"""Why an answer is right or wrong: the codes, which `planner.report.grades` words."""

from __future__ import annotations

from enum import StrEnum


class GradeReason(StrEnum):
    """How a grader came to its verdict on an answer."""

    SAME_TEXT = "same_text"
    SAME_VALUE = "same_value"
    DIFFERENT_VALUES = "different_values"
    UNITS_DIFFER = "units_differ"
    """The numbers are equal, their units are not."""
    NOT_PARSED = "not_parsed"
    """The texts differ, and one of them is nothing that can be compared otherwise."""
    TOO_LONG = "too_long"
    """The texts differ, and one of them is too long to be parsed."""
    TIMED_OUT = "timed_out"
    NO_ANSWER = "no_answer"

    @property
    def correct(self) -> bool:
        """Whether the answer is right."""
        return self in (GradeReason.SAME_TEXT, GradeReason.SAME_VALUE)
