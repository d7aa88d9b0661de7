"""The measured strategies of several policies, on the problems that all of them were run on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from executor.errors import InputError
from executor.strategy import from_key
from planner.choice.candidates import estimate_rows
from planner.choice.estimate import Models, Run, StrategyEstimate
from planner.evidence.cells import rows_of
from planner.evidence.comparable import MIN_SHARED, for_pair, too_few
from planner.evidence.layout import FEEDBACK
from planner.notes import Note, NoteCode
from planner.usecases.evidence_bundle import EvidenceBundle
from profiling.arrays import Floats

LeftOut = list[tuple[str, str]]
"""Models that are left out, each with the reason."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The evidence on a policy with one PRM, or alone.

    Attributes:
        models: the policy, and the PRM or None.
        bundle: the evidence with its rates and notes.
        frame: its rows about the two: with the PRM, and without one.
        problems: the problems that the policy was run on with this PRM, or alone.
    """

    models: Models
    bundle: EvidenceBundle
    frame: pd.DataFrame
    problems: frozenset[str]


@dataclass(frozen=True, slots=True)
class MeasuredStrategies:
    """Estimates of measured strategies, with what they rest on.

    Attributes:
        found: every strategy measured; each names its models.
        rows: evidence by the models that a strategy needs.
        outcomes: accuracies of every run on the problems of all, NaN if it was not run on one.
        notes: notes on the evidence, by models.
    """

    found: tuple[StrategyEstimate, ...]
    rows: Mapping[Models, pd.DataFrame]
    outcomes: Mapping[Run, Floats]
    notes: Mapping[Models, tuple[Note, ...]]


def measured_with(policy: str, bundles: Mapping[str | None, EvidenceBundle]) -> list[Measured]:
    """Return the evidence on a policy, alone and with each PRM.

    Args:
        policy: name as evidence has it.
        bundles: evidence by PRM; None: alone.
    """
    made = []
    grouped: dict[int, dict[str, pd.DataFrame]] = {}  # bundles of one store share their frame
    for prm, bundle in bundles.items():
        frame = bundle.frame
        if id(frame) not in grouped:
            own = frame[(frame["policy"] == policy) & (frame["source"] != FEEDBACK)]
            grouped[id(frame)] = {str(name): part for name, part in own.groupby("prm")}
        parts = grouped[id(frame)]
        mine = [parts[name] for name in dict.fromkeys(("", prm or "")) if name in parts]
        run = parts.get(prm or "")
        if run is not None:
            about = pd.concat(mine, ignore_index=True)
            problems = frozenset(run["problem"].unique())
            made.append(Measured(Models(policy, prm), bundle, about, problems))
    return made


def with_enough(measured: Sequence[Measured]) -> tuple[list[Measured], LeftOut]:
    """Return the evidence without the PRMs that were used on too few of their policy's problems.

    They would reduce the comparison to these few.
    """
    most: dict[str, int] = {}
    for one in measured:
        policy = one.models.policy
        most[policy] = max(most.get(policy, 0), len(one.problems))
    enough: list[Measured] = []
    left: LeftOut = []
    for one in measured:
        problems, every = len(one.problems), most[one.models.policy]
        if too_few(problems, every):
            left.append((str(one.models), f"run on {problems} of {every} problems"))
        else:
            enough.append(one)
    return enough, left


def of_same_problems(
    measured: Sequence[Measured], own: Collection[str]
) -> tuple[list[Measured], LeftOut]:
    """Return the policies that were run on the same problems; the others are left out.

    Of several such groups it is one with policies of the store, then the one of most policies, then
    the one of most problems.

    Args:
        measured: evidence on all policies.
        own: policies of the store.
    """
    problems = _problems(measured)
    groups = [
        [
            policy
            for policy in problems
            if not too_few(len(problems[seed] & problems[policy]), len(problems[seed]))
        ]
        for seed in problems
    ]
    best = max(
        groups,
        key=lambda group: (
            any(policy in own for policy in group), len(group), len(problems[group[0]])
        ),
        default=[],
    )  # fmt: skip
    reason = f"not run on the problems of {', '.join(best)}"
    left = [(policy, reason) for policy in problems if policy not in best]
    return [one for one in measured if one.models.policy in best], left


def shared_problems(
    measured: Sequence[Measured], benchmark: str | None
) -> tuple[frozenset[str] | None, list[Note]]:
    """Return the problems that all policies were run on, and a note if these are not all.

    None if each policy's own problems count: policies that share too few can be compared only if
    their problems are of one benchmark.

    Raises:
        InputError: the policies cannot be compared.
    """
    if not measured:
        return None, []
    problems = _problems(measured)
    shared, every = (
        frozenset.intersection(*problems.values()),
        frozenset.union(*(one.problems for one in measured)),
    )
    least = min(map(len, problems.values()))
    if len(problems) > 1 and benchmark is not None and too_few(len(shared), least):
        return None, []
    if len(problems) > 1 and len(shared) < MIN_SHARED:
        counts = ", ".join(f"{policy} on {len(own)}" for policy, own in problems.items())
        raise InputError(
            f"policies were not measured on the same problems ({counts}, and {len(shared)} of "
            f"these are of all): expected at least {MIN_SHARED}; profile all on one file of "
            "problems, or give --benchmark"
        )
    if len(shared) == len(every):
        return shared, []
    note = Note.of(NoteCode.COMPARED_ON_SHARED, shared=len(shared), problems=len(every))
    return shared, [note]


def _problems(measured: Sequence[Measured]) -> dict[str, frozenset[str]]:
    """Return the problems that each policy was run on alone and with each of its PRMs."""
    problems: dict[str, frozenset[str]] = {}
    for one in measured:
        policy = one.models.policy
        problems[policy] = problems.get(policy, one.problems) & one.problems
    return problems


def estimate(
    measured: Sequence[Measured], shared: frozenset[str] | None, difficulty: str
) -> MeasuredStrategies:
    """Estimate the measured strategies of all policies.

    Strategies that need no PRM are estimated from the evidence without one.

    Args:
        measured: evidence on all policies.
        shared: problems that count; None: each policy's own.
        difficulty: difficulty of the problems.
    """
    found: list[StrategyEstimate] = []
    rows: dict[Models, pd.DataFrame] = {}
    for one in measured:
        frame, prm = one.frame, one.models.prm
        if shared is not None and not one.problems <= shared:
            frame = frame[frame["problem"].isin(shared)]
        pair = for_pair(frame, one.models.policy, prm)
        if pair.empty:
            continue
        made = estimate_rows(pair, frame, difficulty, one.bundle.model, one.bundle.rates)
        mine = [each for each in made if each.strategy.needs_prm is (prm is not None)]
        found += [replace(each, models=one.models) for each in mine]
        rows[one.models] = pair[pair["prm"] == (prm or "")]
    notes = {one.models: one.bundle.notes for one in measured if one.models in rows}
    return MeasuredStrategies(tuple(found), rows, _outcomes(rows, difficulty), notes)


def _outcomes(rows: Mapping[Models, pd.DataFrame], difficulty: str) -> dict[Run, Floats]:
    wide = {
        models: rows_of(part, difficulty)
        .groupby(["strategy", "problem"])["accuracy"]
        .mean()
        .unstack("problem")
        for models, part in rows.items()
    }
    problems = sorted({problem for table in wide.values() for problem in table.columns})
    outcomes: dict[Run, Floats] = {}
    for models, table in wide.items():
        values = table.reindex(columns=problems).to_numpy(float)
        runs = ((from_key(name), models) for name in table.index)
        outcomes |= zip(runs, values, strict=True)
    return outcomes
