"""A session: the store, the grader and the models of one use case, opened once and closed once."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from executor.cluster.distributed import Workers
from executor.cluster.ray import Cluster
from executor.cluster.recipe import DistributedModels, WorkerRecipe
from executor.domains.registry import find_domain, open_grader
from executor.engines.base import EngineCounters
from executor.engines.capacity import Capacity
from executor.errors import InputError
from executor.models.checkpoint import Role
from executor.models.templates import PromptTemplate, load_template
from executor.policies.base import AnyPolicy, ChatPolicy
from executor.policies.capped import CappedChatPolicy, CappedPolicy
from executor.policies.thinking import thinking_policy
from executor.problem import Problem
from executor.run.admission import CONCURRENCY, Admission
from executor.run.runner import Executor, Models, Progress, Solver, run_problems
from executor.scorers import registry
from executor.spending import MoneyCap
from executor.store.store import RunSpec, Store
from executor.strategy import Sampling, ShortMOfK
from planner.runtime import model_ref
from planner.runtime.engine_work import EngineWork, note_throughput
from planner.runtime.loaded_models import LoadedModels
from planner.runtime.meter import Meter
from planner.runtime.model_ref import (
    ModelRef,
    check_confidences,
    check_executions,
    check_fit,
    check_plan_prm,
    check_thinking,
    template_of,
)
from planner.runtime.reporter import Reporter
from planner.runtime.settings import SessionSettings
from planner.runtime.spending import Spending, check_scorer_costs_nothing, money_cap


class Session:
    """Store, grader and models of one use case; a context manager.

    Models load when first asked for.

    Args:
        reporter: receives progress and remarks.
        store_url: SQLAlchemy URL of the store, which is made if it does not exist.
        settings: of sampling, engines, servers and cluster.
        known: models that were looked up before; they are not looked up again.

    Attributes:
        store: the open store.
        grader: compares answers.
        loading: lock to hold while models load in a thread of the caller's own.

    Raises:
        InputError: Ray is not installed, or there is no such cluster.
    """

    def __init__(
        self,
        reporter: Reporter,
        store_url: str,
        settings: SessionSettings,
        known: Iterable[ModelRef] = (),
    ) -> None:
        self.reporter = reporter
        self.settings = settings
        self.store_url = store_url
        self._stack = ExitStack()
        self._cluster: Cluster | None = None
        if settings.cluster is not None:
            # Before a store is made: the cluster may not be there.
            with reporter.status("starting Ray"):
                self._cluster = self._stack.enter_context(
                    Cluster.connect(settings.cluster, settings.engine.tensor_parallel_size)
                )
        self.store = self._stack.enter_context(Store.open(store_url))
        self.grader = self._stack.enter_context(
            open_grader(settings.domain, unsafe_execution=settings.unsafe_execution)
        )
        self._refs: dict[tuple[Role, str], ModelRef] = {(ref.role, ref.given): ref for ref in known}
        self._loaded = LoadedModels(settings, self.store, reporter)
        self._distributed: DistributedModels | None = None
        self._money: MoneyCap | None = None
        self.loading = threading.Lock()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the models, the grader and the store; report what could not be judged."""
        for prm, steps in self._loaded.close().items():
            self._report_unjudged(steps, prm)
        timeouts = self.grader.timeouts
        if self._distributed is not None:
            report = self._distributed.workers.report()
            self._report_unjudged(report.unjudged, self._distributed.prm_name)
            timeouts += report.timeouts
        if timeouts:
            self.reporter.say(
                f"note: pairs of answers that took too long to compare: {timeouts}; votes and "
                "grades count them as different"
            )
        self._stack.close()

    def _report_unjudged(self, steps: int, prm: str | None) -> None:
        if steps and prm is not None and registry.find(prm) is not None:
            self.reporter.say(
                f"note: {steps} verdicts of scorer {prm} could not be read, or the responses "
                "filled its context; they are worth 0"
            )
        elif steps:
            self.reporter.say(
                f"note: {steps} steps ended beyond the context of PRM {prm} "
                "and are worth 0; --max-tokens keeps responses shorter"
            )

    def find_policy(self, name: str) -> ModelRef:
        """Look up a policy, once; see `model_ref.find_policy`."""
        if ("policy", name) not in self._refs:
            self._refs["policy", name] = model_ref.find_policy(
                name, self.reporter.say, self.settings.access
            )
        return self._refs["policy", name]

    def find_prm(self, name: str) -> ModelRef:
        """Look up a PRM, once; see `model_ref.find_prm`."""
        if ("PRM", name) not in self._refs:
            self._refs["PRM", name] = model_ref.find_prm(name)
        return self._refs["PRM", name]

    def find_plan_prm(self, name: str) -> ModelRef:
        """Look up the PRM that a plan names.

        Raises:
            InputError: it is gone from the folder that the plan names.
        """
        check_plan_prm(name)
        return self.find_prm(name)

    def template(self, policy: ModelRef) -> PromptTemplate:
        """The prompt template for a policy: that of the settings, the domain's, else its own."""
        named = self.settings.template or find_domain(self.settings.domain).template
        if named is not None:
            return load_template(named)
        return template_of(policy)

    def release_lost(self) -> None:
        """Release models whose engines were lost; they load again when they are asked for."""
        self._loaded.release_lost()

    def executor(
        self,
        policy: ModelRef,
        prm: ModelRef | None = None,
        *,
        template: PromptTemplate | None = None,
        sampling: Sampling | None = None,
    ) -> Executor:
        """Load the models in this process, with the settings to run problems.

        Args:
            policy, prm: the models.
            template: prompt template; None: that of the settings, else the policy's own.
            sampling: how the policy samples; None: as in the settings.

        Raises:
            InputError: the PRM does not fit, or the policy is loaded with another template.
            EngineError: a model cannot be loaded, or no server answers.
        """
        if prm is not None:
            # Before any engine starts: whoever names a PRM that does not fit hears it at once.
            check_fit(policy, prm)
        check_confidences(policy, prm, self.settings.top_logprobs)
        check_executions(prm, self.settings.domain)
        money = self._cap_for(policy, prm)
        beside = prm if prm is not None and prm.weights else None
        loaded = self._loaded.policy(policy, template or self.template(policy), beside=beside)
        sampling = sampling or self.settings.sampling
        writes: AnyPolicy
        if isinstance(loaded, ChatPolicy):
            check_thinking(policy, sampling)
            writes = loaded if money is None else CappedChatPolicy(loaded, money)
        else:
            sampling = check_thinking(policy, sampling, loaded.tokens.tokenizer)
            # Each part of a response that thinks is a request of its own, so the cap lies inside.
            paid = loaded if money is None else CappedPolicy(loaded, money)
            writes = thinking_policy(paid, sampling.thinking, sampling.thinking_format)
        return Executor(
            policy=writes,
            prm=None if prm is None else self._loaded.prm(prm, loaded),
            digests=_digests(policy, prm),
            token_cap=self.settings.token_cap,
            early_stop=self.settings.early_stop,
            grader=self.grader,
            sampling=sampling,
            seed=self.settings.seed,
            domain=self.settings.domain,
            top_logprobs=self.settings.top_logprobs,
        )

    @property
    def spending(self) -> Spending | None:
        """What was spent of the cap so far; None without one."""
        return Spending.of(self._money)

    def _cap_for(self, policy: ModelRef, prm: ModelRef | None) -> MoneyCap | None:
        """Return the cap of the session, which all its runs share.

        Raises:
            InputError: the policy has no price, or the scorer costs what the cap does not count.
        """
        limit = self.settings.max_usd
        if limit is None:
            return None
        check_scorer_costs_nothing(None if prm is None else prm.given)
        price = self.settings.pricing.token_price(policy.name)
        cap = money_cap(limit, price)
        if self._money is None:
            self._money = cap
        elif self._money.tariff != cap.tariff:
            raise InputError(
                f"--max-usd: policy {policy.name} has other prices than the policy before it, and "
                "a cap counts by one list; run each with a cap of its own"
            )
        return self._money

    def models(
        self,
        policy: ModelRef,
        prm: ModelRef | None = None,
        *,
        template: PromptTemplate | None = None,
        sampling: Sampling | None = None,
    ) -> Models:
        """Load the models where the settings say: in this process, or in a cluster's workers.

        Arguments and errors are those of `executor`.
        """
        if self._cluster is None:
            return self.executor(policy, prm, template=template, sampling=sampling)
        models = [policy] if prm is None else [policy, prm]
        for model in models:
            if model.servers:
                raise InputError(
                    f"--ray: its workers load {model.name} themselves; name the model, "
                    "not its servers, or leave --ray out"
                )
        if prm is not None:
            check_fit(policy, prm)
        check_confidences(policy, prm, self.settings.top_logprobs)
        check_executions(prm, self.settings.domain)
        recipe = WorkerRecipe(
            policy=policy.lasting,
            prm=None if prm is None else prm.lasting,
            template=template or self.template(policy),
            engine=self.settings.engine,
            sampling=check_thinking(policy, sampling or self.settings.sampling),
            seed=self.settings.seed,
            token_cap=self.settings.token_cap,
            early_stop=self.settings.early_stop,
            digests=_digests(policy, prm),
            domain=self.settings.domain,
            unsafe_execution=self.settings.unsafe_execution,
            top_logprobs=self.settings.top_logprobs,
        )
        workers = self._stack.enter_context(
            Workers(
                recipe,
                self._cluster,
                concurrency=self.settings.concurrency or CONCURRENCY,
                say=self.reporter.say,
            )
        )
        with self.reporter.status(f"loading {policy.given} in {workers.count} workers"):
            workers.load()
        for model in models:
            self._loaded.note_size(model)
        prm_name = prm.name if prm else None
        self._distributed = DistributedModels(workers, policy.name, prm_name, recipe)
        return self._distributed

    def admission(self, spec: RunSpec, sequences: int) -> Admission:
        """How many problems of a run may be in flight.

        Args:
            spec: the run, whose policy is loaded.
            sequences: most sequences of one problem at once.
        """
        if self._distributed is not None:
            workers = self._distributed.workers
            if self.settings.concurrency is None:
                # Caches differ from machine to machine; what a batch holds does not.
                batch = self.settings.engine.max_num_seqs
                workers.expect(sequences, Capacity(batch, sys.maxsize))
            return Admission(most=workers.concurrency)
        capacity = self._loaded.policy_named(spec.policy).capacity
        strategy = spec.settings.get("strategy", {})
        return Admission(
            sequences,
            capacity,
            self.settings.concurrency,
            side_by_side=strategy.get("name") == ShortMOfK.name,
        )

    def run(
        self,
        label: str,
        problems: Sequence[Problem],
        solver: Solver,
        spec: RunSpec,
        *,
        sequences: int,
    ) -> EngineWork:
        """Solve the problems that a run has not finished; see `run_problems`.

        Args:
            label: name of the work, for the reporter.
            problems: to solve.
            solver: solves one problem.
            spec: the run.
            sequences: most sequences of one problem at once.
        """

        def work(progress: Progress) -> Coroutine[Any, Any, int]:
            return run_problems(
                problems, solver, self.store, spec,
                progress=progress, admission=self.admission(spec, sequences),
                say=self.reporter.say,
            )  # fmt: skip

        return self.timed(label, len(problems), spec, work)

    def timed(
        self,
        label: str,
        total: int,
        spec: RunSpec,
        work: Callable[[Progress], Coroutine[Any, Any, int]],
    ) -> EngineWork:
        """Run a coroutine over problems with progress, and keep its throughput in the store.

        Args:
            label: name of the work, for the reporter.
            total: number of problems.
            spec: the run.
            work: makes the coroutine, which returns the number of problems it finished; call its
                argument with the number just finished.
        """
        before, prm_before = self._counters(spec)
        started = time.perf_counter()
        meter = Meter(lambda: self._counters(spec)[0])
        with self.reporter.progress(label, total, meter) as progress:
            solved = asyncio.run(work(progress))
        seconds = time.perf_counter() - started
        after, prm_after = self._counters(spec)
        scored = prm_after - prm_before if prm_before and prm_after else None
        done = EngineWork(solved, after - before, scored)
        # Costs are counted in seconds of one engine, however many there are.
        engines = self._distributed.workers.count if self._distributed else 1
        note_throughput(self.store, spec, done, seconds * engines)
        return done

    def _counters(self, spec: RunSpec) -> tuple[EngineCounters, EngineCounters | None]:
        """What a run's engines have counted so far, those of all workers together."""
        if self._distributed is not None:
            report = self._distributed.workers.report()
            return report.policy, None if spec.prm is None else report.prm
        prm = self._loaded.prm_named(spec.prm)
        return self._loaded.policy_named(spec.policy).counters(), prm.counters() if prm else None


def _digests(policy: ModelRef, prm: ModelRef | None) -> Mapping[str, str]:
    digests = {"policy": policy.digest()}
    if prm is not None:
        digests["prm"] = prm.digest()
    return digests
