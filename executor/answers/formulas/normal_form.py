r"""The normal form of an answer: one LaTeX spelling for each thing that people write in many ways.

Nothing here decides what an answer means. Characters, wrappers (`$…$`, `**…**`, `\boxed{…}`),
spacing, digit groups, scientific notation, repeating decimals, currency signs and degrees become
one spelling, which `executor.answers.reading` reads. Three commands of our own appear in it:
`\unit{degree}` (a unit that was a sign), `\currency{dollar}` (a sign before an amount), and
`\rep{0}{1}{6}` (0.1666…, a repeating decimal).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial

from executor.answers.formulas.cjk import spell_units
from executor.answers.formulas.numbers import ROUNDED_PLACES
from executor.answers.formulas.units import CURRENCY_CODES, CURRENCY_SIGNS

_ALPHABET = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau
upsilon phi chi psi omega
"""
GREEK = tuple(_ALPHABET.split())
"""Names of Greek letters in the order of the alphabet."""

_CAPITALS = "alpha beta epsilon zeta eta iota kappa mu nu omicron rho tau chi"
_LATIN_CAPITALS = _CAPITALS.split()  # they look like Latin letters

_MEANINGS = {
    "\\times ": "×✕⨯", "*": "·⋅∙•・∗＊", "/": "÷⁄∕", "-": "−‐‑‒–—﹣－", "\\sqrt ": "√",
    "\\sqrt[3]": "∛", "\\sqrt[4]": "∜", "\\infty ": "∞", "\\le ": "≤⩽≦", "\\ge ": "≥⩾≧",
    "\\ne ": "≠", "\\approx ": "≈≅≃", "\\pm ": "±", "\\mp ": "∓", "\\cup ": "∪", "\\cap ": "∩",
    "\\in ": "∈", "\\emptyset ": "∅⌀", "\\equiv ": "≡", "\\langle ": "⟨〈〈", "\\rangle ": "⟩〉〉",
    "^\\circ ": "°º˚", "^\\circ C": "℃", "^\\circ F": "℉", "'": "′’‘", '"': "″“”", "...": "…",
    "\\lfloor ": "⌊", "\\rfloor ": "⌋", "\\lceil ": "⌈", "\\rceil ": "⌉", "|": "∣", ":": "∶：",
    "\\mathbb{R}": "ℝ", "\\mathbb{Z}": "ℤ", "\\mathbb{N}": "ℕ", "\\mathbb{Q}": "ℚ",
    "\\mathbb{C}": "ℂ", ",": "、，", ".": "。", "\\unit{cent}": "¢", "\\theta ": "ϑ",
    "\\phi ": "ϕ", "\\epsilon ": "ϵ", "\\pi ": "ϖ", "": "\u200b\u200c\u200d\u2060\ufeff\u00ad",
    "~": "～", "\\sim ": "∼", "\\land ": "∧", "\\lor ": "∨", "\\setminus ": "∖",
    "\\neg ": "¬￢",
}  # fmt: skip
_SIGNS = {sign: meaning for meaning, signs in _MEANINGS.items() for sign in signs}
_SIGNS.update({chr(0x3B1 + i + (i >= 17)): f"\\{name} " for i, name in enumerate(GREEK)})
_SIGNS.update(
    {
        chr(0x391 + i + (i >= 17)): f"\\{name.capitalize()} "
        for i, name in enumerate(GREEK)
        if name not in _LATIN_CAPITALS
    }
)
_COMBINING = re.compile("(?:\\d[\u0305\u0304])+|\\d[\u0307]")

