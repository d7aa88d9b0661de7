"""Rules that tell when a vote is settled: no further response can change its answer.

All rules look at the first m of n responses, in the order of their indices, and bound the weight
that the others can add. An answer goes into the first class that it is equivalent to
(`executor.answers.voting.Classes`), so the classes of the first m never change afterwards, even if
equivalence is not transitive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from executor.answers.grader import Grader
from executor.answers.voting import Classes, Vote
from executor.concurrency import inline_or_thread
from executor.search.base import Response, State, aggregate
from executor.strategy import Score

# Relative tolerance in comparisons of sums of scores.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Standing:
    """The standing of a vote.

    Attributes:
        leads: weight of the leading class of equivalent answers; 0 without an answer.
        follows: weight of the second class; 0 if there is none.
        first: whether the leading class was seen before every class of weight `follows`, so that
            it wins a tie.
    """

    leads: float
    follows: float
    first: bool


class Ballot:
    """The vote of one strategy, counted while responses end.

    Args:
        grader: grader that extracts and compares answers.
        vote: one of `SETTLED_EARLY`; the others are never settled early.
        score: rule for the scores of responses, for `weighted`.

    Raises:
        ValueError: the grader is None, as in a context without one.
    """

    def __init__(self, grader: Grader | None, vote: Vote, score: Score | None = None) -> None:
        if grader is None:
            raise ValueError("counting votes during a search needs a grader")
        self.vote = vote
        self._score = score
        self._extract = lru_cache(maxsize=None)(grader.extract)
        self._classes = Classes(grader)
        self._weights: dict[int, list[float]] = {}
        self._counted = 0

    async def count(self, responses: Sequence[Response]) -> Standing:
        """Return the standing with these responses; those counted before come first."""
        for index in range(self._counted, len(responses)):
            response = responses[index]
            # The grader may need its child process to compare a new answer, or to run it.
            leader = await inline_or_thread(partial(self._place, index, response))
            if leader >= 0:
                self._weights.setdefault(leader, []).append(self._weight(response))
        self._counted = len(responses)
        totals = sorted((-math.fsum(each), leader) for leader, each in self._weights.items())
        if not totals:
            return Standing(0, 0, first=True)
        follows = -totals[1][0] if len(totals) > 1 else 0.0
        level = [leader for total, leader in totals[1:] if -total == follows]
        return Standing(-totals[0][0], follows, first=all(totals[0][1] < one for one in level))

    def _place(self, index: int, response: Response) -> int:
        """Add the answer of a response to its class; see `Classes.add`."""
        done = response.state is State.FINISHED
        return self._classes.add(index, self._extract(response.text) if done else None)

    def settled(self, standing: Standing, bound: float) -> bool:
        """Whether the leading class wins in any case.

        Args:
            standing: standing of the first responses.
            bound: most weight that all other responses together can add to one class.
        """
        lead = standing.leads - standing.follows
        if self.vote is Vote.WEIGHTED:
            return lead > bound + _ROUNDING * (1 + standing.leads)
        return lead > bound or (lead == bound and standing.first and standing.leads > 0)

    def fewest(self, standing: Standing, left: int) -> int:
        """Return the fewest further responses that could settle the vote; 0 if it is settled.

        If j further responses all go to the leader, it leads by j more, and j fewer can follow.

        Args:
            standing: standing of the first responses.
            left: number of responses that may follow.
        """
        if self.settled(standing, left):
            return 0
        return max(1, math.ceil((left - (standing.leads - standing.follows)) / 2))

    def _weight(self, response: Response) -> float:
        if self.vote is Vote.MAJORITY or self._score is None:
            return 1.0
        return aggregate(response.rewards, self._score)


def could_reach(response: Response, score: Score) -> float:
    """Return an upper bound of the score of any response that begins with `response`.

    Rewards are at most 1, so the minimum and the product only fall. A blank last step, however, is
    worth 0 only as long as no text follows it.
    """
    falls = score in (Score.MIN, Score.PROD)
    if not falls or any(not step.text.strip() for step in response.steps):
        return 1.0
    return aggregate(response.rewards, score)


@dataclass(frozen=True, slots=True)
class ConfidenceRule:
    """The rule of adaptive consistency (Aggarwal et al., arXiv 2305.11860, Sec. 3).

    If the two leading answers have the counts a and b, the share of the first has the posterior
    Beta(a + 1, b + 1) under a flat prior. The vote ends when P(share > 1/2) is at least
    `confidence`.
    """

    confidence: float

    def fewest(self, standing: Standing, left: int) -> int:
        """Return the fewest further responses for the leader that end the vote; at most `left`."""
        a, b = int(standing.leads), int(standing.follows)
        return next((j for j in range(left) if leads_with(a + j, b) >= self.confidence), left)


def leads_with(a: int, b: int) -> float:
    """Return P(theta > 1/2) for theta ~ Beta(a + 1, b + 1).

    For whole numbers it equals P(X <= a) for X ~ Binomial(a + b + 1, 1/2).
    """
    n = a + b + 1
    return float(sum(math.comb(n, k) for k in range(a + 1)) / 2**n)


# Returns, for a standing and the number of responses left, the fewest that could end the vote.
Fewest = Callable[[Standing, int], int]
