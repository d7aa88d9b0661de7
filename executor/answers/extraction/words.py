"""Whole responses of a few words that are the answer: "Yes", "No solution.", "Tuesday"."""

from __future__ import annotations

import re

from executor.answers.extraction.vocabulary import NO_ANSWERS
from executor.answers.formulas.number_words import number_in_words
from executor.answers.meanings import Choice, Items, Phrase, Text
from executor.answers.reading import read

LONGEST_RESPONSE = 40
"""Most characters of such a response."""

_NO_CJK_ANSWER = re.compile(
    r"知道|抱歉|对不起|無法|无法|不清楚|解答|答案|你好|わか|すみません|申し訳|分か|모르|죄송|안녕"
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019.-][^\W\d_]+)*\.?")
_SET_PHRASE = re.compile(
    r"(?:keine|aucune|ninguna|sin|nessuna|sem|нет)\s+\w+"
    r"|(?:it\s+)?(?:can\s?not|can['\u2019]t)\s+be\s+(?:determined|solved|found|defined)",
    re.IGNORECASE,
)
_AFFIRMED = re.compile(
    r"(yes|no)[,.!]?\s+(?:it|they|he|she|that|this|there)\s"
    r"(?:is|are|does|do|can|will|has|have|was|were|did)(?:\s?n['\u2019]t|\s?not)?[.!]?",
    re.IGNORECASE,
)
_REASONED = re.compile(
    r"\W{0,3}(?:(yes|no|true|false)\W{1,5}(?:because|since|as)|(true|false)[.!]\**\s)\b",
    re.IGNORECASE,
)
_NOT_LAST = frozenset(("a", "an", "and", "or", "the", "of", "in", "by", "with", "for", "total"))
"""Words at which a text was cut off."""

_CONSTANT = re.compile(r"\u221e|\u03c0|pi|infinity", re.IGNORECASE)


def only_words(text: str) -> str | None:
    """Return a whole response that is an answer in at most four words, or None.

    Any words are an answer but those that begin a sentence, refuse or greet. So a response that
    was cut off after its first words has none.
    """
    text = text.strip().strip("*_`\"'").strip()
    if not 0 < len(text) <= LONGEST_RESPONSE or text[-1] in ":,?;\uff1f\uff1a\uff0c":
        return None
    answer = text.rstrip(".!\u3002\uff01").strip()
    if affirmed := _AFFIRMED.fullmatch(text):
        return affirmed[1]
    meaning = read(answer).meaning
    if isinstance(meaning, Phrase) or _CONSTANT.fullmatch(answer) or _SET_PHRASE.fullmatch(answer):
        return answer
    if isinstance(meaning, Choice):
        return answer if answer[:1].isupper() or len(answer) > 1 else None
    words = answer.replace(",", " ").split()
    if not 0 < len(words) <= 4 or not all(_WORD.fullmatch(word) for word in words):
        return None
    plain = [word.casefold().replace("\u2019", "'").rstrip(".") for word in words]
    if not NO_ANSWERS.isdisjoint(plain) or plain[-1] in _NOT_LAST or _NO_CJK_ANSWER.search(answer):
        return None
    if _is_number(answer):
        return answer
    if len(words) > 1:
        return answer if isinstance(meaning, Text | Items) else None
    short = plain[0] in ("no", "ja", "si") or not answer.isascii()
    return answer if short or (len(answer) > 2 and isinstance(meaning, Text)) else None


def before_reason(text: str) -> str | None:
    """Return the word with which a response answers before it says why: "Yes, because …"."""
    reasoned = _REASONED.match(text.lstrip())
    return next(filter(None, reasoned.groups())) if reasoned else None


def _is_number(answer: str) -> bool:
    """Whether the answer is nothing but a number in words."""
    number = number_in_words(answer)
    return number is not None and number[1] == len(answer)
