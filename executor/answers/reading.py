r"""What an answer is: a number, a list, an interval, an equation, a time of day, a text …

`read` takes an answer apart by plain string work, in the caller's process. Formulas are read
whole or not at all (`executor.answers.formulas.parser`): an answer of which any part cannot be read
is a `Text`, which equals only the same text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from executor.answers.forms import phrases, special
from executor.answers.forms.brackets import bracketed, in_parentheses
from executor.answers.forms.formula import formula
from executor.answers.forms.lists import plain_list
from executor.answers.forms.measured import with_unit
from executor.answers.forms.nesting import nesting_depth
from executor.answers.forms.parts import Parts
from executor.answers.forms.relations import relation
from executor.answers.forms.rows import matrix, system
from executor.answers.forms.sets import all_but, joined_sets, set_builder
from executor.answers.formulas.normal_form import normal_form
from executor.answers.formulas.numbers import Number, decimal
from executor.answers.meanings import Items, Meaning, Text, number_of

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
    too_much = len(form) > 2 * LONGEST or nesting_depth(form) > MOST_BRACKETS
    return Reading(canonical, Text(canonical) if too_much else meaning(form))


def meaning(form: str, *, lists: bool = True) -> Meaning:
    """Read a normal form; `lists` says whether it may be a list without brackets."""
    form = form.strip()
    for read_whole in _FIRST:
        if (found := read_whole(form)) is not None:
            return found
    for read_around in _WITH_PARTS:
        if (found := read_around(form, _PARTS)) is not None:
            return found
    for read_whole in _LAST:
        if (found := read_whole(form)) is not None:
            return found
    return (plain_list(form, _PARTS) if lists else None) or _single(form)


# The first reader that knows a form decides; `_single` tries the rest.
_FIRST = (special.phrase, special.choice, special.numerals, special.clock, special.date)
_WITH_PARTS = (
    phrases.choice_with_content,
    phrases.after_lead,
    phrases.ratio,
    phrases.share,
    phrases.placed,
    phrases.named_point,
    phrases.part_of,
    phrases.in_words,
)
_LAST = (special.word, special.based, special.division, special.dashed)


def _single(form: str) -> Meaning:
    if (sets := joined_sets(form, _PARTS)) is not None:
        return sets
    found = set_builder(form, _PARTS) or all_but(form, _PARTS) or relation(form, _PARTS)
    found = found or bracketed(form, _PARTS) or matrix(form, _PARTS) or system(form, _PARTS)
    found = found or formula(form, _PARTS)
    if isinstance(found, Items) and found.brackets == "±":
        return Items("", found.items)
    found = found or in_parentheses(form, _PARTS) or with_unit(form, _PARTS)
    return found or Text(special.canonical(form))


def _item(piece: str) -> Meaning:
    form = piece.strip()
    found = relation(form, _PARTS) or bracketed(form, _PARTS) or formula(form, _PARTS)
    return found if found is not None else meaning(form, lists=False)


_PARTS = Parts(meaning, _item)
