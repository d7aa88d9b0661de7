"""The plans beside a fixed strategy: accuracy at equal tokens, tokens at equal accuracy.

A plan of one budget seldom spends what the strategy spends, so the plans of all budgets are taken
together. Between two of them the curve is a straight line in tokens: that is what running the one
on a share of the questions, and the other on the rest, gets and spends.

Which two plans, and which share, is chosen on the training problems of each fold, and judged on the
problems of the fold. A place that is chosen on the problems that judge it lies where the curve is
high by luck, so what it shows nobody could have had. The price is that a chosen mix meets the
strategy's tokens or accuracy on the training problems only; what it spends and gets on the judged
ones stands beside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from planner.evaluation.bootstrap import Interval, TwoWayBootstrap
from planner.evaluation.comparison import Rule
from planner.evaluation.crossfit import Arena, Run
from profiling.arrays import Floats


@dataclass(frozen=True, slots=True)
class Mix:
    """Two plans, each run on a share of the questions.

    Attributes:
        first, second: indices of the plans.
        part: share of the questions that the second one answers.
    """

    first: int
    second: int
    part: float

    def of(self, values: Floats) -> Floats:
        """Return the value of the mix.

        Args:
            values: values of the plans, shape `(plans, ...)`.

        Returns:
            Shape `(...)`.
        """
        return np.asarray((1 - self.part) * values[self.first] + self.part * values[self.second])


@dataclass(frozen=True, slots=True)
class Exchange:
    """The plans of all budgets beside another rule at one budget.

    Attributes:
        against: name of the other rule.
        budget: most generations a problem of the other rule.
        arenas: number of policies and PRMs that it could be run with.
        accuracy: accuracy minus the rule's, of the mixes that spend the rule's tokens on the
            training problems.
        spent: tokens of these mixes over the rule's.
        tokens: tokens over the rule's, of the cheapest mixes that reach the rule's accuracy on the
            training problems.
        kept: accuracy of these mixes minus the rule's.
        reached: share of the folds on whose training problems the plans reach it. In the others the
            most accurate plan counts.
    """

    against: str
    budget: int
    arenas: int
    accuracy: Interval
    spent: Interval
    tokens: Interval
    kept: Interval
    reached: float


def exchange(
    found: Sequence[Arena],
    against: str,
    rule: Rule,
    budget: int,
    budgets: Sequence[int],
    random_state: int = 0,
) -> Exchange | None:
    """The plans of all budgets beside a rule at one budget.

    Intervals hold the chosen mixes fixed. The plans of the training problems were made from the
    judged ones too, as those of a cross-validation are; their outcomes are of other problems.

    Args:
        found: policies and PRMs.
        against, rule, budget: the rule.
        budgets: budgets of the plans, rising.
        random_state: seed of the draws.

    Returns:
        None if the rule cannot be run, or if there is one fold, so that no problem is left to
        choose by.
    """
    usable = [(arena, run) for arena in found if (run := rule(arena, budget)) is not None]
    folds = np.concatenate([arena.folds for arena, _ in usable]) if usable else np.empty(0)
    if len(np.unique(folds)) < 2:
        return None
    draws = TwoWayBootstrap([arena.problems for arena, _ in usable], random_state)
    plans = [_together([arena.as_run(n) for arena, _ in usable]) for n in budgets]
    accuracy, tokens = np.array(plans).swapaxes(0, 1)
    aim, cost = _together([run for _, run in usable])

    def judged(choose: Callable[[np.ndarray], Mix]) -> tuple[Interval, Interval]:
        """Accuracy minus the rule's and tokens over the rule's, of a mix for each fold."""
        got, used = np.empty_like(aim), np.empty_like(cost)
        for fold in np.unique(folds):
            mine = folds == fold
            mix = choose(~mine)
            got[mine], used[mine] = mix.of(accuracy)[mine], mix.of(tokens)[mine]
        ratios = draws.means([used]) / draws.means([cost])
        return draws.mean([got - aim]), Interval.from_draws(used.mean() / cost.mean(), ratios)

    def curve(seen: np.ndarray) -> tuple[Floats, Floats]:
        return accuracy[:, seen].mean(axis=1), tokens[:, seen].mean(axis=1)

    def at_tokens(seen: np.ndarray) -> Mix:
        points = curve(seen)
        cheapest = int(points[1].argmin())
        return mix_for_tokens(cost[seen].mean(), *points) or Mix(cheapest, cheapest, 0.0)

    def at_accuracy(seen: np.ndarray) -> Mix:
        points = curve(seen)
        best = int(points[0].argmax())
        return mix_for_accuracy(aim[seen].mean(), *points) or Mix(best, best, 0.0)

    reached = [mix_for_accuracy(aim[folds != fold].mean(), *curve(folds != fold)) is not None
               for fold in np.unique(folds)]  # fmt: skip
    gained, spent = judged(at_tokens)
    kept, spared = judged(at_accuracy)
    return Exchange(
        against, budget, len(usable), gained, spent, spared, kept, float(np.mean(reached))
    )


def _together(runs: Sequence[Run]) -> Floats:
    """Return accuracy and tokens on the problems of all arenas, shape `(2, problems)`."""
    return np.array([
        np.concatenate([run.accuracy for run in runs]), np.concatenate([run.tokens for run in runs])
    ])  # fmt: skip


def mix_for_tokens(cost: float, accuracy: Floats, tokens: Floats) -> Mix | None:
    """Return the most accurate mix of a curve at no more than a cost; None if all of it costs more.

    Args:
        cost: tokens.
        accuracy, tokens: points of the curve in order, shape `(points,)`; straight between them.
    """
    mixes = _mixes(tokens, tokens <= cost, cost)
    return max(mixes, key=lambda mix: float(mix.of(accuracy)), default=None)


def mix_for_accuracy(target: float, accuracy: Floats, tokens: Floats) -> Mix | None:
    """Return the cheapest mix of a curve that reaches an accuracy; None if it never does.

    Args:
        target: the accuracy.
        accuracy, tokens: points of the curve in order, shape `(points,)`; straight between them.
    """
    mixes = _mixes(accuracy, accuracy >= target, target)
    return min(mixes, key=lambda mix: float(mix.of(tokens)), default=None)


def tokens_for(target: float, accuracy: Floats, tokens: Floats) -> float:
    """Return the tokens of `mix_for_accuracy`; infinite if there is none.

    On the problems that the curve was measured on this is a figure in hindsight.
    """
    mix = mix_for_accuracy(target, accuracy, tokens)
    return np.inf if mix is None else float(mix.of(tokens))


def _mixes(values: Floats, enough: np.ndarray, limit: float) -> list[Mix]:
    """Return the plans that are good enough, and the mixes of neighbours that just are.

    Args:
        values: of the plans, shape `(points,)`.
        enough: whether each keeps to the limit, shape `(points,)`.
        limit: the value that a mix of one plan that does and one that does not must have.
    """
    whole = [Mix(int(i), int(i), 0.0) for i in np.flatnonzero(enough)]
    between = [
        Mix(i, i + 1, float((limit - values[i]) / (values[i + 1] - values[i])))
        for i in range(len(values) - 1)
        if enough[i] != enough[i + 1]
    ]
    return whole + between
