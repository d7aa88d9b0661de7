"""How a worker loads its models: with room for both in its share of the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from executor.cluster import recipe
from executor.cluster.recipe import DistributedModels, WorkerRecipe
from executor.engines.cache_size import weight_bytes
from executor.engines.options import EngineOptions
from executor.models.bundled import models_folder
from executor.models.checkpoint import checkpoint_digest
from executor.models.templates import PromptTemplate
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm
from executor.policies.vllm import VllmPolicy
from executor.run.runner import Executor
from executor.scorers import registry
from executor.scorers.fused import FusedScorer
from executor.strategy import Sampling
from tests.helpers.fused_models import looks_fused

POLICY, PRM = "lab-0.4m", "lab-0.4m-prm"


def test_both_engines_fit_in_the_workers_share(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[EngineOptions] = []

    def load(*given: Any) -> SimulatedPolicy:
        asked.append(given[3])
        return SimulatedPolicy(0.5)

    def load_scorer(*given: Any) -> SimulatedPrm:
        asked.append(given[2])
        return SimulatedPrm(0.9)

    monkeypatch.setattr(VllmPolicy, "load", load)
    monkeypatch.setattr(recipe, "load_scorer", load_scorer)
    folders = {"policy": models_folder() / POLICY, "prm": models_folder() / PRM}
    digests = {role: checkpoint_digest(str(folder)) for role, folder in folders.items()}
    made = WorkerRecipe(POLICY, PRM, PromptTemplate(), EngineOptions(), Sampling(), digests=digests)
    executor = made(0.25)
    assert executor.prm is not None
    executor.grader.close()
    weights = weight_bytes(str(folders["prm"]), width=2)
    assert [(one.memory_share, one.beside) for one in asked] == [(0.25, weights), (0.25, 0)]


def test_a_head_in_the_policy_takes_no_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[EngineOptions] = []

    def load(*given: Any) -> SimulatedPolicy:
        asked.append(given[3])
        return SimulatedPolicy(0.5)

    monkeypatch.setattr(VllmPolicy, "load", load)
    held = str(looks_fused(models_folder() / POLICY, tmp_path / "held"))
    # The policy is the one without the head, whose samples are the same.
    digests = {
        "policy": checkpoint_digest(str(models_folder() / POLICY)), "prm": checkpoint_digest(held)
    }  # fmt: skip
    made = WorkerRecipe(held, held, PromptTemplate(), EngineOptions(), Sampling(), digests=digests)
    executor = made(0.25)
    executor.grader.close()
    assert isinstance(executor.prm, FusedScorer) and executor.prm_name == "held"
    assert [one.beside for one in asked] == [0]


@pytest.mark.parametrize(("scorer", "asked"), [(None, None), (None, 5), ("deepconf-tail", None)])
def test_a_run_is_the_same_with_workers_and_without(scorer: str | None, asked: int | None) -> None:
    """Confidences that a scorer needs are part of the run, wherever they are drawn."""
    nobody: Any = None
    digests = {"policy": "a"} | ({} if scorer is None else {"prm": "b"})
    more: dict[str, Any] = {"digests": digests, "top_logprobs": asked}
    made = WorkerRecipe(POLICY, scorer, PromptTemplate(), EngineOptions(), Sampling(), **more)
    found = registry.find(scorer) if scorer is not None else None
    here = Executor(
        SimulatedPolicy(),
        None if found is None else registry.make(found),
        nobody,
        Sampling(),
        **more,
    )
    settings = DistributedModels(nobody, POLICY, scorer, made).settings({}, n=4)
    assert settings == here.settings({}, n=4)
    assert settings.get("top_logprobs") == (20 if scorer is not None else asked)
    assert "top_logprobs" not in here.without_prm().settings({}) or asked is not None
