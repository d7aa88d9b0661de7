"""The paper at small scale: asks the laboratory what arXiv 2502.06703 asks of large models.

Reads `data/measured` (nothing is run) and writes `docs/paper-at-small-scale.md` with its figure.
Where a strategy is chosen, it is chosen on one half of the problems and judged on the other, both
ways; differences are paired, and the intervals of a section allow for all its differences together.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from cards import BASES_FILE, write_cards
from common import ROOT, finish
from matrix import (
    DIFFICULTIES,
    MEASURED,
    MIN_PROBLEMS,
    PROBLEMS,
    REWARD_SAMPLES,
    Choice,
    Difference,
    Floats,
    Matrix,
    Quality,
    accuracy_interval,
    accuracy_of,
    choose,
    of_budget,
    pass_at_1_by_level,
    qualities,
    table,
)

sys.path.insert(0, str(ROOT))
from executor.answers import Vote
from executor.strategy import BeamSearch, BestOfN, Dvts, Majority, Score, Strategy, key
from planner.evidence import BUDGETS
from profiling.laboratory.catalog import (
    LIVE_BUDGETS,
    LIVE_KINDS,
    POLICIES,
    TEACHER,
    VERIFIER,
    prms_of,
)
from profiling.laboratory.task import LEVELS, Split, generate, read_problems
from profiling.laboratory.train import BARE_SHARE
from profiling.pools import load_pools
from profiling.wordproblems import STEP_DELIMITER

PAGE = ROOT / "docs" / "paper-at-small-scale.md"
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


def recurring_problems() -> dict[int, int]:
    """How many problems of each level recur, worked, inside a problem the policies trained on.

    Splits are disjoint in whole chains; a short chain can still be a run of steps in a longer one.
    """
    recipe = next(iter(POLICIES.values()))
    pieces = set()
    trained = generate(recipe.seed, Split.TRAIN, bare_share=BARE_SHARE)
    for problem in itertools.islice(trained, recipe.steps * recipe.batch):
        steps = _steps(problem.solution)
        for start, end in itertools.combinations(range(len(steps) + 1), 2):
            pieces.add(steps[start:end])
    counts = dict.fromkeys(LEVELS, 0)
    for asked in read_problems(PROBLEMS):
        counts[int(asked.meta["level"])] += _steps(asked.meta["solution"]) in pieces
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
                *(f"{share.get(level, 0.0):.1%}" for level in DIFFICULTIES),
                accuracy_of(greedy),
            ]
        )
        by_level.append([matrix.policy, *pass_at_1_by_level(matrix).values()])
    recurring = recurring_problems()
    by_level.append(["recurring", *(str(recurring[level]) for level in LEVELS)])
    return (
        table(["policy", "parameters", "pass@1", "easy", "medium", "hard", "greedy accuracy"], rows)
        + "\nPass@1 by level of the hardness dial (50 problems each), and how many of those "
        "problems recur, worked, as steps of a longer problem in the policies' training:\n\n"
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
                f"{policy}, {what}: strong {of['strong']}; below it with intervals apart: "
                f"{', '.join(below) or 'none'}; not: {', '.join(rest) or 'none'}."
            )
    return table(head, [[q.policy, q.kind, q.prm, *q.figures()] for q in quality]), verdicts


def choices_section(matrices: Sequence[Matrix]) -> Section:
    """The best strategy of every policy, PRM and difficulty, at equal N and compute-optimally."""
    rows: list[list[str]] = []
    left_out: list[str] = []
    compared: list[tuple[list[str], Floats, Floats, list[str]]] = []
    for matrix, kind, difficulty in itertools.product(matrices, LIVE_KINDS, DIFFICULTIES):
        problems = matrix.problems(difficulty)
        if len(problems) < MIN_PROBLEMS:
            left_out.append(f"{matrix.policy}, {difficulty}: {len(problems)} problems are too few.")
            continue
        prm = prms_of(matrix.policy)[kind]
        accuracy, flops = matrix.accuracy(prm, problems), matrix.flops(prm, problems)
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
        f"The best strategy at N = {N} is above majority@{N} in {len(above)} of {len(rows)} cells: "
        f"{', '.join(above) or 'none'}."
    )
    return table(head, rows), [said, *dict.fromkeys(left_out)]


def chosen_for_each(accuracy: pd.DataFrame, matrix: Matrix, flops: pd.Series) -> Floats:
    """Accuracy on each problem of what the other half of its difficulty chose."""
    judged = pd.Series(np.nan, index=accuracy.index)
    for difficulty in DIFFICULTIES:
        mine = accuracy.loc[matrix.problems(difficulty)]
        if len(mine) > 1:
            judged[mine.index] = choose(mine, flops).judge(mine)
    # A difficulty of one problem has nobody to choose for it.
    return judged.fillna(accuracy.mean(axis="columns")).to_numpy(float)


def awareness_section(matrices: Sequence[Matrix]) -> Section:
    """What it is worth to choose for this difficulty, this PRM, this policy."""
    problems = matrices[0].problems("all")

    def frame(matrix: Matrix, kind: str) -> pd.DataFrame:
        return of_budget(matrix.accuracy(prms_of(matrix.policy)[kind], problems), N)

    def choice(matrix: Matrix, kind: str) -> Choice:
        flops = matrix.flops(prms_of(matrix.policy)[kind], problems)
        return choose(frame(matrix, kind), flops)

    compared: list[tuple[str, str, str, Floats, Floats]] = []
    for matrix in matrices:
        for kind in LIVE_KINDS:
            accuracy, one = frame(matrix, kind), choice(matrix, kind)
            flops = matrix.flops(prms_of(matrix.policy)[kind], problems)
            each = chosen_for_each(accuracy, matrix, flops)
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
        f"Choosing for the {what} is better in {count} of "
        f"{sum(one[0] == what for one in compared)} comparisons, intervals above zero."
        for what, count in told.items()
    ]
    return table(head, rows), verdicts


def savings_section(matrices: Sequence[Matrix]) -> Section:
    """What compute-optimal strategies cost if each difficulty has its own, and if all share one."""
    rows, verdicts = [], []
    for matrix, kind in itertools.product(matrices, LIVE_KINDS):
        prm = prms_of(matrix.policy)[kind]
        problems = matrix.problems("all")
        accuracy = matrix.accuracy(prm, problems)
        one = choose(accuracy, matrix.flops(prm, problems), slack=SLACK)
        judged = pd.Series(0.0, index=accuracy.index)
        spent = 0.0
        for difficulty in DIFFICULTIES:
            mine = matrix.problems(difficulty)
            if len(mine) > 1:
                best = choose(accuracy.loc[mine], matrix.flops(prm, mine), slack=SLACK)
            else:
                best = one
            judged[mine] = best.judge(accuracy.loc[mine])
            spent += best.flops * len(mine) / len(problems)
        each, shared = judged.to_numpy(float), one.judge(accuracy)
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


def curves(
    matrix: Matrix, problems: Sequence[str]
) -> Iterator[tuple[str, str, list[int], list[Floats]]]:
    """Family, kind of PRM, budgets, and accuracies by problem at each of them."""
    for kind in LIVE_KINDS:
        accuracy = matrix.accuracy(prms_of(matrix.policy)[kind], problems)
        of: dict[str, Callable[[int], Strategy]] = {**COMPARED}
        if kind == LIVE_KINDS[0]:
            of["majority"] = Majority
        del of["best_of_n, weighted"]
        for family, at in of.items():
            names = {n: key(at(n)) for n in BUDGETS if n > 1 or at is Majority}
            budgets = [n for n, name in names.items() if name in accuracy]
            yield family, kind, budgets, [accuracy[names[n]].to_numpy(float) for n in budgets]


def draw_figure(matrices: Sequence[Matrix], path: Path) -> None:
    """Accuracy over budget, a panel for each policy and difficulty; 95 % bands where fine."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "apportion"
    from matplotlib import pyplot

    colours = {"majority": "black", "best_of_n, max": "tab:blue", "beam_search": "tab:orange",
               "dvts": "tab:green"}  # fmt: skip
    dashes = {"strong": "-", "off-policy": "--", "weak": ":"}
    shape = len(matrices), len(DIFFICULTIES)
    figure, axes = pyplot.subplots(*shape, figsize=(10, 2.8 * len(matrices)), sharex=True)
    lines = {}
    for row, matrix in enumerate(matrices):
        for panel, difficulty in zip(axes[row], DIFFICULTIES, strict=True):
            problems = matrix.problems(difficulty)
            panel.set_title(f"{matrix.policy}, {difficulty} ({len(problems)} problems)", fontsize=9)
            panel.set_xscale("log", base=4)
            panel.set_xticks(BUDGETS, [str(n) for n in BUDGETS])
            if not problems:
                continue
            for family, kind, budgets, accuracies in curves(matrix, problems):
                label = family if family == "majority" else f"{family}, {kind} PRM"
                means = [float(values.mean()) for values in accuracies]
                [lines[label]] = panel.plot(
                    budgets, means, dashes[kind], color=colours[family], marker=".", linewidth=1
                )
                if kind == "strong" and family in ("majority", "beam_search"):
                    low, high = zip(*map(accuracy_interval, accuracies), strict=True)
                    panel.fill_between(budgets, low, high, color=colours[family], alpha=0.12)
    axes[-1][1].set_xlabel("N, generations a problem")
    axes[0][0].set_ylabel("accuracy")
    figure.legend(
        lines.values(), lines.keys(), loc="lower center", ncol=4, fontsize=8, frameon=False
    )
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    # What the library writes ends lines with spaces.
    path.write_text("\n".join(map(str.rstrip, path.read_text().splitlines())) + "\n")


