"""Scores of whole responses as a search asks for them: what is shown, kept and refused."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import pytest

from executor.errors import EngineError, InputError
from executor.ledger import Ledger, TokenCap
from executor.models.tokens import Step
from executor.policies.simulated import SimulatedPolicy
from executor.problem import Problem
from executor.scorers.base import PlainResponseScorer, WholeResponse
from executor.search import Context, Response, State, score_all
from executor.strategy import Sampling

PROBLEM = Problem("1", "3 + 4?")


class Fixed(PlainResponseScorer):
    """Gives the scores that it was made with, and remembers what it saw."""

    name = "fixed"

    def __init__(self, *scores: Any) -> None:
        self.scores = scores
        self.seen: list[tuple[str, Sequence[WholeResponse]]] = []

    async def score_responses(
        self, question: str, responses: Sequence[WholeResponse], *, ledger: Ledger
    ) -> list[float]:
        self.seen.append((question, responses))
        if self.scores and isinstance(self.scores[0], Exception):
            raise self.scores[0]
        return list(self.scores)


def response(text: str, state: State = State.FINISHED) -> Response:
    return Response((Step(tuple(map(ord, text)), text, len(text)),), state=state, logprob=-1.0)


def judged(scorer: Any, *responses: Response, problem: Problem = PROBLEM) -> Any:
    context = Context(problem, SimulatedPolicy(), scorer, Sampling(), 0, TokenCap(1000))
    return asyncio.run(score_all(context, responses))


def test_a_response_has_one_reward_and_equal_ones_are_scored_once() -> None:
    scorer = Fixed(0.25, 0.75)
    found = judged(scorer, response("a"), response("b"), response("a"))
    assert [one.rewards for one in found] == [(0.25,), (0.75,), (0.25,)]
    assert [len(responses) for _, responses in scorer.seen] == [2]


def test_a_scorer_sees_the_whole_conversation_and_the_whole_response() -> None:
    scorer = Fixed(0.5)
    turns = (("user", "What is 1 + 1?"), ("assistant", "2"))
    problem = Problem("1", "And 3 more?", before=turns, begun="It is ")
    judged(scorer, response("5.", State.CUT), problem=problem)
    [(question, [seen])] = scorer.seen
    assert question == "user: What is 1 + 1?\n\nassistant: 2\n\nAnd 3 more?"
    assert seen.text == "It is 5." and not seen.finished


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ((50.0,), "gave the score 50.0; expected 0 to 1"),
        ((math.nan,), "gave the score nan; expected 0 to 1"),
        ((0.1, 0.2), "gave 2 scores to 1 responses"),
        ((None,), "fails on a response (TypeError"),
        ((KeyError("weights"),), "fails on a response (KeyError: 'weights')"),
    ],
)
def test_a_scorer_that_breaks_its_promise_is_told_in_one_line(scores: Any, said: str) -> None:
    with pytest.raises(InputError, match=r"^scorer fixed: ") as error:
        judged(Fixed(*scores), response("a"))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_lost_engine_stays_a_lost_engine() -> None:
    with pytest.raises(EngineError, match="gone"):
        judged(Fixed(EngineError("gone")), response("a"))
