"""Confidences of tokens on real engines: the model's own distribution, and no other text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from executor.engines.options import EngineOptions
from executor.files import data_folder
from executor.ledger import Ledger
from executor.loading import resolve
from executor.models.templates import template_for
from executor.policies.base import Draw, DrawRequest, Policy
from executor.policies.served import ServedPolicy
from executor.policies.vllm import VllmPolicy
from executor.servers.address import Address
from executor.servers.server import Patience
from executor.serving.command import serve_policy
from executor.serving.launch import free_port, running

pytestmark = pytest.mark.vllm

LAB = data_folder() / "models" / "lab-0.4m"
TEMPLATE = template_for("lab-0.4m", LAB)
# In 32 bits what else is in the batch changes no token.
OPTIONS = EngineOptions(block_size=32, kv_cache_gib=0.25, dtype="float32")
QUESTION = "What is 3 + 4?"


@pytest.fixture(scope="module")
def policy() -> Iterator[VllmPolicy]:
    policy = VllmPolicy.load("lab-0.4m", str(LAB), TEMPLATE, OPTIONS)
    yield policy
    policy.close()


def request_of(policy: Policy, top_logprobs: int | None) -> DrawRequest:
    return DrawRequest(
        policy.prompt(QUESTION), n=4, max_tokens=60, temperature=1.0, top_p=0.95, seed=3,
        ledger=Ledger(), top_logprobs=top_logprobs,
    )  # fmt: skip


def draw(policy: Policy, *asked: int | None) -> list[list[Draw]]:
    """Draw the same continuations several times, in one batch."""

    async def drive() -> list[list[Draw]]:
        return await asyncio.gather(*(policy.draw(request_of(policy, one)) for one in asked))

    return asyncio.run(drive())


def test_confidences_are_those_of_the_models_distribution(policy: VllmPolicy) -> None:
    """At temperature 1 and without the nucleus, whatever the samples are drawn with."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(LAB, dtype=torch.float32)
    plain, twenty, three = draw(policy, None, 20, 3)
    for without, one, few in zip(plain, twenty, three, strict=True):
        assert one.token_ids == without.token_ids == few.token_ids
        assert one.logprob == pytest.approx(without.logprob, abs=1e-4)
        assert without.confidences == ()
        prompt = policy.prompt(QUESTION)
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *one.token_ids]])).logits[0]
        logprobs = logits.log_softmax(-1)[len(prompt) - 1 : -1]
        for drawn, k in ((one, 20), (few, 3)):
            expected = -logprobs.topk(k).values.mean(-1)
            assert drawn.confidences == pytest.approx(expected.tolist(), abs=2e-3)
    assert len({one for each in twenty for one in each.confidences}) > 20


@pytest.mark.slow
def test_engines_apart_and_servers_give_the_same(policy: VllmPolicy, tmp_path: Path) -> None:
    (here,) = draw(policy, 20)
    apart = VllmPolicy.load("lab-0.4m", str(LAB), TEMPLATE, replace(OPTIONS, apart=True))
    try:
        assert draw(apart, 20) == [here]
    finally:
        apart.close()
    command = serve_policy(str(LAB), free_port(), OPTIONS)
    with running([command], tmp_path) as (server,):
        checkpoint = resolve(str(Address("", (server.url,))), "policy")
        served = ServedPolicy.connect(checkpoint, TEMPLATE, Patience())
        for one, other in zip(draw(served, 20)[0], here, strict=True):
            assert one.token_ids == other.token_ids
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
            assert one.confidences == pytest.approx(other.confidences, abs=2e-3)
