"""The evidence of cascades: several policies on the same problems, with their pools of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from executor.answers.grader import Grader
from executor.domains.registry import open_grader
from executor.errors import InputError
from executor.files import data_folder
from executor.store.store import Store
from executor.strategy import BestOfN, Strategy, from_key
from planner.cascades.evidence import ModelsEvidence, Option
from planner.cascades.signals import gives_signals, signals_of
from planner.catalog import load_catalog
from planner.choice.estimate import Models
from planner.costs.cost import Rates
from planner.costs.pricing import Pricing
from planner.evidence.runs import current_runs, evidence_domain
from planner.notes import Note
from planner.runtime.reporter import Reporter
from planner.usecases.asked_models import AskedModels, scorers
from planner.usecases.known_models import Unlisted
from planner.usecases.measured_models import Measured, shared_problems, with_enough
from planner.usecases.store_lookup import asked_domain, store_exists
from profiling.arrays import Floats, Ints
from profiling.pools.replay import Pool, seed_of
from profiling.profiles.pool_files import (
    has_rewards,
    load_pools,
    saved_policies,
    saved_pools,
    stored_pools,
)
from profiling.profiles.profiler import KIND as PROFILE
from profiling.scorers.free import FREE_SCORERS

DRAWS = 32
"""Draws of each vote from the pool of a problem; the mean over them counts."""

_LEAST, _MOST = 2, 64  # samples of a stage that decides: one has no agreement
_TOKENS = ("generated_tokens", "prompt_tokens", "prm_tokens", "cached_tokens", "prm_cached_tokens")


def read_models_evidence(
    policies: Sequence[str],
    prms: Sequence[str],
    *,
    unit: str,
    pricing: Pricing,
    store: str,
    reporter: Reporter,
    draws: int = DRAWS,
) -> tuple[ModelsEvidence, list[Note]]:
    """Read what is known of several policies on the problems that all of them were profiled on.

    Args:
        policies: names, or `all`.
        prms: names of scorers; `none` for none; empty: all that there is evidence with.
        unit: unit of costs: `flops`, `usd` or `seconds`.
        pricing: devices and prices.
        store: SQLAlchemy URL of the store; without one this project's own evidence answers.
        reporter: receives progress.
        draws: of each vote from a pool.

    Raises:
        InputError: a policy was not profiled, the policies share too few problems, or a cost is not
            known.
    """
    catalog = load_catalog()
    asked = AskedModels(store, None, catalog, pricing, Unlisted(), scorers(prms))
    names, published = asked.split(policies)
    if published:
        raise InputError(
            f"policy {published[0]}: only published figures are known of it; a cascade needs its "
            "samples: run apportion profile"
        )
    if len(names) < 2:
        raise InputError(
            f"a cascade needs at least two policies with evidence; only {names[0]} is known"
        )
    measured, _ = with_enough(asked.measured(names))
    shared, notes = shared_problems(measured, None)
    assert shared is not None
    options: list[Option] = []
    everywhere = sorted(shared)
    with reporter.progress("replaying the votes of every model", len(measured)) as progress:
        for policy in names:
            mine = [one for one in measured if one.models.policy == policy]
            with open_grader(asked_domain(store, policy, None)) as grader:
                pools = _pools(store, [one.models for one in mine], grader)
            common = [set(by_problem) for by_problem in pools.values() if by_problem]
            if not common:
                raise InputError(
                    f"policy {policy}: has no samples to replay; a cascade needs a profile: run "
                    "apportion profile"
                )
            for one in mine:
                options += _options(one, everywhere, pools[one.models], unit, draws)
                progress(1)
    return ModelsEvidence(tuple(everywhere), tuple(options), unit), notes


def _options(
    measured: Measured,
    problems: Sequence[str],
    pools: Mapping[str, Pool],
    unit: str,
    draws: int,
) -> list[Option]:
    """The strategies of a policy with one scorer, or without."""
    models, rates = measured.models, measured.bundle.rates
    rows = measured.frame
    rows = rows[(rows["prm"] == (models.prm or "")) & rows["problem"].isin(set(problems))]
    accuracy = _wide(rows, "all_accuracy", problems).dropna(axis="columns")
    made = []
    for name in accuracy.columns:
        strategy = from_key(str(name))
        if strategy.needs_prm is not (models.prm is not None):
            continue
        own = rows[rows["strategy"] == name]
        cost = _cost(_tokens(own, problems), rates, unit, str(models))
        features = right = None
        if _decides(strategy) and all(problem in pools for problem in problems):
            features, right = _drawn([pools[p] for p in problems], problems, strategy, draws)
        made.append(Option(models, strategy, accuracy[name].to_numpy(float), cost, features, right))
    return made


def _decides(strategy: Strategy) -> bool:
    """Whether a strategy may decide: votes with other scores differ too little to try them all."""
    if not gives_signals(strategy) or not _LEAST <= strategy.n <= _MOST:
        return False
    return not isinstance(strategy, BestOfN) or strategy.score is BestOfN(strategy.n).score


def _wide(rows: pd.DataFrame, column: str, problems: Sequence[str]) -> pd.DataFrame:
    table = rows.pivot_table(index="problem", columns="strategy", values=column)
    return table.reindex(index=list(problems))


def _tokens(rows: pd.DataFrame, problems: Sequence[str]) -> Floats:
    """Tokens of each kind, shape `(problems, kinds)`."""
    means = rows.groupby("problem")[list(_TOKENS)].mean()
    return means.reindex(list(problems)).to_numpy(float)


def _cost(tokens: Floats, rates: Rates, unit: str, name: str) -> Floats:
    """Cost of each problem; costs are linear in tokens, so one price a kind suffices.

    Raises:
        InputError: a price that the strategy needs, or one of its counts, is not known.
    """
    total = np.zeros(len(tokens))
    for at, one in enumerate(np.eye(len(_TOKENS))):
        if not tokens[:, at].any():
            continue
        if np.isnan(tokens[:, at]).any():
            raise InputError(
                f"{unit} of {name}: some of its runs do not tell their {_TOKENS[at]}; a cascade "
                "needs evidence whose costs are known"
            )
        price = getattr(rates.price(*one.tolist()), unit)
        if price is None:
            scored = _TOKENS[at].startswith("prm")
            raise InputError(f"{unit} of {name}: {rates.missing(unit, scored=scored)}")
        total += price * tokens[:, at]
    return total


def _drawn(
    pools: Sequence[Pool], problems: Sequence[str], strategy: Strategy, draws: int
) -> tuple[Floats | None, Floats | None]:
    """Signals and correctness of draws; None if a pool is smaller than the vote, or lacks scores.

    The draws of a problem do not depend on the other problems.
    """
    if any(len(pool) < strategy.n for pool in pools):
        return None, None
    if isinstance(strategy, BestOfN) and any(strategy.score not in one.scores for one in pools):
        return None, None
    features, right = [], []
    for problem, pool in zip(problems, pools, strict=True):
        rng = np.random.default_rng([seed_of(problem), strategy.n])
        order: Ints = rng.random((draws, len(pool))).argsort(axis=1)[:, : strategy.n]
        seen = signals_of(pool, strategy, order)
        features.append(seen.features(strategy.n))
        right.append(seen.right)
    return np.array(features), np.array(right)


def _pools(
    store_url: str, asked: Sequence[Models], grader: Grader
) -> dict[Models, dict[str, Pool]]:
    """The pools of a policy alone and with its scorers, by problem."""
    if store_exists(store_url):
        return _stored(store_url, asked, grader)
    folder = data_folder() / "measured" / "pools"
    policy = asked[0].policy
    if policy not in saved_policies(folder):
        return {models: {} for models in asked}
    samples, _ = load_pools(folder, policy)
    made = {}
    grouped: dict[tuple[str | None, ...], list[int]] = {}  # the samples are the same
    for models in asked:
        known = models.prm is None or has_rewards(samples, models.prm)
        pools = (
            saved_pools(samples, models.prm, grader, further=(), grouped=grouped) if known else ()
        )
        made[models] = {one.problem: one.pool for one in pools}
    return made


def _stored(
    store_url: str, asked: Sequence[Models], grader: Grader
) -> dict[Models, dict[str, Pool]]:
    made = {}
    with Store.open(store_url, create=False) as store:
        runs = store.runs()
        current = current_runs(runs, evidence_domain(runs, asked[0].policy))
        profiles = [s for s in current if s.kind == PROFILE and s.policy == asked[0].policy]
        for models in asked:
            free = models.prm if models.prm in FREE_SCORERS else None
            any_prm = models.prm is None or free is not None
            specs = [spec for spec in profiles if any_prm or spec.prm == models.prm]
            pools, _ = stored_pools(
                store, specs, grader, scored=models.prm is not None, free=free, further=()
            )
            made[models] = {one.problem: one.pool for one in pools}
    return made
