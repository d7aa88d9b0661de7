r"""Values in running prose, each one whole: `5:30 PM`, `[2, 5]`, `9\pi`, `3 x 10^5`, `2k + 1`.

A line is cut into tokens of values and of prose. A value is a longest run of tokens that belong
together; a word, a comma outside brackets or an equals sign ends it. Nothing is ever taken from the
middle of a value. The time is linear in the length of the line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from executor.answers.extraction.tidying import tidy
from executor.answers.extraction.vocabulary import (
    CJK_NOT,
    CJK_SCALE,
    DENIAL_OF_CLAUSE,
    NAMED_SCALES,
    POWERS,
    VULGAR,
)

LONGEST_VALUE = 200
"""Most characters of a value; a longer run has no value."""

_BLANK = "[ \u00a0\u202f\u2009]"
_DIGITS = (
    rf"(?:\d{{1,3}}(?:(?:{_BLANK}|\\,|\{{,\}}|,\\!\s?)\d{{3}})+(?!\d)|\d+(?:['\u2019]\d{{3}})+(?!\d)"
    r"|\d+)(?:[.,]\d+)*(?:[eE][+-]?\d+(?!\w)|(?<=\.\d\d)(?:\.{3}|\u2026)"
    r"|(?<=\.\d\d\d)(?:\.{3}|\u2026)|\.(?=\\(?:overline|bar|dot)))?|\.\d+"
)
_CURRENCY = r"(?:[A-Z]{0,2}\\?\$|[\u20ac\u00a3\u00a5\u20b9])\s?-?"
_SCALE = rf"(?:\s(?:{POWERS})\b|{CJK_SCALE})*(?:\s+and\s+a\s+(?:half|quarter|third)\b)?"
_UNIT = (
    r"(?:[cmdk]m|kg|mg|m[lL]|ft|yd|mi|lbs?|oz|hrs?|mins?|secs?|mph|kph|k?Wh?|Hz"
    r"|[kKMGT][bB](?:ps)?|rpm|psi|[msghLNJ])"
)
_POWER = r"(?:\^\{?-?\d+\}?|[\u00b2\u00b3])?"
_PRODUCT = rf"{_UNIT}{_POWER}(?:\s?[/\u00b7]\s?{_UNIT}{_POWER})*"
_TAGS = (
    r"(?:[biuqs]|em|strong|span|p|br|div|code|pre|mark|font|center|h[1-6]|li|ul|ol|t[dhr]|su[bp]"
)
_TAGS += r"|math|quote|size|color|answer|final|output|result|ans)"
_TOKENS = {
    # what ends a value: tags, footnotes, units, words in a formula, delimiters of formulas, bold,
    # ordinals
    "stop": (
        rf"</?{_TAGS}(?:\s[^<>]{{0,100}})?\s?/?>|\[/?{_TAGS}(?:=[^\[\]]{{0,20}})?\]",
        r"(?<=\d)\[\d{1,3}\](?![\w/*^(])",
        rf"(?<=[\w}}%)]){_BLANK}?{_PRODUCT}(?![\w^(])(?!\s*[-+*/=^]\s*[\w(\\])",
        rf"\\(?:text\w*|mathrm|mbox|operatorname)\s*\{{[^{{}}]{{0,60}}\}}{_POWER}",
        r"<<[^<>]{0,200}>>|>>",
        r"\\(?:begin|end)\{(?!\w*matrix|cases|array)\w+\*?\}",
        r"\\[()\[\]]",
        r"\\(?:implies|Rightarrow|rightarrow|to|q?quad|boxed|therefore|item|end)(?![A-Za-z])",
        r"(?<![\w)\]}])\*\*|\*\*(?![\d(])",
        r"(?:st|nd|rd|th)\b(?<=\d..)",
    ),
    # times, ratios, angles, feet and inches, mixed fractions, decimals with their scale
    "number": (
        r"\d+\u00b0\s?\d+(?:['\u2032](?:\s?\d+[\"\u2033])?)?",
        r"\d{1,2}:\d\d(?::\d\d)?(?!\d)(?:\s?[AaPp]\.?[Mm]\b)?|\d{1,2}\s?[AaPp]\.?[Mm]\b",
        r"\d[\d.]*(?::\d[\d.]*\b)+|\d[\d.]*(?:\s:\s\d[\d.]*\b)+",
        r"\d+['\u2032]\s?\d+(?:\"|\u2033|'')",
        rf"(?:{_CURRENCY})?"
        rf"(?:\d+\s(?:and\s)?\d+/\d+(?!\d)|\d*[{VULGAR}]|{_DIGITS}){_SCALE}",
    ),
    "relation": (r"\\approx(?![A-Za-z])", r"[=\u2248\u2192\u21d2]"),
    "comma": (r"[,;\uff0c\u3001\uff1b]",),
    "open": (
        r"\\(?:langle|lfloor|lceil)(?![A-Za-z])", r"\\left\s?\\?[(\[{]", r"\\\{",
        r"(?!\(mod\s)[(\[{\uff08]",
    ),
    "close": (
        r"\\(?:rangle|rfloor|rceil)(?![A-Za-z])", r"\\right\s?\\?[)\]}]", r"\\\}", r"[)\]}\uff09]",
    ),
    "infix": (
        r"\\(?:cdot|times|div|pm|mp|cup|cap|leq?|geq?|neq?|lt|gt|in|equiv|sim|setminus)(?![A-Za-z])",
        r"(?<=[\d)])\s?[xX]\s?(?=\d)",
        r"\(mod\s[^()]{1,20}\)|\bmod\b|(?<=\d )out of(?: every| each)?(?= \d)",
        r"\*\*|(?<=\d)\u2013(?=\d)",
        r"[-+*/^_<>\u2264\u2265\u2260\u00d7\u00f7\u00b7\u22c5\u00b1\u222a\u2229\u2208\u2261\u2044]",
    ),
    "space": (r"\s+", r"\\[ ,;:!]", r"~"),
    # per cent, degrees, a factorial within a formula
    "mark": (r"\\?%", r"\uff05", r"\u00b0[CF]?", r"!(?=\s?[-+*/^=.)])"),
    "symbol": (
        r"\\begin\{(?P<name>\w+)\}.{0,300}?\\end\{(?P=name)\}",
        r"\\[A-Za-z]+",
        r"(?<![A-Za-z])(?:sqrt|pi|a?sin|a?cos|a?tan|arc(?:sin|cos|tan)|ln|log|exp|infinity)(?![A-Za-z])",
        r"[\u221a\u221b\u221e\u00b2\u00b3\u00b9\u2070-\u2089\u0370-\u03ff]",
    ),
    "word": (r"(?<![A-Za-z])[A-Za-z]+\d\w*",),
    "letter": (
        r"(?<=[\d)}\]])[A-Za-z]{1,3}(?![^\W_])",
        r"(?<![^\W\d_])[A-Za-z](?![^\W_'\u2019])",
    ),
    "prose": (rf"[^\W\d_](?:[^\W\d_]|['\u2019-](?=[^\W\d_]))*{_POWER}",),
    "other": (r".",),
}  # fmt: skip
"""The kinds of tokens: the patterns of each, in the order in which they are tried."""

_TOKEN = re.compile(
    "|".join(f"(?P<{kind}>{'|'.join(patterns)})" for kind, patterns in _TOKENS.items()), re.DOTALL
)
_ENDS = ("stop", "relation", "comma", "word", "prose", "other")
"""Kinds of tokens at which a value ends."""

_NUMERIC = re.compile(rf"[\d{VULGAR}]")
_CLOSING = {"(": ")]", "[": "])", "{": "}", "\uff08": "\uff09", "e": "e", "r": "r", "l": "l"}
_LEADING = re.compile(
    r"(?:[+*/^_<>\u00d7\u00f7\u00b7\u22c5\u2044\u2261]|\\(?:cdot|times|div|equiv|sim)\b|-(?=\s)|\s)+"
)
_TRAILING = re.compile(
    r"(?:\s|\^\{?\\circ\}?|\\?%|\uff05|\u00b0[CF]?|\\,"
    r"|(?P<open>[-+*/^_<>=\u00d7\u00f7\u00b7\u22c5\u00b1]|\\(?:cdot|times|div|pm|mp|leq?|geq?|equiv)\b))+$"
)
_CONGRUENT = re.compile(r"\\equiv(?![A-Za-z])|\u2261")
_MODULUS = re.compile(r"\s*(?:\\pmod.*|\(mod\s.*|\\mod\b.*)$", re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z](?:_\{?\w{1,3}\}?)?\s*")
_NAME_ONLY = re.compile(
    r"\\?[A-Za-z]+_(?:\{\w+\}|\w)|(?:[A-Za-z]{1,3}/)?[a-z]{1,2}/[a-z]{1,2}\^\{?-?\d\}?|[ms]\^\{?-?\d\}?|\\[A-Za-z]+"
)
_MINUS = re.compile(r"(?:\b(?:minus|negative|moins|menos|meno)\s|[负負])\s*$", re.IGNORECASE)
_PAID = re.compile(r"^(-?[^\w\s.-]{1,2}\s?-?[\d.,]+)\s?(K|k|M|B|bn|mn)$")
_COUNTED_OUT_OF = re.compile(r"(?<=\d) out of \d+$")
_LABELLED = re.compile(r"\d+:(?=\d+$)")
_LABEL = re.compile(
    r"\b(?:week|day|step|part|case|month|year|hour|round|stage|phase|group|box|item|problem)\s$",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"\(((?:[^(),;\[\]]|\([^()]*\))*)\)|\[\s*(-?[\d.]+)\s*\]")

_DENIED_BEFORE = re.compile(
    r"(?:(?:\b(?:not|cannot|never|nicht|kein|keine|pas|n\u00e3o|не)|\b(?:is|are|was|do|does|did|ca|could|would"
    r"|should|wo)n['\u2019]t|\brather\s+than|\binstead\s+of|\bno\s+longer|\bno\s+(?:es|son|puede\s+ser)"
    r"|\bnon\s+(?:\u00e8|sono)|\bn?either)"
    r"(?:\s+(?:be|simply|just|really|actually|equal(?:\s+to)?|exactly|the\s+number|\u00e9|s\u00e3o|\u00eatre|sein))*"
    r"(?:\s+[-$]{0,2}[\d.,]+\s+(?:or|nor))?\s"
    rf"|{CJK_NOT}|而非)"
    r"[\s$*\"'(]*(?:\\f?boxed\s*\{?|\\[(\[])?\s*$",
    re.IGNORECASE,
)
_DENIED_CLAUSE = re.compile(rf"{DENIAL_OF_CLAUSE}[^.,;]*$", re.IGNORECASE)
_DENIED_AFTER = re.compile(
    r"[\s$*}\])\\\"']*(?:is\s*n['\u2019]t|is\s+not|was\s+not)\s+(?:the|our|my|correct|right|valid|possible)\b"
    r"|[\s$*}\])\\\"']*(?:is|was|ist|est|es)\s+(?:wrong|incorrect|false|invalid|impossible|falsch|faux"
    r"|falso|incorrecto)\b"
    r"|[\s$*}\])]*(?:(?:では|じゃ)(?:ない|ありません|なく|なくて)|是错|是錯|不对|不對|不正确|[이가]?\s?아니|[이가]?\s?아닙)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a line: its text without what surrounds it, and where it stands."""

    text: str
    start: int
    end: int


