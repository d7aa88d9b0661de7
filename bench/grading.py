"""How many answers are graded in a second: plain ones on one core, and formulas on two.

Plain answers are whole numbers, decimals and fractions, all different, so that no cache helps. A
pair of formulas is read and compared by value in a child process, by one grader a core. Half of
the pairs are equal.
"""

from __future__ import annotations

import argparse
import random
import time
from concurrent.futures import ThreadPoolExecutor

from common import finish

from executor.answers.grader import MathGrader

Pairs = list[tuple[str, str]]


def plain_pairs(count: int, source: random.Random) -> Pairs:
    """Return pairs of numbers in two spellings, half of them equal."""
    pairs = []
    for index in range(count):
        value = source.randrange(1, 10**9)
        other = value + index % 2
        pairs.append(
            source.choice(
                [
                    (f"{value}", f"{other}.0"),
                    (f"{value / 100:.2f}", f"{other / 100:.2f}"),
                    (f"{value}/4", f"{other}/4"),
                    (f"{value:,}", f"{other}"),
                    (rf"\frac{{{value}}}{{7}}", f"{other}/7"),
                ]
            )
        )
    return pairs


def symbolic_pairs(count: int, source: random.Random) -> Pairs:
    """Return pairs of formulas as models write them, half of them equal."""
    pairs = []
    for index in range(count):
        a, b, c = (source.randrange(2, 60) for _ in range(3))
        d = c + index % 2
        pairs.append(
            source.choice(
                [
                    (rf"{a}x^2+{b}x+{c}", rf"{d} + {b}x + {a}x^2"),
                    (rf"\frac{{{a}\sqrt{{{c}}}}}{{{b}}}", rf"\frac{{{a}}}{{{b}}}\sqrt{{{d}}}"),
                    (rf"(x+{a})(x+{c})", rf"x^2+{a + d}x+{a * d}"),
                    (rf"({a}, {b}\pi-\sqrt{{{c}}})", rf"({a}, -\sqrt{{{d}}}+{b}\pi)"),
                    (rf"{a}\cos({c}\sqrt{{{b}}}t)", rf"{a}\cos(\sqrt{{{b}}}\cdot {d} t)"),
                    (rf"\frac{{1}}{{x+{c}}}+{a}", rf"\frac{{1+{a}(x+{d})}}{{x+{d}}}"),
                ]
            )
        )
    return pairs


def rate(pairs: Pairs, graders: list[MathGrader]) -> float:
    """Return pairs graded in a second; each grader has its share."""
    shares = [pairs[i :: len(graders)] for i in range(len(graders))]
    for grader in graders:
        grader.equivalent("2(k+1)", "2k+2")  # starts the child

    def work(index: int) -> int:
        return sum(graders[index].equivalent(a, b) for a, b in shares[index])

    started = time.perf_counter()
    with ThreadPoolExecutor(len(graders)) as threads:
        equal = sum(threads.map(work, range(len(graders))))
    seconds = time.perf_counter() - started
    assert equal == len(pairs) // 2, "half of the pairs are equal"
    return len(pairs) / seconds


def main() -> None:
    """Grade both kinds of pairs and print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plain", type=int, default=40_000, help="pairs of plain answers")
    parser.add_argument("--symbolic", type=int, default=2_000, help="pairs of formulas")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    source = random.Random(0)
    with MathGrader() as one, MathGrader() as two:
        figures = {
            "plain": rate(plain_pairs(arguments.plain, source), [one]),
            "symbolic": rate(symbolic_pairs(arguments.symbolic, source), [one, two]),
        }
    line = (
        f"{figures['plain']:,.0f} plain pairs a second on one core, "
        f"{figures['symbolic']:,.0f} pairs of formulas on two"
    )
    finish(figures, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
