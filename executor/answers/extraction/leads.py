"""The words that lead to an answer: "the answer is", `####`, "答案是", "(B) is correct"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from executor.answers.extraction.vocabulary import DENIAL_OF_CLAUSE

LONGEST_STATEMENT = 600
"""Most characters after a lead that are looked at."""

_HASHES = re.compile(r"####[ \t]*")
_VERB = (
    r"(?:is\b|are\b|[:=\uff1a]|(?:would|will|must|should)\s+be\b|comes?\s+(?:out\s+)?to\b"
    r"|equals\b|becomes\b|turns\s+out\s+to\s+be\b|\s(?=\([A-J]\)))"
)
_ANSWER = re.compile(
    r"(?:[Aa]nswers?|ANSWERS?)(?:"
    r"\s+to\s+(?:the|this|that|your|our|part)\s[^.\n:;,]{1,60}?\s(?:is|are)\b[ \t*_]*:?"
    rf"|[ \t*_]{{0,6}}(?:is(?=n['\u2019]t\s)|{_VERB}[ \t*_]*:?|(?P<heading>(?m:$))))"
)
_CORRECTED = re.compile(
    r"\b(?:[Ww]ait|[Oo]ops|[Cc]orrection|[Mm]istake|[Ee]rror|[Aa]ctually|[Ss]orry)\b[^\n]{0,80}?"
    r"\b(?:[Ii]t|[Tt]hat|[Tt]his)\s+(?:should|must|has\s+to)\s+(?:actually\s+|really\s+)?be\s"
    r"|\b[Cc]orrection:(?=\s)"
)
"""A correction of what was stated: "Wait, I made a mistake. It should be"."""

_SHORT = re.compile(r"(?:[Aa]ns|ANS)\.?\s?[:=]|<answer>")
_CHOICE = re.compile(
    r"(?:[Oo]ption|[Cc]hoice)(?:s?\s+(?:is|are)\b|s?:)(?=[\s*]*(?:\(?[A-J]\b|option|choice))"
    r"|(?:[Ss]o|[Tt]hus|[Hh]ence|[Tt]herefore),?\s+(?:it\s+is\s+|it's\s+)?(?=\(?[A-J]\)?[.*\s]*\Z)"
    r"|(?:[Cc]hoose|[Ss]elect|pick|go\swith|(?:[Tt]hat\s|[Tt]his\s)?leaves(?:\sonly|\sus\swith)?)\s+"
    r"(?=(?:option\s+)?\(?[A-J]\b(?!\s+(?!because\b|since\b|as\b)[a-z]|'))"
)
_WORDS_OF_CHOICE = (
    "ption", "hoice", "hoose", "elect", "pick", "go with", "leaves", "o,", "o ", "hus", "ence",
    "erefore",
)  # fmt: skip
_ENGLISH = (
    (("nswer", "NSWER"), _ANSWER),
    (("ns:", "ns.", "ns =", "NS:", "<answer>"), _SHORT),
    (
        _WORDS_OF_CHOICE,
        _CHOICE,
    ),
    (("ait", "ops", "orrection", "istake", "rror", "ctually", "orry"), _CORRECTED),
    (("ntwort", "rgebnis"), re.compile(r"(?:[Aa]ntwort|[Ee]rgebnis)(?:\s+(?:ist|lautet)\b|:)")),
    (("espuesta",), re.compile(r"[Rr]espuesta(?:\s+(?:final|correcta))?(?:\s+es\b|:)")),
)
_OTHER = (
    (
        ("答", "选", "選", "正解"),
        re.compile(
            r"答案\u3011?(?:应该是|應該是|应为|應為|等于|等於|是|为|為)?\s*[:\uff1a]?"
            r"|选项(?:是|为)\s*(?=[(\uff08]?[A-J])"
            r"|故?[选選](?:择|擇)?(?:[项項]|选项|選項)?\s?[:\uff1a]?\s?(?=[A-J])|(?:(?<=[\u3002\uff0c\n])|\A)答\s*[:\uff1a]"
            r"|(?:答え|正解)\s*(?:は|[:\uff1a])"
        ),
    ),
    (("답",), re.compile(r"(?:정답|답)\s*(?:은|[:\uff1a])")),
    (("твет",), re.compile(r"[Оо]твет\s*[:\u2014-]")),
    (("ösung",), re.compile(r"Lösung(?:\s+(?:ist|lautet)\b|:)")),
    (("éponse",), re.compile(r"[Rr]éponse(?:\s+finale)?(?:\s+est\b|\s?:)")),
    (("esposta",), re.compile(r"[Rr]esposta(?:\s+(?:final|correta))?(?:\s+é(?!\w)|:)")),
    (("isposta",), re.compile(r"[Rr]isposta(?:\s+(?:finale|corretta))?(?:\s+è(?!\w)|:)")),
    (("áp ",), re.compile(r"[Đđ]áp\s(?:án|số)\s?(?:là|:)")),
)
"""Words of which a text must have one before it is searched for a lead, and the lead."""

_HEADING = re.compile(r"[ \t>#*_]*(?:(?:the|my|final|short|correct)\s+)*", re.IGNORECASE)
_NAMED = re.compile(
    r" is (?:the )?(?:correct|right|best)\b(?!-)"
    r"| (?:is|as) (?:the|our|my) (?:(?:final|correct) )?(?:answer|option|choice)\b"
)
_NAMED_CHOICE = re.compile(r"(?:\b(?:[Oo]ption|[Cc]hoice) \(?[A-J]\)?|\([A-J]\)|\b[A-HJ])$")
_NAMED_NUMBER = re.compile(r"(?<![\w.,$])-?\$?\d[\d,]*(?:\.\d+)?$")
_NO_LEAD = re.compile(
    rf"(?:{DENIAL_OF_CLAUSE}"
    r"|\b(?:this|that|wrong|incorrect|other|each|every|any|no|whose|if|whether|suppos(?:e|ing)"
    r"|assum(?:e|ing)|(?:double-)?check(?:ing)?|verify(?:ing)?|confirm(?:ing)?|validate"
    r"|(?:in|of|about|on|for|with|from)(?:\s+(?:the|this|my|your|our|its))?))"
    r"(?:\s+(?:the|my|your|our))?(?:\s+(?:final|correct))?\s+$",
    re.IGNORECASE,
)
"""Words before "answer is" that make it no statement: "this answer is", "if the answer is"."""

_WEAK = re.compile(
    r"(?:domain|range|solution\s+set|solutions?|roots?|zeros|results?)\s+(?:is|are)\b[ \t]*:?"
)


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead, and where its clause may stand.

    Attributes:
        start: where it begins.
        end: where its clause begins.
        limit: where its clause ends at the latest.
        last: whether no lead follows.
        hashes: whether it is `####`.
    """

    start: int
    end: int
    limit: int
    last: bool
    hashes: bool


