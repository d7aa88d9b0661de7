"""Evidence: one tidy frame with a row for every strategy and problem.

The rows come from four sources. A live run of `measure` gives its outcomes. A service gives the
answers that a client marked as right or wrong, with the difficulty that the router estimated for
the question. The pools of a profile are replayed: one pool gives majority and best-of-N for every
budget up to its size. Runs of other programs (`apportion import`) count for policies without own
runs in the store; they keep the grader of their study, and costs that they do not state are NaN.

Problems that the PRM was trained on are left out, because its rewards there are not held out. Runs
of `run` are left out too, because they are used to judge plans.

Published figures describe whole benchmarks, not problems; they are combined with these rows as
`cells` (`planner.published.figures.cells`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from executor.answers.grader import Grader
from executor.answers.voting import Vote
from executor.files import data_folder
from executor.ledger import COLUMNS as LEDGER_COLUMNS
from executor.ledger import Ledger
from executor.problem import problem_uid
from executor.run.runner import PRM_TRAINED_ON
from executor.store.store import RunSpec, Store, StoredOutcome
from executor.strategy import (
    BestOfN,
    Majority,
    Score,
    Strategy,
    from_dict,
    from_key,
    key,
    to_dict,
)
from profiling.pass_rate import ALL, MIN_SAMPLES, Difficulty, PassRate
from profiling.pools.replay import Pool, Rule, replay, seed_of
from profiling.profiles.profiler import BENCHMARK, CONFIDENCE, MEASURE, STUDY
from profiling.profiles.profiler import KIND as PROFILE
from profiling.scorers.rewards import auc
from profiling.scorers.separation import rival_share, separation

BUDGETS = (1, 4, 16, 64, 256)
UNKNOWN = "unknown"
IMPORTED = "imported"  # source of rows that another program measured
# Answers of a service that a client marked as right or wrong: FEEDBACK is the kind of their runs
# and the source of their rows; DIFFICULTY is the setting with the question's estimated difficulty.
FEEDBACK = "feedback"
DIFFICULTY = "difficulty"
# Kinds of runs whose problems have reference answers, so that they can judge strategies.
KINDS = (PROFILE, MEASURE)
_ORDERS = 512  # orders per replayed pool; a row is a single problem, so replay noise would matter

# One row is one strategy on one problem. `benchmark` is empty unless an imported run names it.
# `accuracy` is 0 or 1 for a live run and an expectation for a replayed one, and so are the tokens.
# `prm_auc` is taken over all samples of the policy that the PRM scored; `prm_auc_within` and
# `prm_gap` over the row's own problem and score; `rival` over its problem
# (`profiling.scorers.separation`). They are NaN without a pool.
COLUMNS = {
    "policy": "str", "prm": "str", "problem": "str", "benchmark": "str", "difficulty": "str",
    "pass_at_1": "float64", "strategy": "str", "name": "str", "n": "int64", "width": "int64",
    "score": "str", "vote": "str", "accuracy": "float64", "generated_tokens": "float64",
    "discarded_tokens": "float64", "prompt_tokens": "float64", "cached_tokens": "float64",
    "prm_tokens": "float64", "prm_cached_tokens": "float64", "prm_auc": "float64",
    "prm_auc_within": "float64", "prm_gap": "float64", "rival": "float64", "source": "str",
}  # fmt: skip


def gather(
    store: Store,
    grader: Grader,
    policy: str | None = None,
    prms: Collection[str] | None = None,
) -> pd.DataFrame:
    """Return the evidence of a store, one row per strategy and problem.

    The columns are those of `COLUMNS`. `difficulty` is `unknown` if the policy has fewer than
    `MIN_SAMPLES` samples of the problem.

    Args:
        store: the store of the runs.
        grader: the grader that decides whether answers are equal.
        policy: name of the policy whose rows are wanted; None means all policies.
        prms: names of the PRMs whose scores are replayed; None means all. Replay is most of the
            work, and a restriction does not change the remaining rows.
    """
    grouped: dict[tuple[str | None, ...], list[int]] = {}
    rates: dict[tuple[str, str], PassRate] = {}
    rivals: dict[tuple[str, str], float] = {}
    rewards: dict[tuple[str, str], _Rewards] = {}
    records: list[dict[str, Any]] = []
    for spec in current(store.runs()):
        if policy not in (None, spec.policy):
            continue
        if spec.kind == PROFILE:
            scored = rewards.setdefault((spec.policy, spec.prm or ""), _Rewards())
            # Pools are large, so each is read only once.
            for stored in store.outcomes(spec):
                if not stored.outcome.samples:
                    continue
                samples, has_scores = stored.outcome.samples, spec.prm is not None
                pool = Pool.of(samples, grader, scored=has_scores, grouped=grouped)
                _add_rate(rates, rivals, stored, pool)
                scored.add(stored, pool)
                # If the number of samples depended on the samples, votes among them are biased.
                if CONFIDENCE not in spec.settings:
                    records += _replayed(stored, pool, scored=prms is None or spec.prm in prms)
        elif spec.kind == MEASURE:
            strategy = from_dict(spec.settings["strategy"])
            for stored in store.outcomes(spec, samples=False):
                records += _live(stored, strategy)
        elif spec.kind == FEEDBACK:
            strategy = from_dict(spec.settings["strategy"])
            for stored in store.outcomes(spec, samples=False):
                records += _feedback(stored, strategy)
    aucs = {at: scored.auc() for at, scored in rewards.items()}
    nothing = _Rewards()
    for record in records:
        at = (record["policy"], record["problem"])
        rate = rates.get(at)
        record["rival"] = rivals.get(at, float("nan"))
        record["difficulty"] = record.get("difficulty") or _difficulty(rate)
        record["pass_at_1"] = float("nan") if rate is None else rate.pass_at_1
        pair = (record["policy"], record["prm"])
        record["prm_auc"] = aucs.get(pair, float("nan"))
        apart = rewards.get(pair, nothing).separation(record["problem"], record["score"])
        record["prm_auc_within"], record["prm_gap"] = apart
    frame = pd.DataFrame(records, columns=list(COLUMNS)).astype(COLUMNS)
    # Profiles with more samples or another seed replay the same cells; their rows are averaged.
    keys = [c for c in COLUMNS if COLUMNS[c] in ("str", "int64")]
    frame = frame.groupby(keys, sort=True, dropna=False, as_index=False).mean()
    return frame[list(COLUMNS)]


def bundled(policy: str | None = None) -> pd.DataFrame:
    """Return the evidence that ships with this project, for one policy or (None) for all."""
    wanted = None if policy is None else [("policy", "==", policy)]
    frames = [
        pd.read_parquet(path, filters=wanted)
        for path in sorted((data_folder() / "measured").glob("*.parquet"))
    ]
    # The problems are the laboratory's own and belong to no benchmark.
    frames = [frame.assign(**{BENCHMARK: ""}) for frame in frames if len(frame)]
    if not frames:
        return no_rows()
    return pd.concat(frames, ignore_index=True)[list(COLUMNS)].astype(COLUMNS)


def no_rows() -> pd.DataFrame:
    """Return a frame of evidence without rows."""
    return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)


def bundled_policies() -> tuple[str, ...]:
    """Return the policies of the bundled evidence, which has one file per policy."""
    return tuple(path.stem for path in sorted((data_folder() / "measured").glob("*.parquet")))


def bundled_sizes() -> dict[str, int]:
    """Return the numbers of parameters of the models in the bundled evidence, by name."""
    sizes: dict[str, int] = {}
    for path in sorted((data_folder() / "measured").glob("*.models.json")):
        sizes |= json.loads(path.read_text(encoding="utf-8"))
    return sizes


def save(frame: pd.DataFrame, path: Path) -> None:
    """Write evidence as Parquet; equal rows give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = [column for column, kind in COLUMNS.items() if kind == "float64"]
    frame.round(dict.fromkeys(numbers, 6)).to_parquet(path, index=False, compression="zstd")


