"""The answer in a clause of prose: a value, a list, a quantity of several units, or words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum

from executor.answers.extraction import choices
from executor.answers.extraction.amounts import NUMBER_IN_PROSE, Quantity, quantity_at
from executor.answers.extraction.tidying import is_placeholder, result, tidy, without_delimiters
from executor.answers.extraction.values import Value, denied, values_in
from executor.answers.extraction.vocabulary import CJK, CJK_NOT, STATES
from executor.answers.meanings import Scalar
from executor.answers.reading import read

LONGEST_CLAUSE = 100
"""Longest answer in characters after "the answer is"; longer text is an explanation."""

LONGEST_CHUNK = 2000
"""Most characters of a line that are searched for values at once."""

_SEPARATOR = re.compile(
    r"\s*(?P<comma>[,;\uff0c\u3001])?\s*"
    r"(?P<word>(?:and|or|und|oder|et|ou|y|e|o|&)\s(?!\s*=)|[和与與或及と]|또는\s)?\s*"
)
_OR = ("or", "oder", "ou", "o", "或", "또는")
_AND_SO_ON = ("...", "\u2026", "\\ldots", "\\dots", "\\cdots")
_SPELLED = re.compile(r"[A-Za-z][A-Za-z -]{1,40}\s\((?P<number>[-$]{0,2}\d[\d,.]*)\)")
_INEQUALITY = re.compile(r"[<>\u2264\u2265\u2260\u2208]|\\(?:leq?|geq?|lt|gt|neq?|in)(?![A-Za-z])")
_NOT_BUT = re.compile(
    r"not\s[^,.;]{1,40}(?:,?\s+but\s+(?:rather\s+)?"
    r"|[,;]\s+(?:(?:but\s+)?(?:rather|instead)\s+|(?:it(?:\s+is|['\u2019]s)|the\s+answer\s+is)\s+(?!not\b)))",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"\s*(?:\u2248|\\approx(?![A-Za-z]))\s*")
_NAME_IS = re.compile(
    r"(?:\$[A-Za-z]\$|\\\([A-Za-z]\\\)|[k-z])\s+(?:is|equals)\s+(?:equal\s+to\s+)?"
)
_SAID_OF = re.compile(
    r"(?=[A-Z]|(?:the|there|it|he|she|they|we|you)\b)[^.;:]{1,60}?"
    r"\s(?:is|are|was|were|equals?|has|have|takes?|costs|needs|earns|gets|makes)\s"
)
"""The words of a sentence before its value: "The value of x is"."""

_NAMED_FIRST = re.compile(
    r"(?!(?:So|Thus|Then|Hence|Therefore|Well|Now|However|Here|Note|For|In|With)\b)"
    r"(?P<name>[A-Z][a-z]{2,20}|yes|no|Yes|No|true|false)(?<!ly),\s"
)
_NOT_VALUE = re.compile(
    r"(?:\w+ly\s+)?not(?:\s*$|\s+(?:\w+ly\s+|just\s+)?(?:[-$*\\\d(]|[A-Za-z]\b))", re.IGNORECASE
)
_DENIAL = re.compile(
    rf"(?:(?:neither|nicht|kein\w*|pas|não|не|no|non)\s|{CJK_NOT})\s*(?=[-$\\\d(])",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(r"^(?:negative|minus)\s+(?=\$?\d)", re.IGNORECASE)
_FORMULA_END = re.compile(r"(?P<closing>\\\)|\\\]|(?<!\\)\$\$?)(?:\s+[a-z]{2,}){0,3}[\s.*]*$")
_OBJECT = re.compile(r"\b(?:of|for|in|on|by|with)\s+$")
_NO_RESULT = re.compile(
    r"<<|>>|\\(?:equiv|pmod|neq?|implies|Rightarrow|boxed|begin\{(?:align|cases))"
)
_MACROS = re.compile(
    r"\\(?:text|textbf|textrm|mbox|mathrm|mathbf|operatorname|begin|end)\s*\{[^{}]*\}|\\[A-Za-z]+"
)
_TAIL = re.compile(
    r"\s*;|(?<!\d)\s+[\u2013\u2014]\s"
    r"|,?\s+(?:which|because|since|although|though|but|so(?!\s+on))\b"
    r"|,\s*(?:as|not|in|after|with|by|given|using|i\.e\.|that\sis|assuming|rounded"
    r"|and\s+(?:this|that|it|we|she|he|they|there|the|I)"
    r"|or\s+(?:equivalently|so|approximately|about))\b"
    r"|\s+as\s+(?:shown|required|desired|expected|before|above|stated|given|follows)\b"
    r"|[\uff0c\uff1b]|\s*\uff08[^\uff08\uff09]*\uff09"
    r"|\s+\((?!\s*(?:p?mod|(?:in\s+)?base)\b)(?=[^()]*(?:(?<![A-Za-z\\])[A-Za-z]{3}|\\?%))[^()]*\)\s*$",
)
_WHOLE = re.compile(
    r"(?:all|any|every|no|at\s+(?:least|most)|(?:less|greater|more|fewer|smaller|larger)\s+than"
    r"|between)\b",
    re.IGNORECASE,
)
_WORK_OF = re.compile(
    r"(?:the\s+)?(?:(?:square|cube)\s+root|square|cube|half|double|triple|twice|thrice|factorial"
    r"|logarithm)\s+(?:of\s+)?\S+|(?:the\s+)?(?:sum|product|difference|quotient|average|mean)"
    r"\s+(?:of|between)\s+\S+\s+and\s+\S+",
    re.IGNORECASE,
)
_EXCEPT = re.compile(r"\b(?:except|excluding|other\s+than|besides)\b")
_DETAIL = re.compile(
    r"(?<=[\d\u4e00-\u9fff])\uff0c(?:每|平均每|其中|它是|这是|因为|由于)[^\uff0c\u3002]{1,40}\u3002?\s*$"
)
"""The last part of a sentence that only describes: "，每天工作8小时。"."""

_REPEATED = re.compile(
    r"\s\((?:with\s|a\s|of\s)*(?:multiplicity|double|triple|repeated|twice)\b[^()]{0,30}\)"
)
_ASIDE = re.compile(
    r"(?:,?\s(?:i\.e\.,?|or|which\sis)\s(?:about|approximately|roughly)"
    r"\s[^.()]{0,60}(?:\.\d[^.()]{0,20})?"
    r"|\s\((?!p?mod\b|(?:in\s)?base\b)(?=or\b|[^()]*[A-Za-z]{3})[^()]{1,80}\)|\s\[\^?\d{1,2}\])[\s.*]{0,5}$"
)
"""What a line says at its end about its value: ", i.e. about 41.7%", "(20 red and 22 green)"."""

_RATIO = re.compile(
    r"\b(?:ratio|odds|chances?|probability)\b[^.\n\d]{0,60}?\s(?:is|are|was|becomes|of)\s+"
    r"(\d+\s+(?:in\s+\d+|to\s+\d+(?:\s+to\s+\d+)*))[\s.*]*$",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"\s*(?:です|である|だ|입니다|이다|了)+\s*$")
_PROSE = re.compile(r"[A-Za-z]{3}")
_WORDS = re.compile(r"(?<!\\)\b[^\W\d_]{2,}")
_CJK_WORDS = re.compile(f"[{CJK}]")
_FUNCTIONS = re.compile(r"(?<![A-Za-z])(?:pi|sqrt|sin|cos|tan|ln|log|exp)(?![A-Za-z])")
_CHAINED = re.compile(
    r"[\s$]*(?:\\[)\]])?\s*(?P<comma>[,\uff0c\u3001])?\s*"
    r"(?:(?P<word>and|or|und|oder|et|ou|y|o|e|和|或|と)\s*)?[\s$]*(?:\\[(\[])?"
)
_VERB = re.compile(
    r"(?:\b(?:is|are|be|was|were|ist|sind|est|sont|es|son|é|são|è|sono)|[是为]|:|\uff1a)$",
    re.IGNORECASE,
)
_NO_CHAIN = re.compile(r"(?:between|from|of|both|sum|product|add|adding|by)\s+$")


class _Kind(IntEnum):
    """What several quantities are together."""

    LIST = 0
    COMPOUND = 1
    """One quantity of several units, or of several kinds of things."""
    FORMULA = 2
    """No list: a formula goes on behind one of them."""


def answers_in(clause: str) -> tuple[str, ...]:
    """Return the answer that a clause gives; several strings are a list, () is no answer."""
    if clause.isdigit() and clause.isascii():
        return (clause,)
    clause = _NOT_BUT.sub("", clause, count=1).strip() if clause[:3].lower() == "not" else clause
    if _NOT_VALUE.match(clause):
        return ()
    named = _NAME_IS.match(clause)
    if named and begins_with_value(clause[named.end() :]):
        clause = clause[named.end() :]
    clause = _NEGATIVE.sub("-", clause, count=1)
    letters = choices.leading(clause)
    if letters:
        return letters
    first = quantity_at(clause, 0)
    if _DENIAL.match(clause) or (first and denied(clause, 0, first.value_end)):
        return ()
    if first is None:
        return _words(clause)
    if first.goes_on:
        return _formula(clause)
    return _listed(clause, first)


def begins_with_value(clause: str) -> bool:
    """Whether a clause begins with a value, a choice or a formula."""
    return bool(
        choices.leading(clause) or quantity_at(clause, 0) or clause.startswith(("\\", "-", "{"))
    )


def is_only_a_value(text: str) -> bool:
    """Whether a text is one value, list, formula or choice, and at most a unit behind it."""
    first = quantity_at(text, 0)
    if first is not None and not first.goes_on:
        items, kind = _walk(text, first)
        if kind is not _Kind.FORMULA:
            return not text[items[-1].end :].strip(" .*")
    words = _WORDS.search(_FUNCTIONS.sub("", text)) or _CJK_WORDS.search(text)
    return not words and bool(re.search(r"[\d\\^=+]", text))


def last_values(text: str) -> tuple[str, ...]:
    """Return the last value of a text, whole; several strings are a list, () is no value.

    A list counts only if a verb ("are 2, 3 and 5") or "or" shows that it is one.
    """
    for chunk in _chunks_from_end(text):
        if ratio := _RATIO.search(chunk[-LONGEST_CLAUSE:]):
            return (ratio[1],)
        chunk = _without_aside(chunk)
        values = values_in(_DETAIL.sub("", chunk)) or values_in(chunk)
        if values and (both := _rounded(chunk, values)):
            return (both,)
        if values:
            return _compound(chunk, values) or _chained(chunk, values, certain=True)
    return ()


def _without_aside(line: str) -> str:
    """A line without what it says at its end about its value, unless that is its only value."""
    aside = _ASIDE.search(line, max(0, len(line) - LONGEST_CLAUSE))
    main = line[: aside.start()] if aside else line
    return main if aside and values_in(main) else line


def _rounded(text: str, values: list[Value]) -> str | None:
    """An exact value with the rounded one behind it: "1/6 ≈ 0.167"."""
    if len(values) < 2:
        return None
    exact, last = values[-2:]
    between = _ABOUT.fullmatch(text, exact.end, last.start)
    return tidy(without_delimiters(text[exact.start : last.end])) if between else None


def _chunks_from_end(text: str) -> Iterator[str]:
    """The lines of a text, the last one first; long lines are cut at spaces."""
    end = len(text)
    while end > 0:
        start = text.rfind("\n", 0, end) + 1
        if end - start > LONGEST_CHUNK:
            space = text.find(" ", end - LONGEST_CHUNK, end)
            if space < 0:
                # What has no space in so many characters is no value.
                end = max(text.rfind(" ", 0, end), start - 1)
                continue
            start = space + 1
        yield text[start:end]
        end = start - 1 if text[start - 1 : start] in ("\n", " ") else start


def last_formula(text: str) -> str | None:
    """Return the result of the formula with which a text ends; None if it is a plain number.

    At most three words, such as a unit, may follow it. The last number of `2\\sqrt{3}` would be 3.
    """
    text = text.rstrip()
    end = _FORMULA_END.search(text, max(0, len(text) - LONGEST_CLAUSE))
    if end is None:
        return None
    closing = end["closing"]
    opening = {"\\)": "\\(", "\\]": "\\["}.get(closing, closing)
    start = text.rfind(opening, max(0, end.start() - 2 * LONGEST_CLAUSE), end.start())
    if start < 0 or (closing == "$" and text.count("$", 0, start) % 2):
        return None
    if denied(text, start, end.end("closing")):
        return None
    if end.start() - start < 5 and _OBJECT.search(text, max(0, start - 9), start):
        return None
    value = text[start + len(opening) : end.start()].rpartition("=")[2]
    value = tidy(value.replace("\n", " ")).rstrip(",")
    whole = value and all(
        value.count(left) == value.count(right)
        for left, right in (("{", "}"), ("\\begin", "\\end"), ("\\left", "\\right"))
    )
    prose = _PROSE.search(_MACROS.sub("", value))
    if (
        is_placeholder(value)
        or not whole
        or prose
        or _NO_RESULT.search(value)
        or NUMBER_IN_PROSE.fullmatch(value)
    ):
        return None
    return value


def _listed(clause: str, first: Quantity) -> tuple[str, ...]:
    items, kind = _walk(clause, first)
    if kind is _Kind.FORMULA:
        return _formula(clause)
    bounds = len(items) > 1 and any(_INEQUALITY.search(item.value) for item in items)
    if kind is _Kind.COMPOUND or bounds:
        return (tidy(without_delimiters(clause[: items[-1].end])),)
    values = tuple(tidy(item.value) for item in items)
    # "4,6,8" may also be one number in another country's digits, so it stays as it is.
    written = clause[: items[-1].value_end]
    return (written,) if written == ",".join(values) else values


def _walk(clause: str, first: Quantity) -> tuple[list[Quantity], _Kind]:
    """Read the items of a list or of a quantity of several units."""
    items, kind = [first], _Kind.LIST
    while True:
        repeated = _REPEATED.match(clause, items[-1].end)
        between = _SEPARATOR.match(clause, repeated.end() if repeated else items[-1].end)
        assert between is not None
        following = quantity_at(clause, between.end())
        if following is None:
            more = clause.startswith(_AND_SO_ON, between.end())
            return items, _Kind.FORMULA if more else kind
        joined = _kind(items, following, between, clause)
        if joined is None or (kind is _Kind.COMPOUND and _is_or(between)):
            return items, kind
        if following.goes_on:
            return items, _Kind.FORMULA
        kind = max(kind, joined)
        items.append(following)


def _kind(
    items: list[Quantity], following: Quantity, between: re.Match[str], clause: str
) -> _Kind | None:
    """How a further quantity belongs to those before it; None if it is said about them."""
    last = items[-1]
    if not between.group().strip():
        return _Kind.COMPOUND if last.measured else None
    if _is_or(between) and last.percent != following.percent:
        return None
    one_unit = bool(last.unit) != bool(following.unit) and (last.measured or following.measured)
    if one_unit and _is_or(between) and between["comma"]:
        return None  # "50 cents, or $0.50" says one amount twice
    word = bool(between["word"])
    if last.unit and following.unit:
        if _singular(last.unit) == _singular(following.unit):
            return _Kind.LIST if word else None
        if last.measured and following.measured:
            return None if _is_or(between) else _Kind.COMPOUND
        things = following.unit.split()[-1].casefold() not in STATES
        complete = word or not _explained(clause, following)
        return _Kind.COMPOUND if things and complete else None
    if last.unit:
        return _Kind.LIST if word else None
    if word or len(items) > 1 or between.group() == ",":
        return _Kind.LIST
    return None if following.unit or _explained(clause, following) else _Kind.LIST


def _explained(clause: str, item: Quantity) -> bool:
    """Whether words follow an item ("42, 3 more than 39") instead of an end or a further item."""
    between = _SEPARATOR.match(clause, item.end)
    assert between is not None
    if between.group().strip():
        return quantity_at(clause, between.end()) is None and not between["comma"]
    return bool(clause[item.end :].strip(" ."))


def _is_or(between: re.Match[str]) -> bool:
    return (between["word"] or "").strip() in _OR


def _formula(clause: str) -> tuple[str, ...]:
    """A clause that is one formula or condition, without what is said about it."""
    clause = _without_tail(clause)
    value = result(without_delimiters(clause))
    if value != without_delimiters(clause):
        return answers_in(value) if "=" not in value else (tidy(value),)
    value = tidy(_SUFFIX.sub("", value))
    return (value,) if len(value) <= LONGEST_CLAUSE else ()


def _words(clause: str) -> tuple[str, ...]:
    """A clause that does not begin with a value: its result, its last number, or its words."""
    said = _SAID_OF.match(clause)
    if said and _NOT_VALUE.match(clause[said.end() :]):
        return answers_in(clause[said.end() :])
    clause = result(_without_tail(clause))
    if _WHOLE.match(clause) or _WORK_OF.fullmatch(clause) or _EXCEPT.search(clause):
        return _formula(clause)
    worked = quantity_at(clause, 0)
    if worked is not None:
        return answers_in(clause)
    if spelled := _SPELLED.fullmatch(clause):
        return (tidy(spelled["number"]),)
    if named := _NAMED_FIRST.match(clause):
        return (named["name"],)
    if said and clause.startswith(said.group()) and begins_with_value(clause[said.end() :]):
        return answers_in(clause[said.end() :])
    words = len(_WORDS.findall(clause)) + 3 * bool(_CJK_WORDS.search(clause))
    if words >= 3 and "\\" not in clause and (numbers := _in_words(clause)):
        return numbers
    value = tidy(_SUFFIX.sub("", without_delimiters(clause)))
    return (value,) if value and words <= 5 and len(clause) <= LONGEST_CLAUSE else ()


def _compound(text: str, values: list[Value]) -> tuple[str, ...]:
    """A quantity of several units with which a text ends: "2 hours and 15 minutes"."""
    for value in values[-3:-1]:
        first = quantity_at(text, value.start)
        if first is None or not first.measured:
            continue
        items, kind = _walk(text, first)
        whole = text[value.start : items[-1].end]
        if kind is _Kind.COMPOUND and items[-1].end >= values[-1].end:
            quantity = isinstance(read(whole).meaning, Scalar) or _CJK_WORDS.search(whole)
            return (tidy(without_delimiters(whole)),) if quantity else ()
    return ()


def _chained(text: str, values: list[Value], *, certain: bool) -> tuple[str, ...]:
    """The last value, and those that "and", "or" or commas join to it.

    `certain` asks for a verb before a list whose last word is not "or".
    """
    chain = values[-1:]
    joins: list[str] = []
    for value in reversed(values[:-1]):
        between = _CHAINED.fullmatch(text, value.end, chain[0].start)
        if between is None or not (between["word"] or between["comma"]):
            break
        if _percent(text, value) != _percent(text, chain[0]) and between["word"] in _OR:
            break
        joins.append(between["word"] or "")
        chain.insert(0, value)
    if len(chain) == 1 or text[chain[-1].end :].lstrip(" $").startswith("="):
        return (chain[-1].text,)
    before = text[: chain[0].start].rstrip(" $*")
    if certain:
        alone = len(chain) > 2 or joins[0] or not text[chain[-1].end :].strip(" .$*)]\\")
        is_list = joins[0] in _OR or bool(_VERB.search(before[-10:]) and alone)
    else:
        is_list = bool(joins[0]) and not _NO_CHAIN.search(f"{before[-20:]} ")
    return tuple(value.text for value in (chain if is_list else chain[-1:]))


def _percent(text: str, value: Value) -> bool:
    return re.match(r"\s?\\?[%\uff05]", text[value.end : value.end + 3]) is not None


def _in_words(clause: str) -> tuple[str, ...]:
    """The last value of a clause of words, and those that "and" or "or" joins to it."""
    values = values_in(clause)
    return (_compound(clause, values) or _chained(clause, values, certain=False)) if values else ()


def _without_tail(clause: str) -> str:
    """Cut off what is said about an answer: ", which took 3 steps", "(see above)"."""
    tail = _TAIL.search(clause)
    return clause[: tail.start()] if tail and tail.start() else clause


def _singular(unit: str) -> str:
    return unit.casefold().removesuffix("s")