_WRAPPERS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\$\$?([^$]+)\$\$?",
        r"\\\((.*)\\\)",
        r"\\\[(.*)\\\]",
        r"\*\*\*?([^*]+)\*\*\*?",
        r"\*([^*]+)\*",
        r"__?([^_{}]+)__?",
        r"`+([^`]+)`+",
        r'"([^"]+)"',
        r"'([^']+)'",
        r"\\(?:text|textbf|textit|textrm|mbox|mathrm|mathbf|mathit)\s*\{([^{}]{2,}|\d)\}",
        r"\\displaystyle\s*(.*)",
        r"\\begin\s*\{(?:align|equation|gather|displaymath|split)(?:ed)?\*?\}((?:(?!\\\\).)*)"
        r"\\end\s*\{(?:align|equation|gather|displaymath|split)(?:ed)?\*?\}",
        r"([A-JIVX]{1,4}(?:(?:,|,? and) [A-JIVX]{1,4})*) only",
    )
]
_SIGN_COMMANDS = {"pounds": "£", "euro": "€", "yen": "¥"}
_CONNECTIVE = re.compile(r"\\(?:land|(lor))(?![A-Za-z])")
_CONDITION = re.compile(r"[<>=]|\\(?:le|ge|ne|in)(?![A-Za-z])")
_BRACKETS = {"\\lbrace": "\\{", "\\rbrace": "\\}", "\\lbrack": "[", "\\rbrack": "]"}
_BRACED = re.compile(
    r"(?:\\(?:boxed|fbox|underline|emph)\s*"
    r"|(?P<font>\\(?:mathbf|boldsymbol|bm|textbf|text|mathrm)\s*))?\{"
)


def _combinations(match: re.Match[str], *, turned: bool = False) -> str:
    """Spell `C_n^k`, `_nC_k` and, turned, `C^k_n` as a binomial coefficient."""
    top, bottom = filter(None, match.groups())
    if turned:
        top, bottom = bottom, top
    if top.isdigit() and bottom.isdigit() and int(top) < int(bottom):
        return match.group()  # a constant with an exponent
    return rf"\binom{{{top}}}{{{bottom}}}"


