"""The simulation itself: what the closed forms of the searches' tests stand on."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from executor.ledger import Ledger, TokenCap
from executor.models.stopping import Finish
from executor.policies.base import Draw, DrawRequest
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, judge, simulated_problems
from executor.search import Context, derive_seed, sample
from executor.strategy import Sampling
from executor.testing.policy_conformance import PolicyConformance
from executor.testing.step_scorer_conformance import StepScorerConformance

PROBLEM = simulated_problems(1)[0]


def test_a_draw_may_be_cut_anywhere_and_stays_as_likely_to_be_right() -> None:
    policy = SimulatedPolicy(0.6, 2, blank_lines=0.2)

    async def pieces(seed: int) -> tuple[str, float]:
        ids, logprob = list(policy.prompt(PROBLEM.text)), 0.0
        start = len(ids)
        for number in range(100):
            [draw] = await policy.draw(DrawRequest(
                ids, n=1, max_tokens=1 + (seed + number) % 23, temperature=0.7, top_p=1.0,
                seed=derive_seed(seed, str(number)), stop=(), ledger=Ledger(),
            ))  # fmt: skip
            ids += draw.token_ids
            logprob += draw.logprob
            if draw.finish is Finish.EOS:
                break
        return policy.tokens.decode(ids[start:]), logprob

    async def all_of_them() -> list[str]:
        return [(await pieces(seed))[0] for seed in range(600)]

    texts = asyncio.run(all_of_them())
    assert all(text.count("boxed") == 1 for text in texts)
    right = sum(judge(PROBLEM.text, text) for text in texts) / len(texts)
    assert right == pytest.approx(0.36, abs=4 * math.sqrt(0.36 * 0.64 / 600))


def test_the_pieces_of_a_response_are_as_likely_as_the_whole() -> None:
    policy = SimulatedPolicy(0.6, 2, blank_lines=0.2)
    prompt = policy.prompt(PROBLEM.text)

    async def logprobs(seed: int) -> tuple[float, float]:
        options: dict[str, Any] = {"temperature": 0.7, "top_p": 1.0, "stop": (), "seed": seed}
        [whole] = await policy.draw(
            DrawRequest(prompt, n=1, max_tokens=999, ledger=Ledger(), **options)
        )
        [first] = await policy.draw(
            DrawRequest(prompt, n=1, max_tokens=40, ledger=Ledger(), **options)
        )
        assert first.token_ids == whole.token_ids[:40]
        for other in range(3000):
            [rest] = await policy.draw(DrawRequest(
                [*prompt, *first.token_ids], n=1, max_tokens=999, ledger=Ledger(),
                **(options | {"seed": other}),
            ))  # fmt: skip
            if rest.token_ids == whole.token_ids[40:]:
                return whole.logprob, first.logprob + rest.logprob
        raise AssertionError("the rest never came again")

    whole, parts = asyncio.run(logprobs(4))
    assert parts == pytest.approx(whole)


@pytest.mark.parametrize("auc", [0.3, 0.5, 0.75, 0.95])
def test_the_simulated_prm_has_the_auc_it_states(auc: float) -> None:
    policy, prm = SimulatedPolicy(0.7, 2), SimulatedPrm(auc)
    context = Context(PROBLEM, policy, prm, Sampling(), seed=0, cap=TokenCap(10**9))

    async def rewards() -> tuple[list[float], list[float]]:
        right, wrong = [], []
        seen = set()
        for response in await sample(context, 1500):
            if response.text not in seen:
                seen.add(response.text)
                *_, reward = (await context.score([response.steps]))[0]
                alone = await prm.score(PROBLEM.text, response.steps, start=0, ledger=Ledger())
                assert alone[-1] == reward
                (right if judge(PROBLEM.text, response.text) else wrong).append(reward)
        return right, wrong

    right, wrong = asyncio.run(rewards())
    above = sum((r > w) + (r == w) / 2 for r in right for w in wrong)
    error = 4 * math.sqrt(auc * (1 - auc) / min(len(right), len(wrong)))
    assert above / len(right) / len(wrong) == pytest.approx(auc, abs=error)


def test_children_are_handed_over_as_they_end_and_a_request_may_be_cut_in_two() -> None:
    policy = SimulatedPolicy(0.5, 3, blank_lines=0.3)
    prompt = policy.prompt(simulated_problems(1)[0].text)
    options: dict[str, Any] = {
        "max_tokens": 999, "temperature": 1.0, "top_p": 1.0, "stop": (), "ledger": Ledger()
    }  # fmt: skip
    ended: dict[int, Draw] = {}

    async def draw() -> tuple[list[Draw], list[Draw]]:
        whole = await policy.draw(
            DrawRequest(
                prompt,
                n=8,
                seed=3,
                finished=lambda child, one: ended.update({child: one}),
                **options,
            )
        )
        halves = [
            await policy.draw(DrawRequest(prompt, n=4, seed=3 + first, **options))
            for first in (0, 4)
        ]
        return whole, [*halves[0], *halves[1]]

    whole, halves = asyncio.run(draw())
    assert whole == halves
    assert [ended[child] for child in range(8)] == whole
    lengths = [len(one.token_ids) for one in ended.values()]
    assert lengths == sorted(lengths)


class TestSimulatedPolicy(PolicyConformance):
    @pytest.fixture(params=[None, 16])
    def policy(self, request: pytest.FixtureRequest) -> SimulatedPolicy:
        return SimulatedPolicy(0.6, 12, block_size=request.param, latency=0.05)


class TestSimulatedPrm(StepScorerConformance):
    @pytest.fixture(params=[None, 16])
    def scorer(self, request: pytest.FixtureRequest) -> SimulatedPrm:
        return SimulatedPrm(0.8, block_size=request.param)