def current(specs: Sequence[RunSpec]) -> list[RunSpec]:
    """Return the runs that can be combined: one setup per policy, one model per name.

    Accuracies of two templates, samplings, graders or models of one name must not be mixed. The
    newest profile of a policy decides the setup, or its newest run if it has no profile; imported
    runs decide only if the policy has no own runs. The newest run with a PRM decides which model
    the PRM's name means. Feedback decides only if there are no other runs, so that a client's
    request cannot displace measured runs. Seeds may differ.
    """

    def weight(spec: RunSpec) -> tuple[bool, bool, bool]:
        return spec.kind != FEEDBACK, STUDY not in spec.settings, spec.kind == PROFILE

    ways: dict[str, str] = {}
    for spec in sorted(specs, key=weight):
        ways[spec.policy] = _way(spec)
    asked = [spec for spec in specs if _way(spec) == ways[spec.policy]]
    newest = sorted(asked, key=lambda spec: spec.kind != FEEDBACK)
    heads = {(spec.policy, spec.prm): _digest(spec, "prm") for spec in newest}
    return [spec for spec in asked if heads[spec.policy, spec.prm] == _digest(spec, "prm")]


def study_of(specs: Sequence[RunSpec], policy: str) -> str | None:
    """Return the study whose imported runs count for a policy; None if its own runs count."""
    studies = (spec.settings.get(STUDY) for spec in current(specs) if spec.policy == policy)
    return next(studies, None)


def _way(spec: RunSpec) -> str:
    """Return a key of the setup of a run: study, or sampling, template and model of the policy."""
    if STUDY in spec.settings:
        return json.dumps({STUDY: spec.settings[STUDY]})
    asked = [spec.settings.get("sampling"), spec.settings.get("template"), _digest(spec, "policy")]
    return json.dumps(asked, sort_keys=True)


def _digest(spec: RunSpec, role: str) -> str | None:
    digests: dict[str, str] = spec.settings.get("models", {})
    return digests.get(role)


