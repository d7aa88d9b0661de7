"""Seeded generator of arithmetic word problems of graded hardness, each with a worked solution.

A level fixes how many operations a problem takes and how large its numbers are. The solution is
written as the policy is asked to write its own: a step a paragraph, the last one marking the
answer. `python -m profiling.problems.wordproblems` makes the files in `data/problems` again, byte
for byte.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from executor.problem import content_id

DEFAULT_SEED = 20250210
PROBLEMS_PER_FILE = 250
STEP_DELIMITER = "\n\n"


@dataclass(frozen=True, slots=True)
class WordProblem:
    """One problem as it stands in the file.

    Attributes:
        id: kind and a digest of the text, unique within both files.
        problem: the question as the policy is asked it.
        answer: the answer, an integer written as text.
        kind: key of `KINDS`; other generators have kinds of their own.
        level: key of the generator's `LEVELS`.
        solution: the worked solution; paragraphs are steps, the last one holds the boxed answer.
    """

    id: str
    problem: str
    answer: str
    kind: str
    level: int
    solution: str


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the numbers of a level are."""

    addend: int
    """largest number that is added or taken away"""
    factor: int
    """largest number that is multiplied or divided by"""


@dataclass(frozen=True, slots=True)
class Level:
    """What a level asks: kinds of one number of operations, and the size of their numbers."""

    kinds: tuple[str, ...]
    scale: Scale


@dataclass(frozen=True, slots=True)
class Noun:
    """A countable thing in singular and plural."""

    one: str
    many: str

    def count(self, number: int) -> str:
        """The number with the noun in the right form: "1 apple", "2 apples"."""
        return f"{number} {self.form(number)}"

    def form(self, number: int) -> str:
        """The noun alone, in the form that goes with the number."""
        return self.one if number == 1 else self.many


def evaluate(left: int, operator: str, right: int) -> int:
    """`left operator right`, where division is exact by construction of the problems."""
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left // right
    raise ValueError(f"unknown operator {operator!r}: one of + - * /")


@dataclass(frozen=True, slots=True)
class Calculation:
    """One step of a solution: what is known, and the operation that follows from it."""

    fact: str
    left: int
    operator: str
    right: int
    unit: Noun

    @property
    def result(self) -> int:
        """Value of the operation; division is exact by construction of the problems."""
        return evaluate(self.left, self.operator, self.right)

    def text(self) -> str:
        """The step as the policy is asked to write it."""
        operation = f"{self.left} {self.operator} {self.right} = {self.result}"
        return f"{self.fact}: {operation} {self.unit.form(self.result)}."


@dataclass(frozen=True, slots=True)
class Draft:
    """A problem before it has a name: its text and the steps that solve it."""

    text: str
    steps: tuple[Calculation, ...]


Maker = Callable[[random.Random, Scale], Draft]

NAMES = (
    "Alice", "Ben", "Carla", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kira",
    "Leo", "Maria", "Nadia", "Oscar", "Paula", "Quentin", "Rosa", "Simon", "Tara", "Umar", "Vera",
    "Walter", "Yusuf", "Zoe",
)  # fmt: skip
THINGS = tuple(
    Noun(one, f"{one}s")
    for one in (
        "apple", "book", "button", "card", "coin", "cookie", "egg", "flower", "lemon", "marble",
        "muffin", "orange", "pear", "pencil", "photo", "plum", "postcard", "ribbon", "shell",
        "stamp", "sticker", "stone", "ticket",
    )
)  # fmt: skip
CONTAINERS = (
    Noun("bag", "bags"),
    Noun("basket", "baskets"),
    Noun("box", "boxes"),
    Noun("crate", "crates"),
    Noun("drawer", "drawers"),
    Noun("jar", "jars"),
    Noun("tray", "trays"),
)
GOODS = (
    *(Noun(one, f"{one}s") for one in ("cup", "hat", "kite", "lamp", "mug", "notebook", "pen")),
    *(Noun(one, f"{one}s") for one in ("plant", "poster", "towel")),
    Noun("scarf", "scarves"),
    Noun("toothbrush", "toothbrushes"),
)
DOLLAR = Noun("dollar", "dollars")


def two_names(rng: random.Random) -> tuple[str, str]:
    """Two different names."""
    first, second = rng.sample(NAMES, 2)
    return first, second


