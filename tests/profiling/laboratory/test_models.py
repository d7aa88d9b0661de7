"""The bundled policies served by real vLLM: they solve what they were trained for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote
from executor.engines.host import HostedEngine
from executor.engines.options import EngineOptions
from executor.ledger import Ledger
from executor.loading import resolve
from executor.models.stopping import Finish
from executor.models.templates import template_for
from executor.outcome import Outcome
from executor.policies.base import Draw, DrawRequest
from executor.policies.vllm import VllmPolicy
from executor.run.runner import Executor
from executor.scorers.base import StepScorer
from executor.scorers.prm import load_prm, resolve_prm
from executor.strategy import BestOfN, Greedy, Majority, Sampling, Score, Strategy
from profiling.laboratory.catalog import prms_of
from profiling.laboratory.task import SOLUTION, read_problems
from tests.helpers.story_checker import right_steps

pytestmark = pytest.mark.vllm

OPTIONS = EngineOptions(block_size=32, kv_cache_gib=0.25)
HELD_OUT = Path(__file__).parents[3] / "data" / "problems" / "laboratory" / "heldout.jsonl"
PROBLEMS = read_problems(HELD_OUT)
NAME = "lab-0.8m"


@pytest.fixture(scope="module")
def policy() -> Iterator[VllmPolicy]:
    folder = resolve(NAME, "policy").folder
    assert folder is not None
    served = VllmPolicy.load(NAME, folder, template_for(NAME, folder), OPTIONS)
    yield served
    served.close()


def solve(
    policy: VllmPolicy, strategy: Strategy, levels: set[str], prm: StepScorer | None = None
) -> list[Outcome]:
    problems = [problem for problem in PROBLEMS if problem.meta["level"] in levels][:100]
    with MathGrader() as grader:
        executor = Executor(policy, prm, grader, Sampling())

        async def all_at_once() -> list[Outcome]:
            return await asyncio.gather(*(executor.solve(one, strategy) for one in problems))

        return asyncio.run(all_at_once())


def share(outcomes: list[Outcome]) -> float:
    return sum(bool(outcome.correct) for outcome in outcomes) / len(outcomes)


def test_the_hardness_dial_takes_accuracy_from_high_to_low(policy: VllmPolicy) -> None:
    easy, hard = (solve(policy, Greedy(), {level}) for level in ("1", "8"))
    assert share(easy) > 0.8
    assert share(hard) < 0.2


def test_a_right_answer_comes_from_right_steps(policy: VllmPolicy) -> None:
    checked = 0
    for outcome in solve(policy, Majority(8), {"2", "3"}):
        for sample in outcome.samples:
            texts = [step.text for step in policy.tokens.steps(sample.token_ids)]
            right = right_steps(outcome.problem.meta[SOLUTION], texts)
            if all(right) and len(right) == len(outcome.problem.meta[SOLUTION].split("\n\n")):
                assert sample.correct
                checked += 1
    assert checked > 100


def test_the_strong_prm_picks_right_answers_that_a_majority_does_not(policy: VllmPolicy) -> None:
    name = prms_of(NAME)["strong"]
    prm = load_prm(resolve_prm(name), policy.tokens, OPTIONS)
    try:
        levels = {"3", "6"}
        voted = solve(policy, Majority(16), levels)
        picked = solve(policy, BestOfN(16, Score.LAST, Vote.MAX), levels, prm)
    finally:
        prm.close()
    assert share(picked) > share(voted) + 0.1


def test_looking_for_stop_tokens_draws_what_looking_for_text_does(
    policy: VllmPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [policy.prompt(problem.text) for problem in PROBLEMS[:8]]

    def drawn() -> list[list[Draw]]:
        async def all_at_once() -> list[list[Draw]]:
            return await asyncio.gather(
                *(
                    policy.draw(DrawRequest(
                        prompt, n=4, max_tokens=60, temperature=0.7, top_p=1.0, seed=3,
                        stop=["\n\n"], ledger=Ledger(),
                    ))
                    for prompt in prompts
                )
            )  # fmt: skip

        return asyncio.run(all_at_once())

    by_token = drawn()
    assert policy._stopping.at(["\n\n"]).token_ids
    monkeypatch.setattr(policy.tokens, "single_tokens", lambda text: None)
    assert policy._stopping.at(["\n\n"]).strings == ("\n\n",)
    by_text = drawn()
    ends = [draw.finish for draws in by_token for draw in draws]
    assert {Finish.STOP, Finish.EOS} == set(ends)  # of one operation, and of several
    for one, other in zip(by_token, by_text, strict=True):
        assert [(d.token_ids, d.finish) for d in one] == [(d.token_ids, d.finish) for d in other]
        assert [d.logprob for d in one] == pytest.approx([d.logprob for d in other], abs=1e-3)


def test_a_short_context_does_not_keep_prompts_waiting(policy: VllmPolicy) -> None:
    assert isinstance(policy._engine, HostedEngine)
    config = policy._engine.stepped._llm.vllm_config.scheduler_config
    assert policy.max_context == 192
    assert config.max_num_batched_tokens >= 10 * policy.max_context
