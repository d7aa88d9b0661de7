"""From records to runs of the store: graded, gathered by what they are of, each stored once."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from executor.answers.grader import Grader
from executor.answers.voting import Vote, vote
from executor.errors import InputError
from executor.ledger import Ledger
from executor.outcome import Outcome, SampleRecord, choose
from executor.problem import MATHS, problem_uid
from executor.run.runner import DOMAIN
from executor.search import State
from executor.store.store import RunExistsError, RunSpec, Store
from executor.strategy import Strategy, to_dict
from profiling.importers import compute_optimal_tts, csv_samples, jsonl, search_and_learn
from profiling.importers.readings import Given, Reading, named
from profiling.profiles.profiler import BENCHMARK, MEASURE, STUDY
from profiling.profiles.profiler import KIND as PROFILE

FORMATS = {
    module.STUDY: module for module in (compute_optimal_tts, search_and_learn, jsonl, csv_samples)
}

_ATTEMPTS = 10  # to store what other processes import at the same time
_Kind = tuple[str, str | None, str, Strategy | None, tuple[tuple[str, float], ...]]


@dataclass(slots=True)
class Grading:
    """By whom records were graded, and how often the files' graders and this one disagree.

    Attributes:
        by_file, here: records that the file says are right or wrong; those it does not.
        compared: of the former, those that were graded here too, to compare.
        right_by_file, right_here: compared ones that only one of the two says are right.
    """

    by_file: int = 0
    here: int = 0
    compared: int = 0
    right_by_file: int = 0
    right_here: int = 0

    def add(self, label: bool | None, own: bool | None) -> None:
        """Count one record, with the file's label and the verdict of this program's grader."""
        if label is None:
            self.here += 1
            return
        self.by_file += 1
        if own is not None:
            self.compared += 1
            self.right_by_file += label and not own
            self.right_here += own and not label


@dataclass(slots=True)
class Family:
    """The imported records of one kind: same models, problem set, sampling and strategy.

    Attributes:
        policy, prm, benchmark: as in `Reading`.
        strategy: what the records are outcomes of; None: they are samples of pools.
        sampling: how the policy was asked, where it is known.
        outcomes: a sequence a problem (uid): one pool, or an outcome for each time it was run.
        grading: who graded them.
        domain: what an answer is.
    """

    policy: str
    prm: str | None
    benchmark: str
    strategy: Strategy | None
    sampling: Mapping[str, float]
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    grading: Grading = field(default_factory=Grading)
    domain: str = MATHS

    def settings(self, study: str, part: int) -> dict[str, Any]:
        """The settings of its runs; a problem's further outcomes are in further parts."""
        strategy = {} if self.strategy is None else {"strategy": to_dict(self.strategy)}
        # Runs of before there were domains have none.
        domain = {} if self.domain == MATHS else {DOMAIN: self.domain}
        return (
            strategy
            | domain
            | {
                STUDY: study,
                BENCHMARK: self.benchmark,
                "sampling": dict(self.sampling),
                "models": {},
                "part": part,
            }
        )

    def spec(self, study: str, part: int) -> RunSpec:
        """One of its runs."""
        kind = PROFILE if self.strategy is None else MEASURE
        return RunSpec(kind, self.policy, self.prm, self.settings(study, part))


@dataclass(frozen=True, slots=True)
class Import:
    """Everything that was read, graded, and not yet stored."""

    study: str
    families: tuple[Family, ...]


def read(
    name: str, path: Path, given: Given, remark: Callable[[str], None] = lambda text: None
) -> list[Reading]:
    """Read files of a format.

    Args:
        name: one of `FORMATS`.
        path: a file, a folder, or a tar archive.
        given: what the user says of them.
        remark: receives sentences on how the files were read.

    Raises:
        InputError: a file is not what the format says.
    """
    if name == csv_samples.STUDY:
        return named(csv_samples.read(path, given, remark), given)
    if given.columns:
        raise InputError("--column: is for --format csv; the fields of other formats have names")
    if given.prompt_tokens is not None:
        raise InputError("--prompt-tokens: is for --format csv; other formats count in their files")
    return named(FORMATS[name].read(path, given), given)


