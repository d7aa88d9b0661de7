"""Sentences about what is not so: "If the price were 10, the answer would be 8"."""

from __future__ import annotations

import re

LONGEST_SENTENCE = 300
"""Most characters on each side of a conditional verb that are looked at."""

_MODAL = re.compile(
    r"\b(?:would|could\s+have|might\s+have)\b"
    r"|(?<!\w)(?:wären?|würden?|hätten?|serai(?:t|ent)|aurai(?:t|ent)|\w{2,12}ría[ns]?|seriam?|teriam?"
    r"|sarebbe(?:ro)?|avrebbe(?:ro)?|бы)(?!\w)"
)
_MODAL_PARTS = (
    "would", "have", "wär", "würd", "hätt", "rait", "raient", "ría", "eria", "rebbe", "бы",
)  # fmt: skip
_END = re.compile(r"[.!?](?=\s|\*|$)|[\u3002\uff01\uff1f\n]")
_CONDITION = re.compile(
    r"\b(?:if|unless|wenn|falls|si|se|если|instead)\b|\b(?:had|were)\s+(?!been\b)\w+|\bhätten?\b",
    re.IGNORECASE,
)
_UNREAL = re.compile(
    r"\b(?:if|unless)\b[^,.]{1,80}\b(?:were|weren['\u2019]t|had|hadn['\u2019]t)\b"
    r"|(?:^|,)\s*(?:had|were)\s+\w+|\b(?:wäre|hätte|fuera|fuese|hubiera|était|avait|fosse|бы)\b",
    re.IGNORECASE,
)
"""A condition that is not met. Only such a one makes a box state nothing."""

_SUPPOSED = re.compile(
    r"\b(?:suppose|imagine|assume|say|pretend)\b[^.!?\n]*\b(?:were|was|had|did)\b", re.IGNORECASE
)
_PROCEDURE = re.compile(
    r"\b(?:if|when)\s+(?:we|you|I|one)\s+(?!had\b|were\b|was\b|did\b|could\b|used\b|\w+ed\b|took\b"
    r"|instead\b)",
    re.IGNORECASE,
)
"""A condition on what is done to find the answer: "if we add them up"."""

_IF = re.compile(
    r"[\s*_\"'(]*(?:(?:but|and|so|now|also|however|then|aber|mais|pero)\b,?\s+)?"
    r"(?:(?:if|unless|wenn|falls|si|se|если)\b|如果|假如|要是|倘若|若是|若|もし)",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"\b(?:answer|antwort|réponse|respuesta|resposta|risposta|ответ)", re.IGNORECASE
)


def without_hypotheses(text: str, *, boxed: bool) -> str:
    """Return a text without the sentences that say what the answer would be in another case.

    Other sentences of this kind stay, since questions ask for what would be in some case.

    Args:
        text: the text.
        boxed: whether to leave out such sentences with a box as well.
    """
    if not any(part in text for part in _MODAL_PARTS):
        return text
    kept: list[str] = []
    done = end = 0
    for modal in _MODAL.finditer(text):
        if modal.start() < end:
            continue
        start, end = _sentence(text, modal.start(), modal.end(), end)
        condition = _CONDITION.search(text, start, modal.start())
        before = text[start : condition.start()] if condition else ""
        if _ANSWER.search(before) or "boxed" in before:
            # "The answer is 5, and if the price were 10, it would be 8."
            start += len(before)
        elif not _ANSWER.search(text, start, end) and "boxed" not in text[start:end]:
            continue
        if _is_hypothesis(text, start, text[start:end], boxed=boxed):
            kept.append(text[done:start])
            done = end
    return "".join([*kept, text[done:]])


def is_conditional(text: str, start: int) -> bool:
    """Whether the sentence of a statement that starts here begins with a condition of the case.

    "If the price is 10, the answer is 8" speaks of another case, "If we add them" of the solution.
    """
    begin = max(0, start - LONGEST_SENTENCE)
    ends = [end.end() for end in _END.finditer(text, begin, start)]
    sentence = text[ends[-1] if ends else begin : start]
    return bool(_IF.match(sentence)) and not _PROCEDURE.search(sentence)


def _sentence(text: str, start: int, end: int, earliest: int) -> tuple[int, int]:
    """Where the sentence around a place begins and ends."""
    begin = max(earliest, start - LONGEST_SENTENCE)
    for stop in _END.finditer(text, begin, start):
        begin = stop.end()
    stop_after = _END.search(text, end, end + LONGEST_SENTENCE)
    if stop_after is None:
        return begin, min(len(text), end + LONGEST_SENTENCE)
    return begin, stop_after.start() if stop_after.group() == "\n" else stop_after.end()


def _is_hypothesis(text: str, start: int, sentence: str, *, boxed: bool) -> bool:
    if _PROCEDURE.search(sentence):
        return False
    if "boxed" in sentence:
        return boxed and _UNREAL.search(sentence) is not None
    if _CONDITION.search(sentence):
        return True
    supposed = _SUPPOSED.search(text, max(0, start - LONGEST_SENTENCE), start)
    return bool(supposed and re.match(r"\s*\*?then\b", sentence, re.IGNORECASE))
