"""Answers of a special kind as a whole: words, set phrases, choices, times of day, bases."""

from __future__ import annotations

import re

from executor.answers.formulas.expressions import FUNCTIONS, number
from executor.answers.formulas.normal_form import GREEK
from executor.answers.formulas.parser import CALLED
from executor.answers.formulas.quantities import quantity
from executor.answers.formulas.units import BELOW_TWENTY
from executor.answers.meanings import Based, Choice, Clock, Meaning, Phrase, Ratio, Scalar, Text


def canonical(form: str) -> str:
    """Return a normal form without spaces that do not matter; words without regard to case."""
    form = re.sub(r"([_^])\{(\w)\}", r"\1\2", form)
    # "1 4/5" is not 14/5.
    compact = re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", form)
    return compact.casefold() if is_prose(form) else compact


def is_prose(form: str) -> bool:
    """Whether a normal form has words in it that are no mathematics."""
    if "\\" in re.sub(r"\\(?:text|roman)(?![A-Za-z])", "", form):
        return False
    words = re.findall(r"(?<![\\A-Za-z])[A-Za-z]{3,}", form)
    return any(w.casefold() not in _NOT_WORDS and not CALLED.fullmatch(w) for w in words)


_NOT_WORDS = frozenset({*FUNCTIONS, *GREEK, "inf", "infinity", "asin", "acos", "atan", "mod"})


def word(form: str) -> Meaning | None:
    """Read letters only, in which letters are no variables: `Evelyn`, `the red one`."""
    if not re.fullmatch(r"[^\W\d_][^\W\d_' .]*(?:[ .'-][^\W\d_' .]*)*", form):
        return None
    words = form.replace(".", "").replace("-", " ").casefold().split()  # `x-y` is a difference
    if any(CALLED.fullmatch(word) for word in words):
        return None
    long = any(len(word) >= 3 for word in words)
    form = re.sub(r"^(?:an?|the) (?=\w{3})", "", form, flags=re.IGNORECASE)
    return Text(canonical(form)) if long and _NOT_WORDS.isdisjoint(words) else None


_PHRASES = [
    (re.compile(pattern, re.IGNORECASE), key)
    for pattern, key in (
        (r"yes", "yes"),
        (r"no", "no"),
        (r"(?:there (?:is|are) )?no (?:solutions?|answers?)(?: exists?)?|none|(?:the )?empty set"
         r"|\\emptyset|null set|nil", "none"),
        (r"(?:there (?:is|are) )?no real (?:solutions?|roots?)(?: exists?)?", "no real"),
        (r"(?:it |the limit )?(?:dne|does(?: not|n't) exist|d\.n\.e)", "no value"),
        (r"(?:it is )?(?:undefined|not defined)", "undefined"),
        (r"(?:it |this |the answer )?(?:cannot|can not|can't) be determined"
         r"|(?:there is )?(?:not enough|insufficient) (?:information|data)(?: given)?", "unknown"),
        (r"(?:there are )?(?:infinitely many|infinite)(?: (?:real )?solutions?)?", "many"),
        (r"all real(?:s| numbers)|all real values|\\mathbb\{?R\}?|\(-\\infty ?, ?\+?\\infty ?\)"
         r"|x ?\\in ?\\mathbb\{?R\}?|the real numbers", "reals"),
    )
]  # fmt: skip


def phrase(form: str) -> Meaning | None:
    """Read a set phrase: `no solution`."""
    plain = re.sub(r"\\(?:text|roman)\s*\{([^{}]*)\}", r"\1", form)
    plain = " ".join(plain.split()).rstrip(".")
    return next((Phrase(key) for pattern, key in _PHRASES if pattern.fullmatch(plain)), None)


_LEAD = r"(?:(?:the )?(?:correct )?(?:option|choice|answer|alternative)(?: is)?:? )"
_LETTER = (
    rf"(?:{_LEAD}?\(\s*([A-Ja-e])\s*\)|{_LEAD}\(?([A-Ja-e])\)?|([A-J])|([A-Ja-e])\)"
    r"|[\[<]\s*([A-J])\s*[\]>])"
)
_CHOSEN = re.compile(
    r"(?:故?[选選](?:择|擇)?(?:[项項]|选项|選項)?|答案[是为為]?|正解は?)[:\s]*(?=\(?[A-J]\)?)"
    r"|(?<=[A-J)])\s*(?:[项項]|选项|選項)$"
)
CHOICE_WITH_CONTENT = re.compile(
    rf"(?:{_LEAD}?\(\s*([A-Ja-e])\s*\)\s*[.:]?|{_LEAD}\(?([A-Ja-e])\)?\s*[.:)]"
    r"|([A-J])\s*[.:)]|([a-e])\))\s+(?![-+=*/^_]|(?:\\text\s*\{\s*)?(?:and|or)\b)(\S.*)",
    re.DOTALL,
)
"""A letter, as the last but one group that matched, and its content, as the last group."""

