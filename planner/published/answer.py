"""Answers from published figures: a choice of strategy before anything is measured."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr
from threadpoolctl import threadpool_limits

from executor.answers.voting import Vote
from executor.errors import InputError
from executor.strategy import (
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    Strategy,
    key,
    to_dict,
)
from planner.catalog import Catalog
from planner.choice.estimate import PREDICTED, StrategyEstimate
from planner.choice.paired import ComparedBy, Contrast
from planner.costs.cost import Rates
from planner.evidence.layout import BUDGETS
from planner.notes import Note, NoteCode
from planner.prediction.beta import summarise
from planner.published import figures
from planner.published.model import PublishedModel, beta_of_logit, usable
from profiling.arrays import Floats

DEFAULT_BENCHMARK = "MATH-500"  # the benchmark with the most figures
# Its authors chose a strategy anew for each budget, with a PRM that they do not name. Its figures
# are shown; it is never proposed.
_CHOSEN_BY_OTHERS = "compute_optimal"
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
        """Compare two of the choices; their covariance is taken into account.

        The chance is exact for normal logits. The error of the difference is first order: that of
        each logit is multiplied by p (1 - p).
        """
        strategies = [choice.strategy for choice in self.choices]
        i, j = strategies.index(one.strategy), strategies.index(other.strategy)
        between = self.covariance[np.ix_([i, j], [i, j])]
        apart = math.sqrt(np.array([1.0, -1.0]) @ between @ np.array([1.0, -1.0]))
        slopes = np.array([p * (1 - p) for p in (one.predicted_accuracy, other.predicted_accuracy)])
        slopes[1] *= -1
        return Contrast(
            one.predicted_accuracy - other.predicted_accuracy,
            math.sqrt(slopes @ between @ slopes),
            float(ndtr((self.means[i] - self.means[j]) / apart)),
            0,
            ComparedBy.FIGURES,
        )

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
    _check_benchmark(on, policy, model_cells)
    touching = _touching(cells, policy, prm, on)
    own = touching[touching["prm"].isin(["", prm])]
    sampled_only = figures.is_sampled_only(cells, policy)
    strategies = _strategies(own, scored=prm is not None, greedy=not sampled_only)
    asked = pd.DataFrame([_cell(strategy, policy, prm, on) for strategy in strategies])
    # One thread: so small a factorisation gains nothing from more, and on busy cores they wait.
    with threadpool_limits(limits=1):
        model = PublishedModel.load(catalog).fit(model_cells)
        means, covariance = model.predict(asked)
    posterior = beta_of_logit(means, np.diag(covariance))
    tokens = figures.printed_tokens(policy, on)
    drawn = tokens or figures.tokens_per_response()
    choices = _choices(strategies, set(own["strategy"]), posterior, on, rates, drawn[0])
    evidence = [*_rows(touching), _model_row(model_cells)]
    notes = [
        *_basis(policy, prm, on, benchmark, own, model_cells),
        *_sources(policy, on),
        *_unknown(policy, prm, catalog),
        *_beyond(policy, catalog, model.sizes_),
        _tokens(drawn, on, printed=tokens is not None, scored=prm is not None),
    ]
    if sampled_only:
        notes.insert(1, Note.of(NoteCode.GREEDY_NOT_PUBLISHED, policy=policy))

    @cache  # the page asks again at every move of the budget
    def without(strategy: Strategy) -> float:
        cell = _cell(strategy, policy, prm, on)
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


def _check_benchmark(benchmark: str, policy: str, cells: pd.DataFrame) -> None:
    """Refuse a benchmark that the model has no figure of."""
    found = set(cells["benchmark"])
    if benchmark not in found:
        known = ", ".join(name for name in figures.benchmarks() if name in found)
        raise InputError(
            f"benchmark is {benchmark}; expected one with published figures that tell of {policy}: "
            f"{known}"
        )


def _touching(cells: pd.DataFrame, policy: str, prm: str | None, benchmark: str) -> pd.DataFrame:
    """Return the policy's figures on the benchmark with this PRM, without one, or with an unnamed
    one."""
    here = cells[(cells["policy"] == policy) & (cells["benchmark"] == benchmark)]
    return here[here["prm"].isin(["", prm]) | (here["name"] == _CHOSEN_BY_OTHERS)]


def _strategies(own: pd.DataFrame, *, scored: bool, greedy: bool) -> list[Strategy]:
    """Return the strategies to predict: the published ones, and the usual ones at `BUDGETS`.

    Without `greedy`, N = 1 is one sample.
    """
    found: list[Strategy] = [Greedy(), *(Majority(n) for n in BUDGETS)]
    if scored:
        for n in BUDGETS[1:]:
            found += [BestOfN(n), BestOfN(n, vote=Vote.WEIGHTED), BeamSearch(n), Dvts(n)]
    published = [figures.strategy_of(cell) for cell in own.to_dict("records")]
    found += [strategy for strategy in published if strategy is not None]
    return [one for one in dict.fromkeys(found) if greedy or not isinstance(one, Greedy)]


def _choices(
    strategies: list[Strategy],
    known: set[str],
    posterior: tuple[Floats, Floats],
    benchmark: str,
    rates: Rates,
    tokens: float,
) -> list[StrategyEstimate]:
    """Return strategies with their predictions.

    `known` has the keys of the strategies with figures; `tokens` are those of one response.
    """
    a, b = posterior
    means, lows, highs = summarise(a, b)
    problems = figures.benchmarks()[benchmark]
    found = []
    for i, strategy in enumerate(strategies):
        drawn = strategy.n * tokens
        # No study prints the tokens that a PRM reads; see `_tokens`.
        is_known = key(strategy) in known
        found.append(
            StrategyEstimate(
                strategy,
                float(means[i]),
                (float(lows[i]), float(highs[i])),
                (float(a[i]), float(b[i])),
                rates.price(drawn, 0.0, drawn if strategy.needs_prm else 0.0),
                problems if is_known else 0,
                "published" if is_known else PREDICTED,
            )
        )
    return found


def _cell(strategy: Strategy, policy: str, prm: str | None, benchmark: str) -> dict[str, Any]:
    """Return the cell of a new run: its study is none of the published ones."""
    options = to_dict(strategy)
    return {
        "study": "",
        "policy": policy,
        "prm": prm or "" if strategy.needs_prm else "",
        "name": strategy.name,
        "n": strategy.n,
        "width": options.get("width", 0),
        "score": str(options.get("score", "")),
        "vote": str(options.get("vote", "")),
        "benchmark": benchmark,
    }


def _rows(touching: pd.DataFrame) -> Iterable[dict[str, Any]]:
    columns = [
        "source", "study", "policy", "prm", "strategy", "benchmark", "accuracy", "problems",
        "runs", "reliability", "note",
    ]  # fmt: skip
    return [
        {str(name): value for name, value in row.items()}
        for row in touching[columns].to_dict("records")
    ]


def _model_row(cells: pd.DataFrame) -> dict[str, Any]:
    return {
        "source": "model",
        "figures": len(cells),
        "studies": sorted(cells["study"].unique()),
        "policies": int(cells["policy"].nunique()),
        "prms": int(cells.loc[cells["prm"] != "", "prm"].nunique()),
    }


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


def _sources(policy: str, benchmark: str) -> list[Note]:
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
