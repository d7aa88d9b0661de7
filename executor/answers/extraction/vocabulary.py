"""Words around numbers in prose: which belong to a value, which are units, which end one."""

from __future__ import annotations

import re

from executor.answers.formulas.cjk import CJK as CJK
from executor.answers.formulas.cjk import CJK_MEASURE as CJK_MEASURE
from executor.answers.formulas.cjk import CJK_SCALE as CJK_SCALE


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MEASURES = _words(
    """
    year years yr yrs month months week weeks wk day days hour hours hr hrs minute minutes min mins
    second seconds sec secs foot feet ft inch inches in yard yards yd mile miles mi
    meter meters metre metres centimeter centimeters centimetre centimetres cm
    millimeter millimeters millimetre millimetres mm kilometer kilometers kilometre kilometres km
    gram grams kilogram kilograms kg mg pound pounds lb lbs ounce ounces oz ton tons tonne tonnes
    gallon gallons gal quart quarts qt pint pints pt cup cups liter liters litre litres
    milliliter milliliters millilitre millilitres ml dollar dollars cent cents euro euros pence
    dime dimes nickel nickels penny pennies degree degrees hectare hectares acre acres
    """
)
"""Units of measurement: "2 hours 15 minutes" is one quantity, "42 apples 3 left" is not."""

GOES_ON = _words(
    """
    times plus minus over divided multiplied squared cubed factorial choose mod modulo pi root sqrt
    sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp raised power infinity
    alpha beta gamma delta epsilon theta lambda mu phi psi omega sigma tau rho remainder cross dot
    half halves third thirds quarter quarters fourths fifth fifths sixth sixths seventh sevenths
    eighths ninths tenths if unless except otherwise
    january february march april june july august september october november december
    """
)
"""Words after a number that make something else of it: a formula, a fraction, a date, a case."""

ENDS_UNIT = _words(
    """
    in of for from at on per with after before as because since which that is are was were when
    where while than so but if left remaining each every total altogether more less extra out
    and or to by not we she he they it there who has have had will would can gives given
    """
)
"""Words at which a unit ends."""

STATES = _words("left remaining more less extra total each steps altogether")
"""Words after a number that do not name things of another kind ("42 apples, 3 left")."""

SHORT_WORDS = _words(
    """
    in of to at on by is as or so if we he it an no up us am pm cm mm km kg mg ml ft yd lb oz hr mi
    pt qt gb mb tb kb hz kw mw sq
    """
)
"""Words of two letters; all others are products of variables."""

SYMBOLS = re.compile(r"[a-d]{3}|[u-z]{3,4}|[B-HJ-Z]")
"""Longer products of variables, and single letters."""

CJK_NOT = "(?:不是|不等于|不等於|不为|不為|并非|並非)"
"""Words before a value that deny it, as a pattern."""

VULGAR = "\u00bc-\u00be\u2150-\u215e"
"""Vulgar fractions, as the inside of a character class."""

POWERS = "hundreds?|thousands?|millions?|billions?|trillions?|quadrillions?|lakhs?|crores?"
NAMED_SCALES = {
    "k": "thousand", "m": "million", "b": "billion", "bn": "billion", "mn": "million",
}  # fmt: skip
"""What a letter after an amount of money multiplies it by: "$5M"."""

SCALES = rf"{POWERS}|dozens?"
"""Words that multiply a number, as alternatives of a pattern."""

DENIAL_OF_CLAUSE = (
    r"(?:(?:\bnot|n['\u2019]t)\s+(?:true|correct|right|the\s+case|clear|certain)\s+(?:that|if|whether)\b"
    r"|(?:\bnot|\bcannot|\bnever|n['\u2019]t)\s+(?:think|believe|say|mean|agree|accept|sure|convinced"
    r"|claim|conclude)\b(?:\s+that\b)?|\b(?:doubt|disagree)\b(?:\s+that\b)?)"
)
"""What denies the clause that follows it, as a pattern: "it is not true that", "I don't think"."""

NO_ANSWERS = _words(
    """
    i i'm i've you we let let's to this that these those it he she they please sorry apologies
    unknown unsure unclear unable cannot can't don't dunno help hello hi hey thanks thank welcome
    okay ok sure certainly absolutely great good alright well hmm wait so first firstly next then
    now finally therefore thus hence because since given here here's step solution answer
    explanation proof question problem example note hint response result output input error warning
    done finished complete completed correct incorrect verified exactly maybe perhaps probably idea
    clue nan null undetermined idk pass skip skipped failed timeout human user assistant system
    solve solving using assume assuming consider suppose understood qed as ai
    am is are was were be been have has had do does did get gets find compute calculate determine
    need needs want know think start begin looking use add multiply divide subtract number amount
    value sum refuse depends worries certain
    sé lo siento perdón hola ich weiß nicht entschuldigung hallo lösung leider je sais pas désolé
    bonjour pardon solución respuesta resposta risposta soluzione não sei desculpe non so scusa
    spiacente не знаю извините привет ответ решение
    """
)
"""Words of refusals, of greetings, and of texts that were cut off at their beginning."""
