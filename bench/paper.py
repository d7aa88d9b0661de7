"""The paper at small scale: asks the laboratory what arXiv 2502.06703 asks of large models.

Reads `data/measured` (nothing is run) and writes `docs/paper-at-small-scale.md` with its figure.
Accuracies stand beside 95 % intervals from resampling problems. Where a best strategy is chosen,
it is chosen on one half of the problems and judged on the other, both ways.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import ROOT, finish
from numpy.typing import NDArray

sys.path.insert(0, str(ROOT))
from executor.problem import problem_uid
from planner import evidence
from planner.costs import Rates
from profiling.laboratory.catalog import POLICIES, PRMS, head_of, prms_of
from profiling.laboratory.task import LEVELS, read_problems
from profiling.laboratory.train import TRAINING_FILE
from profiling.pools import load_pools, rewards_of
from profiling.rewards import Estimate, RewardStatistics, reward_statistics

Floats = NDArray[np.float64]

MEASURED = ROOT / "data" / "measured"
MODELS = ROOT / "data" / "models"
PROBLEMS = ROOT / "data" / "problems" / "laboratory" / "profile.jsonl"
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
RESAMPLES = 2000
# Reward statistics resample whole problems; so many samples of each say as much as all 256.
REWARD_SAMPLES = 64


def estimate(values: Floats, level: float = 0.95) -> Estimate:
    """The mean of one number a problem, with an interval from resampling problems.

    Where all problems say the same, resampling sees no spread: there the rule of three bounds how
    often another problem may differ.
    """
    mean = float(values.mean())
    if np.ptp(values) == 0:
        unseen = -math.log(1 - level) / len(values)
        return Estimate(mean, mean - unseen, mean + unseen)
    rng = np.random.default_rng(0)
    picked = rng.integers(len(values), size=(RESAMPLES, len(values)))
    tail = (1 - level) / 2
    low, high = np.quantile(values[picked].mean(axis=1), [tail, 1 - tail])
    return Estimate(mean, float(low), float(high))


def accuracy_of(values: Floats) -> str:
    """An accuracy with its interval, which stays between 0 and 1."""
    e = estimate(values)
    return f"{e.value:.3f} [{max(0.0, e.low):.3f}, {min(1.0, e.high):.3f}]"


def signed(e: Estimate) -> str:
    """A difference with its interval."""
    return f"{e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}]"


def told(e: Estimate) -> str:
    """What an interval says of a difference."""
    return "above" if e.low > 0 else "below" if e.high < 0 else "not told apart from"


class Matrix:
    """What every strategy did on every problem, for one policy."""

    def __init__(self, policy: str) -> None:
        frame = evidence.bundled(policy)
        if frame.empty:
            sys.exit(f"no evidence of {policy} in {MEASURED}; bench/laboratory.py makes it")
        self.policy = policy
        self.frame = frame
        about = frame.drop_duplicates("problem").set_index("problem")
        self.difficulty = about["difficulty"]
        self.pass_at_1 = about["pass_at_1"]
        self.sizes = evidence.bundled_sizes()

    def problems(self, difficulty: str) -> list[str]:
        """Those of a difficulty, or all, in a fixed order."""
        chosen = (
            self.difficulty
            if difficulty == "all"
            else (self.difficulty[self.difficulty == difficulty])
        )
        return sorted(chosen.index)

    def accuracy(self, prm: str | None, problems: Sequence[str]) -> pd.DataFrame:
        """Shape `(problems, strategies)`: those that need no PRM, and those with `prm`."""
        rows = self.frame[self.frame["prm"].isin(["", prm or ""])]
        wide = rows.pivot_table(index="problem", columns="strategy", values="accuracy")
        return wide.loc[list(problems)].dropna(axis="columns")

    def flops(self, prm: str | None, problems: Sequence[str]) -> pd.Series:
        """Mean FLOPs a problem of every strategy that needs no PRM, and of those with `prm`."""
        rows = self.frame[
            self.frame["prm"].isin(["", prm or ""]) & self.frame["problem"].isin(list(problems))
        ]
        rates = Rates(self.sizes[self.policy], self.sizes.get(prm or ""))
        tokens = ["generated_tokens", "prompt_tokens", "prm_tokens"]
        means = rows.groupby("strategy")[tokens].mean()
        return means.apply(lambda mean: rates.price(*map(float, mean)).flops, axis="columns")


@dataclass(frozen=True)
class Choice:
    """Strategies chosen on one half of the problems and judged on the other, both ways.

    Attributes:
        judged: accuracy on every problem of the strategy that the other half chose.
        strategies: those chosen, one or two.
        flops: mean a problem.
    """

    judged: Floats
    strategies: tuple[str, ...]
    flops: float

    def names(self) -> str:
        """For a table."""
        return " / ".join(short(name) for name in self.strategies)


def choose(accuracy: pd.DataFrame, flops: pd.Series, slack: float = 0.0) -> Choice:
    """The cheapest strategy whose mean is within `slack` of the best, half by half.

    Halves are every other problem. With `slack` 0 it is the best, ties to the cheaper.
    """
    values, cost = accuracy.to_numpy(float), flops[accuracy.columns].to_numpy(float)
    judged, chosen = np.empty(len(values)), []
    for half in (0, 1):
        mine = np.arange(len(values)) % 2 == half
        means = values[~mine].mean(axis=0)
        good = means >= means.max() - slack - 1e-9
        best = int(np.flatnonzero(good)[cost[good].argmin()])
        judged[mine] = values[mine, best]
        chosen.append(best)
    return Choice(
        judged,
        tuple(dict.fromkeys(str(accuracy.columns[best]) for best in chosen)),
        float(cost[chosen].mean()),
    )


def short(strategy: str) -> str:
    """`best_of_n(n=16,score=last,vote=max)` as `best_of_n@16 last/max`."""
    name, _, options = strategy.rstrip(")").partition("(")
    told = dict(option.split("=") for option in options.split(",") if option)
    n = f"@{told['n']}" if "n" in told else ""
    how = "/".join(told[key] for key in ("score", "vote") if key in told)
    return f"{name}{n} {how}".strip()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


@dataclass(frozen=True)
class Quality:
    """Reward statistics of one PRM on one policy's pool."""

    policy: str
    kind: str
    prm: str
    statistics: RewardStatistics

    def figures(self) -> list[str]:
        """AUC, AUC within a problem, calibration error, Brier score."""
        s = self.statistics
        return list(map(str, (s.auc, s.auc_within, s.calibration_error, s.brier)))


