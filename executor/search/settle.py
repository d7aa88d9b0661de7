"""When a vote is settled: whatever is still to come, the answer stays what it is.

All rules look at the first m of n responses, in the order of their indices, and bound what the
others can add. Votes put an answer into the first class it is equivalent to
(`executor.answers.grader.Classes`), so what the first m are sorted into never changes afterwards,
even where equivalence is not transitive.
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

# Sums of scores are compared with room for their rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Standing:
    """How the votes stand.

    Attributes:
        leads: weight of the leading class of equal answers; 0 where there is no answer yet.
        follows: weight of the class behind it; 0 where there is none.
        first: whether the leading class was seen before every class of the weight `follows`, and
            so wins when they draw level.
    """

    leads: float
    follows: float
    first: bool


class Ballot:
    """The vote of one strategy, counted while responses come in.

    Args:
        grader: extracts answers and says which are the same; a context's may be missing.
        vote: `majority` or `weighted`; `max` is never settled early.
        score: of the responses, for `weighted`.

    Raises:
        ValueError: there is no grader.
    """

    def __init__(self, grader: Grader | None, vote: Vote, score: Score | None = None) -> None:
        if grader is None:
            raise ValueError("votes cannot be counted on the way without a grader")
        self.vote = vote
        self._score = score
        self._extract = lru_cache(maxsize=None)(grader.extract)
        self._classes = Classes(grader)
        self._weights: dict[int, list[float]] = {}
        self._counted = 0

    async def count(self, responses: Sequence[Response]) -> Standing:
        """How the votes stand with these responses, of which the first ones were counted before."""
        for index in range(self._counted, len(responses)):
            response = responses[index]
            done = response.state is State.FINISHED
            answer = self._extract(response.text) if done else None
            # A new answer may have to be compared in the grader's process.
            leader = await inline_or_thread(partial(self._classes.add, index, answer))
            if leader >= 0:
                self._weights.setdefault(leader, []).append(self._weight(response))
        self._counted = len(responses)
        totals = sorted((-math.fsum(each), leader) for leader, each in self._weights.items())
        if not totals:
            return Standing(0, 0, first=True)
        follows = -totals[1][0] if len(totals) > 1 else 0.0
        level = [leader for total, leader in totals[1:] if -total == follows]
        return Standing(-totals[0][0], follows, first=all(totals[0][1] < one for one in level))

    def settled(self, standing: Standing, bound: float) -> bool:
        """Whether the leading class wins whatever comes.

        Args:
            standing: of the first responses.
            bound: the most weight that all others together can add to one class.
        """
        lead = standing.leads - standing.follows
        if self.vote is Vote.WEIGHTED:
            return lead > bound + _ROUNDING * (1 + standing.leads)
        return lead > bound or (lead == bound and standing.first and standing.leads > 0)

    def fewest(self, standing: Standing, left: int) -> int:
        """The fewest further responses that could settle the vote, `left` being to come; 0: it is.

        With all of j further ones for the leader, it leads by j more, and j fewer can follow.
        """
        if self.settled(standing, left):
            return 0
        return max(1, math.ceil((left - (standing.leads - standing.follows)) / 2))

    def _weight(self, response: Response) -> float:
        if self.vote is Vote.MAJORITY or self._score is None:
            return 1.0
        return aggregate(response.rewards, self._score)


def could_reach(response: Response, score: Score) -> float:
    """The most that the score of anything that begins with `response` can be.

    Rewards are at most 1, so the smallest and the product only ever fall; but a blank last step is
    worth 0 only as long as nothing follows it.
    """
    falls = score in (Score.MIN, Score.PROD)
    if not falls or any(not step.text.strip() for step in response.steps):
        return 1.0
    return aggregate(response.rewards, score)


@dataclass(frozen=True, slots=True)
class ConfidenceRule:
    """Adaptive consistency (Aggarwal et al., arXiv 2305.11860, Sec. 3): sure enough, not certain.

    Of the two leading answers with counts a and b, the first one's share has the posterior
    Beta(a + 1, b + 1) under a flat prior; the vote ends where that share is above one half with at
    least `confidence`.
    """

    confidence: float

    def fewest(self, standing: Standing, left: int) -> int:
        """The fewest further responses for the leader that would do; `left` where none would."""
        a, b = int(standing.leads), int(standing.follows)
        return next((j for j in range(left) if leads_with(a + j, b) >= self.confidence), left)


def leads_with(a: int, b: int) -> float:
    """P(theta > 1/2), theta ~ Beta(a + 1, b + 1).

    For whole numbers that is P(X <= a), X ~ Binomial(a + b + 1, 1/2).
    """
    n = a + b + 1
    return float(sum(math.comb(n, k) for k in range(a + 1)) / 2**n)


# The fewest further responses that could end a vote: of how it stands, and how many are to come.
Fewest = Callable[[Standing, int], int]
