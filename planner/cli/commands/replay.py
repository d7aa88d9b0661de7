"""`apportion replay`: the accuracy surface from stored samples, or from the bundled ones."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
from rich.console import Console

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.resources import data_folder
from executor.store.store import Store
from planner.cli.commands import common
from planner.cli.console import Output, count, table
from planner.evidence import gathering as evidence
from planner.notes import Note, NoteCode, codes
from planner.report.notes import word
from planner.usecases import stored_models
from planner.usecases.stored_models import model_name, store_exists
from profiling.difficulty.pass_rate import LEVELS
from profiling.pools.replay import ORDERS
from profiling.pools.stored import load_pools, prms_in, saved_policies, saved_pools, stored_pools
from profiling.pools.surface import Point, ProblemPool, Surface
from profiling.profiler import KIND as PROFILE

_SHOWN = 9  # columns of a table
_LEAST_ERROR = 0.0005  # less would be printed as 0


@dataclass(frozen=True, slots=True)
class Samples:
    """What is replayed, and where it is from."""

    policy: str
    prm: str | None
    source: str
    pools: Sequence[ProblemPool]
    notes: tuple[Note, ...]


def run(arguments: Namespace, output: Output) -> None:
    """Read the pools and replay them."""
    asked = asked_ks(arguments.k)
    policy, prm = model_name(arguments.policy), model_name(arguments.prm)
    with output.status("reading samples"), MathGrader() as grader:
        samples = from_store(arguments.store, policy, prm, grader) or from_bundle(
            policy, prm, grader
        )
    if not samples.pools:
        raise InputError(f"policy {samples.policy}: no problem has samples to replay")
    sizes = [len(one.pool) for one in samples.pools]
    surface = Surface(np.array(choose_ks(asked, min(sizes))))
    with output.progress("replaying", len(sizes)) as progress:
        for one in samples.pools:
            surface.add(one)
            progress(1)
    points = list(surface.points())
    record = document(samples, points)
    output.result(record, lambda console: show(console, samples, points))


def asked_ks(text: str | None) -> list[int] | str | None:
    """What `--k` says: numbers, ascending, `all`, or nothing."""
    if text is None or text == "all":
        return text
    numbers = common.whole_numbers("--k", text)
    if min(numbers) < 1:
        raise InputError(f"--k {min(numbers)}: must be at least 1")
    return sorted(set(numbers))


def choose_ks(asked: list[int] | str | None, smallest: int) -> list[int]:
    """The k to replay; every pool must have so many samples, or problems would change with k."""
    if asked is None:
        return list(takewhile(lambda k: k <= smallest, (2**power for power in range(63))))
    if isinstance(asked, str):
        return list(range(1, smallest + 1))
    if asked[-1] > smallest:
        raise InputError(f"--k {asked[-1]}: the smallest pool has {smallest} samples")
    return asked


def from_store(url: str, policy: str | None, prm: str | None, grader: MathGrader) -> Samples | None:
    """The samples of the store's profiles; None where it has none of this policy."""
    if not store_exists(url):
        return None
    with Store.open(url, create=False) as store:
        specs = [spec for spec in evidence.current(store.runs()) if spec.kind == PROFILE]
        if not any(policy in (None, spec.policy) for spec in specs):
            return None
        policy = stored_models.only_policy(specs, policy)
        prms = stored_models.prms_of(specs, policy)
        if prm is None and len(prms) == 1:
            (prm,) = prms
        of_policy = [spec for spec in specs if spec.policy == policy]
        chosen = [spec for spec in of_policy if prm in (None, spec.prm)]
        if not chosen:
            known = ", ".join(prms) or "none"
            raise InputError(f"--prm {prm}: it has not scored {policy}; in the store: {known}")
        pools, left_out = stored_pools(store, chosen, grader, scored=prm is not None)
        study = evidence.study_of(store.runs(), policy)
    notes = [Note.of(NoteCode.PRM_TRAINED_ON, problems=left_out)] if left_out else []
    if study is not None:
        notes.append(Note.of(NoteCode.IMPORTED_SAMPLES, study=study))
    return Samples(policy, prm, "store", pools, (*notes, *_unscored(prm, prms)))