def main() -> None:
    """Write the page, its figure and the model cards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    matrices = [Matrix(policy) for policy in POLICIES]
    teacher = Matrix(TEACHER)
    everything = matrices[0].problems("all")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    figure = arguments.out.with_suffix(".svg")
    draw_figure(matrices, figure)
    quality = [one for policy in POLICIES for one in qualities(policy)]
    write_cards(matrices, quality)
    sections = {
        "prms": prm_section(quality),
        "choices": choices_section(matrices),
        "awareness": awareness_section(matrices),
        "savings": savings_section(matrices),
        "ladder": ladder_section(matrices, teacher),
        "searches": searches_section(matrices),
    }
    verdicts = {name: found for name, (_, found) in sections.items()}
    _, ledgers = load_pools(MEASURED / "pools", matrices[0].policy)
    bases = json.loads(BASES_FILE.read_text(encoding="utf-8"))
    text = TEMPLATE.format(
        problems=len(everything),
        pool=int(ledgers["samples"].min()),
        teacher=TEACHER,
        teacher_size=teacher.sizes[TEACHER],
        teacher_steps=bases[TEACHER]["steps"],
        teacher_greedy=accuracy_of(teacher.accuracy(None, everything)["greedy"].to_numpy(float)),
        verifier=VERIFIER,
        verifier_size=teacher.sizes[prms_of(matrices[0].policy)["strong"]],
        verifier_layers=bases[VERIFIER]["new_layers"],
        verifier_steps=bases[VERIFIER]["steps"],
        figure=figure.name,
        policies=policies_section(matrices),
        reward_samples=REWARD_SAMPLES,
        slack=SLACK,
        n=N,
        **{name: shown for name, (shown, _) in sections.items()},
        **{f"{name}_say": "".join(f"- {v}\n" for v in found) for name, found in verdicts.items()},
    )
    arguments.out.write_text(text, encoding="utf-8")
    finish({"page": str(arguments.out), "verdicts": verdicts}, "\n".join(verdicts["ladder"]),
           as_json=arguments.json)  # fmt: skip


TEMPLATE = """# The paper at small scale

