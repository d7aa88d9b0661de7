r"""The closed list of units of measurement, and the words that may follow a number.

A unit is a word of this list, or a counted thing (`5 apples`): a plural that is not a word of
mathematics. Things have no dimension: 5 apples are 5, and neither 5 pears nor 5 cm.
`executor.answers.formulas.parser` decides where a unit may stand; its docstring has the rule by
which `18 m^2` has a unit and `4m` is a product of 4 and the variable m.

A per cent sign is dropped, as the benchmarks' own graders do: 50% is 50, and not 0.5.

Two quantities of one dimension are equal if they are equal in base units: 1 km is 1000 m. Degrees
Celsius and Fahrenheit are different dimensions, because their zeros differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

Dimension = tuple[tuple[str, int], ...]
"""Base units with their powers, sorted by name: m/s is `(("m", 1), ("s", -1))`."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measurement.

    Attributes:
        dimension: base units with their powers.
        factor: size in base units, without pi.
        pi: power of pi in the size; a radian is 1/pi half turns.
    """

    dimension: Dimension
    factor: Fraction = Fraction(1)
    pi: int = 0


def _unit(base: str, factor: int | str = 1, power: int = 1) -> Unit:
    return Unit(((base, power),), Fraction(factor))


COUNTED = "#"
"""First letter of the names of counted things, such as `#apple`."""

SOMETHING = COUNTED
"""Name of a counted thing that is not named: `12个`."""

HUNDREDTHS = frozenset(("percent", "percentage point"))
"""Units that say per cent; they have no dimension, and still are no other thing."""

ANGLE = "half turn"
"""Base unit of angles: 180 degrees, or pi radians."""

_METRES: dict[str, int | str] = {
    "m": 1, "km": 1000, "dm": "1/10", "cm": "1/100", "mm": "1/1000", "nm": "1/1000000000",
    "inch": "0.0254", "ft": "0.3048", "yard": "0.9144", "mile": "1609.344",
}  # fmt: skip
_SECONDS: dict[str, int | str] = {
    "s": 1, "ms": "1/1000", "min": 60, "hour": 3600, "day": 86400, "week": 604800,
    "fortnight": 1209600,
}  # fmt: skip
_GRAMS: dict[str, int | str] = {
    "g": 1, "mg": "1/1000", "kg": 1000, "tonne": 1000000, "lb": "453.59237", "oz": "28.349523125",
    "ton": "907184.74", "jin": 500,
}  # fmt: skip
_CUBIC_METRES: dict[str, int | str] = {
    "L": "1/1000", "mL": "1/1000000", "cL": "1/100000", "gallon": "0.003785411784",
    "quart": "0.000946352946", "pint": "0.000473176473", "cup": "0.0002365882365",
    "fl oz": "0.0000295735295625",
    "tablespoon": "0.00001478676478125", "teaspoon": "0.00000492892159375",
}  # fmt: skip

_NAMED: dict[str, Unit] = {
    **{name: _unit("m", factor) for name, factor in _METRES.items()},
    **{name: _unit("s", factor) for name, factor in _SECONDS.items()},
    **{name: _unit("g", factor) for name, factor in _GRAMS.items()},
    **{name: _unit("m", factor, 3) for name, factor in _CUBIC_METRES.items()},
    "month": _unit("month"), "year": _unit("month", 12), "decade": _unit("month", 120),
    "century": _unit("month", 1200),
    "hectare": _unit("m", 10000, 2), "acre": _unit("m", "4046.8564224", 2),
    "degree": _unit(ANGLE, "1/180"), "radian": Unit(((ANGLE, 1),), pi=-1),
    "arcminute": _unit(ANGLE, "1/10800"), "turn": _unit(ANGLE, 2),
    "celsius": _unit("celsius"), "fahrenheit": _unit("fahrenheit"), "kelvin": _unit("kelvin"),
    "percent": Unit(()), "percentage point": Unit(()),
    "mph": Unit((("m", 1), ("s", -1)), Fraction("1609.344") / 3600),
    "km/h": Unit((("m", 1), ("s", -1)), Fraction(1000, 3600)),
    "N": Unit((("g", 1), ("m", 1), ("s", -2)), Fraction(1000)),
    "J": Unit((("g", 1), ("m", 2), ("s", -2)), Fraction(1000)),
    "kJ": Unit((("g", 1), ("m", 2), ("s", -2)), Fraction(1000000)),
    "W": Unit((("g", 1), ("m", 2), ("s", -3)), Fraction(1000)),
    "kW": Unit((("g", 1), ("m", 2), ("s", -3)), Fraction(1000000)),
    "kWh": Unit((("g", 1), ("m", 2), ("s", -2)), Fraction(3600000000)),
    "Pa": Unit((("g", 1), ("m", -1), ("s", -2)), Fraction(1000)),
    "kPa": Unit((("g", 1), ("m", -1), ("s", -2)), Fraction(1000000)),
    "Hz": _unit("s", 1, -1), "V": _unit("volt"), "ohm": _unit("ohm"), "ampere": _unit("ampere"),
    "mol": _unit("mol"), "cal": _unit("calorie"), "kcal": _unit("calorie", 1000),
    "bit": _unit("bit"), "byte": _unit("bit", 8), "KB": _unit("bit", 8000),
    "MB": _unit("bit", 8000000), "GB": _unit("bit", 8000000000),
    "dollar": _unit("USD"), "cent": _unit("USD", "1/100"), "dime": _unit("USD", "1/10"),
    "euro": _unit("EUR"), "pound sterling": _unit("GBP"), "pence": _unit("GBP", "1/100"),
    "rupee": _unit("INR"), "yen": _unit("JPY"), "yuan": _unit("CNY"),
    "jiao": _unit("CNY", "1/10"), "fen": _unit("CNY", "1/100"), "won": _unit("KRW"),
    "ruble": _unit("RUB"), "franc": _unit("CHF"), "peso": _unit("MXN"), "unit": _unit("unit"),
}  # fmt: skip

_SPELLINGS = """
m: meter metre meters metres
km: kilometer kilometre kilometers kilometres kms
dm: decimeter decimetre decimeters decimetres
cm: centimeter centimetre centimeters centimetres cms
mm: millimeter millimetre millimeters millimetres
nm: nanometer nanometers
inch: inches in
ft: foot feet
yard: yards yd yds
mile: miles mi
s: second seconds sec secs
ms: millisecond milliseconds
min: minute minutes mins
hour: hours hr hrs h
day: days
week: weeks wk wks
fortnight: fortnights
month: months
year: years yr yrs
decade: decades
century: centuries
g: gram grams gramme grammes
mg: milligram milligrams
kg: kilogram kilograms kilo kilos kgs
tonne: tonnes
ton: tons
lb: lbs
oz: ounce ounces
L: liter litre liters litres l
mL: milliliter millilitre milliliters millilitres ml
cL: cl centiliter centiliters
gallon: gallons gal
quart: quarts qt
pint: pints pt
cup: cups
tablespoon: tablespoons tbsp
teaspoon: teaspoons tsp
hectare: hectares ha
acre: acres
degree: degrees deg
radian: radians rad rads
arcminute: arcminutes
turn: revolution revolutions
kelvin: kelvins K
percent: pct
mph: mi/h
km/h: kmh kph kmph
N: newton newtons
J: joule joules
kJ: kilojoule kilojoules
W: watt watts
kW: kilowatt kilowatts
Pa: pascal pascals
kPa: kilopascal kilopascals
Hz: hertz
V: volt volts
ohm: ohms
ampere: amperes amp amps
mol: mole moles
cal: calorie calories
kcal: kilocalorie kilocalories
bit: bits
byte: bytes
KB: kilobyte kilobytes
MB: megabyte megabytes
GB: gigabyte gigabytes
dollar: dollars USD CAD AUD NZD HKD SGD bucks
cent: cents
dime: dimes
euro: euros EUR
pound sterling: GBP
pence: pennies p
rupee: rupees INR Rs rs
yen: JPY
yuan: CNY RMB
won: KRW
ruble: rubles RUB
franc: francs CHF
peso: pesos MXN
unit: units
"""
_NAME_OF: dict[str, str] = {"pound": "pound", "pounds": "pound"} | {
    name: name for name in _NAMED if " " not in name
}
for _line in _SPELLINGS.strip().splitlines():
    _name, _, _others = _line.partition(":")
    _NAME_OF.update(dict.fromkeys(_others.split(), _name))
del _NAME_OF["p"]

CURRENCY_SIGNS = {
    "$": "dollar", "€": "euro", "£": "pound sterling", "₹": "rupee", "¥": "yen or yuan", "₩": "won",
    "₽": "ruble",
}  # fmt: skip
"""Signs that stand before or after an amount."""

CURRENCY_CODES = (
    "USD", "EUR", "GBP", "INR", "JPY", "CNY", "KRW", "CHF", "RMB", "Rs", "RUB", "CAD", "AUD", "NZD",
    "HKD", "SGD", "MXN",
)  # fmt: skip
"""Codes that stand before or after an amount."""

AMBIGUOUS = {
    "pound": ("lb", "pound sterling"), "yen or yuan": ("yen", "yuan"),
    "minute or point": ("min", "fen", SOMETHING),
}  # fmt: skip
"""Units of several meanings, each of which an answer may have: `5 pounds` is £5, and 80 oz."""

MAGNITUDES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "quadrillion": 10**15, "quintillion": 10**18,
    "dozen": 12, "lakh": 10**5, "lac": 10**5, "crore": 10**7,
}  # fmt: skip
"""Words that multiply the number before them; a plural s is allowed."""

_NUMERALS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
BELOW_TWENTY = {word: value for value, word in enumerate(_NUMERALS.split())}
"""Words for whole numbers below twenty, with their values."""

_FROM_TWENTY = "twenty thirty forty fifty sixty seventy eighty ninety"
TENS = {word: 10 * value for value, word in enumerate(_FROM_TWENTY.split(), start=2)}
"""Words for multiples of ten below 100, with their values."""

_TOUCHING = """
cm mm km dm kg mg ml mL cL ft lb lbs oz hr hrs min mins sec secs mph kph kmh rad deg kWh kW kJ Hz
kPa MB GB KB USD EUR GBP INR JPY
"""
GLUED = frozenset(_TOUCHING.split())
"""Short units that may touch their number (`10cm`); so may all of four letters or more."""

QUALIFIERS = frozenset(
    ("old", "tall", "long", "wide", "high", "deep", "away", "each", "total", "left", "apart")
)
"""Words after a unit that do not change it: `12 years old`."""

_IRREGULAR_PLURALS = """
people children men women mice geese teeth sheep fish deer dice oxen cattle vertices
"""
_IRREGULAR = frozenset(_IRREGULAR_PLURALS.split())
_SINGULAR = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse",
    "geese": "goose", "teeth": "tooth", "dice": "die", "oxen": "ox", "vertices": "vertex",
}  # fmt: skip
_ENDINGS = (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("ss", "ss"),
            ("sses", "ss"), ("oes", "o"), ("s", ""))  # fmt: skip
_MATHEMATICS = """
if is in of or and by to at on as an no not for the than then when where with without odd even per
mod modulo all any some none other otherwise unless else while because since given such plus minus
times divided over squared cubed square cube choose factorial factorials power powers root roots
halves half third thirds quarter quarters tens ones hundredths thousandths score scores gross pairs
pair googol googols zillion zillions
sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan log exp sqrt pi
infinity inf abs min max gcd lcm mins equals less does was has his its this thus yes
"""
_NOT_COUNTED = frozenset(_MATHEMATICS.split())
_MAKE_OTHERS = """
negative positive below above under more fewer greater smaller lower higher up down north south
east west remainder prime bar hat star dash dot point fold double triple twice thrice grand
myriad couple trio mil bil mio midnight noon january february march april may june july august
september october november december only exactly about almost nearly around
approximately roughly exclusive inclusive but with from into onto upon also too again else
even odd true false undefined unknown infinite imaginary nan digit base cross transpose inverse
"""
_NO_NOUNS = frozenset((*_MAKE_OTHERS.split(), *BELOW_TWENTY, *TENS))
"""Words behind a number that are no singular of a thing: they make something else of it."""

_CONDITIONS = frozenset(
    ("if", "unless", "when", "where", "for", "mod", "modulo", "or", "and", "pi")
)
_ORDINAL = re.compile(r"(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|[a-z]+teen|[a-z]+tie)ths?")


def magnitude(word: str) -> int | None:
    """Return the factor that a word such as `million` stands for, or None."""
    word = word.casefold()
    return MAGNITUDES.get(word) or MAGNITUDES.get(word.removesuffix("s"))


def unit_name(word: str) -> str | None:
    """Return the name of the unit that a word spells, or None; case matters in short symbols."""
    if word in _NAME_OF:
        return _NAME_OF[word]
    return _NAME_OF.get(word.casefold()) if len(word) > 3 else None


def unit(name: str) -> Unit:
    """Return a unit by its name, in its first meaning; a counted thing has no dimension."""
    name = AMBIGUOUS.get(name, (name,))[0]
    return Unit(()) if name.startswith(COUNTED) else _NAMED[name]


def may_be_counted(word: str) -> bool:
    """Whether a word can belong to the name of a counted thing: `red` and `apples` can."""
    lower = word.casefold()
    plain = len(word) >= 3 and word.isalpha() and word.isascii()
    numeral = lower in _NOT_COUNTED or magnitude(lower) is not None or _ORDINAL.fullmatch(lower)
    return plain and not numeral


def may_touch(word: str) -> bool:
    """Whether a unit may touch its number, because it cannot be meant as letters."""
    return word in GLUED or len(word) >= 4


def counted(word: str) -> str:
    """Return the name under which a counted thing is compared: `apples` and `apple` are one."""
    word = word.casefold()
    if word in _IRREGULAR:
        return COUNTED + _SINGULAR.get(word, word)
    for ending, singular in _ENDINGS:
        if word.endswith(ending):
            return COUNTED + word.removesuffix(ending) + singular
    return COUNTED + word


def may_be_noted(word: str) -> bool:
    """Whether a word may stand in brackets after a number without a change of the number."""
    return len(word) > 1 and word.casefold() not in _CONDITIONS and magnitude(word) is None


def is_singular(word: str) -> bool:
    """Whether a word in lower case can be the singular of a thing."""
    spoken = word.islower() and any(letter in "aeiou" for letter in word)
    if not spoken or word.endswith(("ly", "ed", "ional", "ical")):
        return False
    return word not in _NO_NOUNS and may_be_counted(word)


def may_be_variables(word: str) -> bool:
    """Whether letters may be a product of variables: three of them, or more in order."""
    return len(word) <= 3 or (len(set(word)) == len(word) and sorted(word) == list(word))


def is_plural(word: str) -> bool:
    """Whether a word is a plural in lower case."""
    return word in _IRREGULAR or (word.islower() and word.endswith("s") and word[-2:] != "ss")
