"""One conformance suite that every strategy passes, then what is true of each alone."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from executor.answers import MathGrader, Vote
from executor.engine import EngineCounters
from executor.errors import EngineError, InputError
from executor.ledger import Ledger, TokenCap
from executor.outcome import Outcome
from executor.policy import Draw, Finish, Policy
from executor.problem import Problem
from executor.runner import Executor
from executor.search import Context, Response, State, aggregate, sample, search
from executor.search.tree import select
from executor.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.strategy import (
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    Sampling,
    Score,
    Strategy,
    key,
)
from executor.tokens import Step

STRATEGIES: list[Strategy] = [Greedy(), Majority(8), BestOfN(8), BeamSearch(8, 4), Dvts(8, 4)]
TREES: list[Strategy] = [BeamSearch(8, 4), Dvts(8, 4), BeamSearch(6, 3), Dvts(6, 2)]
PROBLEM = simulated_problems(1)[0]

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=key)
every_tree = pytest.mark.parametrize("strategy", TREES, ids=key)
habits = pytest.mark.parametrize("blank_lines", [0.0, 0.3], ids=["tidy", "blank lines"])


class Watched(SimulatedPolicy):
    """Remembers its requests and draws, and the prefixes that end with a draw."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.requests: list[dict[str, Any]] = []
        self.draws: list[Draw] = []
        self.prefixes: set[tuple[int, ...]] = set()

    async def draw(self, prompt_ids: Sequence[int], **options: Any) -> list[Draw]:
        self.requests.append(options | {"prompt_ids": tuple(prompt_ids)})
        draws = await super().draw(prompt_ids, **options)
        self.draws += draws
        prompt = self.prompt(PROBLEM.text)
        written = tuple(prompt_ids[len(prompt) :])
        self.prefixes |= {written + draw.token_ids for draw in draws}
        return draws


