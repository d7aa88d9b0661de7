"""Solutions with random mistakes: endless, exactly labelled data to train a verifier of steps.

A policy's own wrong steps are few, and they show how hard a problem is more than which step is
wrong. A PRM that starts on them learns the hardness and stops there. Random mistakes in right
solutions show only what a wrong step is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from profiling.laboratory.task import (
    Chain,
    DataSplit,
    bare,
    draw_chains,
    step_text,
    tell,
)
from profiling.problems.wordproblems import STEP_DELIMITER, WordProblem

MISTAKEN = 0.45  # share of the steps that have a mistake
_NEAR = (1, 1, 1, 2, 2, 3, 4, 5, 6, 8, 10, 10, 20)  # likely distances of a wrong number
_OPERATORS = "+-*/"
_LARGEST = 1500  # a larger result, which only mistakes produce, keeps its last three digits


@dataclass(frozen=True, slots=True)
class SaidStep:
    """A step as it is written, and the right step after the same earlier steps.

    Both texts end with the delimiter, except in the last step of a solution.

    Attributes:
        said: the written step.
        right: the right step, which continues from the value that the step before wrote.
    """

    said: str
    right: str


def mistaken(rng: random.Random, chain: Chain) -> list[SaidStep]:
    """Return a chain's worked solution with mistakes; each step continues from the written value.

    Three mistakes in four are in a result. The others are in the calculation: a number that was not
    written before, a number of another sentence, or another operation.
    """
    value = chain[0].left
    steps = []
    for place, step in enumerate(chain, start=1):
        last = place == len(chain)
        end = "" if last else STEP_DELIMITER
        left, operator, right = value, step.operator, step.right
        result = _value(left, operator, right)
        right_text = step_text(left, operator, right, result, last=last) + end
        if rng.random() < MISTAKEN:
            draw = rng.random()
            if draw < 0.75:
                result = other_number(rng, result)
            else:
                if draw < 0.83:
                    left = other_number(rng, left)
                elif draw < 0.93:
                    right = rng.choice([*(step.right for step in chain), other_number(rng, right)])
                else:
                    operator = rng.choice(_OPERATORS)
                result = _value(left, operator, right)
        if result > _LARGEST:
            result %= 1000
        steps.append(
            SaidStep(step_text(left, operator, right, result, last=last) + end, right_text)
        )
        value = result
    return steps


def mistaken_solutions(
    seed: int, bare_share: float
) -> Iterator[tuple[WordProblem, list[SaidStep]]]:
    """Yield endless training problems, each with a solution that has mistakes.

    The levels take turns.

    Args:
        seed: base seed of all draws.
        bare_share: share of the problems that are bare expressions; the rest are stories.
    """
    rng = random.Random(f"{seed} mistakes")
    for level, chain in draw_chains(rng, DataSplit.TRAIN):
        problem = bare(chain, level) if rng.random() < bare_share else tell(rng, chain, level)
        yield problem, mistaken(rng, chain)


def _value(left: int, operator: str, right: int) -> int:
    """Return the result of a step whose numbers may be wrong: whole, and at least 0."""
    match operator:
        case "+":
            return left + right
        case "-":
            return abs(left - right)
        case "*":
            return left * right
    return left // max(right, 1)


def other_number(rng: random.Random, number: int) -> int:
    """Return a different number: often a near one, or the same digits in reverse."""
    draw = rng.random()
    if draw < 0.5:
        wrong = number + rng.choice((-1, 1)) * rng.choice(_NEAR)
    elif draw < 0.6 and number > 9:
        wrong = int(str(number)[::-1])
    else:
        wrong = rng.randint(1, 99 if number < 100 else 999)
    return wrong if wrong != number and wrong >= 0 else number + 1
