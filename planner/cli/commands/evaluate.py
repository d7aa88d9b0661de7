"""`apportion evaluate`: plans against everything else that was measured, on held-out problems."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.store.store import Store
from planner.catalog import load_catalog
from planner.cli.commands import common
from planner.cli.console import Output, count, share, table
from planner.costs import measured as noted
from planner.evaluation.comparison import Comparison, against_oracle, area, compare, families, rules
from planner.evaluation.crossfit import Arena, Regret, held_out_arenas, regrets
from planner.evidence import gathering as evidence
from planner.notes import Note, NoteCode, codes
from planner.prediction.outcome_model import OutcomeModel
from planner.prediction.splits import FOLDS
from planner.prediction.tuning import pairs, tune
from planner.report.notes import word
from planner.usecases.stored_models import store_exists

_NOTES = (
    Note.of(NoteCode.DIFFICULTY_FROM_PROFILE),
    Note.of(NoteCode.HINDSIGHT_BY_LUCK),
    Note.of(NoteCode.SEARCHES_ARE_LIVE),
)


def run(arguments: Namespace, output: Output) -> None:
    """Gather, make plans fold by fold, compare."""
    if arguments.trials < 1:
        raise InputError(f"--trials {arguments.trials}: must be at least 1")
    with output.status("gathering evidence"):
        frame, sizes, notes = read(arguments.store, arguments.policy)
    budgets = budgets_of(frame, arguments.budgets)
    with output.progress("planning without each fold", FOLDS) as progress:

        def fit(train: pd.DataFrame) -> OutcomeModel:
            model = tune(train, trials=arguments.trials, random_state=arguments.seed)
            progress(1)
            return model

        found = held_out_arenas(frame, fit, sizes, arguments.seed)
    with output.status("comparing"):
        document = report(found, budgets, arguments.seed) | {
            "trials": arguments.trials,
            "notes": list(map(word, (*notes, *_NOTES))),
            "note_codes": codes((*notes, *_NOTES)),
        }
    output.result(document, lambda console: show(console, document))


def read(store_url: str, policy: str | None) -> tuple[pd.DataFrame, dict[str, int], list[Note]]:
    """Evidence of the store, or the bundled one where there is none; sizes of its models; notes."""
    sizes: dict[str, int] = {}
    if store_exists(store_url):
        catalog = load_catalog()
        with Store.open(store_url, create=False) as store, MathGrader() as grader:
            frame = evidence.gather(store, grader, policy)
            for one, prm in pairs(frame):
                known = noted.rates(store, one, prm, catalog)
                for name, size in ((one, known.policy_parameters), (prm, known.prm_parameters)):
                    if name is not None and size is not None:
                        sizes[name] = size
        notes: list[Note] = []
    else:
        frame, sizes = evidence.bundled(policy), evidence.bundled_sizes()
        notes = [Note.of(NoteCode.EVALUATED_ON_BUNDLED)]
    if frame.empty and policy is not None:
        raise InputError(f"policy {policy}: there is no evidence on it to evaluate by")
    return frame, sizes, notes


def budgets_of(frame: pd.DataFrame, given: str | None) -> list[int]:
    """Budgets as given, else those of the evidence but for 1; InputError below 1."""
    budgets = common.whole_numbers("--budgets", given) if given else sorted(set(frame["n"]) - {1})
    for budget in budgets:
        if budget < 1:
            raise InputError(f"budget {budget}: must be a whole number of at least 1")
    return [int(budget) for budget in budgets]


def report(found: Sequence[Arena], budgets: Sequence[int], seed: int) -> dict[str, Any]:
    """The document: comparisons and regret at every budget, and areas between curves."""
    compared: list[Comparison] = []
    cells: list[Regret] = []
    for budget in budgets:
        rows = (compare(found, name, rule, budget, seed)
                for name, rule in rules(found, budget).items())  # fmt: skip
        compared += [row for row in rows if row is not None]
        compared.append(against_oracle(found, budget, seed))
        cells += [cell for a in found for cell in regrets(a, budget, a.planned(budget), seed)]
    areas = (area(found, name, rule, budgets, seed) for name, rule in families(found).items())
    return {
        "problems": len({problem for arena in found for problem in arena.problems}),
        "policies_and_prms": [[arena.policy, arena.prm] for arena in found],
        "folds": FOLDS,
        "comparisons": [asdict(row) for row in compared],
        "regret": [_regret(cells, budget) for budget in budgets],
        "regret_cells": [asdict(cell) for cell in cells],
        "areas": [asdict(one) for one in areas if one is not None],
    }


def _regret(cells: Sequence[Regret], budget: int) -> dict[str, Any]:
    """Means over cells, of accuracy."""
    mine = [cell for cell in cells if cell.budget == budget]
    means = {
        oracle: float(np.mean([getattr(cell, oracle) - cell.plan for cell in mine]))
        if mine else None
        for oracle in ("naive", "honest")
    }  # fmt: skip
    return {"budget": budget, "cells": len(mine)} | means


def show(console: Console, document: Mapping[str, Any]) -> None:
    """The document for people."""
    console.print(
        f"{document['problems']} problems, {len(document['policies_and_prms'])} pairs of policy "
        f"and PRM; each plan was made without the fold of problems it is judged by"
    )
    for budget in dict.fromkeys(row["budget"] for row in document["comparisons"]):
        rows = [_line(row) for row in document["comparisons"] if row["budget"] == budget]
        columns = ["instead of the plan", "pairs", "its accuracy [95 %]", "the plan's",
                   "plan minus it [95 %]", "tokens", "the plan's"]  # fmt: skip
        console.print(table(f"at most {budget} generations a problem", columns, rows))
    for regret in document["regret"]:
        if regret["cells"]:
            console.print(
                f"regret at {regret['budget']}, mean of {regret['cells']} cells: at most "
                f"{regret['naive']:.4f} (best on the same problems), at least "
                f"{regret['honest']:.4f} (best of one half on the other)"
            )
    rows = [
        [one["against"], str(one["arenas"]), _signed(one["difference"]),
         " to ".join(map(count, one["tokens"]))]
        for one in document["areas"]
    ]  # fmt: skip
    columns = ["instead of the plan", "pairs", "mean height above it [95 %]", "tokens a problem"]
    console.print(table("accuracy over the logarithm of generated tokens", columns, rows))
    for note in document["notes"]:
        console.print(f"note: {note}", highlight=False, markup=False)


def _line(row: Mapping[str, Any]) -> list[str]:
    other, plan = row["other"], row["plan"]
    tokens = [count(value) if np.isfinite(value) else "-" for value in row["tokens"]]
    return [
        row["against"],
        str(row["arenas"]),
        share(other["value"], (other["low"], other["high"])),
        share(plan["value"]),
        _signed(row["difference"]),
        tokens[1],
        tokens[0],
    ]


def _signed(interval: Mapping[str, float]) -> str:
    return f"{interval['value']:+.3f} [{interval['low']:+.3f}, {interval['high']:+.3f}]"
