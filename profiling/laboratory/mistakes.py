"""Solutions with made mistakes: endless, exactly labelled data for what checks steps.

A policy's own wrong steps are few and tell more of how hard a problem is than of which step is
wrong: a PRM that starts on them learns the first and stops there. Mistakes put at random into right
solutions say nothing but what a wrong step is.
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

MISTAKEN = 0.45  # share of the steps that hold a mistake
_NEAR = (1, 1, 1, 2, 2, 3, 4, 5, 6, 8, 10, 10, 20)  # how far off a wrong number often is
_OPERATORS = "+-*/"
_LARGEST = 1500  # a value that mistakes have made larger is cut to its last three digits


@dataclass(frozen=True, slots=True)
class SaidStep:
    """A step as it is said, and as it should have been said after all that was said before it.

    Both end with the delimiter, the last one of a solution without.
    """

    said: str
    right: str


def mistaken(rng: random.Random, chain: Chain) -> list[SaidStep]:
    """The worked solution of a chain with mistakes; each step goes on from what was said.

    Three mistakes in four are in a result, the others in what is calculated: a number that was not
    said, one of another sentence, another operation.
    """
    value = chain[0].left
    steps = []
    for place, step in enumerate(chain, start=1):
        last = place == len(chain)
        end = "" if last else STEP_DELIMITER
        left, operator, right = value, step.operator, step.right
        result = _value(left, operator, right)
        wanted = step_text(left, operator, right, result, last=last) + end
        if rng.random() < MISTAKEN:
            draw = rng.random()
            if draw < 0.75:
                result = _other(rng, result)
            else:
                if draw < 0.83:
                    left = _other(rng, left)
                elif draw < 0.93:
                    right = rng.choice([*(step.right for step in chain), _other(rng, right)])
                else:
                    operator = rng.choice(_OPERATORS)
                result = _value(left, operator, right)
        if result > _LARGEST:
            result %= 1000
        steps.append(SaidStep(step_text(left, operator, right, result, last=last) + end, wanted))
        value = result
    return steps


def mistaken_solutions(
    seed: int, bare_share: float
) -> Iterator[tuple[WordProblem, list[SaidStep]]]:
    """Training problems without end, levels in turn, and a solution of each with mistakes."""
    rng = random.Random(f"{seed} mistakes")
    for level, chain in draw_chains(rng, DataSplit.TRAIN):
        told = bare(chain, level) if rng.random() < bare_share else tell(rng, chain, level)
        yield told, mistaken(rng, chain)


def _value(left: int, operator: str, right: int) -> int:
    """What a step gives once the numbers are wrong: whole, and never below zero."""
    match operator:
        case "+":
            return left + right
        case "-":
            return abs(left - right)
        case "*":
            return left * right
    return left // max(right, 1)


def _other(rng: random.Random, number: int) -> int:
    """Another number: often a near one, or its digits turned round."""
    draw = rng.random()
    if draw < 0.5:
        wrong = number + rng.choice((-1, 1)) * rng.choice(_NEAR)
    elif draw < 0.6 and number > 9:
        wrong = int(str(number)[::-1])
    else:
        wrong = rng.randint(1, 99 if number < 100 else 999)
    return wrong if wrong != number and wrong >= 0 else number + 1
