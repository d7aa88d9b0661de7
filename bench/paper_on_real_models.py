"""The paper on real models: asks public weights on public benchmarks what arXiv 2502.06703 asks.

It reads what `bench/record_real_models.py` wrote, runs no model, and writes
`docs/paper-on-real-models.md`. Strategies are chosen on the problems to learn from and judged on
held-out ones. Intervals are 95 %, over problems; differences are paired.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from common import MEASURED, ROOT, finish
from matrix import MIN_PROBLEMS, Difference, accuracy_of, of_budget, short, table
from real_matrix import Recorded, recorded
from real_models import BENCHMARKS, BUDGETS, PARTS, POLICIES
from sections import COMPARED

sys.path.insert(0, str(ROOT))
from executor.answers.grader import MathGrader
from executor.strategy import Greedy, Majority, ShortMOfK, from_key, key
from planner.plans.plan import DEFAULT
from planner.plans.serialization import load_plan
from profiling.arrays import Floats
from profiling.difficulty.estimator import LEVEL, intervals
from profiling.difficulty.fitting import DifficultyEstimator, class_posterior, quality
from profiling.pass_rate import Difficulty

PAGE = ROOT / "docs" / "paper-on-real-models.md"
N = max(BUDGETS)
GREEDY = key(Greedy())
PROBES = (0, 4, 8)
_HEAD = ["policy", "benchmark"]
_COST = ["tokens", "FLOPs", "seconds"]


def best(accuracy: pd.DataFrame, flops: pd.Series) -> str:
    """The strategy with the highest mean accuracy; the cheapest of equal ones."""
    means = accuracy.mean()
    return str(flops[means.index[means >= means.max() - 1e-9]].idxmin())


def named(strategy: str) -> str:
    """A strategy as tables have it; of the first m of n samples, with m."""
    made = from_key(strategy)
    return f"short_{made.m}_of_{made.n}" if isinstance(made, ShortMOfK) else short(strategy)


def everyone(one: Recorded) -> pd.DataFrame:
    """Accuracy of each strategy on each held-out problem, from whole pools."""
    matrix = one.judged
    return matrix.accuracy(one.prm, matrix.problems("all"))


def policies_section(parts: Sequence[Recorded]) -> str:
    """What was recorded, and how hard it is."""
    rows = []
    for one in parts:
        samples = one.pools(PARTS[1]).samples
        judged = one.judged
        classes = judged.difficulty.value_counts()
        rows.append([
            one.policy, one.benchmark, str(len(one.learnt.problems("all"))),
            str(len(judged.problems("all"))),
            str(int(samples.groupby("problem").size().min())),
            accuracy_of(samples.groupby("problem")["correct"].mean().to_numpy(float)),
            accuracy_of(everyone(one)[GREEDY].to_numpy(float)),
            " / ".join(str(classes.get(each.value, 0)) for each in Difficulty),
            f"{samples['tokens'].mean():.0f}",
        ])  # fmt: skip
    head = [*_HEAD, "learnt from", "judged on", "samples", "pass@1", "greedy",
            "easy / medium / hard", "tokens a response"]  # fmt: skip
    return table(head, rows)


def scorers_section(parts: Sequence[Recorded]) -> str:
    """How well each scorer tells right samples from wrong ones."""
    rows = []
    for one, scorer in [(each, name) for each in parts for name in each.scorers]:
        found = one.pools(PARTS[1]).statistics(scorer)
        if found is not None:
            rows.append([one.policy, one.benchmark, scorer, str(found.auc_within), str(found.auc),
                         f"{found.calibration_error:.3f}"])  # fmt: skip
    head = [*_HEAD, "scorer", "AUC within a problem", "AUC of all samples", "calibration"]
    return table(head, rows)


def strategies_section(parts: Sequence[Recorded]) -> tuple[str, list[str]]:
    """Every kind of strategy at every budget, beside majority of the same budget."""
    rows, said = [], []
    for one in parts:
        alone = one.judged.accuracy(None, one.judged.problems("all"))
        greedy = alone[GREEDY].to_numpy(float)
        wanted = [("", GREEDY, GREEDY)]
        for n in BUDGETS:
            wanted.append(("", key(Majority(n)), GREEDY))
            wanted += [("", key(ShortMOfK(n, m)), key(Majority(n))) for m in (1, 3)]
            wanted += [(scorer, key(made(n)), key(Majority(n)))
                       for scorer in one.scorers for made in COMPARED.values()]  # fmt: skip
        known = one.judged.frame.groupby(["prm", "strategy"])
        ran = [each for each in wanted if each[:2] in known.groups]
        told: dict[str, list[str]] = defaultdict(list)
        for scorer, strategy, beside in ran:
            group = known.get_group((scorer, strategy))
            mine = group.set_index("problem")["all_accuracy"].loc[alone.index].to_numpy(float)
            apart = Difference.of(mine, alone[beside].to_numpy(float), len(ran) - 1)
            rows.append([
                one.policy, one.benchmark, named(strategy), scorer or "-", accuracy_of(mine),
                "" if strategy == beside else f"{apart} than {short(beside)}",
                *one.cost(group),
            ])  # fmt: skip
            told[apart.told].append(named(strategy) + (f" with {scorer}" if scorer else ""))
        accuracy, vote = alone, key(Majority(N))
        gain = Difference.of(accuracy[vote].to_numpy(float), greedy)
        said.append(f"{one.policy} on {one.benchmark}: majority@{N} is {gain} above greedy.")
        for side in ("above", "below"):
            if told[side]:
                said.append(
                    f"{one.policy} on {one.benchmark}, {side} what they stand beside: "
                    f"{', '.join(told[side])}."
                )
    head = [*_HEAD, "strategy", "scorer", "accuracy", "more", *_COST]
    return table(head, rows), said


def choices_section(parts: Sequence[Recorded]) -> tuple[str, list[str]]:
    """The best strategy of each difficulty, chosen on the one part and judged on the other."""
    rows, said = [], []
    for one in parts:
        names: set[str] = set()
        for difficulty in Difficulty:
            learnt = one.learnt.problems(difficulty.value)
            judged = one.judged.problems(difficulty.value)
            if min(len(learnt), len(judged)) < MIN_PROBLEMS:
                continue
            seen = of_budget(one.learnt.accuracy(one.prm, learnt, in_class=True), BUDGETS[0])
            told = one.judged.accuracy(one.prm, judged, in_class=True)
            chosen = best(seen, one.learnt.flops(one.prm, learnt))
            names.add(chosen)
            mine, vote = told[chosen].to_numpy(float), key(Majority(BUDGETS[0]))
            apart = Difference.of(mine, told[vote].to_numpy(float))
            rows.append([one.policy, one.benchmark, difficulty.value, str(len(judged)),
                         short(chosen), accuracy_of(mine), str(apart)])  # fmt: skip
        if names:
            change = "changes" if len(names) > 1 else "does not change"
            said.append(
                f"{one.policy} on {one.benchmark}: the best strategy {change} by difficulty."
            )
    head = [*_HEAD, "difficulty", "problems", f"best at N = {BUDGETS[0]}", "its accuracy",
            "minus majority"]  # fmt: skip
    return table(head, rows), said


def ladder_section(parts: Sequence[Recorded]) -> str:
    """Does the small policy, with any strategy, reach the large one's greedy answer?"""
    large, small = POLICIES
    by_name = {(one.policy, one.benchmark): one for one in parts}
    rows = []
    for benchmark in BENCHMARKS:
        pair = by_name.get((small, benchmark)), by_name.get((large, benchmark))
        if pair[0] is None or pair[1] is None:
            continue
        mine, theirs = everyone(pair[0]), everyone(pair[1])
        both = mine.index.intersection(theirs.index)
        lucky = str(mine.loc[both].mean().idxmax())
        highest = mine.loc[both, lucky].to_numpy(float)
        apart = Difference.of(highest, theirs.loc[both, GREEDY].to_numpy(float))
        rows.append([benchmark, str(len(both)), short(lucky), accuracy_of(highest), str(apart)])
    head = ["benchmark", "problems", f"best of {small} in hindsight", "its accuracy",
            f"minus greedy of {large}"]  # fmt: skip
    return shown(head, rows)


