"""Real vLLM engines in this process: a tiny policy and a reward head on it, side by side."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from executor.answers.grader import MathGrader
from executor.engines.host import HostedEngine, host
from executor.engines.options import EngineOptions
from executor.errors import EngineError, InputError
from executor.ledger import Ledger, TokenCap
from executor.models.stopping import Finish
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens, load_tokenizer
from executor.outcome import grade
from executor.policies.base import Draw, DrawRequest
from executor.policies.vllm import VllmPolicy
from executor.problem import Problem
from executor.scorers.base import StepScorer
from executor.scorers.prm import check_prm, load_prm, resolve_prm
from executor.search import Context, sample, search
from executor.strategy import (
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Sampling,
    ShortMOfK,
    Strategy,
    key,
    voters,
)
from executor.testing.policy_conformance import PolicyConformance
from executor.testing.step_scorer_conformance import StepScorerConformance
from executor.testing.watched import check_charged
from profiling.scorers.save_head import save_head
from profiling.scorers.step_states import hidden_states
from profiling.scorers.train_head import FittedHead

pytestmark = pytest.mark.vllm

OPTIONS = EngineOptions(block_size=32, kv_cache_gib=0.25, dtype="float32", max_model_len=512)
TEMPLATE = PromptTemplate()
# A model with random weights never ends a step or a response: limits do.
SAMPLING = Sampling(max_steps=3, max_step_tokens=8, max_tokens=24)
PROBLEMS = [Problem(str(i), f"What is {i} plus {i + 1}?", str(2 * i + 1)) for i in range(6)]


@pytest.fixture(scope="module")
def policy(tiny_llama: Path) -> Iterator[VllmPolicy]:
    served = VllmPolicy.load("tiny", tiny_llama, TEMPLATE, OPTIONS)
    yield served
    served.close()


@pytest.fixture(scope="module")
def head(tiny_llama: Path, policy: VllmPolicy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward head with a random weight: what is tested is how it is served."""
    weight = np.random.default_rng(0).normal(size=64) * 0.3
    fitted = FittedHead(3, weight, 0.25, statistics=_NO_STATISTICS)
    folder = tmp_path_factory.mktemp("heads") / "tiny-head"
    save_head(
        fitted, str(tiny_llama), folder, policy=policy, template=TEMPLATE, problems=PROBLEMS[:1]
    )
    return folder


class _NoStatistics:
    def to_dict(self) -> dict[str, Any]:
        return {}


_NO_STATISTICS: Any = _NoStatistics()


@pytest.fixture(scope="module")
def prm(head: Path, policy: VllmPolicy) -> Iterator[StepScorer]:
    served = load_prm(resolve_prm(str(head)), policy.tokens, OPTIONS)
    yield served
    served.close()


def context(policy: VllmPolicy, prm: StepScorer | None, problem: Problem = PROBLEMS[0]) -> Context:
    return Context(problem, policy, prm, SAMPLING, seed=7, cap=TokenCap(10_000))


def draw(policy: VllmPolicy, ledger: Ledger, **changes: Any) -> list[Draw]:
    options: dict[str, Any] = {
        "n": 3, "max_tokens": 12, "temperature": 0.7, "top_p": 1.0, "seed": 5, "stop": (),
    }  # fmt: skip
    prompt = policy.prompt(PROBLEMS[0].text)
    return asyncio.run(policy.draw(DrawRequest(prompt, ledger=ledger, **(options | changes))))


class TestVllmPolicy(PolicyConformance):
    @pytest.fixture
    def policy(self, policy: VllmPolicy) -> VllmPolicy:
        return policy


class TestVllmScorer(StepScorerConformance):
    @pytest.fixture
    def scorer(self, prm: StepScorer) -> StepScorer:
        return prm


STRATEGIES: Sequence[Strategy] = [
    Greedy(), Majority(4), BestOfN(4), BeamSearch(8), Dvts(8), ParticleFilter(8), ShortMOfK(8, 2),
    Aggregate(8, 1, 2),
]  # fmt: skip


