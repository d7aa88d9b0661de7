r"""Completions of huggingface/search-and-learn: `data/ORG/MODEL/APPROACH_completions.jsonl`.

A record is the benchmark's own (problem, solution, answer, ...) with `completions`, the PRM's
`scores` for every step of each, and, where votes were computed, `pred_naive@n`, `pred_weighted@n`
and `pred_maj@n` (by last scores). The approach is in the file's name; releases of 2024 called every
file `bon_completions.jsonl`, so that such a file's approach must be given. Nothing is graded in
these files: that is done here. The files do not name the PRM, nor the width of a search, which is
taken for that program's 4 unless given.

- `best_of_n` records are samples.
- `beam_search` records are one outcome, at N = the number of completions; fewer than N finished
  beams were copied until there were N.
- `dvts` records are outcomes at every power of two from the width to N: the first n completions
  are n / width whole subtrees.

`completion_tokens` counts for `best_of_n` alone; for searches that program writes 0 or -1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from executor.answers.voting import Vote
from executor.errors import InputError
from executor.ledger import Ledger
from executor.outcome import SampleRecord
from executor.strategy import BeamSearch, Dvts
from profiling.importers.fields import Fields
from profiling.importers.files import File, read_files
from profiling.importers.readings import Given, Reading, problem_of, sample_of, unknown_of
from profiling.problems.solutions import final_answer

STUDY = "search-and-learn"
APPROACHES = ("best_of_n", "beam_search", "dvts")
_WIDTH = 4  # beam_width of that program's recipes
_PREDICTED = {"weighted": Vote.WEIGHTED, "naive": Vote.MAX, "maj": Vote.MAJORITY}
_FOLDERS = re.compile(r"(?:^|/)data/[^/]+/(?P<policy>[^/]+)/[^/]+$")


def read(path: Path, given: Given) -> list[Reading]:
    """All records at `path`.

    Raises:
        InputError: there is none, one is broken, or nothing says which approach it is of.
    """
    found: list[Reading] = []
    for file in read_files(path, _wanted):
        approach = _approach(file, given)
        for record in file.records():
            found += _readings(record, file, approach, given)
    if not found:
        raise InputError(
            f"{path}: holds no *_completions.jsonl; right would be such a file of "
            "search-and-learn, a folder of them, or a tar archive"
        )
    return found


def _wanted(path: PurePosixPath) -> bool:
    return path.name.endswith("_completions.jsonl")


def _approach(file: File, given: Given) -> str:
    named = next((a for a in APPROACHES if file.path.name.startswith(f"{a}_completions")), None)
    approach = given.strategy or named
    if approach is None:
        raise InputError(
            f"{file.where}: its name does not say which approach it is of; give it with "
            f"--strategy {'|'.join(APPROACHES)}"
        )
    if approach not in APPROACHES:
        raise InputError(f"--strategy {approach}: right would be {', '.join(APPROACHES)}")
    return approach


def _readings(record: Fields, file: File, approach: str, given: Given) -> Iterator[Reading]:
    answer = record.reference("answer") if record.has("answer") else None
    if answer is None and record.has("solution"):
        answer = final_answer(record.latex("solution"))
    samples = _samples(record, approach)
    folders = _FOLDERS.search(str(file.path))
    tokens = sum(s.n_tokens for s in samples) if all(s.n_tokens for s in samples) else 0
    reading = Reading(
        where=record.where,
        policy=folders["policy"] if folders else "",
        prm="",
        benchmark="",
        problem=problem_of(record.latex("problem"), answer, ""),
        strategy=None,
        samples=samples,
        ledger=Ledger(generated=tokens),
        unknown=unknown_of(samples, ("generated", "discarded") if tokens else ()),
    )
    if approach == "best_of_n":
        yield reading
        return
    kind, width, most = (BeamSearch if approach == "beam_search" else Dvts), _WIDTH, len(samples)
    width = given.width or width
    try:
        whole = kind(most, width)
    except InputError as error:
        raise InputError(f"{record.where}: {error} (--width says another)") from None
    sizes = [most] if kind is BeamSearch else [
        n for i in range(most.bit_length()) if (n := 2**i) >= width and n % width == 0
    ]  # fmt: skip
    for n in sizes:
        for name, vote in _PREDICTED.items():
            predicted = f"pred_{name}@{n}"
            yield replace(
                reading,
                strategy=replace(whole, n=n, vote=vote),
                samples=samples[:n],
                answer=record.answer(predicted) if record.has(predicted) else None,
            )


def _samples(record: Fields, approach: str) -> tuple[SampleRecord, ...]:
    completions, scores = record.values.get("completions"), record.values.get("scores")
    if not isinstance(completions, list) or not completions:
        record.fail("completions", "a list of texts")
    if not isinstance(scores, list) or len(scores) != len(completions):
        record.fail("scores", "a list of step scores for each completion")
    lengths = record.counts("completion_tokens") if approach == "best_of_n" else ()
    if len(lengths) != len(completions):
        lengths = (0,) * len(completions)
    found = []
    for i, (text, tokens) in enumerate(zip(completions, lengths, strict=True)):
        one = Fields(f"{record.where}, completion {i}", {"completions": text, "scores": scores[i]})
        found.append(
            sample_of(one.response("completions"), tokens=tokens, rewards=one.rewards("scores"))
        )
    return tuple(found)