TEXT_AROUND = re.compile(r"\\(?:text|roman|bold)\s*\{\s*(\(?\s*[A-Ja-e]\s*[.:)]*)\s*\}[.:]?")


def choice(form: str) -> Meaning | None:
    """Read the letter of a choice, or several: `(A)`, `Option A`, `A, C`."""
    marked = len(form) > 1
    form = form if form.isascii() else _CHOSEN.sub("", form)
    form = TEXT_AROUND.sub(r"\1 ", form, count=1).strip()
    single = re.fullmatch(_LETTER, form)
    if single:
        return Choice(next(g for g in single.groups() if g).upper(), None, marked)
    if re.fullmatch(_LEAD + r".*", form, re.IGNORECASE):
        lowered = re.match(_LEAD, form, re.IGNORECASE)
        rest = form[lowered.end() :] if lowered else form
        inner = re.fullmatch(r"\(?([A-Ja-e])[).:]*", rest)
        if inner:
            return Choice(inner[1].upper(), None)
    several = re.split(r"\s*(?:,\s*and|,|;|\band\b|&|[和与及])\s*", form)
    if len(several) > 1:
        letters = [re.fullmatch(r"\(?([A-J])[).]*", part) for part in several]
        if all(letters):
            return Choice("".join(sorted(m[1] for m in letters if m)), None)
        return None
    if re.fullmatch(r"[A-J]{2,6}", form) and sorted(set(form)) == list(form):
        return Choice(form, None)
    return None


_CLOCK = re.compile(
    r"(\d{1,2})(?:\s*(?::|\.(?=\d\d\s?[apAP]\.?\s?[mM]))\s*(\d{2})(?:\s*:\s*(\d{2}))?)?\s*"
    r"(?:\\(?:text|roman)\s*\{\s*)?(?:([ap])\.?\s?m\.?|(noon|midnight|hours|h|o'clock))?\s*\}?",
    re.IGNORECASE,
)


def clock(form: str) -> Meaning | None:
    """Read a time of day: `8 am`, `05:30`, `noon`."""
    if form.casefold() in ("noon", "midnight"):
        return Clock(43200 if form.casefold() == "noon" else 0, True)
    form = _in_figures(form)
    match = _CLOCK.fullmatch(form)
    whole_hour = match and (match[5] or "").casefold() in ("noon", "o'clock")
    if match is None or (match[2] is None and match[4] is None and not whole_hour):
        return None
    hour, minute, second = (int(match[i] or 0) for i in (1, 2, 3))
    if hour > 24 or minute > 59 or second > 59:
        return None
    named = bool(match[4]) or (match[5] or "").casefold() in ("noon", "midnight")
    known = named or hour > 12 or hour == 0
    half = (match[4] or "").casefold()
    if half == "p" and hour < 12:
        hour += 12
    if (half == "a" or match[5] == "midnight") and hour == 12:
        hour = 0
    terms = None if named or match[5] or match[3] or match[2] != str(minute) else (hour, minute)
    ratio = Ratio(tuple(Scalar(quantity(number(term))) for term in terms)) if terms else None
    return Clock(hour * 3600 + minute * 60 + second, known, named, ratio)


_SPOKEN = re.compile(
    r"(?P<part>half|(?:a )?quarter|\d{1,2} minutes) (?P<side>past|to) (?P<hour>\w+)(?P<half> .*)?",
    re.IGNORECASE,
)
_HOUR = re.compile(r"(?P<hour>[A-Za-z]+) o'clock", re.IGNORECASE)


def _in_figures(form: str) -> str:
    """Write a time in words in figures: `half past three`, `quarter to 4 pm`, `six o'clock`."""
    spoken = _SPOKEN.fullmatch(form) or _HOUR.fullmatch(form)
    if spoken is None:
        return form
    hour = BELOW_TWENTY.get(spoken["hour"].casefold(), 0)
    hour = int(spoken["hour"]) if spoken["hour"].isdigit() else hour
    if not 1 <= hour <= 12:
        return form
    if spoken.re is _HOUR:
        return f"{hour}:00"
    part = spoken["part"].casefold()
    minutes = {"half": 30, "quarter": 15, "a quarter": 15}.get(part) or int(part.split()[0])
    if minutes > 30:
        return form
    if spoken["side"].casefold() == "to":
        hour, minutes = (hour - 1) or 12, 60 - minutes
    return f"{hour}:{minutes % 60:02d}{spoken['half'] or ''}"


