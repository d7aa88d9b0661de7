"""The unit of work: a question and, where it is known, its answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """One question put to a policy.

    Attributes:
        id: stable name, unique within its file; `content_id` of the text where the file gives none.
        text: the question as the policy is asked it.
        answer: the reference answer as text, or None where it is not known.
        meta: whatever else the file says of the problem (level, kind, subject), as plain strings.
        before: `(role, text)` of what was said before the question, where it ends a conversation:
            a system prompt, earlier questions and answers.
    """

    id: str
    text: str
    answer: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    before: tuple[tuple[str, str], ...] = ()


def content_id(text: str) -> str:
    """Twelve hex digits that name a problem by its text, the same on every machine."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def question_id(text: str) -> str:
    """Names a question by its words alone: case and spacing differ from file to file."""
    return content_id(" ".join(text.lower().split()))


def problem_uid(problem: Problem) -> str:
    """Names a problem by what is asked and what is right, whatever file it came from.

    Benchmarks repeat each other's questions with other answers, so the text alone will not do.
    """
    return content_id(json.dumps([problem.text, problem.answer]))
