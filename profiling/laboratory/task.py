"""The laboratory's task: stories of a number that changes step by step, in a small vocabulary.

A story starts with a number of things and tells one change after another. Its solution is the chain
of calculations, one paragraph per step; the last step marks the answer. No other chain is right, so
every step can be checked exactly. A level is a notch on the hardness dial: how many operations a
story has, how large their numbers are, and how hard the operations are.

`python -m profiling.laboratory.task` writes the files in `data/problems/laboratory` again, byte for
byte. Training, profile and held-out problems are disjoint in their chains, not only in their words,
because a digest of the chain decides the split.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from executor.problem import Problem, content_id
from profiling.problems.wordproblems import (
    NAMES,
    STEP_DELIMITER,
    THINGS,
    WordProblem,
    evaluate,
    to_jsonl,
)

DEFAULT_SEED = 20250210
PROBLEMS_PER_FILE = 400
SOLUTION = "solution"  # key of the worked solution in the `meta` of a problem
_TRIES = 4_000  # draws without a new chain after which a level counts as exhausted


class DataSplit(StrEnum):
    """Permitted use of a problem; its chain decides it once and for all."""

    TRAIN = "train"
    PROFILE = "profile"
    HELDOUT = "heldout"


@dataclass(frozen=True, slots=True)
class Level:
    """A notch on the hardness dial.

    Attributes:
        operations: number of operations in a story.
        addend: largest number that is added or taken away.
        largest: largest number in a story.
        factor: largest factor or divisor.
    """

    operations: int
    addend: int
    largest: int = 49
    factor: int = 9


LEVELS: Mapping[int, Level] = MappingProxyType(
    {
        1: Level(operations=1, addend=9),
        2: Level(operations=2, addend=9),
        3: Level(operations=3, addend=9),
        4: Level(operations=5, addend=9),
        5: Level(operations=7, addend=9),
        6: Level(operations=2, addend=49, largest=99),
        7: Level(operations=4, addend=99, largest=99),
        8: Level(operations=3, addend=999, largest=999),
    }
)

# Sentences of a story for each operation; {name} and {k} are filled in.
_EVENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "+": ("{name} buys {k} more.", "{name} finds {k} more."),
        "-": ("{name} loses {k}.", "{name} sells {k}."),
        "*": ("Now {name} gets {k} times as many.",),
        "/": ("{name} keeps one of {k} equal parts.",),
    }
)


@dataclass(frozen=True, slots=True)
class Calculation:
    """One step: `left operator right`."""

    left: int
    operator: str
    right: int

    @property
    def result(self) -> int:
        """Value of the step; divisions are exact by construction."""
        return evaluate(self.left, self.operator, self.right)

    def text(self, *, last: bool) -> str:
        """Return the step as a policy writes it; the last one marks the answer."""
        return step_text(self.left, self.operator, self.right, self.result, last=last)


Chain = tuple[Calculation, ...]


def step_text(left: int, operator: str, right: int, result: int, *, last: bool) -> str:
    """Return the text of a step with any result, right or wrong."""
    result_text = f"\\boxed{{{result}}}" if last else str(result)
    return f"{left} {operator} {right} = {result_text}"


def draw_chain(rng: random.Random, level: Level) -> Chain:
    """Draw a chain of a level; each operation is drawn evenly from those the numbers allow."""
    value = rng.randint(2, level.largest)
    chain: list[Calculation] = []
    while len(chain) < level.operations:
        step = _draw_step(rng, level, value)
        chain.append(step)
        value = step.result
    return tuple(chain)


def _draw_step(rng: random.Random, level: Level, value: int) -> Calculation:
    multiples = min(level.factor, level.largest // value)
    divisors = [d for d in range(2, level.factor + 1) if value % d == 0]
    allowed = [
        operator
        for operator, possible in (
            ("+", value < level.largest),
            ("-", value > 2),
            ("*", multiples >= 2),
            ("/", bool(divisors) and value > 9),
        )
        if possible
    ]
    match rng.choice(allowed):
        case "+":
            return Calculation(value, "+", rng.randint(1, min(level.addend, level.largest - value)))
        case "-":
            return Calculation(value, "-", rng.randint(1, min(level.addend, value - 1)))
        case "*":
            return Calculation(value, "*", rng.randint(2, multiples))
        case _:
            return Calculation(value, "/", rng.choice(divisors))


def split_of(chain: Chain) -> DataSplit:
    """Return the split of a chain: a tenth go to profiles, a tenth are held out, the rest train."""
    text = " ".join(f"{step.left}{step.operator}{step.right}" for step in chain)
    match hashlib.sha256(text.encode()).digest()[0] % 10:
        case 0:
            return DataSplit.PROFILE
        case 1:
            return DataSplit.HELDOUT
    return DataSplit.TRAIN


def tell(rng: random.Random, chain: Chain, level: int) -> WordProblem:
    """Return the chain as a story."""
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    sentences = [f"{name} has {thing.count(chain[0].left)}."]
    for step in chain:
        event = rng.choice(_EVENTS[step.operator])
        sentences.append(event.format(name=name, k=step.right))
    sentences.append(f"How many {thing.many} has {name} now?")
    return _problem("chain", " ".join(sentences), chain, level)


def bare(chain: Chain, level: int) -> WordProblem:
    """Return the chain as an expression to read from left to right: the task without words."""
    operations = " ".join(f"{step.operator} {step.right}" for step in chain)
    return _problem("bare", f"{chain[0].left} {operations} = ?", chain, level)


def _problem(kind: str, text: str, chain: Chain, level: int) -> WordProblem:
    return WordProblem(
        id=f"{kind}-{content_id(text)}",
        problem=text,
        answer=str(chain[-1].result),
        kind=kind,
        level=level,
        solution=solution_of(chain),
    )


def solution_of(chain: Chain) -> str:
    """Return the worked solution, one paragraph per step."""
    return STEP_DELIMITER.join(
        step.text(last=place == len(chain)) for place, step in enumerate(chain, start=1)
    )


def generate(
    seed: int, split: DataSplit, levels: Sequence[int] = tuple(LEVELS), *, bare_share: float = 0.0
) -> Iterator[WordProblem]:
    """Yield endless problems of a split; the levels take turns.

    Questions may repeat in the long run.

    Args:
        seed: base seed of all draws.
        split: split of the chains.
        levels: keys of `LEVELS`, at least one.
        bare_share: share of the problems that are bare expressions; the rest are stories.

    Raises:
        ValueError: there are no levels, or one is not in `LEVELS`.
    """
    rng = random.Random(f"{seed} {split}")
    for level, chain in draw_chains(rng, split, levels):
        yield bare(chain, level) if rng.random() < bare_share else tell(rng, chain, level)


def draw_chains(
    rng: random.Random, split: DataSplit, levels: Sequence[int] = tuple(LEVELS)
) -> Iterator[tuple[int, Chain]]:
    """Yield endless chains of a split, each with its level; the levels take turns.

    Raises:
        ValueError: there are no levels, or one is not in `LEVELS`.
    """
    if not levels or any(level not in LEVELS for level in levels):
        raise ValueError(f"levels is {list(levels)}; expected some of {sorted(LEVELS)}")
    while True:
        for level in levels:
            chain = draw_chain(rng, LEVELS[level])
            while split_of(chain) is not split:
                chain = draw_chain(rng, LEVELS[level])
            yield level, chain


def distinct(n: int, seed: int, split: DataSplit) -> list[WordProblem]:
    """Return `n` stories of a split with different chains; the levels take turns.

    Raises:
        ValueError: a level has too few chains in this split.
    """
    problems: dict[str, WordProblem] = {}
    source = generate(seed, split)
    levels = tuple(LEVELS)
    repeats = 0
    while len(problems) < n:
        problem = next(source)
        if problem.level != levels[len(problems) % len(levels)]:
            continue
        repeats += 1
        if problem.solution not in problems:
            problems[problem.solution] = problem
            repeats = 0
        elif repeats > _TRIES:
            raise ValueError(
                f"n is {n}; level {problem.level} has only "
                f"{sum(p.level == problem.level for p in problems.values())} problems in {split}"
            )
    return list(problems.values())


def read_problems(path: Path) -> list[Problem]:
    """Read the problems of one of the task's own files, each with its solution in `meta`.

    `profiling.problems.files.load_problems` reads the same files but leaves out the solutions,
    which are too long for its `meta`.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    records = [WordProblem(**json.loads(line)) for line in lines]
    return [
        Problem(
            record.id,
            record.problem,
            record.answer,
            {"kind": record.kind, "level": str(record.level), SOLUTION: record.solution},
        )
        for record in records
    ]


