"""Everything a command works with: store, grader, models, settings; opened once, closed once."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from executor.answers.grader import MathGrader
from executor.cluster.distributed import Workers
from executor.cluster.ray import Cluster, ClusterOptions
from executor.cluster.recipe import DistributedModels, WorkerRecipe
from executor.engines.base import EngineCounters
from executor.engines.capacity import Capacity
from executor.engines.options import EngineOptions
from executor.engines.subprocess_engine import divided
from executor.errors import InputError
from executor.loading import portable, resolve
from executor.models.checkpoint import Checkpoint, checkpoint_digest, parameter_count, read_config
from executor.models.templates import PromptTemplate, load_template, template_for
from executor.models.tokens import Tokens, load_tokenizer
from executor.policies.base import Policy
from executor.policies.served import ServedPolicy
from executor.policies.vllm import VllmPolicy
from executor.problem import Problem
from executor.run.admission import CONCURRENCY, Admission
from executor.run.runner import Executor, Models, Solver, run_problems
from executor.scorers.base import StepScorer
from executor.scorers.prm import check_prm, find_prm, load_prm
from executor.scorers.served import ServedScorer
from executor.servers.server import Patience
from executor.store.store import RunSpec, Store
from executor.strategy import Sampling
from planner.catalog import load_catalog
from planner.costs import measured as noted
from planner.costs import throughput
from planner.costs.architecture import Shape
from planner.runtime.reporter import Reporter
from profiling.problems.files import load_problems

Served = TypeVar("Served")


@dataclass(frozen=True, slots=True)
class Settings:
    """What every command that runs models is told.

    Attributes:
        sampling: how the policy writes.
        seed: of all sampling.
        concurrency: most problems in flight; None: as many as fill the engines.
        engine: sizes of the policy's engine; the PRM's has the same.
        template: name or file of a template, or None for the policy's own.
        token_cap: most tokens generated for one problem; None: its budget of full responses.
        early_stop: see `Executor.early_stop`.
        cluster: where models run, each worker with at most `concurrency` problems; None: in this
            process.
        patience: how long servers are waited for.
    """

    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    concurrency: int | None = None
    engine: EngineOptions = field(default_factory=EngineOptions)
    template: str | None = None
    token_cap: int | None = None
    early_stop: bool = False
    cluster: ClusterOptions | None = None
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Work:
    """What the engines did now, by their own counters; problems finished before cost nothing.

    Attributes:
        solved: problems finished now.
        policy, prm: token counts; `prm` is None where the run has none.
    """

    solved: int
    policy: EngineCounters
    prm: EngineCounters | None


class Session:
    """Models and store of one command; a context manager. Models load when first asked for."""

    def __init__(self, reporter: Reporter, store_url: str, settings: Settings) -> None:
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
        self.grader = self._stack.enter_context(MathGrader())
        self._checkpoints: dict[str, Checkpoint] = {}
        self._policies: dict[Checkpoint, VllmPolicy | ServedPolicy] = {}
        self._prms: dict[tuple[Checkpoint, str], StepScorer] = {}
        self._spread: DistributedModels | None = None
        # Held by whoever loads models from a thread of its own.
        self.loading = threading.Lock()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        for prm in self._prms.values():
            self._note_unjudged(prm.unjudged, prm.name)
            prm.close()
        for policy in self._policies.values():
            policy.close()
        timeouts = self.grader.timeouts
        if self._spread is not None:
            report = self._spread.workers.report()
            self._note_unjudged(report.unjudged, self._spread.prm_name)
            timeouts += report.timeouts
        if timeouts:
            self.reporter.say(f"note: {timeouts} answers took too long to compare")
        self._stack.close()

    def _note_unjudged(self, steps: int, prm: str | None) -> None:
        if steps:
            self.reporter.say(
                f"note: {steps} steps ended beyond the context of PRM {prm} "
                "and are worth 0; --max-tokens keeps responses shorter"
            )

    def checkpoint(self, policy: str) -> Checkpoint:
        """The policy's checkpoint, looked for once; InputError where there is none."""
        if policy not in self._checkpoints:
            self._checkpoints[policy] = resolve(policy, "policy")
        return self._checkpoints[policy]

    def template(self, policy: str) -> PromptTemplate:
        """The template questions are put to the policy with."""
        if self.settings.template is not None:
            return load_template(self.settings.template)
        checkpoint = self.checkpoint(policy)
        known = load_catalog().policy(checkpoint.name)
        if checkpoint.folder is None and known is not None and known.template is not None:
            return load_template(known.template)
        return template_for(checkpoint.name if checkpoint.servers else policy, checkpoint.folder)

    def policy(
        self, name: str, template: PromptTemplate | None = None, *, with_prm: bool = False
    ) -> VllmPolicy | ServedPolicy:
        """The policy, served; loaded once, by whatever path it is named.

        Args:
            name: as the user gave it.
            template: other than its own.
            with_prm: whether a PRM is loaded in this process too.

        Raises:
            InputError: it was loaded with another template.
        """
        checkpoint = self.checkpoint(name)
        wanted = template or self.template(name)
        if checkpoint not in self._policies:
            with self.reporter.status(f"loading policy {name}"):
                options, _ = divided(self.settings.engine, with_prm=with_prm)
                self._policies[checkpoint] = self._start(checkpoint, wanted, options)
            self._note_size(checkpoint)
        served = self._policies[checkpoint]
        if served.template != wanted:
            raise InputError(f"policy {name}: the plan was made with another template")
        return served

    def _start(
        self, checkpoint: Checkpoint, template: PromptTemplate, options: EngineOptions
    ) -> VllmPolicy | ServedPolicy:
        """The policy in this process, or on the servers that have it."""
        if not checkpoint.servers:
            name, location = checkpoint.name, checkpoint.location
            return VllmPolicy.load(name, location, template, options)
        return self._noted(ServedPolicy.connect(checkpoint, template, self.settings.patience))

    def _noted(self, served: Served) -> Served:
        """What servers do not tell is said once."""
        if isinstance(served, ServedPolicy | ServedScorer):
            for note in served.shortcomings:
                self.reporter.say(f"note: {note}")
        return served

    def prm(self, name: str, policy: Policy) -> StepScorer:
        """The PRM, served for a policy; loaded once, by whatever path it is named."""
        checkpoint = find_prm(name)
        at = (checkpoint, policy.name)
        if at not in self._prms:
            with self.reporter.status(f"loading PRM {name}"):
                _, options = divided(self.settings.engine, with_prm=True)
                loaded = load_prm(name, policy.tokens, options, self.settings.patience)
            self._prms[at] = self._noted(loaded)
            self._note_size(checkpoint)
        return self._prms[at]

    def give_up_lost(self) -> None:
        """Release models whose engines were lost; when they are asked for they load again."""
        for policy in [at for at, served in self._policies.items() if served.lost]:
            self._policies.pop(policy).close()
        for prm in [at for at, served in self._prms.items() if served.lost]:
            self._prms.pop(prm).close()

    def executor(
        self,
        policy: str,
        prm: str | None,
        *,
        template: PromptTemplate | None = None,
        sampling: Sampling | None = None,
    ) -> Executor:
        """Models and settings for running problems."""
        if prm is not None:
            # Before any engine starts: a PRM that does not fit is said at once.
            location = self.checkpoint(policy).location
            check_prm(prm, Tokens(load_tokenizer(location)))
        local = prm is not None and not find_prm(prm).servers
        served = self.policy(policy, template, with_prm=local)
        return Executor(
            policy=served,
            prm=None if prm is None else self.prm(prm, served),
            digests=self._digests(policy, prm),
            token_cap=self.settings.token_cap,
            early_stop=self.settings.early_stop,
            grader=self.grader,
            sampling=sampling or self.settings.sampling,
            seed=self.settings.seed,
        )

    def models(
        self,
        policy: str,
        prm: str | None,
        *,
        template: PromptTemplate | None = None,
        sampling: Sampling | None = None,
    ) -> Models:
        """Models for what only runs jobs: in this process, or spread over a cluster's workers."""
        if self._cluster is None:
            return self.executor(policy, prm, template=template, sampling=sampling)
        checkpoint = self.checkpoint(policy)
        scorer = None if prm is None else find_prm(prm)
        for served in filter(None, (checkpoint, scorer)):
            if served.servers:
                raise InputError(
                    f"--ray: its workers load {served.name} themselves; name the model, "
                    "not its servers, or leave --ray out"
                )
        if prm is not None:
            check_prm(prm, Tokens(load_tokenizer(checkpoint.location)))
        recipe = WorkerRecipe(
            policy=portable(policy),
            prm=None if prm is None else portable(prm),
            template=template or self.template(policy),
            engine=self.settings.engine,
            sampling=sampling or self.settings.sampling,
            seed=self.settings.seed,
            token_cap=self.settings.token_cap,
            early_stop=self.settings.early_stop,
            digests=self._digests(policy, prm),
        )
        workers = self._stack.enter_context(
            Workers(
                recipe,
                self._cluster,
                concurrency=self.settings.concurrency or CONCURRENCY,
                say=self.reporter.say,
            )
        )
        with self.reporter.status(f"loading {policy} in {workers.count} workers"):
            workers.load()
        for model in filter(None, (checkpoint, scorer)):
            self._note_size(model)
        scorer_name = scorer.name if scorer else None
        self._spread = DistributedModels(workers, checkpoint.name, scorer_name, recipe)
        return self._spread

    def _digests(self, policy: str, prm: str | None) -> dict[str, str]:
        digests = {"policy": checkpoint_digest(self.checkpoint(policy).location)}
        if prm is not None:
            digests["prm"] = checkpoint_digest(find_prm(prm).location)
        return digests

    def admission(self, spec: RunSpec, sequences: int) -> Admission:
        """How many problems of a run are in flight, each with so many sequences at once."""
        if self._spread is not None:
            workers = self._spread.workers
            if self.settings.concurrency is None:
                # Caches differ from machine to machine; what a batch holds does not.
                batch = self.settings.engine.max_num_seqs
                workers.expect(sequences, Capacity(batch, sys.maxsize))
            return Admission(most=workers.concurrency)
        return Admission(sequences, self._served(spec).capacity, self.settings.concurrency)

    def _served(self, spec: RunSpec) -> VllmPolicy | ServedPolicy:
        """The policy of a run."""
        return next(p for p in self._policies.values() if p.name == spec.policy)

    def run(
        self,
        label: str,
        problems: Sequence[Problem],
        solver: Solver,
        spec: RunSpec,
        *,
        sequences: int,
    ) -> Work:
        """Solve what a run has not finished, with a progress bar; see `run_problems`.

        A problem has at most so many sequences under way at once.
        """

        def work(progress: Callable[[int], None]) -> Any:
            return run_problems(
                problems, solver, self.store, spec,
                progress=progress, admission=self.admission(spec, sequences),
            )  # fmt: skip

        return self.timed(label, len(problems), spec, work)

    def timed(
        self,
        label: str,
        total: int,
        spec: RunSpec,
        work: Callable[[Callable[[int], None]], Any],
    ) -> Work:
        """Run a coroutine of problems with a progress bar, and note the throughput it had."""
        before, prm_before = self._counters(spec)
        started = time.perf_counter()
        with self.reporter.progress(label, total) as progress:
            solved: int = asyncio.run(work(progress))
        seconds = time.perf_counter() - started
        after, prm_after = self._counters(spec)
        spent = after - before
        # Costs are counted in seconds of one engine, however many there are.
        engines = self._spread.workers.count if self._spread else 1
        scored = prm_after - prm_before if prm_before and prm_after else None
        if spent.generated and (spec.prm is None or scored is not None):
            forwarded = scored.prompt - scored.cached if scored else 0
            run = throughput.Timed(spec.prm, spent.generated, forwarded, seconds * engines)
            throughput.note(self.store, spec.policy, run)
        return Work(solved, spent, scored)

    def _counters(self, spec: RunSpec) -> tuple[EngineCounters, EngineCounters | None]:
        """What a run's engines have counted so far, those of all workers together."""
        if self._spread is not None:
            report = self._spread.workers.report()
            return report.policy, None if spec.prm is None else report.prm
        policy = self._served(spec)
        prm = next((p for p in self._prms.values() if p.name == spec.prm), None)
        return policy.counters(), prm.counters() if prm else None

    def _note_size(self, checkpoint: Checkpoint) -> None:
        size = None if checkpoint.folder is None else parameter_count(checkpoint.folder)
        if size is not None:
            shape = Shape.of(read_config(checkpoint.location))
            noted.note_model(self.store, checkpoint.name, size, shape)


