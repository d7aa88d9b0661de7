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
    TESTS_PASSED = "tests_passed"
    TEST_FAILED = "test_failed"
    PROGRAM_RAISED = "program_raised"
    SYNTAX_ERROR = "syntax_error"
    PROGRAM_TIMED_OUT = "program_timed_out"
    TOO_MUCH_MEMORY = "too_much_memory"
    TOO_MUCH_OUTPUT = "too_much_output"
    PROGRAM_ENDED = "program_ended"
    """Its process ended before the tests did, or broke the rules of the sandbox."""
    PROGRAM_UNUSED = "program_unused"
    """The tests used nothing of the program."""

    @property
    def correct(self) -> bool:
        """Whether the answer is right."""
        return self in (
            GradeReason.SAME_TEXT, GradeReason.SAME_VALUE, GradeReason.TESTS_PASSED,
        )  # fmt: skip
