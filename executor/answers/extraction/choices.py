r"""Letters of multiple-choice answers: `B`, `(B)`, `option B`, `B) 12`, `\textbf{(B)}\ 12`."""

from __future__ import annotations

import re

_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mbox|mathrm|mathbf)\s*\{([^{}]*)\}")
_SPACE = re.compile(r"\\[ ,;:!]|\\q?quad(?![A-Za-z])|~")
_ALONE = re.compile(
    r"(?:(?:option|choice)\s+)?(?:\(([A-J])\)|\[{1,2}([A-J])\]{1,2}|([A-J]))\.?", re.IGNORECASE
)
_NO_LABEL = r"(?![\s+*/^_=<>']|-(?!(?<= -)[\d\\$]))"
_LABEL = re.compile(rf"(?:\(([A-J])\)|([A-J])[.):])\s*{_NO_LABEL}")
_OTHER_LABEL = re.compile(r"(?:[\s,;(]|^)[A-J](?:[.):]|$)")
_STARTS = re.compile(
    r"(?P<named>(?:la\s+)?(?:[Oo]ption|[Cc]hoice|[Ll]etter|[Aa]lternative|opción|opção|opzione)"
    r"s?\s*:?\s*)?"
    r"(?:[(\uff08](?P<round>[A-Ja-j])[)\uff09]|\[{1,2}(?P<square>[A-J])\]{1,2}|\{(?P<curly>[A-J])\}"
    r"|(?P<bare>[A-J]|(?(named)[a-j]|[A-J]))(?P<mark>[.):](?=\s)|\))?)"
    r"(?![A-Za-z0-9_'\u2019])"
)
_ENDS = re.compile(
    r"\s*(?:[.,;:!?\"`\u201d。，；、\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7af]|$|</)"
    r"|\s+(?:\(|because|since|as|which|with|is|for|from|where|and\s+not|but|rather|not|[\u2013\u2014]\s)"
)
_OPERATOR = re.compile(
    r"\s*(?:[+*/^_=<>|]|-(?!(?<= -)\d)|\\(?:cdot|times|div|pm|cap|cup|in|to|leq?|geq?|neq?|sim)\b)"
)
_AND = re.compile(r"(?:\s*[,\u3001\uff0c])?\s*(?:\b(?:and|or|&)\s*|[和与及])?", re.IGNORECASE)


def labelled(answer: str) -> str | None:
    r"""Return the letter of a whole answer that is one choice (`(B)`, `B. 12`), or None.

    A letter alone without a bracket is returned as well; `A: 5, B: 3` and `(A)^2` are no choices.
    """
    found = _label(answer)
    return found[0] if found else None


def with_content(answer: str) -> str | None:
    r"""Return a whole answer that is one choice with what it says, `\textbf{(B) }12` as `(B) 12`.

    A reference may be the letter or what the choice says; None if the answer has only one of them.
    """
    found = _label(answer)
    # "(D) -2" would be a difference.
    whole = found and found[1] and found[1][0] not in "-+=*/^_<>"
    return f"({found[0]}) {found[1]}" if found and whole else None


def _label(answer: str) -> tuple[str, str] | None:
    """Return the letter of a choice and its content."""
    if len(answer) > 200 or answer[:1].isdigit():
        return None
    text = _SPACE.sub(" ", _TEXT.sub(r"\1", answer)).strip().strip("*$").strip()
    alone = _ALONE.fullmatch(text)
    if alone and (alone.group(3) is None or alone.group(3).isupper()):
        return next(letter for letter in alone.groups() if letter).upper(), ""
    label = _LABEL.match(text)
    if label is None:
        return None
    rest = text[label.end() :].strip()
    if not rest or _OTHER_LABEL.search(rest) or (len(rest) == 1 and rest.isalpha()):
        return None
    return label.group(1) or label.group(2), rest


def alone(line: str) -> str | None:
    """Return the letter of a line that is nothing but a choice (`B`, `**(B)**`), or None."""
    letter = _ALONE.fullmatch(line.strip(" *$"))
    return next((g for g in letter.groups() if g and g.isupper()), None) if letter else None


def leading(clause: str) -> tuple[str, ...]:
    """Return the letters that a clause begins with, or () if it begins with no choice."""
    start = _STARTS.match(clause)
    if start is None:
        return ()
    certain = start["named"] or start["mark"] or start["bare"] is None
    if certain:
        if _OPERATOR.match(clause, start.end()) and not start["named"]:
            return ()
    elif not _ENDS.match(clause, start.end()) and not _other(clause, start.end()):
        return ()
    letters = [_letter(start)]
    end = start.end()
    while other := _other(clause, end):
        letters.append(_letter(other))
        end = other.end()
    return tuple(letters)


def _other(clause: str, end: int) -> re.Match[str] | None:
    """The next letter of a list such as "A, C and D"."""
    between = _AND.match(clause, end)
    if between is None or not between.group().strip():
        return None
    start = _STARTS.match(clause, between.end())
    if start is None or not (_ENDS.match(clause, start.end()) or _other(clause, start.end())):
        return None
    return start


def _letter(match: re.Match[str]) -> str:
    letter = match["round"] or match["square"] or match["curly"] or match["bare"]
    assert letter is not None
    return letter.upper()