def find_plan_prm(name: str) -> str:
    """A plan's PRM, if it still lies where it lay; InputError where it does not."""
    if Path(name).is_absolute() and not Path(name).is_dir():
        raise InputError(
            f"plan: its PRM lay at {name}, which is gone; say where it is now with --prm FOLDER"
        )
    find_prm(name)
    return name


def read_problems(
    files: Sequence[Path],
    limits: Sequence[int],
    *,
    problem_field: str | None,
    answer_field: str | None,
    require_answers: bool,
) -> list[Problem]:
    """Problems of several files; one limit counts for each file, several go in their order.

    Raises:
        InputError: a bad file, or as many limits as fit neither way.
    """
    if any(limit < 1 for limit in limits):
        raise InputError(f"--limit {min(limits)}: must be at least 1")
    if len(limits) not in (0, 1, len(files)):
        raise InputError(
            f"--limit is given {len(limits)} times for {len(files)} files: once, or once a file"
        )
    each: list[int | None] = list(limits) if len(limits) == len(files) else (
        [limits[0] if limits else None] * len(files)
    )  # fmt: skip
    found: list[Problem] = []
    for file, limit in zip(files, each, strict=True):
        found += load_problems(
            file,
            problem_field=problem_field,
            answer_field=answer_field,
            limit=limit,
            require_answers=require_answers,
        )
    return found
