"""Gathering evidence: the rows that the runs of a store give.

The rows come from four sources. A live run of `measure` gives its outcomes. A service gives the
answers that a client marked as right or wrong, with the difficulty that the router estimated for
the question. The pools of a profile are replayed: one pool gives majority, short-m@k and best-of-N
for every budget up to its size. Only its smaller budgets have a difficulty, because the samples
that give it are not replayed in it. Runs of other programs (`apportion import`) count for policies
without own runs in the store; they keep the grader of their study, and costs that they do not state
are NaN.

Problems that the PRM was trained on are left out, because its rewards there are not held out. Runs
of `run` are left out too, because they are used to judge plans.

Published figures describe whole benchmarks, not problems; they are combined with these rows as
`cells` (`planner.published.figures.cells`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from executor.answers.grader import Grader
from executor.ledger import COLUMNS as LEDGER_COLUMNS
from executor.ledger import Ledger
from executor.problem import problem_uid
from executor.run.runner import PRM_TRAINED_ON
from executor.store.store import Store, StoredOutcome
from executor.strategy import Score, ShortMOfK, Strategy, from_dict, key, to_dict
from planner.evidence.layout import COLUMNS, DIFFICULTY, FEEDBACK, IMPORTED, REPLAYED, UNKNOWN
from planner.evidence.pools import UNRATED
from planner.evidence.problem_pools import ProblemPools
from planner.evidence.runs import current_runs, evidence_domain
from profiling.pass_rate import Difficulty
from profiling.pools.first_finished import tokens_until
from profiling.pools.replay import Pool
from profiling.profiles.profiler import BENCHMARK, MEASURE, STUDY, rules_of
from profiling.profiles.profiler import KIND as PROFILE
from profiling.scorers.free import FREE_RULES, FREE_SCORERS, further_rules, stored_free
from profiling.scorers.rewards import auc
from profiling.scorers.separation import separation


def gather(
    store: Store,
    grader: Grader,
    policy: str | None = None,
    prms: Collection[str] | None = None,
    domain: str | None = None,
) -> pd.DataFrame:
    """Return the evidence of a store, one row per strategy and problem.

    The columns are those of `COLUMNS`. The first samples of a problem's largest pool give its
    difficulty for this policy, whatever the PRM, and the others its replayed accuracy
    (`profiling.pools.class_part`). `difficulty` is `unknown` if the policy has too few samples of
    the problem, and for replayed budgets above the number of the other samples.

    Args:
        store: the store of the runs.
        grader: the grader that decides whether answers are equal.
        policy: name of the policy whose rows are wanted; None means all policies.
        prms: names of the scorers whose scores are replayed; None means all that scored a profile.
            Replay is most of the work, and a restriction does not change the remaining rows. A
            free scorer (`profiling.scorers.free`) that is named is replayed from all profiles.
        domain: the domain of the runs; None: see `planner.evidence.runs.evidence_domain`.
    """
    grouped: dict[tuple[str | None, ...], list[int]] = {}
    pools: dict[tuple[str, str], ProblemPools] = {}
    rewards: dict[tuple[str, str], _Rewards] = {}
    records: list[dict[str, Any]] = []
    free = sorted(FREE_SCORERS.keys() & (prms or ()))

    def add(stored: StoredOutcome, rules: Sequence[Score]) -> None:
        run, uid = stored.run, problem_uid(stored.outcome.problem)
        pool = Pool.of(
            stored.outcome.samples, grader, rules=rules, grouped=grouped,
            further=further_rules(run.prm),
        )  # fmt: skip
        pools.setdefault((run.policy, uid), ProblemPools()).add(stored, pool)
        rewards.setdefault((run.policy, run.prm or ""), _Rewards()).add(stored, pool)

    runs = store.runs()
    for spec in current_runs(runs, domain or evidence_domain(runs, policy)):
        if policy not in (None, spec.policy):
            continue
        if spec.kind == PROFILE:
            # Pools are large, so each is read only once.
            for stored in store.outcomes(spec):
                if stored.outcome.samples:
                    add(stored, rules_of(spec))
                    for again in stored_free(stored, free):
                        add(again, FREE_RULES)
        elif spec.kind == MEASURE:
            strategy = from_dict(spec.settings["strategy"])
            for stored in store.outcomes(spec, samples=False):
                records += _live(stored, strategy)
        elif spec.kind == FEEDBACK:
            strategy = from_dict(spec.settings["strategy"])
            for stored in store.outcomes(spec, samples=False):
                records += _feedback(stored, strategy)
    for one_problem in pools.values():
        records += _replayed(one_problem, prms)
    rated = {at: one_problem.rated() for at, one_problem in pools.items()}
    aucs = {at: scored.auc() for at, scored in rewards.items()}
    nothing = _Rewards()
    for record in records:
        one = rated.get((record["policy"], record["problem"]), UNRATED)
        record["rival"] = one.rival
        record.setdefault("difficulty", one.difficulty)
        record.setdefault("pass_at_1", one.pass_at_1)
        record.setdefault("all_accuracy", record["accuracy"])
        pair = (record["policy"], record["prm"])
        record["prm_auc"] = aucs.get(pair, float("nan"))
        apart = rewards.get(pair, nothing).separation(record["problem"], record["score"])
        record["prm_auc_within"], record["prm_gap"] = apart
    frame = pd.DataFrame(records, columns=list(COLUMNS)).astype(COLUMNS)
    # Several live runs of a strategy, with other seeds, are averaged.
    keys = [c for c in COLUMNS if COLUMNS[c] in ("str", "int64")]
    frame = frame.groupby(keys, sort=True, dropna=False, as_index=False).mean()
    return frame[list(COLUMNS)]


class _Rewards:
    """Rewards of one PRM for one policy's samples, on problems the PRM was not trained on."""

    def __init__(self) -> None:
        self._scores: list[float] = []
        self._correct: list[bool] = []
        self._separations: dict[tuple[str, str], tuple[float, float]] = {}

    def add(self, stored: StoredOutcome, pool: Pool) -> None:
        if not stored.note.get(PRM_TRAINED_ON):
            scored = [sample for sample in stored.outcome.samples if sample.rewards]
            self._scores += [sample.rewards[-1] for sample in scored]
            self._correct += [bool(sample.correct) for sample in scored]
            uid = problem_uid(stored.outcome.problem)
            for score in pool.scores:
                self._separations[uid, score.value] = separation(pool, score)

    def separation(self, problem: str, score: str) -> tuple[float, float]:
        """Return the AUC within the problem and the gap; NaN if its samples have no scores."""
        return self._separations.get((problem, score), (float("nan"), float("nan")))

    def auc(self) -> float:
        """Return the AUC over all samples; NaN without scores, or if all are right or all wrong."""
        return auc(np.array(self._scores), np.array(self._correct, dtype=np.bool_))


