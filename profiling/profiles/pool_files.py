"""Pools as Parquet files: each sample of a profile with the rewards of each PRM that scored it.

A store also holds texts and tokens. Replay, difficulty and reward statistics need much less, which
fits into a Parquet file that a project can keep under version control. So do features of problems
whose texts are not one's own to publish.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from executor.answers.grader import Grader
from executor.domains.execution import Execution
from executor.ledger import COLUMNS, TOKEN_COLUMNS
from executor.models.confidence import PER_NAT
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem, problem_uid
from executor.run.runner import PRM_TRAINED_ON
from executor.store.store import RunSpec, Store
from executor.strategy import Score
from profiling.arrays import Floats
from profiling.pass_rate import PassRate
from profiling.pools.replay import Pool, Rule
from profiling.pools.surface import ProblemPool
from profiling.profiles.profiler import CONFIDENCE, KIND, ProblemProfile, rules_of
from profiling.scorers.free import (
    FREE_RULES,
    FREE_SCORERS,
    can_score,
    further_rules,
    scored_free,
    stored_free,
)

_REWARDS = "rewards:"
_CONFIDENCES = "confidences"
_EXECUTION, _CERTAINTY = "execution", "certainty"


def pools_of(store: Store, policy: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the samples of a policy's profile, and the ledger of each problem.

    The frame of samples has one row per sample, with the columns `problem` (uid), `sample`,
    `answer`, `correct`, `state`, `tokens` and `logprob` (nats), a column `confidences` (of each
    token, nats) if they were recorded, a column `execution` (`Execution.to_list` as JSON) if the
    answers were run, a column `certainty` (nats) if a policy with a reward head wrote them, and a
    column `rewards:PRM` with the list of step rewards for each PRM that scored these samples. The
    frame of ledgers has one row per problem and PRM, with the columns `problem`, `prm` (empty for
    none), `samples`, and the tokens of `executor.ledger.Ledger`, of which those inside thoughts are
    left out.

    Raises:
        ValueError: there is no profile without a PRM, or a PRM scored other samples.
    """
    specs = [
        spec
        for spec in store.runs(KIND)
        if spec.policy == policy and CONFIDENCE not in spec.settings
    ]
    plain = [spec for spec in specs if spec.prm is None]
    if not plain:
        raise ValueError(f"policy {policy}: has no profile without a PRM; run apportion profile")
    base = plain[-1]
    samples, ledgers = _read(store, base)
    tokens = samples.pop("token_ids")
    samples = samples.drop(columns="rewards")
    if not samples[_CONFIDENCES].map(len).any():
        samples = samples.drop(columns=_CONFIDENCES)
    if samples[_EXECUTION].isna().all():
        samples = samples.drop(columns=_EXECUTION)
    certain = samples.pop(_CERTAINTY)
    # If several models have one name, the newest counts.
    newest = {spec.prm: spec for spec in specs if spec.prm is not None and _same_draws(spec, base)}
    for prm, spec in newest.items():
        scored, charged = _read(store, spec)
        if not scored["token_ids"].equals(tokens):
            raise ValueError(
                f"policy {policy}: {prm} scored other samples than the newest profile has"
            )
        samples[f"{_REWARDS}{prm}"] = scored["rewards"]
        certain = certain.fillna(scored[_CERTAINTY])
        ledgers = pd.concat([ledgers, charged], ignore_index=True)
    if certain.notna().any():
        samples[_CERTAINTY] = certain.astype("float64")
    return samples, ledgers


def prms_in(samples: pd.DataFrame) -> list[str]:
    """Return the names of the PRMs whose rewards a frame of samples has."""
    return [name.removeprefix(_REWARDS) for name in samples.columns if name.startswith(_REWARDS)]


def has_rewards(samples: pd.DataFrame, scorer: str) -> bool:
    """Whether a scorer scored the samples of a frame, or could without a model."""
    if scorer in prms_in(samples):
        return True
    return scorer in FREE_SCORERS and can_score(_records(samples, None), scorer)


def rewards_of(samples: pd.DataFrame, prm: str) -> pd.Series:
    """Return the list of rewards of each sample by one scorer."""
    if prm in FREE_SCORERS and prm not in prms_in(samples):
        return pd.Series(
            [one.rewards for one in scored_free(_records(samples, None), prm)], samples.index
        )
    return samples[_REWARDS + prm]