def plans_section(parts: Sequence[Recorded]) -> tuple[str, list[str]]:
    """The plan as it ran, beside fixed strategies on the same held-out problems."""
    rows, said = [], []
    for one in parts:
        if one.plan.empty:
            said += unrouted(one)
            continue
        accuracy = everyone(one).loc[one.plan.index]
        plan = one.plan["accuracy"].to_numpy(float)
        learnt = one.learnt.accuracy(one.prm, one.learnt.problems("all"))
        fixed = best(learnt, one.learnt.flops(one.prm, learnt.index))
        beside = {"greedy": GREEDY, f"majority@{N}": key(Majority(N)), short(fixed): fixed}
        rows.append([one.policy, one.benchmark, "**plan**", accuracy_of(plan), "",
                     *one.cost(one.plan)])  # fmt: skip
        rows_of = one.judged.frame.groupby("strategy")
        for name, strategy in beside.items():
            other = accuracy[strategy].to_numpy(float)
            rows.append([one.policy, one.benchmark, name, accuracy_of(other),
                         str(Difference.of(plan, other, len(beside))),
                         *one.cost(rows_of.get_group(strategy))])  # fmt: skip
        apart = Difference.of(plan, accuracy[fixed].to_numpy(float))
        spent, theirs = (frame["generated_tokens"].mean()
                         for frame in (one.plan, rows_of.get_group(fixed)))  # fmt: skip
        said.append(
            f"{one.policy} on {one.benchmark}: the plan is {apart.told} the best fixed strategy "
            f"of the problems learnt from ({apart}), at "
            f"{spent / theirs:.2f} of its tokens."
        )
    head = [*_HEAD, "strategy", "accuracy", "plan minus it", *_COST]
    return "" if said and not rows else shown(head, rows), said


