"""Replay: the accuracy of every vote at every number of samples, from stored samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal

import numpy as np

from executor.answers.grader import Grader
from executor.answers.voting import Vote
from executor.domains.registry import open_grader
from executor.errors import InputError
from executor.files import data_folder
from executor.store.store import Store
from executor.strategy import BestOfN, Score
from planner.evidence.runs import current_runs, evidence_domain, study_of
from planner.notes import Note, NoteCode, codes
from planner.report.notes import word
from planner.runtime.reporter import Reporter, SilentReporter
from planner.usecases import DEFAULT_STORE
from planner.usecases.store_lookup import (
    asked_domain,
    check_not_measured_here,
    model_name,
    only_policy,
    prms_of,
    store_exists,
)
from profiling.pools.replay import ORDERS, Rule
from profiling.pools.surface import Point, ProblemPool, Surface
from profiling.profiles.pool_files import (
    has_rewards,
    load_pools,
    prms_in,
    saved_policies,
    saved_pools,
    stored_pools,
)
from profiling.profiles.profiler import KIND as PROFILE
from profiling.scorers.free import FREE_SCORERS, missing

SampleCounts = Sequence[int] | Literal["all"] | None
"""Numbers of samples to draw: some numbers, all possible ones, or (None) the powers of two."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of a policy, with their source.

    Attributes:
        policy, prm: names; `prm` is None if the samples are replayed without scores.
        source: `store` or `bundled`.
        pools: the samples, one pool per problem.
        notes: notes on the samples.
    """

    policy: str
    prm: str | None
    source: str
    pools: Sequence[ProblemPool]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """The accuracy surface of samples.

    Attributes:
        samples: the replayed samples.
        points: expected accuracy and tokens by difficulty, rule and number of samples k.
    """

    samples: Samples
    points: tuple[Point, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON document, plain values."""
        samples = self.samples
        sizes = [len(one.pool) for one in samples.pools]
        return {
            "policy": samples.policy,
            "prm": samples.prm,
            "source": samples.source,
            "problems": len(sizes),
            "samples": {"fewest": min(sizes), "most": max(sizes)},
            "orders": ORDERS,
            "surface": [point.to_dict() for point in self.points],
            "notes": list(map(word, samples.notes)),
            "note_codes": codes(samples.notes),
        }


def replay(
    policy: str | None = None,
    prm: str | None = None,
    *,
    k: SampleCounts = None,
    keep: Sequence[float] | None = None,
    power: Sequence[float] | None = None,
    domain: str | None = None,
    store: str = DEFAULT_STORE,
    reporter: Reporter = SilentReporter(),
) -> Replay:
    """Compute the expected accuracy of every vote at every number of samples, without a model.

    The samples are those of the store's profiles, or, if the store has none of the policy, those
    that this project recorded.

    Args:
        policy: name of the policy that wrote the samples; None: the only one in the store.
        prm: name of the PRM that scored the samples; None: the only one in the store, or no PRM if
            there are several.
        k: numbers of samples, `"all"`, or None for the powers of two.
        keep: shares of the samples that a weighted vote keeps, those with the best scores; a row
            for each. None: 0.1 and 0.9 with the scorers of DeepConf, none with others.
        power: powers of Borda votes; a row for each.
        domain: what an answer is; None: that of the policy's newest profile.
        store: SQLAlchemy URL of the store; it need not exist.
        reporter: receives progress.

    Raises:
        InputError: there are no such samples, or a pool has fewer than `k`.

    Example:
        >>> from apportion import replay
        >>> surface = replay("lab-0.8m", "lab-0.8m-prm", k=[1, 4])
        >>> {point.k for point in surface.points}
        {1, 4}
    """
    counts = check_k(k)
    policy, prm = model_name(policy, "policy"), model_name(prm, "PRM")
    further = rules_by_rank(keep, power)
    with reporter.status("reading samples"):
        domain = asked_domain(store, policy, domain)
        with open_grader(domain) as grader:
            samples = from_store(store, policy, prm, grader, further, domain)
            if samples is None:
                check_not_measured_here(policy, domain)
                samples = from_bundle(policy, prm, grader, further)
    if further and samples.prm is None:
        raise InputError("--keep and --power: need scores to rank by; name a scorer with --scorer")
    if not samples.pools:
        raise InputError(f"policy {samples.policy}: no problem has samples to replay")
    sizes = [len(one.pool) for one in samples.pools]
    surface = Surface(np.array(choose_k(counts, min(sizes))))
    with reporter.progress("replaying", len(sizes)) as progress:
        for one in samples.pools:
            surface.add(one)
            progress(1)
    return Replay(samples, tuple(surface.points()))


