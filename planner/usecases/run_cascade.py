"""Run a cascade: each stage answers what the stages before it passed on.

The stages run one after another over all problems, each in a session of its own that is closed
before the next opens: a machine needs room for one policy and its scorer at a time. What the store
holds is not answered again, so a cascade that was interrupted goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from executor.answers.grader import Grader
from executor.errors import InputError
from executor.problem import Problem, problem_uid
from executor.store.store import RunSpec, StoredOutcome
from executor.strategy import BestOfN
from planner.cascades.plan import CascadePlan, PlannedStage
from planner.cascades.serialization import load_cascade
from planner.cascades.signals import signals_of
from planner.evaluation.run_summary import RunSummary
from planner.runtime.model_ref import check_plan_prm
from planner.runtime.reporter import Reporter, SilentReporter
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from planner.usecases import DEFAULT_STORE, open_session
from planner.usecases.measure import check_policy_reads, run_strategy
from planner.usecases.problem_files import Problems, read_problems, settings_for
from planner.usecases.run import KIND
from profiling.pass_rate import PassRate
from profiling.pools.replay import Pool


@dataclass(frozen=True, slots=True)
class StageRun:
    """What one stage answered.

    Attributes:
        stage: the stage.
        summary: accuracy and tokens on the problems that it was asked, its ledger among them.
        spec: its run in the store.
        passed_on: number of these problems that the next stage was asked.
    """

    stage: PlannedStage
    summary: RunSummary
    spec: RunSpec
    passed_on: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        models = {"policy": self.spec.policy, "prm": self.spec.prm, "passed_on": self.passed_on}
        return models | self.summary.to_dict()


@dataclass(frozen=True, slots=True)
class CascadeAnswer:
    """The answer to one problem.

    Attributes:
        outcome: that of the stage that answered.
        stage: its number, from 1.
        chance: P(the answer is right) by that stage's votes; None for the last stage.
    """

    outcome: StoredOutcome
    stage: int
    chance: float | None


@dataclass(frozen=True, slots=True)
class CascadeAnswers:
    """Answers of a cascade.

    Attributes:
        plan: the cascade.
        stages: the stages that were asked.
        answers: one for each problem, in their order.
    """

    plan: CascadePlan
    stages: tuple[StageRun, ...]
    answers: tuple[CascadeAnswer, ...]

    @property
    def rate(self) -> PassRate | None:
        """Right answers among those whose reference is known; None if none is."""
        graded = [one.outcome.outcome.correct for one in self.answers]
        known = [bool(correct) for correct in graded if correct is not None]
        return PassRate(sum(known), len(known)) if known else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        rate, promise = self.rate, self.plan.promise
        return {
            "problems": len(self.answers),
            "accuracy": None if rate is None else rate.pass_at_1,
            "interval": None if rate is None else list(rate.interval()),
            "promised": None if promise is None else promise.accuracy,
            "promised_interval": None if promise is None else list(promise.interval),
            "stages": [one.to_dict() for one in self.stages],
            "answers": [
                {
                    "id": one.outcome.outcome.problem.id,
                    "answer": one.outcome.outcome.answer,
                    "correct": one.outcome.outcome.correct,
                    "stage": one.stage,
                    "policy": one.outcome.run.policy,
                    "chance": one.chance,
                }
                for one in self.answers
            ],
        }


def run_cascade(
    problems: Problems,
    plan: CascadePlan | Path | str,
    *,
    store: str = DEFAULT_STORE,
    settings: SessionSettings | None = None,
    session: Session | None = None,
    reporter: Reporter = SilentReporter(),
) -> CascadeAnswers:
    """Answer problems by a cascade.

    Args:
        problems: a file of problems, several files, or the problems themselves.
        plan: a cascade or its file; its sampling and templates replace those of the settings.
        store: SQLAlchemy URL of the store; it is created if it does not exist.
        settings: settings of engines, servers and cluster; None: the defaults. A stage that
            decides draws all of its samples, for its agreement is that of all.
        session: an open session, whose store and settings are used by all stages, and whose models
            stay loaded; None: one for each stage.
        reporter: receives progress and remarks.

    Raises:
        InputError: a file or a model is missing or unfit.
        EngineError: an engine was lost; the same call continues from the stored outcomes.
    """
    cascade = plan if isinstance(plan, CascadePlan) else load_cascade(plan)
    asked = read_problems(problems, require_answers=False, remark=reporter.say)
    settings = settings_for(asked, settings or SessionSettings(), session, cascade.domain)
    if settings.max_usd is not None:
        raise InputError(
            "--max-usd: the stages of a cascade have no cap in common yet; leave it out, or run "
            "one policy"
        )
    if session is None:  # a wrong name in the last stage is heard before the first has run
        for stage in cascade.stages:
            if stage.prm is not None:
                check_plan_prm(stage.prm)
            open_session.find_models(stage.policy, stage.prm, settings, reporter)
    answers: dict[str, CascadeAnswer] = {}
    runs: list[StageRun] = []
    left: Sequence[Problem] = asked
    for number, stage in enumerate(cascade.stages, 1):
        if not left:
            break
        reporter.say(f"stage {number} of {len(cascade.stages)}: {stage.name}, {len(left)} problems")
        of_stage = replace(settings, early_stop=False) if stage.rule is not None else settings
        with open_session.open_session(
            session, store, of_stage, reporter, policy=stage.policy, prm=stage.prm
        ) as opened:
            summary, spec = _run_stage(opened, stage, left)
            found = opened.store.outcomes(spec, problems=left, samples=stage.rule is not None)
            passed: set[str] = set()
            for one in found:
                uid = problem_uid(one.outcome.problem)
                on, chance = _decided(stage, one, opened.grader)
                if on:
                    passed.add(uid)
                else:
                    lean = replace(one, outcome=replace(one.outcome, samples=()))
                    answers[uid] = CascadeAnswer(lean, number, chance)
        runs.append(StageRun(stage, summary, spec, len(passed)))
        left = [problem for problem in left if problem_uid(problem) in passed]
    return CascadeAnswers(
        cascade, tuple(runs), tuple(answers[problem_uid(problem)] for problem in asked)
    )


def _run_stage(
    session: Session, stage: PlannedStage, problems: Sequence[Problem]
) -> tuple[RunSummary, RunSpec]:
    policy = session.find_policy(stage.policy)
    check_policy_reads([stage.strategy], policy)
    models = session.models(
        policy,
        None if stage.prm is None else session.find_prm(stage.prm),
        template=stage.template,
        sampling=stage.sampling,
    )
    return run_strategy(session, models, stage.template, problems, stage.strategy, kind=KIND)


def _decided(
    stage: PlannedStage, stored: StoredOutcome, grader: Grader
) -> tuple[bool, float | None]:
    """Whether the next stage is asked, and P(this stage's answer is right).

    A question without any sample goes on: it filled this policy's context.
    """
    if stage.rule is None:
        return False, None
    samples = stored.outcome.samples
    if not samples:
        return True, None
    strategy = stage.strategy
    rules = (strategy.score,) if isinstance(strategy, BestOfN) else ()
    pool = Pool.of(samples, grader, rules=rules)
    seen = signals_of(pool, strategy, np.arange(len(samples))[None])
    return stage.rule.decide(seen.features(len(samples))[0])