@pytest.mark.parametrize("strategy", STRATEGIES, ids=key)
def test_ledgers_equal_the_engines_own_counters(
    strategy: Strategy, policy: VllmPolicy, prm: StepScorer
) -> None:
    before, prm_before = policy.counters(), prm.counters()
    contexts = [context(policy, prm, problem) for problem in PROBLEMS]

    async def all_at_once() -> list[int]:
        found = await asyncio.gather(*(search(strategy, c) for c in contexts))
        return [len(responses) for responses in found]

    ended = asyncio.run(all_at_once())
    if isinstance(strategy, ShortMOfK):
        assert all(strategy.m <= count <= strategy.n for count in ended)
    else:
        assert ended == [voters(strategy)] * len(PROBLEMS)
    total = sum((c.ledger for c in contexts), Ledger())
    check_charged(total, policy.counters() - before, prm.counters() - prm_before)
    assert (total.prm > 0) == strategy.needs_prm


@pytest.mark.parametrize("strategy", STRATEGIES, ids=key)
def test_ledgers_equal_the_counters_where_problems_are_cancelled_midway(
    strategy: Strategy, policy: VllmPolicy, prm: StepScorer
) -> None:
    before, prm_before = policy.counters(), prm.counters()
    contexts = [context(policy, prm, problem) for problem in PROBLEMS * 2]

    async def run(index: int, one: Context) -> bool:
        work = asyncio.create_task(search(strategy, one))
        if index % 2:
            # Each a little later than the one before: while prompts go in, while steps are drawn,
            # while they are scored.
            for _ in range(index):
                await asyncio.wrap_future(host().call(lambda: None))
            work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        return work.cancelled()

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(run(i, one) for i, one in enumerate(contexts)))

    assert any(asyncio.run(all_at_once()))
    total = sum((one.ledger for one in contexts), Ledger())
    check_charged(total, policy.counters() - before, prm.counters() - prm_before)


def test_a_cancelled_request_stops_and_is_charged_to_the_token(policy: VllmPolicy) -> None:
    before = dataclasses.replace(policy.counters())
    ledger = Ledger()

    async def cancel_midway() -> None:
        task = asyncio.create_task(
            policy.draw(DrawRequest(
                policy.prompt(PROBLEMS[0].text),
                n=8, max_tokens=400, temperature=0.7, top_p=1.0, seed=1, stop=(), ledger=ledger,
            ))
        )  # fmt: skip
        while policy.counters().generated < before.generated + 40:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_midway())
    # A later request drains the engine, so that nothing of the first can still be counted.
    draw(policy, later := Ledger(), n=1, max_tokens=1)
    after = policy.counters()
    assert 40 <= ledger.discarded < 8 * 400
    assert ledger.generated == 0
    assert ledger.discarded + later.generated == after.generated - before.generated
    charged = ledger + later
    assert charged.prompt + charged.cached == after.prompt - before.prompt


def test_same_seed_same_draws_and_children_differ(policy: VllmPolicy) -> None:
    first, again = draw(policy, Ledger()), draw(policy, Ledger())
    other = draw(policy, Ledger(), seed=6_000)
    assert [d.token_ids for d in first] == [d.token_ids for d in again]
    assert len({d.token_ids for d in first}) == 3
    assert {d.token_ids for d in first}.isdisjoint(d.token_ids for d in other)


def test_continuing_token_by_token_is_the_same_as_going_on(policy: VllmPolicy) -> None:
    (whole,) = draw(policy, Ledger(), n=1, temperature=0.0, max_tokens=8)
    prompt = policy.prompt(PROBLEMS[0].text)
    so_far: tuple[int, ...] = ()
    for _ in range(4):
        (piece,) = asyncio.run(
            policy.draw(DrawRequest(
                [*prompt, *so_far],
                n=1, max_tokens=2, temperature=0.0, top_p=1.0, seed=0, stop=(), ledger=Ledger(),
            ))
        )  # fmt: skip
        so_far += piece.token_ids
    assert so_far == whole.token_ids
    assert whole.finish is Finish.LENGTH