_BASED = re.compile(
    r"\(?((?=[0-9A-F]*\d)[0-9A-F]+(?:\.\d+)?)\)?"
    r"(?:\s*_\s*\{?\s*(?:\\text\s*\{)?\s*\(?(\w+)\)?\s*\}?\}?|,?\s*\(?(?:in )?base[ -](\w+)\)?"
    r"|,? \(?(?:in )?(binary|octal|hexadecimal)\)?)"
)
_BASES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
          "eleven", "twelve")  # fmt: skip
_PREFIXED = re.compile(r"0([box])([0-9a-f]+)", re.IGNORECASE)
_HEXADECIMAL = re.compile(r"()\(?([0-9A-Fa-f]{2,})\)?\s?_\{?16\}?")
_NAMED_BASES = {"sixteen": "16", "hex": "16", "hexadecimal": "16", "octal": "8", "binary": "2"}


def based(form: str) -> Meaning | None:
    """Read digits with their base: `52_8`, `101 base 2`."""
    prefixed = _PREFIXED.fullmatch(form) or _HEXADECIMAL.fullmatch(form)
    if prefixed:
        base = {"b": "2", "o": "8"}.get(prefixed[1].casefold(), "16")
        if any(int(digit, 16) >= int(base) for digit in prefixed[2]):
            return None
        return Based(prefixed[2].upper().lstrip("0") or "0", base)
    match = _BASED.fullmatch(form)
    if match is None:
        return None
    base = next(filter(None, match.groups()[1:])).casefold()
    base = _NAMED_BASES.get(base, base)
    return Based(match[1].lstrip("0") or "0", str(_BASES.index(base)) if base in _BASES else base)


_NAMES_OF_MONTHS = """
january february march april may june july august september october november december
"""
_MONTHS = _NAMES_OF_MONTHS.split()
_DAY = r"(?P<day{0}>\d{{1,2}})(?:st|nd|rd|th)?"
_DATE = re.compile(
    rf"(?:the )?(?:(?P<month>[A-Za-z]{{3,9}})\.? {_DAY.format('')}"
    rf"|{_DAY.format('_first')}(?: of)? (?P<month_last>[A-Za-z]{{3,9}})\.?)"
    r"(?:,? (?P<year>\d{4}))?"
)


def date(form: str) -> Meaning | None:
    """Read a day of a month: `May 5`, `5th of May`, `May 5, 2024`, `2024-05-05`."""
    numbered = re.fullmatch(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", form)
    if numbered:
        year, month, day = map(int, numbered.groups())
        known = 0 < month < 13 and 0 < day < 32
        return Phrase(f"{month}/{day}/{year}") if known else None
    match = _DATE.fullmatch(form)
    if match is None:
        return None
    name = (match["month"] or match["month_last"]).casefold()
    months = [at for at, month in enumerate(_MONTHS, start=1) if month.startswith(name)]
    if len(months) != 1 or (len(name) != 3 and name not in _MONTHS):
        return None
    day = int(match["day"] or match["day_first"])
    return Phrase(f"{months[0]}/{day}/{match['year'] or ''}") if 0 < day < 32 else None


_NUMERAL = r"(?:I{1,3}|IV|V|VI{1,3})"
_NUMERALS = re.compile(rf"{_NUMERAL}(?:(?:\s*,\s*(?:and )?|\s+and\s+|\s*&\s*){_NUMERAL})+")


def numerals(form: str) -> Meaning | None:
    """Read numbers of statements: `I and III`."""
    return Text(", ".join(re.findall(r"[IV]+", form))) if _NUMERALS.fullmatch(form) else None


def division(form: str) -> Meaning | None:
    """Read a quotient with its remainder: `5 R 3`, `5 with a remainder of 3`."""
    match = re.fullmatch(
        r"(\d+),?\s*(?:R|r|rem\.?|(?:with )?(?:a )?remainder(?: of)?)\s*(\d+)",
        re.sub(r"\\(?:text|roman)\s*\{([^{}]*)\}", r"\1", form),
    )
    return Text(f"{match[1]} remainder {match[2]}") if match else None


def dashed(form: str) -> Meaning | None:
    """Read `5-6`, a date and a telephone number as text, not as a difference."""
    dashed = re.fullmatch(r"\d+(?:\.\d+)?(?:-\d+(?:\.\d+)?)+|\d+/\d+/\d+", form)
    return Text(form) if dashed else None