def save_pools(samples: pd.DataFrame, ledgers: pd.DataFrame, folder: Path, policy: str) -> None:
    """Write both frames as Parquet files.

    Rewards are in single precision; confidences are whole numbers, in units of 1 / `PER_NAT` nats.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(samples, preserve_index=False)
    for number, name in enumerate(table.column_names):
        if name.startswith(_REWARDS):
            single = table.column(name).cast(pa.list_(pa.float32()))
            table = table.set_column(number, name, single)
        elif name == _CONFIDENCES:
            units = [[round(PER_NAT * one) for one in each] for each in samples[name]]
            table = table.set_column(number, name, pa.array(units, pa.list_(pa.uint16())))
    pq.write_table(table, folder / f"{policy}.samples.parquet", compression="zstd")
    ledgers.to_parquet(folder / f"{policy}.ledgers.parquet", index=False, compression="zstd")


def load_pools(folder: Path, policy: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read both frames, samples and ledgers, that `save_pools` wrote."""
    samples = pd.read_parquet(folder / f"{policy}.samples.parquet")
    if _CONFIDENCES in samples:
        samples[_CONFIDENCES] = [tuple((each / PER_NAT).tolist()) for each in samples[_CONFIDENCES]]
    return samples, pd.read_parquet(folder / f"{policy}.ledgers.parquet")


def saved_policies(folder: Path) -> list[str]:
    """Return the names of the policies whose samples `save_pools` wrote to a folder."""
    ending = ".samples.parquet"
    return sorted(path.name.removesuffix(ending) for path in folder.glob(f"*{ending}"))


def saved_pools(
    samples: pd.DataFrame,
    prm: str | None,
    grader: Grader,
    *,
    further: tuple[Rule, ...] | None = None,
    grouped: dict[tuple[str | None, ...], list[int]] | None = None,
) -> Iterator[ProblemPool]:
    """Yield the pools of saved samples, with the scores of a PRM if `prm` names one.

    The PRM tokens are unknown, because the files do not hold the lengths of steps.

    Args:
        samples: saved samples.
        prm: name of the PRM; None: no scores.
        grader: decides which answers are equal.
        further: votes by rank to replay (`Pool.further`); None: those of the scorer's authors.
        grouped: cache of answer classes (`Pool.of`).
    """
    rules = () if prm is None else _rules_of(rewards_of(samples, prm))
    further = further_rules(prm) if further is None else further
    for problem, rows in samples.groupby("problem", sort=True):
        pool = Pool.of(_records(rows, prm), grader, rules=rules, further=further, grouped=grouped)
        yield ProblemPool(str(problem), pool, float(pool.tokens.sum()))


def _rules_of(rewards: pd.Series) -> tuple[Score, ...]:
    """Return the rules that may differ on saved rewards: one if no response has several."""
    return tuple(Score) if (rewards.map(len) > 1).any() else FREE_RULES


def saved_profiles(
    samples: pd.DataFrame,
    prm: str | None,
    texts: Mapping[str, str] | None = None,
    about: Mapping[str, Floats] | None = None,
) -> list[ProblemProfile]:
    """Return saved samples as a profile with a PRM that was not trained on these problems.

    The files do not hold texts. The id of a problem is its uid.

    Args:
        samples: saved samples.
        prm: the PRM whose rewards they get; None: none.
        texts: texts of problems by uid; those of others are empty.
        about: by uid, features of problems without a text (`ProblemProfile.about`).
    """
    profiles, known, described = [], texts or {}, about or {}
    for problem, rows in samples.groupby("problem", sort=True):
        uid = str(problem)
        outcome = Outcome(Problem(uid, known.get(uid, "")), None, None, None, _records(rows, prm))
        rate = PassRate(int(rows["correct"].sum()), len(rows))
        profiles.append(ProblemProfile(outcome, rate, about=described.get(uid)))
    return profiles


def _records(rows: pd.DataFrame, prm: str | None) -> tuple[SampleRecord, ...]:
    """Return the saved samples of one problem, with rewards if `prm` names a PRM."""
    rewards: Iterable[Sequence[float]] = rewards_of(rows, prm) if prm else [()] * len(rows)
    confidences = rows[_CONFIDENCES] if _CONFIDENCES in rows else [()] * len(rows)
    certainties = rows[_CERTAINTY] if _CERTAINTY in rows else [None] * len(rows)
    executions = rows[_EXECUTION] if _EXECUTION in rows else [None] * len(rows)
    columns = (
        rows["answer"], rows["correct"], rows["state"], rows["tokens"], rows["logprob"], rewards,
        confidences, executions, certainties,
    )  # fmt: skip
    return tuple(
        SampleRecord(
            text="",
            answer=None if pd.isna(answer) else answer,
            correct=bool(correct),
            state=state,
            n_tokens=tokens,
            logprob=float(logprob),
            rewards=tuple(map(float, values)),
            confidences=sure,
            execution=_from_text(ran),
            certainty=None if pd.isna(certain) else float(certain),
        )
        for answer, correct, state, tokens, logprob, values, sure, ran, certain in zip(
            *columns, strict=True
        )
    )


