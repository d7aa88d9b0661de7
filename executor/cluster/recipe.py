"""Models on workers: how a worker loads them, and how the driver uses them."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from executor.cluster.distributed import Workers
from executor.domains.registry import find_domain, make_grader
from executor.engines.options import EngineOptions
from executor.engines.subprocess_engine import divided
from executor.errors import InputError
from executor.loading import resolve
from executor.models.fused import policy_digest
from executor.models.templates import PromptTemplate
from executor.policies.thinking import thinking_policy
from executor.policies.vllm import VllmPolicy
from executor.problem import MATHS, Problem
from executor.run.runner import Executor, Job, Solved, run_settings
from executor.scorers.base import top_logprobs_for
from executor.scorers.loading import load_scorer, resolve_scorer, scorer_digest, weights_of
from executor.scorers.registry import needs_of
from executor.strategy import Sampling


@dataclass(frozen=True, slots=True)
class WorkerRecipe:
    """The recipe from which a worker makes its executor; picklable.

    Attributes:
        policy, prm: names that mean the same on every machine (`executor.loading.portable`).
        template: task template of the policy.
        engine: settings of both engines.
        sampling, seed, token_cap, early_stop, digests, domain, top_logprobs: see `Executor`.
        unsafe_execution: whether programs may run if a machine allows no isolation.
    """

    policy: str
    prm: str | None
    template: PromptTemplate
    engine: EngineOptions
    sampling: Sampling
    seed: int = 0
    token_cap: int | None = None
    early_stop: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)
    domain: str = MATHS
    unsafe_execution: bool = False
    top_logprobs: int | None = None

    def __call__(self, memory_share: float) -> Executor:
        """Load the models.

        Args:
            memory_share: share of the free memory that the worker takes.

        Raises:
            InputError: a model is missing here, or differs from the driver's of the same name.
            EngineError: vLLM cannot load one.
        """
        checkpoint = resolve(self.policy, "policy")
        self._check("policy", self.policy, policy_digest(checkpoint.location))
        prm = None if self.prm is None else resolve_scorer(self.prm)
        if prm is not None and self.prm is not None:
            self._check("prm", self.prm, scorer_digest(prm))
        engine = replace(self.engine, memory_share=memory_share)
        mine, others = divided(engine, prm=None if prm is None else weights_of(prm))
        policy = VllmPolicy.load(checkpoint.name, checkpoint.location, self.template, mine)
        thinks, named = self.sampling.thinking, self.sampling.thinking_format
        return Executor(
            policy=thinking_policy(policy, thinks, named),
            prm=None if prm is None else load_scorer(prm, policy, others),
            grader=make_grader(find_domain(self.domain), unsafe=self.unsafe_execution),
            sampling=self.sampling,
            seed=self.seed,
            token_cap=self.token_cap,
            early_stop=self.early_stop,
            digests=self.digests,
            domain=self.domain,
            top_logprobs=self.top_logprobs,
        )

    def _check(self, role: str, name: str, digest: str) -> None:
        """Check that this machine has the driver's weights; others would spoil the run."""
        if digest != self.digests[role]:
            raise InputError(
                f"{role} {name}: {platform.node()} has another model there than this machine"
            )


@dataclass(frozen=True, slots=True)
class DistributedModels:
    """The models of all workers, for the driver; see `executor.run.runner.Models`."""

    workers: Workers
    policy_name: str
    prm_name: str | None
    recipe: WorkerRecipe

    def settings(self, template: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """See `run_settings`: the settings of the same run without workers."""
        recipe = self.recipe
        digests = {
            role: digest
            for role, digest in recipe.digests.items()
            if role != "prm" or self.prm_name is not None
        }
        needs = None if self.prm_name is None else needs_of(self.prm_name)
        return run_settings(
            recipe.sampling, recipe.seed, recipe.token_cap, recipe.early_stop, digests,
            template, more, recipe.domain, top_logprobs_for(recipe.top_logprobs, needs),
        )  # fmt: skip

    def without_prm(self) -> DistributedModels:
        """Return the same without a PRM; runs of strategies that need none do not name it."""
        return replace(self, prm_name=None)

    async def run(self, job: Job, problem: Problem) -> Solved:
        """Do a job in a worker; see `Workers.run`."""
        return await self.workers.run(job, problem, with_prm=self.prm_name is not None)