def _add_rate(
    rates: dict[tuple[str, str], PassRate],
    rivals: dict[tuple[str, str], float],
    stored: StoredOutcome,
    pool: Pool,
) -> None:
    """Store pass rate and rival share of a pool's problem; of several pools the largest counts."""
    rate = PassRate(int(pool.correct.sum()), len(pool))
    at = (stored.run.policy, problem_uid(stored.outcome.problem))
    if at not in rates or rates[at].trials < rate.trials:
        rates[at], rivals[at] = rate, rival_share(pool)


def _difficulty(rate: PassRate | None) -> str:
    """Return the difficulty of a problem; `unknown` if it has too few samples.

    The same samples also replay majority and best-of-N. If they are few, replay would look perfect
    on problems that they call easy, and useless on problems that they call hard.
    """
    return UNKNOWN if rate is None or rate.trials < MIN_SAMPLES else rate.difficulty.value


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
            for score in Score:
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


def _replayed(stored: StoredOutcome, pool: Pool, *, scored: bool) -> Iterator[dict[str, Any]]:
    if not scored or stored.note.get(PRM_TRAINED_ON):
        pool = replace(pool, scores={})
    budgets = np.array([n for n in BUDGETS if n <= len(pool)])
    seed = seed_of(problem_uid(stored.outcome.problem))
    curves = replay(pool, budgets, orders=_ORDERS, random_state=seed)
    for column, n in enumerate(budgets.tolist()):
        share = float(pool.scored_share(budgets)[column])
        ledger = _share(stored.outcome.ledger, n, len(pool), share)
        for rule, curve in curves.items():
            strategy = _strategy(rule, n)
            if strategy is not None:
                yield _row(stored, strategy, float(curve.accuracy[column]), ledger, "replayed")


def _strategy(rule: Rule, n: int) -> Strategy | None:
    """Return the strategy of a rule at budget n; None if there is none or majority equals it."""
    if rule.vote is Vote.MAJORITY:
        return Majority(n)
    if rule.vote is None or rule.score is None or n == 1:
        return None
    return BestOfN(n, rule.score, rule.vote)


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


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Aggregate evidence by cell: policy, PRM, difficulty and strategy.

    The difficulty `all` covers every problem (`of_all`). The columns besides the keys are
    `successes` and `squares` (sums of accuracies and of their squares), `problems` and `rows`
    (counts), mean tokens, mean `pass_at_1`, `prm_auc` and `sources`.
    """
    keys = ["policy", "prm", "difficulty", "strategy", "name", "n", "width", "score", "vote"]
    known = frame[frame["difficulty"] != UNKNOWN]
    both = pd.concat([known, frame[of_all(frame)].assign(difficulty=ALL)], ignore_index=True)
    both["square"] = both["accuracy"] ** 2
    return both.groupby(keys, sort=True, as_index=False).agg(
        successes=("accuracy", "sum"),
        squares=("square", "sum"),
        problems=("problem", "nunique"),
        rows=("accuracy", "size"),
        generated_tokens=("generated_tokens", "mean"),
        prompt_tokens=("prompt_tokens", "mean"),
        prm_tokens=("prm_tokens", "mean"),
        cached_tokens=("cached_tokens", "mean"),
        prm_cached_tokens=("prm_cached_tokens", "mean"),
        pass_at_1=("pass_at_1", "mean"),
        prm_auc=("prm_auc", "first"),
        sources=("source", lambda s: "+".join(sorted(s.unique()))),
    )


def of_all(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Return whether each row counts for the difficulty `all`, shape `(rows,)`.

    Feedback does not, because a service chooses the strategy by the question.
    """
    return (frame["source"] != FEEDBACK).to_numpy(bool)


def strategy_of(cell: Any) -> Strategy:
    """Return the strategy of a row or cell from its key, which has all parameters."""
    return from_key(cell["strategy"])


def difficulty_counts(frame: pd.DataFrame) -> dict[str, int]:
    """Return the number of problems of each difficulty, without those of unknown difficulty."""
    known = frame[frame["difficulty"] != UNKNOWN].drop_duplicates("problem")
    counts = known["difficulty"].value_counts()
    return {level.value: int(counts.get(level.value, 0)) for level in Difficulty}


def benchmark_counts(frame: pd.DataFrame) -> dict[str, int]:
    """Return the number of problems of each benchmark; an empty name means no benchmark."""
    counts = frame.groupby("benchmark", sort=True)["problem"].nunique()
    return {str(name): int(problems) for name, problems in counts.items()}


def level_pass_rates(frame: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return the mean pass@1 over distinct problems, by policy and difficulty (also `all`)."""
    rated = frame[frame["pass_at_1"].notna()].drop_duplicates(["policy", "problem"])
    known = rated[rated["difficulty"] != UNKNOWN]
    both = pd.concat([known, rated.assign(difficulty=ALL)], ignore_index=True)
    means = both.groupby(["policy", "difficulty"], as_index=False)["pass_at_1"].mean()
    keys = zip(means["policy"], means["difficulty"], strict=True)
    return dict(zip(keys, means["pass_at_1"].astype(float), strict=True))
