"""Models with ready responses, for benches of the code around a model.

A few hundred responses and rewards were made before and come back unchanged. Generating is
sleeping: a timer of the kernel ends it, and the event loop hears of that as it hears of an engine's
answer (Linux only).
"""

from __future__ import annotations

import asyncio
import ctypes
import dataclasses
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from itertools import islice
from typing import Any

import numpy as np
from common import ROOT

from planner.plans.plan import PlanBasis

sys.path.insert(0, str(ROOT))
from recommend import POLICY, plan_of
from routing import samples_of

from executor.answers.grader import MathGrader
from executor.ledger import Ledger
from executor.models.tokens import Step
from executor.outcome import Outcome
from executor.policies.base import Draw, DrawRequest
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm
from executor.problem import Problem
from executor.run.runner import Executor
from executor.store.store import Store
from executor.strategy import BestOfN, Greedy, Majority, key
from planner.plans.plan import Plan
from planner.plans.reference import Reference
from planner.service.answering.answerer import Query, QueryResult, ReportProgress
from planner.service.answering.planned import PlanAnswerer
from planner.service.factory import create_observer
from planner.service.feedback.recorder import FeedbackRecorder
from planner.service.monitoring.drift import DriftMonitor
from profiling.difficulty.fitting import fit_difficulty
from profiling.laboratory.catalog import prms_of
from profiling.laboratory.task import DataSplit
from profiling.laboratory.task import generate as stories
from profiling.pass_rate import PassRate
from profiling.profiles.profiler import ProblemProfile

MOST = 16  # responses to a question
_MADE = 50  # questions whose responses are ready
_SAMPLING = (Greedy, Majority, BestOfN)
_LIBC = ctypes.CDLL(None, use_errno=True)

slept: ContextVar[list[float]] = ContextVar("slept")
"""Seconds of each request to the policy, for whoever counts them."""


def questions(seed: int) -> Iterator[str]:
    """Stories like those of the profile, without end."""
    return (problem.problem for problem in stories(seed, DataSplit.TRAIN))


class Sleeping:
    """An engine that takes time, and nothing else: half a second on average."""

    def __init__(self, mean: float) -> None:
        self._mean = mean
        self._free: list[int] = []
        self._ended: dict[int, asyncio.Future[None]] = {}

    async def generate(self) -> None:
        """Take the time that an engine would, and note it for the request."""
        seconds = random.uniform(0.5, 1.5) * self._mean if self._mean else 0.0
        slept.get().append(seconds)
        if not seconds:
            await asyncio.sleep(0)
            return
        # An engine's answer comes by a descriptor when it is ready; the loop's own timers wake up
        # to a millisecond after that.
        loop = asyncio.get_running_loop()
        if not self._free:
            timer = _LIBC.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
            loop.add_reader(timer, self._rang, timer)
            self._free.append(timer)
        timer = self._free.pop()
        whole, part = divmod(round(1e9 * seconds), 10**9)
        self._ended[timer] = ended = loop.create_future()
        _LIBC.timerfd_settime(timer, 0, (ctypes.c_long * 4)(0, 0, whole, part), None)
        await ended
        self._free.append(timer)

    def _rang(self, timer: int) -> None:
        os.read(timer, 8)
        ended = self._ended.pop(timer)
        if not ended.done():
            ended.set_result(None)


class CannedPolicy(SimulatedPolicy):
    """Writes responses that were made before, all to one question of those of another one."""

    def __init__(self, mean: float) -> None:
        super().__init__(0.7, 2)
        self._engine = Sleeping(mean)
        self._made = [asyncio.run(self._make(text)) for text in islice(questions(1), _MADE)]

    async def _make(self, text: str) -> list[Draw]:
        request = DrawRequest(
            self.prompt(text), n=MOST, max_tokens=1000, temperature=1.0, top_p=1.0, seed=1,
            ledger=Ledger(),
        )  # fmt: skip
        return await super().draw(request)

    async def draw(self, request: DrawRequest) -> list[Draw]:
        """See `Policy.draw`."""
        n, ledger, finished = request.n, request.ledger, request.finished
        await self._engine.generate()
        made, first = self._made[sum(request.prompt_ids) % _MADE], request.seed
        draws = [made[(first + child) % MOST] for child in range(n)]
        ledger.prompt += n * len(request.prompt_ids)
        ledger.generated += sum(len(draw.token_ids) for draw in draws)
        if finished is not None:
            for child, draw in enumerate(draws):
                finished(child, draw)
        return draws


