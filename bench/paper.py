"""The paper at small scale: asks the laboratory what arXiv 2502.06703 asks of large models.

Reads `data/measured` (nothing is run) and writes `docs/paper-at-small-scale.md` with its figure.
Accuracies stand beside 95 % intervals from resampling problems. Where a best strategy is chosen,
it is chosen on one half of the problems and judged on the other, both ways.
"""

from __future__ import annotations

import argparse
import itertools
import json
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
from profiling.laboratory.__main__ import TRAINING_FILE
from profiling.laboratory.catalog import POLICIES, PRMS, head_of, prms_of
from profiling.laboratory.task import LEVELS, read_problems
from profiling.pools import load_pools, rewards_of
from profiling.rewards import RewardStatistics, reward_statistics

Floats = NDArray[np.float64]

MEASURED = ROOT / "data" / "measured"
MODELS = ROOT / "data" / "models"
PROBLEMS = ROOT / "data" / "problems" / "laboratory" / "profile.jsonl"
PAGE = ROOT / "docs" / "paper-at-small-scale.md"
DIFFICULTIES = ("easy", "medium", "hard", "all")
SEARCHES = ("beam_search", "dvts")
LIVE_KINDS = ("strong", "off-policy", "weak")
RESAMPLES = 2000
# Reward statistics resample whole problems; so many samples of each say as much as all 256.
REWARD_SAMPLES = 64


@dataclass(frozen=True)
class Estimate:
    """A mean over problems with its 95 % interval."""

    value: float
    low: float
    high: float
    problems: int

    @classmethod
    def of(cls, values: Floats) -> Estimate:
        """Of one number a problem, by resampling problems."""
        rng = np.random.default_rng(0)
        picked = rng.integers(len(values), size=(RESAMPLES, len(values)))
        low, high = np.quantile(values[picked].mean(axis=1), [0.025, 0.975])
        return cls(float(values.mean()), float(low), float(high), len(values))

    def signed(self) -> str:
        """As a difference."""
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


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

    def flops(self, strategy: str, prm: str | None, problems: Sequence[str]) -> float:
        """Mean FLOPs of a strategy a problem."""
        rows = self.frame[
            (self.frame["strategy"] == strategy)
            & self.frame["prm"].isin(["", prm or ""])
            & self.frame["problem"].isin(list(problems))
        ]
        rates = Rates(self.sizes[self.policy], self.sizes.get(prm or ""))
        mean = rows[["generated_tokens", "prompt_tokens", "prm_tokens"]].mean()
        flops = rates.price(*map(float, mean)).flops
        assert flops is not None
        return flops


def best_half_by_half(accuracy: pd.DataFrame) -> tuple[Floats, list[str]]:
    """What the best strategy scores on problems that did not choose it, and which it was.

    Each half of the problems (every other one) chooses by its mean, the other half judges. Of
    equally good strategies the one named first wins.
    """
    values = accuracy.to_numpy(float)
    judged = np.empty(len(values))
    chosen = []
    for half in (0, 1):
        mine = np.arange(len(values)) % 2 == half
        best = int(values[~mine].mean(axis=0).argmax())
        judged[mine] = values[mine, best]
        chosen.append(str(accuracy.columns[best]))
    return judged, chosen


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
                str(Estimate.of(matrix.pass_at_1.loc[everything].to_numpy(float))),
                *(f"{share.get(level, 0.0):.1%}" for level in DIFFICULTIES[:3]),
                str(Estimate.of(greedy)),
            ]
        )
        means = pass_at_1_by_level(matrix)
        by_level.append([matrix.policy, *(f"{means[level]:.2f}" for level in LEVELS)])
    return (
        table(["policy", "parameters", "pass@1", "easy", "medium", "hard", "greedy accuracy"], rows)
        + "\nPass@1 by level of the hardness dial:\n\n"
        + table(["policy", *map(str, LEVELS)], by_level)
    )


def prm_section(quality: Sequence[Quality]) -> str:
    """Quality of every PRM on every policy."""
    head = ["policy", "PRM", "name", "AUC", "AUC within a problem", "calibration error", "Brier"]
    return table(head, [[q.policy, q.kind, q.prm, *q.figures()] for q in quality])


