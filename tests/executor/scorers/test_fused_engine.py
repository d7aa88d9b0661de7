"""A head in the output matrix on real engines: the same texts, and the rewards of a head alone."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from executor.answers.grader import MathGrader
from executor.engines.base import EngineCounters
from executor.engines.options import EngineOptions
from executor.files import data_folder
from executor.ledger import Ledger, TokenCap
from executor.loading import resolve
from executor.models.templates import template_for
from executor.models.tokens import Step
from executor.outcome import grade
from executor.policies.base import Draw, DrawRequest, Policy
from executor.policies.served import ServedPolicy
from executor.policies.vllm import VllmPolicy
from executor.run.runner import Executor
from executor.scorers.base import StepScorer
from executor.scorers.fused import FusedScorer
from executor.scorers.prm import load_prm, resolve_prm
from executor.scorers.reward_head import Reads
from executor.search import Context, Response, search
from executor.servers.address import Address
from executor.servers.server import Patience
from executor.serving.command import serve_policy
from executor.serving.launch import free_port, running
from executor.store.store import Store
from executor.strategy import (
    STEP_DELIMITER,
    BeamSearch,
    BestOfN,
    Dvts,
    ParticleFilter,
    Sampling,
    Strategy,
    key,
)
from executor.testing.step_scorer_conformance import StepScorerConformance
from executor.testing.watched import check_charged
from profiling.problems.files import load_problems
from profiling.profiles.pool_files import has_rewards, pools_of, rewards_of
from profiling.profiles.profiler import profile, profile_spec
from profiling.scorers.free import scored_free
from profiling.scorers.step_states import hidden_states
from tests.helpers.fused_models import FusedModels, fused_models

pytestmark = pytest.mark.vllm

LAB = data_folder() / "models" / "lab-0.4m"
TEMPLATE = template_for("lab-0.4m", LAB)
# In 32 bits what else is in the batch changes no token.
OPTIONS = EngineOptions(block_size=32, kv_cache_gib=0.25, dtype="float32")
SAMPLING = Sampling(max_tokens=120, max_step_tokens=40, max_steps=12)
PROBLEMS = load_problems(
    data_folder() / "problems" / "laboratory" / "profile.jsonl",
    problem_field=None, answer_field=None, limit=4, require_answers=True,
)  # fmt: skip
STRATEGIES = [BestOfN(4), BeamSearch(8), Dvts(8), ParticleFilter(8)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> FusedModels:
    return fused_models(LAB, tmp_path_factory.mktemp("fused"), hidden=96, layers=3)


def load(folder: Path, **changes: Any) -> VllmPolicy:
    checkpoint = resolve(str(folder), "policy")
    options = replace(OPTIONS, **changes)
    return VllmPolicy.load(checkpoint.name, checkpoint.location, TEMPLATE, options)


@pytest.fixture(scope="module")
def base() -> Iterator[VllmPolicy]:
    policy = load(LAB)
    yield policy
    policy.close()


@pytest.fixture(scope="module")
def policy(made: FusedModels) -> Iterator[VllmPolicy]:
    policy = load(made.fused)
    yield policy
    policy.close()


@pytest.fixture(scope="module")
def separate(made: FusedModels, base: VllmPolicy) -> Iterator[StepScorer]:
    scorer = load_prm(resolve_prm(str(made.head)), base.tokens, OPTIONS)
    yield scorer
    scorer.close()


def scorer_of(made: FusedModels, policy: VllmPolicy | ServedPolicy) -> FusedScorer:
    return FusedScorer.load(resolve_prm(str(made.fused)), policy)


def draw(policy: Policy, ledger: Ledger, **changes: Any) -> list[Draw]:
    options: dict[str, Any] = {
        "n": 8, "max_tokens": 100, "temperature": 1.0, "top_p": 1.0, "seed": 5, "stop": (),
    }  # fmt: skip
    drawn: list[Draw] = []
    for problem in PROBLEMS:
        request = DrawRequest(policy.prompt(problem.text), ledger=ledger, **(options | changes))
        drawn += asyncio.run(policy.draw(request))
    return drawn


def run(
    strategy: Strategy, policy: Policy, scorer: StepScorer
) -> tuple[list[list[Response]], Ledger, EngineCounters]:
    before = policy.counters()
    contexts = [
        Context(one, policy, scorer, SAMPLING, seed=7, cap=TokenCap(10_000)) for one in PROBLEMS
    ]

    async def every() -> list[list[Response]]:
        return await asyncio.gather(*(search(strategy, context) for context in contexts))

    found = asyncio.run(every())
    total = sum((context.ledger for context in contexts), Ledger())
    return found, total, policy.counters() - before


class TestFusedScorerOnVllm(StepScorerConformance):
    """Of steps that were not read when they were written."""

    @pytest.fixture
    def scorer(self, made: FusedModels, policy: VllmPolicy) -> FusedScorer:
        return scorer_of(made, policy)

    @pytest.fixture
    def steps(self, policy: VllmPolicy) -> Sequence[Step]:
        texts = ("3 + 4 = 7\n\n", "7 + 1 = 8\n\n", "8 + 1 = \\boxed{9}")
        ids = list(itertools.chain.from_iterable(policy.tokens.encode(text) for text in texts))
        return policy.tokens.steps(ids)


@pytest.mark.parametrize(
    "changes",
    [{}, {"top_p": 0.9, "temperature": 0.7}, {"n": 1, "temperature": 0.0},
     {"stop": [STEP_DELIMITER]}, {"stop": ["=", "no token at all"]}],
    ids=["plain", "nucleus", "greedy", "token", "text"],
)  # fmt: skip
def test_the_rows_change_no_token(
    changes: dict[str, Any], base: VllmPolicy, policy: VllmPolicy
) -> None:
    without, held = draw(base, Ledger(), **changes), draw(policy, Ledger(), **changes)
    assert [one.token_ids for one in held] == [one.token_ids for one in without]
    assert [one.finish for one in held] == [one.finish for one in without]
    assert [one.logprob for one in held] == pytest.approx(
        [one.logprob for one in without], abs=1e-4
    )
    assert all(len(one.readings) == len(one.token_ids) for one in held)
    assert not any(one.readings for one in without)


def test_certainty_is_that_over_the_whole_vocabulary(policy: VllmPolicy) -> None:
    """Against all logits of the policy without the rows, which Transformers computes."""
    model = AutoModelForCausalLM.from_pretrained(LAB, dtype="auto").eval()
    for problem, drawn in zip(PROBLEMS, draw(policy, Ledger(), n=1), strict=True):
        prompt = policy.prompt(problem.text)
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt, *drawn.token_ids]])).logits[0].double()
        shares = torch.log_softmax(logits[len(prompt) - 1 : -1], -1)
        exact = -shares.mean(dim=-1) - math.log(shares.shape[1])
        assert drawn.certainty == pytest.approx(float(exact.sum()), abs=1e-3)


def test_samples_keep_their_certainty(
    made: FusedModels, policy: VllmPolicy, tmp_path: Path
) -> None:
    """Through a profile, its store and its pools; searches add up what their steps say."""
    with MathGrader() as grader, Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        executor = Executor(policy, None, grader, SAMPLING)
        spec = profile_spec(executor, 4, TEMPLATE.to_dict())
        asyncio.run(profile(executor, PROBLEMS, store, spec))
        samples = [one for found in store.outcomes(spec) for one in found.outcome.samples]
        kept, _ = pools_of(store, policy.name)
    assert None not in [one.certainty for one in samples]
    scores = [one.rewards for one in scored_free(samples, "self-certainty")]
    assert min(scores) > (0.0,)
    assert has_rewards(kept, "self-certainty")
    assert sorted(rewards_of(kept, "self-certainty")) == sorted(scores)
    found, _, _ = run(BeamSearch(8), policy, scorer_of(made, policy))
    assert None not in [one.certainty for each in found for one in each]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=key)
def test_rewards_are_those_of_the_head_alone_and_cost_nothing(
    strategy: Strategy, made: FusedModels, policy: VllmPolicy, separate: StepScorer
) -> None:
    found, ledger, counted = run(strategy, policy, scorer_of(made, policy))
    assert ledger.prm == ledger.prm_cached == 0
    check_charged(ledger, counted, EngineCounters())
    rewards, alone = [], []
    for problem, responses in zip(PROBLEMS, found, strict=True):
        assert len(responses) == strategy.n
        for response in responses:
            steps = [step for step in response.steps if step.text.strip()]
            rewards += response.rewards[: len(steps)]
            alone += asyncio.run(separate.score(problem.text, steps, start=0, ledger=Ledger()))
    assert rewards == pytest.approx(alone, abs=1e-5)
    assert max(rewards) - min(rewards) > 0.1


def test_a_step_says_the_same_when_it_is_asked_for(made: FusedModels, policy: VllmPolicy) -> None:
    scorer = scorer_of(made, policy)
    ((response, *_), *_), _, _ = run(BestOfN(4), policy, scorer)
    stored = [replace(step, reading=None) for step in response.steps]
    before, ledger = policy.counters(), Ledger()
    again = asyncio.run(scorer.score(PROBLEMS[0].text, stored, start=0, ledger=ledger))
    assert again == pytest.approx(response.rewards, abs=1e-5)
    spent = policy.counters() - before
    assert (ledger.prm + ledger.prm_cached, ledger.discarded) == (spent.prompt, len(stored))
    assert scorer.counters() == replace(spent, ended=0)


def test_a_head_reads_the_states_that_it_is_trained_on(
    made: FusedModels, policy: VllmPolicy
) -> None:
    found, _, _ = run(BestOfN(4), policy, scorer_of(made, policy))
    with MathGrader() as grader:
        graded = [
            (one, grade(responses, one, grader))
            for one, responses in zip(PROBLEMS, found, strict=True)
        ]
    steps = hidden_states(str(LAB), policy, graded, reads=Reads.BEFORE)
    assert list(steps.states) == [3]
    logits = steps.states[3] @ made.fitted.weight + made.fitted.intercept
    rewards = [reward for _, records in graded for one in records for reward in one.rewards]
    # Equal responses are forwarded once, so the order differs.
    assert sorted(1 / (1 + np.exp(-logits))) == pytest.approx(sorted(rewards), abs=1e-4)


@pytest.mark.slow
def test_a_grammar_binds_as_without_the_rows(tiny_llama: Path, tmp_path: Path) -> None:
    """The laboratory's tokenizer has no braces; this one has, and no row without a token."""
    held = fused_models(tiny_llama, tmp_path, hidden=64, layers=4)
    schema = '{"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}'
    drawn = []
    for folder in (tiny_llama, held.fused):
        policy = load(folder)
        try:
            ended = draw(policy, Ledger(), json_schema=schema, max_tokens=30)
            drawn.append([policy.tokens.decode(one.token_ids) for one in ended])
        finally:
            policy.close()
    without, with_head = drawn
    assert with_head == without
    assert all(text.startswith("{") for text in without) and len(set(without)) > 1


