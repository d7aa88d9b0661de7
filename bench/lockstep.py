"""A lockstep loop as in public implementations, for `bench/throughput.py` to compare with.

The loop writes one step of every beam. When the last step has ended, it scores every solution so
far from its beginning; when the last score has arrived, it selects beams, and so on. The problems
of a batch go through the rounds together. Prompts, seeds, selection and votes are the executor's,
so both write the same tokens and give the same answers; only the waiting and the scoring differ.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from common import ROOT

sys.path.insert(0, str(ROOT))
from executor.engines.base import EngineOutput
from executor.engines.delivery import Delivery, post
from executor.models.tokens import Step
from executor.outcome import Outcome, choose, grade
from executor.problem import Problem
from executor.run.runner import Executor
from executor.scorers.vllm import VllmScorer
from executor.search import Context, Response, sample
from executor.search.steps import unscored_children
from executor.search.tree import Claim, select
from executor.strategy import BeamSearch, BestOfN, Dvts, Strategy


class WholeScores(Delivery):
    """Scores of whole solutions, nothing cached, all at once."""

    def __init__(self, prm: VllmScorer, solutions: Sequence[tuple[str, Sequence[Step]]]) -> None:
        from vllm import PoolingParams

        super().__init__(asyncio.get_running_loop())
        self.rewards: dict[int, tuple[float, ...]] = {}
        self._left = len(solutions)
        for number, (question, steps) in enumerate(solutions):
            layout = prm._convention.layout(question, steps)
            prm._engine.submit(
                f"lockstep-{next(prm._ids)}",
                layout.token_ids[: layout.ends[-1]],
                PoolingParams(task="token_classify", use_activation=True),
                deliver=lambda output, at=number, ends=layout.ends: post(  # type: ignore[misc]
                    self._loop, self._take, at, ends, output
                ),
                fail=self.fail,
            )

    def _take(self, at: int, ends: list[int], output: EngineOutput) -> None:
        self.rewards[at] = tuple(output.values[end - 1] for end in ends)
        self._left -= 1
        if not self._left:
            self._end()


@dataclass
class Tree:
    """One search: what it has finished, and what it goes on with."""

    where: str
    places: int
    context: Context
    claims: list[Claim]
    ended: list[Response] = field(default_factory=list)


def trees_of(context: Context, strategy: BeamSearch | Dvts) -> list[Tree]:
    """The searches of one problem, by the names the executor gives them."""
    if isinstance(strategy, BeamSearch):
        return [Tree("beam", strategy.n, context, [(Response(), strategy.n)])]
    width = strategy.width
    return [
        Tree(f"subtree {index}", width, context, [(Response(), width)])
        for index in range(strategy.n // width)
    ]


async def rescored(prm: VllmScorer, found: Sequence[tuple[Context, Response]]) -> list[Response]:
    """Every response with rewards for all its steps."""
    solutions = [(context.problem.text, response.steps) for context, response in found]
    scores = WholeScores(prm, solutions)
    await scores.done
    return [replace(response, rewards=scores.rewards[at]) for at, (_, response) in enumerate(found)]


async def lockstep(
    executor: Executor, problems: Sequence[Problem], strategy: Strategy
) -> list[Outcome]:
    """Solve a batch of problems together."""
    assert isinstance(executor.prm, VllmScorer)
    contexts = [executor.context(problem, strategy.n) for problem in problems]
    if isinstance(strategy, BestOfN):
        drawn = await asyncio.gather(*(sample(context, strategy.n) for context in contexts))
        pairs = [(c, one) for c, many in zip(contexts, drawn, strict=True) for one in many]
        scored = iter(await rescored(executor.prm, pairs))
        found = [[next(scored) for _ in many] for many in drawn]
    else:
        assert isinstance(strategy, BeamSearch | Dvts)
        searches = [trees_of(context, strategy) for context in contexts]
        await grow(executor.prm, [tree for trees in searches for tree in trees], strategy)
        found = [[one for tree in trees for one in tree.ended] for trees in searches]
    return [
        outcome(executor, context, strategy, responses)
        for context, responses in zip(contexts, found, strict=True)
    ]


async def grow(prm: VllmScorer, trees: Sequence[Tree], strategy: BeamSearch | Dvts) -> None:
    """Round by round, until all places of all trees hold ended responses."""
    depth = 0
    while any(tree.claims for tree in trees):
        asked = [
            (tree, unscored_children(tree.context, parent, places, where))
            for tree in trees
            for index, (parent, places) in enumerate(tree.claims)
            for where in [f"{tree.where}/{depth}.{index}" if depth else f"{tree.where}/0"]
        ]
        drawn = await asyncio.gather(*(children for _, children in asked))
        pairs = [
            (tree, child) for (tree, _), many in zip(asked, drawn, strict=True) for child in many
        ]
        scored = await rescored(prm, [(tree.context, child) for tree, child in pairs])
        for tree in trees:
            mine = [child for (of, _), child in zip(pairs, scored, strict=True) if of is tree]
            room = tree.places - len(tree.ended)
            kept, tree.claims = select(mine, room, strategy.width, strategy.score)
            tree.ended += kept
        depth += 1


def outcome(
    executor: Executor, context: Context, strategy: Strategy, responses: Sequence[Response]
) -> Outcome:
    """The answer."""
    samples = grade(responses, context.problem, executor.grader)
    chosen = choose(strategy, samples, executor.grader)
    assert chosen is not None
    one = samples[chosen]
    return Outcome(
        context.problem, one.answer, bool(one.correct), chosen, tuple(samples), context.ledger
    )
