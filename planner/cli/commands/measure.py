"""`apportion measure`: live runs of strategies, stored as evidence."""

from __future__ import annotations

import functools
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from executor.errors import InputError
from executor.models.templates import PromptTemplate
from executor.problem import Problem
from executor.run.runner import ByStrategy, Models
from executor.store.store import RunSpec
from executor.strategy import STRATEGIES, Greedy, Strategy, key, make, parse_names, to_dict
from planner.cli.commands import common
from planner.cli.console import Output, count, share, table
from planner.evaluation.run_summary import RunSummary, summarise_run
from planner.runtime.session import Session
from profiling.profiler import MEASURE


def run(arguments: Namespace, output: Output) -> None:
    """Run every strategy at every budget."""
    budgets = common.whole_numbers("--budgets", arguments.budgets)
    strategies = parse_strategies(arguments, budgets, arguments.strategies)
    need_prm(strategies, arguments.prm)
    problems = common.problems(arguments)
    with common.session(arguments, output) as session:
        models = session.models(arguments.policy, arguments.prm)
        template = session.template(arguments.policy)
        summaries = [
            measure(session, models, template, problems, strategy)[0] for strategy in strategies
        ]
    document = {
        "policy": models.policy_name,
        "prm": models.prm_name,
        "runs": [summary.to_dict() for summary in summaries],
    }
    output.result(document, lambda console: console.print(summary_table("measured", summaries)))


def need_prm(strategies: Sequence[Strategy], prm: str | None) -> None:
    """InputError where a strategy needs a PRM and none is given."""
    if prm is None:
        for strategy in strategies:
            if strategy.needs_prm:
                raise InputError(f"strategy {strategy.name}: needs a PRM; give one with --prm")


def parse_strategies(arguments: Namespace, budgets: Sequence[int], names: str) -> list[Strategy]:
    """The strategies asked for, each at each budget; greedy once."""
    found: list[Strategy] = []
    chosen = parse_names(names)
    common.check_strategy_options(arguments, chosen)
    for name in chosen:
        if STRATEGIES[name] is Greedy:
            found.append(Greedy())
            continue
        options = common.strategy_options(arguments, name)
        found += [make(name, budget, **options) for budget in budgets]
    return found


def measure(
    session: Session,
    models: Models,
    template: PromptTemplate,
    problems: Sequence[Problem],
    strategy: Strategy,
    kind: str = MEASURE,
) -> tuple[RunSummary, RunSpec]:
    """Run one strategy on what it has not been run on, and add it up."""
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
    stored = session.store.outcomes(spec, problems=problems, samples=False)
    return summarise_run(key(strategy), stored, asdict(work)), spec


def summary_table(title: str, summaries: Sequence[RunSummary]) -> Any:
    """Runs for people: accuracy, interval and problems, and what it took."""
    return table(
        title,
        [
            "strategy",
            "accuracy [95 %]",
            "problems",
            "generated/problem",
            "PRM/problem",
            "latency, s",
        ],
        [
            [
                s.name,
                share(s.accuracy, s.interval),
                str(s.problems),
                count(s.tokens_per_problem),
                count(s.prm_tokens_per_problem),
                f"{s.seconds:.1f}",
            ]
            for s in summaries
        ],
    )
