"""Evaluate: plans against every other strategy that was measured, on held-out problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from executor.domains.registry import open_grader
from executor.errors import InputError
from executor.problem import problem_uid
from executor.store.store import Store
from planner.catalog import load_catalog
from planner.costs import measured
from planner.costs.cost import Rates
from planner.evaluation.comparison import (
    TRAINED_OWN,
    Area,
    Comparison,
    against_oracle,
    area,
    compare,
    families,
    rules,
    running,
)
from planner.evaluation.crossfit import Arena, HeldOut
from planner.evaluation.exchange import Exchange, exchange
from planner.evaluation.fixed_strategies import trained_own
from planner.evaluation.regret import Regret, regrets
from planner.evidence.bundled import bundled_note, bundled_profiles, bundled_rows, bundled_sizes
from planner.evidence.comparable import for_pair, of_all_only
from planner.evidence.gathering import gather
from planner.evidence.runs import evidence_grader
from planner.notes import Note, NoteCode, codes
from planner.prediction.outcome_model import OutcomeModel
from planner.prediction.splits import FOLDS
from planner.prediction.tuning import pairs, tune
from planner.report.notes import word
from planner.runtime.reporter import Reporter, SilentReporter
from planner.usecases import DEFAULT_STORE
from planner.usecases.fit_chooser import questions_of
from planner.usecases.plan import profile_of
from planner.usecases.routed_plans import routed
from planner.usecases.store_lookup import asked_domain, check_not_measured_here, store_exists
from profiling.profiles.profiler import ProblemProfile, read_profile

_NOTES = (
    Note.of(NoteCode.DIFFICULTY_FROM_PROFILE),
    Note.of(NoteCode.HINDSIGHT_BY_LUCK),
    Note.of(NoteCode.SEARCHES_ARE_LIVE),
)


@dataclass(frozen=True, slots=True)
class MeanRegret:
    """Accuracy that plans lose to the best strategies in hindsight, at one budget.

    Attributes:
        budget: most generations per problem.
        cells: number of cells in the means; a cell is one policy, PRM and difficulty.
        naive: regret against the strategy that was best on the same problems, an upper bound; None
            without cells.
        honest: regret against the strategy that was best on the other half of the problems, a lower
            bound; None without cells.
    """

    budget: int
    cells: int
    naive: float | None
    honest: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Plans beside other ways to spend the same budget, on problems held out from the plans.

    Attributes:
        problems: number of problems.
        policies_and_prms: pairs that have a plan.
        comparisons: the plan against one other rule each, at every budget.
        regret: mean regret at every budget, over the cells of `regret_cells`.
        exchanges: the plans of all budgets beside the best fixed strategy of each policy and PRM,
            at its tokens and at its accuracy; the mixes are chosen on the training problems.
        areas: mean height of the plan's curve above each other curve, over the logarithm of tokens.
        trials: number of Optuna trials of each fold.
        notes: notes on the evaluation.
    """

    problems: int
    policies_and_prms: tuple[tuple[str, str | None], ...]
    comparisons: tuple[Comparison, ...]
    regret: tuple[MeanRegret, ...]
    regret_cells: tuple[Regret, ...]
    exchanges: tuple[Exchange, ...]
    areas: tuple[Area, ...]
    trials: int
    notes: tuple[Note, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON document, plain values."""
        return {
            "problems": self.problems,
            "policies_and_prms": [list(pair) for pair in self.policies_and_prms],
            "folds": FOLDS,
            "comparisons": [asdict(one) for one in self.comparisons],
            "regret": [asdict(one) for one in self.regret],
            "regret_cells": [asdict(one) for one in self.regret_cells],
            "exchanges": [asdict(one) for one in self.exchanges],
            "areas": [asdict(one) for one in self.areas],
            "trials": self.trials,
            "notes": list(map(word, self.notes)),
            "note_codes": codes(self.notes),
        }


def evaluate(
    policy: str | None = None,
    *,
    budgets: Sequence[int] | None = None,
    trials: int = 20,
    seed: int = 0,
    domain: str | None = None,
    store: str = DEFAULT_STORE,
    reporter: Reporter = SilentReporter(),
) -> Evaluation:
    """Make plans fold by fold, and judge each on the problems that it was not made from.

    The evidence is that of the store, or this project's own if there is no store.

    Args:
        policy: name of the only policy to evaluate; None: all policies with evidence.
        budgets: most generations per problem, each at least 1; None: all of the evidence except 1.
        trials: number of Optuna trials of each fold, at least 1.
        seed: base seed of folds, trials and bootstraps.
        domain: what an answer is; None: that of the newest profile, of the policy if one is named.
        store: SQLAlchemy URL of the store.
        reporter: receives progress.

    Raises:
        InputError: there is too little evidence, or an argument is out of range.

    Example:
        >>> from apportion import evaluate
        >>> evaluation = evaluate("lab-0.4m", budgets=[4], trials=1)
        >>> {one.budget for one in evaluation.comparisons}
        {4}
    """
    if trials < 1:
        raise InputError(f"--trials is {trials}; expected at least 1")
    domain = asked_domain(store, policy, domain)
    with reporter.status("gathering evidence"):
        frame, sizes, notes = read_evidence(store, policy, domain)
    budget_list = check_budgets(frame, budgets)
    with reporter.progress("planning without each fold", FOLDS) as progress:

        def fit(train: pd.DataFrame) -> OutcomeModel:
            model = tune(train, trials=trials, random_state=seed)
            progress(1)
            return model

        held_out = HeldOut.fit(frame, fit, seed)
    arenas = held_out.arenas(sizes)
    with reporter.progress("routing held-out questions", len(arenas)) as progress:
        judged = []
        for arena in arenas:
            judged.append(_routed(arena, held_out, sizes, budget_list, store, seed, domain))
            progress(1)
    own = (for_pair(frame, arena.policy, arena.prm) for arena in arenas)
    notes += dict.fromkeys(note for rows in own for note in of_all_only(rows, max(budget_list)))
    if any(not arena.routed for arena in judged):
        notes = [*notes, Note.of(NoteCode.NOT_REPLAYED_AS_ROUTED)]
    with reporter.status("comparing"):
        return compare_plans(judged, budget_list, seed, trials=trials, notes=(*notes, *_NOTES))


def _routed(
    arena: Arena,
    held_out: HeldOut,
    sizes: Mapping[str, int],
    budgets: Sequence[int],
    store_url: str,
    seed: int,
    domain: str,
) -> Arena:
    """Return an arena with its plans replayed as the router runs them.

    It is returned as it is if some of its problems have no profile to replay probes from.
    """
    profiles = _profiles(store_url, arena.policy, arena.prm, domain)
    if not set(arena.problems) <= profiles.keys():
        return arena
    rates = Rates(sizes.get(arena.policy), None if arena.prm is None else sizes.get(arena.prm))
    with open_grader(domain) as grader:
        mine = {problem: profiles[problem] for problem in arena.problems}
        questions = questions_of(mine, grader, scored=arena.prm is not None)
        return routed(arena, held_out, questions, rates, (1, *budgets), grader, random_state=seed)


def _profiles(
    store_url: str, policy: str, prm: str | None, domain: str
) -> dict[str, ProblemProfile]:
    """Return the profile that a plan is made from, by problem; empty if there is none."""
    if not store_exists(store_url):
        return bundled_profiles(policy, prm)
    with Store.open(store_url, create=False) as store:
        try:
            spec = profile_of(store, policy, prm, domain)
        except InputError:
            return {}
        if spec.prm != prm:  # its samples have no scores of this PRM
            return {}
        return {problem_uid(one.outcome.problem): one for one in read_profile(store, spec)}


def read_evidence(
    store_url: str, policy: str | None, domain: str | None = None
) -> tuple[pd.DataFrame, dict[str, int], list[Note]]:
    """Return evidence, the sizes of its models, and notes on it.

    The evidence is that of the store, or this project's own if there is no store. A size is a
    number of parameters. For `domain` see `asked_domain`.

    Raises:
        InputError: there is no evidence on `policy`, or none of the domain.
    """
    domain = asked_domain(store_url, policy, domain)
    sizes: dict[str, int] = {}
    if store_exists(store_url):
        catalog = load_catalog()
        with (
            Store.open(store_url, create=False) as store,
            evidence_grader(store, domain, policy) as grader,
        ):
            frame = gather(store, grader, policy, domain=domain)
            for one, prm in pairs(frame):
                rates = measured.rates(store, one, prm, catalog)
                for name, size in ((one, rates.policy_parameters), (prm, rates.prm_parameters)):
                    if name is not None and size is not None:
                        sizes[name] = size
        notes: list[Note] = []
    else:
        check_not_measured_here(policy, domain)
        frame, sizes = bundled_rows(policy), bundled_sizes()
        notes = [bundled_note(NoteCode.EVALUATED_ON_BUNDLED, frame)]
    if frame.empty and policy is not None:
        raise InputError(f"policy {policy}: there is no evidence on it to evaluate by")
    return frame, sizes, notes


def check_budgets(frame: pd.DataFrame, given: Sequence[int] | None) -> list[int]:
    """Return the given budgets, or all budgets of the evidence except 1.

    Raises:
        InputError: a budget is below 1.
    """
    budgets = sorted(set(frame["n"]) - {1}) if given is None else given
    for budget in budgets:
        if budget < 1:
            raise InputError(f"budget is {budget}; expected a whole number of at least 1")
    return [int(budget) for budget in budgets]


def compare_plans(
    arenas: Sequence[Arena],
    budgets: Sequence[int],
    seed: int,
    *,
    trials: int,
    notes: Sequence[Note] = (),
) -> Evaluation:
    """Compare plans with other rules and with the best strategies in hindsight.

    Args:
        arenas: held-out problems of one policy and PRM each, with the plans for them.
        budgets: most generations per problem.
        seed: base seed of the bootstraps.
        trials: number of Optuna trials behind each plan.
        notes: notes on the evaluation.
    """
    compared: list[Comparison] = []
    cells: list[Regret] = []
    for budget in budgets:
        rows = (compare(arenas, name, rule, budget, seed)
                for name, rule in rules(arenas, budget).items())  # fmt: skip
        compared += [row for row in rows if row is not None]
        oracle = against_oracle(arenas, budget, seed)
        compared += [] if oracle is None else [oracle]
        cells += [cell for a in arenas if a.rated(budget)
                  for cell in regrets(a, budget, a.planned(budget), seed)]  # fmt: skip
    trained = (exchange(arenas, TRAINED_OWN, running(trained_own), n, sorted({*budgets, 1}), seed)
               for n in budgets)  # fmt: skip
    areas = (area(arenas, name, rule, budgets, seed) for name, rule in families(arenas).items())
    return Evaluation(
        problems=len({problem for arena in arenas for problem in arena.problems}),
        policies_and_prms=tuple((arena.policy, arena.prm) for arena in arenas),
        comparisons=tuple(compared),
        regret=tuple(_mean_regret(cells, budget) for budget in budgets),
        regret_cells=tuple(cells),
        exchanges=tuple(one for one in trained if one is not None),
        areas=tuple(one for one in areas if one is not None),
        trials=trials,
        notes=tuple(notes),
    )


def _mean_regret(cells: Sequence[Regret], budget: int) -> MeanRegret:
    """Return the mean regrets over the cells of a budget."""
    mine = [cell for cell in cells if cell.budget == budget]
    naive, honest = (
        float(np.mean([getattr(cell, oracle) - cell.plan for cell in mine])) if mine else None
        for oracle in ("naive", "honest")
    )
    return MeanRegret(budget, len(mine), naive, honest)
