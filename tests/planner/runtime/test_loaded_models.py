"""Models of a session: loaded once, let go when lost, sizes kept. The engines are simulated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from executor.engines.cache_size import weight_bytes
from executor.engines.capacity import Capacity
from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.files import data_folder
from executor.models.templates import PromptTemplate
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm
from executor.policies.vllm import VllmPolicy
from executor.scorers.fused import FusedScorer
from executor.store.store import Store
from planner.costs import measured
from planner.runtime import loaded_models
from planner.runtime.loaded_models import LoadedModels
from planner.runtime.model_ref import find_policy, find_prm
from planner.runtime.reporter import SilentReporter
from planner.runtime.settings import SessionSettings
from tests.helpers.fused_models import looks_fused

POLICY, PRM = find_policy("lab-0.4m"), find_prm("lab-0.4m-prm")
TEMPLATE = PromptTemplate()


class Heard(SilentReporter):
    """Keeps what the user would see while a model loads."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def status(self, label: str) -> AbstractContextManager[None]:
        self.labels.append(label)
        return nullcontext()


class Policy(SimulatedPolicy):
    template = TEMPLATE
    lost = False

    def close(self) -> None:
        self.closed = True


class Prm(SimulatedPrm):
    lost = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


@pytest.fixture
def reporter() -> Heard:
    return Heard()


@pytest.fixture
def models(store: Store, reporter: Heard, monkeypatch: pytest.MonkeyPatch) -> LoadedModels:
    """Loads simulated models in place of engines."""
    monkeypatch.setattr(VllmPolicy, "load", lambda *_: Policy(0.5))
    monkeypatch.setattr(loaded_models, "load_scorer", lambda *_: Prm(0.9))
    return LoadedModels(SessionSettings(), store, reporter)


def test_each_model_loads_once(models: LoadedModels, reporter: Heard) -> None:
    policy: Any = models.policy(POLICY, TEMPLATE, beside=PRM)
    prm = models.prm(PRM, policy)
    assert models.policy(POLICY, TEMPLATE) is policy and models.prm(PRM, policy) is prm
    assert reporter.labels == ["loading policy lab-0.4m", "loading PRM lab-0.4m-prm"]
    assert models.policy_named(policy.name) is policy and models.prm_named(prm.name) is prm
    assert models.prm_named(None) is None


def test_another_template_needs_another_session(models: LoadedModels) -> None:
    models.policy(POLICY, TEMPLATE)
    with pytest.raises(InputError, match="loaded with another template"):
        models.policy(POLICY, PromptTemplate(system="Be brief."))


def test_a_lost_model_loads_again(models: LoadedModels) -> None:
    policy: Any = models.policy(POLICY, TEMPLATE)
    prm: Any = models.prm(PRM, policy)
    models.release_lost()
    assert models.policy(POLICY, TEMPLATE) is policy  # nothing was lost
    policy.lost = prm.lost = True
    models.release_lost()
    assert policy.closed and prm.closed
    another: Any = models.policy(POLICY, TEMPLATE)
    assert another is not policy and models.prm(PRM, another) is not prm


def test_steps_that_no_prm_could_judge_are_counted_at_the_end(models: LoadedModels) -> None:
    policy: Any = models.policy(POLICY, TEMPLATE)
    prm: Any = models.prm(PRM, policy)
    prm.unjudged = 3
    assert models.close() == {prm.name: 3}
    assert policy.closed and prm.closed


def test_the_sizes_of_loaded_models_are_kept(models: LoadedModels, store: Store) -> None:
    models.policy(POLICY, TEMPLATE)
    size = measured.size(store, POLICY.name)
    weights = (data_folder() / "models" / "lab-0.4m" / "model.safetensors").stat().st_size
    assert size is not None and weights / 5 < size < weights


def test_an_engine_of_this_process_says_what_it_holds(
    models: LoadedModels, reporter: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hosted(VllmPolicy):
        """A policy that counts as one of this process."""

        def __init__(self) -> None:
            self.name, self.template = "lab-0.4m", TEMPLATE
            self.capacity = Capacity(256, 75_000)

    monkeypatch.setattr(VllmPolicy, "load", lambda *_: Hosted())
    models.policy(POLICY, TEMPLATE)
    models.policy(POLICY, TEMPLATE)
    assert reporter.said == [
        "policy lab-0.4m: a cache of 75,000 tokens, for at most 256 responses at once"
    ]


def test_a_policy_leaves_room_for_the_prm_that_follows(
    models: LoadedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[EngineOptions] = []

    def load(name: str, checkpoint: str, template: PromptTemplate, options: EngineOptions) -> Any:
        asked.append(options)
        return Policy(0.5)

    monkeypatch.setattr(VllmPolicy, "load", load)
    models.policy(POLICY, TEMPLATE, beside=PRM)
    assert asked[0].beside == weight_bytes(PRM.location, width=2) > 0


def test_a_head_in_the_policy_says_if_it_knows_another_template(
    store: Store, reporter: Heard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held = str(looks_fused(data_folder() / "models" / "lab-0.4m", tmp_path / "held"))
    monkeypatch.setattr(VllmPolicy, "load", lambda *_: Policy(0.5))
    models = LoadedModels(SessionSettings(), store, reporter)
    policy: Any = models.policy(find_policy(held), TEMPLATE)
    prm = models.prm(find_prm(held), policy)
    assert isinstance(prm, FusedScorer) and prm.name == "held"
    assert reporter.said == [
        "note: PRM held was trained with another prompt template than the policy's now; its "
        "rewards may be worth less"
    ]