def _row(
    stored: StoredOutcome, strategy: Strategy, accuracy: float, ledger: Ledger, source: str
) -> dict[str, Any]:
    options = to_dict(strategy)
    columns = {
        "policy": stored.run.policy,
        "prm": stored.run.prm or "" if strategy.needs_prm else "",
        "problem": problem_uid(stored.outcome.problem),
        "benchmark": stored.run.settings.get(BENCHMARK, ""),
        "strategy": key(strategy),
        "name": strategy.name,
        "n": strategy.n,
        "width": options.get("width", 0),
        "score": str(options.get("score", "")),
        "vote": str(options.get("vote", "")),
        "accuracy": accuracy,
        "generated_tokens": float(ledger.policy_generated),
        "discarded_tokens": float(ledger.discarded),
        "prompt_tokens": float(ledger.prompt),
        "cached_tokens": float(ledger.cached),
        "prm_tokens": float(ledger.prm if strategy.needs_prm else 0),
        "prm_cached_tokens": float(ledger.prm_cached if strategy.needs_prm else 0),
        "source": IMPORTED if STUDY in stored.run.settings else source,
    }
    return columns | _unknown(stored.outcome.unknown, strategy)


def _unknown(counts: frozenset[str], strategy: Strategy) -> dict[str, float]:
    """Return NaN for each unknown count; without a PRM, its counts are 0 and stay known."""
    scoring = () if strategy.needs_prm else ("prm", "prm_cached")
    names = {LEDGER_COLUMNS[n] for n in counts if n in LEDGER_COLUMNS and n not in scoring}
    return {name: float("nan") for name in names & COLUMNS.keys()}


