"""Notes on published figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from planner.notes import Note, NoteCode
from planner.published.figures import UNSTATED, Contradiction


def _published_figures(note: Note) -> str:
    chosen = "" if note.flag("asked") else ", as no --benchmark was given"
    return (
        f"from published figures, accuracy on {note.text('benchmark')}{chosen}; intervals are for "
        "a run of your own and include how much studies differ; profile and measure for an answer "
        "of your own"
    )


def _not_published(note: Note) -> str:
    prm = note["prm"]
    alone = " alone" if prm is None else f" with {prm}"
    also = "; there are figures of the policy without it" if note.flag("without_prm") else ""
    return (
        f"nobody has published {note.text('policy')}{alone} on {note.text('benchmark')}{also}: "
        f"the answer is the model's, from {note.whole('figures')} figures of "
        f"{note.whole('policies')} policies in {note.whole('studies')} studies"
    )


def _greedy_not_published(note: Note) -> str:
    return (
        f"greedy decoding is left out: published figures of {note.text('policy')} are of samples, "
        "so N = 1 is one sample; measure greedy decoding to have it compared"
    )


def _figures(figures: Iterable[tuple[float, str]]) -> str:
    return ", ".join(f"{accuracy:.3f} ({source})" for accuracy, source in figures)


def _strategy_not_published(note: Note) -> str:
    return f"no figure of {note.text('strategy')} itself is published: the accuracy is the model's"


def _strategy_published(note: Note) -> str:
    return (
        f"published of {note.text('strategy')} itself: {_figures(note.items('figures'))}; the "
        "prediction also uses other figures"
    )


def _outside_figures(note: Note) -> str:
    strategies = "; ".join(
        f"{name} {predicted:.3f} ({low:.3f}{'' if low == high else f' to {high:.3f}'} printed)"
        for name, predicted, low, high in note.items("strategies")
    )
    without = note["without"]
    rest = "" if without is None else f", {without:.3f} for {note.text('chosen')}"
    return (
        f"predicted outside the strategy's own figures: {strategies}; studies differ, and a run of "
        "your own is another study, so these figures count in part and are shrunk toward the "
        f"prediction from other figures{rest}"
    )


def _sources_disagree(note: Note) -> str:
    found = "; ".join(map(_contradiction, note.items("contradictions")))
    return f"sources disagree on {note.text('policy')}, {note.text('benchmark')}: {found}"


def _contradiction(one: Contradiction) -> str:
    prm = "a PRM that is not named" if one.prm == UNSTATED else one.prm
    cell = one.cell + (f" with {prm}" if prm else "")
    figures = _figures(one.figures)
    if one.study is not None:
        return f"{one.study} prints {cell} twice, {figures}"
    return (
        f"studies differ on {cell}: {figures}, which sampling explains with a chance of "
        f"{one.chance:.1g}"
    )


def _not_in_catalog(note: Note) -> str:
    near = note["near"]
    fix = "--catalog FILE adds it" if near is None else f"did you mean {near}?"
    named = f"the {note.text('role')} {note.text('name')}"
    return f"{named} is in no catalog, so its size is not known; {fix}"


def _prm_format_unknown(note: Note) -> str:
    return f"this program does not know the format of PRM {note.text('prm')} and cannot run it"


def _size_beyond_figures(note: Note) -> str:
    which = "smallest" if note.flag("smaller") else "largest"
    return (
        f"the policy {note.text('policy')} has {note.whole('parameters'):,} parameters, the "
        f"{which} policy with figures {note.whole('nearest'):,}: the answer extrapolates "
        f"{note.number('decades'):.1f} decades beyond them, so its interval is wide"
    )


def _tokens_assumed(note: Note) -> str:
    return (
        f"costs assume {note.number('tokens'):.0f} tokens a response without the prompt, for "
        f"{note.text('benchmark')} too{_prm_assumed(note)}: no source has those of this policy on "
        f"this benchmark, and one run gives those of a response ({note.text('source')})"
    )


def _tokens_published(note: Note) -> str:
    return (
        f"costs take {note.number('tokens'):.0f} tokens a response without the prompt, this "
        f"policy's mean on {note.text('benchmark')}{_prm_assumed(note)} ({note.text('source')})"
    )


def _prm_assumed(note: Note) -> str:
    return "; a PRM is assumed to forward as many tokens as are generated" * note.flag("scored")


WORDINGS: Mapping[NoteCode, str | Callable[[Note], str]] = {
    NoteCode.PUBLISHED_FIGURES: _published_figures,
    NoteCode.NOT_PUBLISHED: _not_published,
    NoteCode.GREEDY_NOT_PUBLISHED: _greedy_not_published,
    NoteCode.STRATEGY_NOT_PUBLISHED: _strategy_not_published,
    NoteCode.STRATEGY_PUBLISHED: _strategy_published,
    NoteCode.OUTSIDE_FIGURES: _outside_figures,
    NoteCode.SOURCES_DISAGREE: _sources_disagree,
    NoteCode.NOT_IN_CATALOG: _not_in_catalog,
    NoteCode.PRM_FORMAT_UNKNOWN: _prm_format_unknown,
    NoteCode.SIZE_BEYOND_FIGURES: _size_beyond_figures,
    NoteCode.TOKENS_ASSUMED: _tokens_assumed,
    NoteCode.TOKENS_PUBLISHED: _tokens_published,
}  # fmt: skip
"""The clauses by code: as they are, or made from the note's parameters."""
