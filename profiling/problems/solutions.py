r"""Final answers of worked solutions: the last `\boxed{}`, with braces or without."""

from __future__ import annotations

import re

from executor.answers.extraction import last_boxed

_WITHOUT_BRACES = re.compile(r"\\f?boxed(?![A-Za-z])(?!\s*\{)")
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
