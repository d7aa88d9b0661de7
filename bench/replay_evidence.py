"""Replays the samples in `data/measured/pools` anew, and brings `data/measured` up to date.

Evidence depends on how samples are replayed: which of them give a problem its difficulty, and which
of the others a strategy its accuracy. When that changes, this bench makes the rows again. It runs
no model: live runs keep their outcomes and their tokens, and get the difficulty that the samples
now give. Votes with free scorers (`profiling.scorers.free`) have the costs of majority votes.
`bench/laboratory.py` records everything again, with models.
"""

from __future__ import annotations

import argparse
import math
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from common import MEASURED, ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.answers.grader import MathGrader
from executor.answers.voting import Vote
from executor.strategy import BestOfN, Majority, key
from planner.evidence.bundled import bundled_rows
from planner.evidence.layout import COLUMNS, REPLAYED, save
from planner.evidence.pools import UNRATED, Rated, replayed, strategy_of_rule
from profiling.pools.replay import Pool, Rule, seed_of
from profiling.profiles.pool_files import (
    has_rewards,
    load_pools,
    prms_in,
    saved_policies,
    saved_pools,
)
from profiling.scorers.free import FREE_RULES, FREE_SCORERS, further_rules
from profiling.scorers.rewards import auc
from profiling.scorers.separation import separation

POOLS = MEASURED / "pools"
_OF_THE_PROBLEM = ["difficulty", "pass_at_1"]


def replay_all(policy: str, prm: str | None) -> list[dict[str, Any]]:
    """The rows' columns that the replay of every problem gives, for votes with a PRM or without."""
    samples, _ = load_pools(POOLS, policy)
    with MathGrader() as grader:
        return [
            {
                "problem": one.problem,
                "prm": prm or "",
                "strategy": key(vote.strategy),
                "difficulty": vote.difficulty,
                "pass_at_1": vote.pass_at_1,
                "accuracy": vote.accuracy,
                "all_accuracy": vote.all_accuracy,
            }
            for one in saved_pools(samples, prm, grader)
            for vote in replayed(one.pool, seed_of(one.problem))
            if vote.strategy.needs_prm == (prm is not None)
        ]


def rated(policy: str) -> pd.DataFrame:
    """What its samples say of each problem, for the live runs on it."""
    samples, _ = load_pools(POOLS, policy)
    with MathGrader() as grader:
        found = {one.problem: _rated(one.pool) for one in saved_pools(samples, None, grader)}
    return pd.DataFrame.from_dict(found, orient="index", columns=_OF_THE_PROBLEM)


def _rated(pool: Pool) -> tuple[str, float]:
    one = Rated.of(pool, replayable=True)
    return one.difficulty, one.pass_at_1


def free_rows(rows: pd.DataFrame, samples: pd.DataFrame, scorer: str) -> pd.DataFrame:
    """The rows of votes with a free scorer; all but its accuracies are those of majority votes."""
    [score] = FREE_RULES
    with MathGrader() as grader:
        pools = {one.problem: one.pool for one in saved_pools(samples, scorer, grader)}
    apart = {uid: separation(pool, score) for uid, pool in pools.items()}
    whole = auc(
        np.concatenate([pool.scores[score] for pool in pools.values()]),
        np.concatenate([pool.correct for pool in pools.values()]),
    )
    votes = rows[rows["name"].eq(Majority.name) & rows["n"].gt(1)]
    made = []
    usual = (Rule(Vote.MAX, score), Rule(Vote.WEIGHTED, score))
    for rule in (*usual, *further_rules(scorer)):
        known = {n: strategy_of_rule(rule, n) for n in votes["n"].unique().tolist()}
        keys = {n: key(strategy) for n, strategy in known.items() if strategy is not None}
        mine = votes[votes["n"].isin(list(keys))]
        made.append(
            mine.assign(
                prm=scorer, name=BestOfN.name, strategy=mine["n"].map(keys),
                score=score.value, vote=str(rule.vote), prm_auc=whole,
                prm_auc_within=mine["problem"].map(lambda uid: apart[uid][0]),
                prm_gap=mine["problem"].map(lambda uid: apart[uid][1]),
            )
        )  # fmt: skip
    return pd.concat(made)


def brought_up_to_date(policy: str, processes: int) -> pd.DataFrame:
    """The evidence of a policy, replayed anew; costs and live outcomes are as they were."""
    rows = bundled_rows(policy)
    samples, _ = load_pools(POOLS, policy)
    with ProcessPoolExecutor(processes) as pool:
        free = [name for name in FREE_SCORERS if has_rewards(samples, name)]
        asked = [None, *prms_in(samples), *free]
        made = [row for part in pool.map(replay_all, [policy] * len(asked), asked) for row in part]
    at = ["problem", "prm", "strategy"]
    again = pd.DataFrame(made).set_index(at)
    of_pools = rows["source"].eq(REPLAYED)
    old = rows[of_pools & ~rows["prm"].isin(list(FREE_SCORERS))]
    old = pd.concat([old, *(free_rows(old, samples, name) for name in free)]).set_index(at)
    # Votes of the first to finish are replayed too, and are not in the evidence.
    if not set(old.index) <= set(again.index):
        sys.exit(f"{policy}: its samples do not give the strategies that its evidence has")
    new = old.assign(**again.loc[old.index]).reset_index()
    live = rows[~of_pools].drop(columns=_OF_THE_PROBLEM).join(rated(policy), on="problem")
    live = live.fillna({"difficulty": UNRATED.difficulty, "pass_at_1": math.nan})
    whole = pd.concat([new, live])[list(COLUMNS)].astype(COLUMNS)
    keys = [c for c in COLUMNS if COLUMNS[c] in ("str", "int64")]
    return whole.sort_values(keys).reset_index(drop=True)


def main() -> None:
    """Replay every policy with samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    counts = {}
    for policy in saved_policies(POOLS):
        rows = brought_up_to_date(policy, arguments.processes)
        save(rows, MEASURED / f"{policy}.parquet")
        counts[policy] = len(rows)
    line = "replayed anew: " + ", ".join(f"{name} {count} rows" for name, count in counts.items())
    finish({"rows": counts}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
