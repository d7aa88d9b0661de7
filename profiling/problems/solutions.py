r"""Final answers of worked solutions: in the last `\boxed{}`, after `####`, or stated in words."""

from __future__ import annotations

import re

from executor.answers.extraction import LONGEST_CLAUSE, last_boxed
from executor.answers.extraction.statements import stated
from executor.errors import InputError

HASHES = "####"  # GSM8K writes the final answer of a solution after it
EXPECTED = (
    r"the final answer, or a solution that has it in \boxed{}, after #### or in 'the answer is'"
)

_WITHOUT_BRACES = re.compile(r"\\f?boxed(?![A-Za-z])(?!\s*\{)")
# Answers of published benchmarks hold at most 20 letters in words; an explanation holds hundreds.
_MOST_LETTERS = 80
_COMMAND = re.compile(r"\\[A-Za-z]+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_END_OF_FORMULA = re.compile(r"\$|\\[)\]]")


def boxed_answer(solution: str) -> str | None:
    r"""The last `\boxed{}` of a solution, else what follows its last `\boxed`; None without any.

    Without braces, an answer goes on to the end of its formula (`$\boxed 2$.`), or to the next
    space if it stands in no formula.
    """
    boxed, _ = last_boxed(solution)
    if boxed is not None:
        return boxed
    found = list(_WITHOUT_BRACES.finditer(solution))
    if not found:
        return None
    line = solution[found[-1].end() :].partition("\n")[0].lstrip()
    end = _END_OF_FORMULA.search(line)
    bare = line[: end.start()] if end else re.split(r"\s", line, maxsplit=1)[0].rstrip(".,;")
    return bare.strip() or None


def is_solution(answer: str) -> bool:
    r"""Tell whether a text that was given as an answer is a worked solution.

    A solution marks its answer (`\boxed{}`, `####`), or its words are too many for an answer.
    """
    if HASHES in answer or last_boxed(answer)[0] is not None or _WITHOUT_BRACES.search(answer):
        return True
    return sum(map(len, _WORD.findall(_COMMAND.sub(" ", answer)))) > _MOST_LETTERS


def final_answer(solution: str) -> str | None:
    r"""The answer of a worked solution, or None if it names none.

    It is the first of these: the last `\boxed{}`, what follows the last `####`, the answer that is
    stated last ("the answer is 5"), and the whole text if it is short.
    """
    boxed = boxed_answer(solution)
    if boxed is not None:
        return boxed
    _, hashes, rest = solution.rpartition(HASHES)
    if not hashes and is_solution(solution):
        return ", ".join(stated(solution)) or None
    rest = rest.strip()
    short = 0 < len(rest) <= LONGEST_CLAUSE and "\n" not in rest
    return rest.removesuffix(".0") if short else None


def require_final_answer(solution: str, where: str, hint: str = "") -> str:
    """The final answer of a worked solution.

    Args:
        solution: text that stands for an answer.
        where: place of the text, for the message.
        hint: what else may mend it.

    Raises:
        InputError: the text names no answer.
    """
    final = final_answer(solution)
    if final is None:
        raise InputError(
            f"{where} is a text of {len(solution):,} characters that names no answer; expected "
            f"{EXPECTED}{hint and f'; {hint}'}"
        )
    return final