def test_a_stop_string_ends_the_draw_and_stays_in_it(policy: VllmPolicy) -> None:
    (whole,) = draw(policy, Ledger(), n=1, max_tokens=24)
    text = policy.tokens.decode(whole.token_ids)
    stop = text[len(text) // 2 :][:3]
    (cut,) = draw(policy, Ledger(), n=1, max_tokens=24, stop=[stop])
    assert cut.finish is Finish.STOP
    assert stop in policy.tokens.decode(cut.token_ids)
    assert len(cut.token_ids) < len(whole.token_ids)


def test_log_probabilities_are_the_models_own(policy: VllmPolicy, tiny_llama: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    # At temperature 1 vLLM's raw log-probabilities are those of the model itself.
    (one,) = draw(policy, Ledger(), n=1, temperature=1.0, max_tokens=6)
    prompt = policy.prompt(PROBLEMS[0].text)
    model = AutoModelForCausalLM.from_pretrained(tiny_llama)
    ids = torch.tensor([[*prompt, *one.token_ids]])
    with torch.inference_mode():
        logits = model(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    expected = float(logits[range(len(one.token_ids)), list(one.token_ids)].sum())
    assert one.logprob == pytest.approx(expected, abs=1e-3)


def test_rewards_served_are_the_heads_own(
    policy: VllmPolicy, prm: StepScorer, head: Path, tiny_llama: Path
) -> None:
    responses = asyncio.run(sample(context(policy, None), 3))
    with MathGrader() as grader:
        records = grade(responses, PROBLEMS[0], grader)
    states = hidden_states(str(tiny_llama), policy, [(PROBLEMS[0], records)])
    weight = np.random.default_rng(0).normal(size=64) * 0.3
    expected = 1 / (1 + np.exp(-(states.states[3] @ weight + 0.25)))
    served: list[float] = []
    for response in responses:
        rewards = prm.score(PROBLEMS[0].text, response.steps, start=0, ledger=Ledger())
        served += asyncio.run(rewards)
    assert served == pytest.approx(expected.tolist(), abs=2e-3)


def test_a_whole_solution_is_one_pass(policy: VllmPolicy, prm: StepScorer) -> None:
    problem = Problem("whole", "What is nobody asked before?")
    (response,) = asyncio.run(search(BeamSearch(8), context(policy, prm, problem)))[:1]
    assert len(response.steps) == 3
    rewards = prm.score(problem.text, response.steps, start=0, ledger=(ledger := Ledger()))
    # What the search left in the cache has no scores in one pass, and is asked for again.
    assert asyncio.run(rewards) == pytest.approx(response.rewards, abs=1e-5)

    fresh = "What has nobody asked before this?"
    before, ledger = prm.counters(), Ledger()
    rewards = prm.score(fresh, response.steps, start=0, ledger=ledger)
    assert len(asyncio.run(rewards)) == 3
    length = len(policy.prompt(fresh)) + response.n_tokens
    spent = prm.counters() - before
    assert (spent.prompt, spent.cached) == (ledger.prm + ledger.prm_cached, ledger.prm_cached)
    assert length - 2 <= spent.prompt <= length


def test_a_step_is_scored_once_and_its_past_is_cached(policy: VllmPolicy, prm: StepScorer) -> None:
    ctx = context(policy, prm, Problem("long", "word " * 120))
    asyncio.run(search(BeamSearch(8), ctx))
    # Prompts of over 120 tokens, scored again at every step of every beam, were they not cached.
    assert ctx.ledger.prm < 0.5 * ctx.ledger.prm_cached


def test_a_prm_of_another_tokenizer_is_refused_in_one_line(
    head: Path, smollm2: Path, tmp_path: Path
) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    check_prm(resolve_prm(str(head)), Tokens(load_tokenizer(smollm2)))
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    other = Tokens(PreTrainedTokenizerFast(tokenizer_object=words))
    with pytest.raises(InputError, match="tokenizer does not fit") as caught:
        check_prm(resolve_prm(str(head)), other)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_prm_is_refused(tiny_llama: Path, policy: VllmPolicy) -> None:
    with pytest.raises(InputError, match="no known PRM convention"):
        load_prm(resolve_prm(str(tiny_llama)), policy.tokens, OPTIONS)


def test_a_checkpoint_that_cannot_be_loaded_is_one_line(tmp_path: Path, tiny_llama: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in tiny_llama.iterdir():
        if file.suffix != ".safetensors":
            (broken / file.name).write_bytes(file.read_bytes())
    with pytest.raises(EngineError, match="cannot load") as caught:
        host().start("broken", broken, OPTIONS)
    assert "\n" not in str(caught.value)


def test_a_failing_engine_fails_its_requests_and_refuses_new_ones(tiny_llama: Path) -> None:
    served = VllmPolicy.load("doomed", tiny_llama, TEMPLATE, OPTIONS)
    engine = served._engine
    assert isinstance(engine, HostedEngine)

    def fail() -> None:
        raise RuntimeError("injected")

    host().call(lambda: setattr(engine.stepped._llm, "step", fail)).result()
    with pytest.raises(EngineError, match="injected"):
        draw(served, Ledger())
    with pytest.raises(EngineError, match="was lost"):
        draw(served, Ledger())
    served.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_engine_thread_outlives_a_loop_that_was_closed(policy: VllmPolicy) -> None:
    loop = asyncio.new_event_loop()
    abandoned = loop.create_task(
        policy.draw(DrawRequest(
            policy.prompt(PROBLEMS[0].text),
            n=2, max_tokens=60, temperature=0.7, top_p=1.0, seed=1, stop=(), ledger=Ledger(),
        ))
    )  # fmt: skip
    loop.run_until_complete(asyncio.sleep(0.05))
    loop.close()
    assert not abandoned.done()
    # The answers of the abandoned request find no loop; this one is served all the same.
    assert len(draw(policy, Ledger())) == 3


def test_a_failing_command_does_not_end_the_engine_thread() -> None:
    with pytest.raises(ZeroDivisionError):
        host().call(lambda: 1 // 0).result()
    assert host().call(lambda: 42).result() == 42


def test_children_are_handed_over_as_they_end(policy: VllmPolicy) -> None:
    ended: dict[int, Draw] = {}
    draws = draw(policy, Ledger(), n=3, finished=lambda child, one: ended.update({child: one}))
    assert [ended[child] for child in range(3)] == draws


def test_an_engine_says_what_it_holds(policy: VllmPolicy) -> None:
    # Four layers of two heads of 32 numbers of four bytes, keys and values.
    assert policy.capacity.sequences == 256
    bytes_a_token = 4 * 2 * 32 * 4 * 2
    assert policy.capacity.tokens == pytest.approx(0.25 * 2**30 / bytes_a_token, rel=0.01)


@pytest.mark.parametrize("block", [32, None])
def test_a_cache_of_one_context_is_accepted(block: int | None, tiny_llama: Path) -> None:
    """The context is no whole number of blocks, and vLLM keeps a block for itself."""
    one = dataclasses.replace(
        OPTIONS, kv_cache_gib=None, block_size=block, max_num_seqs=1, max_model_len=500
    )
    policy = VllmPolicy.load("one", tiny_llama, TEMPLATE, one)
    try:
        assert 500 <= policy.capacity.tokens <= 512 + (block or 128)
    finally:
        policy.close()


def test_a_cache_that_is_small_for_its_batch_does_not_overflow(tiny_llama: Path) -> None:
    """Eight responses of 200 tokens beside each other need twice what the cache holds."""
    token = 2 * 4 * 2 * 32 * 4  # keys and values, layers, heads, width, bytes
    small = dataclasses.replace(OPTIONS, kv_cache_gib=1024 * token / 2**30, max_num_seqs=16)
    policy = VllmPolicy.load("small", tiny_llama, TEMPLATE, small)
    try:
        ledger = Ledger()

        async def all_at_once() -> list[list[Draw]]:
            prompts = [policy.prompt(problem.text) for problem in PROBLEMS[:4]]
            return await asyncio.gather(
                *(policy.draw(DrawRequest(prompt, n=2, max_tokens=200, temperature=0.7, top_p=1.0,
                                          seed=1, ledger=ledger)) for prompt in prompts)
            )  # fmt: skip

        draws = asyncio.run(all_at_once())
        assert [len(one.token_ids) for each in draws for one in each] == [200] * 8
        assert policy.counters().preemptions == 0
        assert policy.capacity.tokens <= 1024
    finally:
        policy.close()
