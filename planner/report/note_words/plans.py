"""Notes on plans and workloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from planner.notes import Note, NoteCode
from planner.report import wording
from planner.report.wording import unit_words


def _routing(note: Note) -> str:
    routed = "routed" if note.code is NoteCode.ROUTED else "not routed"
    unit = unit_words(note.text("unit"))
    return (
        f"{routed}: {note.text('strategy')} for all is expected to solve {_solves(note, 'single')} "
        f"{unit} a problem, a strategy for each question {_solves(note, 'routed')}, with probes "
        "and wrong choices included"
    )


def _solves(note: Note, way: str) -> str:
    chance = note[f"{way}_chance"]
    sure = "" if chance is None else f" ({chance:.1%} sure of the target)"
    return f"{note.number(f'{way}_accuracy'):.3f}{sure} at {note.number(f'{way}_price'):.3g}"


def _probes_included(note: Note) -> str:
    return f"tokens include those of {wording.plural(note.whole('probes'), 'probe sample')}"


def _difficulty_estimator(note: Note) -> str:
    probes = note.whole("probes")
    source = f"from {wording.plural(probes, 'sample')}" if probes else "from the text alone"
    return (
        f"{source}, without its answer, a held-out problem's difficulty is named right with "
        f"probability {wording.decimal(note['accuracy'], 2)}; log loss "
        f"{wording.decimal(note['log_loss'])} nats, {wording.decimal(note['base_log_loss'])} by "
        f"the shares of the classes alone; the {note.number('level'):.0%} interval on pass@1 holds "
        f"it with probability {wording.decimal(note['coverage'], 2)}, and is "
        f"{wording.decimal(note['width'], 2)} wide on average"
    )


def _difficulties_from(note: Note) -> str:
    return f"difficulties: {note.text('source')}"


def _plan_known_for_all_only(note: Note) -> str:
    return (
        f"{note.text('strategy')} is known for all problems together only: the plan's own choices "
        "count as that accurate on every difficulty, and no division may take it"
    )


def _routes_by_chooser(note: Note) -> str:
    return (
        "the plan routes by a learnt choice, which knows no difficulty: its own choices count here "
        "as those of its table; on the problems of its profile it is expected to solve "
        f"{note.number('accuracy'):.3f} at {note.number('cost'):.3g} "
        f"{unit_words(note.text('unit'))} a question"
    )


def _level_without_evidence(note: Note) -> str:
    return (
        f"the plan has no evidence on {note.text('difficulty')} queries: they get the strategy "
        "for all"
    )


def _difficulties_estimated(note: Note) -> str:
    return (
        "right answers are those expected if every difficulty is named rightly; the plan's "
        f"classifier does so for {note.number('accuracy'):.0%} of held-out probe sets"
    )


def _plan_over_total(note: Note) -> str:
    unit = unit_words(note.text("unit"))
    return f"the plan's own choices need {note.number('needed'):,.4g} {unit}: more than there is"


def _plan_limit_binds(note: Note) -> str:
    most = f"{note.number('most'):,.4g} {unit_words(note.text('unit'))}"
    return (
        f"the plan keeps to {note.text('limits')}: more than {most} would change nothing; a plan "
        "with a wider limit may have better strategies"
    )


def _as_named_impossible(note: Note) -> str:
    return f"nothing can be divided by the difficulties named: {note.text('reason')}"


WORDINGS: Mapping[NoteCode, str | Callable[[Note], str]] = {
    NoteCode.ROUTED: _routing,
    NoteCode.NOT_ROUTED: _routing,
    NoteCode.PROBES_INCLUDED: _probes_included,
    NoteCode.DIFFICULTY_ESTIMATOR: _difficulty_estimator,
    NoteCode.QUESTION_UNLIKE_PROFILE:
        "the question is unlike those of the profile: it gets the strategy that is best for all of "
        "them",
    NoteCode.DIFFICULTIES_FROM: _difficulties_from,
    NoteCode.ROUTES_BY_CHOOSER: _routes_by_chooser,
    NoteCode.PLAN_KNOWN_FOR_ALL_ONLY: _plan_known_for_all_only,
    NoteCode.LEVEL_WITHOUT_EVIDENCE: _level_without_evidence,
    NoteCode.DIFFICULTIES_NOT_ESTIMATED:
        "this plan does not estimate difficulties: the division holds if they are known",
    NoteCode.DIFFICULTIES_ESTIMATED: _difficulties_estimated,
    NoteCode.EQUAL_SHARE_TOO_SMALL:
        "an equal share is too small for every strategy of some difficulty",
    NoteCode.PLAN_OVER_TOTAL: _plan_over_total,
    NoteCode.PLAN_LIMIT_BINDS: _plan_limit_binds,
    NoteCode.AS_NAMED:
        "by the difficulty named: the plan's classifier names each query's difficulty, rightly or "
        "wrongly, by its confusion on held-out problems; the total holds on average",
    NoteCode.AS_NAMED_IMPOSSIBLE: _as_named_impossible,
}  # fmt: skip
"""The clauses by code: as they are, or made from the note's parameters."""