_COMMANDS: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # A tilde is a space; before a letter, at the start or behind an operator, it negates.
        (
            r"(^|\\(?:land|lor|wedge|vee|to|rightarrow|Rightarrow|implies|iff)(?![A-Za-z])\s*"
            r"|[-=]>\s*|[(&|]\s*)(?:~|\\sim(?![A-Za-z]))\s*(?=[A-Za-z(])",
            r"\1\\neg ",
        ),
        (r"\\lnot(?![A-Za-z])", r"\\neg "),
        # Numbers of combinations.
        (
            r"(?<![\w})\]])(?:\{\s*\})?[_^]\s*(?:\{(\w+)\}|(\w))\s*C\s*_\s*(?:\{(\w+)\}|(\w))",
            _combinations,
        ),
        (r"(?<![A-Za-z\\])C_\s*(?:\{(\w+)\}|(\w))\s*\^\s*(?:\{(\w+)\}|(\w))", _combinations),
        (
            r"(?<![A-Za-z\\])C\^\s*(?:\{(\w+)\}|(\w))\s*_\s*(?:\{(\w+)\}|(\w))",
            lambda m: _combinations(m, turned=True),
        ),
        # Text that is struck out, and a relation between letters; else a tilde is a space.
        (r"~~([^~]+)~~", r"\\sout{\1}"),
        (r"(?<=[A-Za-z]) ~ (?=[A-Za-z])", r" \\sim "),
        (
            r"\\(?:text)?color(?:box)?\s*\{[^{}]*\}|\\(?:[hv]?phantom|[hv]space\*?)\s*\{[^{}]*\}",
            " ",
        ),
        (r"\+\s?/\s?-|^\+\s?-(?=\s?[\d.\\A-Za-z(])", r"\\pm "),
        (r"-\s?/\s?\+", r"\\mp "),
        (r"\\left\s*\.|\\right\s*\.", ""),
        (r"\\m?(?:left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])", ""),
        (r"\\(?:[dtc]|nice|s)frac(?![A-Za-z])", r"\\frac"),
        (r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}", r"\\frac{\1}{\2}"),
        (r"^([^{}]*)\\over(?![A-Za-z])([^{}]*)$", r"\\frac{\1}{\2}"),
        (r"\\overline\s*(\d)", r"\\overline{\1}"),
        # A list as Python or JSON writes it; without quotes it may be an interval.
        (
            r"^\[\s*((?:(['\"])[^'\"]*\2\s*,\s*)+(['\"])[^'\"]*\3)\s*\]$",
            lambda m: m[1].replace(m[2], ""),
        ),
        (r"\"([^\"]*)\"", r"\1"),
        (r"</?(?:b|i|em|strong|u|p|span)>", ""),
        (r"^<([^<>]*,[^<>]*)>$", r"\\langle \1\\rangle "),
        (r"\\text\s*\{\s*(\\?[$€£%]|[:,;.])\s*\}", r"\1"),
        (r"\\[dt]binom(?![A-Za-z])", r"\\binom"),
        (r",\s*\\!\s*", ","),
        (r"(?<!\\)\\!|\\(?:displaystyle|textstyle|limits|nolimits)(?![A-Za-z])", ""),
        (r"\\(?:leqslant|leqq|leq)(?![A-Za-z])|<=|=<", r"\\le "),
        (r"\\(?:geqslant|geqq|geq)(?![A-Za-z])|>=", r"\\ge "),
        (r"\\neq(?![A-Za-z])|!=|\\not\s*=", r"\\ne "),
        (r"\\not\s*\\(?=[A-Za-z])", r"\\n"),
        (r"\\lt(?![A-Za-z])", "<"),
        (r"\\gt(?![A-Za-z])", ">"),
        (r"\\(?:times|cdot|cdotp|ast)(?![A-Za-z])", "*"),
        (r"\\div(?![A-Za-z])", "/"),
        (
            r"\\(?:var|big|)(?:nothing|emptyset)(?![A-Za-z])|\\\{\s*\\\}|(?<![\w}])\{\s*\}(?!\{)",
            r"\\emptyset ",
        ),
        (r"\\var(epsilon|theta|phi|rho|sigma|pi|kappa)(?![A-Za-z])", r"\\\1"),
        (r"\\(?:lbrace|lbrack|rbrace|rbrack)(?![A-Za-z])", lambda m: _BRACKETS[m.group()]),
        (r"\\(?:lvert|rvert|vert|mid)(?![A-Za-z])", "|"),
        (r"\\(?:dots|ldots|cdots|dotsc|dotsb)(?![A-Za-z])", "..."),
        (r"\\wedge(?![A-Za-z])", r"\\land "),
        (r"\\vee(?![A-Za-z])", r"\\lor "),
        (r"\\(pounds|euro|yen)(?![A-Za-z])", lambda m: _SIGN_COMMANDS[m[1]]),
        (r"\\(?:tiny|small|normalsize|large|Large|LARGE|huge|Huge)(?![A-Za-z])", ""),
        (r"\{:\}", ":"),
        (r"^([^{}]*)\\choose(?![A-Za-z])([^{}]*)$", r"\\binom{\1}{\2}"),
        (r"\{([^{}]*)\\choose(?![A-Za-z])([^{}]*)\}", r"\\binom{\1}{\2}"),
        (r"^(\d+)\s?'\s?(\d+)\s?(?:\"|'')$", r"\1 feet \2 inches"),
        (
            r"\s*(?:\\p?mod\s*(?:\{\s*(\w+)\s*\}|(\w+))"
            r"|\(\s*(?:\\[bp]?mod|\\text\s*\{\s*mod\s*\}|mod)\s*(?:\{\s*(\w+)\s*\}|(\w+))\s*\))",
            lambda m: rf" \pmod{{{next(filter(None, m.groups()))}}}",
        ),
        (r"\b(?:negative|minus)\s+infinity\b", r"-\\infty "),
        (r"\b(?:positive|plus)\s+infinity\b", r"\\infty "),
        (r"\\union(?![A-Za-z])", r"\\cup "),
        (r"(\\(?:in|cup|cap)(?![A-Za-z])\s*)\{([^{}\\]*)\}", r"\1\\{\2\\}"),
        (r"^\{([^{}\\]*)\}(?=\s*\\c[ua]p(?![A-Za-z]))", r"\\{\1\\}"),
        (r"(?<=[)\]])\s*U\s*(?=[(\[])", r"\\cup "),
        (r"\\(?:textbf|textit|textrm|textnormal|textsf|texttt|mbox|hbox|emph)\s*\{", r"\\text{"),
        (r"\\(?:operatorname\*?|mathop)\s*\{", r"\\operatorname{"),
        (r"\\(?:mathbf|boldsymbol|bm|pmb)\s*\{", r"\\bold{"),
        (r"\\(?:mathrm|rm|mathit|mathsf|mathnormal)\s*\{", r"\\roman{"),
        (r"\\(?:bold|roman|text)\{\s*((?:[\d.,\s]|\{,\})*\d[\d.,]*)\s*\}", r"\1"),
        (r"\\(?:overline|bar)\s*\{", r"\\overline{"),
        (r"(?<!\\)\\[,;:> ]|~|\\q?quad(?![A-Za-z])|\\(?:thin|med|thick|en)space(?![A-Za-z])", " "),
        (r"\\arc(sin|cos|tan|cot|sec|csc)(?![A-Za-z])", r"\\arc\1 "),
        (r"\\degree(?![A-Za-z])", r"^\\circ "),
    )
]
_DEGREES = re.compile(
    r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))\s*(?:\\(?:text|roman)\s*\{\s*([CF])\s*\}|([CF]\b))?"
    r"|\bdeg(?:rees?)?\s+(?:(C|c)(?:elsius)?|(F|f)(?:ahrenheit)?|[Cc]entigrade)\b"
)
_SCALES = {"C": "celsius", "F": "fahrenheit"}
_SIGN_BEFORE = re.compile(
    r"(?:(?:US|CA|C|AU|A|NZ|HK|S)?\s*\\?([$€£₹¥₩₽])|(?<![A-Za-z])("
    + "|".join(CURRENCY_CODES)
    + r")\.?)\s*([-+]?)\s*(?=\d|\.\d|\\frac|\\sqrt)"
)
_CHOSEN_FROM = re.compile(r"^(\d+)(?:\s?C\s?| choose )(\d+)$")
_SHORT_TIME = re.compile(r"^(\d+)\s?h\s?(\d+)\s?m(?:ins?)?(?:\s?(\d+)\s?s(?:ecs?)?)?$")
_DECIMAL_COMMA = re.compile(
    r"^(-?\\currency\{[^{}]*\}\s*\d+|-?\d+(?=,\d\d\s*\\unit\{(?:euro|ruble)\}))"
    r",(\d\d)(?=$|\s*\\unit)"
)
_SHORT_SCALE = re.compile(r"^(-?\\currency\{[^{}]*\}\s*[\d.,]*\d)\s?(K|M|B|bn|mn)$")
_SCALE_OF = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion", "mn": "million"}
_SIGN_AFTER = re.compile(r"(?<=[\d}])\s*([€£₹¥₩₽])")
_CODES = {
    "USD": "dollar", "EUR": "euro", "GBP": "pound sterling", "INR": "rupee", "JPY": "yen",
    "CNY": "yuan", "KRW": "won", "CHF": "franc", "RMB": "yuan", "Rs": "rupee", "RUB": "ruble",
    "CAD": "dollar", "AUD": "dollar", "NZD": "dollar", "HKD": "dollar", "SGD": "dollar",
    "MXN": "peso",
}  # fmt: skip
_AFTER_CURRENCY = re.compile(
    r"(\\currency\{(dollar|euro|rupee|yen(?: or yuan)?|yuan|won|franc|ruble|pound sterling)\}"
    r"[\d.,\s]*"
    r"(?:(?:hundred|thousand|million|billion|trillion)\s*)?)"
    r"(?:\\text\{\s*)?(?:US\s+)?(?:\2s?|USD|EUR|GBP|INR|JPY)(?:\s*\})?$"
)