def qualities(policy: str) -> Iterator[Quality]:
    """Reward statistics of each PRM of a policy, last step, by problem."""
    samples, _ = load_pools(MEASURED / "pools", policy)
    samples = samples[samples["sample"] < REWARD_SAMPLES]
    for kind, prm in prms_of(policy).items():
        given = rewards_of(samples, prm)
        scored = given.map(len) > 0
        last = given[scored].map(lambda steps: steps[-1]).to_numpy(float)
        problem = pd.factorize(samples["problem"][scored])[0]
        correct = samples["correct"][scored].to_numpy(bool)
        yield Quality(policy, kind, prm, reward_statistics(last, correct, problem))


def pass_at_1_by_level(matrix: Matrix) -> pd.Series:
    """Mean pass@1 of each level of the hardness dial."""
    levels = {problem_uid(p): int(p.meta["level"]) for p in read_problems(PROBLEMS)}
    return matrix.pass_at_1.groupby(pd.Series(levels).loc[matrix.pass_at_1.index]).mean()


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


def policy_card(matrix: Matrix, training: dict[str, Any]) -> str:
    """The model card of a policy."""
    means = pass_at_1_by_level(matrix)
    return POLICY_CARD.format(
        name=matrix.policy,
        parameters=matrix.sizes[matrix.policy],
        **training,
        levels=table(
            ["level", "operations", "largest addend", "largest number", "pass@1"],
            [
                [str(number), str(level.operations), str(level.addend), str(level.largest),
                 f"{means[number]:.2f}"]
                for number, level in LEVELS.items()
            ],
        ),
        problems=len(matrix.pass_at_1),
        mean=accuracy_of(matrix.pass_at_1.to_numpy(float)),
    )  # fmt: skip


def prm_card(name: str, size: int, training: dict[str, Any], quality: Sequence[Quality]) -> str:
    """The model card of a PRM."""
    head = ["policy", "as", "AUC", "AUC within a problem", "calibration error", "Brier"]
    rows = [[q.policy, q.kind, *q.figures()] for q in quality if q.prm == name]
    return PRM_CARD.format(name=name, parameters=size, **training, quality=table(head, rows))


