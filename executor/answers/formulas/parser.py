r"""Formulas read as a whole: from the normal form of an answer to an expression, or an error.

The grammar is closed. A character, command or word that it does not know makes the whole formula
unreadable, and an unreadable formula is equal only to the same text. Libraries that read LaTeX
(`latex2sympy2_extended`, which math-verify uses) take 7 to 20 ms a formula, against 0.1 ms here,
and read on past what they do not know: a prime, a transpose, a subscript of a number and `\pmod`
are dropped, `2 3` is 5, `\gamma` is Euler's constant.

**Where a unit stands.** A unit follows a number, and the line between units and variables is:

- Set as text (`\text{ m}`, `\mathrm{cm}`), a unit of the closed list is a unit, a letter too.
- Else it needs a space before it, and a coefficient without variables: `18 m^2`, `\pi rad`. So
  `4m`, `\frac{1}{2}h`, `2c` and `3x^2 t` are products of variables. Units that cannot be read as
  letters (see below) may follow variables: `2k cm`.
- Without a space only units that cannot be read as letters: known symbols of two or more letters
  (`10cm`), words (`5dollars`), and a letter that begins a known compound (`5m/s`).
- Letters that are no unit are variables (`12 xy`); words that are neither unit nor counted thing
  (`0 if n is odd`, `4 factorial`) make the answer unreadable.

Quantities side by side are a sum: `3 hours 20 minutes`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from executor.answers.formulas import units
from executor.answers.formulas.expressions import (
    CIRCULAR,
    FUNCTIONS,
    HYPERBOLIC,
    Call,
    Const,
    Expr,
    Num,
    PlusMinus,
    Sym,
    UnitOf,
    UnreadableError,
    add,
    binomial,
    divide,
    exact_root,
    factorial,
    has_variables,
    multiply,
    negate,
    number,
    power,
)
from executor.answers.formulas.normal_form import GREEK
from executor.answers.formulas.numbers import decimal, repeating
from executor.answers.formulas.unit_phrases import all_counted, ends_with_unit, is_unit, units_in

DEEPEST = 100
"""Most parts inside each other that are read; a pair of brackets counts as four."""

_ALIASES = {
    **{f"a{name}": f"arc{name}" for name in CIRCULAR},
    **{f"a{name}": f"arc{name}" for name in HYPERBOLIC},
    **{f"ar{name}": f"arc{name}" for name in HYPERBOLIC},
    "cosec": "csc", "ctg": "cot", "tg": "tan", "lg": "log", "ceiling": "ceil",
    "nCr": "binom", "comb": "binom", "Comb": "binom",
}  # fmt: skip
_CONSTANTS = {
    "pi": "pi",
    "infty": "oo",
    "infinity": "oo",
    "Infinity": "oo",
    "inf": "oo",
    "oo": "oo",
    "e": "e",
}
_LETTERS = {"Gamma", "Delta", "Theta", "Lambda", "Xi", "Sigma", "Upsilon", "Phi", "Psi", "Omega",
            "ell", "hbar", "aleph"} | set(GREEK)  # fmt: skip
_ACCENTS = {"bold", "vec", "hat", "tilde", "overline", "widehat", "widetilde", "overrightarrow",
            "underline", "mathcal", "mathbb", "dot", "ddot", "mathfrak"}  # fmt: skip
_UNKNOWN_FUNCTIONS = frozenset({"f", "g", "F", "G"})
_COMBINATIONS = re.compile(r"C\s?\(\s*(?:\d+\s*,\s*[\dkmr]+|n\s*,\s*[\dkmr])\s*\)")
"""`C(10, 3)` and `C(n, k)`, which count combinations; other letters are points of a plane."""

_SHORT_WORDS = """
if is in of or and by to at on as an no not for the odd mod per all any one two ten six are was has
had out how off its but can may yes sum set let few new old now via vs nd rd th am pm so do go it we
he be my up us ok only
"""
_WORDS_NOT_PRODUCTS = frozenset(_SHORT_WORDS.split())

CALLED = re.compile(r"([a-z]?)(sin|cos|tan|cot|sec|csc|ln|log)([a-zA-Z]?)")
"""A function with one letter before or after it: `sinx`, `xcosx`."""

_TOKEN = re.compile(
    r"(?P<unit>\\unit\{(?P<named>[^{}]*)\})|(?P<currency>\\currency\{(?P<paid>[^{}]*)\})"
    r"|(?P<repeating>\\rep\{(\d*)\}\{(\d*)\}\{(\d+)\})"
    r"|(?P<text>\\(?:text|roman)\s*\{(?P<words>[^{}]*)\})"
    r"|(?P<operator>\\operatorname\s*\{(?P<operated>[A-Za-z]+)\})"
    r"|(?P<command>\\[A-Za-z]+)"
    r"|(?P<number>\d+(?:\.\d+)?|\.\d+|\d+\.(?!\d|\.))"
    r"|(?P<letters>[A-Za-z]+)"
    r"|(?P<sign>[-+*/^_!()\[\]{}|'.,]|\\[{}|])"
)


_PLAIN_FRACTION = re.compile(r"\\frac\s*(?:\{\s*\d+\s*\}\s*|\d\s*)(?:\{\s*\d+\s*\}|\d)(?!\s*[\^!])")


_DERIVATIVE = re.compile(
    r"\\frac\s*\{\s*d(?:\s*\^\s*\{?\d\}?)?\s*[A-Za-z]?\s*\}\s*\{\s*d\s*[a-z](?:\s*\^\s*\{?\d\}?)?\s*\}"
    r"|(?<![A-Za-z])d(?:\^\d)?[A-Za-z]?\s?/\s?d[a-z](?:\^\d)?(?![A-Za-z])"
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str
    start: int
    end: int
    spaced: bool


def parse(text: str, *, plain_units: bool = True) -> Expr:
    r"""Read a whole formula in normal form.

    Args:
        text: the formula.
        plain_units: whether words outside `\text` may be units.

    Raises:
        UnreadableError: some of it is unknown, ambiguous or nested too deeply.
    """
    if "d" in text and _DERIVATIVE.search(text):
        raise UnreadableError("a derivative, which is no fraction")
    return _Parser(text, _tokens(text), plain_units=plain_units).whole()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at] == " ":
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise UnreadableError(f"unknown sign {text[at]!r}")
        kind = next(name for name in _KINDS if match[name] is not None)
        value = next((match[name] for name in _VALUES if match[name] is not None), match.group())
        spaced = at > 0 and text[at - 1] == " "
        tokens.append(_Token(kind, value, at, match.end(), spaced))
        at = match.end()
    return tokens


_KINDS = (
    "unit", "currency", "repeating", "text", "operator", "command", "number", "letters", "sign",
)  # fmt: skip
_VALUES = ("named", "paid", "words", "operated")
_END = _Token("end", "", 0, 0, False)


class _Parser:
    """A recursive-descent parser of one formula.

    Args:
        text: formula in normal form.
        tokens: its tokens.
        plain_units: whether words outside `\text` may be units.
    """

    def __init__(self, text: str, tokens: list[_Token], *, plain_units: bool) -> None:
        self._text = text
        self._tokens = list(tokens)
        self._plain_units = plain_units
        self._at = 0
        self._depth = 0
        self._bars = 0

    def whole(self) -> Expr:
        if not self._tokens:
            raise UnreadableError("nothing")
        expression = self._sum()
        if self._peek() is not _END:
            raise UnreadableError(f"cannot read {self._text[self._peek().start :]!r}")
        return expression

    def _peek(self, ahead: int = 0) -> _Token:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else _END

    def _next(self) -> _Token:
        token = self._peek()
        self._at += 1
        return token

    def _is(self, value: str, ahead: int = 0) -> bool:
        token = self._peek(ahead)
        return token.kind == "sign" and token.value == value

    def _take(self, value: str) -> bool:
        if self._is(value):
            self._at += 1
            return True
        return False

    def _expect(self, value: str) -> None:
        if not self._take(value):
            raise UnreadableError(f"expected {value!r}")

    def _sum(self) -> Expr:
        self._descend()
        terms = [self._signed_term()]
        while True:
            if self._peek().value in ("+", "-", r"\pm", r"\mp"):
                terms.append(self._signed_term())
            elif self._peek().kind == "number" and ends_with_unit(terms[-1]):
                terms.append(self._term())
            else:
                break
        self._depth -= 1
        return terms[0] if len(terms) == 1 else add(*terms)

    def _signed_term(self) -> Expr:
        self._descend()
        if self._take("-"):
            term = negate(self._signed_term())
        elif self._take("+"):
            term = self._signed_term()
        elif self._peek().value in (r"\pm", r"\mp"):
            sign = 1 if self._next().value == r"\pm" else -1
            term = PlusMinus(sign, self._signed_term())
        else:
            term = self._term()
        self._depth -= 1
        return term

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise UnreadableError("too many parts inside each other")

    def _term(self) -> Expr:
        factors: list[Expr] = []
        paid = self._peek().kind == "currency"
        integer = self._peek().kind == "number" and self._peek().value.isdigit()
        factors.append(self._factor(factors))
        integer = integer and isinstance(factors[0], Num) and self._at_single_integer()
        divided = False
        while True:
            if self._take("*"):
                factors.append(self._signed_factor(factors))
            elif self._take("/"):
                bottom = self._signed_factor(factors)
                divided = not is_unit(bottom)
                factors = [divide(multiply(*factors), bottom)]
                if divided and not isinstance(factors[0], Num) and self._letter_follows(factors):
                    raise UnreadableError("a/bc may mean (a/b)c or a/(bc)")
            elif self._factor_follows():
                after_factorial = self._tokens[self._at - 1].value == "!"
                if self._peek().kind == "number" and not paid and not after_factorial:
                    if ends_with_unit(factors[-1]):
                        break
                    raise UnreadableError("a number follows without an operator")
                if integer and self._is_plain_fraction():
                    fraction = self._factor(factors)
                    if isinstance(fraction, Num) and fraction.number.value >= 1:
                        raise UnreadableError("a mixed number with an improper fraction")
                    factors[-1] = add(factors[-1], fraction)
                else:
                    is_number = self._peek().kind == "number"
                    factors.append(self._factor(factors))
                    integer = paid and is_number and self._at_single_integer()
                    paid = False
                    continue
            else:
                break
            integer = paid = False
        return multiply(*factors)

    def _at_single_integer(self) -> bool:
        """Whether the factor just read was one number without an exponent."""
        return self._at >= 1 and self._tokens[self._at - 1].kind == "number"

    def _is_plain_fraction(self) -> bool:
        return bool(_PLAIN_FRACTION.match(self._text, self._peek().start))

    def _factor_follows(self) -> bool:
        token = self._peek()
        if token.kind == "end":
            return False
        if token.kind == "sign":
            if token.value == "|":
                return self._bars == 0
            return token.value in ("(", "{", "[")
        return token.value not in (r"\pm", r"\mp", r"\rfloor", r"\rceil")

    def _letter_follows(self, factors: list[Expr]) -> bool:
        return self._factor_follows() and self._unit(factors, peek=True) is None

    def _signed_factor(self, factors: list[Expr]) -> Expr:
        self._descend()
        negative = self._take("-")
        if negative or self._take("+"):
            factor = self._signed_factor(factors)
        else:
            factor = self._factor(factors)
        self._depth -= 1
        return negate(factor) if negative else factor

    def _factor(self, before: list[Expr]) -> Expr:
        self._descend()
        unit = self._unit(before)
        base = unit if unit is not None else self._primary(before)
        while True:
            if self._take("!"):
                if self._is("!"):
                    raise UnreadableError("a double factorial")
                base = factorial(base)
            elif self._take("^"):
                base = power(base, self._exponent())
            else:
                self._depth -= 1
                return base

    def _exponent(self) -> Expr:
        self._descend()
        exponent = self._signed_exponent()
        self._depth -= 1
        return exponent

    def _signed_exponent(self) -> Expr:
        if self._take("-"):
            return negate(self._exponent())
        if self._take("+"):
            return self._exponent()
        token = self._peek()
        if token.kind == "letters" and len(token.value) > 1 and token.value not in _CONSTANTS:
            raise UnreadableError("an exponent of several letters needs braces")
        exponent = self._primary([])
        if self._take("^"):
            return power(exponent, self._exponent())
        if self._is("!"):
            raise UnreadableError("a factorial after an exponent")
        return exponent

    def _group(self, end: str) -> Expr:
        bars, self._bars = self._bars, 0
        inner = self._sum()
        self._expect(end)
        self._bars = bars
        return inner

    def _primary(self, before: list[Expr]) -> Expr:
        self._descend()
        part = self._one_part(before)
        self._depth -= 1
        return part

    def _one_part(self, before: list[Expr]) -> Expr:
        token = self._next()
        match token.kind:
            case "number":
                return self._number(token)
            case "repeating":
                whole, start, period = re.findall(r"\{(\d*)\}", token.value)
                return Num(repeating(whole, start, period))
            case "unit" | "currency":
                return UnitOf(token.value)
            case "letters":
                return self._letters(token, before)
            case "command":
                return self._command(token.value[1:], before)
            case "operator":
                return self._call(_ALIASES.get(token.value, token.value))
            case "text":
                return self._text_part(token.value.strip(), before)
            case "sign":
                return self._bracketed(token.value)
        raise UnreadableError("the formula ends too early")

    def _bracketed(self, sign: str) -> Expr:
        if sign in ("(", "[", "{"):
            return self._group({"(": ")", "[": "]", "{": "}"}[sign])
        if sign == "|":
            bars, self._bars = self._bars, self._bars + 1
            inner = self._sum()
            self._expect("|")
            self._bars = bars
            return Call("abs", (inner,))
        raise UnreadableError(f"{sign!r} has no place here")

    def _number(self, token: _Token) -> Expr:
        value = Num(decimal(token.value))
        mixed = (
            token.value.isdigit()
            and self._peek().kind == "number"
            and self._peek().spaced
            and self._peek().value.isdigit()
            and self._is("/", 1)
            and self._peek(2).kind == "number"
            and self._peek(2).value.isdigit()
        )
        if mixed:
            top, bottom = self._next(), (self._next(), self._next())[1]
            if int(top.value) >= int(bottom.value):
                raise UnreadableError("a mixed number with an improper fraction")
            fraction = divide(Num(decimal(top.value)), Num(decimal(bottom.value)))
            return add(value, fraction)
        if self._is("_"):
            raise UnreadableError("a number with a subscript")
        return value

    def _letters(self, token: _Token, before: list[Expr]) -> Expr:
        word = token.value
        factor = units.magnitude(word) if len(word) > 2 else None
        if factor is not None and before:
            return number(factor)
        name = _ALIASES.get(word, word)
        if name == "sqrt":
            return self._root()
        if name == "cbrt":
            return self._root(3)
        if name in FUNCTIONS and len(word) > 1:
            return self._call(name)
        if word in _CONSTANTS:
            return Const(_CONSTANTS[word])
        if word in _LETTERS and len(word) > 1:
            return self._symbol(word)
        if len(word) == 1:
            if word in _UNKNOWN_FUNCTIONS and self._is("("):
                return self._call(word)
            if word == "C" and _COMBINATIONS.match(self._text, token.start):
                return self._call("binom")
            return Const("i") if word == "i" and not self._is("_") else self._symbol(word)
        called = CALLED.fullmatch(word)
        pieces = [g for g in called.groups() if g] if called else self._product_of_letters(word)
        at, self._at = self._at - 1, self._at - 1
        self._tokens[at : at + 1] = [
            _Token("letters", piece, token.start, token.end, token.spaced and not i)
            for i, piece in enumerate(pieces)
        ]
        return self._letters(self._next(), before)

    @staticmethod
    def _product_of_letters(word: str) -> list[str]:
        ordered = len(set(word)) == len(word) and sorted(word) == list(word)
        if word.casefold() in _WORDS_NOT_PRODUCTS or (len(word) > 3 and not ordered):
            raise UnreadableError(f"{word!r} is a word")
        return list(word)

    def _symbol(self, name: str) -> Expr:
        while self._is("_") or self._is("'"):
            if self._take("'"):
                name += "'"
                continue
            self._next()
            name += "_" + self._subscript()
        return Sym(name)

    def _subscript(self) -> str:
        token = self._next()
        if token.kind in ("number", "letters", "command", "text"):
            if token.kind == "letters" and len(token.value) > 1:
                raise UnreadableError("a subscript of several letters needs braces")
            return token.value.strip()
        if token.value != "{":
            raise UnreadableError("no subscript")
        pieces = []
        while not self._is("}"):
            inner = self._next()
            if inner.kind == "end" or inner.value == "{":
                raise UnreadableError("a subscript that does not end")
            pieces.append(inner.value.strip())
        self._next()
        return "".join(pieces)

    def _command(self, name: str, before: list[Expr]) -> Expr:
        if name == "frac":
            return divide(self._argument(), self._argument())
        if name == "binom":
            return binomial(self._argument(), self._argument())
        if name == "sqrt":
            return self._root()
        if name in ("lfloor", "lceil"):
            inner = self._sum()
            end = self._next()
            if end.value != ("\\rfloor" if name == "lfloor" else "\\rceil"):
                raise UnreadableError("a bracket that does not end")
            return Call("floor" if name == "lfloor" else "ceil", (inner,))
        if name in _CONSTANTS:
            return Const(_CONSTANTS[name])
        if _ALIASES.get(name, name) in FUNCTIONS:
            return self._call(_ALIASES.get(name, name))
        if name in _LETTERS:
            return self._symbol(name)
        if name in _ACCENTS:
            return self._accented(name)
        if name == "text":
            raise UnreadableError("text with braces inside")
        raise UnreadableError(f"unknown command {name!r}")

    def _accented(self, accent: str) -> Expr:
        braced = self._take("{")
        token = self._next()
        letters = token.value.lstrip("\\")
        named = token.kind == "command" and letters in {*_LETTERS, "imath", "jmath"}
        if not named and (token.kind != "letters" or len(letters) > 5):
            raise UnreadableError(f"nothing that could carry {accent!r}")
        if braced:
            self._expect("}")
        letters = {"imath": "i", "jmath": "j"}.get(letters, letters)
        accent = {"widehat": "hat", "widetilde": "tilde", "overrightarrow": "vec"}.get(
            accent, accent
        )
        return self._symbol(f"{accent}:{letters}")

    def _text_part(self, words: str, before: list[Expr]) -> Expr:
        if not words:
            return number(1)
        factor = units.magnitude(words)
        if factor is not None and before:
            return number(factor)
        if _ALIASES.get(words, words) in FUNCTIONS:
            return self._call(_ALIASES.get(words, words))
        if words == "i" or words in _CONSTANTS:
            return Const(_CONSTANTS.get(words, "i"))
        if len(words) == 1 and words.isalpha():
            return self._symbol(words)
        raise UnreadableError(f"{words!r} is no part of a formula")

    def _argument(self) -> Expr:
        """Read an argument of a command: a group, or one digit, letter or command."""
        if self._take("{"):
            return self._group("}")
        token = self._peek()
        if token.kind in ("number", "letters") and len(token.value) > 1:
            self._tokens[self._at : self._at + 1] = [
                _Token(token.kind, token.value[0], token.start, token.start + 1, token.spaced),
                _Token(token.kind, token.value[1:], token.start + 1, token.end, False),
            ]
            if "." in token.value:
                raise UnreadableError("an argument without braces")
        if token.kind == "sign":
            raise UnreadableError("a command without its argument")
        token = self._next()
        if token.kind == "number":
            return Num(decimal(token.value))
        self._at -= 1
        return self._primary([])

    def _root(self, degree: int = 2) -> Expr:
        index: Expr = number(degree)
        if self._take("["):
            index = self._group("]")
        if self._take("("):
            inner = self._group(")")
        elif self._peek().kind == "number":
            inner = self._primary([])
        else:
            inner = self._argument()
        if isinstance(index, Num) and isinstance(inner, Num):
            return exact_root(inner, index)
        return power(inner, divide(number(1), index))

    def _call(self, name: str) -> Expr:
        exponent: Expr | None = None
        base: Expr | None = None
        if name == "log":
            base = self._base_of_logarithm()
        if self._take("^"):
            exponent = self._exponent()
            base = self._base_of_logarithm() if name == "log" and base is None else base
        if exponent == number(-1) and name in (*CIRCULAR, *HYPERBOLIC):
            name, exponent = f"arc{name}", None
        arguments = self._arguments()
        value = _function(name, arguments, base)
        return value if exponent is None else power(value, exponent)

    def _base_of_logarithm(self) -> Expr | None:
        r"""Read the base of `\log_2 x`, `log_10(x)` and `log2(x)`."""
        if not self._is("_"):
            glued = self._peek().kind == "number" and not self._peek().spaced and self._is("(", 1)
            return Num(decimal(self._next().value)) if glued else None
        self._next()
        whole = self._peek().kind == "number" and self._is("(", 1)
        return Num(decimal(self._next().value)) if whole else self._argument()

    def _arguments(self) -> tuple[Expr, ...]:
        if self._is("("):
            self._next()
            arguments = [self._sum()]
            while self._take(","):
                arguments.append(self._sum())
            self._expect(")")
            return tuple(arguments)
        if self._take("{"):
            return (self._group("}"),)
        if not self._factor_follows():
            raise UnreadableError("a function without an argument")
        factors = [self._factor([])]
        while self._factor_follows() and not self._function_follows():
            if self._peek().kind in ("number", "unit", "currency") and self._peek().kind != "unit":
                raise UnreadableError("a number follows without an operator")
            factors.append(self._factor(factors))
        return (multiply(*factors),)

    def _function_follows(self) -> bool:
        token = self._peek()
        name = token.value.lstrip("\\")
        name = _ALIASES.get(name, name)
        is_function = name in FUNCTIONS - {"sqrt", "binom"}
        return token.kind == "operator" or (token.kind in ("command", "letters") and is_function)

    def _unit(self, before: list[Expr], *, peek: bool = False) -> Expr | None:
        """Read a unit if one stands here; None if not."""
        token = self._peek()
        if token.kind == "text" and before:
            found = units_in(token.value.strip(), whole=True, plain=False)
            end = token.end
        elif token.kind == "letters" and before and self._plain_units:
            short = not token.spaced or not units.may_touch(token.value)
            if short and any(has_variables(factor) for factor in before):
                return None
            rest = self._text[token.start :]
            glued = not token.spaced
            found = units_in(rest, whole=False, plain=True, glued=glued, before=before)
            end = token.start + (found[1] if found else 0)
        elif token.kind == "sign" and token.value == "(" and before and token.spaced:
            named = re.match(r"\(([A-Za-z ][A-Za-z .'-]*)\)$", self._text[token.start :])
            found = units_in(named[1], whole=True, plain=False) if named else None
            if named and found is None and all_counted(named[1]):
                things = re.split("[ -]+", re.split(r"\bof\b", named[1])[0].strip())
                found = (UnitOf(units.counted(things[-1])), 0)
            end = len(self._text)
        else:
            return None
        if found is None:
            return None
        if not peek:
            while self._peek() is not _END and self._peek().start < end:
                self._at += 1
        return found[0]


def _function(name: str, arguments: tuple[Expr, ...], base: Expr | None) -> Expr:
    single = name not in ("max", "min", "gcd", "lcm", "binom", *_UNKNOWN_FUNCTIONS)
    if single and name in FUNCTIONS and len(arguments) != 1:
        raise UnreadableError(f"{name} takes one argument")
    if name == "sqrt":
        inner = arguments[0]
        return (
            exact_root(inner, number(2))
            if isinstance(inner, Num)
            else power(inner, number(Fraction(1, 2)))
        )
    if name == "cis":
        imaginary = multiply(Const("i"), Call("sin", arguments))
        return add(Call("cos", arguments), imaginary)
    if name == "exp":
        return power(Const("e"), arguments[0])
    if name == "binom" and len(arguments) == 2:
        return binomial(*arguments)
    if name == "log":
        return Call("log", (arguments[0], base if base is not None else number(10)))
    return Call(name, arguments)