def choice_section(matrices: Sequence[Matrix]) -> tuple[str, set[str]]:
    """The best strategy of every policy, PRM and difficulty; and the families that win."""
    rows, families = [], set()
    for matrix in matrices:
        for kind in LIVE_KINDS:
            prm = prms_of(matrix.policy)[kind]
            for difficulty in DIFFICULTIES[:3]:
                problems = matrix.problems(difficulty)
                if len(problems) < 10:
                    rows.append([matrix.policy, kind, difficulty, str(len(problems)), *"----"])
                    continue
                accuracy = matrix.accuracy(prm, problems)
                judged, chosen = best_half_by_half(accuracy)
                majority = accuracy["majority(n=64)"].to_numpy(float)
                families |= {name.partition("(")[0] for name in chosen}
                rows.append(
                    [
                        matrix.policy,
                        kind,
                        difficulty,
                        str(len(problems)),
                        " / ".join(short(name) for name in dict.fromkeys(chosen)),
                        str(Estimate.of(judged)),
                        str(Estimate.of(majority)),
                        Estimate.of(judged - majority).signed(),
                    ]
                )
    head = ["policy", "PRM", "difficulty", "problems", "best (chosen on the other half)",
            "its accuracy", "majority@64", "difference"]  # fmt: skip
    return table(head, rows), families


def ladder_section(matrices: Sequence[Matrix]) -> tuple[str, list[str]]:
    """Smaller policies with their best strategy against the greedy answer of the next larger."""
    rows, verdicts = [], []
    for small, large in itertools.pairwise(matrices):
        problems = sorted(set(small.problems("all")) & set(large.problems("all")))
        greedy = large.accuracy(None, problems)["greedy"].to_numpy(float)
        greedy_flops = large.flops("greedy", None, problems)
        for kind in LIVE_KINDS:
            prm = prms_of(small.policy)[kind]
            accuracy = small.accuracy(prm, problems)
            judged, chosen = best_half_by_half(accuracy)
            difference = Estimate.of(judged - greedy)
            spent = np.mean([small.flops(name, prm, problems) for name in chosen])
            rows.append(
                [
                    small.policy,
                    kind,
                    " / ".join(short(name) for name in dict.fromkeys(chosen)),
                    str(Estimate.of(judged)),
                    f"{spent:.2e}",
                    large.policy,
                    str(Estimate.of(greedy)),
                    f"{greedy_flops:.2e}",
                    difference.signed(),
                ]
            )
            if kind == "strong":
                word = (
                    "beats"
                    if difference.low > 0
                    else "falls below"
                    if difference.high < 0
                    else "cannot be told apart from"
                )
                verdicts.append(
                    f"{small.policy} with its strong PRM and its best strategy {word} the greedy "
                    f"answer of {large.policy}: {difference.signed()}, at "
                    f"{spent / greedy_flops:.0f} times its FLOPs."
                )
    head = ["small", "PRM", "best (chosen on the other half)", "accuracy", "FLOPs", "large",
            "greedy accuracy", "FLOPs", "difference"]  # fmt: skip
    return table(head, rows), verdicts


def off_policy_section(matrices: Sequence[Matrix]) -> str:
    """Search with each PRM against a majority of the same budget."""
    rows = []
    for matrix in matrices:
        problems = matrix.problems("all")
        for kind in LIVE_KINDS:
            accuracy = matrix.accuracy(prms_of(matrix.policy)[kind], problems)
            for n in (4, 16, 64):
                majority = accuracy[f"majority(n={n})"].to_numpy(float)
                cells = [matrix.policy, kind, str(n), str(Estimate.of(majority))]
                cells.append(
                    Estimate.of(
                        accuracy[f"best_of_n(n={n},score=last,vote=max)"].to_numpy(float) - majority
                    ).signed()
                )
                for search in SEARCHES:
                    name = f"{search}(n={n},width=4,score=last,vote=weighted)"
                    cells.append(Estimate.of(accuracy[name].to_numpy(float) - majority).signed())
                rows.append(cells)
    head = ["policy", "PRM", "N", "majority", "best_of_n minus majority",
            "beam_search minus majority", "dvts minus majority"]  # fmt: skip
    return table(head, rows)


