r"""What an answer is: a number, a list, an interval, an equation, a time of day, a text …

`read` takes an answer apart by plain string work, in the caller's process. Formulas are read
whole or not at all (`executor.answers.formulas.parser`): an answer of which any part cannot be read
is a `Text`, which equals only the same text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from executor.answers import intervals, special
from executor.answers.formulas import units
from executor.answers.formulas.expressions import (
    FUNCTIONS,
    Call,
    Const,
    Expr,
    Num,
    Product,
    Sym,
    UnreadableError,
    add,
    has_plus_minus,
    has_variables,
    multiply,
    negate,
    number,
    with_signs,
)
from executor.answers.formulas.normal_form import normal_form
from executor.answers.formulas.number_words import number_in_words
from executor.answers.formulas.numbers import Number, decimal
from executor.answers.formulas.parser import parse
from executor.answers.formulas.quantities import Quantity, quantity, read_quantity
from executor.answers.formulas.unit_phrases import all_counted
from executor.answers.meanings import (
    Choice,
    Equation,
    Inequality,
    Items,
    Matrix,
    Meaning,
    Ratio,
    Scalar,
    Text,
    Union,
    number_of,
)

LONGEST = 1000
"""Longest answer in characters that is read; longer ones are compared as text."""


MOST_BRACKETS = 30
"""Most brackets inside each other that are read; deeper answers are compared as text."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer, read.

    Attributes:
        canonical: its normal form without spaces that do not matter.
        meaning: what it is.
    """

    canonical: str
    meaning: Meaning


_PLAIN = re.compile(
    r"([+-]?)(?:\\[dt]?frac\{(\d+)\}\{(\d+)\}"
    r"|(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:/(\d+))?)"
)


@lru_cache(maxsize=65536)
def plain_number(answer: str) -> Number | None:
    r"""Read `-12`, `1,234.5`, `3/4` or `\frac{3}{4}`; None if it is written in another way.

    Nearly all answers to word problems are such numbers, and this is ten times as fast as `read`.
    """
    match = _PLAIN.fullmatch(answer) if len(answer) <= LONGEST else None
    if match is None:
        return None
    sign, top, bottom, whole, divisor = match.groups()
    number = decimal(top or whole.replace(",", ""))
    below = bottom or divisor
    if below is not None:
        if int(below) == 0:
            return None
        number = Number(number.value / int(below))
    return Number(-number.value, number.step) if sign == "-" else number


def spelt_number(answer: str) -> Number | None:
    """Read an answer that is one number without a unit, in any spelling; None if it is not."""
    return plain_number(answer) or number_of(read(answer).meaning)


@lru_cache(maxsize=8192)
def read(answer: str) -> Reading:
    """Read one answer; cached, since a run repeats the same few answers."""
    if len(answer) > LONGEST:
        return Reading("".join(answer.split()), Text("".join(answer.split())))
    form = normal_form(answer)
    canonical = special.canonical(form)
    too_much = len(form) > 2 * LONGEST or _nesting(form) > MOST_BRACKETS
    return Reading(canonical, Text(canonical) if too_much else meaning(form))


def meaning(form: str, *, lists: bool = True) -> Meaning:
    """Read a normal form; `lists` says whether it may be a list without brackets."""
    form = form.strip()
    for reader in _READERS:
        found = reader(form)
        if found is not None:
            return found
    return (_list(form) if lists else None) or _single(form)


def _scalar(expression: Expr) -> Scalar:
    return Scalar(Quantity(expression, expression))


def _choice_with_content(form: str) -> Meaning | None:
    """Read the letter of a choice and what stands behind it: `(A) 5`."""
    match = special.CHOICE_WITH_CONTENT.fullmatch(
        special.TEXT_AROUND.sub(r"\1 ", form, count=1).strip()
    )
    if not match:
        return None
    letter = next(g for g in match.groups()[:-1] if g).upper()
    content = normal_form(match.groups()[-1])
    return None if special.CHOICE_WITH_CONTENT.match(content) else Choice(letter, meaning(content))


_LEAD = re.compile(
    r"\\text\s*\{\s*(?:the )?(?:final |correct )?answer(?: is)?\s*[:=]?\s*\}\s*(?=\S)"
    r"|(?:the )?(?:final |correct )?answer(?: is)?\s*[:=]\s*(?=\S)|the (?:final )?answer is ",
    re.I,
)


def _after_lead(form: str) -> Meaning | None:
    """Read what stands behind `Answer:`."""
    lead = _LEAD.match(form)
    return meaning(normal_form(form[lead.end() :])) if lead else None


_TO = re.compile(r"\s*\\(?:text|roman)\s*\{\s*to\s*\}\s*|\s+to\s+")


def _ratio(form: str) -> Meaning | None:
    """Read formulas with colons between them, or numbers with words: `3:4`, `3 to 4`."""
    if "to" in form and len(numbers := _TO.split(form)) > 1:
        known = [number_of(meaning(one, lists=False)) for one in numbers]
        return Ratio(tuple(_scalar(Num(n)) for n in known if n)) if None not in known else None
    if ":" not in form or "\\" in form.replace("\\frac", "").replace("\\sqrt", ""):
        return None
    terms = [meaning(part, lists=False) for part in form.split(":")]
    return Ratio(tuple(terms)) if all(isinstance(t, Scalar) for t in terms) else None


_OUT_OF = re.compile(
    r"(?:\s*\\(?:text|roman)\s*\{\s*|\s+)(?:(out of)|in)(?: (?:every|each))?(?:\s*\}\s*|\s+)"
)


def _share(form: str) -> Meaning | None:
    """Read a share as a fraction: `3 out of 4`, `one in six`."""
    if " " not in form and "{" not in form:
        return None
    pieces = _OUT_OF.split(form)
    if len(pieces) != 3:
        return None
    top, bottom = (number_of(meaning(piece, lists=False)) for piece in pieces[::2])
    whole = top and bottom and top.value.denominator == bottom.value.denominator == 1
    if not (whole and top and bottom) or not 0 <= top.value <= bottom.value or not bottom.value:
        return None
    return _scalar(number(top.value / bottom.value))


_PLACED = re.compile(r"(?:on|in|at) (?=\d|[A-Z][a-z]|noon|midnight)")
_WEEKDAY = re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day")


def _placed(form: str) -> Meaning | None:
    """Read a time or a number behind its preposition: `on Saturday`, `in 5 days`, `at 5 pm`."""
    preposition = _PLACED.match(form)
    if preposition is None:
        return None
    rest = form[preposition.end() :]
    found = meaning(rest, lists=False)
    return None if isinstance(found, Text) and not _WEEKDAY.fullmatch(rest) else found


_NAMED_POINT = re.compile(r"([A-Z])'?\s?(\(.*,.*\))", re.DOTALL)


def _named_point(form: str) -> Meaning | None:
    """Read a point with its name: `P(2, 3)`; `C(5, 2)` counts combinations."""
    match = _NAMED_POINT.fullmatch(form)
    point = _bracketed(match[2]) if match and _formula(form) is None else None
    if match is None or not isinstance(point, Items):
        return None
    plain = all(isinstance(i, Scalar) and not has_variables(i.quantity.base) for i in point.items)
    return Equation(match[1], point, None) if plain else None


_PART_OF = re.compile(
    r"(?P<part>.+?) of (?:(?P<one>an?)|(?:all )?the|all|his|her|their|its)"
    r" (?P<whole>[A-Za-z][A-Za-z -]*)"
)


def _part_of(form: str) -> Meaning | None:
    """Read a fraction or a percentage with what it is a part of: `3/4 of the cake`."""
    match = _PART_OF.fullmatch(form)
    part = meaning(match["part"], lists=False) if match else None
    if match is None or not isinstance(part, Scalar):
        return None
    known = number_of(part)
    if known is None or (known.value.denominator == 1 and part.quantity.things != "%"):
        return None
    if match["one"] and units.unit_name(match["whole"]):
        return _times(part, read_quantity(f"1 {match['whole']}"))
    return part if all_counted(match["whole"]) else None


def _in_words(form: str) -> Meaning | None:
    """Read a number in words, alone or with a unit: `two thirds`, `twelve apples`."""
    found = number_in_words(form)
    if found is None:
        return None
    value, end = found
    if end == len(form):
        return _scalar(number(value))
    top, bottom = value.numerator, value.denominator
    one = str(value) if bottom == 1 else rf"\frac{{{top}}}{{{bottom}}}"
    measured = _formula(f"{one} {form[end:].lstrip()}") if form[end] in " \\" else None
    if isinstance(measured, Scalar) and (measured.quantity.dimension or measured.quantity.things):
        return measured
    several = _list(form)
    items = several.items if isinstance(several, Items) else (several,)
    return several if all(isinstance(item, Scalar) for item in items) else None


_READERS: tuple[Callable[[str], Meaning | None], ...] = (
    special.phrase,
    special.choice,
    special.numerals,
    special.clock,
    special.date,
    _choice_with_content,
    _after_lead,
    _ratio,
    _share,
    _placed,
    _named_point,
    _part_of,
    _in_words,
    special.word,
    special.based,
    special.division,
    special.dashed,
)


# --- lists, sets, intervals ---

_OPEN, _CLOSE = "([{", ")]}"
_SEPARATOR = re.compile(
    r"\s*(?:,\s*)?(?:\\(?:text|roman)\s*\{\s*,?\s*(and|or)\s*\}|(?<![A-Za-z\\])(and|or)(?![A-Za-z]))\s*"
    r"|\s*([,;])\s*"
)


_COMMANDS_OPEN = ("\\langle", "\\lfloor", "\\lceil", "\\begin{", "\\begin {")
_COMMANDS_CLOSE = ("\\rangle", "\\rfloor", "\\rceil", "\\end{", "\\end {")


def _depths(form: str) -> list[int] | None:
    """Return the number of brackets open at each character; None if they do not match in number."""
    depth, depths = 0, []
    at = 0
    while at < len(form):
        if form.startswith(_COMMANDS_OPEN, at):
            depth += 1
        elif form.startswith(_COMMANDS_CLOSE, at):
            depth -= 1
        elif form[at] in _OPEN:
            depth += 1
        elif form[at] in _CLOSE:
            depth -= 1
        depths.append(depth)
        if depth < 0:
            return None
        at += 1
    return depths if depth == 0 else None


def _nesting(form: str) -> int:
    depth = deepest = 0
    for character in form:
        depth += (character in _OPEN) - (character in _CLOSE)
        deepest = max(deepest, depth)
    return deepest


def _split(form: str, pattern: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """Split outside of brackets; return the pieces, and what stood between them."""
    depths = _depths(form)
    if depths is None:
        return [form], []
    pieces, between, start = [], [], 0
    for match in pattern.finditer(form):
        if depths[match.start()] == 0 and (match.start() == 0 or depths[match.start() - 1] == 0):
            pieces.append(form[start : match.start()])
            between.append(next((g for g in match.groups() if g), match.group()).strip())
            start = match.end()
    return [*pieces, form[start:]], between


def _list(form: str) -> Meaning | None:
    pieces, between = _split(form, _SEPARATOR)
    if len(pieces) == 1:
        return None
    if any(not piece.strip() or "..." in piece for piece in pieces):
        return Text(special.canonical(form))
    items = [meaning(normal_form(piece), lists=False) for piece in pieces]
    joined = _joined(items, between)
    if joined is None and set(between) == {"or"}:
        return Items("", tuple(dict.fromkeys(_flat(items))))
    return joined or Items("", _flat(items))


def _joined(items: list[Meaning], between: list[str]) -> Meaning | None:
    """Join `x > 1 and x < 3`, `x < 1 or x > 3`, and `5 feet, 4 inches`."""
    names = {item.name for item in items if isinstance(item, Equation)}
    sets = [item.value for item in items if isinstance(item, Equation) and _is_interval(item.value)]
    if len(sets) == len(items) and len(names) == 1:
        name = names.pop()
        if set(between) == {"or"}:
            either = tuple(s for s in sets if s)
            return Equation(name, intervals.united(either) or Union(either), None)
        both = _intersection([s for s in sets if isinstance(s, Items)])
        return Equation(name, both, None) if both else None
    if "or" not in between and all(isinstance(item, Scalar) for item in items):
        return _compound([item.quantity for item in items if isinstance(item, Scalar)])
    return None


def _compound(parts: list[Quantity]) -> Meaning | None:
    """Add quantities of one dimension whose units become smaller: 2 hours and 30 minutes."""
    if len({part.dimension for part in parts}) != 1 or not parts[0].dimension:
        return None
    if not all(isinstance(p.base, Num) and isinstance(p.bare, Num) for p in parts):
        return None
    values = [(p.base.number.value, p.bare.number.value) for p in parts
              if isinstance(p.base, Num) and isinstance(p.bare, Num)]  # fmt: skip
    sizes = [base / bare if bare else Fraction(0) for base, bare in values]
    descending = all(
        base < size for (base, _), size in zip(values[1:], sizes[:-1], strict=True) if size
    )
    if not descending or len(set(sizes)) != len(sizes):
        return None
    total = add(*(part.base for part in parts))
    # An amount of money is written as one number: 5 dollars and 20 cents are 5.20.
    is_money = parts[0].dimension in _MONEY and sizes[0] == 1
    return Scalar(Quantity(total if is_money else None, total, parts[0].dimension))


_MONEY = frozenset(units.unit(name).dimension for name in set(units.CURRENCY_SIGNS.values()))


def _is_interval(value: Meaning | None) -> bool:
    return isinstance(value, Items) and len(value.items) == 2 and value.brackets in _INTERVALS


_INTERVALS = ("()", "(]", "[)", "[]")
_INFINITE = (Const("oo"), negate(Const("oo")))


def _intersection(sets: list[Items]) -> Meaning | None:
    """Intersect a half line to the right with a half line to the left."""
    if len(sets) != 2:
        return None
    right = next((s for s in sets if s.items[1] == _scalar(_INFINITE[0])), None)
    left = next((s for s in sets if s.items[0] == _scalar(_INFINITE[1])), None)
    if right is None or left is None or right is left:
        return None
    return Items(right.brackets[0] + left.brackets[1], (right.items[0], left.items[1]))


def _flat(items: list[Meaning]) -> tuple[Meaning, ...]:
    """Write out plus-minus signs inside a list."""
    flat: list[Meaning] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Items) and item.brackets == "±" else (item,))
    return tuple(flat)


_CUP = re.compile(r"\s*\\c([ua])p(?![A-Za-z])\s*")


def _sets(form: str) -> Meaning | None:
    """Read a union, or an intersection of intervals between numbers."""
    pieces, between = _split(form, _CUP)
    if len(pieces) == 1:
        return None
    sets = tuple(meaning(piece, lists=False) for piece in pieces)
    if set(between) == {"u"}:
        return intervals.united(sets) or Union(sets)
    return intervals.intersection(sets) if set(between) == {"a"} else None


def _single(form: str) -> Meaning:
    if (sets := _sets(form)) is not None:
        return sets
    found = _set_builder(form) or _all_but(form) or _relation(form) or _bracketed(form)
    found = found or _matrix(form) or _system(form) or _formula(form)
    if isinstance(found, Items) and found.brackets == "±":
        return Items("", found.items)
    return found or _in_parentheses(form) or _with_unit(form) or Text(special.canonical(form))


def _in_parentheses(form: str) -> Meaning | None:
    """Read what stands in parentheses that change nothing: `((1, 2])`, `(y = 2x)`."""
    depths = _depths(form)
    if depths is None or not (form.startswith("(") and form.endswith(")")) or 0 in depths[:-1]:
        return None
    inner = meaning(normal_form(form[1:-1]), lists=False)
    return None if isinstance(inner, Text) and "," in inner.text else inner


_UNIT_AT_END = re.compile(
    r"(?P<value>.*[\w)\]}])(?P<unit>\s*\\unit\{[^{}]*\}|\s*\\(?:text|roman)\s*\{(?P<words>[^{}]*)\}"
    r"(?:\^\{?\d\}?)?|\s(?P<plain>[A-Za-z]+(?:\^\{?\d\}?)?))",
    re.DOTALL,
)


def _with_unit(form: str) -> Meaning | None:
    """Read a unit after, or a currency before, more than a number: `(3, 4] cm`, `2x + 1 cm`."""
    paid = re.match(r"(\\currency\{[^{}]*\})(.*)", form, re.DOTALL)
    at_end = _UNIT_AT_END.fullmatch(form)
    if paid:
        unit, rest = paid[1].replace("currency", "unit"), paid[2]
    elif at_end:
        unit, rest = at_end["unit"], at_end["value"]
    else:
        return None
    try:
        factor = read_quantity("1 " + unit.strip())
    except UnreadableError:
        return None
    if factor.base == factor.bare and not factor.dimension:
        return None
    # Two units after each other are no unit of what stands before them.
    return None if _has_unit_at_end(rest) else _times(meaning(rest, lists=False), factor)


def _has_unit_at_end(form: str) -> bool:
    found = _UNIT_AT_END.fullmatch(form)
    if found is None:
        return form.startswith("\\currency")
    return found["plain"] is None or units.unit_name(found["plain"]) is not None


def _times(value: Meaning, unit: Quantity) -> Meaning | None:
    """Return a value of which each number has a unit; None if it has units or no numbers."""
    match value:
        case Scalar(plain) if not plain.dimension and plain.bare is not None:
            return Scalar(Quantity(plain.bare, multiply(plain.base, unit.base), unit.dimension))
        case Items(brackets, items):
            inner = [_times(item, unit) for item in items]
            known = tuple(item for item in inner if item is not None)
            return Items(brackets, known) if len(known) == len(items) else None
        case Matrix(rows):
            cells = [[_times(cell, unit) for cell in row] for row in rows]
            whole = tuple(tuple(cell for cell in row if cell is not None) for row in cells)
            return Matrix(whole) if [*map(len, whole)] == [*map(len, rows)] else None
        case _:
            return None


_BUILDER = re.compile(
    r"\\\{\s*([A-Za-z])\s*(?:\\in\s*\\mathbb\s*\{?R\}?\s*)?(?:\||:)\s*(.+?)\s*\\\}", re.DOTALL
)


def _set_builder(form: str) -> Meaning | None:
    r"""Read `\{x | x > 2\}` as what it says of x."""
    match = _BUILDER.fullmatch(form)
    if match is None:
        return None
    found = meaning(match[2])
    return found if isinstance(found, Equation) and found.name == match[1] else None


def _bracketed(form: str) -> Meaning | None:
    """Read `(1, 2)`, `[1, 2)`, `\\{1, 2\\}` and `\\langle 1, 2 \\rangle`."""
    pair = re.fullmatch(r"(\\\{|\\langle|[(\[])(.+?)(\\\}|\\rangle|[)\]])", form, re.DOTALL)
    depths = _depths(form)
    if pair is None or depths is None:
        return None
    opening, inside, closing = pair.groups()
    if 0 in depths[:-1]:
        first_zero = depths.index(0) if opening != "\\{" else depths.index(0, 1)
        if first_zero < len(form) - len(closing):
            return None
    brackets = _SAME.get(opening, opening) + _SAME.get(closing, closing)
    if brackets not in (*_INTERVALS, "{}"):
        return None
    pieces, between = _split(inside, _SEPARATOR)
    if (len(pieces) == 1 and brackets in ("()", "(]", "[)")) or set(between) & {"and", "or"}:
        return None
    if any(not piece.strip() or "..." in piece for piece in pieces):
        return None
    items = [_item(piece) for piece in pieces]
    if len(items) == 1 and not isinstance(items[0], Scalar | Items):
        return None
    found = _interval(brackets, _flat(items))
    return replace(found, listed=True) if _LISTED.fullmatch(form) else found


_LISTED = re.compile(r"\[-?\d+(?:\.\d+)?(?:, -?\d+(?:\.\d+)?)+\]")
_SAME = {"\\{": "{", "\\}": "}", "\\langle": "(", "\\rangle": ")"}


_REALS = r"(?:\\mathbb\s*\{?R\}?|\(-\\infty\s*,\s*\+?\\infty\s*\))"
_ALL_BUT = re.compile(
    rf"{_REALS}\s*(?:\\setminus|\\backslash|-)\s*\\?\{{(.+?)\\?\}}"
    r"|(?:\\text\{\s*)?all real (?:numbers|values)(?: \w)? except(?: for)?(?:\s*\})?\s*"
    r"(?:[a-z]\s*=\s*)?(.+)"
)


def _all_but(form: str) -> Meaning | None:
    r"""Read `\mathbb{R} \setminus \{2\}` as a union of intervals."""
    match = _ALL_BUT.fullmatch(form)
    if match is None:
        return None
    items = [_item(piece) for piece in _split(match[1] or match[2], _SEPARATOR)[0]]
    ends = [item for item in items if isinstance(item, Scalar)]
    known = {number.value: end for end in ends if (number := number_of(end))}
    if len(ends) != len(items) or (len(ends) > 1 and len(known) != len(ends)):
        return None
    ends = [known[value] for value in sorted(known)] if len(ends) > 1 else ends
    lows, highs = [_scalar(_INFINITE[1]), *ends], [*ends, _scalar(_INFINITE[0])]
    return Union(tuple(Items("()", pair) for pair in zip(lows, highs, strict=True)))


def _item(piece: str) -> Meaning:
    form = piece.strip()
    found = _relation(form) or _bracketed(form) or _formula(form)
    return found if found is not None else meaning(form, lists=False)


def _interval(brackets: str, items: tuple[Meaning, ...]) -> Items:
    """An infinite end is open, however it is written."""
    if len(items) == 2 and brackets in _INTERVALS:
        if items[0] == _scalar(_INFINITE[1]):
            brackets = "(" + brackets[1]
        if items[1] == _scalar(_INFINITE[0]):
            brackets = brackets[0] + ")"
    return Items(brackets, items)


_MATRIX = re.compile(
    r"[(\[]?\\begin\s*\{([pb]?matrix|smallmatrix|array)\}(?:\{[clr| ]*\})?(.*)"
    r"\\end\s*\{\1\}[)\]]?",
    re.DOTALL,
)


def _matrix(form: str) -> Meaning | None:
    match = _MATRIX.fullmatch(form)
    if match is None or "\\begin" in match[2]:
        return None
    rows = [row for row in re.split(r"\\\\", match[2]) if row.strip()]
    cells = tuple(tuple(_item(cell) for cell in row.split("&")) for row in rows)
    if len({len(row) for row in cells}) != 1:
        return None
    return Matrix(cells) if all(isinstance(c, Scalar) for row in cells for c in row) else None


_SYSTEM = re.compile(
    r"(?:\\?\{)?\s*\\begin\s*\{(cases|array|aligned|matrix)\}(?:\{[clr| ]*\})?(.*)\\end\s*\{\1\}",
    re.DOTALL,
)


def _system(form: str) -> Meaning | None:
    """Read equations below each other that each give a name a value, as a list of them."""
    match = _SYSTEM.fullmatch(form)
    if match is None or "\\begin" in match[2]:
        return None
    rows = [row.strip(" ,;.").replace("&", "") for row in re.split(r"\\\\", match[2])]
    items = [meaning(normal_form(row), lists=False) for row in rows if row]
    if not all(isinstance(item, Equation) and isinstance(item.value, Scalar) for item in items):
        return None
    names = {item.name for item in items if isinstance(item, Equation)}
    return Items("", tuple(items)) if len(names) == len(items) > 1 else None


# --- formulas, equations, inequalities ---


def _formula(form: str) -> Meaning | None:
    for reader in (read_quantity, _whole_with_unit, _of_variables):
        try:
            found = reader(form)
        except UnreadableError:
            continue
        if found is not None:
            return _expanded(found, form) if isinstance(found, Quantity) else found
    return None


def _whole_with_unit(form: str) -> Meaning | None:
    """Read a unit that belongs to all that stands before it: `1 + 2x cm`, not `4 m + 2`."""
    at_end = _UNIT_AT_END.fullmatch(form)
    plain = at_end["plain"] if at_end else None
    return _with_unit(form) if plain is None or units.may_touch(plain) else None


def _of_variables(form: str) -> Quantity:
    """Read a formula in which no word outside `\\text` is a unit: `4 m + 2`."""
    return quantity(parse(form, plain_units=False))


def _expanded(found: Quantity, form: str) -> Meaning:
    """Write out a plus-minus sign."""
    if not has_plus_minus(found.base):
        return Scalar(found)
    both = parse(form, plain_units=False)
    return Items("±", tuple(Scalar(quantity(with_signs(both, sign))) for sign in (1, -1)))


_RELATION = re.compile(r"\s*(?:(=|<|>)|\\(le|ge|ne|in|approx|equiv|sim|to|mapsto)(?![A-Za-z]))\s*")
_LESS, _MORE = {"<": True, "le": False}, {">": True, "ge": False}


def _relation(form: str) -> Meaning | None:
    sides, relations = _split(form, _RELATION)
    if len(sides) == 1:
        return None
    if any(not side.strip() for side in sides):
        return Text(special.canonical(form))
    found: Meaning | None = None
    if set(relations) <= {"=", "approx"}:
        found = _rounded(sides, relations) or _equation(sides)
    elif relations == ["in"]:
        found = Equation(special.canonical(sides[0]), meaning(sides[1]), None)
    elif relations == ["ne"]:
        found = _unequal(*sides)
    elif set(relations) <= set(_LESS):
        found = _ascending(sides, [_LESS[r] for r in relations])
    elif set(relations) <= set(_MORE):
        found = _ascending(sides[::-1], [_MORE[r] for r in relations[::-1]])
    return found if found is not None else Text(special.canonical(form))


def _rounded(sides: list[str], relations: list[str]) -> Meaning | None:
    r"""Read an exact value with a rounded one behind it: `\frac13 \approx 0.33`."""
    if "approx" not in relations or (relations[0] == "approx" and _is_name(sides[0])):
        return None
    at = relations.index("approx")
    exact = _equation(sides[: at + 1]) if at else _worked(sides[0])
    if not isinstance(exact, Equation) or exact.value is None:
        return None
    last = meaning(sides[-1], lists=False)
    one, two = number_of(exact.value), number_of(last)
    # What is not near is no rounded form: 5 is not about 7.
    if one and two and abs(one.value - two.value) > abs(one.value) / 10:
        return Text(special.canonical(" = ".join(sides)))
    return replace(exact, rounded=last)


def _worked(side: str) -> Equation | None:
    """Read a value that has no name."""
    value = meaning(side, lists=False)
    return Equation("", value, None) if isinstance(value, Scalar) else None


def _side(text: str) -> Expr | None:
    """Read a side of a relation as a formula without units, or None."""
    try:
        expression = parse(text, plain_units=False)
        if has_plus_minus(expression):
            return None
        return quantity(expression).base
    except UnreadableError:
        return None


_PROBABILITY = re.compile(
    r"(?:\\?(?:P|Pr|E|Var)|\\(?:mathbb|text|roman|operatorname|bold)\s*\{(?:P|Pr|E|Var)\})"
    r"\s*[(\[](?:[^-+*/^()\[\]]|\([^()]*\))+[)\]]|n\s*\([A-Z][^-+*/^()\d]*\)"
)
_VALUE_AT = re.compile(r"[A-Za-z](?:_\w|')?\s*\(\s*[A-Za-z]\s*\)|[a-wA-Z]'?\s*\(\s*-?\d+\s*\)")


def _is_name(side: str) -> bool:
    if _PROBABILITY.fullmatch(side.strip()) or _VALUE_AT.fullmatch(side.strip()):
        return True
    expression = _side(side)
    if isinstance(expression, Sym):
        return True
    if isinstance(expression, Call):
        return expression.name not in FUNCTIONS
    if expression is None:
        names = re.fullmatch(r"\(\s*[A-Za-z](?:\s*,\s*[A-Za-z])+\s*\)", side.strip())
        worded = re.fullmatch(r"[\\A-Za-z\s{}]*[A-Za-z}](?:\s*\([A-Za-z]\))?", side.strip())
        return bool(names or worded)
    if not isinstance(expression, Product) or not side.strip().isalpha():
        return False
    return all(isinstance(factor, Sym) for factor in expression.factors)


def _equation(sides: list[str]) -> Meaning | None:
    left, right = sides[0].strip(), sides[-1].strip()
    if not _is_name(left) and _is_name(right) and len(sides) == 2:
        left, right = right, left
    first, last = _side(left), _side(right)
    difference = add(first, negate(last)) if first is not None and last is not None else None
    if _is_name(left):
        return Equation(special.canonical(left), meaning(right, lists=True), difference)
    if first is not None and not has_variables(first):
        value = meaning(right, lists=False)
        return Equation("", value, None) if isinstance(value, Scalar) else None
    if difference is None:
        return None
    if len(sides) > 2 and not any(map(_may_vary, sides[1:])):  # `m + n = 16 + 9 = 25`
        return Equation("", meaning(right, lists=False), difference)
    return Equation(None, None, difference)


def _may_vary(side: str) -> bool:
    expression = _side(side)
    return expression is None or has_variables(expression)


def _unequal(left: str, right: str) -> Meaning | None:
    value = _item(right)
    if not _is_name(left) or not isinstance(value, Scalar):
        return None
    below = Items("()", (_scalar(_INFINITE[1]), value))
    above = Items("()", (value, _scalar(_INFINITE[0])))
    return Equation(special.canonical(left), Union((below, above)), None)


def _distance(sides: list[str], values: list[Meaning], *, strict: bool) -> Meaning | None:
    """Read `|x| < 2` as what it says of x, which is between -2 and 2."""
    near = _ABSOLUTE.fullmatch(sides[0].strip())
    named = near or _ABSOLUTE.fullmatch(sides[1].strip())
    size = values[1] if near else values[0]
    known = number_of(size)
    if named is None or known is None or known.value <= 0 or not isinstance(size, Scalar):
        return None
    low, high = _scalar(negate(size.quantity.base)), size
    if near:
        return Equation(named[1], Items("()" if strict else "[]", (low, high)), None)
    below = Items("()" if strict else "(]", (_scalar(_INFINITE[1]), low))
    above = Items("()" if strict else "[)", (high, _scalar(_INFINITE[0])))
    return Equation(named[1], Union((below, above)), None)


_ABSOLUTE = re.compile(r"\|\s*([A-Za-z])\s*\|")


def _ascending(sides: list[str], strict: list[bool]) -> Meaning | None:
    """Read `a < b` or `a < b < c` as an interval of a name, or as an inequality."""
    names = [i for i, side in enumerate(sides) if _is_name(side)]
    values = [_item(side) for side in sides]
    others = [value for i, value in enumerate(values) if i not in names]
    if len(sides) > 3 or not all(isinstance(value, Scalar) for value in others):
        return None
    constant = not any(isinstance(v, Scalar) and has_variables(v.quantity.base) for v in others)
    low, high = _scalar(_INFINITE[1]), _scalar(_INFINITE[0])
    if len(names) == 1 and constant:
        name = special.canonical(sides[names[0]])
        if len(sides) == 3 and names == [1]:
            brackets = ("(" if strict[0] else "[") + (")" if strict[1] else "]")
            return Equation(name, _interval(brackets, (values[0], values[2])), None)
        if len(sides) == 2 and names == [0]:
            return Equation(name, Items("(" + (")" if strict[0] else "]"), (low, values[1])), None)
        if len(sides) == 2:
            return Equation(name, Items(("(" if strict[0] else "[") + ")", (values[0], high)), None)
    if len(sides) == 2 and (around := _distance(sides, values, strict=strict[0])):
        return around
    if len(sides) == 2:
        smaller, larger = _side(sides[0]), _side(sides[1])
        if smaller is not None and larger is not None:
            return Inequality(add(larger, negate(smaller)), strict[0])
    return None
