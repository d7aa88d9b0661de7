"""The recommendation in words: the choice, the alternatives, and what to measure next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from executor.strategy import key
from planner.choice.answer import Answer
from planner.notes import codes
from planner.report import wording as words
from planner.report.data import ReportData
from planner.report.document import Block, Card, Cards, Code, Listing, Section, Text, Weight
from planner.report.notes import sentence, why, word
from profiling.pass_rate import ALL, LEVELS


def section(data: ReportData) -> Section:
    """Return one card per difficulty; the first is for problems of unknown difficulty."""
    by_level = {one.made.difficulty: one for one in data.advice}
    order = [ALL, *(level for level in LEVELS if level != ALL)]
    shown = [by_level[level] for level in order if level in by_level]
    missing = [level for level in order if level not in by_level]
    blocks: list[Block] = [Cards(tuple(map(card, shown)))] if shown else []
    if missing:
        blocks.append(Text(f"There is no recommendation for {words.among(*missing)}."))
    facts = {"recommendations": [_facts(one) for one in shown]}
    return Section("recommendation", "Recommendation", "Recommendation", tuple(blocks), facts)


def card(advice: Answer) -> Card:
    """Return a recommendation as a box that can be read alone."""
    made, choice = advice.made, advice.made.choice
    budget = words.plural(choice.strategy.n, "generation")
    return Card(
        words.level(made.difficulty),
        (
            Text(
                f"Use {words.strategy(choice.strategy)}: a budget of {budget} a problem.",
                Weight.STRONG,
            ),
            Code(key(choice.strategy)),
            Text(f"{words.prediction(choice)} {words.cost(choice.cost)} {words.basis(choice)}"),
            Listing(tuple(_said(advice))),
            *_next(advice),
        ),
    )


def _said(advice: Answer) -> Iterator[str]:
    made = advice.made
    if made.chance is not None:
        yield f"It reaches the target with a chance of {made.chance:.1%}."
    if advice.why is None:
        yield "Nothing of another kind, or of another budget, was known to choose from."
    yield from map(sentence, (*advice.remarks, *made.notes))


def _next(advice: Answer) -> Iterator[Text | Code]:
    if advice.measurement is None or advice.measurement_note is None:
        return
    yield Text(sentence(advice.measurement_note))
    if advice.measurement.chance > 0:
        yield from map(Code, advice.buy)


def _facts(advice: Answer) -> dict[str, Any]:
    made, second, less = advice.made, advice.second, advice.less
    measurement = advice.measurement
    return {
        "difficulty": made.difficulty,
        **made.choice.to_dict(),
        "chance_of_target": made.chance,
        "notes": list(map(word, made.notes)),
        "note_codes": codes(made.notes),
        "runner_up": None if second is None else second.to_dict(str(why(advice.why))),
        "cheaper": None if less is None else less.to_dict(str(why(advice.cheaper_note))),
        "next_measurement": None if measurement is None else measurement.to_dict(advice.buy),
        "efficiency_gain": {unit: gain.to_dict() for unit, gain in advice.gains.items()},
    }
