"""What `bench/record_real_models.py` recorded: evidence to learn from, and problems to judge on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from common import MEASURED, ROOT
from matrix import Matrix
from real_models import BENCHMARKS, PARTS, POLICIES, head_of

sys.path.insert(0, str(ROOT))
from executor.answers.grader import Grader
from planner.costs.cost import Rates
from planner.costs.measured import scorer_parameters
from planner.evidence.bundled import bundled_rows
from planner.evidence.layout import COLUMNS
from profiling.arrays import Floats
from profiling.difficulty.probes import TEXT, Probes
from profiling.profiles.pool_files import has_rewards, load_pools, rewards_of, saved_profiles
from profiling.profiles.profiler import BENCHMARK
from profiling.scorers.rewards import RewardStatistics, reward_statistics

HELDOUT = MEASURED / PARTS[1]


@dataclass(frozen=True)
class Pools:
    """The samples of one part of a benchmark, and the features of its problems' texts."""

    samples: pd.DataFrame
    about: Mapping[str, Floats]

    def statistics(self, prm: str) -> RewardStatistics | None:
        """How well the last step's reward tells right samples; None if it scored none."""
        if not has_rewards(self.samples, prm):
            return None
        given = rewards_of(self.samples, prm)
        scored = given.map(lambda steps: steps is not None and len(steps) > 0)
        if not scored.any():
            return None
        last = given[scored].map(lambda steps: steps[-1]).to_numpy(float)
        problem = pd.factorize(self.samples["problem"][scored])[0]
        return reward_statistics(last, self.samples["correct"][scored].to_numpy(bool), problem)

    def questions(self, grader: Grader) -> tuple[list[Probes], np.ndarray]:
        """The problems as a router sees them, and `(right samples, samples)` of each."""
        profiles = saved_profiles(self.samples, None, about=self.about)
        rates = [(one.pass_rate.successes, one.pass_rate.trials) for one in profiles]
        return [Probes.of_profile(one, grader) for one in profiles], np.array(rates)


@dataclass(frozen=True)
class Recorded:
    """One policy on one benchmark."""

    policy: str
    benchmark: str

    @cached_property
    def scorers(self) -> list[str]:
        """All that scored the held-out samples: the policy's reward head first, if it did."""
        rows = pd.read_parquet(HELDOUT / f"{self.policy}.parquet").astype(COLUMNS)
        found = set(rows.loc[rows[BENCHMARK] == self.benchmark, "prm"]) - {""}
        return sorted(found, key=lambda name: (name != head_of(self.policy), name))

    @property
    def prm(self) -> str | None:
        """The policy's reward head, trained on GSM8K; without it a free scorer."""
        return next(iter(self.scorers), None)

    @cached_property
    def learnt(self) -> Matrix:
        """What strategies did on the problems to learn from."""
        rows = bundled_rows(self.policy)
        return Matrix(self.policy, rows[rows[BENCHMARK] == self.benchmark])

    @cached_property
    def judged(self) -> Matrix:
        """What they did on the held-out problems."""
        rows = pd.read_parquet(HELDOUT / f"{self.policy}.parquet").astype(COLUMNS)
        return Matrix(self.policy, rows[rows[BENCHMARK] == self.benchmark])

    def pools(self, part: str) -> Pools:
        """The samples of one part."""
        folder = (MEASURED if part == PARTS[0] else HELDOUT) / "pools"
        samples, _ = load_pools(folder, self.policy)
        frame = pd.read_parquet(MEASURED / "problems" / "features.parquet")
        about = dict(zip(frame["problem"], frame[list(TEXT)].to_numpy(), strict=True))
        return Pools(samples[samples[BENCHMARK] == self.benchmark], about)

    @cached_property
    def rates(self) -> Rates:
        """FLOPs of both models, and the seconds of the machine that recorded this."""
        frame = pd.read_parquet(HELDOUT / f"{self.policy}.speeds.parquet")
        speed = frame.set_index(BENCHMARK).loc[self.benchmark]
        policy, prm = (None if pd.isna(one) else float(one) for one in (
            speed["tokens_per_second"], speed["prm_tokens_per_second"]))  # fmt: skip
        sizes = self.judged.sizes
        scorer = scorer_parameters(self.prm, sizes.get(self.prm or ""))
        return Rates(sizes[self.policy], scorer, tokens_per_second=policy,
                     prm_tokens_per_second=prm)  # fmt: skip

    def cost(self, rows: pd.DataFrame) -> list[str]:
        """Mean generated tokens, FLOPs and seconds of some rows, for a table."""
        mean = rows[["generated_tokens", "prompt_tokens", "prm_tokens"]].mean()
        price = self.rates.price(*map(float, mean))
        seconds = "unknown" if price.seconds is None else f"{price.seconds:.1f}"
        return [f"{mean['generated_tokens']:.0f}", f"{price.flops:.2g}", seconds]

    @cached_property
    def plan(self) -> pd.DataFrame:
        """What the plan did on the held-out problems, a row each; empty if it was not run."""
        rows = pd.read_parquet(HELDOUT / f"{self.policy}.plan.parquet")
        return rows if rows.empty else rows[rows[BENCHMARK] == self.benchmark].set_index("problem")


def recorded() -> Iterator[Recorded]:
    """All that is recorded of both parts, policy by policy."""
    for policy in POLICIES:
        path = HELDOUT / f"{policy}.parquet"
        if not path.is_file():
            continue
        both = set(pd.read_parquet(path)[BENCHMARK]) & set(bundled_rows(policy)[BENCHMARK])
        yield from (Recorded(policy, name) for name in BENCHMARKS if name in both)
