"""Early stopping: the rules against enumeration, and searches with it against searches without."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from executor.answers.grader import MathGrader
from executor.answers.voting import SETTLED_EARLY, Vote, vote
from executor.concurrency import must_not_wait_here
from executor.domains.execution import Execution
from executor.ledger import TokenCap
from executor.models.tokens import Step
from executor.outcome import Outcome
from executor.policies.base import Draw, DrawRequest
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.problem import PUBLIC_TESTS
from executor.run.runner import Executor
from executor.search import Context, Response, State, search
from executor.search.settle import Ballot, ConfidenceRule, Standing, could_reach, leads_with
from executor.strategy import (
    AdaptiveMajority,
    BeamSearch,
    BestOfN,
    Dvts,
    Majority,
    Sampling,
    Score,
    Strategy,
    key,
)
from executor.testing.watched import PROBLEM, check_ledger
from tests.executor.search.test_tree import Scripted

N = 6
LETTERS = ["1", "2", "3", None]
VOTERS: list[Strategy] = [
    Majority(16),
    BestOfN(16, vote=Vote.WEIGHTED),
    BestOfN(16, vote=Vote.MAJORITY),
    BeamSearch(8, 4, score=Score.MIN),
    BeamSearch(8, 2, vote=Vote.MAJORITY),
    Dvts(16, 4),
]


class Plain:
    """A grader of answers that are their own text; `same` makes more of them equal."""

    timeouts = 0

    def __init__(self, *same: set[str]) -> None:
        self._same = same

    def extract(self, response: str) -> str | None:
        return response or None

    def equivalent(self, a: str, b: str) -> bool:
        return a == b or any({a, b} <= pair for pair in self._same)

    def correct(self, answer: str | None, reference: str) -> bool:
        return answer == reference


class Running(Plain):
    """A grader whose answers run, and do what their first letter says; `!` does nothing."""

    def execute(self, answer: str, shown: str) -> Execution:
        must_not_wait_here()  # as a sandbox does
        return Execution((), (answer if answer.startswith("!") else answer[0],))

    def has_inputs(self, shown: str) -> bool:
        return True


def response(answer: str | None, reward: float = 1.0) -> Response:
    return Response((Step((1,), answer or "", 1),), (reward,), State.FINISHED)


def settled(ballot: Ballot, known: Sequence[Response], bound: float) -> bool:
    return ballot.settled(asyncio.run(ballot.count(known)), bound)


def winner(
    method: Vote, answers: Sequence[str | None], scores: Sequence[float] | None, grader: Any
) -> str | None:
    return answers[vote(answers, scores, method, grader)]


@given(st.lists(st.sampled_from(LETTERS), min_size=1, max_size=N))
def test_a_majority_is_settled_exactly_where_no_continuation_changes_it(
    first: list[str | None],
) -> None:
    grader = Plain()
    ends = {
        winner(Vote.MAJORITY, [*first, *rest], None, grader)
        for rest in itertools.product(["1", "2", "3", "new", None], repeat=N - len(first))
    }
    ballot = Ballot(grader, Vote.MAJORITY)
    known = [response(answer) for answer in first]
    assert settled(ballot, known, N - len(first)) == (len(ends) == 1 and ends != {None})


@given(
    st.lists(st.sampled_from(["1", "2", "one", None]), min_size=1, max_size=5),
    st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=5, max_size=5),
    st.sampled_from(sorted(SETTLED_EARLY)),
)
def test_what_is_settled_stays_to_the_letter(
    first: list[str | None], scores: list[float], method: Vote
) -> None:
    # 1 is one, and one is uno, but 1 is not uno: as graders of mathematics happen to find.
    grader = Plain({"1", "one"}, {"one", "uno"})
    rewards = scores[: len(first)]
    ballot = Ballot(grader, method, Score.LAST)
    known = [response(answer, reward) for answer, reward in zip(first, rewards, strict=True)]
    left = 5 - len(first)
    if not settled(ballot, known, left):
        return
    now = winner(method, first, rewards, grader)
    for rest in itertools.product(["1", "2", "one", "uno", None], repeat=left):
        for more in itertools.product([0.0, 1.0], repeat=left):
            assert winner(method, [*first, *rest], [*rewards, *more], grader) == now


@given(st.lists(st.sampled_from(LETTERS), max_size=N - 1))
def test_no_fewer_could_settle_a_majority(first: list[str | None]) -> None:
    ballot, left = Ballot(Plain(), Vote.MAJORITY), N - len(first)

    def fewest(answers: Sequence[str | None]) -> int:
        known = [response(answer) for answer in answers]
        return ballot.fewest(asyncio.run(ballot.count(known)), N - len(answers))

    claimed = fewest(first)
    assert 0 <= claimed <= left
    for j in range(claimed):
        for rest in itertools.product(LETTERS, repeat=j):
            assert fewest([*first, *rest]) > 0, "was settled by fewer"


@pytest.mark.parametrize(("a", "b"), [(0, 0), (4, 0), (3, 1), (20, 12)])
def test_how_surely_an_answer_leads(a: int, b: int) -> None:
    assert leads_with(a, b) == pytest.approx(beta(a + 1, b + 1).sf(0.5), abs=1e-12)


def test_a_confident_vote_waits_for_the_fewest_that_could_convince() -> None:
    rule = ConfidenceRule(0.95)
    assert rule.fewest(Standing(0, 0, True), 64) == 4  # 1 - 1/2^5 is the first above 0.95
    assert rule.fewest(Standing(4, 0, True), 60) == 0
    assert rule.fewest(Standing(4, 1, True), 59) == 2
    assert rule.fewest(Standing(4, 4, True), 3) == 3  # none would do: all


def test_scores_that_only_fall_are_bounds() -> None:
    one = Response((), (0.5, 0.8))
    assert [could_reach(one, score) for score in (Score.MIN, Score.PROD)] == [0.5, 0.4]
    assert [could_reach(one, score) for score in (Score.LAST, Score.MEAN)] == [1.0, 1.0]


class Unordered(SimulatedPolicy):
    """Hands over the children of a request in any order, some of them late."""

    def __init__(self, *args: Any, seed: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self._rng = random.Random(seed)
        self.asked = 0

    async def draw(self, request: DrawRequest) -> list[Draw]:
        finished = request.finished
        self.asked += request.n
        draws = await super().draw(dataclasses.replace(request, finished=None))
        for child in self._rng.sample(range(len(draws)), len(draws)):
            if finished is not None:
                finished(child, draws[child])
            await asyncio.sleep(self._rng.choice([0, 0, 0.001]))
        return draws


def stopping(policy: Any, prm: Any, grader: Any, **sampling: Any) -> Executor:
    return Executor(policy, prm, grader, Sampling(**sampling), early_stop=True)


def solve(
    strategy: Strategy, executor: Executor, problem: Any = PROBLEM
) -> tuple[Outcome, Context]:
    context = executor.context(problem, strategy.n)
    return asyncio.run(executor.solve(problem, strategy, context=context)), context


@pytest.mark.parametrize("strategy", VOTERS, ids=key)
@pytest.mark.parametrize("seed", range(12))
def test_the_answer_is_the_same_to_the_letter_for_less(
    strategy: Strategy, seed: int, grader: MathGrader
) -> None:
    p = [0.95, 0.8, 0.5][seed % 3]
    problem = simulated_problems(seed + 1, "early")[seed]

    def executor(early_stop: bool) -> Executor:
        policy = SimulatedPolicy(p, 3, wrong_answers=3, block_size=16)
        prm = SimulatedPrm(0.95, block_size=16)
        return Executor(policy, prm, grader, Sampling(), seed=seed, early_stop=early_stop)

    whole, _ = solve(strategy, executor(False), problem)
    early, context = solve(strategy, executor(True), problem)
    check_ledger(context)
    assert (early.answer, early.correct) == (whole.answer, whole.correct)
    assert len(early.samples) + early.ledger.spared == len(whole.samples) == strategy.n
    assert [s.text for s in early.samples] == [s.text for s in whole.samples][: len(early.samples)]
    assert early.ledger.policy_generated <= whole.ledger.policy_generated
    assert whole.ledger.spared == 0


@pytest.mark.parametrize(
    "strategy",
    [BestOfN(8, vote=Vote.WEIGHTED, keep=0.5), BestOfN(8, vote=Vote.BORDA),
     BeamSearch(8, vote=Vote.BORDA)],
    ids=key,
)  # fmt: skip
def test_votes_by_rank_are_never_settled_early(strategy: Strategy, grader: MathGrader) -> None:
    """A response that comes later changes the ranks of those before."""
    outcome, _ = solve(strategy, stopping(SimulatedPolicy(1.0, 3), SimulatedPrm(1.0), grader))
    assert (len(outcome.samples), outcome.ledger.spared) == (8, 0)


@pytest.mark.parametrize("strategy", VOTERS, ids=key)
def test_some_is_spared(strategy: Strategy, grader: MathGrader) -> None:
    executor = stopping(SimulatedPolicy(1.0, 3), SimulatedPrm(1.0), grader)
    outcome, _ = solve(strategy, executor)
    if isinstance(strategy, BeamSearch):  # its beams end together
        assert outcome.ledger.spared == 0
    else:
        assert outcome.ledger.spared >= strategy.n // 4


@pytest.mark.parametrize("order", range(8))
def test_no_more_are_drawn_than_one_after_another_whatever_order_they_end_in(
    order: int, grader: MathGrader
) -> None:
    policy = Unordered(0.75, 2, seed=order)
    outcome, _ = solve(Majority(40), stopping(policy, None, grader))
    answers = [sample.answer for sample in outcome.samples]

    def over(m: int) -> bool:
        ballot = Ballot(grader, Vote.MAJORITY)
        return settled(ballot, [response(answer) for answer in answers[:m]], 40 - m)

    assert policy.asked == len(answers) < 40
    assert over(len(answers))
    assert not any(over(m) for m in range(1, len(answers)))


def branching(before: str, child: int) -> str:
    """Four of the first steps end with 1; a good one leads to 2 in two more, the others to 1."""
    if not before:
        return "\\boxed{1}" if child < 4 else "good\n\n" if child == 4 else f"bad {child}\n\n"
    if before == "good\n\n":
        return f"better {child}\n\n"
    return "\\boxed{2}" if before.startswith("good") else "\\boxed{1}"


@pytest.mark.parametrize("early_stop", [True, False])
def test_a_good_beam_may_take_the_places_of_all_others(
    early_stop: bool, grader: MathGrader
) -> None:
    def worth(text: str) -> float:
        return 0.05 if text.startswith("bad") else 0.8 if text.startswith("good") else 0.9

    both: Any = Scripted(branching, worth)
    both.capacity = None
    executor = Executor(both, both, grader, Sampling(), early_stop=early_stop)
    outcome, _ = solve(BeamSearch(12, 4, Score.MIN, Vote.WEIGHTED), executor)
    # After one step 1 leads by 3.6; the places of the beams that are left could add 4 x 0.8 and
    # 4 x 0.05 as they are, but 8 x 0.8 is what becomes of them.
    assert outcome.answer == "2"
    assert outcome.ledger.spared == 0


def test_a_blank_step_bounds_nothing() -> None:
    blank = Response((Step((1,), " ", 1),), (0.0,))
    assert could_reach(blank, Score.MIN) == could_reach(blank, Score.PROD) == 1.0


@pytest.mark.parametrize("order", range(6))
def test_how_many_are_drawn_does_not_depend_on_the_order_where_graders_are_not_transitive(
    order: int,
) -> None:
    class Shifty(MathGrader):
        """Answers next to each other are the same; those further apart are not."""

        def equivalent(self, a: str, b: str) -> bool:
            return abs(int(a) - int(b)) <= 1

    with Shifty() as shifty:
        for problem in simulated_problems(8, "shifty"):
            policy = Unordered(0.4, 1, wrong_answers=4, seed=order)
            outcome, _ = solve(Majority(20), stopping(policy, None, shifty), problem)
            drawn = [sample.answer for sample in outcome.samples]
            whole, _ = solve(
                Majority(20), Executor(policy, None, shifty, Sampling()), problem
            )  # fmt: skip
            answers = [sample.answer for sample in whole.samples]
            over = [
                settled(Ballot(shifty, Vote.MAJORITY), [response(a) for a in answers[:m]], 20 - m)
                for m in range(1, 21)
            ]
            assert len(drawn) == over.index(True) + 1
            assert outcome.answer == whole.answer


def test_beams_that_cannot_be_displaced_end_the_search(grader: MathGrader) -> None:
    # Steps that are cut short and spare lines make beams of unequal length.
    policy = SimulatedPolicy(1.0, 1, blank_lines=0.45)
    executor = stopping(policy, SimulatedPrm(1.0), grader, max_step_tokens=12)
    outcomes = [
        solve(BeamSearch(16, 2, vote=Vote.MAJORITY), executor, problem)[0]
        for problem in simulated_problems(6, "hasty")
    ]
    assert {outcome.correct for outcome in outcomes} == {True}
    assert sum(outcome.ledger.spared for outcome in outcomes) > 0


def test_subtrees_that_cannot_change_the_answer_are_cancelled(grader: MathGrader) -> None:
    class Slow(SimulatedPolicy):
        """Its later subtrees take long."""

        async def draw(self, request: DrawRequest) -> list[Draw]:
            self.latency = 0.3 if self.calls >= 3 * 5 else 0.0
            return await super().draw(request)

    policy = Slow(1.0, 4)
    executor = stopping(policy, SimulatedPrm(1.0), grader)
    outcome, context = solve(Dvts(16, 4), executor)
    check_ledger(context)
    assert outcome.correct
    assert outcome.ledger.spared == 4
    assert outcome.ledger.discarded > 0


def test_a_token_cap_gives_each_response_the_same_room_early_or_not(grader: MathGrader) -> None:
    def lengths(early_stop: bool) -> list[int]:
        executor = Executor(
            SimulatedPolicy(0.9, 4), None, grader, Sampling(),
            token_cap=16 * 100, early_stop=early_stop,
        )  # fmt: skip
        outcome, _ = solve(Majority(16), executor)
        return [sample.n_tokens for sample in outcome.samples]

    early, whole = lengths(True), lengths(False)
    assert early == whole[: len(early)]
    assert max(whole) == 100


def test_a_search_that_may_not_stop_early_draws_everything() -> None:
    context = Context(PROBLEM, SimulatedPolicy(1.0), None, Sampling(), 0, TokenCap(10**9))
    assert len(asyncio.run(search(Majority(8), context))) == 8


@pytest.mark.parametrize("early_stop", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_an_adaptive_vote_ends_with_the_first_sample_that_convinces(
    seed: int, early_stop: bool, grader: MathGrader
) -> None:
    policy = Unordered(0.8, 3, seed=seed)
    executor = Executor(policy, None, grader, Sampling(), seed=seed, early_stop=early_stop)
    outcome, context = solve(AdaptiveMajority(40, 0.95), executor)
    check_ledger(context)
    answers = [sample.answer for sample in outcome.samples]
    assert policy.asked == len(answers) == 40 - outcome.ledger.spared

    def convinced(m: int) -> bool:
        (_, most), *others = Counter(answers[:m]).most_common(2)
        return leads_with(most, others[0][1] if others else 0) >= 0.95

    assert convinced(len(answers))
    assert not any(convinced(m) for m in range(1, len(answers)))


def test_how_often_an_adaptive_vote_differs_is_within_its_confidence(grader: MathGrader) -> None:
    executor = stopping(SimulatedPolicy(0.7, 1, wrong_answers=1), None, grader)
    differ = 0
    for problem in simulated_problems(150, "adaptive"):
        whole, _ = solve(Majority(64), executor, problem)
        quick, _ = solve(AdaptiveMajority(64, 0.9), executor, problem)
        differ += whole.answer != quick.answer
    # Of 150 at most a tenth, and three standard deviations of that.
    assert 0 < differ <= 15 + 3 * (150 * 0.1 * 0.9) ** 0.5


def test_a_vote_counts_what_programs_do_while_they_are_written() -> None:
    problem = dataclasses.replace(PROBLEM, meta={PUBLIC_TESTS: "shown"})
    policy = SimulatedPolicy()
    context = Context(problem, policy, None, Sampling(), 0, TokenCap(1), grader=Running())
    ballot = Ballot(context.voter, Vote.MAJORITY)
    responses = [response(text) for text in ("b1", "a1", "!", "a2", "a1", "!")]
    assert asyncio.run(ballot.count(responses)) == Standing(leads=3, follows=1, first=False)
    assert context.ledger.executions == 4  # each different program once