def unrouted(one: Recorded) -> list[str]:
    """What the plan that ships does to the held-out problems, if it runs one strategy for all."""
    path = MEASURED.parent / "plans" / f"{one.policy}.json"
    plan = load_plan(path) if path.is_file() else None
    if plan is None or plan.worth_routing or plan.entries[DEFAULT].strategy.needs_prm:
        return []
    strategy = key(plan.entries[DEFAULT].strategy)
    accuracy = one.judged.accuracy(None, one.judged.problems("all"))
    if strategy not in accuracy:
        return []
    mine = accuracy[strategy].to_numpy(float)
    apart = Difference.of(mine, accuracy[GREEDY].to_numpy(float))
    return [
        f"{one.policy} on {one.benchmark}: the plan does not route. It runs {strategy} on every "
        f"question, which solves {accuracy_of(mine)} of them (replayed), {apart} more than greedy."
    ]


def difficulty_section(parts: Sequence[Recorded]) -> str:
    """Difficulty told without labels: fitted on one part, judged on the other."""
    rows = []
    with MathGrader() as grader:
        for one in parts:
            seen, known = one.pools(PARTS[0]).questions(grader)
            asked, truth = one.pools(PARTS[1]).questions(grader)
            base = class_posterior(known).mean(axis=0)
            for k in PROBES:
                estimator = DifficultyEstimator((k,)).fit(seen, known)
                if estimator.model_ is None:
                    continue
                [head] = estimator.model_.heads
                x, problem = estimator.probe_sets(asked, k)
                ranges = head.ranges(x)
                ends: Floats = intervals(ranges, head.nominal)
                counts = truth[problem].T
                found = quality(ranges, np.tile(base, (len(x), 1)), ends, *counts)
                rows.append([one.policy, one.benchmark, str(k), f"{found.log_loss:.3f}",
                             f"{found.base_log_loss:.3f}", f"{found.coverage:.3f}",
                             f"{found.width:.3f}"])  # fmt: skip
    head_row = [*_HEAD, "probes", "log loss", "log loss of the classes' shares",
                f"{LEVEL:.0%} intervals cover", "their width"]  # fmt: skip
    return table(head_row, rows)