@pytest.mark.slow
def test_an_engine_apart_reads_the_same(made: FusedModels, policy: VllmPolicy) -> None:
    apart = load(made.fused, apart=True)
    try:
        here, _, _ = run(BeamSearch(8), policy, scorer_of(made, policy))
        there, ledger, counted = run(BeamSearch(8), apart, scorer_of(made, apart))
    finally:
        apart.close()
    check_charged(ledger, counted, EngineCounters())
    assert [one.token_ids for each in there for one in each] == [
        one.token_ids for each in here for one in each
    ]
    for one, other in zip(itertools.chain(*there), itertools.chain(*here), strict=True):
        assert one.rewards == pytest.approx(other.rewards, abs=1e-5)


@pytest.mark.slow
def test_a_server_reads_the_same(made: FusedModels, policy: VllmPolicy, tmp_path: Path) -> None:
    command = serve_policy(str(made.fused), free_port(), OPTIONS)
    with running([command], tmp_path) as (server,):
        checkpoint = resolve(str(Address("", (server.url,))), "policy")
        assert (checkpoint.name, checkpoint.location) == ("lab-0.4m", str(made.fused.resolve()))
        served = ServedPolicy.connect(checkpoint, TEMPLATE, Patience())
        drawn, here = draw(served, Ledger()), draw(policy, Ledger())
        assert [one.token_ids for one in drawn] == [one.token_ids for one in here]
        for one, other in zip(drawn, here, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
            assert one.readings == pytest.approx(other.readings, abs=1e-4)
        _, ledger, counted = run(BeamSearch(8), served, scorer_of(made, served))
        assert ledger.prm == 0
        check_charged(ledger, counted, EngineCounters())