def dollars(amount: int) -> str:
    """A sum of money in words: "1 dollar", "2 dollars"."""
    return DOLLAR.count(amount)


def giving(name: str, held: int, gone: int, thing: Noun) -> Calculation:
    """The step that takes away what somebody gives to another."""
    return Calculation(
        f"{name} has {thing.count(held)} and gives {gone} away", held, "-", gone, thing
    )


def purchase(name: str, number: int, good: Noun, price: int) -> Calculation:
    """The step that finds what several goods of one price cost."""
    fact = f"{name} buys {good.count(number)} at {dollars(price)} each"
    return Calculation(fact, number, "*", price, DOLLAR)


def gain(rng: random.Random, scale: Scale) -> Draft:
    """One addition: somebody gets more."""
    name, friend = two_names(rng)
    thing = rng.choice(THINGS)
    start, more = rng.randint(2, scale.addend), rng.randint(1, scale.addend)
    event = rng.choice(
        (f"buys {more} more", f"finds {more} more", f"gets {more} more from {friend}")
    )
    text = (
        f"{name} has {thing.count(start)}. {name} {event}. "
        f"How many {thing.many} does {name} have now?"
    )
    fact = f"{name} has {thing.count(start)} and {event}"
    return Draft(text, (Calculation(fact, start, "+", more, thing),))


def loss(rng: random.Random, scale: Scale) -> Draft:
    """One subtraction: somebody has fewer than before."""
    name, friend = two_names(rng)
    thing = rng.choice(THINGS)
    start = rng.randint(3, scale.addend + 2)
    gone = rng.randint(1, start - 1)
    event = rng.choice((f"loses {gone}", f"gives {gone} to {friend}", f"sells {gone}"))
    text = (
        f"{name} has {thing.count(start)}. {name} {event}. "
        f"How many {thing.many} does {name} have left?"
    )
    fact = f"{name} has {thing.count(start)} and {event}"
    return Draft(text, (Calculation(fact, start, "-", gone, thing),))


def groups(rng: random.Random, scale: Scale) -> Draft:
    """One multiplication: equal groups."""
    name = rng.choice(NAMES)
    thing, container = rng.choice(THINGS), rng.choice(CONTAINERS)
    number, each = rng.randint(2, scale.factor), rng.randint(2, scale.factor)
    text = (
        f"{name} has {container.count(number)}. Each {container.one} holds {thing.count(each)}. "
        f"How many {thing.many} does {name} have in all?"
    )
    fact = f"{name} has {container.count(number)} of {thing.count(each)}"
    return Draft(text, (Calculation(fact, number, "*", each, thing),))


def sharing(rng: random.Random, scale: Scale) -> Draft:
    """One exact division: a number shared equally."""
    name = rng.choice(NAMES)
    thing, container = rng.choice(THINGS), rng.choice(CONTAINERS)
    number, each = rng.randint(2, scale.factor), rng.randint(2, scale.factor)
    total = number * each
    text = (
        f"{name} puts {thing.count(total)} into {container.count(number)}, "
        f"the same number in each. How many {thing.many} are in each {container.one}?"
    )
    fact = f"{name} puts {thing.count(total)} into {container.count(number)}"
    return Draft(text, (Calculation(fact, total, "/", number, thing),))


def comparison(rng: random.Random, scale: Scale) -> Draft:
    """One addition or subtraction: somebody has so many more, or fewer, than another."""
    name, friend = two_names(rng)
    thing = rng.choice(THINGS)
    base = rng.randint(3, scale.addend + 2)
    gap = rng.randint(1, base - 1)
    word, operator = rng.choice((("more", "+"), ("fewer", "-")))
    text = (
        f"{name} has {thing.count(base)}. {friend} has {gap} {word} than {name}. "
        f"How many {thing.many} does {friend} have?"
    )
    fact = f"{friend} has {gap} {word} than {base}"
    return Draft(text, (Calculation(fact, base, operator, gap, thing),))


