"""A session with simulated models: everything is real but the engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from executor.models.templates import PromptTemplate
from executor.policies.capped import CappedPolicy
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm
from executor.run.admission import Admission
from executor.run.runner import Executor
from executor.scorers import registry
from executor.store.store import RunSpec
from executor.strategy import Sampling
from planner.runtime.loaded_models import LoadedModels
from planner.runtime.model_ref import ModelRef, find_prm
from planner.runtime.session import Session
from tests.helpers.model_refs import policy_ref, prm_ref


class SimulatedSession(Session):
    """A session whose policy solves problems at known rates.

    Set `chance` (pass@1 by problem text, or of all) and `latency` (seconds of a request) before
    models are asked for.
    """

    chance: float | Mapping[str, float] = 0.5
    max_context: int = 8192
    latency: float = 0.0

    def find_policy(self, name: str) -> ModelRef:
        return policy_ref(name)

    def find_prm(self, name: str) -> ModelRef:
        return prm_ref(name) if registry.find(name) is None else find_prm(name)

    def template(self, policy: ModelRef) -> PromptTemplate:
        return PromptTemplate()

    def executor(
        self,
        policy: ModelRef,
        prm: ModelRef | None = None,
        *,
        template: PromptTemplate | None = None,
        sampling: Sampling | None = None,
    ) -> Executor:
        served: Any = SimulatedPolicy(
            self.chance, 2, wrong_answers=3, latency=self.latency, max_context=self.max_context
        )
        scorer: Any = None if prm is None else SimulatedPrm(0.95)
        digests = {"policy": "a", "prm": "b"}
        if prm is not None and registry.is_registered(prm.checkpoint):
            scorer, digests = registry.make(prm.checkpoint), digests | {"prm": prm.digest()}
        self._loaded = _Loaded(served, scorer)
        money = self._cap_for(policy, prm)
        writes = served if money is None else CappedPolicy(served, money)
        return Executor(
            writes, scorer, self.grader, sampling or self.settings.sampling,
            seed=self.settings.seed, digests=digests, top_logprobs=self.settings.top_logprobs,
        )  # fmt: skip

    def admission(self, spec: RunSpec, sequences: int) -> Admission:
        return Admission(most=8)


class _Loaded(LoadedModels):
    """The models that the session made last."""

    def __init__(self, policy: Any, prm: Any) -> None:
        self._policy, self._prm = policy, prm

    def policy_named(self, name: str) -> Any:
        assert name == self._policy.name
        return self._policy

    def prm_named(self, name: str | None) -> Any:
        return self._prm if name is not None else None

    def close(self) -> dict[str, int]:
        return {}