def graded(
    readings: Sequence[Reading],
    study: str,
    grader: Grader,
    progress: Callable[[int], None] = lambda finished: None,
) -> Import:
    """Gather records by what they are of.

    Args:
        readings: the records.
        study: name of the study they are of.
        grader: grades what has no label, and checks what has one.
        progress: called with 1 after each record.

    Raises:
        InputError: nothing says whether a record is right.
    """
    families: dict[_Kind, Family] = {}
    pools: dict[tuple[_Kind, str], list[Reading]] = defaultdict(list)
    for reading in readings:
        prm = reading.prm if reading.strategy is None or reading.strategy.needs_prm else None
        sampling = tuple(sorted(reading.sampling.items()))
        at = (reading.policy, prm, reading.benchmark, reading.strategy, sampling)
        new = Family(reading.policy, prm, reading.benchmark, reading.strategy, dict(sampling))
        family = families.setdefault(at, replace(new, domain=reading.problem.domain))
        uid = problem_uid(reading.problem)
        if reading.strategy is None:
            samples = tuple(_graded(s, reading, family, grader) for s in reading.samples)
            pools[at, uid].append(replace(reading, samples=samples))
        else:
            family.outcomes.setdefault(uid, []).append(_live(reading, family, grader))
        progress(1)
    for (at, uid), members in pools.items():
        families[at].outcomes[uid] = [_pool(members, grader)]
    return Import(study, tuple(families.values()))


