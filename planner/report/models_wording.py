"""The wording of notes on a choice over models; `planner.report.notes` is where they are found."""

from __future__ import annotations

from collections.abc import Mapping

from planner.choice.against import Verdict
from planner.choice.paired import ComparedBy
from planner.notes import Note
from planner.prediction.beta import PERCENT

_MOST = 5  # models to name in a note; more are counted
_COSTS = {"flops": "FLOPs", "usd": "USD", "seconds": "seconds"}


def against_larger(note: Note) -> str:
    """A small policy's strategy beside one answer of a larger policy."""
    below = note.number("difference") < 0
    verb = {
        Verdict.SURPASSES: "surpasses",
        Verdict.EQUALS: "is not known to equal" if below else "equals, for all that is known,",
        Verdict.FALLS_SHORT: "does not reach",
    }[note.get("verdict", Verdict)]
    return (
        f"{note.text('strategy')}, {note.number('accuracy'):.3f}, {verb} one answer of "
        f"{note.text('larger')} ({note.text('larger_strategy')}, "
        f"{note.number('larger_accuracy'):.3f}), which is {_times(note.number('size_ratio'))} the "
        f"size: {difference(note)}, {saving(note)}"
    )


def against_answer(note: Note) -> str:
    """A choice beside one answer of a larger policy, for a line that follows the choice."""
    return (
        f"one answer of {note.text('larger')} ({note.text('larger_strategy')}, "
        f"{note.number('larger_accuracy'):.3f}), {_times(note.number('size_ratio'))} the size: "
        f"{difference(note)}, {saving(note)}"
    )


def difference(note: Note) -> str:
    """`+0.021 [-0.010, +0.052] (90 %, paired on 400 problems)`."""
    return (
        f"{note.number('difference'):+.3f} [{note.number('low'):+.3f}, {note.number('high'):+.3f}] "
        f"({PERCENT}, {basis(note)})"
    )


def basis(note: Note) -> str:
    """How two policies were compared; an unpaired comparison is named so."""
    match note.get("basis", ComparedBy):
        case ComparedBy.PROBLEMS:
            return f"paired on {note.whole('paired')} problems"
        case ComparedBy.FIGURES:
            return "unpaired, predicted together from published figures"
        case ComparedBy.POSTERIORS:
            return "unpaired, estimates taken as independent"


def saving(note: Note) -> str:
    """`at 12 times less FLOPs`, or more."""
    if note["cost_ratio"] is None:
        return "which costs nothing"
    ratio, unit = note.number("cost_ratio"), _COSTS[note.text("unit")]
    if ratio > 1:
        return f"at {_times(ratio)} the {unit}"
    return f"at {_times(1 / ratio)} less {unit}" if ratio > 0 else f"for no {unit}"


def _times(ratio: float) -> str:
    digits = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"
    return f"{digits} times"


def models_left_out(note: Note) -> str:
    """Models that the choice was not made among, with the reasons."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in note.items("models"):
        by_reason.setdefault(reason, []).append(name)
    return "left out: " + "; ".join(
        f"{_named(names)} ({reason})" for reason, names in by_reason.items()
    )


def models_without_cost(note: Note) -> str:
    """Models whose cost in the unit of comparison is not known."""
    return (
        f"left out, as their cost in {_COSTS[note.text('unit')]} is not known: "
        f"{_named(note.items('models'))}"
    )


def tokens_by_policy(note: Note) -> str:
    """The tokens of a response that costs count, by policy."""
    printed, assumed = note.items("printed"), note.whole("assumed")
    benchmark = note.text("benchmark")
    parts = []
    if printed:
        sources = dict.fromkeys(source for _, _, source in printed)
        counts = _named([f"{policy} {tokens:,.0f}" for policy, tokens, _ in printed])
        parts.append(
            f"each policy's own mean tokens a response on {benchmark} ({counts}: "
            f"{', '.join(sources)})"
        )
    if assumed:
        others = bool(printed or note.items("unknown"))
        whom = f"{assumed} {'other ' * bool(printed)}policies" if others else "every policy"
        parts.append(
            f"{note.number('tokens'):.0f} tokens a response of {whom}, which one run gives "
            f"({note.text('source')})"
        )
    said = (
        f"costs take {' and '.join(parts)}, without the prompt; a PRM is assumed to forward as "
        "many tokens as are generated"
    )
    if unknown := note.items("unknown"):
        thinking = f"no source has the tokens of {_named(unknown)} on {benchmark}, which think"
        return f"{said}; {thinking}" if parts else thinking
    return said


def printed_pair(pair: Mapping[str, object]) -> str:
    """A pair of policies that a study compares in print."""
    low, high = _numbers(pair["difference_interval"])
    mine, theirs = _numbers(pair["accuracies"])
    larger = pair["larger"]
    assert isinstance(larger, Mapping)
    budget = "N not printed" if pair["n"] is None else f"N = {pair['n']}"
    flops = pair["inference_flops"]
    printed = ""
    if flops is not None:
        small, large = _numbers(flops)
        printed = f", at {_times(large / small)} less printed inference FLOPs"
    return (
        f"{pair['policy']} with the best of several strategies ({budget}) {mine:.3f}, "
        f"{larger['policy']} with one answer {theirs:.3f}: {mine - theirs:+.3f} "
        f"[{low:+.3f}, {high:+.3f}] ({PERCENT}, unpaired, {pair['problems']} problems){printed} "
        f"({pair['source']})"
    )


def _numbers(values: object) -> tuple[float, float]:
    assert isinstance(values, list)
    one, other = values
    return float(one), float(other)


def _named(names: object) -> str:
    assert isinstance(names, list | tuple)
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(map(str, names[:_MOST])) + more
