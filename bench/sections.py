"""The sections of the page "The paper at small scale": one table each, with its findings.

A strategy is chosen on one half of the problems and judged on the other, both ways. Differences are
paired, and the intervals of a section allow for all its differences together.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Sequence

import pandas as pd
from common import ROOT
from matrix import (
    MIN_PROBLEMS,
    PROFILE,
    Choice,
    Difference,
    Floats,
    Matrix,
    Quality,
    accuracy_of,
    choose,
    of_budget,
    pass_at_1_by_level,
    table,
)

sys.path.insert(0, str(ROOT))
from executor.answers.voting import Vote
from executor.strategy import BeamSearch, BestOfN, Dvts, Majority, Score, Strategy, key
from profiling.laboratory.catalog import (
    LIVE_BUDGETS,
    LIVE_KINDS,
    POLICIES,
    prms_of,
)
from profiling.laboratory.task import LEVELS, SOLUTION, DataSplit, generate, read_problems
from profiling.laboratory.train import BARE_SHARE
from profiling.pass_rate import Difficulty
from profiling.problems.wordproblems import STEP_DELIMITER

N = max(LIVE_BUDGETS)
SLACK = 0.01  # accuracy that a compute-optimal choice may give away
# With the same vote, so that only the way of finding responses differs; and the paper's best-of-N.
COMPARED: dict[str, Callable[[int], Strategy]] = {
    "best_of_n, max": lambda n: BestOfN(n, Score.LAST, Vote.MAX),
    "best_of_n, weighted": lambda n: BestOfN(n, Score.LAST, Vote.WEIGHTED),
    "beam_search": BeamSearch,
    "dvts": Dvts,
}
Section = tuple[str, list[str]]
"""A table, and what it says."""


@functools.cache
def recurring_problems() -> dict[int, int]:
    """How many problems of each level recur, worked, inside a problem the policies trained on.

    Splits are disjoint in whole chains; a short chain can still be a run of steps in a longer one.
    """
    recipe = next(iter(POLICIES.values()))
    pieces = set()
    trained = generate(recipe.seed, DataSplit.TRAIN, bare_share=BARE_SHARE)
    for problem in itertools.islice(trained, recipe.steps * recipe.batch):
        steps = _steps(problem.solution)
        for start, end in itertools.combinations(range(len(steps) + 1), 2):
            pieces.add(steps[start:end])
    counts = dict.fromkeys(LEVELS, 0)
    for asked in read_problems(PROFILE):
        counts[int(asked.meta["level"])] += _steps(asked.meta[SOLUTION]) in pieces
    return counts


def _steps(solution: str) -> tuple[str, ...]:
    """Its calculations; whether one marks the answer is no part of them."""
    return tuple(
        step.replace("\\boxed{", "").replace("}", "") for step in solution.split(STEP_DELIMITER)
    )


def policies_section(matrices: Sequence[Matrix]) -> str:
    """Pass@1, difficulties and greedy accuracy of the policies."""
    rows, by_level = [], []
    for matrix in matrices:
        everything = matrix.problems("all")
        share = matrix.difficulty.value_counts(normalize=True)
        greedy = matrix.accuracy(None, everything)["greedy"].to_numpy(float)
        rows.append(
            [
                matrix.policy,
                f"{matrix.sizes[matrix.policy]:,}",
                accuracy_of(matrix.pass_at_1.loc[everything].to_numpy(float)),
                *(f"{share.get(level, 0.0):.1%}" for level in Difficulty),
                accuracy_of(greedy),
            ]
        )
        by_level.append([matrix.policy, *pass_at_1_by_level(matrix).values()])
    recurring = recurring_problems()
    by_level.append(["recurring", *(str(recurring[level]) for level in LEVELS)])
    return (
        table(["policy", "parameters", "pass@1", "easy", "medium", "hard", "greedy accuracy"], rows)
        + "\nPass@1 by level of the hardness dial, 50 problems each. The last row counts those of "
        "them that occur, solved, as steps of a longer problem in the policies' training:\n\n"
        + table(["", *(f"level {level}" for level in LEVELS)], by_level)
    )


def prm_section(quality: Sequence[Quality]) -> Section:
    """Quality of every PRM on every policy, and whether the kinds can be told apart."""
    head = ["policy", "PRM", "name", "AUC", "AUC within a problem", "calibration error", "Brier"]
    verdicts = []
    for policy in POLICIES:
        mine = {q.kind: q.statistics for q in quality if q.policy == policy}
        for what, of in (
            ("AUC", {kind: s.auc for kind, s in mine.items()}),
            ("AUC within a problem", {kind: s.auc_within for kind, s in mine.items()}),
        ):
            below = [kind for kind in of if of[kind].high < of["strong"].low]
            rest = [kind for kind in of if kind not in (*below, "strong")]
            verdicts.append(
                f"{policy}, {what}: the strong PRM has {of['strong']}. Below it, with intervals "
                f"that do not overlap: {', '.join(below) or 'none'}. With intervals that overlap: "
                f"{', '.join(rest) or 'none'}."
            )
    return table(head, [[q.policy, q.kind, q.prm, *q.figures()] for q in quality]), verdicts


def choices_section(matrices: Sequence[Matrix]) -> Section:
    """The best strategy of every policy, PRM and difficulty, at equal N and compute-optimally."""
    rows: list[list[str]] = []
    left_out: list[str] = []
    compared: list[tuple[list[str], Floats, Floats, list[str]]] = []
    for matrix, kind, difficulty in itertools.product(matrices, LIVE_KINDS, Difficulty):
        problems = matrix.problems(difficulty)
        if len(problems) < MIN_PROBLEMS:
            left_out.append(f"{matrix.policy}, {difficulty}: {len(problems)} problems are too few.")
            continue
        prm = prms_of(matrix.policy)[kind]
        accuracy = matrix.accuracy(prm, problems, in_class=True)
        flops = matrix.flops(prm, problems)
        best, cheap = choose(of_budget(accuracy, N), flops), choose(accuracy, flops, slack=SLACK)
        judged = best.judge(accuracy)
        majority = accuracy[key(Majority(N))].to_numpy(float)
        first = [matrix.policy, kind, difficulty, str(len(problems)), best.names()]
        first += [accuracy_of(judged), accuracy_of(majority)]
        last = [cheap.names(), accuracy_of(cheap.judge(accuracy)), f"{cheap.flops:.1e}"]
        compared.append((first, judged, majority, last))
    above = []
    for first, judged, majority, last in compared:
        difference = Difference.of(judged, majority, looks=len(compared))
        if difference.told == "above":
            above.append(" ".join(first[:3]))
        rows.append([*first, str(difference), *last])
    head = ["policy", "PRM", "difficulty", "problems", f"best at N = {N}", "its accuracy",
            f"majority@{N}", "difference", "compute-optimal", "its accuracy", "FLOPs"]  # fmt: skip
    said = (
        f"The best strategy at N = {N} beats majority@{N} in {len(above)} of {len(rows)} cells: "
        f"{', '.join(above) or 'none'}."
    )
    return table(head, rows), [said, *dict.fromkeys(left_out)]


def for_each_difficulty(
    matrix: Matrix, prm: str | None, accuracy: pd.DataFrame, slack: float = 0.0
) -> tuple[Floats, float]:
    """Accuracy on each problem of what the other half of its difficulty chose, and mean FLOPs.

    The one problem of a difficulty has nobody to choose for it: it takes what all choose.
    """
    problems = list(accuracy.index)
    judged, spent = pd.Series(0.0, index=accuracy.index), 0.0
    for difficulty in Difficulty:
        mine = matrix.problems(difficulty)
        choosing = mine if len(mine) > 1 else problems
        best = choose(accuracy.loc[choosing], matrix.flops(prm, choosing), slack)
        judged[mine] = best.judge(accuracy.loc[mine])
        spent += best.flops * len(mine) / len(problems)
    return judged.to_numpy(float), spent


def awareness_section(matrices: Sequence[Matrix]) -> Section:
    """What it is worth to choose for this difficulty, this PRM, this policy."""
    problems = matrices[0].problems("all")

    def frame(matrix: Matrix, kind: str) -> pd.DataFrame:
        return of_budget(matrix.accuracy(prms_of(matrix.policy)[kind], problems, in_class=True), N)

    def choice(matrix: Matrix, kind: str) -> Choice:
        flops = matrix.flops(prms_of(matrix.policy)[kind], problems)
        return choose(frame(matrix, kind), flops)

    compared: list[tuple[str, str, str, Floats, Floats]] = []
    for matrix in matrices:
        for kind in LIVE_KINDS:
            accuracy, one = frame(matrix, kind), choice(matrix, kind)
            each, _ = for_each_difficulty(matrix, prms_of(matrix.policy)[kind], accuracy)
            which = f"{matrix.policy}, {kind} PRM"
            compared.append(("difficulty", which, "one for all", each, one.judge(accuracy)))
            if kind != "strong":
                other = choice(matrix, "strong")
                known = one.judge(accuracy), other.judge(accuracy)
                compared.append(("PRM", which, f"{other.names()}, its strong PRM's", *known))
        for other_matrix in matrices:
            if other_matrix is not matrix:
                accuracy, other = frame(matrix, "strong"), choice(other_matrix, "strong")
                known = choice(matrix, "strong").judge(accuracy), other.judge(accuracy)
                against = f"{other.names()}, that of {other_matrix.policy}"
                compared.append(("policy", f"{matrix.policy}, strong PRM", against, *known))
    rows, told = [], dict.fromkeys(("difficulty", "PRM", "policy"), 0)
    for what, which, against, mine, others in compared:
        difference = Difference.of(mine, others, looks=len(compared))
        told[what] += difference.told == "above"
        rows.append([what, which, against, accuracy_of(mine), accuracy_of(others), str(difference)])
    head = ["chosen for its", "of", "instead of", "accuracy", "accuracy instead", "difference"]
    verdicts = [
        f"Choosing for the {what} gains accuracy (the interval is above zero) in {count} of "
        f"{sum(one[0] == what for one in compared)} comparisons."
        for what, count in told.items()
    ]
    return table(head, rows), verdicts


def savings_section(matrices: Sequence[Matrix]) -> Section:
    """What compute-optimal strategies cost if each difficulty has its own, and if all share one."""
    rows, verdicts = [], []
    for matrix, kind in itertools.product(matrices, LIVE_KINDS):
        prm = prms_of(matrix.policy)[kind]
        problems = matrix.problems("all")
        accuracy = matrix.accuracy(prm, problems, in_class=True)
        one = choose(accuracy, matrix.flops(prm, problems), slack=SLACK)
        each, spent = for_each_difficulty(matrix, prm, accuracy, SLACK)
        shared = one.judge(accuracy)
        difference = Difference.of(each, shared, looks=len(matrices) * len(LIVE_KINDS))
        rows.append([matrix.policy, kind, accuracy_of(each), f"{spent:.1e}", accuracy_of(shared)])
        rows[-1] += [f"{one.flops:.1e}", str(difference), f"{spent / one.flops:.2g}"]
        verdicts.append(
            f"{matrix.policy}, {kind} PRM: a strategy for each difficulty takes "
            f"{spent / one.flops:.2g} times the FLOPs of one for all; its accuracy is "
            f"{difference.told} that, {difference}."
        )
    head = ["policy", "PRM", "one for each difficulty", "FLOPs", "one for all", "FLOPs",
            "difference", "FLOPs, times"]  # fmt: skip
    return table(head, rows), verdicts


def ladder_section(matrices: Sequence[Matrix], teacher: Matrix) -> Section:
    """Smaller policies with their best strategy against the greedy answer of the next larger.

    And of each policy against the greedy answer of the teacher its strong PRM comes from.
    """
    pairs = [*itertools.pairwise(matrices), *((matrix, teacher) for matrix in matrices)]
    compared = [
        (small, large, kind, prm)
        for small, large in pairs
        for kind, prm in {"none": None, **prms_of(small.policy)}.items()
        if large is not teacher or kind == "strong"
    ]
    rows, verdicts = [], []
    for small, large, kind, prm in compared:
        problems = small.problems("all")
        greedy = large.accuracy(None, problems)["greedy"].to_numpy(float)
        greedy_flops = float(large.flops(None, problems)["greedy"])
        accuracy = small.accuracy(prm, problems)
        best = choose(accuracy, small.flops(prm, problems))
        judged = best.judge(accuracy)
        difference = Difference.of(judged, greedy, looks=len(compared))
        ratio = best.flops / greedy_flops
        rows.append(
            [
                small.policy, kind, f"{small.sizes[prm]:,}" if prm else "", best.names(),
                accuracy_of(judged), f"{best.flops:.1e}", large.policy, accuracy_of(greedy),
                f"{greedy_flops:.1e}", str(difference), f"{ratio:.3g}",
            ]
        )  # fmt: skip
        if kind in ("none", "strong", "head"):
            verdicts.append(
                f"{small.policy}, {'no PRM' if prm is None else f'{kind} PRM'}: {best.names()} is "
                f"{difference.told} the greedy answer of {large.policy}, {difference}, at "
                f"{ratio:.3g} times its FLOPs."
            )
    head = ["small", "PRM", "its parameters", "best (chosen on the other half)", "accuracy",
            "FLOPs", "large", "greedy accuracy", "FLOPs", "difference", "FLOPs, times"]  # fmt: skip
    return table(head, rows), verdicts


def searches_section(matrices: Sequence[Matrix]) -> Section:
    """Search with each PRM against a majority of the same budget."""
    looks = len(matrices) * len(LIVE_KINDS) * len(LIVE_BUDGETS) * len(COMPARED)
    rows, verdicts = [], []
    for matrix, kind in itertools.product(matrices, LIVE_KINDS):
        accuracy = matrix.accuracy(prms_of(matrix.policy)[kind], matrix.problems("all"))
        for n in LIVE_BUDGETS:
            majority = accuracy[key(Majority(n))].to_numpy(float)
            minus = {
                name: Difference.of(accuracy[key(of(n))].to_numpy(float), majority, looks)
                for name, of in COMPARED.items()
            }
            rows.append([matrix.policy, kind, str(n), accuracy_of(majority)])
            rows[-1] += map(str, minus.values())
            if n == N:
                verdicts.append(
                    f"{matrix.policy}, {kind} PRM, N = {n}: "
                    + "; ".join(f"{name} {one.told} majority" for name, one in minus.items())
                    + "."
                )
    head = ["policy", "PRM", "N", "majority", *(f"{name} minus majority" for name in COMPARED)]
    return table(head, rows), verdicts