def draw_figure(matrices: Sequence[Matrix], path: Path) -> None:
    """Accuracy over budget, a panel for each policy and difficulty."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "apportion"
    from matplotlib import pyplot

    def name(kind: str) -> Callable[[int], str]:
        return {
            "majority": lambda n: f"majority(n={n})",
            "best_of_n": lambda n: f"best_of_n(n={n},score=last,vote=max)",
            "beam_search": lambda n: f"beam_search(n={n},width=4,score=last,vote=weighted)",
        }[kind]

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
        for column, difficulty in enumerate(DIFFICULTIES[:3]):
            panel = axes[row][column]
            problems = matrix.problems(difficulty)
            panel.set_title(f"{matrix.policy}, {difficulty} ({len(problems)} problems)", fontsize=9)
            panel.set_xscale("log", base=4)
            if not problems:
                continue
            for family, kind, colour, dash in lines:
                accuracy = matrix.accuracy(prms_of(matrix.policy)[kind], problems)
                budgets = [n for n in (1, 4, 16, 64, 256) if name(family)(n) in accuracy]
                means = [accuracy[name(family)(n)].mean() for n in budgets]
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
        mean=Estimate.of(matrix.pass_at_1.to_numpy(float)),
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
    choices, families = choice_section(matrices)
    ladder, verdicts = ladder_section(matrices)
    quality = [one for policy in POLICIES for one in qualities(policy)]
    write_cards(matrices, quality)
    text = TEMPLATE.format(
        problems=len(matrices[0].problems("all")),
        figure=figure.name,
        policies=policies_section(matrices),
        prms=prm_section(quality),
        reward_samples=REWARD_SAMPLES,
        choices=choices,
        families=", ".join(sorted(families)),
        ladder=ladder,
        verdicts="\n".join(f"- {verdict}" for verdict in verdicts),
        searches=off_policy_section(matrices),
    )
    arguments.out.write_text(text, encoding="utf-8")
    finish({"page": str(arguments.out), "verdicts": verdicts}, " ".join(verdicts),
           as_json=arguments.json)  # fmt: skip


TEMPLATE = """# The paper at small scale

_Made by `python bench/paper.py` from `data/measured`; nothing here is written by hand but the
words between the tables._

arXiv 2502.06703 asks of large models which test-time strategy is best, and finds that it depends on
the policy, the PRM and the difficulty. Here the same is asked of the laboratory: three small
policies trained by this project, a task whose steps can be checked exactly, and PRMs of known
making. All figures are of the same {problems} profile problems, none of which any model was trained
on; intervals are 95 %, from resampling problems. Difficulty is by pass@1 over 256 samples.

## The policies

{policies}
## The PRMs

The reward of the last step against the correctness of the sample, by problem ({reward_samples}
samples of each). *Strong*: trained on the policy's own samples with exact step labels.
*Off-policy*: the strong PRM of another policy. *Weak*: a small base and few samples. *Head*: what
`apportion fit-prm` makes of the policy's hidden states.

{prms}
## Does the best strategy change?

Of all strategies and budgets up to 256, the best on every other problem, judged on the rest.
Families that win somewhere: {families}.

{choices}
![accuracy over budget]({figure})

## Does a small policy beat a larger one's greedy answer?

{verdicts}

{ladder}
## Does search with an off-policy PRM fall below majority?

At equal N, live search against the majority replayed from the pool, on the same problems.

{searches}
"""

POLICY_CARD = """# {name}

A policy of apportion's laboratory: a Llama of {parameters:,} parameters that solves the task of
`profiling/laboratory/task.py`, and nothing else. Made by `bench/laboratory.py`; Apache-2.0.

- Task: stories and bare expressions of 1 to 7 operations, solved a step a paragraph.
- Shape: hidden {hidden}, {layers} layers, heads of 32, tied embeddings, float32.
- Data: seeded training problems without end, none of which shares its chain of calculations with a
  profile or held-out problem; loss on solutions only.
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