def denied(text: str, start: int, end: int) -> bool:
    """Whether a text denies what stands from `start` to `end`: "not 8", "8 is wrong"."""
    before = text[max(0, start - 60) : start]
    if _DENIED_BEFORE.search(before[-40:]) or _DENIED_CLAUSE.search(before):
        return True
    return bool(_DENIED_AFTER.match(text, end, end + 60))


def values_in(line: str) -> list[Value]:
    """Return the values of a line in their order; those that the line denies are left out."""
    found: list[Value] = []
    for start, end in _runs(line) if _NUMERIC.search(line) else ():
        value = _value(line, start, end)
        if value is not None:
            found.append(value)
    return [value for value in found if not denied(line, value.start, value.end)]


def _runs(line: str) -> list[tuple[int, int]]:
    """Spans of tokens that belong together and have a number among them."""
    tokens = list(_TOKEN.finditer(line))
    partners = _partners(tokens)
    runs: list[list[re.Match[str]]] = []
    run: list[re.Match[str]] = []
    closes_at, spaced = -1, False
    for place, token in enumerate(tokens):
        if place <= closes_at:  # within brackets
            run.append(token)
            continue
        if token.lastgroup == "space":
            spaced = True
            continue
        alone = token.lastgroup in ("open", "close") and place not in partners
        ends = alone or token.lastgroup in _ENDS
        if run and (ends or (spaced and not _joined(run[-1], token))):
            runs.append(run)
            run = []
        spaced = False
        if not ends:
            run.append(token)
            closes_at = partners.get(place, place)
    runs.append(run)
    return [(run[0].start(), run[-1].end()) for run in runs if any(map(_is_number, run))]