def rules_by_rank(
    keep: Sequence[float] | None, power: Sequence[float] | None
) -> tuple[Rule, ...] | None:
    """Return the rules of `Pool.further` for each score; None if neither is given.

    Raises:
        InputError: a share or a power is out of range.
    """
    if keep is None and power is None:
        return None
    votes = [
        *(BestOfN(1, vote=Vote.WEIGHTED, keep=one) for one in keep or ()),
        *(BestOfN(1, vote=Vote.BORDA, power=one) for one in power or ()),
    ]
    return tuple(
        Rule(one.vote, score, keep=one.keep, power=one.power)
        for one in dict.fromkeys(votes)
        for score in Score
    )


def check_k(k: SampleCounts) -> SampleCounts:
    """Return numbers of samples in rising order, each once; return `"all"` and None unchanged.

    Raises:
        InputError: there are none, or one is below 1.
    """
    if k is None or k == "all":
        return k
    if not k or isinstance(k, str):
        raise InputError(f"--k is {k!r}; expected whole numbers, or all")
    if min(k) < 1:
        raise InputError(f"--k is {min(k)}; expected at least 1")
    return sorted(set(k))


def choose_k(asked: SampleCounts, smallest: int) -> list[int]:
    """Return the numbers of samples to replay.

    Every pool must have as many samples as the largest of them: if not, the problems that count
    would change with k.

    Args:
        asked: the result of `check_k`.
        smallest: number of samples of the smallest pool.

    Raises:
        InputError: the smallest pool has fewer samples than the largest number in `asked`.
    """
    if asked is None:
        return list(takewhile(lambda k: k <= smallest, (2**power for power in range(63))))
    if isinstance(asked, str):
        return list(range(1, smallest + 1))
    if asked[-1] > smallest:
        raise InputError(
            f"--k is {asked[-1]}; expected at most {smallest}, the size of the smallest pool"
        )
    return list(asked)


def from_store(
    url: str,
    policy: str | None,
    prm: str | None,
    grader: Grader,
    further: tuple[Rule, ...] | None = None,
    domain: str | None = None,
) -> Samples | None:
    """Return the samples of the store's profiles; None if it has none of this policy and domain.

    Raises:
        InputError: the policy is not given and there are several, or `prm` scored none of them.
    """
    if not store_exists(url):
        return None
    with Store.open(url, create=False) as store:
        runs = store.runs()
        current = current_runs(runs, domain or evidence_domain(runs, policy))
        specs = [spec for spec in current if spec.kind == PROFILE]
        if not any(policy in (None, spec.policy) for spec in specs):
            return None
        policy = only_policy(specs, policy)
        prms = prms_of(specs, policy)
        if prm is None and len(prms) == 1:
            (prm,) = prms
        of_policy = [spec for spec in specs if spec.policy == policy]
        free = prm if prm in FREE_SCORERS else None
        chosen = [spec for spec in of_policy if prm in (None, free, spec.prm)]
        if not chosen:
            scorers = ", ".join([*prms, *FREE_SCORERS])
            raise InputError(f"--scorer {prm}: it has not scored {policy}; known: {scorers}")
        pools, left_out = stored_pools(
            store, chosen, grader, scored=prm is not None, free=free, further=further
        )
        if free is not None and not pools:
            raise missing(free, policy)
        study = study_of(store.runs(), policy, domain)
    notes = [Note.of(NoteCode.PRM_TRAINED_ON, problems=left_out)] if left_out else []
    if study is not None:
        notes.append(Note.of(NoteCode.IMPORTED_SAMPLES, study=study))
    return Samples(policy, prm, "store", pools, (*notes, *_unscored(prm, prms)))


def from_bundle(
    policy: str | None,
    prm: str | None,
    grader: Grader,
    further: tuple[Rule, ...] | None = None,
) -> Samples:
    """Return the samples of a policy that this project recorded.

    Raises:
        InputError: there are none of this policy, or `prm` has not scored them.
    """
    folder = data_folder() / "measured" / "pools"
    bundled_policies = saved_policies(folder)
    if policy not in bundled_policies:
        what = "--policy: must be given" if policy is None else f"policy {policy}: has no samples"
        raise InputError(
            f"{what}; draw some with apportion profile, or use those of "
            f"{', '.join(bundled_policies)}"
        )
    frame, _ = load_pools(folder, policy)
    prms = prms_in(frame)
    if prm is not None and not has_rewards(frame, prm):
        if prm in FREE_SCORERS:
            raise missing(prm, policy)
        known = ", ".join([*prms, *FREE_SCORERS])
        raise InputError(f"--scorer {prm}: it has not scored {policy}; bundled are {known}")
    note = Note.of(NoteCode.BUNDLED_SAMPLES)
    pools = list(saved_pools(frame, prm, grader, further=further))
    return Samples(policy, prm, "bundled", pools, (note, *_unscored(prm, prms)))


def _unscored(prm: str | None, prms: Sequence[str]) -> list[Note]:
    """Return a note on the PRMs that the caller could have named; no note if one was named."""
    return [Note.of(NoteCode.PRM_NOT_NAMED, prms=tuple(prms))] if prms and not prm else []