_REPEATS: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (
        re.compile(r"(?<![\d.])(\d*)\.(\d*)\\overline\{\s*(\d+)\s*\}(?:\.\.\.)?"),
        lambda m: rf"\rep{{{m[1]}}}{{{m[2]}}}{{{m[3]}}}",
    ),
    (
        re.compile(
            r"(?<![\d.])(\d*)\.(\d*)\\dot\s*(?:\{\s*(\d)\s*\}|(\d))"
            r"(?:(\d*)\\dot\s*(?:\{\s*(\d)\s*\}|(\d)))?"
        ),
        lambda m: rf"\rep{{{m[1]}}}{{{m[2]}}}{{{''.join(part or '' for part in m.groups()[2:])}}}",
    ),
    (
        re.compile(r"(?<![\d.])(\d+)\.(\d*)\((\d+)\)(?![\w(^!])"),
        lambda m: rf"\rep{{{m[1]}}}{{{m[2]}}}{{{m[3]}}}",
    ),
    (re.compile(r"(?<![\d.])(\d*)\.(\d+)\s*\.{3,}"), lambda m: _continued(m[1], m[2])),
]

_GROUPS: list[tuple[re.Pattern[str], str]] = [
    # 1.234,56 and 1 234,56: unless it could be the two numbers 1.234 and 567.
    (re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})+,(?:\d{1,2}|\d{4,})(?![\d.,])"), "."),
    (re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3}){2,},\d+(?![\d.,])"), "."),
    (re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+,\d{1,2}(?![\d.,])"), " "),
    (re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3}){2,}(?![\d.,])"), "."),
]
_COMMA_GROUPS = re.compile(
    r"(?<![\d.,])(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3})(?!,?\d)(?!\.\d*,\d)"
)
_BRACED_COMMA = re.compile(r"(?<=\d)\s*\{\s*,\s*\}\s*(?=\d{2,3})")
_SPACED_GROUPS = re.compile(
    r"(?<![\w.,\\])(?<![\d.,] )\d{1,3}(?:[ ]\d{3})+(?! ?[\d/]| ?\\frac)|"
    r"(?<![\w.,])\d{1,3}(?:'\d{3})+(?![\d'])"
)
_UNDERSCORED_GROUPS = re.compile(r"(?<![\w.,])\d{1,3}(?:_\d{3})+(?![\w{])")
_SCIENTIFIC = re.compile(r"(?<![A-Za-z\\_\d.])(\d+(?:\.\d+)?|\.\d+)[eE]([+-]?\d+)(?![\w.])")
_TIMES_X = re.compile(r"(?<=[\d)}])\s*[xX]\s*(?=10\s*\^)|(?<=\d)\s+[xX]\s+(?=[\d.])")
_LEADING = re.compile(
    r"^(?:\\approx|\\sim(?=\s*[-\d.\\])|=|(?i:about|approximately|approx\b\.?|roughly|around|exactly)"
    r"(?=\s*[-\d.\\]))\s*|^\+\s*(?=\S)"
)
_ROUNDED_REMARK = re.compile(
    r"\s*(?:\\(?:text|roman)\s*\{\s*)?\((?:approx(?:\.|imately)?|exact(?:ly)?|rounded[\w ]*"
    r"|to [\w ]+(?:places?|figures?|digits?))\)(?:\s*\})?$",
    re.IGNORECASE,
)
_BACKWARDS = re.compile(r"(?:^|\\c[ua]p\s*|\\in\s*)\]|\[\s*(?:$|\\c[ua]p)")
_ENDS = re.compile(r"([\[\]])([^\[\]]+[,;][^\[\]]+)([\[\]])")
_BOLD = re.compile(r"(?<!\S)\*\*([^*]+)\*\*(?!\w)")
_STARS = re.compile(r"(?<=[\w)}\]])(\s?)\*\*\1(?=[-\w({\\])")