def _as_text(execution: Execution | None) -> str | None:
    return None if execution is None else json.dumps(execution.to_list())


def _from_text(text: str | None) -> Execution | None:
    return None if pd.isna(text) else Execution.from_list(json.loads(str(text)))


def stored_pools(
    store: Store,
    specs: Sequence[RunSpec],
    grader: Grader,
    *,
    scored: bool = True,
    free: str | None = None,
    further: tuple[Rule, ...] | None = None,
) -> tuple[list[ProblemPool], int]:
    """Return the largest pool of each problem in the profiles of one policy and scorer.

    Profiles that stop early are skipped, because the size of their pools depends on the outcomes.

    Args:
        store: store of the profiles.
        specs: runs of the profiles; their PRMs may differ if `scored` is False or `free` is given.
        grader: decides which answers are equal.
        scored: whether to read the PRM's scores; if so, the PRM's training problems are left out.
        free: free scorer that scores the samples in place of a PRM; samples without
            log-probabilities are left out.
        further: votes by rank to replay (`Pool.further`); None: those of the scorer's authors.

    Returns:
        The pools, and the number of problems left out because the PRM was trained on them.
    """
    largest: dict[str, ProblemPool] = {}
    left_out: set[str] = set()
    for spec in specs:
        if CONFIDENCE in spec.settings:
            continue
        rules = rules_of(spec) if scored else ()
        found = store.outcomes(spec)
        if free not in (None, spec.prm):
            rules = FREE_RULES
            found = (again for one in store.outcomes(spec) for again in stored_free(one, [free]))
        for stored in found:
            uid, samples = problem_uid(stored.outcome.problem), stored.outcome.samples
            if scored and stored.note.get(PRM_TRAINED_ON):
                left_out.add(uid)
            elif samples and (uid not in largest or len(largest[uid].pool) < len(samples)):
                ledger, unknown = stored.outcome.ledger, stored.outcome.unknown
                by_rank = further_rules(stored.run.prm) if further is None else further
                largest[uid] = ProblemPool(
                    uid,
                    Pool.of(samples, grader, rules=rules, further=by_rank),
                    math.nan if "generated" in unknown else ledger.generated,
                    math.nan if "prm" in unknown else ledger.prm,
                )
    return list(largest.values()), len(left_out)


def _same_draws(spec: RunSpec, base: RunSpec) -> bool:
    """Return whether a scored profile has the same sampling settings as the plain one."""

    def drawn(one: RunSpec) -> dict[str, Any]:
        models = {role: d for role, d in one.settings["models"].items() if role != "prm"}
        return one.settings | {"models": models}

    return drawn(spec) == drawn(base)


def _read(store: Store, spec: RunSpec) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows: list[dict[str, Any]] = []
    charged: list[dict[str, Any]] = []
    for stored in store.outcomes(spec):
        uid = problem_uid(stored.outcome.problem)
        counts = stored.outcome.ledger.to_dict()
        charged.append(
            {"problem": uid, "prm": spec.prm or "", "samples": len(stored.outcome.samples)}
            | {column: counts[name] for name, column in COLUMNS.items()}
        )
        rows += [
            {
                "problem": uid,
                "sample": number,
                "answer": sample.answer,
                "correct": bool(sample.correct),
                "state": sample.state,
                "tokens": sample.n_tokens,
                "logprob": sample.logprob,
                "rewards": list(sample.rewards),
                _CONFIDENCES: sample.confidences,
                _EXECUTION: _as_text(sample.execution),
                _CERTAINTY: sample.certainty,
                "token_ids": sample.token_ids,
            }
            for number, sample in enumerate(stored.outcome.samples)
        ]
    columns: Sequence[str] = ("problem", "prm", "samples", *TOKEN_COLUMNS)
    return pd.DataFrame(rows), pd.DataFrame(charged, columns=list(columns))
