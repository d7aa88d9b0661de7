"""Answers that are compared as text: choices, labels, and whatever else has one spelling."""

from __future__ import annotations


class ExactGrader:
    """The grader of answers with one spelling; white space around them does not count.

    The answer of a response is the response itself, so this grader is for answers that another
    program has extracted (`apportion import`).
    """

    timeouts = 0

    def extract(self, response: str) -> str | None:
        """Return the response without the white space around it, or None if nothing is left."""
        return response.strip() or None

    def equivalent(self, a: str, b: str) -> bool:
        """Whether two answers are the same text."""
        return a.strip() == b.strip()

    def correct(self, answer: str | None, reference: str) -> bool:
        """Whether an answer is the text of the reference."""
        return answer is not None and self.equivalent(answer, reference)
