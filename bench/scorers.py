"""What a scorer is worth: votes weighted or ranked by it, minus majority votes of the same samples.

Every row is paired: both votes see the same samples of the same problems, so the interval is that
of the mean difference over problems (95 %, bootstrap). A scorer that needs no model is told beside
those that do. All is read from the bundled evidence; no model runs.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass

import pandas as pd
from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.answers.voting import Vote
from executor.strategy import BestOfN, Majority, Score, key
from planner.evidence.bundled import bundled_policies, bundled_rows
from planner.evidence.layout import REPLAYED
from profiling.profiles.profiler import BENCHMARK
from profiling.scorers.free import FREE_SCORERS
from profiling.scorers.rewards import Estimate, mean_over_problems

COLUMNS = ("policy", "benchmark", "scorer", "AUC within a problem", "weighted vote - majority",
           "weighted vote of the best 10 % - majority", "highest score - majority",
           "scorer tokens a problem", "problems")  # fmt: skip
RULES = {
    "weighted": {"vote": Vote.WEIGHTED},
    "best_tenth": {"vote": Vote.WEIGHTED, "keep": 0.1},
    "highest": {"vote": Vote.MAX},
}
"""The options of the votes, by the names that they have in `Worth`."""


@dataclass(frozen=True)
class Worth:
    """One scorer on one policy's samples.

    Attributes:
        within: AUC within a problem, over problems that have right and wrong samples.
        weighted, best_tenth, highest: accuracy of the vote minus that of majority; None if the
            evidence lacks the vote.
        tokens: mean tokens that the scorer forwards for a problem's samples.
        problems: number of problems.
    """

    policy: str
    benchmark: str
    scorer: str
    within: Estimate
    weighted: Estimate | None
    best_tenth: Estimate | None
    highest: Estimate | None
    tokens: float
    problems: int

    def cells(self) -> list[str]:
        """The row of the table."""
        return [
            self.policy, self.benchmark or "laboratory", self.scorer,
            f"{self.within.value:.2f} [{self.within.low:.2f}, {self.within.high:.2f}]",
            signed(self.weighted), signed(self.best_tenth), signed(self.highest),
            f"{self.tokens:.0f}", str(self.problems),
        ]  # fmt: skip


def signed(one: Estimate | None) -> str:
    """A difference with its interval."""
    if one is None:
        return "-"
    return f"{one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"


def worths(rows: pd.DataFrame, n: int) -> list[Worth]:
    """All scorers of one policy and benchmark."""
    rows = rows[rows["source"] == REPLAYED]
    plain = rows[rows["strategy"] == key(Majority(n))].set_index("problem")["all_accuracy"]
    found = []
    for scorer in sorted(set(rows["prm"]) - {""}, key=lambda one: (one not in FREE_SCORERS, one)):
        mine = rows[rows["prm"] == scorer]
        by_vote = {
            name: mine[mine["strategy"] == key(BestOfN(n, Score.LAST, **options))].set_index(
                "problem"
            )
            for name, options in RULES.items()
        }
        gains = {
            name: None
            if one.empty
            else mean_over_problems((one["all_accuracy"] - plain).dropna().to_numpy(float))
            for name, one in by_vote.items()
        }
        one = by_vote["weighted"]
        if one.empty:
            continue
        found.append(
            Worth(
                str(one["policy"].iloc[0]), str(one[BENCHMARK].iloc[0]), scorer,
                mean_over_problems(one["prm_auc_within"].to_numpy(float)),
                **gains, tokens=float(one["prm_tokens"].mean()), problems=len(one),
            )
        )  # fmt: skip
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=int, default=16, help="samples of a vote")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = [
        one
        for policy in bundled_policies()
        for _, rows in bundled_rows(policy).groupby(BENCHMARK)
        for one in worths(rows, arguments.budget)
    ]
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(one.cells()) + " |" for one in found]
    finish({"budget": arguments.budget, "scorers": list(map(asdict, found))}, "\n".join(lines),
           as_json=arguments.json)  # fmt: skip


if __name__ == "__main__":
    main()
