"""Notes on evidence: its source, its grading, and what it is used for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from planner.notes import Note, NoteCode
from planner.report import wording
from planner.report.wording import listed


def _bundled_evidence(note: Note) -> str:
    return (
        f"from evidence this project recorded on {_problems_of(note)}; profile and measure on "
        "yours for an answer of your own"
    )


def _evaluated_on_bundled(note: Note) -> str:
    return f"on evidence this project recorded on {_problems_of(note)}"


def _problems_of(note: Note) -> str:
    """Whose problems bundled evidence is of."""
    benchmarks = [name for name in note.items("benchmarks") if name]
    if not benchmarks:
        return "its own problems"
    own = " and on its own" if "" in note.items("benchmarks") else ""
    return f"problems of {', '.join(benchmarks)}{own}"


def _imported_study(note: Note) -> str:
    benchmark = note["benchmark"]
    alone = "" if benchmark is None else f", its runs on {benchmark} alone"
    return (
        f"from runs imported as study {note.text('study')}{alone}, graded as they were there; "
        "costs that need counts they do not give are unknown, and strategies are then compared by "
        "generations; profile and measure for an answer of your own"
    )


def _benchmarks_pooled(note: Note) -> str:
    parts = (
        f"{count} problems of {name or 'no named benchmark'}"
        for name, count in note.items("problems")
    )
    return f"pooled: {listed(parts)}; --benchmark NAME answers from one alone"


def _run_on_too_few(note: Note) -> str:
    strategies, problems = note.items("strategies"), note.whole("problems")
    named = ", ".join(f"{name} ({n} of {problems} problems)" for name, n in strategies[:3])
    more = f" and {len(strategies) - 3} more" if len(strategies) > 3 else ""
    return (
        f"strategies that were run on too few problems are left out: {named}{more}; "
        "apportion measure goes on from where it stopped"
    )


def _compared_on_shared(note: Note) -> str:
    return (
        f"strategies are compared on {note.whole('shared')} of {note.whole('problems')} problems: "
        "those that all of them were run on"
    )


def _runs_not_used(note: Note) -> str:
    store, policy = note["store"], note.text("policy")
    problems = wording.plural(note.whole("problems"), "problem")
    runs = "this project's own runs" if store is None else f"the runs in {store}"
    return (
        f"not used: {runs} of {policy} on {problems}; "
        "leave --benchmark out for an answer from them"
    )  # fmt: skip


def _imported_samples(note: Note) -> str:
    return f"from imported samples, as graded by {note.text('study')}"


def _prm_trained_on(note: Note) -> str:
    problems = note.whole("problems")
    some = "1 problem is" if problems == 1 else f"{problems} problems are"
    return f"{some} left out: the PRM was trained on {'it' if problems == 1 else 'them'}"


def _prm_not_named(note: Note) -> str:
    return f"no rule with a score: give --prm, one of {', '.join(note.items('prms'))}"


def _graded_by_files(note: Note) -> str:
    file, here = note.whole("right_by_file"), note.whole("right_here")
    return (
        f"graded by the files' own labels; this program's grader disagrees on {file + here} of "
        f"{note.whole('compared')} ({file} right by the files alone, {here} right by this "
        "program's alone)"
    )


def _graded_here(note: Note) -> str:
    return f"{note.whole('records')} records have no label and were graded by this program"


def _files_silent(note: Note) -> str:
    counts = ", ".join(note.items("counts"))
    return f"the files do not give: {counts}; costs that need them are unknown"


WORDINGS: Mapping[NoteCode, str | Callable[[Note], str]] = {
    NoteCode.BUNDLED_EVIDENCE: _bundled_evidence,
    NoteCode.MODEL_NOT_FITTED_HERE:
        "no outcome model is fitted yet; apportion fit says how well outcomes of held-out problems "
        "are predicted",
    NoteCode.MODEL_OUTDATED:
        "the evidence has changed since the outcome model was fitted; run apportion fit again",
    NoteCode.IMPORTED_STUDY: _imported_study,
    NoteCode.BENCHMARKS_POOLED: _benchmarks_pooled,
    NoteCode.RUN_ON_TOO_FEW: _run_on_too_few,
    NoteCode.COMPARED_ON_SHARED: _compared_on_shared,
    NoteCode.RUNS_NOT_USED: _runs_not_used,
    NoteCode.EVALUATED_ON_BUNDLED: _evaluated_on_bundled,
    NoteCode.DIFFICULTY_FROM_PROFILE:
        "regret, rules of thumb and the plan if told take a problem's difficulty from its profile, "
        "which has seen its label; the plan itself runs as the router runs it, on probes it pays",
    NoteCode.NOT_REPLAYED_AS_ROUTED:
        "some policies and PRMs have no profile to replay probes from: their plans run one "
        "strategy for all",
    NoteCode.HINDSIGHT_BY_LUCK:
        "the best in hindsight was chosen on the problems it is judged by, so it is lucky too",
    NoteCode.SEARCHES_ARE_LIVE:
        "searches are live runs; majority and best-of-N are replayed from the profile's samples",
    NoteCode.BUNDLED_SAMPLES:
        "from samples this project recorded; profile yours for an answer of your own",
    NoteCode.IMPORTED_SAMPLES: _imported_samples,
    NoteCode.PRM_TRAINED_ON: _prm_trained_on,
    NoteCode.PRM_NOT_NAMED: _prm_not_named,
    NoteCode.GRADED_BY_FILES: _graded_by_files,
    NoteCode.GRADED_HERE: _graded_here,
    NoteCode.FILES_SILENT: _files_silent,
}  # fmt: skip
"""The clauses by code: as they are, or made from the note's parameters."""
