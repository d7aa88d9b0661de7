"""A score that executions give: the share of a problem's public tests that a program passes."""

from __future__ import annotations

from executor.domains.execution import Execution
from executor.scorers.base import Needs, PlainResponseScorer, WholeResponse


class PublicTests(PlainResponseScorer):
    """The share of the public tests that a response's program passes.

    Filtering by public tests is as old as sampling many programs (Chen et al., arXiv 2107.03374,
    Sec. 4.6; Li et al., arXiv 2203.07814, Sec. 4.5). Hidden tests are not given to a scorer. A
    problem without public tests gives each program the same score, `UNKNOWN`; a response without a
    program has the score 0.
    """

    name = "tests"
    needs: Needs = "executions"
    UNKNOWN = 0.5

    @classmethod
    def score_execution(cls, execution: Execution | None) -> float:
        """Return the score of an execution, in [0, 1]."""
        if execution is None:
            return 0.0
        if not execution.public:
            return cls.UNKNOWN
        return sum(execution.public) / len(execution.public)

    def score_response(self, question: str, response: WholeResponse) -> float:
        """See `PlainResponseScorer.score_response`."""
        return self.score_execution(response.execution)