def _live(stored: StoredOutcome, strategy: Strategy) -> Iterator[dict[str, Any]]:
    outcome = stored.outcome
    held_out = not (strategy.needs_prm and stored.note.get(PRM_TRAINED_ON))
    if outcome.correct is not None and held_out:
        yield _row(stored, strategy, float(outcome.correct), outcome.ledger, "measured")


def _feedback(stored: StoredOutcome, strategy: Strategy) -> Iterator[dict[str, Any]]:
    """Yield the row of an answer that a client marked as right or wrong.

    Its difficulty is the router's estimate for the question, because a service has no pool. The
    estimate does not depend on the mark.
    """
    settings = stored.run.settings
    if strategy.needs_prm and settings.get(PRM_TRAINED_ON):
        return
    taken = settings[DIFFICULTY]
    level = taken if taken in tuple(Difficulty) else UNKNOWN
    row = _row(
        stored, strategy, float(bool(stored.outcome.correct)), stored.outcome.ledger, FEEDBACK
    )
    yield row | {"difficulty": level}


def _replayed(pools: ProblemPools, prms: Collection[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the replayed rows of a problem: one pool for each PRM, and one for votes without."""
    counted = pools.counted()
    for one in {id(one): one for one in counted.values()}.values():
        stored, pool = one.stored, one.pool
        wanted = prms is None or stored.run.prm in prms
        scored = wanted and not stored.note.get(PRM_TRAINED_ON)
        shares = pool.scored_share(np.arange(1, len(pool) + 1))
        for vote in pools.replayed(one, scored=scored):
            n = vote.strategy.n
            ledger = _share(stored.outcome.ledger, n, len(pool), float(shares[n - 1]))
            if isinstance(vote.strategy, ShortMOfK):
                ledger = _until_first(ledger, pool, vote.strategy)
            row = _row(stored, vote.strategy, vote.accuracy, ledger, REPLAYED)
            if counted.get(row["prm"]) is one:
                yield row | {
                    "difficulty": vote.difficulty,
                    "all_accuracy": vote.all_accuracy,
                    "pass_at_1": vote.pass_at_1,
                }


def _until_first(ledger: Ledger, pool: Pool, strategy: ShortMOfK) -> Ledger:
    """Return a ledger whose samples were cancelled when the first of them had finished."""
    total, last = tokens_until(pool.tokens, strategy.m, np.array([strategy.n]))
    discarded = round((strategy.n - strategy.m) * float(last[0]))
    return replace(ledger, generated=round(float(total[0])) - discarded, discarded=discarded)


def _share(ledger: Ledger, k: int, n: int, scored: float) -> Ledger:
    """Return the expected ledger of k samples of a pool.

    The first request of a pool forwards its whole prompt. The others forward the part that the
    prefix cache does not hold, which is empty only if the prompt fills whole blocks. Steps that
    several samples share are scored once.

    Args:
        ledger: ledger of the whole pool.
        k: number of samples.
        n: number of samples of the pool.
        scored: share of the pool's steps that k samples are expected to have.
    """
    prompt = (ledger.prompt + ledger.cached) / n
    again = (ledger.prompt - prompt) / (n - 1) if n > 1 else 0.0
    return Ledger(
        prompt=round(prompt + (k - 1) * again),
        cached=round((k - 1) * (prompt - again)),
        generated=round(ledger.generated * k / n),
        prm=round(ledger.prm * scored),
        prm_cached=round(ledger.prm_cached * scored),
    )
