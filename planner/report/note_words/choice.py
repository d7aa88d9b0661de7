"""Notes on a choice under a constraint."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from planner.notes import Note, NoteCode
from planner.report import wording
from planner.report.wording import listed, percent


def _target_not_reached(note: Note) -> str:
    # Rounded down: the chance must not read as the one it falls short of.
    chance = math.floor(1000 * note.number("chance")) / 10
    return (
        f"no strategy here is sure enough to reach {100 * note.number('target'):g}%: each would "
        f"have to be {percent(note.number('at_least'))} sure by itself, and the surest, "
        f"{note.text('strategy')}, is {chance:g}% sure"
    )


def _bonferroni(note: Note) -> str:
    return (
        f"to be {100 * note.number('confidence'):g}% sure of a choice among "
        f"{note.whole('strategies')} strategies, each must be "
        f"{percent(note.number('at_least'))} sure by itself (Bonferroni)"
    )


def _strategies_left_out(note: Note) -> str:
    number = note.whole("strategies")
    some = "1 strategy is" if number == 1 else f"{number} strategies are"
    them = "it" if number == 1 else "them"
    return f"{some} left out: a limit is on a cost that is not known of {them}"


def _budgets_considered(note: Note) -> str:
    considered = f"budgets considered: N = {listed(f'{n:,}' for n in note.items('budgets'))}"
    if note["missing"] is None:
        return considered
    missing = f"N = {note.whole('missing'):,}"
    if note.flag("published"):
        return f"{considered}; there are no figures of {missing}, and none are interpolated"
    return f"{considered}, which were measured; {missing} was not: apportion measure adds it"


def _budgets_of_all_only(note: Note) -> str:
    return (
        f"votes among {listed(f'{n:,}' for n in note.items('budgets'))} samples are known for all "
        "problems together, not for each difficulty: samples that say how hard a problem is are "
        f"not replayed in its difficulty; profiles of {note.whole('samples'):,} samples give both"
    )


def _interval_wide(note: Note) -> str:
    problems = note.whole("problems")
    if note.flag("published"):
        cause = "figures of one kind differ so much between studies; profile and measure"
    elif problems:
        cause = f"it rests on {wording.plural(problems, 'problem')}; measure more"
    else:
        cause = "the strategy was never measured; measure it"
    return f"the interval is {100 * note.number('width'):.0f} points wide: {cause} to narrow it"


def _few_problems(note: Note) -> str:
    few = (
        f"it rests on {wording.plural(note.whole('problems'), 'problem')} of this difficulty; with "
        f"fewer than {note.whole('enough')}, formulas weigh more than outcomes"
    )
    if not note.text("rival"):
        return few
    return (
        f"{few}; about {note.whole('needed'):,} problems would tell it apart from "
        f"{note.text('rival')}"
    )


def _shrunk(note: Note) -> str:
    solved = (
        f"{note.text('strategy')} solved {note.number('measured'):.3f} of "
        f"{wording.plural(note.whole('problems'), 'problem')}"
    )
    if note.flag("kept_inside"):
        high = note.number("measured") > note.number("predicted")
        limit, never = ("below 1", "never fails") if high else ("above 0", "always fails")
        return (
            f"{solved}; the prediction, {note.number('predicted'):.3f}, is kept {limit}: so few "
            f"problems cannot show that it {never}"
        )
    return (
        f"{solved}; the prediction, "
        f"{note.number('predicted'):.3f}, is shrunk toward the prior mean "
        f"{note.number('prior_mean'):.3f} (worth {note.number('prior_problems'):.3g} problems)"
    )


def _vote_gain(note: Note) -> str:
    prm, low, high = note.text("prm"), note.number("low"), note.number("high")
    if low > 0:
        verdict = "beats a plain one"
    elif high < 0:
        verdict = f"is worse than a plain one ({prm} hurts: use majority here)"
    else:
        verdict = "and a plain one are not told apart"
    return (
        f"a vote weighted by {prm} {verdict}: among {note.whole('samples')} samples the "
        f"measured difference is {note.number('difference'):+.3f} [{low:+.3f}, {high:+.3f}] (95 %, "
        "paired by problem)"
    )


WORDINGS: Mapping[NoteCode, str | Callable[[Note], str]] = {
    NoteCode.TARGET_NOT_REACHED: _target_not_reached,
    NoteCode.BONFERRONI: _bonferroni,
    NoteCode.STRATEGIES_LEFT_OUT: _strategies_left_out,
    NoteCode.BUDGETS_CONSIDERED: _budgets_considered,
    NoteCode.BUDGETS_OF_ALL_ONLY: _budgets_of_all_only,
    NoteCode.INTERVAL_WIDE: _interval_wide,
    NoteCode.FEW_PROBLEMS: _few_problems,
    NoteCode.SHRUNK: _shrunk,
    NoteCode.VOTE_GAIN: _vote_gain,
}  # fmt: skip
"""The clauses by code: as they are, or made from the note's parameters."""
