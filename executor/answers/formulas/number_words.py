"""Numbers in English words: `twelve`, `one hundred and five`, `two thirds`, `3 and a half`."""

from __future__ import annotations

import re
from fractions import Fraction

from executor.answers.formulas.units import BELOW_TWENTY, TENS, magnitude

_ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_PARTS: dict[str, int] = {
    "half": 2, "halves": 2, "quarter": 4, "quarters": 4,
    **{word + s: part for part, word in enumerate(_ORDINALS.split(), start=3) for s in ("", "s")},
    **{word + s: 10**power for power, word in ((2, "hundredth"), (3, "thousandth"))
       for s in ("", "s")},
}  # fmt: skip
_SIGNS = frozenset(("minus", "negative"))
_ARTICLES = frozenset(("a", "an"))
_BEFORE_COMMAS = frozenset(("thousand", "million", "billion", "trillion"))
_STARTS = BELOW_TWENTY.keys() | TENS.keys() | _SIGNS | _ARTICLES | {"half"}
_WORD = re.compile(r"[ -]?([A-Za-z]+|\d+)(?![\w./^])")


def number_in_words(text: str) -> tuple[Fraction, int] | None:
    """Read a number in words at the start of a text.

    Returns:
        The number and the offset at which it ends; None if no number in words stands there.
    """
    first = _WORD.match(text)
    if first is None or not (first[1].casefold() in _STARTS or first[1].isdigit()):
        return None
    found: list[tuple[str, int]] = []
    at = 0
    while match := _WORD.match(text, at):
        at = match.end()
        found.append((match[1].casefold(), at))
        # one thousand, two hundred
        at += text.startswith(", ", at) and found[-1][0] in _BEFORE_COMMAS
    return _Words([word for word, _ in found]).number([end for _, end in found])


class _Words:
    """A reader of words, one after the other."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def number(self, ends: list[int]) -> tuple[Fraction, int] | None:
        sign = -1 if self._take(_SIGNS) else 1
        value = self._half() if self._peek() == "half" else self._mixed()
        if value is None or (self._at == 1 and self._words[0].isdigit()):
            return None
        return sign * value, ends[self._at - 1]

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._words[at] if at < len(self._words) else ""

    def _take(self, words: frozenset[str]) -> bool:
        taken = self._peek() in words
        self._at += taken
        return taken

    def _half(self) -> Fraction:
        """Read `half`, `half a`, `half an` and `half a million`."""
        self._at += 1
        self._take(_ARTICLES)
        factor = magnitude(self._peek())
        if factor is None or self._peek().endswith("s"):
            return Fraction(1, 2)
        self._at += 1
        return Fraction(factor, 2)

    def _mixed(self) -> Fraction | None:
        """Read a number, a fraction, or both with `and` between them."""
        whole = self._counted()
        if whole is None:
            return None
        fraction = self._part(whole)
        if fraction is not None or whole.denominator != 1:
            return fraction if fraction is not None else whole
        before = self._at
        if self._take(frozenset(("and",))):
            top = self._counted()
            added = self._part(top) if top is not None else None
            if added is not None and added < 1:
                return whole + added
        self._at = before
        return None if self._words[self._at - 1] in _ARTICLES else whole

    def _part(self, top: Fraction) -> Fraction | None:
        """Read the word of a fraction: the singular after 1, the plural after other numbers."""
        part = _PARTS.get(self._peek())
        plural = self._peek().endswith("s")
        if part is None or plural == (top == 1) or top.denominator != 1:
            return None
        self._at += 1
        return top / part

    def _counted(self) -> Fraction | None:
        """Read a whole number, `a` before a magnitude or a fraction, or `three point one four`."""
        if self._peek().isdigit():
            self._at += 1
            return Fraction(self._words[self._at - 1])
        if self._peek() in _ARTICLES:
            following = self._peek(1)
            if following in _PARTS and not following.endswith("s"):
                self._at += 1
                return Fraction(1)
        whole = self._whole()
        if whole is None or self._peek() != "point" or BELOW_TWENTY.get(self._peek(1), 10) > 9:
            return None if whole is None else Fraction(whole)
        self._at += 1
        digits = ""
        while BELOW_TWENTY.get(self._peek(), 10) <= 9:
            digits += str(BELOW_TWENTY[self._peek()])
            self._at += 1
        return Fraction(f"{whole}.{digits}")

    def _whole(self) -> int | None:
        total = group = 0
        largest: int | None = None
        start = self._at
        while True:
            factor = magnitude(self._peek())
            if (
                factor is not None
                and (group or self._at > start)
                and not self._peek().endswith("s")
            ):
                if factor == 100 and 0 < group < 100:
                    group *= 100
                elif factor != 100 and group and (largest is None or factor < largest):
                    total, group, largest = total + group * factor, 0, factor
                else:
                    return None
                self._at += 1
                continue
            if self._at == start and self._peek() in _ARTICLES and magnitude(self._peek(1)):
                self._at, group = self._at + 1, 1
                continue
            below = self._below_hundred(after_another=self._at > start)
            if below is None or group % 100 or (self._at > start and not (total or group)):
                return total + group if self._at > start else None
            value, words = below
            group += value
            self._at += words

    def _below_hundred(self, *, after_another: bool) -> tuple[int, int] | None:
        """Return a number below 100 that stands here, and its number of words."""
        skipped = int(after_another and self._peek() == "and")
        word, following = self._peek(skipped), self._peek(skipped + 1)
        if word in TENS:
            ones = BELOW_TWENTY.get(following, 0)
            return (TENS[word] + ones, skipped + 2) if 0 < ones < 10 else (TENS[word], skipped + 1)
        return (BELOW_TWENTY[word], skipped + 1) if word in BELOW_TWENTY else None