def normal_form(text: str) -> str:
    """Return the one spelling of an answer; linear time in practice, and idempotent in meaning."""
    if not text.isascii():
        text = _ascii(_uncircled(text))
    text = _unwrapped(" ".join(text.split()))
    for pattern, replacement in _COMMANDS if "\\" in text or not text.isalnum() else ():
        text = pattern.sub(replacement, text)
    if ("\\land" in text or "\\lor" in text) and _CONDITION.search(text):
        # Conditions are joined in words; between anything else these are operators.
        text = _CONNECTIVE.sub(lambda m: r"\text{ or }" if m[1] else r"\text{ and }", text)
    if ("]" in text or "[" in text) and _BACKWARDS.search(text):
        text = _ENDS.sub(_ordinary_interval, text)
    text = text if text.isascii() else spell_units(text)
    text = _ROUNDED_REMARK.sub("", text) if text.endswith((")", "}")) else text
    text = _CHOSEN_FROM.sub(_combinations, _SHORT_TIME.sub(_in_full, text))
    text = _unwrapped(_money(_STARS.sub("^", _BOLD.sub(r"\1", text))))
    text = _DEGREES.sub(_degrees, text)
    text = re.sub(r"\\?%|(?<!\{)\bper\s?cent\b(?!age)", r" \\unit{percent}", text)
    text = _LEADING.sub("", " ".join(_numbers(text).split()))
    return text.strip()


