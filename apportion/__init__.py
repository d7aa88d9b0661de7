"""Compute-optimal test-time strategies: measure, plan, answer.

The names in `__all__` are what other programs may rely on. Each is imported when it is first used,
so that `import apportion` takes no time:

    >>> import apportion
    >>> answer = apportion.recommend("lab-0.8m", "lab-0.8m-prm", difficulty="hard")
    >>> answer.made.choice.strategy.name
    'beam_search'

Functions do what the commands of the same names do; they raise `InputError` with one line if their
caller can mend what is wrong, `EngineError` if an engine was lost, and `StoreLostError` (an
`InputError`) if the database of an open store was. `Apportion` keeps engines loaded between
questions.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # True to type checkers; importing `typing` would take longer than the rest
if TYPE_CHECKING:
    __version__: str
    from executor.access import Access as Access
    from executor.answers.grader import Grader as Grader
    from executor.answers.reasons import GradeReason as GradeReason
    from executor.engines.options import EngineOptions as EngineOptions
    from executor.errors import EngineError as EngineError
    from executor.errors import InputError as InputError
    from executor.errors import StoreLostError as StoreLostError
    from executor.ledger import Ledger as Ledger
    from executor.policies.base import ChatPolicy as ChatPolicy
    from executor.policies.base import Draw as Draw
    from executor.policies.base import DrawRequest as DrawRequest
    from executor.policies.base import Policy as Policy
    from executor.problem import Problem as Problem
    from executor.scorers.base import StepScorer as Scorer
    from executor.servers.endpoint import EndpointLimits as EndpointLimits
    from executor.store.store import Store as Store
    from executor.strategy import AdaptiveMajority as AdaptiveMajority
    from executor.strategy import Aggregate as Aggregate
    from executor.strategy import BeamSearch as BeamSearch
    from executor.strategy import BestOfN as BestOfN
    from executor.strategy import Dvts as Dvts
    from executor.strategy import Greedy as Greedy
    from executor.strategy import Majority as Majority
    from executor.strategy import ParticleFilter as ParticleFilter
    from executor.strategy import Sampling as Sampling
    from executor.strategy import ShortMOfK as ShortMOfK
    from executor.strategy import Strategy as Strategy
    from planner.api import Apportion as Apportion
    from planner.choice.against import Against as Against
    from planner.choice.answer import Answer as Answer
    from planner.choice.constraint import Constraint as Constraint
    from planner.choice.estimate import Models as Models
    from planner.choice.estimate import StrategyEstimate as StrategyEstimate
    from planner.choice.recommend import Recommendation as Recommendation
    from planner.costs.pricing import Pricing as Pricing
    from planner.notes import Note as Note
    from planner.notes import NoteCode as NoteCode
    from planner.plans.plan import Plan as Plan
    from planner.plans.serialization import load_plan as load_plan
    from planner.plans.serialization import save_plan as save_plan
    from planner.runtime.reporter import Reporter as Reporter
    from planner.runtime.settings import SessionSettings as SessionSettings
    from planner.service.answering.answerer import QueryResult as QueryResult
    from planner.service.http.settings import ServiceSettings as ServiceSettings
    from planner.service.serving import serve as serve
    from planner.usecases.budget import budget as budget
    from planner.usecases.evaluate import Evaluation as Evaluation
    from planner.usecases.evaluate import evaluate as evaluate
    from planner.usecases.fit import FittedModel as FittedModel
    from planner.usecases.fit import fit as fit
    from planner.usecases.fit_prm import TrainedPrm as TrainedPrm
    from planner.usecases.fit_prm import fit_prm as fit_prm
    from planner.usecases.grade import Gradable as Gradable
    from planner.usecases.grade import Grade as Grade
    from planner.usecases.grade import Grades as Grades
    from planner.usecases.grade import grade as grade
    from planner.usecases.import_runs import ImportedRuns as ImportedRuns
    from planner.usecases.import_runs import import_runs as import_runs
    from planner.usecases.known_models import Unlisted as Unlisted
    from planner.usecases.measure import Measurement as Measurement
    from planner.usecases.measure import measure as measure
    from planner.usecases.plan import PlanResult as PlanResult
    from planner.usecases.plan import plan as plan
    from planner.usecases.problem_files import ProblemFiles as ProblemFiles
    from planner.usecases.profile import Profile as Profile
    from planner.usecases.profile import profile as profile
    from planner.usecases.recommend import recommend as recommend
    from planner.usecases.replay import Replay as Replay
    from planner.usecases.replay import replay as replay
    from planner.usecases.report import WrittenReport as WrittenReport
    from planner.usecases.report import report as report
    from planner.usecases.run import Answers as Answers
    from planner.usecases.run import run as run
    from planner.workloads.budget_report import BudgetReport as BudgetReport
    from planner.workloads.budget_report import Total as Total
    from profiling.pass_rate import Difficulty as Difficulty

__all__ = [
    "Access",
    "AdaptiveMajority",
    "Against",
    "Aggregate",
    "Answer",
    "Answers",
    "Apportion",
    "BeamSearch",
    "BestOfN",
    "BudgetReport",
    "ChatPolicy",
    "Constraint",
    "Difficulty",
    "Draw",
    "DrawRequest",
    "Dvts",
    "EndpointLimits",
    "EngineError",
    "EngineOptions",
    "Evaluation",
    "FittedModel",
    "Gradable",
    "Grade",
    "GradeReason",
    "Grader",
    "Grades",
    "Greedy",
    "ImportedRuns",
    "InputError",
    "Ledger",
    "Majority",
    "Measurement",
    "Models",
    "Note",
    "NoteCode",
    "ParticleFilter",
    "Plan",
    "PlanResult",
    "Policy",
    "Pricing",
    "Problem",
    "ProblemFiles",
    "Profile",
    "QueryResult",
    "Recommendation",
    "Replay",
    "Reporter",
    "Sampling",
    "Scorer",
    "ServiceSettings",
    "SessionSettings",
    "ShortMOfK",
    "Store",
    "StoreLostError",
    "Strategy",
    "StrategyEstimate",
    "Total",
    "TrainedPrm",
    "Unlisted",
    "WrittenReport",
    "budget",
    "evaluate",
    "fit",
    "fit_prm",
    "grade",
    "import_runs",
    "load_plan",
    "measure",
    "plan",
    "profile",
    "recommend",
    "replay",
    "report",
    "run",
    "save_plan",
    "serve",
]

# Public name: the module that has it, and its name there if that differs.
_HOMES = {
    # What commands do
    "recommend": "planner.usecases.recommend",
    "profile": "planner.usecases.profile",
    "measure": "planner.usecases.measure",
    "import_runs": "planner.usecases.import_runs",
    "replay": "planner.usecases.replay",
    "fit": "planner.usecases.fit",
    "fit_prm": "planner.usecases.fit_prm",
    "plan": "planner.usecases.plan",
    "run": "planner.usecases.run",
    "budget": "planner.usecases.budget",
    "evaluate": "planner.usecases.evaluate",
    "report": "planner.usecases.report",
    "grade": "planner.usecases.grade",
    "serve": "planner.service.serving",
    "Apportion": "planner.api",
    # What they return
    "Against": "planner.choice.against",
    "Answers": "planner.usecases.run",
    "BudgetReport": "planner.workloads.budget_report",
    "Evaluation": "planner.usecases.evaluate",
    "FittedModel": "planner.usecases.fit",
    "ImportedRuns": "planner.usecases.import_runs",
    "Measurement": "planner.usecases.measure",
    "Models": "planner.choice.estimate",
    "Profile": "planner.usecases.profile",
    "QueryResult": "planner.service.answering.answerer",
    "Replay": "planner.usecases.replay",
    "TrainedPrm": "planner.usecases.fit_prm",
    "WrittenReport": "planner.usecases.report",
    # Values
    "SessionSettings": "planner.runtime.settings",
    "Sampling": "executor.strategy",
    "EngineOptions": "executor.engines.options",
    "Access": "executor.access",
    "EndpointLimits": "executor.servers.endpoint",
    "ServiceSettings": "planner.service.http.settings",
    "ProblemFiles": "planner.usecases.problem_files",
    "Gradable": "planner.usecases.grade",
    "Grade": "planner.usecases.grade",
    "Grades": "planner.usecases.grade",
    "GradeReason": "executor.answers.reasons",
    "Note": "planner.notes",
    "NoteCode": "planner.notes",
    "Reporter": "planner.runtime.reporter",
    "Answer": "planner.choice.answer",
    "PlanResult": "planner.usecases.plan",
    "ChatPolicy": "executor.policies.base",
    "Draw": "executor.policies.base",
    "DrawRequest": "executor.policies.base",
    "Ledger": "executor.ledger",
    "Constraint": "planner.choice.constraint",
    "Difficulty": "profiling.pass_rate",
    "Plan": "planner.plans.plan",
    "load_plan": "planner.plans.serialization",
    "save_plan": "planner.plans.serialization",
    "Pricing": "planner.costs.pricing",
    "Problem": "executor.problem",
    "Recommendation": "planner.choice.recommend",
    "StrategyEstimate": "planner.choice.estimate",
    "Store": "executor.store.store",
    "Total": "planner.workloads.budget_report",
    "Unlisted": "planner.usecases.known_models",
    # Strategies
    "AdaptiveMajority": "executor.strategy",
    "Aggregate": "executor.strategy",
    "BeamSearch": "executor.strategy",
    "BestOfN": "executor.strategy",
    "Dvts": "executor.strategy",
    "Greedy": "executor.strategy",
    "Majority": "executor.strategy",
    "ParticleFilter": "executor.strategy",
    "ShortMOfK": "executor.strategy",
    "Strategy": "executor.strategy",
    # Axes that a caller may implement
    "Grader": "executor.answers.grader",
    "Policy": "executor.policies.base",
    "Scorer": "executor.scorers.base:StepScorer",
    # Errors
    "EngineError": "executor.errors",
    "InputError": "executor.errors",
    "StoreLostError": "executor.errors",
}


if not TYPE_CHECKING:  # else every misspelt name would pass a type checker

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used."""
        if name == "__version__":
            from importlib.metadata import version

            return version(__name__)
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, named = _HOMES[name].partition(":")
        value = getattr(importlib.import_module(module), named or name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
