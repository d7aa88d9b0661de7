"""Predicted accuracy of every strategy, against its budget and against its cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from executor.strategy import STRATEGIES, key
from planner.choice.answer import Answer
from planner.choice.estimate import StrategyEstimate, cost_unit
from planner.choice.pareto import pareto_front
from planner.prediction.beta import PERCENT
from planner.report import wording as words
from planner.report.data import ReportData
from planner.report.document import (
    Block,
    Cell,
    Column,
    Kind,
    Line,
    Plot,
    Plots,
    Point,
    Row,
    Scale,
    Section,
    Series,
    Table,
    Text,
    Weight,
)
from planner.report.wording import unit_words
from profiling.pass_rate import LEVELS

FRONT = "Pareto front"


@dataclass(frozen=True, slots=True)
class _Level:
    """The strategies of one difficulty, the most accurate first.

    Attributes:
        level: the difficulty.
        ranked: strategies of the difficulty.
        front: the Pareto front of cost and accuracy, the cheapest first.
        named: the front and the other strategies that the answer names, the cheapest first.
        chosen: key of the recommended strategy, or None.
        marks: roles of strategies in the answer, by key; see `Answer.marks`.
        unit: unit in which costs are compared.
    """

    level: str
    ranked: tuple[StrategyEstimate, ...]
    front: tuple[StrategyEstimate, ...]
    named: tuple[StrategyEstimate, ...]
    chosen: str | None
    marks: Mapping[str, tuple[str, ...]]
    unit: str


def sections(data: ReportData, asked: Sequence[str] = LEVELS) -> tuple[Section, Section, Section]:
    """Return the sections against budget, against cost, and of all strategies as tables.

    Args:
        data: findings to show.
        asked: difficulties to include.
    """
    answers = {one.made.difficulty: one for one in data.advice}
    unit = cost_unit([choice for found in data.found.values() for choice in found])
    levels = [
        _level(level, data.found[level], answers.get(level), unit)
        for level in asked
        if data.found.get(level)
    ]
    missing = [level for level in asked if not data.found.get(level)]
    return _budget(levels, missing), _cost(levels, missing, unit), _tables(levels, missing)


def _level(
    level: str, found: Sequence[StrategyEstimate], answered: Answer | None, unit: str
) -> _Level:
    ranked = tuple(sorted(found, key=lambda c: (-c.predicted_accuracy, c.price(unit))))
    front = pareto_front([c.price(unit) for c in ranked], [c.predicted_accuracy for c in ranked])
    on_front = {key(ranked[i].strategy) for i in front}
    marks = {} if answered is None else {key(c.strategy): answered.marks(c) for c in found}
    named = (c for c in ranked if key(c.strategy) in on_front or marks.get(key(c.strategy)))
    return _Level(
        level,
        ranked,
        tuple(ranked[i] for i in front),
        tuple(sorted(named, key=lambda c: c.price(unit))),
        None if answered is None else key(answered.made.choice.strategy),
        marks,
        unit,
    )


def _missing(levels: Sequence[str]) -> list[Block]:
    text = f"There is no evidence on {words.among(*levels)}." if levels else ""
    return [Text(text, Weight.MUTED)] * bool(levels)


def _budget(levels: Sequence[_Level], missing: Sequence[str]) -> Section:
    blocks: list[Block] = _missing(missing)
    if levels:
        blocks += [
            Text(
                "If a kind of strategy has several variants at one budget (width, score, vote), "
                "the most accurate is drawn: the best of many looks a little better than it is. "
                f"Bands are {PERCENT} intervals. Panels have their own accuracy axes."
            ),
            Plots(tuple(map(_budget_plot, levels))),
        ]
    return Section("budget", "Accuracy against budget", "Budget", tuple(blocks))


def _budget_plot(level: _Level) -> Plot:
    """Return a plot of the best variant of every kind at every budget."""
    best: dict[tuple[str, int], StrategyEstimate] = {}
    for choice in level.ranked:
        best.setdefault((choice.strategy.name, choice.strategy.n), choice)
    several = len({n for _, n in best}) > 1
    series = []
    for kind in _kinds(name for name, _ in best):
        own = sorted(n for name, n in best if name == kind)
        # One answer at temperature 0 has no budget: it is the baseline of all others.
        line = Line.LEVEL if kind == "greedy" and several else Line.BAND
        points = tuple(_point(best[kind, n], float(n), level) for n in own)
        series.append(Series(kind, points, line))
    where = words.among(level.level)
    return Plot(
        name=f"budget-{level.level}",
        caption=words.level(level.level),
        title=f"Accuracy against budget, {where}",
        text=" ".join(
            f"{one.name}: "
            + ", ".join(f"{words.decimal(p.y)} at N = {p.x:g}" for p in one.points)
            + "."
            for one in series
        ),
        x_label="budget N (generations a problem)",
        y_label="accuracy",
        series=tuple(series),
        x_scale=Scale.LOG2,
    )


def _cost(levels: Sequence[_Level], missing: Sequence[str], unit: str) -> Section:
    blocks: list[Block] = _missing(missing)
    if levels:
        what = unit_words(unit)
        counted = {
            "flops": "FLOPs are 2 × parameters for every token that policy and PRM forward.",
            "tokens": "Tokens are those generated and those the PRM forwards; FLOPs are not known: "
            "they need the sizes of the models.",
            "generations": "Neither FLOPs nor tokens of all strategies are known here.",
        }[unit]
        blocks += [
            Text(
                f"Every variant is a mark. The stepped line is the Pareto front: nothing is more "
                f"accurate for as few {what}. Strategies on it have larger marks, with {PERCENT} "
                f"intervals; a ring marks the recommendation. {counted}"
            ),
            Plots(tuple(_cost_plot(level) for level in levels)),
            *(_front_table(level) for level in levels),
        ]
    return Section("cost", "Accuracy against cost", "Cost", tuple(blocks))


def _cost_plot(level: _Level) -> Plot:
    unit, on_front = level.unit, {key(c.strategy) for c in level.front}
    # A cost of 0 has no place on a logarithmic axis.
    priced = [c for c in level.ranked if c.price(unit) > 0]
    marks = [_point(c, c.price(unit), level, on_front) for c in priced]
    kinds = {key(c.strategy): c.strategy.name for c in priced}
    steps = tuple(_point(c, c.price(unit), level) for c in level.front if c in priced)
    series = [Series(FRONT, steps, Line.STEPS)] + [
        Series(kind, tuple(sorted((p for p in marks if kinds[p.label] == kind), key=_x)))
        for kind in _kinds(kinds.values())
    ]
    what = unit_words(unit)
    text = f"{words.plural(len(marks), 'variant')}. On the Pareto front: " + "; ".join(
        f"{p.label} {words.decimal(p.y)} for {words.amount(p.x)} {what}" for p in steps
    )
    text += "".join(
        f". Recommended: {p.label} {words.decimal(p.y)} for {words.amount(p.x)} {what}"
        for p in marks
        if p.chosen
    )
    return Plot(
        name=f"cost-{level.level}",
        caption=words.level(level.level),
        title=f"Accuracy against {what}, {words.among(level.level)}",
        text=f"{text}.",
        x_label=f"{what} a problem",
        y_label="accuracy",
        series=tuple(series),
        x_scale=Scale.LOG10,
    )


def _x(point: Point) -> float:
    return point.x


def _point(
    choice: StrategyEstimate, x: float, level: _Level, stressed: Iterable[str] | None = None
) -> Point:
    name, (low, high) = key(choice.strategy), choice.interval
    chosen = name == level.chosen
    return Point(
        label=name,
        x=x,
        y=choice.predicted_accuracy,
        low=words.finite(low),
        high=words.finite(high),
        stressed=stressed is None or name in stressed or chosen,
        chosen=chosen,
    )


def _front_table(level: _Level) -> Table:
    return _table(
        level,
        level.named,
        f"front-{level.level}",
        f"{words.level(level.level)}: the Pareto front and what is named beside the "
        "recommendation, the cheapest first; "
        f"accuracy with its {PERCENT} interval, costs a problem",
    )


def _tables(levels: Sequence[_Level], missing: Sequence[str]) -> Section:
    blocks: list[Block] = [
        Text("Everything there is evidence of; the plots above are drawn from these tables.")
    ] * bool(levels)
    blocks += [
        _table(
            level,
            level.ranked,
            f"strategies-{level.level}",
            f"{words.level(level.level)}: {words.plural(len(level.ranked), 'variant')}, "
            f"the most accurate first; accuracy with its {PERCENT} interval, costs a problem",
            folded=True,
        )
        for level in levels
    ]
    blocks += _missing(missing)
    return Section("strategies", "All strategies", "Strategies", tuple(blocks))


def _table(
    level: _Level,
    choices: Sequence[StrategyEstimate],
    name: str,
    caption: str,
    *,
    folded: bool = False,
) -> Table:
    known = [
        one
        for one in _COSTS
        if any(words.finite(getattr(c.cost, one.name)) is not None for c in choices)
    ]
    on_front = {key(c.strategy) for c in level.front}
    rows = []
    for choice in choices:
        named = key(choice.strategy)
        marks = (
            *((mark, True) for mark in level.marks.get(named, ())),
            ("highest accuracy", choice is level.ranked[0]),
            (FRONT, folded and named in on_front),
        )
        rows.append(
            Row(
                (
                    Cell(named, named),
                    accuracy_cell(choice),
                    Cell(words.count(choice.problems) if choice.problems else "-", choice.problems),
                    *(
                        Cell(words.amount(value), words.finite(value))
                        for value in (getattr(choice.cost, one.name) for one in known)
                    ),
                    Cell(words.sources(choice.sources), choice.sources),
                ),
                marks=tuple(mark for mark, holds in marks if holds),
                best=named == level.chosen,
            )
        )
    columns = (
        Column("strategy", "Strategy", Kind.CODE),
        Column("accuracy", "Accuracy"),
        Column("problems", "Problems"),
        *known,
        Column("source", "Source", Kind.WORD),
    )
    return Table(name, caption, columns, tuple(rows), folded)


_COSTS = (
    Column("generated_tokens", "Generated tokens"),
    Column("prm_tokens", "PRM tokens"),
    Column("flops", "FLOPs"),
    Column("seconds", "Seconds"),
    Column("usd", "USD"),
    Column("kwh", "kWh"),
)


def accuracy_cell(choice: StrategyEstimate) -> Cell:
    """Return the cell of an accuracy with its interval."""
    low, high = choice.interval
    value = {
        "mean": words.finite(choice.predicted_accuracy),
        "low": words.finite(low),
        "high": words.finite(high),
    }
    return Cell(words.decimal(choice.predicted_accuracy), value, words.interval(low, high))


def _kinds(names: Iterable[str]) -> list[str]:
    """Return kinds of strategies in the order of `STRATEGIES`."""
    found = set(names)
    return [name for name in STRATEGIES if name in found] + sorted(found - set(STRATEGIES))
