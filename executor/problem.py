"""The unit of work: a question and its answer, if known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

MATHS = "maths"
"""Name of the domain of problems that name none."""
DOMAIN = "apportion.domain"
"""Key in `meta` of the domain; problems of maths have none."""
PUBLIC_TESTS = "apportion.public_tests"
"""Key in `meta` of the tests that policies and scorers may see; the answer is all tests."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One question put to a policy.

    Attributes:
        id: stable name, unique within its file; `content_id` of the text if the file has none.
        text: text of the question.
        answer: reference answer as text, or None if it is unknown. Of code it is the tests
            (`executor.sandbox.suite.Suite.to_json`), which nobody may see but the grader.
        meta: further fields of the file (level, kind, subject), as plain strings.
        before: `(role, text)` of earlier turns if the question ends a conversation: a system
            prompt, earlier questions and answers.
        begun: text that every response is made to begin with, and that is not part of it.
        json_schema: JSON Schema, as JSON, that every response must follow; None: free text.
    """

    id: str
    text: str
    answer: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    before: tuple[tuple[str, str], ...] = ()
    begun: str = ""
    json_schema: str | None = None

    @property
    def domain(self) -> str:
        """Name of the domain (`executor.domains`): what an answer is."""
        return self.meta.get(DOMAIN, MATHS)


def content_id(text: str) -> str:
    """Return twelve hex digits that name a text, the same on every machine."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def question_id(text: str) -> str:
    """Name a question by its words alone: case and spacing differ from file to file."""
    return content_id(" ".join(text.lower().split()))


def problem_uid(problem: Problem) -> str:
    """Name a problem by its question and reference answer, whatever file it came from.

    Benchmarks repeat each other's questions with other answers, so the text alone is not enough.
    """
    return content_id(json.dumps([problem.text, problem.answer]))
