"""Statements of an answer: "the answer is", "answer:", `####`, and their like in other languages.

The time of every function is linear in the length of the text: a clause ends at the next lead.
"""

from __future__ import annotations

import re
from itertools import takewhile

from executor.answers.extraction import choices
from executor.answers.extraction.clauses import (
    LONGEST_CLAUSE,
    answers_in,
    begins_with_value,
    is_only_a_value,
)
from executor.answers.extraction.hypotheses import is_conditional
from executor.answers.extraction.leads import Lead, leads, weak_lead
from executor.answers.extraction.tidying import FORMULA, is_placeholder, result

_HEDGE = re.compile(
    r"(?:(?:approximately|approx\b\.?|roughly|about|around|nearly|almost|exactly|simply|just|only"
    r"|therefore|thus|hence|then|indeed|also|still|now|again|already|always|either|both|one\s+of"
    r"|(?:very|most|quite)\s+(?:likely|probably)|of\s+course|in\s+fact|in\s+total|in\s+the\s+end"
    r"|close\s+to|somewhere|equal\s+to|given\s+by|found\s+to\s+be|as\s+follows|a\s+total\s+of"
    r"|(?:below|the\s+following)(?=\s*:)"
    r"|(?:perhaps|maybe|likely|yes|(?!July\b)[a-z]{3,}ly),?"
    r"(?=\s+(?:about|around)?[\s*]*(?:[-\d$\\(\[{]|[A-J]\b))"
    r"|I\s+(?:think|believe|guess)(?:\s+it\s+is)?|it\s+is|it's"
    r"|(?:the|an?)\s+(?:number|value|fraction|integer|expression|set|interval|point|ordered\s+pair"
    r"|pair|equation|function|polynomial|matrix|vector|sum|list|word|name)\s+(?=[-\d$\\(\[{\"'\u201c]))"
    r"(?![A-Za-z])[\s,:]*"
    r"|大约|大約|约为|约|約|\\approx\s*|[\u2248=:\uff1a]\s*|~\s*(?=[-\d.$\\])|,\s*(?=[a-z]))",
    re.IGNORECASE,
)
_LOWER_WORDS = re.compile(r"[a-z][a-z' -]*")
_WORD_ANSWERS = re.compile(
    r"(?:yes|no|none|never|true|false|odd|even|both|neither|undefined|infinit[ey]|impossible|zero|one"
    r"|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|all|does|prime|composite|rational|irrational)"
    r"(?![a-z])"
)
"""Words of answers. Others, in lower case, describe an answer if one was stated before."""