class WatchedPrm(SimulatedPrm):
    """Remembers which prefixes it was asked to score the end of."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.asked: list[tuple[int, ...]] = []

    async def score(self, question: str, steps: Sequence[Step], **options: Any) -> list[float]:
        tokens = [token for step in steps for token in step.token_ids]
        ends = list(itertools.accumulate(len(step.token_ids) for step in steps))
        self.asked += [tuple(tokens[:end]) for end in ends[options["start"] :]]
        return await super().score(question, steps, **options)


@pytest.fixture(scope="module")
def grader() -> Iterator[MathGrader]:
    with MathGrader() as shared:
        yield shared


def context_of(
    policy: Policy,
    prm: SimulatedPrm | None = None,
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    cap: int = 10**9,
    problem: Problem = PROBLEM,
) -> Context:
    return Context(problem, policy, prm, sampling or Sampling(), seed, TokenCap(cap))


def run(strategy: Strategy, context: Context) -> list[Response]:
    return asyncio.run(search(strategy, context))


def check_ledger(context: Context) -> None:
    """Everything the engines counted is charged, and nothing else."""
    ledger, policy = context.ledger, context.policy.counters()
    assert ledger.generated + ledger.discarded == policy.generated
    assert ledger.probe == 0
    assert ledger.prompt + ledger.cached == policy.prompt
    assert ledger.cached == policy.cached
    if context.prm is not None:
        prm = context.prm.counters()
        assert (ledger.prm + ledger.prm_cached, ledger.prm_cached) == (prm.prompt, prm.cached)


# Conformance


@every_strategy
@habits
def test_exactly_n_finished_responses_come_out(strategy: Strategy, blank_lines: float) -> None:
    context = context_of(Watched(0.7, 3, blank_lines=blank_lines), SimulatedPrm(0.9))
    responses = run(strategy, context)
    assert len(responses) == strategy.n
    for response in responses:
        assert response.state is State.FINISHED
        assert "boxed" in response.steps[-1].text
        assert len(response.steps) == 4
        assert len(response.rewards) == (4 if strategy.needs_prm else 0)
        assert response.steps == tuple(context.policy.tokens.steps(response.token_ids))


@every_strategy
def test_every_response_is_a_draw_of_its_own(strategy: Strategy) -> None:
    # At p = 1 texts repeat: equal texts are no copies, as long as each was drawn.
    policy = Watched(1.0, 2)
    responses = run(strategy, context_of(policy, SimulatedPrm(0.9)))
    if isinstance(strategy, BeamSearch | Dvts):
        last = [response.branches[-1][0] for response in responses]
        assert len(set(last)) == strategy.n
        for response in responses:
            assert sum(tokens for _, tokens in response.branches) == response.n_tokens
    else:
        assert [tuple(r.token_ids) for r in responses] == [d.token_ids for d in policy.draws]


@every_strategy
@habits
@pytest.mark.parametrize("block_size", [None, 16])
def test_the_ledger_is_what_the_engines_counted(
    strategy: Strategy, blank_lines: float, block_size: int | None
) -> None:
    policy = SimulatedPolicy(0.6, 4, blank_lines=blank_lines, block_size=block_size)
    context = context_of(policy, SimulatedPrm(0.8, block_size=block_size))
    responses = run(strategy, context)
    check_ledger(context)
    if isinstance(strategy, BeamSearch | Dvts):
        kept = sum(dict(branch for r in responses for branch in r.branches).values())
        assert context.ledger.discarded > 0
    else:
        kept = sum(response.n_tokens for response in responses)
    assert context.ledger.generated == kept
    if block_size and strategy.n > 1:
        assert context.ledger.cached > 0


@every_strategy
def test_the_same_seed_gives_the_same_responses_beside_whatever_else_runs(
    strategy: Strategy,
) -> None:
    async def among(others: int, seed: int) -> list[Response]:
        policy, prm = SimulatedPolicy(0.6, 3), SimulatedPrm(0.8)
        contexts = [context_of(policy, prm, seed=seed)] + [
            context_of(policy, prm, seed=seed, problem=problem)
            for problem in simulated_problems(others, "other")
        ]
        found = await asyncio.gather(*(search(strategy, context) for context in contexts))
        return found[0]

    def texts(responses: list[Response]) -> list[tuple[str, tuple[float, ...], float]]:
        return [(r.text, r.rewards, r.logprob) for r in responses]

    alone = texts(asyncio.run(among(0, seed=5)))
    assert texts(asyncio.run(among(4, seed=5))) == alone
    other_seed = texts(asyncio.run(among(0, seed=6)))
    assert (other_seed == alone) == isinstance(strategy, Greedy)


@every_strategy
@pytest.mark.parametrize("limit", [0, 1, 9, 40, 150, 300, 700, 1100])
@habits
def test_the_token_cap_is_never_exceeded(
    strategy: Strategy, limit: int, blank_lines: float, grader: MathGrader
) -> None:
    policy = SimulatedPolicy(0.7, 3, blank_lines=blank_lines)
    context = context_of(policy, SimulatedPrm(0.8), cap=limit)
    responses = run(strategy, context)
    assert policy.counters().generated <= limit
    check_ledger(context)
    assert context.cap.left == limit - policy.counters().generated
    assert len(responses) <= strategy.n
    for response in responses:
        assert (response.state is State.FINISHED) == ("boxed" in response.text and ended(response))
        assert response.state is not State.LIVE


def ended(response: Response) -> bool:
    return response.token_ids[-1] >= 0x110000


@every_strategy
@pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.06, 0.1])
def test_cancelling_charges_what_was_generated(strategy: Strategy, after: float) -> None:
    policy = SimulatedPolicy(0.7, 4, latency=0.08, block_size=16)
    context = context_of(policy, SimulatedPrm(0.8, latency=0.02), cap=5000)

    async def cancelled() -> None:
        task = asyncio.create_task(search(strategy, context))
        await asyncio.sleep(after)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled() or after > 0.05, "was not cancelled"
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a branch was left running"

    asyncio.run(cancelled())
    check_ledger(context)
    assert context.cap.left <= 5000 - policy.counters().generated
    if after == 0.03:
        assert context.ledger.policy_generated > 0


LIMITS = [
    Sampling(max_tokens=1),
    Sampling(max_tokens=60),
    Sampling(max_tokens=100),
    Sampling(max_step_tokens=7, max_tokens=60),
]


@every_strategy
@habits
@pytest.mark.parametrize("sampling", LIMITS, ids=repr)
def test_a_response_cut_by_a_limit_is_not_finished_and_has_no_answer(
    strategy: Strategy, sampling: Sampling, blank_lines: float, grader: MathGrader
) -> None:
    policy = SimulatedPolicy(0.7, 4, blank_lines=blank_lines)
    executor = Executor(policy, SimulatedPrm(0.8), grader, sampling, token_cap=10**6)
    outcome = asyncio.run(executor.solve(PROBLEM, strategy))
    assert len(outcome.samples) == strategy.n
    for one in outcome.samples:
        assert (one.state, one.answer, one.correct) == ("cut", None, False)
        assert one.n_tokens <= sampling.max_tokens
    assert (outcome.answer, outcome.correct) == (None, False)


@every_tree
def test_a_search_stops_at_its_most_steps(strategy: Strategy) -> None:
    context = context_of(SimulatedPolicy(0.7, 5), SimulatedPrm(0.8), sampling=Sampling(max_steps=2))
    for response in run(strategy, context):
        assert (response.state, len(response.steps)) == (State.CUT, 2)


@every_tree
def test_steps_longer_than_a_step_may_be_are_gone_on_with(strategy: Strategy) -> None:
    context = context_of(
        SimulatedPolicy(0.7, 2), SimulatedPrm(0.8), sampling=Sampling(max_step_tokens=20)
    )
    for response in run(strategy, context):
        assert response.state is State.FINISHED
        assert max(len(step.token_ids) for step in response.steps) <= 20
        assert "boxed" in response.text


@every_strategy
def test_a_full_context_cuts_the_response(strategy: Strategy) -> None:
    policy = SimulatedPolicy(0.7, 4)
    policy.max_context = len(policy.prompt(PROBLEM.text)) + 70
    responses = run(strategy, context_of(policy, SimulatedPrm(0.8)))
    assert responses
    for response in responses:
        assert response.state is State.CUT
        assert response.n_tokens <= 70


@every_strategy
def test_the_prm_is_asked_once_for_each_prefix_that_was_drawn(strategy: Strategy) -> None:
    policy, prm = Watched(0.7, 4), WatchedPrm(0.8)
    responses = run(strategy, context_of(policy, prm))
    if isinstance(strategy, BeamSearch | Dvts):
        drawn = policy.prefixes
    elif strategy.needs_prm:
        drawn = {
            tuple(token for step in response.steps[:end] for token in step.token_ids)
            for response in responses
            for end in range(1, len(response.steps) + 1)
        }
    else:
        drawn = set()
    assert sorted(prm.asked) == sorted(drawn)


def test_a_score_is_asked_for_again_where_whoever_asked_first_was_cancelled() -> None:
    policy, prm = SimulatedPolicy(0.7, 3), WatchedPrm(0.8, latency=0.05)
    context = context_of(policy, prm)

    async def race() -> None:
        [response] = await sample(context, 1)
        first = asyncio.create_task(context.score([response.steps]))
        second = asyncio.create_task(context.score([response.steps]))
        await asyncio.sleep(0.01)
        assert prm.calls == 1
        first.cancel()
        [rewards] = await second
        assert prm.calls == 2
        assert await context.score([response.steps]) == [rewards]
        assert prm.calls == 2

    asyncio.run(race())


@pytest.mark.parametrize("shared", [0, 1, 2])
def test_what_was_scored_before_is_neither_scored_nor_charged_again(shared: int) -> None:
    policy, prm = SimulatedPolicy(0.7, 3), WatchedPrm(0.8)
    context = context_of(policy, prm)

    async def twice() -> None:
        one, other = await sample(context, 2)
        mixed = (*one.steps[:shared], *other.steps[shared:])
        [first] = await context.score([one.steps])
        asked, spent = len(prm.asked), context.ledger.prm
        again, second = await context.score([one.steps, mixed])
        assert again == first
        assert second[:shared] == first[:shared]
        assert len(prm.asked) == asked + len(mixed) - shared
        alone = context_of(policy, SimulatedPrm(0.8))
        assert (await alone.score([mixed]))[0] == second
        assert context.ledger.prm > spent

    asyncio.run(twice())


@every_strategy
@pytest.mark.parametrize("engine", ["policy", "prm"])
def test_a_lost_engine_is_told_and_leaves_no_branch_behind(strategy: Strategy, engine: str) -> None:
    if engine == "prm" and not strategy.needs_prm:
        pytest.skip("asks no PRM")
    first = 1 if isinstance(strategy, Greedy | Majority | BestOfN) else 2
    policy = SimulatedPolicy(0.7, 3, latency=0.02, faults={first} if engine == "policy" else ())
    prm = SimulatedPrm(0.8, latency=0.02, faults={first} if engine == "prm" else ())
    context = context_of(policy, prm)

    async def fails() -> None:
        with pytest.raises(EngineError, match="was lost"):
            await search(strategy, context)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a branch was left running"

    asyncio.run(fails())
    check_ledger(context)


@every_strategy
def test_a_strategy_that_needs_a_prm_says_so(strategy: Strategy, grader: MathGrader) -> None:
    executor = Executor(SimulatedPolicy(), None, grader, Sampling())
    if strategy.needs_prm:
        with pytest.raises(InputError, match=f"{strategy.name} needs a PRM"):
            asyncio.run(executor.solve(PROBLEM, strategy))
    else:
        assert asyncio.run(executor.solve(PROBLEM, strategy)).samples


# What samples once drawn are worth


def accuracy(
    strategy: Strategy, policy: SimulatedPolicy, prm: SimulatedPrm | None, grader: MathGrader,
    problems: int = 300,
) -> float:  # fmt: skip
    executor = Executor(policy, prm, grader, Sampling(), seed=1)

    async def all_of_them() -> list[Outcome]:
        return [await executor.solve(problem, strategy) for problem in simulated_problems(problems)]

    return sum(bool(o.correct) for o in asyncio.run(all_of_them())) / problems


def margin(p: float, problems: int = 300) -> float:
    """Four standard errors."""
    return 4 * math.sqrt(p * (1 - p) / problems)


def beams_right(p: float, depth: int, n: int, width: int) -> float:
    """P(a right one is among the beams) under a perfect PRM; see `executor.simulated`."""
    chance = {n // width: 1.0}
    for level in range(depth):
        after: dict[int, float] = {}
        for survivors, weight in chance.items():
            children = n if level == 0 else survivors * width
            for right in range(children + 1):
                kept = min(right, n // width)
                after[kept] = after.get(kept, 0) + weight * binom.pmf(right, children, p)
        chance = after
    return 1 - chance.get(0, 0.0)


def test_greedy_is_one_draw_at_temperature_0(grader: MathGrader) -> None:
    policy = Watched(0.55, 3)
    run(Greedy(), context_of(policy))
    [request] = policy.requests
    assert (request["n"], request["temperature"], request["top_p"]) == (1, 0.0, 1.0)
    assert accuracy(Greedy(), SimulatedPolicy(0.55, 3), None, grader, 40) == 1.0
    assert accuracy(Greedy(), SimulatedPolicy(0.45, 3), None, grader, 40) == 0.0


def test_samples_are_right_as_often_as_the_closed_form_says(grader: MathGrader) -> None:
    expected = 0.7**3
    found = accuracy(Majority(1), SimulatedPolicy(0.7, 3), None, grader)
    assert found == pytest.approx(expected, abs=margin(expected))


def test_best_of_n_with_a_perfect_prm_is_pass_at_n(grader: MathGrader) -> None:
    expected = 1 - (1 - 0.5**3) ** 8
    strategy = BestOfN(8, vote=Vote.MAX)
    found = accuracy(strategy, SimulatedPolicy(0.5, 3), SimulatedPrm(1.0), grader)
    assert found == pytest.approx(expected, abs=margin(expected))


def test_best_of_n_with_a_useless_prm_is_pass_at_1(grader: MathGrader) -> None:
    expected = 0.7**3
    strategy = BestOfN(8, vote=Vote.MAX)
    found = accuracy(strategy, SimulatedPolicy(0.7, 3), SimulatedPrm(0.5), grader)
    assert found == pytest.approx(expected, abs=margin(expected))


def test_a_misleading_prm_is_worse_than_none(grader: MathGrader) -> None:
    strategy = BestOfN(8, vote=Vote.MAX)
    found = accuracy(strategy, SimulatedPolicy(0.7, 3), SimulatedPrm(0.2), grader, 200)
    assert found < 0.7**3 / 2


@pytest.mark.parametrize(("n", "width"), [(8, 4), (4, 4), (8, 2)])
def test_beam_search_with_a_perfect_prm_reaches_the_closed_form(
    n: int, width: int, grader: MathGrader
) -> None:
    strategy = BeamSearch(n, width, vote=Vote.MAX)
    expected = beams_right(0.25, 3, n, width)
    found = accuracy(strategy, SimulatedPolicy(0.25, 3), SimulatedPrm(1.0), grader)
    assert found == pytest.approx(expected, abs=margin(expected))


@pytest.mark.parametrize(("n", "width"), [(8, 4), (4, 4), (8, 2)])
def test_dvts_with_a_perfect_prm_reaches_the_closed_form(
    n: int, width: int, grader: MathGrader
) -> None:
    subtree = (1 - (1 - 0.25) ** width) ** 3
    expected = 1 - (1 - subtree) ** (n // width)
    strategy = Dvts(n, width, vote=Vote.MAX)
    found = accuracy(strategy, SimulatedPolicy(0.25, 3), SimulatedPrm(1.0), grader)
    assert found == pytest.approx(expected, abs=margin(expected))


def test_search_beats_majority_on_hard_problems(grader: MathGrader) -> None:
    policy, prm = SimulatedPolicy(0.5, 4), SimulatedPrm(0.95)
    voted = accuracy(Majority(8), policy, None, grader, 150)
    searched = accuracy(BeamSearch(8, 4), policy, prm, grader, 150)
    assert searched > voted + 0.4


# Selection


scored = st.builds(
    lambda reward, ended: Response(rewards=(reward,), state=ended),
    st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
    st.sampled_from([State.LIVE, State.FINISHED, State.CUT]),
)


@given(st.lists(scored, min_size=1, max_size=12), st.integers(1, 16), st.integers(2, 5))
def test_select_gives_away_each_place_once_in_order_of_score(
    candidates: list[Response], places: int, width: int
) -> None:
    kept, claims = select(candidates, places, width, Score.LAST)
    taken = [*kept, *(parent for parent, _ in claims)]
    shares = [share for _, share in claims]
    identities = {id(response) for response in taken}
    assert len(identities) == len(taken), "a candidate was copied"
    assert all(response.state is not State.LIVE for response in kept)
    assert all(parent.state is State.LIVE for parent, _ in claims)

    # The best ones, ties to the earlier.
    ranked = sorted(range(len(candidates)), key=lambda i: (-candidates[i].rewards[0], i))
    assert identities == {id(candidates[i]) for i in ranked[: len(taken)]}
    assert [id(p) for p, _ in claims] == [
        id(candidates[i]) for i in ranked[: len(taken)] if candidates[i].state is State.LIVE
    ]

    # As many as there are places for, and no more.
    demand = [width if candidates[i].state is State.LIVE else 1 for i in ranked]
    least = next((m for m in range(1, len(demand) + 1) if sum(demand[:m]) >= places), len(demand))
    assert len(taken) == least
    assert len(kept) + sum(shares) == (places if claims else min(places, len(kept)))

    # A share is the width; the last may be less; all may be more where nobody else is left.
    assert all(share >= 1 for share in shares)
    assert shares == sorted(shares, reverse=True)
    if shares and max(shares) > width:
        assert len(taken) == len(candidates)
        assert max(shares) - min(shares) <= 1
    else:
        assert all(share == width for share in shares[:-1])


@pytest.mark.parametrize(
    ("score", "best"), [(Score.MIN, 1), (Score.LAST, 0), (Score.MEAN, 2), (Score.PROD, 1)]
)
def test_select_ranks_by_the_score_asked_for(score: Score, best: int) -> None:
    rewards = [(0.1, 0.2, 0.9), (0.6, 0.6, 0.65), (0.9, 0.3, 0.8)]
    candidates = [Response(rewards=r) for r in rewards]
    [(parent, share)] = select(candidates, 4, 4, score)[1]
    assert (parent, share) == (candidates[best], 4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_scores_by_hand(rewards: list[float]) -> None:
    product = 1.0
    for reward in rewards:
        product *= reward
    assert aggregate(rewards, Score.MIN) == sorted(rewards)[0]
    assert aggregate(rewards, Score.LAST) == rewards[-1]
    assert aggregate(rewards, Score.MEAN) == pytest.approx(sum(rewards) / len(rewards))
    assert aggregate(rewards, Score.PROD) == pytest.approx(product)
    assert aggregate([], Score.MIN) == 0.0


# The tree strategies


class Scripted:
    """A policy and PRM in one: what is written after a text, and what each text is worth."""

    name = "scripted"
    max_context = 10_000

    def __init__(self, script: Callable[[str, int], str], worth: Callable[[str], float]) -> None:
        self.tokens = SimulatedPolicy().tokens
        self.asked: list[tuple[str, int]] = []
        self._script = script
        self._worth = worth

    def prompt(self, question: str) -> list[int]:
        return []

    async def draw(self, prompt_ids: Sequence[int], *, n: int, **_: Any) -> list[Draw]:
        before = self.tokens.decode(prompt_ids)
        self.asked.append((before, n))
        texts = [self._script(before, child) for child in range(n)]
        return [
            Draw(
                tuple(self.tokens.encode(text)),
                Finish.STOP if text.endswith("\n\n") else Finish.EOS,
                -1.0,
            )
            for text in texts
        ]

    async def score(self, question: str, steps: Sequence[Step], *, start: int, **_: Any) -> Any:
        prefixes = ["".join(s.text for s in steps[: i + 1]) for i in range(start, len(steps))]
        return [self._worth(prefix) for prefix in prefixes]

    def counters(self) -> EngineCounters:
        return EngineCounters()

    def close(self) -> None:
        pass


def search_scripted(strategy: Strategy, both: Any) -> list[Response]:
    context = Context(PROBLEM, both, both, Sampling(), 0, TokenCap(10**6))
    context.ledger = Ledger(generated=10**6)
    return run(strategy, context)


def test_a_finished_beam_keeps_its_place_and_frees_the_others() -> None:
    # The first child ends at once and is best; the others go on for one more step.
    both = Scripted(
        lambda before, child: "end" if before or child == 0 else f"step {child}\n\n",
        lambda text: 1.0 if text == "end" else 0.5,
    )
    responses = search_scripted(BeamSearch(8, 4), both)
    assert both.asked == [("", 8), ("step 1\n\n", 4), ("step 2\n\n", 3)]
    assert len(responses) == 8
    assert responses[0].text == "end"


def test_a_bad_beam_that_finished_takes_no_place_from_good_live_ones() -> None:
    both = Scripted(
        lambda before, child: "end" if before or child == 0 else f"step {child}\n\n",
        lambda text: 0.1 if text == "end" else 0.5,
    )
    responses = search_scripted(BeamSearch(8, 4), both)
    assert both.asked == [("", 8), ("step 1\n\n", 4), ("step 2\n\n", 4)]
    assert all(len(response.steps) == 2 for response in responses)


def test_beams_expand_the_best_and_dvts_the_best_of_each_subtree() -> None:
    def worth(text: str) -> float:
        return int(text.split()[1]) / 10

    def script(before: str, child: int) -> str:
        return "end" if before.count("\n\n") == 1 else f"step {child}\n\n"

    beams, subtrees = Scripted(script, worth), Scripted(script, worth)
    search_scripted(BeamSearch(8, 4), beams)
    search_scripted(Dvts(8, 4), subtrees)
    assert beams.asked == [("", 8), ("step 7\n\n", 4), ("step 6\n\n", 4)]
    assert sorted(subtrees.asked) == [("", 4), ("", 4), ("step 3\n\n", 4), ("step 3\n\n", 4)]


def test_dvts_subtrees_know_nothing_of_each_other() -> None:
    def texts(n: int) -> list[str]:
        context = context_of(SimulatedPolicy(0.6, 4), SimulatedPrm(0.8), seed=3)
        return [response.text for response in run(Dvts(n, 4), context)]

    assert texts(16)[:4] == texts(4)
    assert texts(16)[:8] == texts(8)
    four = texts(16)
    assert len({tuple(four[i : i + 4]) for i in range(0, 16, 4)}) == 4, "subtrees are copies"


@every_tree
def test_no_step_of_a_search_is_drawn_wider_than_the_budget(strategy: Strategy) -> None:
    policy = Watched(0.7, 4)
    run(strategy, context_of(policy, SimulatedPrm(0.8)))
    width = strategy.width if isinstance(strategy, BeamSearch | Dvts) else 1
    first = strategy.n if isinstance(strategy, BeamSearch) else width
    for request in policy.requests:
        at_root = len(request["prompt_ids"]) == len(policy.prompt(PROBLEM.text))
        assert request["n"] == (first if at_root else width)
        assert tuple(request["stop"]) == ("\n\n",)
    assert len({request["seed"] for request in policy.requests}) == len(policy.requests)


# Probes


@pytest.mark.parametrize("strategy", [Majority(8), BestOfN(8)], ids=key)
def test_probes_count_towards_the_budget(strategy: Strategy) -> None:
    policy, prm = Watched(0.7, 3), WatchedPrm(0.8)
    context = context_of(policy, prm)

    async def both() -> tuple[list[Response], list[Response]]:
        probes = await sample(context, 3, where="probe")
        return probes, await search(strategy, context, probes=probes)

    probes, responses = asyncio.run(both())
    assert [request["n"] for request in policy.requests] == [3, 5]
    assert [r.token_ids for r in responses[:3]] == [p.token_ids for p in probes]
    assert policy.requests[0]["seed"] != policy.requests[1]["seed"]
    assert len(responses) == 8
    check_ledger(context)
