"""Thoughts on real engines: a policy of the laboratory that thinks, here and on a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from executor.engines.base import EngineCounters
from executor.engines.options import EngineOptions
from executor.files import data_folder
from executor.ledger import Ledger
from executor.loading import resolve
from executor.models.stopping import Finish
from executor.models.templates import template_for
from executor.policies.base import Draw, DrawRequest, Policy, Reads
from executor.policies.served import ServedPolicy
from executor.policies.thinking import ThinkingPolicy, thinking_policy
from executor.policies.vllm import VllmPolicy
from executor.servers.address import Address
from executor.servers.server import Patience
from executor.serving.command import serve_policy
from executor.serving.launch import free_port, running
from executor.testing.policy_conformance import PolicyConformance
from executor.thinking.budget import FREE, OFF, Thinking

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

NAME = "lab-think-0.4m"
LAB = data_folder() / "models" / NAME
TEMPLATE = template_for(NAME, LAB)
# In 32 bits what else is in the batch changes no token.
OPTIONS = EngineOptions(block_size=32, kv_cache_gib=0.25, dtype="float32")
QUESTIONS = (
    "Tina has 6 shells. Tina buys 3 more. Now Tina gets 4 times as many. "
    "How many shells has Tina now?",
    "12 + 7 - 4 * 2 = ?",
)


@pytest.fixture(scope="module")
def engine() -> Iterator[VllmPolicy]:
    policy = VllmPolicy.load(NAME, str(LAB), TEMPLATE, OPTIONS)
    yield policy
    policy.close()


def draw(
    policy: Policy, ledger: Ledger, question: str = QUESTIONS[0], stop: Sequence[str] = ()
) -> list[Draw]:
    request = DrawRequest(
        policy.prompt(question), n=16, max_tokens=160, temperature=0.7, top_p=1.0, seed=3,
        ledger=ledger, stop=stop, top_logprobs=5,
    )  # fmt: skip
    return asyncio.run(policy.draw(request))


def thinking(policy: VllmPolicy | ServedPolicy, budget: Thinking) -> ThinkingPolicy:
    found = thinking_policy(policy, budget, None)
    assert isinstance(found, ThinkingPolicy)
    return found


def inside(policy: ThinkingPolicy, one: Draw) -> Sequence[int]:
    """The thought without its closing mark; the prompt holds the opening mark."""
    close = policy.tokens.tokenizer.convert_tokens_to_ids("</think>")
    return one.token_ids[: one.token_ids.index(close)]


def less(after: EngineCounters, before: EngineCounters) -> tuple[int, int]:
    spent = after - before
    return spent.generated, spent.prompt


@pytest.mark.parametrize("budget", [3, 10, 17])
def test_forced_ends_come_after_exactly_the_budget(engine: VllmPolicy, budget: int) -> None:
    policy, ledger = thinking(engine, Thinking(budget)), Ledger()
    before = replace(engine.counters())
    draws = [one for question in QUESTIONS for one in draw(policy, ledger, question)]
    forced = [one for one in draws if one.forced]
    assert forced
    assert {len(inside(policy, one)) for one in forced} == {budget}
    assert all(len(inside(policy, one)) <= budget for one in draws)
    assert ledger.thought == sum(len(inside(policy, one)) for one in draws)
    assert all(one.finish is Finish.EOS for one in draws)
    assert all(len(one.confidences) == one.drawn for one in draws)
    generated, prompts = less(engine.counters(), before)
    assert (ledger.generated, ledger.prompt + ledger.cached) == (generated, prompts)


def test_off_is_the_switch_of_the_chat_template_and_free_is_the_model(engine: VllmPolicy) -> None:
    off, free, ledger = thinking(engine, OFF), thinking(engine, FREE), Ledger()
    assert off.tokens.tokenizer.decode(off.prompt("2 + 2 = ?")).endswith("<think></think>")
    assert max(len(one.token_ids) for one in draw(off, ledger)) < 8
    assert ledger.thought == 0
    plain = draw(engine, Ledger())
    assert [one.token_ids for one in draw(free, ledger)] == [one.token_ids for one in plain]
    assert ledger.thought > 16 * 8


def test_a_draw_of_a_step_stops_behind_the_thought(engine: VllmPolicy) -> None:
    for budget in (Thinking(9), FREE):
        policy, ledger = thinking(engine, budget), Ledger()
        # Thoughts are full of blank lines; the answer has a brace.
        draws = draw(policy, ledger, stop=("}",))
        for one in draws:
            assert one.finish is Finish.STOP
            visible = policy.tokens.decode(one.token_ids[one.visible_from :])
            assert visible.startswith(" \\boxed{") and visible.endswith("}")
        assert ledger.thought == sum(len(inside(policy, one)) for one in draws)
        assert bool(sum(one.forced for one in draws)) == (budget != FREE)
        blank = policy.tokens.encode("\n\n")
        assert any(set(blank) & set(inside(policy, one)) for one in draws)


def test_a_server_gives_the_same(engine: VllmPolicy, tmp_path: Path) -> None:
    with running([serve_policy(str(LAB), free_port(), OPTIONS)], tmp_path) as (server,):
        checkpoint = resolve(str(Address("", (server.url,))), "policy")
        served = ServedPolicy.connect(checkpoint, TEMPLATE, Patience())
        for budget in (OFF, Thinking(9), FREE):
            ledger, other = Ledger(), Ledger()
            before = served.counters()
            found = draw(thinking(served, budget), ledger)
            here = draw(thinking(engine, budget), other)
            assert [one.token_ids for one in found] == [one.token_ids for one in here]
            assert [one.visible_from for one in found] == [one.visible_from for one in here]
            assert (ledger.generated, ledger.thought) == (other.generated, other.thought)
            assert ledger.generated == less(served.counters(), before)[0]


class TestWithoutThoughts(PolicyConformance):
    """A policy whose thoughts are off keeps the promises of every policy."""

    @pytest.fixture
    def policy(self, engine: VllmPolicy) -> ThinkingPolicy:
        return thinking(engine, OFF)

    @pytest.fixture
    def question(self) -> str:
        return QUESTIONS[0]

    @pytest.fixture
    def length(self) -> int:
        return 2

    def test_earlier_turns_are_taken_or_refused_in_one_line(
        self, policy: Policy, question: str
    ) -> None:
        assert policy.reads is Reads.QUESTION
