"""Notes on strategies beside the choice, and on what to measure next."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from planner.choice.paired import ComparedBy
from planner.notes import Note, NoteCode
from planner.prediction.beta import PERCENT
from planner.report.wording import percent, times_the, unit_words

_WORTH_A_GAIN = 5e-5  # of accuracy: a hundredth of a point
_WORTH_A_SAVING = 5e-3  # of a cost: half a percent
_LEAST_CHANCE = 0.01  # a smaller one is not told exactly: it rests on what was never seen


def _compared_by(note: Note) -> str:
    match note.get("basis", ComparedBy):
        case ComparedBy.PROBLEMS:
            return f"paired on {note.whole('paired')} problems"
        case ComparedBy.POSTERIORS:
            return "by their posteriors, taken as independent"
        case ComparedBy.FIGURES:
            return "by their joint prediction from published figures"


def _costs(note: Note) -> str:
    ratio = None if note["cost_ratio"] is None else note.number("cost_ratio")
    return f"at {times_the(ratio, note.text('unit'))}"


def _runner_up_less_accurate(note: Note) -> str:
    return (
        f"the runner-up, {note.text('strategy')}, is {-note.number('difference'):.3f} less "
        f"accurate (truly better with a chance of {note.number('better'):.0%}, "
        f"{_compared_by(note)}), {_costs(note)}"
    )


def _runner_up_as_good(note: Note) -> str:
    return (
        f"the runner-up, {note.text('strategy')}, is as good for all that is known "
        f"({note.number('difference'):+.3f}; truly better with a chance of "
        f"{note.number('better'):.0%}, {_compared_by(note)}), {_costs(note)}"
    )


def _runner_up_sure_enough(note: Note) -> str:
    return (
        f"the runner-up, {note.text('strategy')}, is sure enough of the target too "
        f"({note.number('chance'):.1%}), {_costs(note)}"
    )


def _runner_up_short_of_target(note: Note) -> str:
    return (
        f"the runner-up, {note.text('strategy')}, reaches the target with a chance of "
        f"{note.number('chance'):.1%}, less than {percent(note.number('at_least'))}"
    )


def _runner_up_less_sure(note: Note) -> str:
    return (
        f"the runner-up, {note.text('strategy')}, is less sure of the target: "
        f"{note.number('chance'):.1%} against {note.number('best_chance'):.1%}"
    )


def _cheaper(note: Note) -> str:
    if note.flag("close"):
        verdict = "within a point"
    elif note.get("basis", ComparedBy) is ComparedBy.PROBLEMS:
        verdict = "these problems do not tell the two apart"
    else:
        verdict = "not told apart"
    return (
        f"a cheaper strategy, {note.text('strategy')}, costs {note.number('cost_ratio'):.2g} times "
        f"the {unit_words(note.text('unit'))}; its accuracy differs by "
        f"{note.number('difference'):+.3f} [{note.number('low'):+.3f}, {note.number('high'):+.3f}] "
        f"({PERCENT}, {_compared_by(note)}): {verdict}"
    )


def _times(note: Note) -> str:
    """`4 [3 to 5] times the generations and more than 2 times the FLOPs`."""
    relation = note.text("relation")
    return " and ".join(
        f"{_ratio(relation, *numbers)} times the {unit_words(unit)}"
        for unit, *numbers in note.items("gains")
    )


def _ratio(relation: str, gain: float, low: float, high: float) -> str:
    limits = f" [{low:.3g} to {high:.3g}]" if math.isfinite(high) else f" [{low:.3g} and more]"
    if relation == ">" and (low, high) == (gain, math.inf):
        limits = ""  # "more than" says as much
    sign = {"=": "", ">": "more than ", "<": "less than "}[relation]
    return f"{sign}{gain:.3g}{limits}"


def _majority_equivalent(note: Note) -> str:
    times = _times(note)
    match note.text("relation"):
        case "=":
            return f"to be as accurate as the choice, majority vote takes {times}"
        case ">":
            return (
                "majority vote is less accurate than the choice at every budget measured; to equal "
                f"it would take {times}"
            )
    return (
        "majority vote is as accurate as the choice even at its smallest budget, with "
        f"{times}"
    )  # fmt: skip


def _majority_at_best(note: Note) -> str:
    generations, others = note.number("generations"), note.number("others_generations")
    if generations == 1:
        return (
            f"voting does not help here: majority vote is at its best, "
            f"{note.number('accuracy'):.3f}, with a single response"
        )
    reached = {
        "=": f"another strategy reaches that with {others:,.3g}",
        ">": "another strategy reaches that at the smallest budget measured",
        "<": "no other strategy reaches that at any budget measured",
    }[note.text("relation")]
    return (
        f"majority vote is at its best, {note.number('accuracy'):.3f}, with {generations:,.4g} "
        f"generations; {reached}: majority vote takes {_times(note)}"
    )


def _measurement_changes_nothing(note: Note) -> str:
    problems = note.whole("problems")
    return (
        f"{problems} more problems cannot change this choice: there is no other strategy to choose"
    )


def _measurement_may_change(note: Note) -> str:
    gain, saving, tokens = note.number("gain"), note.number("saving"), note["tokens"]
    worth = [f"{100 * gain:.2f} points of accuracy"] if gain >= _WORTH_A_GAIN else []
    if saving >= _WORTH_A_SAVING:
        worth.append(f"{saving:.0%} fewer {unit_words(note.text('unit'))} a problem")
    loss = f", at {-100 * gain:.2f} points less accuracy" if gain <= -_WORTH_A_GAIN else ""
    alone = "" if note.flag("together") else ", strategies taken as independent"
    takes = "not known" if tokens is None else f"{tokens:,.0f} tokens"
    return (
        f"{note.whole('problems')} more problems with all strategies ({_bought(note)}) would "
        f"change this choice with a chance of {_chance(note.number('chance'))}{alone}; on average "
        f"they are worth {' and '.join(worth) or 'nothing'}{loss}; what they take is {takes}; only "
        "problems that all strategies were run on count"
    )


def _chance(chance: float) -> str:
    """A chance in percent; one that is neither impossible nor certain never reads as if it were."""
    if 0 < chance < _LEAST_CHANCE:
        return f"less than {_LEAST_CHANCE:.0%}"
    if 1 - _LEAST_CHANCE < chance < 1:
        return f"more than {1 - _LEAST_CHANCE:.0%}"
    return f"{chance:.0%}"


def _bought(note: Note) -> str:
    samples, live = note.whole("samples"), note.items("live")
    parts = [f"a profile of {samples} samples a problem"] if samples else []
    if live:
        names = ", ".join(dict.fromkeys(live))
        parts.append(f"{len(live)} live {'run' if len(live) == 1 else 'runs'} ({names})")
    return " and ".join(parts)


WORDINGS: Mapping[NoteCode, str | Callable[[Note], str]] = {
    NoteCode.RUNNER_UP_LESS_ACCURATE: _runner_up_less_accurate,
    NoteCode.RUNNER_UP_AS_GOOD: _runner_up_as_good,
    NoteCode.RUNNER_UP_SURE_ENOUGH: _runner_up_sure_enough,
    NoteCode.RUNNER_UP_SHORT_OF_TARGET: _runner_up_short_of_target,
    NoteCode.RUNNER_UP_LESS_SURE: _runner_up_less_sure,
    NoteCode.CHEAPER: _cheaper,
    NoteCode.MAJORITY_EQUIVALENT: _majority_equivalent,
    NoteCode.MAJORITY_AT_BEST: _majority_at_best,
    NoteCode.MEASUREMENT_CHANGES_NOTHING: _measurement_changes_nothing,
    NoteCode.MEASUREMENT_MAY_CHANGE: _measurement_may_change,
}  # fmt: skip
"""The clauses by code: as they are, or made from the note's parameters."""
