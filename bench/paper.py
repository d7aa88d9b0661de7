"""The paper at small scale: asks the laboratory what arXiv 2502.06703 asks of large models.

Reads `data/measured` (nothing is run) and writes `docs/paper-at-small-scale.md` with its figure.
Accuracies stand beside 95 % intervals from resampling problems. Where a best strategy is chosen,
it is chosen on one half of the problems and judged on the other, both ways.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cards import write_cards
from common import ROOT, finish
from matrix import (
    MEASURED,
    REWARD_SAMPLES,
    Matrix,
    Quality,
    accuracy_of,
    choose,
    estimate,
    pass_at_1_by_level,
    qualities,
    short,
    signed,
    table,
    told,
)

sys.path.insert(0, str(ROOT))
from profiling.laboratory.catalog import POLICIES, TEACHER, prms_of
from profiling.laboratory.task import LEVELS
from profiling.pools import load_pools

PAGE = ROOT / "docs" / "paper-at-small-scale.md"
DIFFICULTIES = ("easy", "medium", "hard")
N = 64  # the largest budget of live search
SLACK = 0.01  # accuracy that a compute-optimal choice may give away
COMPARED: dict[str, Callable[[int], str]] = {
    "best_of_n": lambda n: f"best_of_n(n={n},score=last,vote=max)",
    "beam_search": lambda n: f"beam_search(n={n},width=4,score=last,vote=weighted)",
    "dvts": lambda n: f"dvts(n={n},width=4,score=last,vote=weighted)",
}
LIVE_KINDS = ("strong", "off-policy", "weak")


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
        means = pass_at_1_by_level(matrix)
        by_level.append([matrix.policy, *(f"{means[level]:.2f}" for level in LEVELS)])
    return (
        table(["policy", "parameters", "pass@1", "easy", "medium", "hard", "greedy accuracy"], rows)
        + "\nPass@1 by level of the hardness dial:\n\n"
        + table(["policy", *map(str, LEVELS)], by_level)
    )


def prm_section(quality: Sequence[Quality]) -> tuple[str, list[str]]:
    """Quality of every PRM on every policy, and whether the kinds can be told apart."""
    head = ["policy", "PRM", "name", "AUC", "AUC within a problem", "calibration error", "Brier"]
    verdicts = []
    for policy in POLICIES:
        of = {q.kind: q.statistics.auc for q in quality if q.policy == policy}
        apart = [kind for kind in of if of[kind].high < of["strong"].low]
        rest = [kind for kind in of if kind not in (*apart, "strong")]
        verdicts.append(
            f"{policy}: strong {of['strong']}; clearly below it (intervals apart): "
            f"{', '.join(apart) or 'none'}; not: {', '.join(rest) or 'none'}."
        )
    return table(head, [[q.policy, q.kind, q.prm, *q.figures()] for q in quality]), verdicts


def choice_section(matrices: Sequence[Matrix]) -> tuple[str, list[str]]:
    """The best strategy of every policy, PRM and difficulty, at equal N and compute-optimally."""
    rows, verdicts = [], []
    cells = len(matrices) * len(LIVE_KINDS) * len(DIFFICULTIES)
    beaten = 0
    for matrix in matrices:
        for kind in LIVE_KINDS:
            prm, optimal = prms_of(matrix.policy)[kind], {}
            for difficulty in DIFFICULTIES:
                problems = matrix.problems(difficulty)
                accuracy, flops = matrix.accuracy(prm, problems), matrix.flops(prm, problems)
                equal = accuracy[[name for name in accuracy if f"n={N}," in name or
                                  name == f"majority(n={N})"]]  # fmt: skip
                best, cheap = choose(equal, flops), choose(accuracy, flops, slack=SLACK)
                majority = accuracy[f"majority(n={N})"].to_numpy(float)
                difference = best.judged - majority
                # So many cells are looked at that one in twenty would be found by chance.
                beaten += estimate(difference, 1 - 0.05 / cells).low > 0
                optimal[difficulty] = cheap.strategies
                rows.append(
                    [
                        matrix.policy, kind, difficulty, str(len(problems)), best.names(),
                        accuracy_of(best.judged), accuracy_of(majority),
                        signed(estimate(difference)), cheap.names(), accuracy_of(cheap.judged),
                        f"{cheap.flops:.1e}",
                    ]
                )  # fmt: skip
            if kind == "strong":
                families = {
                    difficulty: {name.partition("(")[0] for name in names}
                    for difficulty, names in optimal.items()
                }
                verdicts.append(
                    f"{matrix.policy} with its strong PRM: compute-optimal is "
                    + "; ".join(
                        f"{' or '.join(short(name) for name in names)} where it is {difficulty}"
                        for difficulty, names in optimal.items()
                    )
                    + (
                        ": the choice changes with difficulty."
                        if len({frozenset(names) for names in optimal.values()}) > 1
                        else ": the choice does not change with difficulty."
                    )
                    + (
                        " So does the family."
                        if not set.intersection(*families.values())
                        else " One family serves all of them."
                    )
                )
    verdicts.append(
        f"In {beaten} of {cells} cells the best strategy at N = {N} is above majority@{N} with an "
        f"interval of {1 - 0.05 / cells:.2%}, which allows for looking at so many."
    )
    head = ["policy", "PRM", "difficulty", "problems", f"best at N = {N}", "its accuracy",
            f"majority@{N}", "difference", "compute-optimal", "its accuracy", "FLOPs"]  # fmt: skip
    return table(head, rows), verdicts


def ladder_section(matrices: Sequence[Matrix]) -> tuple[str, list[str]]:
    """Smaller policies with their best strategy against the greedy answer of the next larger."""
    rows, verdicts = [], []
    for small, large in itertools.pairwise(matrices):
        problems = sorted(set(small.problems("all")) & set(large.problems("all")))
        greedy = large.accuracy(None, problems)["greedy"].to_numpy(float)
        greedy_flops = float(large.flops(None, problems)["greedy"])
        for kind, prm in {"none": None, **prms_of(small.policy)}.items():
            best = choose(small.accuracy(prm, problems), small.flops(prm, problems))
            difference = estimate(best.judged - greedy)
            size = f"{small.sizes[prm]:,}" if prm else ""
            rows.append(
                [
                    small.policy, kind, size, best.names(), accuracy_of(best.judged),
                    f"{best.flops:.1e}", large.policy, accuracy_of(greedy), f"{greedy_flops:.1e}",
                    signed(difference),
                ]
            )  # fmt: skip
            if kind in ("none", "strong", "head"):
                verdicts.append(
                    f"{small.policy}, {'no PRM' if prm is None else f'{kind} PRM'}: "
                    f"{best.names()} is {told(difference)} the greedy answer of {large.policy}, "
                    f"{signed(difference)}, at {best.flops / greedy_flops:,.0f} times its FLOPs."
                )
    head = ["small", "PRM", "its parameters", "best (chosen on the other half)", "accuracy",
            "FLOPs", "large", "greedy accuracy", "FLOPs", "difference"]  # fmt: skip
    return table(head, rows), verdicts


def off_policy_section(matrices: Sequence[Matrix]) -> tuple[str, list[str]]:
    """Search with each PRM against a majority of the same budget."""
    rows, verdicts = [], []
    for matrix in matrices:
        problems = matrix.problems("all")
        for kind in LIVE_KINDS:
            accuracy = matrix.accuracy(prms_of(matrix.policy)[kind], problems)
            for n in (4, 16, 64):
                majority = accuracy[f"majority(n={n})"].to_numpy(float)
                minus = {
                    family: estimate(accuracy[name(n)].to_numpy(float) - majority)
                    for family, name in COMPARED.items()
                }
                cells = [matrix.policy, kind, str(n), accuracy_of(majority)]
                rows.append([*cells, *(signed(e) for e in minus.values())])
                if n == N:
                    verdicts.append(
                        f"{matrix.policy}, {kind} PRM, N = {n}: "
                        + "; ".join(f"{family} {told(e)} majority" for family, e in minus.items())
                        + "."
                    )
    head = ["policy", "PRM", "N", "majority", *(f"{family} minus majority" for family in COMPARED)]
    return table(head, rows), verdicts


def draw_figure(matrices: Sequence[Matrix], path: Path) -> None:
    """Accuracy over budget, a panel for each policy and difficulty."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "apportion"
    from matplotlib import pyplot

    lines = (
        ("majority", "strong", "black", "-"),
        ("best_of_n", "strong", "tab:blue", "-"),
        ("best_of_n", "off-policy", "tab:blue", "--"),
        ("best_of_n", "weak", "tab:blue", ":"),
        ("beam_search", "strong", "tab:orange", "-"),
        ("beam_search", "off-policy", "tab:orange", "--"),
        ("beam_search", "weak", "tab:orange", ":"),
    )
    shape = len(matrices), 3
    figure, axes = pyplot.subplots(*shape, figsize=(10, 2.6 * len(matrices)), sharex=True)
    for row, matrix in enumerate(matrices):
        for column, difficulty in enumerate(DIFFICULTIES):
            panel = axes[row][column]
            problems = matrix.problems(difficulty)
            panel.set_title(f"{matrix.policy}, {difficulty} ({len(problems)} problems)", fontsize=9)
            panel.set_xscale("log", base=4)
            if not problems:
                continue
            for family, kind, colour, dash in lines:
                accuracy = matrix.accuracy(prms_of(matrix.policy)[kind], problems)
                name = COMPARED.get(family, lambda n: f"majority(n={n})")
                budgets = [n for n in (1, 4, 16, 64, 256) if name(n) in accuracy]
                means = [accuracy[name(n)].mean() for n in budgets]
                label = family if family == "majority" else f"{family}, {kind} PRM"
                panel.plot(budgets, means, dash, color=colour, label=label, marker=".")
    axes[-1][1].set_xlabel("N, generations a problem")
    axes[0][0].set_ylabel("accuracy")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=4, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Write the page, its figure and the model cards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    matrices = [Matrix(policy) for policy in POLICIES]
    everything = matrices[0].problems("all")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    figure = arguments.out.with_suffix(".svg")
    draw_figure(matrices, figure)
    quality = [one for policy in POLICIES for one in qualities(policy)]
    write_cards(matrices, quality)
    sections = {
        "prms": prm_section(quality),
        "choices": choice_section(matrices),
        "ladder": ladder_section(matrices),
        "searches": off_policy_section(matrices),
    }
    verdicts = {name: found for name, (_, found) in sections.items()}
    _, ledgers = load_pools(MEASURED / "pools", matrices[0].policy)
    teacher = Matrix(TEACHER)
    text = TEMPLATE.format(
        problems=len(everything),
        pool=int(ledgers["samples"].min()),
        teacher=TEACHER,
        teacher_size=f"{teacher.sizes[TEACHER]:,}",
        teacher_greedy=accuracy_of(teacher.accuracy(None, everything)["greedy"].to_numpy(float)),
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
making. All figures are of the same {problems} profile problems; intervals are 95 %, from resampling
problems. Difficulty is by pass@1 over {pool} samples; majority and best-of-N are replayed from the
same samples, beam search and DVTS are live runs.

What is held out: no chain of calculations of these problems was in any model's training. Single
calculations were: a small model cannot know a sum it has never seen, and of those below 50 nearly
all occur in training. So this measures composing, not generalising to new arithmetic.

## The policies

{policies}
## The PRMs

The reward of the last step against the correctness of the sample, by problem ({reward_samples}
samples of each). *Strong*: trained on the policy's own samples with exact step labels.
*Off-policy*: the strong PRM of another policy. *Weak*: a small base and few samples. *Head*: what
`apportion fit-prm` makes of the policy's hidden states.

{prms_say}
{prms}
All strong PRMs start from the weights of {teacher}: off-policy differs from strong in the samples
alone. {teacher} has {teacher_size} parameters, was trained three times as long as the policies, and
answers {teacher_greedy} of these problems greedily by itself. A verifier
has to know more sums than the policy it checks; whoever has such a model and can afford to let it
answer may not need the policies.

## Does the best strategy change?

*Best at N = {n}*: of all strategies of that budget, every score and vote included.
*Compute-optimal*: of all strategies and budgets up to 256, the one of least FLOPs within {slack} of
the best accuracy. Both are chosen on every other problem and judged on the rest, and the other way
round; two names mean that the halves chose differently.

{choices_say}
{choices}
![accuracy over budget]({figure})

## Does a small policy beat a larger one's greedy answer?

FLOPs count the PRM's tokens too. A strong PRM knows more than the policy it checks; the rows
without a PRM and with the head, which knows no more than its policy, show what is left without it.

{ladder_say}
{ladder}
## Does search with an off-policy PRM fall below majority?

At equal N, on the same problems.

{searches_say}
{searches}
"""

if __name__ == "__main__":
    main()