def _uncircled(text: str) -> str:
    """Spell a circled letter or number that is the whole answer, as exams number choices."""
    whole = text.strip()
    return unicodedata.normalize("NFKC", whole) if _kind(whole) == "<circle>" else text


def _ascii(text: str) -> str:
    text = _COMBINING.sub(_combined, text)
    pieces: list[str] = []
    raised = ""
    for character in text:
        place = _PLACES.get(_kind(character), "")
        if place != raised:
            pieces.append(("}" if raised else "") + (place + "{" if place else ""))
            raised = place
        pieces.append(_spelled(character))
    return "".join(pieces) + ("}" if raised else "")


_PLACES = {"<super>": "^", "<sub>": "_"}


@lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    if len(character) != 1 or character in _SIGNS or character.isascii():
        return ""
    return unicodedata.decomposition(character).partition(" ")[0]


@lru_cache(maxsize=4096)
def _spelled(character: str) -> str:
    """Spell one character in ASCII if it has a meaning in mathematics, else leave it."""
    if character in _SIGNS:
        return _SIGNS[character]
    if character.isspace():
        return " "
    if _kind(character) == "<fraction>":
        top, _, bottom = unicodedata.normalize("NFKC", character).partition("⁄")
        return rf"\frac{{{top}}}{{{bottom}}}"
    if _kind(character) in ("<super>", "<sub>", "<font>", "<wide>", "<narrow>"):
        plain = unicodedata.normalize("NFKC", character)
        return "".join(_SIGNS.get(c, c) for c in plain)
    return character


def _combined(match: re.Match[str]) -> str:
    digits = "".join(c for c in match.group() if c.isdigit())
    return rf"\dot{{{digits}}}" if match.group().endswith("\u0307") else rf"\overline{{{digits}}}"


def _unwrapped(text: str) -> str:
    """Remove what stands around a whole answer: dollars, bold, a box, a full stop."""
    while True:
        before = text
        text = text.strip()
        while text.endswith("\\\\"):
            text = text[:-2].rstrip()
        if text.endswith(".") and not text.endswith(("..", "\\right.", "\\left.")):
            text = text[:-1].rstrip()
        if text.endswith((",", ";")) and text[-2:-1] not in ("\\", ",", ";", ""):
            text = text[:-1].rstrip()
        if text.count("**") == 1:
            text = text.removeprefix("**").removesuffix("**").strip()
        for wrapper in _WRAPPERS:
            match = wrapper.fullmatch(text)
            if match:
                text = match.group(1)
        braced = _BRACED.match(text)
        if braced and _closing(text, braced.end()) == len(text) - 1:
            inside = text[braced.end() : -1]
            # A single letter keeps its font: a bold v is a vector.
            if not inside.strip():
                return text
            if not braced["font"] or len(inside) > 1 or inside.isdigit():
                text = inside
        if text == before:
            return text


