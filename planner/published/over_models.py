"""Answers from published figures over several policies: all of one benchmark, predicted together.

Policies that are predicted from the same figures (`planner.published.figures.telling`) are
predicted by one fit, so that the errors that they share cancel in a contrast. Contrasts of other
policies, whose fits differ, take them as independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from executor.strategy import Strategy, key
from planner.catalog import Catalog
from planner.choice.estimate import Models, Run, StrategyEstimate
from planner.choice.paired import Contrast, independent
from planner.costs.cost import Rates
from planner.notes import Note, NoteCode
from planner.published import candidates, figures
from planner.published.answer import check_benchmark, sources_note
from planner.published.model import PublishedModel, beta_of_logit, usable
from profiling.arrays import Floats


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The joint prediction of some runs.

    Attributes:
        places: place of each run in the arrays.
        means, covariance: mean and covariance of the logits of their accuracies.
        figures: the figures that the fit used.
    """

    places: Mapping[Run, int]
    means: Floats
    covariance: Floats
    figures: pd.DataFrame


@dataclass(frozen=True, slots=True)
class PublishedModels:
    """Strategies of several policies with their predictions from published figures.

    Attributes:
        found: every strategy considered; each names its models.
        evidence: figures of these policies and PRMs, each with its source, and a summary of the
            figures of every fit.
        notes: notes for readers.
        fits: the joint predictions.
        benchmark: the benchmark that the figures are of.
    """

    found: tuple[StrategyEstimate, ...]
    evidence: tuple[dict[str, Any], ...]
    notes: tuple[Note, ...]
    fits: tuple[_Fitted, ...]
    benchmark: str

    def contrast(self, one: StrategyEstimate, other: StrategyEstimate) -> Contrast:
        """Compare two strategies, jointly if one fit predicts both."""
        for fit in self.fits:
            if one.run in fit.places and other.run in fit.places:
                at = fit.places[one.run], fit.places[other.run]
                return candidates.contrast(fit.means, fit.covariance, at, one, other)
        return independent(one, other)

    def about(self, choice: StrategyEstimate) -> Iterator[Note]:
        """Yield notes on the figures of one of the strategies and of its policy."""
        assert choice.models is not None
        models = choice.models
        own = tuple(
            (float(row["accuracy"]), str(row["source"]))
            for row in self.evidence
            if row.get("policy") == models.policy
            and row.get("prm") == (models.prm or "")
            and row.get("strategy") == key(choice.strategy)
        )
        if own:
            yield Note.of(NoteCode.STRATEGY_PUBLISHED, strategy=choice.title, figures=own)
        else:
            yield Note.of(NoteCode.STRATEGY_NOT_PUBLISHED, strategy=choice.title)
        yield from sources_note(models.policy, self.benchmark)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A policy with the strategies to predict of it.

    Attributes:
        policy: name in the catalog.
        runs: its strategies, each with its PRM or None.
        known: runs that have figures.
    """

    policy: str
    runs: tuple[tuple[Strategy, str | None], ...]
    known: frozenset[tuple[str, str]]


def published_policies(benchmark: str, catalog: Catalog) -> tuple[str, ...]:
    """Return the policies of the catalog that have usable figures on a benchmark."""
    cells = usable(figures.cells(), catalog)
    return tuple(sorted(set(cells.loc[cells["benchmark"] == benchmark, "policy"])))


def ask_models(
    asked: Mapping[str, Sequence[str] | None],
    benchmark: str,
    catalog: Catalog,
    rates: Callable[[str, str | None], Rates | None],
    *,
    is_named: bool = True,
) -> PublishedModels:
    """Predict the accuracy of strategies of several policies on a benchmark.

    Args:
        asked: PRMs by policy, as the catalog names them; None: those with figures of the policy on
            this benchmark.
        benchmark: one of `planner.published.figures.benchmarks`.
        catalog: sizes, families and PRMs.
        rates: function that returns the prices of a policy with a PRM or None; None: the two are
            left out.
        is_named: whether the user named the benchmark.

    Raises:
        InputError: no figures of this benchmark tell of a policy.
    """
    cells = figures.cells()
    groups: dict[tuple[int, ...], list[_Asked]] = {}
    telling: dict[tuple[int, ...], pd.DataFrame] = {}
    touching = []
    for policy, prms in asked.items():
        told = figures.telling(cells, policy, benchmark)
        at = tuple(told.index)
        if at not in telling:
            telling[at] = usable(told, catalog)
        check_benchmark(benchmark, policy, telling[at])
        here = cells[(cells["policy"] == policy) & (cells["benchmark"] == benchmark)]
        scorers = _scorers(here, catalog) if prms is None else prms
        groups.setdefault(at, []).append(
            _asked(policy, here, scorers, greedy=not figures.is_sampled_only(cells, policy))
        )
        unnamed = here["name"] == candidates.CHOSEN_BY_OTHERS
        touching.append(here[here["prm"].isin(["", *scorers]) | unnamed])
    found: list[StrategyEstimate] = []
    fits = []
    for at, together in groups.items():
        fit, posterior = _fit(together, telling[at], benchmark, catalog)
        found += _estimates(together, fit, posterior, benchmark, catalog, rates)
        fits.append(fit)
    rows = [row for one in touching for row in candidates.rows(one)]
    models = [candidates.model_row(fit.figures) for fit in fits]
    notes = tuple(_notes(asked, benchmark, catalog, is_named))
    return PublishedModels(tuple(found), (*rows, *models), notes, tuple(fits), benchmark)


def _scorers(here: pd.DataFrame, catalog: Catalog) -> list[str]:
    """Return the PRMs of the catalog that have usable figures among these."""
    usual = here[~here["reliability"].isin(figures.SHOWN_ONLY)]
    return sorted(name for name in set(usual["prm"]) if catalog.prm(name) is not None)


def _asked(policy: str, here: pd.DataFrame, scorers: Sequence[str], *, greedy: bool) -> _Asked:
    plain = candidates.strategies(here[here["prm"] == ""], scored=False, greedy=greedy)
    runs: list[tuple[Strategy, str | None]] = [(one, None) for one in plain if not one.needs_prm]
    for prm in scorers:
        scored = candidates.strategies(here[here["prm"] == prm], scored=True, greedy=False)
        runs += [(one, prm) for one in scored if one.needs_prm]
    known = frozenset(zip(here["strategy"], here["prm"], strict=True))
    return _Asked(policy, tuple(runs), known)


def _fit(
    together: Sequence[_Asked], cells: pd.DataFrame, benchmark: str, catalog: Catalog
) -> tuple[_Fitted, tuple[Floats, Floats]]:
    """Return the joint prediction of policies, and the parameters of their Beta posteriors."""
    runs = [(one.policy, *run) for one in together for run in one.runs]
    table = pd.DataFrame(
        [candidates.cell(strategy, policy, prm, benchmark) for policy, strategy, prm in runs]
    )
    # One thread: so small a factorisation gains nothing from more, and on busy cores they wait.
    with threadpool_limits(limits=1):
        means, covariance = PublishedModel.load(catalog).fit(cells).predict(table)
    places: dict[Run, int] = {
        (strategy, Models(policy, prm)): i for i, (policy, strategy, prm) in enumerate(runs)
    }
    posterior = beta_of_logit(means, np.diag(covariance))
    return _Fitted(places, means, covariance, cells), posterior


def _estimates(
    together: Sequence[_Asked],
    fit: _Fitted,
    posterior: tuple[Floats, Floats],
    benchmark: str,
    catalog: Catalog,
    rates: Callable[[str, str | None], Rates | None],
) -> list[StrategyEstimate]:
    found = []
    for one in together:
        tokens = _tokens(one.policy, benchmark, catalog)
        for prm in dict.fromkeys(prm for _, prm in one.runs):
            if (priced := rates(one.policy, prm)) is None:
                continue
            models = Models(one.policy, prm)
            own = [strategy for strategy, its in one.runs if its == prm]
            at = [fit.places[strategy, models] for strategy in own]
            known = {name for name, its in one.known if its == (prm or "")}
            a, b = posterior[0][at], posterior[1][at]
            made = candidates.choices(own, known, (a, b), benchmark, priced, tokens)
            found += [replace(estimate, models=models) for estimate in made]
    return found


def _tokens(policy: str, benchmark: str, catalog: Catalog) -> float:
    """Return the tokens of a response; NaN if the policy thinks and no source has them.

    One run's tokens stand for those of policies that do not think. Thoughts have ten times as many,
    and the comparison with other policies would be wrong by as much.
    """
    printed = figures.printed_tokens(policy, benchmark)
    if printed is not None:
        return printed[0]
    entry = catalog.policy(policy)
    thinks = entry is not None and entry.thinks
    return math.nan if thinks else figures.tokens_per_response()[0]


def _notes(
    policies: Iterable[str], benchmark: str, catalog: Catalog, is_named: bool
) -> Iterator[Note]:
    yield Note.of(NoteCode.PUBLISHED_FIGURES, benchmark=benchmark, asked=is_named)
    policies = tuple(policies)
    printed = {one: figures.printed_tokens(one, benchmark) for one in policies}
    unknown = tuple(one for one in policies if math.isnan(_tokens(one, benchmark, catalog)))
    tokens, source = figures.tokens_per_response()
    yield Note.of(
        NoteCode.TOKENS_BY_POLICY,
        printed=tuple((one, *drawn) for one, drawn in printed.items() if drawn is not None),
        assumed=sum(drawn is None for drawn in printed.values()) - len(unknown),
        unknown=unknown,
        tokens=tokens,
        source=source,
        benchmark=benchmark,
    )