_Made by `python bench/paper.py` from `data/measured`; words and tables alike come from that
script._

arXiv 2502.06703 asks of large models which test-time strategy is best, and finds that it depends on
the policy, the PRM and the difficulty. Here the same is asked of the laboratory: three small
policies trained by this project, a task whose steps can be checked exactly, and PRMs of known
making. All figures are of the same {problems} profile problems, with 95 % intervals over problems;
a section's differences are paired, and their intervals hold for all of them together (Bonferroni).
Difficulty is by pass@1 over {pool} samples; majority and best-of-N are replayed from the same
samples, which flatters them a little within a difficulty; beam search and DVTS are live runs.

How to read the tables: `name@N score/vote` is a strategy with N generations, a response's score
made of its step rewards (the last, the smallest, the mean, the product) and the vote over
responses. Difficulties are shares of right samples: easy at least 50 %, medium 10 to 50 %, hard
less. FLOPs are a problem's: 2 for each parameter and token forwarded, the PRM's included.

## The policies

{policies}
No whole chain of calculations of these problems was in any training. Pieces were: nearly every
single calculation of small numbers, and the short problems as steps of longer ones. So easy levels
measure what was learnt, long ones composing it.

## The PRMs

The reward of the last step against the correctness of the sample, {reward_samples} samples of each
problem. *Strong*: trained on the policy's own samples, every token labelled exactly, from
`{verifier}` (below). *Off-policy*: trained in the same way on as many samples of another policy,
from that policy's own weights, as PRMs are commonly made. *Transferred*: the strong PRM of another
policy; it differs from the strong one in the samples alone. *Weak*: a small base and few samples.
*Head*: what `apportion fit-prm` makes of the policy's hidden states.