def gain_loss(rng: random.Random, scale: Scale) -> Draft:
    """Two operations: more come, then some go."""
    name, friend = two_names(rng)
    thing = rng.choice(THINGS)
    start, more = rng.randint(3, scale.addend), rng.randint(2, scale.addend)
    gone = rng.randint(2, start + more - 1)
    text = (
        f"{name} has {thing.count(start)} and buys {more} more. "
        f"Then {name} gives {gone} to {friend}. How many {thing.many} does {name} have left?"
    )
    steps = (
        Calculation(
            f"{name} has {thing.count(start)} and buys {more} more", start, "+", more, thing
        ),
        giving(name, start + more, gone, thing),
    )
    return Draft(text, steps)


def comparison_total(rng: random.Random, scale: Scale) -> Draft:
    """Two operations: a comparison, then the sum of both."""
    name, friend = two_names(rng)
    thing = rng.choice(THINGS)
    base, gap = rng.randint(2, scale.addend), rng.randint(2, scale.addend)
    other = base + gap
    text = (
        f"{name} has {thing.count(base)}. {friend} has {gap} more than {name}. "
        f"How many {thing.many} do they have together?"
    )
    steps = (
        Calculation(f"{friend} has {gap} more than {base}", base, "+", gap, thing),
        Calculation(f"{name} has {base} and {friend} has {other}", base, "+", other, thing),
    )
    return Draft(text, steps)


def groups_loss(rng: random.Random, scale: Scale) -> Draft:
    """Two operations: equal groups, then some go."""
    name, friend = two_names(rng)
    thing, container = rng.choice(THINGS), rng.choice(CONTAINERS)
    number, each = rng.randint(2, scale.factor), rng.randint(2, scale.factor)
    gone = rng.randint(2, number * each - 1)
    text = (
        f"{name} has {container.count(number)} with {thing.count(each)} in each. "
        f"{name} gives {thing.count(gone)} to {friend}. "
        f"How many {thing.many} does {name} have left?"
    )
    steps = (
        Calculation(
            f"{name} has {container.count(number)} of {thing.count(each)}", number, "*", each, thing
        ),
        giving(name, number * each, gone, thing),
    )
    return Draft(text, steps)