def _is_number(token: re.Match[str]) -> bool:
    """Whether a token is a number or a matrix."""
    return token.lastgroup == "number" or token["name"] is not None


def _joined(before: re.Match[str], after: re.Match[str]) -> bool:
    """Whether two tokens with a space between them belong to one value."""
    return not {"infix", "symbol"}.isdisjoint((before.lastgroup, after.lastgroup))


def _partners(tokens: Sequence[re.Match[str]]) -> dict[int, int]:
    """The places of opening brackets, with those of the brackets that close them, and back.

    Prose never stands within brackets of a value: "(about 5)" has none.
    """
    partners: dict[int, int] = {}
    opened: list[int] = []
    for place, token in enumerate(tokens):
        kind = token.lastgroup
        if kind in ("stop", "word", "prose", "other"):
            opened.clear()
        elif kind == "open":
            opened.append(place)
        elif kind == "close" and opened:
            start = opened.pop()
            if token.group()[-1] in _CLOSING[tokens[start].group()[-1]]:
                partners[start], partners[place] = place, start
    return {place: partner for place, partner in partners.items() if partner > place}


def _value(line: str, start: int, end: int) -> Value | None:
    """The value of a run; None if it is too long, cut off or only a name."""
    span = _trimmed(line, start, end) if end - start <= LONGEST_VALUE else None
    if span is None:
        return None
    start, end = span
    text = _residue(_unbracketed(line[start:end]))
    if not any(c.isnumeric() for c in text) or _NAME_ONLY.fullmatch(text):
        return None
    minus = _MINUS.search(line, max(0, start - 12), start)
    if minus and text[0].isnumeric():
        if line[max(0, minus.start() - 3) : minus.start()].rstrip()[-1:].isnumeric():
            return None  # "8 minus 3"
        text, start = f"-{text}", minus.start()
    text = re.sub(r"^-\s+", "-", text)
    text = re.sub(r"^(\d+) and (\d+/\d+)$", r"\1 \2", text)
    text = _PAID.sub(lambda m: f"{m[1]} {NAMED_SCALES[m[2].casefold()]}", text)
    text = re.sub(r"\.\.\.$", "\u2026", text)
    return Value(tidy(text), start, end)


