"""How good are plans on the measured matrix, for problems, policies and PRMs they have not seen?

The matrix has three policies with five PRMs each, on 400 problems. The model is tuned and fitted on
four of five folds of problems; with it, strategies of at most N generations are chosen for the
fifth. The figures are:

- regret against the best strategy of each policy, PRM and difficulty in hindsight. The best of some
  dozens of strategies, judged on the same problems, is best partly by luck (`naive`: an upper bound
  on the regret). If it is chosen on one half of them and judged on the other, it is chosen from
  fewer problems than a plan is (`honest`: a lower bound);
- the plan as the router runs it, probes paid and no label told, beside the best fixed strategy that
  is chosen on the four folds, the best in hindsight, and the authors' rule of thumb; the same plan
  if it were told every difficulty is an upper bound. Intervals draw problems and pairs;
- the same regret with a policy, or a PRM, left out, and coverage of the model's 90 % intervals: the
  mean over the judged problems, against its predictive distribution
  (`planner.prediction.coverage`). The model then knows pass@1 and statistics of the PRM's rewards
  (from one profile), and no outcome of any strategy with it. One half of the problems is used to
  fit, the other to judge, both ways. Intervals of measured strategies do not come from the model;
  `bench/coverage.py` judges them;
- tokens at equal accuracy if four probes and no label route each question (`bench/routing.py`).

Regret, rules of thumb and the upper bound take a difficulty from the profile, which has seen the
labels.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from routing import route

from executor.answers.grader import MathGrader
from planner.choice.estimate import StrategyEstimate
from planner.choice.rule_of_thumb import Account
from planner.costs.cost import Rates
from planner.evaluation.comparison import (
    HINDSIGHT_OWN,
    RULE_OF_THUMB,
    TOLD,
    TRAINED_OWN,
    TRAINED_SINGLE,
    Comparison,
    Rule,
    against_oracle,
    area,
    compare,
    families,
    rules,
    running,
)
from planner.evaluation.crossfit import Arena, HeldOut, arenas, expectations
from planner.evaluation.exchange import exchange
from planner.evaluation.fixed_strategies import best_own, trained_own
from planner.evaluation.regret import regrets
from planner.evidence.bundled import bundled_profiles, bundled_rows, bundled_sizes
from planner.prediction.outcome_model import OutcomeModel
from planner.prediction.splits import FOLDS, hold_out, problem_folds
from planner.prediction.tuning import tune
from planner.usecases.fit_chooser import questions_of
from planner.usecases.routed_plans import routed
from profiling.laboratory.catalog import LIVE_BUDGETS, LIVE_KINDS, POLICIES, prms_of
from profiling.scorers.free import FREE_SCORERS

BUDGETS = (1, *LIVE_BUDGETS, 256)
TRIALS, TRIALS_LEFT_OUT = 12, 8
Left = tuple[str, str, int]  # kind, name, half that is judged

_FRAME: dict[str, pd.DataFrame] = {}


def frame() -> pd.DataFrame:
    """The matrix, read once a process: policies with their PRMs, without free scorers."""
    if not _FRAME:
        whole = bundled_rows()
        kept = whole["policy"].isin(POLICIES) & ~whole["prm"].isin(list(FREE_SCORERS))
        _FRAME["matrix"] = whole[kept].reset_index(drop=True)
    return _FRAME["matrix"]


def half_of(problems: pd.Series) -> pd.Series:
    """0 or 1 for every problem, evenly."""
    names = sorted(set(problems))
    halves = np.random.default_rng(0).permutation(len(names)) % 2
    return problems.map(dict(zip(names, halves.tolist(), strict=True)))


def fold_model(fold: int) -> OutcomeModel:
    """Tuned and fitted on all folds but one."""
    masks = list(problem_folds(frame()["problem"], 0))
    return tune(frame()[~masks[fold]].reset_index(drop=True), trials=TRIALS)


def left_out_model(left: Left) -> OutcomeModel:
    """Tuned and fitted on one half of the problems, without a policy or a PRM."""
    kind, name, judged = left
    rows = frame()
    kept = (half_of(rows["problem"]) != judged) & (rows[kind] != name)
    return tune(rows[kept].reset_index(drop=True), trials=TRIALS_LEFT_OUT)


def left_out() -> list[Left]:
    """Every policy and PRM, with either half to be judged."""
    names = [("policy", policy) for policy in POLICIES]
    names += [("prm", prm) for prm in sorted({p for x in POLICIES for p in prms_of(x).values()})]
    return [(kind, name, half) for kind, name in names for half in (0, 1)]


def fold_evidence(models: Sequence[OutcomeModel]) -> HeldOut:
    """The matrix in folds, and the model that has not seen each."""
    fitted = iter(models)
    return HeldOut.fit(frame(), lambda _: next(fitted))


def as_run(arena: Arena, held_out: HeldOut) -> Arena:
    """An arena with its plans as the router runs them, at every budget."""
    assert arena.prm is not None
    sizes = bundled_sizes()
    rates = Rates(sizes[arena.policy], sizes[arena.prm])
    with MathGrader() as grader:
        questions = questions_of(bundled_profiles(arena.policy, arena.prm), grader, scored=True)
        return routed(arena, held_out, questions, rates, BUDGETS, grader)


def left_out_arenas(models: Mapping[Left, OutcomeModel]) -> dict[str, list[Arena]]:
    """Plans with a policy or a PRM that the model has not seen, by kind."""
    rows = frame()
    half = half_of(rows["problem"])
    fold_of = dict(zip(rows["problem"], half, strict=True))
    found: dict[str, list[Arena]] = {}
    for kind, name in dict.fromkeys((kind, name) for kind, name, _ in models):
        pairs = rows[rows[kind] == name]
        own = rows[rows["policy"].isin(pairs["policy"].unique())]
        if kind == "prm":
            own = own[own["prm"].isin(["", name])]

        def expected(
            policy: str, prm: str | None, rates: Rates, kind: str = kind, name: str = name
        ) -> list[dict[str, list[StrategyEstimate]]]:
            return [
                expectations(
                    rows[half != judged], models[kind, name, judged], policy, prm, rates,
                    unseen=lambda cells: cells[kind] == name,
                )
                for judged in (0, 1)
            ]  # fmt: skip

        found.setdefault(kind, []).extend(arenas(own, fold_of, expected, bundled_sizes()))
    return found


def regret(found: Sequence[Arena], budgets: Sequence[int], *, at_any_cost: bool) -> dict[str, Any]:
    """Mean regret in points over cells, by budget and difficulty; `weighted` by problems."""
    cells = [
        cell
        for budget in budgets
        for arena in found
        for cell in regrets(arena, budget, arena.planned(budget, at_any_cost=at_any_cost))
    ]
    table = pd.DataFrame([asdict(cell) for cell in cells])
    for oracle in ("naive", "honest"):
        table[oracle] = 100 * (table[oracle] - table["plan"])
    both = ["naive", "honest"]
    weighted = {o: float(np.average(table[o], weights=table["problems"])) for o in both}
    return {
        "cells": len(table),
        "mean": table[both].mean().to_dict(),
        "weighted": weighted,
        "by_budget": table.groupby("budget")[both].mean().to_dict("index"),
        "by_difficulty": table.groupby("difficulty")[both].mean().to_dict("index"),
    }


def left_out_coverage(models: Mapping[Left, OutcomeModel]) -> dict[str, float]:
    """Share of cell means of policies and PRMs left out that their 90 % intervals cover, by kind.

    The means are over the half that is judged; the model alone predicts them.
    """
    half = half_of(frame()["problem"]).to_numpy()
    held_out = {judged: hold_out(frame(), half == judged) for judged in (0, 1)}
    shares: dict[str, list[float]] = {}
    for (kind, name, judged), model in models.items():
        split = held_out[judged]
        unseen = split.test[split.test[kind] == name].assign(
            successes=0.0, squares=0.0, problems=0.0, rows=0.0
        )
        covered = replace(split, test=unseen).covered(*model.posterior(unseen))
        shares.setdefault(kind, []).extend(covered)
    return {kind: float(np.mean(values)) for kind, values in shares.items()}


def against(found: Sequence[Arena], budget: int) -> list[Comparison]:
    """The plan beside everything else at a budget, on policies and PRMs with live searches."""
    rows = [compare(found, name, rule, budget) for name, rule in rules(found, budget).items()]
    return [row for row in (*rows, against_oracle(found, budget)) if row is not None]


def searched(found: Sequence[Arena]) -> list[Arena]:
    """Those with a PRM that searches were run with."""
    live = {(policy, prms_of(policy)[kind]) for policy in POLICIES for kind in LIVE_KINDS}
    return [arena for arena in found if (arena.policy, arena.prm) in live]


def measure(jobs: int) -> dict[str, Any]:
    """Everything, as one document."""
    with ProcessPoolExecutor(jobs) as pool:
        unseen = left_out()
        by_fold = list(pool.map(fold_model, range(FOLDS)))
        models = dict(zip(unseen, pool.map(left_out_model, unseen), strict=True))
    held_out = fold_evidence(by_fold)
    found = held_out.arenas(bundled_sizes())
    with ProcessPoolExecutor(jobs) as pool:
        live = list(pool.map(partial(as_run, held_out=held_out), searched(found)))
    curves: dict[str, Rule] = families(live)
    transferred = left_out_arenas(models)
    return {
        "pairs": [arena.name for arena in live],
        "models": [model.get_params() for model in by_fold],
        "regret": regret(found, LIVE_BUDGETS, at_any_cost=True),
        "regret_as_planned": regret(found, LIVE_BUDGETS, at_any_cost=False),
        "comparisons": [asdict(row) for n in LIVE_BUDGETS for row in against(live, n)],
        "exchanges": [
            asdict(beside)
            for name, pick in ((TRAINED_OWN, trained_own), (HINDSIGHT_OWN, best_own))
            for n in LIVE_BUDGETS
            if (beside := exchange(live, name, running(pick), n, BUDGETS)) is not None
        ],
        "areas": [asdict(row) for name, rule in curves.items()
                  if (row := area(live, name, rule, BUDGETS)) is not None],
        "left_out": {
            kind: regret(arenas, LIVE_BUDGETS, at_any_cost=True)
            for kind, arenas in transferred.items()
        },
        "left_out_coverage": left_out_coverage(models),
        "routing": route(live, max(LIVE_BUDGETS)),
    }  # fmt: skip


def _comparison(document: Mapping[str, Any], budget: int, start: str) -> str:
    [row] = [r for r in document["comparisons"]
             if r["budget"] == budget and r["against"].startswith(start)]  # fmt: skip
    share = row["tokens"][0] / row["tokens"][1]
    return f"{_points(row['difference'])} with {share:.2f} of its tokens at N = {budget}"


def _points(interval: Mapping[str, float]) -> str:
    value, low, high = (100 * interval[name] for name in ("value", "low", "high"))
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"


def _ratio(interval: Mapping[str, float]) -> str:
    return f"{interval['value']:.2f} [{interval['low']:.2f}, {interval['high']:.2f}]"


def summary(document: Mapping[str, Any]) -> str:
    """The figures, a line each."""
    lines = []
    for name in ("regret", "regret_as_planned"):
        mean, weighted = document[name]["mean"], document[name]["weighted"]
        lines.append(
            f"{name.replace('_', ' ')}, points: {mean['naive']:.2f} at most, "
            f"{mean['honest']:.2f} at least (by problems {weighted['naive']:.2f}, "
            f"{weighted['honest']:.2f}); {document[name]['cells']} cells"
        )
    lines.append(f"the plan as the router runs it, on these {len(document['pairs'])} pairs:")
    for start in (
        TRAINED_OWN, TRAINED_SINGLE, HINDSIGHT_OWN, "best in hindsight for everything", TOLD,
        *(f"{RULE_OF_THUMB} ({account})" for account in Account),
    ):  # fmt: skip
        told = (_comparison(document, n, start) for n in LIVE_BUDGETS)
        lines.append(f"plan minus {start}, points: " + "; ".join(told))
    lines += [
        f"beside the {row['against']}, N = {row['budget']}, mixes of plans chosen on the training "
        f"problems: at its tokens {_points(row['accuracy'])} points with {_ratio(row['spent'])} of "
        f"them, at its accuracy {_ratio(row['tokens'])} of its tokens and {_points(row['kept'])} "
        f"points (reached in {row['reached']:.0%} of folds)"
        for row in document["exchanges"]
    ]
    for kind, one in document["left_out"].items():
        lines.append(
            f"regret with a {kind} left out, points: {one['mean']['naive']:.2f} at most, "
            f"{one['mean']['honest']:.2f} at least"
        )
    lines.append(
        "coverage of the model's 90 % intervals: "
        + ", ".join(f"{kind} left out {share:.3f}"
                    for kind, share in document["left_out_coverage"].items())
    )  # fmt: skip
    lines += document["routing"]["lines"]
    return "\n".join([*lines, f"{document['seconds']:.0f} s"])


def main() -> None:
    """Fit, judge, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes to fit models in")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    started = time.perf_counter()
    document = measure(arguments.jobs)
    document["seconds"] = time.perf_counter() - started
    finish(document, summary(document), as_json=arguments.json)


if __name__ == "__main__":
    main()
