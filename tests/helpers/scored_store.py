"""A store that has one policy, profiled, and its samples scored by one PRM; both simulated."""

from __future__ import annotations

import asyncio
from pathlib import Path

from executor.answers.grader import MathGrader
from executor.models.templates import PromptTemplate
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.run.runner import Executor
from executor.store.store import Store
from executor.strategy import Sampling
from profiling.profiles.profiler import profile, profile_spec

PROBLEMS = simulated_problems(12)
CHANCE = {problem.text: index / 11 for index, problem in enumerate(PROBLEMS)}
SAMPLES = 10
POLICY, PRM = "simulated-policy", "simulated-prm"


def fill(folder: Path) -> Path:
    """Make it in `folder`, as `apportion.db`."""
    with Store.open(f"sqlite:///{folder}/apportion.db") as store, MathGrader() as grader:
        policy = SimulatedPolicy(lambda text: CHANCE[text], 1, wrong_answers=3)
        for prm in (None, SimulatedPrm(0.8, name=PRM)):
            executor = Executor(policy, prm, grader, Sampling())
            spec = profile_spec(executor, SAMPLES, PromptTemplate().to_dict())
            asyncio.run(profile(executor, PROBLEMS, store, spec))
    return folder