def leads(text: str) -> Iterator[Lead]:
    """The leads of a text, the last one first."""
    places = sorted(_places(text))
    limit = len(text)
    for start, end, hashes in reversed(places):
        if text[end:limit].strip() or (end < limit and limit == len(text)):
            furthest = min(limit, end + LONGEST_STATEMENT)
            yield Lead(start, end, furthest, limit == len(text), hashes)
        limit = start


def weak_lead(text: str) -> int | None:
    """Return the end of the last "the solutions are" near the end of a text, or None."""
    begin = max(0, len(text) - LONGEST_STATEMENT)
    matches = list(_WEAK.finditer(text, begin))
    return matches[-1].end() if matches else None


def _places(text: str) -> Iterator[tuple[int, int, bool]]:
    """Start and end of each lead, and whether it is `####`."""
    for match in _HASHES.finditer(text) if "####" in text else ():
        start, end = match.span()
        if text[start - 1 : start] != "#" and text[end : end + 1] != "#":
            yield start, end, True
    for words, pattern in _ENGLISH if text.isascii() else _ENGLISH + _OTHER:
        if any(word in text for word in words):
            for match in pattern.finditer(text):
                if _leads_on(text, match):
                    yield match.start(), match.end(), False
    for match in _NAMED.finditer(text) if " is " in text or " as " in text else ():
        before = text[max(0, match.start() - 25) : match.start()]
        choice = "best" in match.group() or "final" not in match.group()
        value = (_NAMED_CHOICE.search(before) if choice else None) or (
            _NAMED_NUMBER.search(before) if "answer" in match.group() else None
        )
        if value:
            start = match.start() - len(before) + value.start()
            yield start, start, False


def _leads_on(text: str, match: re.Match[str]) -> bool:
    """Whether a lead introduces an answer: not "this answer is" or "if the answer is"."""
    start = match.start()
    before = text[max(0, start - 40) : start]
    if before[-1:].isascii() and before[-1:].isalpha():
        return False
    if match.re is _ANSWER and match["heading"] is not None:
        # Nothing but "Final answer" stands on the line.
        return _HEADING.fullmatch(before.rpartition("\n")[2]) is not None
    # Nothing but a word can make it none.
    if not before.rstrip()[-1:].isalpha():
        return True
    return _NO_LEAD.search(before) is None
