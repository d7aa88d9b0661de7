"""Runs a plan on one problem: probe, estimate the difficulty, then spend what the plan says."""

from __future__ import annotations

import asyncio
import dataclasses
import time

from executor.outcome import grade
from executor.problem import Problem
from executor.runner import Executor, Solved
from executor.search import sample, score_all
from planner.plan import DEFAULT, Plan
from planner.recommend import uses_probes


@dataclasses.dataclass(frozen=True, slots=True)
class ByPlan:
    """The job of answering by a plan; the note also names the strategy that was run."""

    plan: Plan

    async def __call__(self, executor: Executor, problem: Problem) -> Solved:
        """See `solve_by_plan`."""
        outcome, note = await solve_by_plan(executor, self.plan, problem)
        return outcome, note | {"strategy": self.plan.entry(note["difficulty"]).strategy.name}


async def solve_by_plan(executor: Executor, plan: Plan, problem: Problem) -> Solved:
    """Answer a problem as the plan says; no reference answer is looked at on the way.

    Probe samples count towards the budget of strategies that sample whole responses; for the
    others their tokens are charged as probes.

    Returns:
        The outcome, and a note with the difficulty and all that was estimated of it.
    """
    if not plan.routes or plan.classifier is None:
        entry = plan.entry(DEFAULT)
        outcome = await executor.solve(problem, entry.strategy)
        return outcome, executor.note(problem) | {"difficulty": DEFAULT}
    started = time.perf_counter()
    budget = max(entry.strategy.n for entry in plan.entries.values()) + plan.classifier.probes
    context = executor.context(problem, budget)
    probes = await sample(context, plan.classifier.probes, where="probe")
    if executor.prm is not None:
        probes = await score_all(context, probes)
    note = executor.note(problem)
    if len(probes) == plan.classifier.probes:
        unlabelled = dataclasses.replace(problem, answer=None)
        records = await asyncio.to_thread(grade, probes, unlabelled, executor.grader)
        found = await asyncio.to_thread(
            plan.classifier.estimate, problem.text, records, executor.grader
        )
        level = found.difficulty.value
        note["estimate"] = found.to_dict()
    else:
        level = DEFAULT  # the question fills the context: nothing can be drawn
    strategy = plan.entry(level).strategy
    usable = uses_probes(strategy, len(probes))
    context.cap.limit = executor.token_limit(strategy.n + (0 if usable else len(probes)))
    if not usable:
        tokens = sum(response.n_tokens for response in probes)
        context.ledger.generated -= tokens
        context.ledger.probe += tokens
    outcome = await executor.solve(
        problem, strategy, context=context, probes=probes if usable else ()
    )
    outcome = dataclasses.replace(outcome, seconds=time.perf_counter() - started)
    return outcome, note | {"difficulty": level}
