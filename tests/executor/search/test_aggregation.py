"""Recursive aggregation: what each round reads, and what becomes of answers that do not fit."""

from __future__ import annotations

import asyncio

import pytest

from executor.answers.extraction.turns import without_thoughts
from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.policies.base import Draw, DrawRequest, Reads
from executor.policies.simulated import ASK_ID, SHOWN_ID, SimulatedPolicy
from executor.run.runner import Executor
from executor.strategy import Aggregate, Majority, Sampling
from executor.testing.watched import PROBLEM, WatchedPolicy, check_ledger, context_of, run_search


def shown_in(request: DrawRequest, policy: SimulatedPolicy) -> list[str]:
    """The answers that a request shows."""
    tokens = list(request.prompt_ids)
    assert tokens[-1] == ASK_ID
    pieces: list[list[int]] = [[]]
    for token in tokens[:-1]:
        if token == SHOWN_ID:
            pieces.append([])
        else:
            pieces[-1].append(token)
    assert policy.tokens.decode(pieces[0]) == PROBLEM.text
    return [policy.tokens.decode(piece) for piece in pieces[1:]]


def samples(n: int) -> list[Draw]:
    policy = WatchedPolicy(0.6, 2)
    run_search(Majority(n), context_of(policy))
    return policy.draws


def test_each_round_reads_different_answers_of_the_round_before() -> None:
    policy = WatchedPolicy(0.6, 2)
    context = context_of(policy)
    responses = run_search(Aggregate(12, 2, 3), context)
    check_ledger(context)
    first, *rest = policy.requests
    assert (first.n, shown_in(first, policy)) == (4, [])
    texts = [policy.tokens.decode(draw.token_ids) for draw in policy.draws]
    for number in (1, 2):
        before = texts[4 * (number - 1) : 4 * number]
        for request in rest[4 * (number - 1) : 4 * number]:
            shown = shown_in(request, policy)
            assert request.n == 1
            assert len(shown) == 3
            assert all(shown.count(text) <= before.count(text) for text in shown)
    assert [response.text for response in responses] == texts[8:]
    assert context.ledger.generated == sum(response.n_tokens for response in responses)
    assert context.ledger.discarded == sum(len(draw.token_ids) for draw in policy.draws[:8])
    assert len({request.seed for request in policy.requests}) == 9


def test_the_first_population_are_the_samples_of_a_vote() -> None:
    first, vote = WatchedPolicy(0.6, 2), WatchedPolicy(0.6, 2)
    run_search(Aggregate(8, 1, 2), context_of(first))
    run_search(Majority(4), context_of(vote))
    assert first.draws[:4] == vote.draws


def test_with_one_answer_each_chain_refines_one() -> None:
    policy = WatchedPolicy(0.6, 2)
    run_search(Aggregate(3, 2, 1), context_of(policy))
    texts = [policy.tokens.decode(draw.token_ids) for draw in policy.draws]
    assert [shown_in(request, policy) for request in policy.requests] == [
        [], [texts[0]], [texts[1]],
    ]  # fmt: skip


def test_answers_that_do_not_fit_into_the_context_are_not_shown() -> None:
    policy = WatchedPolicy(0.6, 2)
    longest = max(len(draw.token_ids) for draw in samples(4))
    # Room for the question, two answers and one as long as the longest.
    policy.max_context = len(policy.prompt(PROBLEM.text)) + 3 * longest + 2
    responses = run_search(Aggregate(8, 1, 4), context_of(policy))
    assert [len(shown_in(request, policy)) for request in policy.requests[1:]] == [2] * 4
    assert all(response.state == "finished" for response in responses)


def test_an_answer_stays_if_none_fits_into_the_context_beside_it() -> None:
    policy = WatchedPolicy(0.6, 2)
    longest = max(len(draw.token_ids) for draw in samples(4))
    policy.max_context = len(policy.prompt(PROBLEM.text)) + longest
    context = context_of(policy)
    responses = run_search(Aggregate(8, 1, 1), context)
    kept = {policy.tokens.decode(draw.token_ids) for draw in policy.draws[:4]}
    assert len(responses) == 4
    assert any(response.text in kept for response in responses)
    check_ledger(context)


def test_thoughts_are_not_shown() -> None:
    assert without_thoughts("<think>a\n</think>\n\nThe answer is 4.") == "The answer is 4."
    assert without_thoughts("opened by the prompt</think>It is 4.") == "It is 4."
    assert without_thoughts("No thought. It is 4.") == "No thought. It is 4."
    assert without_thoughts("<think>cut here") == "<think>cut here"


def test_a_policy_that_reads_questions_alone_refuses_in_one_line(grader: MathGrader) -> None:
    policy = SimulatedPolicy(0.6, 2)
    policy.reads = Reads.QUESTION
    executor = Executor(policy, None, grader, Sampling())
    with pytest.raises(InputError, match=r"aggregate: policy simulated-policy .* single") as e:
        asyncio.run(executor.solve(PROBLEM, Aggregate(16)))
    assert "\n" not in str(e.value)