_OPENING = re.compile(r"[\s*_#}\"'`\u201c\u2018]+|<(?:b|i|strong|em|code|span|p)>")
_STATES_NOTHING = re.compile(
    r"(?:[a-z]{3,}ly\s+)?(?:not\s+|in)?"
    r"(?:correct|wrong|right|valid|reasonable|(?:yet\s+)?known|helpful|useful|obvious|clear|evident|unique"
    r"|verified|confirmed|consistent|plausible|sensible|complete|final|accurate|simple|rounded"
    r"|shown|stated|written|boxed|expressed|calculated|computed|derived|determined|based|obtained"
    r"|expected|required|given|found|simplified|proven|proved|easy|acceptable|good|fine|logical"
    r"|explained|presented|provided|displayed|marked|above|below|here|as\b|what\b|that\s*$"
    r"|the\s+same\s+as|the\s+one|too\s"
    r"|in\s+(?:the\s+(?:box|form|range|same|correct|simplest|lowest|required|next|previous|above"
    r"|table|question|problem|units?)|terms|dollars|cents|degrees|units|simplest|lowest|its|form)"
    r"|an?\s+(?:\w+\s+)?(?:integer|number|fraction|decimal|percentage|multiple)s?\b(?!,?\s*[-\d$])"
    r"|let\b|we\s+(?:need|can|will|must|have\s+to)|to\s+(?:find|solve|answer|get|determine|calculate)\b"
    r"|i\s+(?:need|will|can))(?![A-Za-z])"
    r"|(?:正确|对|合理|错误|正しい)(?:的|です)?|如上",
    re.IGNORECASE,
)
_COMPARES = re.compile(
    r"(?:less|greater|more|smaller|larger|bigger|higher|lower)\s+than\b|at\s+(?:most|least)\b"
    r"|(?:positive|negative)\b(?!\s+[\d$])|between\b",
    re.IGNORECASE,
)
_STOP = re.compile(
    r"\.(?=\s|$|\*|</)|(?<=[A-Za-z]{2})[!?](?=\s|$|\*)|[\u3002\uff01\uff1f]|\*\*|</[a-z]|<\|"
)
_BOLD_GOES_ON = re.compile(
    r"\s*(?:(?:,|(?:,\s*)?(?:and|or)\b)\s*\*\*"
    r"|(?:million|billion|thousand|dozen|hours?|minutes?|feet)\b)"
)
_QUOTES = (('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("\u2018", "\u2019"))
_NEGATED = re.compile(r"^n['\u2019]t(?=\s)")  # "the answer isn't 5"
_TITLES = re.compile(
    r"(?:\b(?:Rs|Mrs|Mr|Ms|Dr|St|Prof|Mt|No|vs|approx|Jr)|[ap]\.m|\b[ap])$", re.IGNORECASE
)
_SHORT_UNITS = re.compile(
    r"\b(?:ft|in|lbs?|oz|hrs?|mins?|sec|sq|yds?|mi|gal|qt|pt)$", re.IGNORECASE
)
_GOES_ON_FOREVER = re.compile(r"\d\.\d+\.{3}$")
_BULLET = re.compile(r"[-*\u2022]\s+|\d{1,2}[.)]\s+")
_BLANK = re.compile(r"(?:\s|\*\*|__|:|#+|>\s|[-=]{3,}\n)*")
_CALCULATOR = re.compile(r"<<[^<>]*>>")
_PLAIN = re.compile(r"[A-Za-z]\w{0,3}\s*=\s*-?[\d.,]+")
_HEADING = re.compile(r"\d+[.)]\s+[A-Za-z]|(?:step|part|case)\s+\d", re.IGNORECASE)


def stated(text: str) -> tuple[str, ...]:
    """Return the answer of the last statement that states one, or ().

    Several strings are a list. A statement that only describes the answer ("the answer is less
    than 20") or speaks of one case ("if the price is 10, the answer is 8") counts if no other one
    states it.
    """
    described: tuple[str, ...] = ()
    for lead in leads(text):
        clause = _clause(text, lead)
        answers = answers_in(clause) if clause else ()
        if all(is_placeholder(answer) for answer in answers):
            continue
        if not _describes(clause) and not is_conditional(text, lead.start):
            return answers
        described = described or answers
    return described or _weakly_stated(text)


def _describes(clause: str) -> bool:
    """Whether a clause may describe an answer stated before: "less than 20", "satisfactory"."""
    if _COMPARES.match(clause):
        return True
    return (
        bool(_LOWER_WORDS.fullmatch(clause)) and len(clause) > 1 and not _WORD_ANSWERS.match(clause)
    )


def vague(text: str) -> tuple[str, ...]:
    """Return the words of a statement that states nothing ("correct"), for texts with no answer."""
    for lead in leads(text):
        clause = _clause(text, lead, vague=True)
        if clause and not re.search(r"\s.*\s", clause) and not is_placeholder(clause):
            return answers_in(clause)
    return ()


def bare(text: str) -> tuple[str, ...]:
    """Return the answer of a text that is nothing but one.

    A text of several lines answers with a letter that stands alone on its first or last line.
    """
    text = text.strip()
    if "boxed" in text:
        return ()
    first = text[: LONGEST_CLAUSE + 1].partition("\n")[0]
    last = text[-LONGEST_CLAUSE:].rpartition("\n")[2]
    if first != text:
        letters = [choices.alone(first), choices.alone(last)]
        return tuple(letter for letter in letters if letter)[:1]
    letter = choices.labelled(text)
    if letter:
        # "A: 42" is the choice A, or what stands after "A" for "answer".
        return (text if text.startswith("A: ") else letter,)
    clause = begins(text).strip("* ").removesuffix(".")
    return answers_in(clause) if clause and is_only_a_value(clause) else ()


def begins(clause: str) -> str:
    """Return a clause from its answer on: without hedges, opening quotes and asterisks."""
    start = 0
    while match := _HEDGE.match(clause, start) or _OPENING.match(clause, start):
        if match.end() == start:
            break
        start = match.end()
    return clause[start:]


def _clause(text: str, lead: Lead, *, vague: bool = False) -> str:
    """The clause behind a lead, from its answer to its true end; "" if it states nothing."""
    rest = text[lead.end : lead.limit]
    line, _, lines = rest.partition("\n")
    later = bool(lines) and not begins(line).strip(" \t*_:")
    part, remaining = _part(lines, later=True) if later else _part(rest)
    bold = "**" in text[lead.start : lead.end] or _opens_bold(text, lead.start)
    clause = _NEGATED.sub("not", _cut(part, bold=bold))
    if not vague and _STATES_NOTHING.match(clause):
        return ""
    if (lead.hashes or later) and not (lead.last and not remaining.strip()):
        # A heading, or the first line of a solution that comes after "Answer:".
        worked = later and not lead.hashes and result(clause) != clause
        if worked or _HEADING.match(clause) or not begins_with_value(clause):
            return ""
    return clause


def _opens_bold(text: str, start: int) -> bool:
    line = text[max(0, start - 60) : start].rpartition("\n")[2]
    return line.count("**") % 2 == 1


def _part(rest: str, *, later: bool = False) -> tuple[str, str]:
    """The line, the display formula or the list of bullets with which a text begins; the rest."""
    if later:
        rest = rest[_end_of(_BLANK, rest) :]
    for opening, closing in (("\\[", "\\]"), ("$$", "$$")):
        end = rest.find(closing, len(opening)) if rest.startswith(opening) else -1
        if end >= 0:
            head, _, tail = rest[end:].partition("\n")
            return rest[:end].replace("\n", " ") + head, tail
    if later and _BULLET.match(rest):
        lines = rest.split("\n")
        bullets = list(takewhile(_BULLET.match, lines))
        if len(bullets) > 1 or not bullets[0][0].isdigit():
            values = [_BULLET.sub("", line, count=1).strip().rstrip(".") for line in bullets]
            return ", ".join(values), "\n".join(lines[len(bullets) :])
    line, _, tail = rest.partition("\n")
    return line, tail


def _end_of(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 0


def _cut(line: str, *, bold: bool) -> str:
    """Cut a line where the clause of the answer ends."""
    opened = line.startswith("**") or bool(re.match(r"[\s*_]*\*\*", line))
    clause = begins(line)
    formulas = (
        [f.span() for f in FORMULA.finditer(clause)] if "$" in clause or "\\" in clause else []
    )
    for stop in _STOP.finditer(clause):
        place = stop.start()
        if any(start <= place < end for start, end in formulas):
            continue
        if stop.group() == "." and _abbreviated(clause, place):
            continue
        if stop.group() == "." and clause[place - 1 : place] == "!":
            # "5!." is a factorial, "5!" an exclamation.
            place += 1
        if stop.group() == "." and _GOES_ON_FOREVER.search(clause, 0, place + 1):
            place += 1
        if stop.group() == "**" and not bold and opened and _BOLD_GOES_ON.match(clause, stop.end()):
            continue
        clause = clause[:place]
        break
    if "<<" in clause:
        clause = _CALCULATOR.sub("", clause)
    if line.lstrip().startswith("__"):
        clause = clause.replace("__", "")
    clause = clause.replace("**", "").strip()
    skipped = line[: len(line) - len(begins(line))]
    return next((clause[:-1] for a, b in _QUOTES if a in skipped and clause.endswith(b)), clause)


def _abbreviated(clause: str, place: int) -> bool:
    """Whether the full stop belongs to an abbreviation: "Mrs. Hilt", "5 ft. 3 in."."""
    before = clause[max(0, place - 8) : place]
    if _TITLES.search(before):
        return bool(clause[place + 1 :].strip())
    return bool(_SHORT_UNITS.search(before) and re.match(r"\.\s+\d", clause[place:]))


def _weakly_stated(text: str) -> tuple[str, ...]:
    """The answer after "the solutions are", if only it and no other number follows."""
    end = weak_lead(text)
    if end is None:
        return ()
    line, _, lines = text[end:].partition("\n")
    part, remaining = _part(text[end:]) if line.strip() else _part(lines, later=True)
    clause = _cut(part, bold=False)
    after = part[part.find(clause) + len(clause) :] + remaining
    states = begins_with_value(clause) or re.match(r"all\s+(?:real|integers|positive)\b", clause)
    if re.search(r"\d", after) or not states:
        return ()
    answers = answers_in(clause)
    # The last number says the same, without the name.
    return () if len(answers) == 1 and _PLAIN.fullmatch(answers[0]) else answers
