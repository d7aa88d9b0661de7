"""Measure strategies: run them live on problems with known answers; the outcomes are evidence."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from executor.models.templates import PromptTemplate, for_checkpoint
from executor.policies.base import Reads
from executor.problem import Problem
from executor.run.runner import ByStrategy, Models, check_continues, check_reads
from executor.scorers.base import check_scorer_for
from executor.scorers.loading import scores_steps
from executor.store.store import RunSpec
from executor.strategy import Aggregate, Strategy, key, to_dict
from planner.evaluation.run_summary import RunSummary, summarise_run
from planner.runtime.model_ref import ModelRef
from planner.runtime.reporter import Reporter, SilentReporter
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from planner.runtime.spending import Spending, check_anything_done, with_spending
from planner.usecases import DEFAULT_STORE
from planner.usecases.open_session import open_session
from planner.usecases.problem_files import Problems, read_problems, settings_for
from profiling.profiles.profiler import MEASURE


@dataclass(frozen=True, slots=True)
class Measurement:
    """What strategies reached on a set of problems.

    Attributes:
        policy: its name in evidence.
        prm: name of the PRM; None without one.
        runs: accuracy and tokens of each strategy.
        spending: what was spent of the settings' `max_usd`; None without one.
    """

    policy: str
    prm: str | None
    runs: tuple[RunSummary, ...]
    spending: Spending | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        record = {
            "policy": self.policy,
            "prm": self.prm,
            "runs": [summary.to_dict() for summary in self.runs],
        }
        return with_spending(record, self.spending)


def measure(
    problems: Problems,
    strategies: Sequence[Strategy],
    *,
    policy: str,
    prm: str | None = None,
    store: str = DEFAULT_STORE,
    settings: SessionSettings | None = None,
    session: Session | None = None,
    reporter: Reporter = SilentReporter(),
) -> Measurement:
    """Run strategies on problems with known answers; problems that are done are not done again.

    The outcomes stay in the store as evidence.

    Args:
        problems: a file of problems, several files, or the problems themselves, with answers.
        strategies: to run, each with its budget.
        policy: catalog name, checkpoint folder, hub id or address of a server.
        prm: the same of a PRM, for the strategies that need one.
        store: SQLAlchemy URL of the store, which is made if it does not exist.
        settings: of sampling, engines, servers and cluster.
        session: an open session, whose store and settings count; None: one for this call.
        reporter: receives progress and remarks.

    Raises:
        InputError: a file or a model is missing or unfit, a strategy needs a PRM, or it shows the
            policy earlier answers that this one cannot read.
        EngineError: an engine was lost; the same call goes on from what is stored.
    """
    check_prm_given(strategies, prm)
    found = read_problems(problems, remark=reporter.say)
    settings = settings_for(found, settings or SessionSettings(), session)
    with open_session(session, store, settings, reporter, policy=policy, prm=prm) as opened:
        model = opened.find_policy(policy)
        check_policy_reads(strategies, model)
        models = opened.models(model, None if prm is None else opened.find_prm(prm))
        template = opened.template(model)
        runs = tuple(
            run_strategy(opened, models, template, found, strategy)[0] for strategy in strategies
        )
        spending = opened.spending
        check_anything_done(spending, sum(run.problems for run in runs))
    return Measurement(models.policy_name, models.prm_name, runs, spending)


def check_prm_given(strategies: Sequence[Strategy], prm: str | None) -> None:
    """Check that strategies that need a scorer have one that can do what they need.

    Raises:
        InputError: a strategy needs a scorer, and none is given, or none of steps.
    """
    steps = prm is None or scores_steps(prm)
    for strategy in strategies:
        check_scorer_for(strategy, prm, scores_steps=steps)


def check_policy_reads(strategies: Sequence[Strategy], policy: ModelRef) -> None:
    """Check, before the policy is loaded, that it can do what the strategies ask of it.

    Raises:
        InputError: a strategy shows earlier answers, and the policy reads single questions alone;
            or it continues responses, and the policy is a chat policy.
    """
    if policy.checkpoint.chat:
        for strategy in strategies:
            check_continues(strategy, policy.name)
    if for_checkpoint(PromptTemplate(), policy.location).alone:
        for strategy in strategies:
            if isinstance(strategy, Aggregate):
                check_reads(strategy, policy.name, Reads.QUESTION)


def run_strategy(
    session: Session,
    models: Models,
    template: PromptTemplate,
    problems: Sequence[Problem],
    strategy: Strategy,
    kind: str = MEASURE,
) -> tuple[RunSummary, RunSpec]:
    """Run one strategy on the problems that it has not been run on, and sum all of them up.

    Args:
        session: the open session.
        models: loaded models; the PRM is left out if the strategy needs none.
        template: prompt template of the policy.
        problems: to solve.
        strategy: to run.
        kind: kind of the run in the store.

    Returns:
        The summary over all problems, and the run in the store.
    """
    if not strategy.needs_prm:
        models = models.without_prm()
    spec = RunSpec(
        kind,
        models.policy_name,
        models.prm_name,
        models.settings(template.to_dict(), strategy=to_dict(strategy)),
    )
    solve = functools.partial(models.run, ByStrategy(strategy))
    work = session.run(f"{strategy.name}@{strategy.n}", problems, solve, spec, sequences=strategy.n)
    outcomes = session.store.outcomes(spec, problems=problems, samples=False)
    return summarise_run(key(strategy), outcomes, asdict(work)), spec