def from_bundle(policy: str | None, prm: str | None, grader: MathGrader) -> Samples:
    """Samples this project recorded."""
    folder = data_folder() / "measured" / "pools"
    known = saved_policies(folder)
    if policy not in known:
        what = "--policy: must be given" if policy is None else f"policy {policy}: has no samples"
        raise InputError(
            f"{what}; apportion profile draws some, and bundled are those of {', '.join(known)}"
        )
    frame, _ = load_pools(folder, policy)
    prms = prms_in(frame)
    if prm is not None and prm not in prms:
        raise InputError(f"--prm {prm}: it has not scored {policy}; bundled are {', '.join(prms)}")
    note = Note.of(NoteCode.BUNDLED_SAMPLES)
    pools = list(saved_pools(frame, prm, grader))
    return Samples(policy, prm, "bundled", pools, (note, *_unscored(prm, prms)))


def _unscored(prm: str | None, prms: Sequence[str]) -> list[Note]:
    """A note on the PRMs that could have been named if none was."""
    return [Note.of(NoteCode.PRM_NOT_NAMED, prms=tuple(prms))] if prms and not prm else []


def document(samples: Samples, points: Sequence[Point]) -> dict[str, Any]:
    """The JSON document."""
    sizes = [len(one.pool) for one in samples.pools]
    return {
        "policy": samples.policy,
        "prm": samples.prm,
        "source": samples.source,
        "problems": len(sizes),
        "samples": {"fewest": min(sizes), "most": max(sizes)},
        "orders": ORDERS,
        "surface": [point.to_dict() for point in points],
        "notes": list(map(word, samples.notes)),
        "note_codes": codes(samples.notes),
    }


def show(console: Console, samples: Samples, points: Sequence[Point]) -> None:
    """The same for people: a table a difficulty, rules down, k across."""
    ks = sorted({point.k for point in points})
    some = sorted({ks[i] for i in np.linspace(0, len(ks) - 1, _SHOWN).round().astype(int)})
    of = samples.policy + (f" with {samples.prm}" if samples.prm else "")
    for level in LEVELS:
        here = [point for point in points if point.difficulty == level and point.k in some]
        if here:
            title = f"{of}, difficulty {level}: {here[0].problems} problems"
            columns = ["k", *map(str, some)]
            console.print(table(title, columns, list(_rows(here))))
    noise = max(point.subsampling_error for point in points)
    console.print(
        "expected accuracy ± standard error over problems. Weighted votes are held in "
        f"{ORDERS} random orders of each pool, whose own error is at most {noise:.4f}; "
        "all else is exact",
        highlight=False,
    )
    if not all(map(_differ, points)):
        console.print("no ± where the problems show none: they are alike, or one")
    if len(some) < len(ks):
        console.print(f"{len(ks) - len(some)} more k, with --json")
    for note in samples.notes:
        console.print(f"note: {word(note)}", highlight=False, markup=False)


def _rows(points: Sequence[Point]) -> list[list[str]]:
    """Accuracies by rule, then tokens, for points of one difficulty."""
    rules = list(dict.fromkeys(point.rule for point in points))
    rows = [
        [str(rule), *(_accuracy(point) for point in points if point.rule == rule)] for rule in rules
    ]
    last = [point for point in points if point.rule == rules[-1]]
    rows.append(["generated tokens", *(count(point.generated_tokens) for point in last)])
    if any(point.prm_tokens > 0 for point in last):
        rows.append(["PRM tokens", *(count(point.prm_tokens) for point in last)])
    return rows


def _accuracy(point: Point) -> str:
    return f"{point.accuracy:.3f}" + (f" ±{point.standard_error:.3f}" if _differ(point) else "")


def _differ(point: Point) -> bool:
    """Whether problems differ enough for an error to be printed; False too for one problem.

    Of few that are all alike the spread is 0, which says nothing of other problems.
    """
    return point.standard_error >= _LEAST_ERROR