def change(rng: random.Random, scale: Scale) -> Draft:
    """Two operations: the cost of several goods, then the change from a round sum."""
    name, good = rng.choice(NAMES), rng.choice(GOODS)
    number, price = rng.randint(2, scale.factor), rng.randint(2, scale.factor)
    cost = number * price
    paid = (cost // 10 + rng.randint(1, 2)) * 10
    text = (
        f"{name} buys {good.count(number)} at {dollars(price)} each and pays with {dollars(paid)}. "
        f"How many dollars does {name} get back?"
    )
    steps = (
        purchase(name, number, good, price),
        Calculation(
            f"{name} pays {dollars(paid)} and the {good.many} cost {cost}", paid, "-", cost, DOLLAR
        ),
    )
    return Draft(text, steps)


def gain_sharing(rng: random.Random, scale: Scale) -> Draft:
    """Three operations: more come, some go, the rest is shared equally."""
    name, friend = two_names(rng)
    thing, container = rng.choice(THINGS), rng.choice(CONTAINERS)
    number, each = rng.randint(2, scale.factor), rng.randint(2, scale.factor)
    rest, gone = number * each, rng.randint(2, scale.addend)
    start = rng.randint(2, rest + gone - 2)
    more = rest + gone - start
    text = (
        f"{name} has {thing.count(start)} and picks up {more} more. "
        f"After giving {gone} to {friend}, {name} puts the rest into {container.count(number)}, "
        f"the same number in each. How many {thing.many} are in each {container.one}?"
    )
    steps = (
        Calculation(
            f"{name} has {thing.count(start)} and picks up {more} more", start, "+", more, thing
        ),
        giving(name, rest + gone, gone, thing),
        Calculation(
            f"{name} puts {thing.count(rest)} into {container.count(number)}",
            rest,
            "/",
            number,
            thing,
        ),
    )
    return Draft(text, steps)


def shopping(rng: random.Random, scale: Scale) -> Draft:
    """Three operations: two purchases of several goods and their sum."""
    name = rng.choice(NAMES)
    first, second = rng.sample(GOODS, 2)
    numbers = rng.randint(2, scale.factor), rng.randint(2, scale.factor)
    prices = rng.randint(2, scale.factor), rng.randint(2, scale.factor)
    costs = numbers[0] * prices[0], numbers[1] * prices[1]
    text = (
        f"{name} buys {first.count(numbers[0])} at {dollars(prices[0])} each and "
        f"{second.count(numbers[1])} at {dollars(prices[1])} each. "
        f"How many dollars does {name} pay in all?"
    )
    steps = (
        purchase(name, numbers[0], first, prices[0]),
        purchase(name, numbers[1], second, prices[1]),
        Calculation(
            f"The {first.many} cost {costs[0]} and the {second.many} cost {costs[1]}",
            costs[0],
            "+",
            costs[1],
            DOLLAR,
        ),
    )
    return Draft(text, steps)


KINDS: Mapping[str, Maker] = MappingProxyType(
    {
        maker.__name__: maker
        for maker in (
            gain, loss, groups, sharing, comparison,
            gain_loss, comparison_total, groups_loss, change,
            gain_sharing, shopping,
        )
    }
)  # fmt: skip

ONE_OPERATION = ("gain", "loss", "groups", "sharing", "comparison")
TWO_OPERATIONS = ("gain_loss", "comparison_total", "groups_loss", "change")
THREE_OPERATIONS = ("gain_sharing", "shopping")

LEVELS: Mapping[int, Level] = MappingProxyType(
    {
        1: Level(ONE_OPERATION, Scale(addend=5, factor=3)),
        2: Level(ONE_OPERATION, Scale(addend=10, factor=5)),
        3: Level(ONE_OPERATION, Scale(addend=40, factor=10)),
        4: Level(TWO_OPERATIONS, Scale(addend=5, factor=3)),
        5: Level(TWO_OPERATIONS + THREE_OPERATIONS, Scale(addend=40, factor=10)),
    }
)


def solution_of(steps: Iterable[Calculation]) -> str:
    """The worked solution: a paragraph for each step and one that marks the answer."""
    steps = tuple(steps)
    paragraphs = [step.text() for step in steps]
    paragraphs.append(f"The answer is \\boxed{{{steps[-1].result}}}.")
    return STEP_DELIMITER.join(paragraphs)


def draw(rng: random.Random, kind: str, level: int) -> WordProblem:
    """One problem of a kind, with the numbers of a level."""
    draft = KINDS[kind](rng, LEVELS[level].scale)
    return WordProblem(
        id=f"{kind}-{content_id(draft.text)}",
        problem=draft.text,
        answer=str(draft.steps[-1].result),
        kind=kind,
        level=level,
        solution=solution_of(draft.steps),
    )


def generate(n: int, seed: int, levels: Sequence[int] = tuple(LEVELS)) -> list[WordProblem]:
    """`n` problems with different texts; levels, and the kinds within a level, take turns.

    Raises:
        ValueError: a level that is not in `LEVELS`, or none at all.
    """
    if not levels or any(level not in LEVELS for level in levels):
        raise ValueError(f"levels {list(levels)}: must be some of {sorted(LEVELS)}")
    rng = random.Random(seed)
    seen: set[str] = set()
    problems = []
    for index in range(n):
        turn, place = divmod(index, len(levels))
        kinds = LEVELS[levels[place]].kinds
        problem = draw(rng, kinds[turn % len(kinds)], levels[place])
        while problem.problem in seen:
            problem = draw(rng, problem.kind, problem.level)
        seen.add(problem.problem)
        problems.append(problem)
    return problems


def split(problems: Sequence[WordProblem]) -> dict[str, list[WordProblem]]:
    """The two files' problems: the first half to learn from, the second never looked at."""
    half = len(problems) // 2
    return {"profile": list(problems[:half]), "heldout": list(problems[half:])}


def to_jsonl(problems: Iterable[WordProblem]) -> str:
    """One JSON object a line, in the order of the fields."""
    return "".join(json.dumps(asdict(problem), ensure_ascii=False) + "\n" for problem in problems)


def main(argv: Sequence[str] | None = None) -> None:
    """Write `profile.jsonl` and `heldout.jsonl` into the folder asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m profiling.problems.wordproblems", description=__doc__
    )
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--problems", type=int, default=PROBLEMS_PER_FILE, help="a file")
    parser.add_argument("--out", type=Path, default=Path("data/problems"))
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, problems in split(generate(2 * options.problems, options.seed)).items():
        path = options.out / f"{name}.jsonl"
        path.write_text(to_jsonl(problems), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
