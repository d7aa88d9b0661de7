"""Answers from published figures: a choice of strategy before anything is measured."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from executor.errors import InputError
from executor.strategy import Strategy, key
from planner.catalog import Catalog
from planner.choice.estimate import StrategyEstimate
from planner.choice.paired import Contrast
from planner.costs.cost import Rates
from planner.notes import Note, NoteCode
from planner.published import candidates, figures
from planner.published.model import PublishedModel, beta_of_logit, usable
from profiling.arrays import Floats

DEFAULT_BENCHMARK = "MATH-500"  # the benchmark with the most figures
_SLACK = 0.005  # of accuracy: a prediction this near its figures counts as equal to them


@dataclass(frozen=True, slots=True)
class PublishedAnswer:
    """Strategies with their predictions from published figures.

    Attributes:
        choices: every strategy considered, with its prediction.
        means, covariance: mean and covariance of the logits of their accuracies, shapes
            `(choices,)` and `(choices, choices)`. The errors are correlated, because all choices
            share the uncertainty about the policy.
        evidence: figures behind the answer, each with its source, and a summary of the model's.
        notes: notes for readers, the most important first.
        without: function that predicts the accuracy of a strategy from all figures but its own.
    """

    choices: tuple[StrategyEstimate, ...]
    means: Floats
    covariance: Floats
    evidence: tuple[dict[str, Any], ...]
    notes: tuple[Note, ...]
    without: Callable[[Strategy], float]

    def contrast(self, one: StrategyEstimate, other: StrategyEstimate) -> Contrast:
        """Compare two of the choices; see `planner.published.candidates.contrast`."""
        strategies = [choice.strategy for choice in self.choices]
        at = strategies.index(one.strategy), strategies.index(other.strategy)
        return candidates.contrast(self.means, self.covariance, at, one, other)

    def printed(self, choice: StrategyEstimate, shown: Sequence[StrategyEstimate]) -> list[Note]:
        """Return notes on the figures of one strategy.

        One of them lists the strategies, this one and those of `shown`, whose prediction lies
        outside their own figures.
        """
        name = key(choice.strategy)
        own = self._own(choice)
        if not own:
            return [Note.of(NoteCode.STRATEGY_NOT_PUBLISHED, strategy=name)]
        figures = tuple((float(row["accuracy"]), str(row["source"])) for row in own)
        notes = [Note.of(NoteCode.STRATEGY_PUBLISHED, strategy=name, figures=figures)]
        outside = {
            key(one.strategy): (one.predicted_accuracy, min(printed), max(printed))
            for one in (choice, *shown)
            if (printed := [float(row["accuracy"]) for row in self._own(one)])
            and not min(printed) - _SLACK <= one.predicted_accuracy <= max(printed) + _SLACK
        }
        if outside:
            notes.append(
                Note.of(
                    NoteCode.OUTSIDE_FIGURES,
                    strategies=tuple((one, *numbers) for one, numbers in outside.items()),
                    chosen=name,
                    without=self.without(choice.strategy) if name in outside else None,
                )
            )
        return notes

    def _own(self, choice: StrategyEstimate) -> list[dict[str, Any]]:
        name = key(choice.strategy)
        return [row for row in self.evidence if row.get("strategy") == name]


def ask(
    policy: str, prm: str | None, benchmark: str | None, catalog: Catalog, rates: Rates
) -> PublishedAnswer:
    """Predict the accuracy of strategies from published figures, for a policy, PRM and benchmark.

    Args:
        policy, prm: names or hub ids; a model need not be in the catalog.
        benchmark: one of `planner.published.figures.benchmarks`; None: `DEFAULT_BENCHMARK`.
        catalog: sizes, families and PRMs.
        rates: prices of a token.

    Raises:
        InputError: no figures of this benchmark tell of this policy.
    """
    on = benchmark or DEFAULT_BENCHMARK
    policy = entry.name if (entry := catalog.policy(policy)) else policy
    if prm is not None:
        prm = scorer.name if (scorer := catalog.prm(prm)) else prm
    cells = figures.cells()
    model_cells = usable(figures.telling(cells, policy, on), catalog)
    check_benchmark(on, policy, model_cells)
    touching = candidates.touching(cells, policy, prm, on)
    own = touching[touching["prm"].isin(["", prm])]
    sampled_only = figures.is_sampled_only(cells, policy)
    strategies = candidates.strategies(own, scored=prm is not None, greedy=not sampled_only)
    asked = pd.DataFrame([candidates.cell(one, policy, prm, on) for one in strategies])
    # One thread: so small a factorisation gains nothing from more, and on busy cores they wait.
    with threadpool_limits(limits=1):
        model = PublishedModel.load(catalog).fit(model_cells)
        means, covariance = model.predict(asked)
    posterior = beta_of_logit(means, np.diag(covariance))
    tokens = figures.printed_tokens(policy, on)
    drawn = tokens or figures.tokens_per_response()
    known = set(own["strategy"])
    choices = candidates.choices(strategies, known, posterior, on, rates, drawn[0])
    evidence = [*candidates.rows(touching), candidates.model_row(model_cells)]
    notes = [
        *_basis(policy, prm, on, benchmark, own, model_cells),
        *sources_note(policy, on),
        *_unknown(policy, prm, catalog),
        *_beyond(policy, catalog, model.sizes_),
        _tokens(drawn, on, printed=tokens is not None, scored=prm is not None),
    ]
    if sampled_only:
        notes.insert(1, Note.of(NoteCode.GREEDY_NOT_PUBLISHED, policy=policy))

    @cache  # the page asks again at every move of the budget
    def without(strategy: Strategy) -> float:
        cell = candidates.cell(strategy, policy, prm, on)
        own = (model_cells["policy"] == policy) & (model_cells["benchmark"] == on)
        own &= (model_cells["prm"] == cell["prm"]) & (model_cells["strategy"] == key(strategy))
        with threadpool_limits(limits=1):
            rest = PublishedModel.load(catalog).fit(model_cells[~own])
            mean, variance = rest.predict(pd.DataFrame([cell]))
        a, b = beta_of_logit(mean, np.diag(variance))
        return float(a[0] / (a[0] + b[0]))

    return PublishedAnswer(
        tuple(choices), means, covariance, tuple(evidence), tuple(notes), without
    )


def check_benchmark(benchmark: str, policy: str, cells: pd.DataFrame) -> None:
    """Refuse a benchmark that the model has no figure of."""
    found = set(cells["benchmark"])
    if benchmark not in found:
        known = ", ".join(name for name in figures.benchmarks() if name in found)
        raise InputError(
            f"benchmark is {benchmark}; expected one with published figures that tell of {policy}: "
            f"{known}"
        )


def _basis(
    policy: str,
    prm: str | None,
    benchmark: str,
    asked: str | None,
    own: pd.DataFrame,
    cells: pd.DataFrame,
) -> list[Note]:
    notes = [Note.of(NoteCode.PUBLISHED_FIGURES, benchmark=benchmark, asked=asked is not None)]
    pair = own if prm is None else own[own["prm"] == prm]
    if pair.empty:
        notes.append(
            Note.of(
                NoteCode.NOT_PUBLISHED,
                policy=policy,
                prm=prm,
                benchmark=benchmark,
                without_prm=len(own) > 0,
                figures=len(cells),
                policies=int(cells["policy"].nunique()),
                studies=int(cells["study"].nunique()),
            )
        )
    return notes


def sources_note(policy: str, benchmark: str) -> list[Note]:
    found = figures.contradictions(policy, benchmark)
    if not found:
        return []
    return [
        Note.of(
            NoteCode.SOURCES_DISAGREE, policy=policy, benchmark=benchmark, contradictions=found
        )
    ]  # fmt: skip


def _unknown(policy: str, prm: str | None, catalog: Catalog) -> list[Note]:
    notes = []
    for role, name, entries, found in (
        ("policy", policy, catalog.policies, catalog.policy(policy)),
        ("PRM", prm, catalog.prms, None if prm is None else catalog.prm(prm)),
    ):
        if name is not None and found is None:
            near = difflib.get_close_matches(name, list(entries), n=1, cutoff=0.8)
            notes.append(
                Note.of(
                    NoteCode.NOT_IN_CATALOG, role=role, name=name, near=near[0] if near else None
                )
            )
    scorer = None if prm is None else catalog.prm(prm)
    if scorer is not None and scorer.convention is None and prm not in catalog.counted:
        notes.append(Note.of(NoteCode.PRM_FORMAT_UNKNOWN, prm=prm))
    return notes


def _beyond(policy: str, catalog: Catalog, sizes: tuple[int, int]) -> list[Note]:
    """Return a note if the policy is smaller or larger than every policy with figures."""
    entry = catalog.policy(policy)
    if entry is None or sizes[0] <= entry.parameters <= sizes[1]:
        return []
    smaller = entry.parameters < sizes[0]
    nearest = sizes[0] if smaller else sizes[1]
    return [
        Note.of(
            NoteCode.SIZE_BEYOND_FIGURES,
            policy=policy,
            parameters=entry.parameters,
            nearest=nearest,
            smaller=smaller,
            decades=abs(math.log10(entry.parameters / nearest)),
        )
    ]


def _tokens(drawn: tuple[float, str], benchmark: str, *, printed: bool, scored: bool) -> Note:
    """Return the note on the tokens of a response: printed for this policy, or another run's."""
    tokens, source = drawn
    code = NoteCode.TOKENS_PUBLISHED if printed else NoteCode.TOKENS_ASSUMED
    return Note.of(code, tokens=tokens, source=source, benchmark=benchmark, scored=scored)
