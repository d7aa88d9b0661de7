"""Pools as files: every sample of a profile with the rewards of each PRM that scored it.

A store keeps texts and tokens too; what replaying, difficulty and reward statistics need is much
less, and fits into a Parquet file that can be kept with a project.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from executor.answers.grader import Grader
from executor.ledger import COLUMNS, TOKEN_COLUMNS
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem, problem_uid
from executor.run.runner import PRM_TRAINED_ON
from executor.store.store import RunSpec, Store
from profiling.pass_rate import PassRate
from profiling.pools.replay import Pool
from profiling.pools.surface import ProblemPool
from profiling.profiles.profiler import CONFIDENCE, KIND, ProblemProfile

_REWARDS = "rewards:"


def pools_of(store: Store, policy: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The samples of a policy's profile, and what each problem of it was charged.

    Samples have a row each: `problem` (uid), `sample`, `answer`, `correct`, `state`, `tokens`,
    `logprob` (nats), and a column `rewards:PRM` with the list of step rewards for every PRM that
    scored the same samples. Ledgers have a row a problem and PRM (empty: none): `problem`, `prm`,
    `samples`, and the tokens of `executor.ledger.Ledger`.

    Raises:
        ValueError: there is no profile without a PRM, or samples were drawn anew for a PRM.
    """
    specs = [
        spec
        for spec in store.runs(KIND)
        if spec.policy == policy and CONFIDENCE not in spec.settings
    ]
    plain = [spec for spec in specs if spec.prm is None]
    if not plain:
        raise ValueError(f"policy {policy}: has no profile without a PRM")
    base = plain[-1]
    samples, ledgers = _read(store, base)
    tokens = samples.pop("token_ids")
    samples = samples.drop(columns="rewards")
    # Of several models of one name the newest counts.
    newest = {spec.prm: spec for spec in specs if spec.prm is not None and _same_draws(spec, base)}
    for prm, spec in newest.items():
        scored, charged = _read(store, spec)
        if not scored["token_ids"].equals(tokens):
            raise ValueError(f"policy {policy}: {prm} scored other samples")
        samples[f"{_REWARDS}{prm}"] = scored["rewards"]
        ledgers = pd.concat([ledgers, charged], ignore_index=True)
    return samples, ledgers


def prms_in(samples: pd.DataFrame) -> list[str]:
    """The PRMs whose rewards a frame of samples has."""
    return [name.removeprefix(_REWARDS) for name in samples.columns if name.startswith(_REWARDS)]


def rewards_of(samples: pd.DataFrame, prm: str) -> pd.Series:
    """The lists of step rewards that a PRM gave."""
    return samples[_REWARDS + prm]


def save_pools(samples: pd.DataFrame, ledgers: pd.DataFrame, folder: Path, policy: str) -> None:
    """Write both frames as Parquet, rewards in single precision."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(samples, preserve_index=False)
    for number, name in enumerate(table.column_names):
        if name.startswith(_REWARDS):
            single = table.column(name).cast(pa.list_(pa.float32()))
            table = table.set_column(number, name, single)
    pq.write_table(table, folder / f"{policy}.samples.parquet", compression="zstd")
    ledgers.to_parquet(folder / f"{policy}.ledgers.parquet", index=False, compression="zstd")


def load_pools(folder: Path, policy: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What `save_pools` wrote."""
    return (
        pd.read_parquet(folder / f"{policy}.samples.parquet"),
        pd.read_parquet(folder / f"{policy}.ledgers.parquet"),
    )


def saved_policies(folder: Path) -> list[str]:
    """The policies that `save_pools` has written samples of."""
    ending = ".samples.parquet"
    return sorted(path.name.removesuffix(ending) for path in folder.glob(f"*{ending}"))


def saved_pools(samples: pd.DataFrame, prm: str | None, grader: Grader) -> Iterator[ProblemPool]:
    """The pools of saved samples, with the scores of a PRM where one is named.

    What scoring a part of them takes is not known: how long the steps are was not saved.
    """
    for problem, rows in samples.groupby("problem", sort=True):
        pool = Pool.of(_records(rows, prm), grader, scored=prm is not None)
        yield ProblemPool(str(problem), pool, float(pool.tokens.sum()))


def saved_profiles(samples: pd.DataFrame, prm: str) -> list[ProblemProfile]:
    """Saved samples as a profile with a PRM, of problems that it was not trained on.

    Texts were not saved: they are empty, and problems go by their uid.
    """
    made = []
    for problem, rows in samples.groupby("problem", sort=True):
        outcome = Outcome(Problem(str(problem), ""), None, None, None, _records(rows, prm))
        made.append(ProblemProfile(outcome, PassRate(int(rows["correct"].sum()), len(rows))))
    return made


def _records(rows: pd.DataFrame, prm: str | None) -> tuple[SampleRecord, ...]:
    """The saved samples of one problem, with the rewards of a PRM where one is named."""
    rewards = rewards_of(rows, prm) if prm else [()] * len(rows)
    columns = (rows["answer"], rows["correct"], rows["state"], rows["tokens"], rewards)
    return tuple(
        SampleRecord(
            text="",
            answer=None if pd.isna(answer) else answer,
            correct=bool(correct),
            state=state,
            n_tokens=tokens,
            logprob=math.nan,
            rewards=tuple(map(float, given)),
        )
        for answer, correct, state, tokens, given in zip(*columns, strict=True)
    )


def stored_pools(
    store: Store, specs: Sequence[RunSpec], grader: Grader, *, scored: bool = True
) -> tuple[list[ProblemPool], int]:
    """The pools of profiles of one policy and PRM; of several of a problem the largest.

    Profiles that stopped early have none: how many samples there are depends on what came.

    Args:
        store: holds the profiles.
        specs: the profiles; of any PRM where scores are not wanted.
        grader: says which answers are equal.
        scored: whether the PRM's scores are wanted; without them its training problems count too.

    Returns:
        The pools, and how many problems are left out because the PRM was trained on them.
    """
    largest: dict[str, ProblemPool] = {}
    left_out: set[str] = set()
    for spec in specs:
        if CONFIDENCE in spec.settings:
            continue
        for stored in store.outcomes(spec):
            uid, samples = problem_uid(stored.outcome.problem), stored.outcome.samples
            if scored and stored.note.get(PRM_TRAINED_ON):
                left_out.add(uid)
            elif samples and (uid not in largest or len(largest[uid].pool) < len(samples)):
                ledger, unknown = stored.outcome.ledger, stored.outcome.unknown
                largest[uid] = ProblemPool(
                    uid,
                    Pool.of(samples, grader, scored=scored and spec.prm is not None),
                    math.nan if "generated" in unknown else ledger.generated,
                    math.nan if "prm" in unknown else ledger.prm,
                )
    return list(largest.values()), len(left_out)


def _same_draws(spec: RunSpec, base: RunSpec) -> bool:
    """Whether a scored profile is of the same sampling as the plain one."""

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
            | {COLUMNS[name]: count for name, count in counts.items()}
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
                "token_ids": sample.token_ids,
            }
            for number, sample in enumerate(stored.outcome.samples)
        ]
    columns: Sequence[str] = ("problem", "prm", "samples", *TOKEN_COLUMNS)
    return pd.DataFrame(rows), pd.DataFrame(charged, columns=list(columns))