def shown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, or that there is nothing to show yet."""
    return table(head, rows) if rows else "Not recorded yet.\n"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    parts = list(recorded())
    if not parts:
        sys.exit("nothing is recorded of both parts; run bench/record_real_models.py first")
    strategies, gains = strategies_section(parts)
    choices, changes = choices_section(parts)
    plans, judged = plans_section(parts)
    text = TEMPLATE.format(
        policies=policies_section(parts), scorers=scorers_section(parts), strategies=strategies,
        choices=choices, ladder=ladder_section(parts), plans=plans,
        difficulty=difficulty_section(parts), n=N, least=MIN_PROBLEMS,
        **{name: "".join(f"- {line}\n" for line in found)
           for name, found in (("gains", gains), ("changes", changes), ("judged", judged))},
    )  # fmt: skip
    arguments.out.write_text(text, encoding="utf-8")
    document = {"page": str(arguments.out), "gains": gains, "changes": changes, "plans": judged}
    finish(document, "\n".join([*gains, *changes, *judged]), as_json=arguments.json)


TEMPLATE = """# The paper on real models

_`python bench/paper_on_real_models.py` writes this page, words and tables, from what
`bench/real_models.py` recorded._

arXiv 2502.06703 asks which test-time strategy is best, and finds that it depends on the policy, the
PRM and the difficulty. This page asks the same about public weights on public benchmarks. Their
sizes are those that two CPU cores can run: a model of 1.5 billion parameters in a 4-bit file, and
one of 135 million.

Problems are of two parts, drawn at random: strategies and plans are chosen on the problems *learnt
from*, and all accuracies are of the problems *judged on*. Difficulty is by pass@1: easy problems
have at least 50 % right samples, medium ones 10 to 50 %, hard ones less. Within a difficulty the
samples that give the accuracy are not those that give the difficulty. Intervals are 95 %, over
problems; a difference is paired, and its interval allows for all differences of its policy and
benchmark (Bonferroni). Majority and best-of-N are replayed from the samples; beam search, DVTS,
greedy and plans ran. Seconds are engine time of the machine that recorded this (two CPU cores).

## What was recorded

{policies}
## The scorers

There is no public PRM that two cores can run beside these policies. `mean-logprob` is the policy's
own log-probability a token, which is free. A reward head, if there is one, was trained by
`apportion fit-prm` on the policy's own samples of 200 training problems of GSM8K. On other
benchmarks it shows what such a head does on problems of another kind.

{scorers}
The AUC within a problem says whether the head tells right answers from wrong ones to the same
question. That is what a vote or a search needs. A head that only knows which problems are hard has
a good AUC over all samples.

## What more samples gain

A strategy stands beside majority of the same budget, and majority beside greedy. Votes of the first
to finish (`short_m_of_k`) come from models that think before they answer, whose long thoughts are
often lost ones ([Reasoning models](reasoning-models.md)). A model that writes its steps down once
may gain nothing from them.

{gains}
{strategies}
## Does the best strategy change with difficulty?

Classes of fewer than {least} problems are left out.

{changes}
{choices}
## Does the small model reach the large one's greedy answer?

The best strategy of the small one is chosen in hindsight, which flatters it.

{ladder}
## The plan

The plan has a budget of N = {n}. On the held-out problems no difficulty is told, and probes are
paid.

{judged}
{plans}
## Difficulty without labels

The estimator sees a question's text and its first samples, and no reference answer. It was fitted
on the problems learnt from.

{difficulty}"""


if __name__ == "__main__":
    main()