def _closing(text: str, start: int) -> int:
    """Return the index of the brace that closes the one before `start`; -1 if none does."""
    depth = 1
    for brace in re.finditer(r"\\.|[{}]", text[start:]):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return start + brace.start()
    return -1


def _ordinary_interval(match: re.Match[str]) -> str:
    """Write an open end as a round bracket: `]2, 5]` is (2, 5]."""
    start, ends, end = match.groups()
    return ("(" if start == "]" else "[") + ends + (")" if end == "[" else "]")


def _money(text: str) -> str:
    text = _SIGN_BEFORE.sub(
        lambda m: rf"{m[3]}\currency{{{CURRENCY_SIGNS[m[1]] if m[1] else _CODES[m[2]]}}} ",
        text,
    )
    text = _SHORT_SCALE.sub(lambda m: f"{m[1]} {_SCALE_OF[m[2].casefold()]}", text)
    text = _SIGN_AFTER.sub(lambda m: rf" \unit{{{CURRENCY_SIGNS[m[1]]}}}", text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    text = re.sub(r"(?<=\d)\s*\\?\$$", r" \\unit{dollar}", text) if text.count("$") == 1 else text
    return _AFTER_CURRENCY.sub(r"\1", re.sub(r"\\?\$", "", text))


def _in_full(match: re.Match[str]) -> str:
    hours, minutes, seconds = match.groups()
    return f"{hours} hours {minutes} minutes" + (f" {seconds} seconds" if seconds else "")


def _degrees(match: re.Match[str]) -> str:
    scale = next((group for group in match.groups() if group), "")
    name = _SCALES.get(scale.upper(), "celsius" if "entigrade" in match.group() else "degree")
    return rf" \unit{{{name}}}"


def _numbers(text: str) -> str:
    if not any(c.isdigit() for c in text):
        return text
    if "." in text:
        for pattern, replacement in _REPEATS:
            text = pattern.sub(replacement, text)
    for group, separator in _GROUPS if "." in text or "," in text else ():
        text = group.sub(partial(_without_groups, separator), text)
    text = _BRACED_COMMA.sub("", text)
    if "," in text:
        text = _grouped_by_commas(text)
    text = _UNDERSCORED_GROUPS.sub(lambda m: m.group().replace("_", ""), text)
    text = _SPACED_GROUPS.sub(lambda m: re.sub("[ ']", "", m.group()), text)
    text = re.sub(
        r"(?<![\w.])\d*\.\d{3}(?: \d{3})+(?![\d/])", lambda m: m.group().replace(" ", ""), text
    )
    text = _SCIENTIFIC.sub(r"\1*10^{\2}", text)
    return _TIMES_X.sub("*", text)


def _without_groups(separator: str, match: re.Match[str]) -> str:
    return match.group().replace(separator, "").replace(",", ".")


def _grouped_by_commas(text: str) -> str:
    """Join 1,234,567, but not in brackets: (1,234) is a point."""
    depth, depths = 0, []
    for character in text:
        depth += (character in "([") - (character in ")]")
        depths.append(depth)
    outside = _COMMA_GROUPS.sub(
        lambda m: m.group() if depths[m.start()] > 0 else m.group().replace(",", "\0"), text
    )
    if "\\{" in text:
        outside = re.sub(
            r"\\\{.*?\\\}", lambda m: m.group().replace("\0", ","), outside, flags=re.DOTALL
        )
    return outside.replace("\0", "")


def _continued(whole: str, places: str) -> str:
    """Read 0.1666... as a repeating decimal if a period is seen twice, or one digit thrice."""
    for length in range(1, len(places) // 2 + 1):
        period = places[-length:]
        times = 3 if length == 1 else 2
        if places.endswith(period * times):
            start = places
            while start.endswith(period):
                start = start[:-length]
            # 0.8181…8 could begin anywhere in its period.
            return rf"\rep{{{whole}}}{{{start}}}{{{period}}}"
    return f"{whole}.{places}" if len(places) >= ROUNDED_PLACES else f"{whole}.{places}..."
