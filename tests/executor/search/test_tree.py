"""Beam search and DVTS: who gets a place, and what is drawn from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.engines.base import EngineCounters
from executor.ledger import TokenCap
from executor.models.stopping import Finish
from executor.models.tokens import Step
from executor.policies.base import Draw, DrawRequest
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm
from executor.search import Context, Response, State
from executor.search.tree import select
from executor.strategy import (
    BeamSearch,
    Dvts,
    Sampling,
    Score,
    Strategy,
)
from executor.testing.watched import (
    PROBLEM,
    WatchedPolicy,
    context_of,
    run_search,
)
from tests.helpers.searches import every_tree

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


class Scripted:
    """A policy and PRM in one: what is written after a text, and what each text is worth."""

    name = "scripted"
    scores_steps = True
    needs = "model"
    max_context = 10_000

    def __init__(self, script: Callable[[str, int], str], worth: Callable[[str], float]) -> None:
        self.tokens = SimulatedPolicy().tokens
        self.asked: list[tuple[str, int]] = []
        self._script = script
        self._worth = worth

    def prompt(self, question: str, before: Sequence[tuple[str, str]] = ()) -> list[int]:
        return []

    async def draw(self, request: DrawRequest) -> list[Draw]:
        before = self.tokens.decode(request.prompt_ids)
        self.asked.append((before, request.n))
        texts = [self._script(before, child) for child in range(request.n)]
        request.ledger.generated += sum(map(len, texts))
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
    return run_search(strategy, context)


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
        return [response.text for response in run_search(Dvts(n, 4), context)]

    assert texts(16)[:4] == texts(4)
    assert texts(16)[:8] == texts(8)
    four = texts(16)
    assert len({tuple(four[i : i + 4]) for i in range(0, 16, 4)}) == 4, "subtrees are copies"


@every_tree
def test_no_step_of_a_search_is_drawn_wider_than_the_budget(strategy: Strategy) -> None:
    policy = WatchedPolicy(0.7, 4)
    run_search(strategy, context_of(policy, SimulatedPrm(0.8)))
    width = strategy.width if isinstance(strategy, BeamSearch | Dvts) else 1
    first = strategy.n if isinstance(strategy, BeamSearch) else width
    for request in policy.requests:
        at_root = len(request.prompt_ids) == len(policy.prompt(PROBLEM.text))
        assert request.n == (first if at_root else width)
        assert tuple(request.stop) == ("\n\n",)
    assert len({request.seed for request in policy.requests}) == len(policy.requests)