def _trimmed(line: str, start: int, end: int) -> tuple[int, int] | None:
    """The span of a run without operators and labels that join it to nothing.

    None if the text was cut off in the middle of a formula.
    """
    counted = _COUNTED_OUT_OF.search(line, start, end)
    if counted and re.match(r"\s+[a-z]", line[end:]):
        end = counted.start()  # "42 out of 100 people" are 42
    after_relation = line[max(0, start - 3) : start].rstrip()[-1:] in ("=", "\u2248")
    lead = _LEADING.match(line, start, end)
    if lead and not (after_relation and line[start] in "-+"):
        start = lead.end()
    if line[start : start + 1] == "-" and re.match(r"[\w)\]}]", line[max(0, start - 1) : start]):
        start += 1
    tail = _TRAILING.search(line, start, end)
    if tail and tail["open"] not in (None, "*") and not line[end:].strip(" $"):
        return None
    end = tail.start() if tail else end
    labelled = _LABELLED.match(line, start, end)
    if labelled and _LABEL.search(line, max(0, start - 12), start):
        start = labelled.end()
    return start, end


def _unbracketed(text: str) -> str:
    """The content of brackets around a whole value, on the right of its equals sign."""
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed is None:
        return text
    content = next(group for group in bracketed.groups() if group is not None)
    return content.rpartition("=")[2].strip()


def _residue(text: str) -> str:
    r"""The residue of a computed congruence (`3^4 \equiv 1 \pmod{5}`); others stay whole."""
    sides = _CONGRUENT.split(text)
    if len(sides) == 1 and not text.startswith("\\pmod"):
        return text
    if len(sides) == 2 and _VARIABLE.fullmatch(sides[0]):
        return text
    return _MODULUS.sub("", sides[-1]).strip()
