"""A report on a choice over models: the choice, the front over models, larger models, evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from executor.strategy import key
from planner.choice.against import smallest_to_reach
from planner.choice.answer import Answer
from planner.choice.estimate import StrategyEstimate
from planner.notes import codes
from planner.prediction.beta import PERCENT
from planner.report import wording as words
from planner.report.accuracy import FRONT, accuracy_cell
from planner.report.document import (
    Block,
    Card,
    Cards,
    Cell,
    Code,
    Column,
    Kind,
    Line,
    Listing,
    Plot,
    Plots,
    Point,
    Report,
    Row,
    Scale,
    Section,
    Series,
    Table,
    Text,
    Weight,
)
from planner.report.models_wording import printed_pair
from planner.report.notes import sentence, word
from planner.report.plots import STYLES
from planner.report.wording import unit_words

_OTHERS = "other models"  # those that the answer does not name share one colour


def models_report(answer: Answer) -> Report:
    """Return the report of an answer over models; equal answers give equal reports."""
    return Report(
        policy=answer.policy,
        prm=answer.prm,
        title="Which model, with which strategy and how much compute",
        subtitle=f"Policies, the smallest first: {', '.join(answer.policies)}.",
        sections=(
            _recommendation(answer),
            _front(answer),
            _larger(answer),
            _basis(answer),
            _notes(answer),
        ),
    )


def _recommendation(answer: Answer) -> Section:
    made, choice = answer.made, answer.made.choice
    said = [sentence(note) for note in (*answer.remarks, *made.notes)]
    if made.chance is not None:
        said.insert(0, f"It reaches the target with a chance of {made.chance:.1%}, taken alone.")
    card = Card(
        str(choice.models),
        (
            Text(
                f"Use {words.strategy(choice.strategy)}: a budget of "
                f"{words.plural(choice.strategy.n, 'generation')} a problem.",
                Weight.STRONG,
            ),
            Code(key(choice.strategy)),
            Text(f"{words.prediction(choice)} {words.cost(choice.cost)} {words.basis(choice)}"),
            Listing(tuple(said)),
        ),
    )
    facts = {**choice.to_dict(), "chance_of_target": made.chance}
    return Section("recommendation", "Recommendation", "Recommendation", (Cards((card,)),), facts)


def _front(answer: Answer) -> Section:
    what = unit_words(answer.made.cost_unit)
    blocks: tuple[Block, ...] = (
        Text(
            "Every strategy within the limits is a mark. The stepped line is the Pareto front over "
            f"all models: nothing is more accurate for as few {what}. Strategies on it have larger "
            f"marks, with {PERCENT} intervals; a ring marks the recommendation."
        ),
        Plots((_plot(answer, what),)),
        _table(answer),
    )
    return Section("front", "Accuracy against cost, over models", "Front", blocks)


def _plot(answer: Answer, what: str) -> Plot:
    made = answer.made
    unit = made.cost_unit
    front = {one.run for one in made.pareto}
    every = [one for one in (made.choice, *made.alternatives) if one.price(unit) > 0]

    def point(one: StrategyEstimate) -> Point:
        low, high = one.interval
        chosen = one.run == made.choice.run
        return Point(
            one.title, one.price(unit), one.predicted_accuracy, low, high,
            stressed=chosen or one.run in front, chosen=chosen,
        )  # fmt: skip

    steps = tuple(point(one) for one in made.pareto if one.price(unit) > 0)
    named = {_policy(one) for one in answer.shown}
    groups: dict[str, list[Point]] = {_OTHERS: []}  # drawn first, below the others
    groups |= {policy: [] for policy in answer.policies if policy in named}
    for one in sorted(every, key=lambda one: one.price(unit)):
        groups[_policy(one) if _policy(one) in named else _OTHERS].append(point(one))
    styles = dict(zip(groups, ("", *STYLES), strict=False))
    series = [Series(FRONT, steps, Line.STEPS)] + [
        Series(name, tuple(points), like=styles.get(name, ""))
        for name, points in groups.items()
        if points
    ]
    return Plot(
        name="models",
        caption="All models together",
        title=f"Accuracy against {what}, over models",
        text=f"{words.plural(len(every), 'variant')}. On the Pareto front: "
        + "; ".join(f"{p.label} {words.decimal(p.y)} for {words.amount(p.x)} {what}" for p in steps)
        + ".",
        x_label=f"{what} a problem",
        y_label="accuracy",
        series=tuple(series),
        x_scale=Scale.LOG10,
    )


def _policy(one: StrategyEstimate) -> str:
    assert one.models is not None
    return one.models.policy


def _table(answer: Answer) -> Table:
    unit = answer.made.cost_unit
    target = answer.target
    columns = [
        Column("policy", "Policy", Kind.WORD),
        Column("prm", "PRM", Kind.WORD),
        Column("strategy", "Strategy", Kind.CODE),
        Column("accuracy", "Accuracy"),
        Column("problems", "Problems"),
        Column(unit, unit_words(unit)),
    ]
    if target is not None:
        columns.append(Column("chance_of_target", "Reaches the target, %"))

    def cells(one: StrategyEstimate) -> Iterator[Cell]:
        assert one.models is not None
        yield Cell(one.models.policy, one.models.policy)
        yield Cell(one.models.prm or "-", one.models.prm)
        yield Cell(key(one.strategy), key(one.strategy))
        yield accuracy_cell(one)
        yield Cell(words.count(one.problems) if one.problems else "-", one.problems)
        yield Cell(words.amount(one.price(unit)), words.finite(one.price(unit)))
        if target is not None:
            chance = one.probability_above(target)
            yield Cell(f"{100 * chance:.1f}", chance)

    return Table(
        "front-table",
        "The Pareto front over models and the strategies that the answer names, the cheapest "
        f"first; accuracy with its {PERCENT} interval, costs a problem",
        tuple(columns),
        tuple(
            Row(tuple(cells(one)), answer.marks(one), best=one.run == answer.made.choice.run)
            for one in answer.shown
        ),
    )


def _larger(answer: Answer) -> Section:
    unit = answer.made.cost_unit
    blocks: list[Block] = []
    if answer.against:
        blocks += [
            Text("The choice beside one answer of every larger model:"),
            Listing(tuple(sentence(one.note(unit)) for one in answer.against)),
        ]
    if (smallest := smallest_to_reach(answer.pairs)) is not None:
        blocks += [
            Text(
                "The smallest model that reaches one answer of the largest:"
                if smallest.reaches
                else "No smaller model reaches one answer of the largest; the nearest:"
            ),
            Text(sentence(smallest.note(unit)), Weight.STRONG),
            Text(
                "Every two models, the smaller with its cheapest strategy that reaches the other:"
            ),
            Listing(tuple(sentence(one.note(unit)) for one in answer.pairs)),
        ]
    if answer.printed:
        blocks += [
            Text("In print, with a PRM and mostly a budget that are not named:"),
            Listing(tuple(words.sentence(printed_pair(pair)) for pair in answer.printed)),
        ]
    if not blocks:
        blocks.append(Text("No two of these models have known sizes, so none is the larger one."))
    facts = {
        "against": [one.to_dict() for one in answer.against],
        "pairs": [one.to_dict() for one in answer.pairs],
        "printed_pairs": list(answer.printed),
    }
    return Section(
        "larger", "Small models against larger ones", "Larger ones", tuple(blocks), facts
    )


_BASIS = (
    ("policy", "Policy"), ("strategy", "Strategy"), ("prm", "PRM"), ("benchmark", "Benchmark"),
    ("problems", "Problems"), ("accuracy", "Accuracy"), ("source", "From"),
)  # fmt: skip


def _basis(answer: Answer) -> Section:
    records = [_plain(record) for record in answer.published]
    numbers = {"problems", "accuracy"}
    table = Table(
        "basis-table",
        f"What the answer rests on: {words.plural(len(records), 'row')}",
        tuple(
            Column(name, heading, Kind.NUMBER if name in numbers else Kind.WORD)
            for name, heading in _BASIS
        ),
        tuple(
            Row(tuple(Cell(_shown(record.get(name)), record.get(name)) for name, _ in _BASIS))
            for record in records
        ),
        folded=True,
    )
    return Section("basis", "What the answer rests on", "Basis", (table,))


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record of evidence with the kind of strategy in one field."""
    if record["source"] == "model":
        studies = ", ".join(record["studies"])
        return {"source": f"the model's {record['figures']} figures of studies {studies}"}
    return {"strategy": record.get("name"), **record}


def _shown(value: Any) -> str:
    match value:
        case None | "":
            return "-"
        case float():
            return words.decimal(value)
        case int():
            return words.count(value)
    return str(value)


def _notes(answer: Answer) -> Section:
    notes: Sequence[Any] = answer.notes
    facts = {"notes": list(map(word, notes)), "note_codes": codes(notes)}
    block = Listing(tuple(map(sentence, notes)))
    return Section("notes", "Notes", "Notes", (block,), facts)