def head_card(name: str, size: int, quality: Sequence[Quality]) -> str:
    """The model card of a reward head."""
    head = ["policy", "AUC", "AUC within a problem", "calibration error", "Brier"]
    rows = [[q.policy, *q.figures()] for q in quality if q.prm == name]
    return HEAD_CARD.format(name=name, parameters=size, quality=table(head, rows))


def write_cards(matrices: Sequence[Matrix], quality: Sequence[Quality]) -> None:
    """A model card beside every model."""

    def write(name: str, card: str) -> None:
        (MODELS / name / "README.md").write_text(card, encoding="utf-8")

    def training(name: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((MODELS / name / TRAINING_FILE).read_text())
        return record

    sizes = evidence.bundled_sizes()
    for matrix in matrices:
        write(matrix.policy, policy_card(matrix, training(matrix.policy)))
        head = head_of(matrix.policy)
        write(head, head_card(head, sizes[head], quality))
    for prm in PRMS:
        write(prm, prm_card(prm, sizes[prm], training(prm), quality))


def main() -> None:
    """Write the page, its figure and the model cards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    matrices = [Matrix(policy) for policy in POLICIES]
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
    text = TEMPLATE.format(
        problems=len(matrices[0].problems("all")),
        pool=int(ledgers["samples"].min()),
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
The strong PRMs of lab-0.4m and lab-0.8m start from the weights of lab-0.8m, that of lab-1.8m from
its own. So for lab-0.8m off-policy differs from strong in the samples alone; for the other two also
in the size of the base, larger for lab-0.4m and smaller for lab-1.8m.

## Does the best strategy change?

*Best at N = {n}*: of all strategies of that budget, every score and vote included.
*Compute-optimal*: of all strategies and budgets up to 256, the one of least FLOPs within {slack} of
the best accuracy. Both are chosen on every other problem and judged on the rest, and the other way
round; two names mean that the halves chose differently.

{choices_say}
{choices}
![accuracy over budget]({figure})

## Does a small policy beat a larger one's greedy answer?

FLOPs count the PRM's tokens too. The strong PRM of lab-0.4m is larger than lab-0.4m itself; the
rows without a PRM and with the head, which is no larger than its policy, show what is left without
that.

{ladder_say}
{ladder}
## Does search with an off-policy PRM fall below majority?

At equal N, on the same problems.

{searches_say}
{searches}
"""

POLICY_CARD = """# {name}

A policy of apportion's laboratory: a Llama of {parameters:,} parameters that solves the task of
`profiling/laboratory/task.py`, and nothing else. Made by `bench/laboratory.py`; Apache-2.0.

- Task: stories and bare expressions of 1 to 7 operations, solved a step a paragraph.
- Shape: hidden {hidden}, {layers} layers, heads of 32, tied embeddings, float32.
- Data: seeded training problems without end, none of which shares its chain of calculations with a
  profile or held-out problem (single calculations do recur); loss on solutions only.
- Training: {steps} steps of {batch} problems, AdamW, peak learning rate {learning_rate}, cosine
  decay; {tokens:,} tokens in {seconds} s on one core; loss {loss} a solution token at the end.

Pass@1 (T = 0.7) on the {problems} profile problems: {mean}. By level of the hardness dial:

{levels}"""

PRM_CARD = """# {name}

A process reward model of apportion's laboratory: {parameters:,} parameters, one score a step, read
at the step's end. Made by `bench/laboratory.py`; Apache-2.0.

- Data: {samples} samples of `{policy}` on each of {problems} training problems; a step's label is
  whether it and all before it are right, which this task can check exactly.
- Base: the weights of `{base}`, all of them trained on.
- Training: {steps} steps of {batch} samples, AdamW, peak learning rate {learning_rate}, cosine
  decay; {tokens:,} tokens in {seconds} s on one core; binary cross-entropy {loss} at the end.

Last-step reward against the correctness of samples on profile problems, none of which it has seen;
95 % intervals by resampling problems:

{quality}"""

HEAD_CARD = """# {name}

A reward head made by `apportion fit-prm` in `bench/laboratory.py`: {parameters:,} parameters, of
which only a linear head on the policy's hidden states was trained; Apache-2.0.

Last-step reward against the correctness of samples on profile problems, none of which it has seen;
95 % intervals by resampling problems:

{quality}"""


if __name__ == "__main__":
    main()