class CannedPrm(SimulatedPrm):
    """Rewards steps at once, with numbers that were drawn before."""

    def __init__(self) -> None:
        super().__init__()
        self._made = np.random.default_rng(0).random(1000).tolist()

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        """See `StepScorer.score`."""
        await asyncio.sleep(0)
        written = sum(len(step.token_ids) for step in steps)
        ledger.charge_prm(len(question) + written, 0)
        return self._made[written : written + len(steps) - start]


class Canned:
    """An answerer that has its answer ready."""

    model = "canned"

    def __init__(self, mean: float, concurrency: int) -> None:
        self.concurrency = concurrency
        self._engine = Sleeping(mean)
        text = "\n\n".join(f"Step {k}: so x is {k}." for k in range(8))
        self._answered = QueryResult(
            (text,), ("stop",), "7", Majority(16), "medium", 0.5, (0.4, 0.6),
            Ledger(prompt=900, generated=4000), 0.5, {"flops": 1e9, "usd": None, "seconds": 0.5},
            (), {},
        )  # fmt: skip

    async def answer(self, query: Query, progress: ReportProgress) -> QueryResult:
        """The answer, after some time."""
        await self._engine.generate()
        return self._answered

    def decode(self, token_ids: Sequence[int]) -> str:
        """Not asked for."""
        raise NotImplementedError

    async def ready(self) -> None:
        """It always is."""

    async def close(self) -> None:
        """Nothing to release."""


class Timed:
    """An answerer that tells with each answer how long was slept for it."""

    def __init__(self, answerer: Any) -> None:
        self._answerer = answerer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answerer, name)

    async def answer(self, query: Query, progress: ReportProgress) -> QueryResult:
        """See `Answerer.answer`."""
        noted: list[float] = []
        slept.set(noted)
        answered = await self._answerer.answer(query, progress)
        first, *others = answered.texts
        told = f"{sum(noted)} {len(noted)} {key(answered.strategy)}\n{first}"
        return dataclasses.replace(answered, texts=(told, *others))


def laboratory_plan() -> Plan:
    """A plan that routes, of strategies whose draws come one after another."""
    prm = prms_of(POLICY)["strong"]
    plan = plan_of(POLICY, prm)
    profiles = [
        ProblemProfile(
            Outcome(Problem(uid, text), None, None, None, samples),
            PassRate(sum(bool(sample.correct) for sample in samples), len(samples)),
        )
        for uid, (text, samples) in samples_of(POLICY, prm).items()
    ]
    with MathGrader() as grader:
        classifier = fit_difficulty(profiles, grader)
        reference = Reference.from_profiles(profiles, classifier, grader)
    known = {
        level: tuple(one for one in entries if isinstance(one.strategy, _SAMPLING))
        for level, entries in plan.alternatives.items()
    }
    return dataclasses.replace(
        plan,
        alternatives=known,
        entries={level: entries[0] for level, entries in known.items()},
        classifier=classifier,
        reference=reference,
        rests_on=PlanBasis(mix=Counter(one.pass_rate.difficulty.value for one in profiles)),
    )


def executor_of(plan: Plan, mean: float) -> Executor:
    """Models that have everything ready."""
    return Executor(
        CannedPolicy(mean), CannedPrm(), MathGrader(), plan.sampling,
        early_stop=True,  # as `apportion serve` does
    )  # fmt: skip


def routing(plan: Plan, mean: float, store: str = "sqlite://") -> PlanAnswerer:
    """The answerer that `planner.service.factory` makes, of models that have everything
    ready; what may be told of its answers is written to a store."""
    executor = executor_of(plan, mean)
    drift, feedback = DriftMonitor(plan), FeedbackRecorder(Store.open(store))
    observer = create_observer(plan, drift, feedback, lambda line: None)
    return PlanAnswerer(
        plan, lambda: executor, observer=observer, close=feedback.close, model=Canned.model
    )