{prms_say}
{prms}
An AUC over all samples is also earned by knowing which problems are hard; only the one within a
problem says whether right answers are told from wrong ones to the same question, which is what a
strategy needs.

What strong PRMs start from was made in two steps. `{teacher}` is a language model of
{teacher_size:,} parameters like the policies, trained for {teacher_steps:,} steps; it answers
{teacher_greedy} of these problems greedily. `{verifier}` puts
{verifier_layers} layers on it ({verifier_size:,} parameters) and is trained for
{verifier_steps:,} steps on solutions with made mistakes, to judge each token by what was said
before it. Without that step PRMs learn which problems are hard and little else:
`bench/recall_probe.py` shows why.

## Does the best strategy change?

The problems of a cell are split into two halves, and each half chooses for the other. *Best at
N = {n}*: of all strategies of that budget that were measured: majority, best-of-N with
every score and vote, the searches with one of each; the more variants, the likelier the best is one
of them. *Compute-optimal*: of all strategies and budgets up to {pool}, the one of least FLOPs
within {slack} of the best mean on the half that chooses. Two names mean that the halves chose
differently.

{choices_say}
{choices}
![accuracy over budget]({figure})

What the choice is worth: at N = {n}, the strategy chosen for a problem's own difficulty, PRM or
policy, against one chosen without that knowledge, both on the same other half.

{awareness_say}
{awareness}
And what it saves: the cheapest strategies within {slack} of the best, of all budgets up to {pool}.

{savings_say}
{savings}
## Does a small policy beat a larger one's greedy answer?

FLOPs count the PRM's tokens too. The rows without a PRM and with the head, which comes from the
policy itself, show what is left without a model that has been trained for longer; the last rows
compare with that model's own greedy answer.

{ladder_say}
{ladder}
## Does search with an off-policy PRM fall below majority?

At equal N, on the same problems. Searches vote weighted by the last step's reward; best-of-N is
shown with that vote and with the paper's, the maximum.

{searches_say}
{searches}"""


if __name__ == "__main__":
    main()
