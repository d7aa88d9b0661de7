"""Whole responses of a few words that are the answer: "Yes", "No solution.", "Tuesday"."""

from __future__ import annotations

import re

from executor.answers.extraction.vocabulary import NO_ANSWERS
from executor.answers.meanings import Choice, Phrase, Text
from executor.answers.reading import read

LONGEST_RESPONSE = 40
"""Most characters of such a response."""

_NO_CJK_ANSWER = re.compile(
    r"知道|抱歉|对不起|無法|无法|不清楚|解答|答案|你好|わか|すみません|申し訳|分か|모르|죄송|안녕"
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019.-][^\W\d_]+)*\.?")
_SET_PHRASE = re.compile(
    r"(?:no|not|non?e|all|any|infinitely|keine|aucune|pas\s+de|ninguna|sin|nessuna|нет)\s",
    re.IGNORECASE,
)
_BETWEEN = frozenset(
    ("and", "or", "&", "of", "the", "und", "oder", "et", "ou", "y", "o", "e", "de")
)


def only_words(text: str) -> str | None:
    """Return a whole response that is an answer in at most four words, or None.

    One word is an answer; several are one if they are a set phrase, a name or a list of names. So a
    response that was cut off after its first words has none.
    """
    text = text.strip().strip("*_`\"'").strip()
    if not 0 < len(text) <= LONGEST_RESPONSE or text[-1] in ":,?!;\uff1f\uff01\uff1a\uff0c":
        return None
    answer = text.rstrip(".\u3002").strip()
    if isinstance(read(answer).meaning, Phrase | Choice):
        return answer if len(answer) > 1 or answer.isupper() else None
    words = answer.replace(",", " ").split()
    if not 0 < len(words) <= 4 or not all(_WORD.fullmatch(word) for word in words):
        return None
    plain = [word.casefold().replace("\u2019", "'") for word in words]
    if not NO_ANSWERS.isdisjoint(plain) or _NO_CJK_ANSWER.search(answer):
        return None
    if len(words) == 1:
        return answer if _is_word(answer) else None
    named = all(word[0].isupper() or word in _BETWEEN for word in words) and words[-1][0].isupper()
    return answer if named or _SET_PHRASE.match(answer) else None


def _is_word(answer: str) -> bool:
    """Whether a single word is one, and no variable or abbreviation of a formula."""
    if not answer.isascii() or answer.casefold() in ("no", "ja", "si"):
        return True
    return len(answer) > 2 and isinstance(read(answer).meaning, Text)
