"""The policies and PRMs of one session: each loads when first asked for, and once."""

from __future__ import annotations

from typing import TypeVar

from executor.engines.options import EngineOptions
from executor.engines.subprocess_engine import divided
from executor.errors import InputError
from executor.models.architecture import Shape
from executor.models.checkpoint import Checkpoint, parameter_count, read_config
from executor.models.templates import PromptTemplate
from executor.policies.endpoint import EndpointPolicy
from executor.policies.served import ServedPolicy
from executor.policies.vllm import VllmPolicy
from executor.scorers.base import AnyScorer
from executor.scorers.loading import load_scorer
from executor.scorers.served import ServedScorer
from executor.store.store import Store
from planner.costs.measured import note_model
from planner.runtime.model_ref import ModelRef
from planner.runtime.reporter import Reporter
from planner.runtime.settings import SessionSettings

ServedModel = TypeVar("ServedModel")
LoadedPolicy = VllmPolicy | ServedPolicy | EndpointPolicy


class LoadedModels:
    """Policies and PRMs that are loaded in this process, or connected to on servers.

    Args:
        settings: of the engines and servers.
        store: where the sizes of loaded models are kept.
        reporter: told while a model loads, and of what a server cannot do.
    """

    def __init__(self, settings: SessionSettings, store: Store, reporter: Reporter) -> None:
        self._settings = settings
        self._store = store
        self._reporter = reporter
        self._policies: dict[Checkpoint, LoadedPolicy] = {}
        self._prms: dict[tuple[Checkpoint, str], AnyScorer] = {}

    def policy(
        self, model: ModelRef, template: PromptTemplate, *, beside: ModelRef | None = None
    ) -> LoadedPolicy:
        """Load a policy, or return it if it is loaded.

        Args:
            model: the policy.
            template: its prompt template.
            beside: PRM that is loaded in this process too; the engines then share cores and memory.

        Raises:
            InputError: the policy was loaded with another template.
            EngineError: vLLM cannot load it, or no server answers.
        """
        checkpoint = model.checkpoint
        if checkpoint not in self._policies:
            with self._reporter.status(f"loading policy {model.given}"):
                other = None if beside is None else beside.weights
                options, _ = divided(self._settings.engine, prm=other)
                self._policies[checkpoint] = self._start(checkpoint, template, options)
            self.note_size(model)
            self._say_capacity(self._policies[checkpoint])
        policy = self._policies[checkpoint]
        if policy.template != template:
            raise InputError(
                f"policy {model.given} is loaded with another template than the plan's; "
                "close the session, and open one for the plan"
            )
        return policy

    def _say_capacity(self, policy: LoadedPolicy) -> None:
        """Say what an engine that this process sized can hold."""
        if isinstance(policy, VllmPolicy):
            holds = policy.capacity
            self._reporter.say(
                f"policy {policy.name}: a cache of {holds.tokens:,} tokens, for at most "
                f"{holds.sequences} responses at once"
            )

    def _start(
        self, checkpoint: Checkpoint, template: PromptTemplate, options: EngineOptions
    ) -> LoadedPolicy:
        """Load a policy in this process, or connect to the servers that have it."""
        settings = self._settings
        if checkpoint.chat:
            return EndpointPolicy.connect(
                checkpoint, template, settings.access, settings.endpoint, settings.patience,
                self._reporter.say,
            )  # fmt: skip
        if not checkpoint.servers:
            return VllmPolicy.load(checkpoint.name, checkpoint.location, template, options)
        return self._with_notes(
            ServedPolicy.connect(checkpoint, template, settings.patience, settings.access)
        )

    def prm(self, model: ModelRef, policy: LoadedPolicy) -> AnyScorer:
        """Load a scorer for a policy, or return it if it is loaded.

        Raises:
            InputError: the PRM does not fit the policy.
            EngineError: vLLM cannot load it, or no server answers.
        """
        at = (model.checkpoint, policy.name)
        if at not in self._prms:
            with self._reporter.status(f"loading PRM {model.given}"):
                _, options = divided(self._settings.engine, prm=model.weights)
                prm = load_scorer(model.checkpoint, policy, options, self._settings.patience)
            if model.fused is not None and model.fused.template != policy.template.to_dict():
                self._reporter.say(
                    f"note: PRM {model.name} was trained with another prompt template than the "
                    "policy's now; its rewards may be worth less"
                )
            self._prms[at] = self._with_notes(prm)
            self.note_size(model)
        return self._prms[at]

    def _with_notes(self, model: ServedModel) -> ServedModel:
        """Report what the servers of a model cannot do."""
        if isinstance(model, ServedPolicy | ServedScorer):
            for note in model.shortcomings:
                self._reporter.say(f"note: {note}")
        return model

    def policy_named(self, name: str) -> LoadedPolicy:
        """The loaded policy of a name in evidence."""
        return next(policy for policy in self._policies.values() if policy.name == name)

    def prm_named(self, name: str | None) -> AnyScorer | None:
        """The loaded PRM of a name in evidence; None if none is loaded."""
        return next((prm for prm in self._prms.values() if prm.name == name), None)

    def release_lost(self) -> None:
        """Release models whose engines were lost; they load again when they are asked for."""
        for policy in [at for at, model in self._policies.items() if model.lost]:
            self._policies.pop(policy).close()
        for prm in [at for at, model in self._prms.items() if model.lost]:
            self._prms.pop(prm).close()

    def note_size(self, model: ModelRef) -> None:
        """Keep a model's number of parameters and architecture in the store."""
        size = None if model.folder is None else parameter_count(model.folder)
        if size is not None:
            shape = Shape.of(read_config(model.location))
            fused = model.role == "PRM" and model.fused is not None
            note_model(self._store, model.name, size, shape, fused=fused)

    def close(self) -> dict[str, int]:
        """Release all models; the number of steps that each PRM could not score, by its name."""
        unjudged: dict[str, int] = {}
        for prm in self._prms.values():
            unjudged[prm.name] = unjudged.get(prm.name, 0) + prm.unjudged
            prm.close()
        for policy in self._policies.values():
            policy.close()
        return unjudged