def vocabulary() -> list[str]:
    """Return every token of the task: words, numbers of one or two digits, and signs.

    A space belongs to the word or sign after it. A space before a number belongs to the word or
    sign before it, so a number is the same token everywhere.
    """
    sentences = [event for events in _EVENTS.values() for event in events]
    sentences += ["{name} has {k} things.", "How many things has {name} now?"]
    words = {word for sentence in sentences for word in re.findall(r"[A-Za-z]+", sentence)}
    words -= {"name", "k", "things"}
    words |= set(NAMES) | {form for thing in THINGS for form in (thing.one, thing.many)}
    before_numbers = {word for s in sentences for word in re.findall(r"(\w+) \{k\}", s)}
    tokens = [*sorted(words), *(f" {word}" for word in sorted(words))]
    tokens += [f" {word} " for word in sorted(before_numbers)]
    tokens += [*map(str, range(10)), *(f"{pair:02}" for pair in range(100)), " "]
    signs = [f" {sign}{space}" for sign in "+-*/=" for space in ("", " ")]
    return [*tokens, *signs, ".", "?", " ?", " \\boxed{", "}", STEP_DELIMITER]


def main(argv: Sequence[str] | None = None) -> None:
    """Write one file per split into the folder `--out`."""
    parser = argparse.ArgumentParser(
        prog="python -m profiling.laboratory.task", description=__doc__
    )
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument(
        "--problems", type=int, default=PROBLEMS_PER_FILE, help="problems in each file"
    )
    parser.add_argument(
        "--splits", nargs="+", type=DataSplit, default=list(DataSplit), metavar="SPLIT"
    )
    parser.add_argument("--out", type=Path, default=Path("data/problems/laboratory"))
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    for split in options.splits:
        problems = distinct(options.problems, options.seed, split)
        path = options.out / f"{split}.jsonl"
        path.write_text(to_jsonl(problems), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
