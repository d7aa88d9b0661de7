"""Questions that a file holds more than once: they count once, and never with two answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.problem import MATHS, Problem, question_id
from profiling.problems.records import Remark


def without_repeats(
    placed: Iterable[tuple[str, Problem]], path: str, remark: Remark
) -> list[Problem]:
    """The problems of a file, each once, in the file's order.

    A question is the same whatever its case and spacing; answers are the same if the grader says
    so. Questions that differ in case are two if their answers differ or are not known.

    Args:
        placed: problems with their places, for messages.
        path: the file, for messages.
        remark: receives a sentence if something stands there more than once.

    Raises:
        InputError: a question has two answers.
    """
    kept: list[Problem] = []
    by_question: dict[str, list[tuple[int, str]]] = defaultdict(list)
    repeats: list[tuple[str, str]] = []
    with MathGrader() as grader:
        for where, problem in placed:
            alike = by_question[question_id(problem.text)]
            for index, first in alike:
                one = kept[index]
                same_case = _spaced(one.text) == _spaced(problem.text)
                if one.answer is None or problem.answer is None:
                    if not same_case:
                        continue
                    kept[index] = replace(one, answer=one.answer or problem.answer)
                elif not (
                    one.answer == problem.answer
                    or (
                        (one.domain == problem.domain == MATHS)
                        and grader.equivalent(one.answer, problem.answer)
                    )
                ):
                    if not same_case:
                        continue
                    raise InputError(
                        f"{where}: answer {problem.answer!r:.60} to the question of "
                        f"{_place(first, path)}, which has {one.answer!r:.60}; keep one of them"
                    )
                repeats.append((where, first))
                break
            else:
                alike.append((len(kept), where))
                kept.append(problem)
    if repeats:
        where, first = repeats[0]
        counted = "1 record repeats" if len(repeats) == 1 else f"{len(repeats)} records repeat"
        remark(
            f"{path}: {counted} an earlier question with the same answer and "
            f"{'does' if len(repeats) == 1 else 'do'} not count "
            f"({_place(where, path)} that of {_place(first, path)})"
        )
    return kept


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _place(where: str, path: str) -> str:
    """A place in a file that the message has named."""
    return where.removeprefix(f"{path}, ")