def store_import(store: Store, made: Import) -> dict[str, int]:
    """Store what the store has not got: all of it, or nothing.

    A run that the store has, be it as part of a larger one, is left as it is. One that contains
    what was imported before (the folder has grown) takes its place.

    Returns:
        How many runs were `added`, `unchanged` and `replaced`.

    Raises:
        InputError: the study already has runs of the policy with another sampling.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _store(store, made)
        except RunExistsError:  # another process imports the same at the same time
            continue
    return _store(store, made)


def _store(store: Store, made: Import) -> dict[str, int]:
    """Store what the store has not got.

    Raises:
        RunExistsError: another process stored some of it meanwhile, and nothing was stored here.
    """
    known = [spec for spec in store.runs() if spec.settings.get(STUDY) == made.study]
    _check_sampling(known, made)
    counts = {"added": 0, "unchanged": 0, "replaced": 0}
    new: list[tuple[RunSpec, list[Outcome]]] = []
    gone: list[RunSpec] = []
    for family in made.families:
        parts = {
            spec.settings["part"]: {
                problem_uid(stored.outcome.problem): stored.outcome
                for stored in store.outcomes(spec)
            }
            for spec in known
            if spec == family.spec(made.study, spec.settings["part"])
        }
        for layer in _layers(family):
            if any(_within(layer, other) for other in parts.values()):
                counts["unchanged"] += 1
                continue
            smaller = [part for part, other in parts.items() if _within(other, layer)]
            gone += [family.spec(made.study, part) for part in smaller]
            for part in smaller:
                del parts[part]
            part = next(i for i in range(len(parts) + 1) if i not in parts)
            parts[part] = layer
            new.append((family.spec(made.study, part), list(layer.values())))
            counts["replaced" if smaller else "added"] += 1
    if new:
        store.save_runs(new, replacing=gone)
    return counts


def _graded(sample: SampleRecord, reading: Reading, family: Family, grader: Grader) -> SampleRecord:
    """A sample with a label: the file's, else this program's."""
    own = _verdict(sample, reading, grader)
    family.grading.add(sample.correct, own)
    answer = sample.answer
    if answer is None and sample.state != State.CUT:
        answer = grader.extract(sample.text)
    correct = own if sample.correct is None else sample.correct
    if correct is None:
        raise InputError(
            f"{reading.where}: nothing says whether this is right: it has no label, and its "
            "problem no answer that can be found"
        )
    return replace(sample, answer=answer, correct=correct)


def _verdict(sample: SampleRecord, reading: Reading, grader: Grader) -> bool | None:
    """Whether this program's grader says a sample is right; None if it cannot.

    An empty response is wrong, whatever is right.
    """
    if sample.answer is None and not sample.text.strip() and sample.correct is None:
        return False
    if reading.problem.answer is None or not (sample.text or sample.answer):
        return None
    answer = grader.extract(sample.text) if sample.text else sample.answer
    return grader.correct(answer, reading.problem.answer)


def _live(reading: Reading, family: Family, grader: Grader) -> Outcome:
    """The outcome of a strategy; of its responses, the one that gave the answer is kept."""
    assert reading.strategy is not None
    answered = [
        sample if sample.answer else replace(sample, answer=grader.extract(sample.text))
        for sample in reading.samples
    ]
    chosen = answered[choose(reading.strategy, answered, grader) or 0]
    label = reading.correct
    if label is None and reading.answer is None:
        label = chosen.correct
    if reading.answer is not None:
        # The file's own choice goes before the vote of this program.
        given = grader.extract(reading.answer) or reading.answer
        chosen = replace(chosen, text=reading.answer, answer=given)
    graded = _graded(replace(chosen, correct=label), reading, family, grader)
    return Outcome(
        problem=reading.problem,
        answer=graded.answer,
        correct=graded.correct,
        chosen=0,
        samples=(graded,),
        ledger=reading.ledger,
        unknown=reading.unknown,
    )


def _pool(readings: Sequence[Reading], grader: Grader) -> Outcome:
    """One pool of all samples of a problem; its answer is their majority's."""
    samples = tuple(sample for reading in readings for sample in reading.samples)
    chosen = vote([sample.answer for sample in samples], None, Vote.MAJORITY, grader)
    return Outcome(
        problem=readings[0].problem,
        answer=samples[chosen].answer,
        correct=samples[chosen].correct,
        chosen=chosen,
        samples=samples,
        ledger=sum((reading.ledger for reading in readings), Ledger()),
        unknown=frozenset().union(*(reading.unknown for reading in readings)),
    )


def _layers(family: Family) -> list[dict[str, Outcome]]:
    """A run has one outcome a problem: the first of each, then the second where there is one."""
    most = max(map(len, family.outcomes.values()))
    return [
        {uid: found[i] for uid, found in family.outcomes.items() if i < len(found)}
        for i in range(most)
    ]


def _within(some: Mapping[str, Outcome], others: Mapping[str, Outcome]) -> bool:
    """Whether every problem of `some` is in `others`: with all of its samples, at its cost."""

    def held(outcome: Outcome, other: Outcome) -> bool:
        charged = len(outcome.samples) < len(other.samples) or outcome.ledger == other.ledger
        return charged and Counter(outcome.samples) <= Counter(other.samples)

    return all(uid in others and held(outcome, others[uid]) for uid, outcome in some.items())


def _check_sampling(known: Sequence[RunSpec], made: Import) -> None:
    """Accuracies at two temperatures are not of one kind; greedy has none."""
    seen: dict[str, str] = {}
    specs = [*known, *(family.spec(made.study, 0) for family in made.families)]
    for spec in specs:
        sampling = spec.settings["sampling"]
        if spec.settings.get("strategy", {}).get("name") == "greedy" or not sampling:
            continue
        text = json.dumps(sampling, sort_keys=True)
        if seen.setdefault(spec.policy, text) != text:
            raise InputError(
                f"policy {spec.policy}: study {made.study} would have runs at {seen[spec.policy]} "
                f"and at {text}; import them one by one, each with a --study of its own"
            )
