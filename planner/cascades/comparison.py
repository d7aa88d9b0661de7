"""Cascades beside other ways to spend the same, on problems held out from all choices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from executor.errors import InputError
from planner.cascades.cascade import replay
from planner.cascades.choice import Goal, Search, folds_of, held_out
from planner.cascades.evidence import ModelsEvidence
from planner.cascades.rivals import ORACLE, best_in_hindsight, oracle, rivals
from planner.evaluation.bootstrap import Interval, ProblemBootstrap
from planner.prediction.splits import FOLDS
from profiling.arrays import Floats, Ints

_LIMITS = 5


@dataclass(frozen=True, slots=True)
class Beside:
    """Another way to answer, on the same problems.

    Attributes:
        name: what it is.
        accuracy: its accuracy.
        cost: its mean cost of a problem.
        difference: accuracy of the cascade minus its own, paired.
    """

    name: str
    accuracy: Interval
    cost: float
    difference: Interval


@dataclass(frozen=True, slots=True)
class AtLimit:
    """Cascades within a limit of cost.

    Attributes:
        limit: most cost of a problem, expected on the training problems.
        accuracy: accuracy on the held-out problems.
        cost: mean cost on the held-out problems.
        promised: accuracy that was promised for them, by cross-fitting inside the training
            problems.
        chosen: stages that the folds chose, each with its number of folds.
        asked: share of the questions that were put to a second stage.
        beside: the other ways.
        hindsight: the best strategy of one model at no more than the cascade's cost, by the very
            problems that judge it; None if there is none that cheap.
        regret: its accuracy minus the cascade's, paired.
    """

    limit: float
    accuracy: Interval
    cost: float
    promised: float
    chosen: tuple[tuple[str, int], ...]
    asked: float
    beside: tuple[Beside, ...]
    hindsight: str | None
    regret: Interval | None


@dataclass(frozen=True, slots=True)
class AtTarget:
    """The cheapest cascades that reach a target surely enough.

    Attributes:
        target: accuracy to reach.
        reached: number of folds whose training problems have a cascade that does. The rest of the
            attributes are of the problems of these folds, and None without one.
        problems: number of problems in them.
        accuracy: accuracy on the held-out problems.
        cost: mean cost on them.
        single: accuracy of the cheapest strategy of one model that reaches the target as surely;
            None if some of these folds have none.
        ratio: cost of the cascade divided by that strategy's.
    """

    target: float
    reached: int
    problems: int
    accuracy: Interval | None
    cost: float | None
    single: Interval | None
    ratio: Interval | None


def limits_of(evidence: ModelsEvidence) -> list[float]:
    """Limits to compare at, evenly spaced in the logarithm.

    The least is the cost of the cheapest vote and a larger model's cheapest strategy together.
    """
    heads = [float(one.cost.mean()) for one in evidence.options if one.features is not None]
    costs = [float(one.cost.mean()) for one in evidence.options]
    singles = [
        min(float(one.cost.mean()) for one in evidence.of(policy)) for policy in evidence.policies
    ]
    if not heads:
        raise InputError(
            "no vote of any policy can be replayed on all shared problems; a cascade needs "
            "profiles with at least 2 samples a problem"
        )
    return [float(f"{x:.2g}") for x in np.geomspace(min(heads) + singles[-1], max(costs), _LIMITS)]


def at_limits(
    evidence: ModelsEvidence,
    limits: Sequence[float],
    *,
    random_state: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> list[AtLimit]:
    """Compare cascades with their rivals within each limit.

    Limits that the training problems of some fold have nothing for are left out.

    Args:
        evidence: on all problems.
        limits: most cost of a problem.
        random_state: seed of the folds and of the bootstrap.
        progress: called with 1 after each of `FOLDS` folds.

    Raises:
        InputError: too few problems.
    """
    judged = [_Judged(limit, evidence) for limit in limits]
    fold = folds_of(evidence, random_state)
    for number in range(FOLDS):
        train, mine = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        search, others = Search(evidence.on(train)), evidence.on(mine)
        goals = [Goal(limit) for limit in limits]
        promised = held_out(search.evidence, goals, random_state)
        for one, goal, promise in zip(judged, goals, promised, strict=True):
            if promise is not None:
                one.add(search, goal, others, mine, float(promise.accuracy.mean()))
        progress(1)
    bootstrap = ProblemBootstrap([evidence.problems], random_state)
    return [one.result(bootstrap) for one in judged if len(one.promised) == FOLDS]


class _Judged:
    """What is known of one limit, filled fold by fold."""

    def __init__(self, limit: float, evidence: ModelsEvidence) -> None:
        self.limit = limit
        self.evidence = evidence
        self.promised: list[float] = []
        self._chosen: Counter[str] = Counter()
        self._rivals = rivals(evidence)
        count = len(evidence.problems)
        self._ours = np.full((3, count), np.nan)  # accuracy, cost, share that is asked on
        self._theirs = {name: np.full((2, count), np.nan) for name in self._rivals}

    def add(
        self,
        search: Search,
        goal: Goal,
        others: ModelsEvidence,
        mine: NDArray[np.intp],
        promised: float,
    ) -> None:
        """Choose on the training problems of a fold, and replay on the fold."""
        cascade = search.choose(goal).cascade
        made = replay(cascade, others)
        second = made.asked[1] if len(made.asked) > 1 else np.zeros(len(made.cost))
        self._ours[:, mine] = made.accuracy, made.cost, second
        self._chosen[cascade.name] += 1
        self.promised.append(promised)
        for name, rival in self._rivals.items():
            found = rival(search, self.limit, others)
            if found is not None:
                self._theirs[name][:, mine] = found.accuracy, found.cost

    def result(self, bootstrap: ProblemBootstrap) -> AtLimit:
        """Sum up."""
        accuracy, cost, asked = self._ours
        known = {name: both for name, both in self._theirs.items() if not np.isnan(both).any()}
        bound = oracle(self.evidence, max(self.limit, float(cost.mean())))
        known[ORACLE] = np.array([bound.accuracy, bound.cost])
        # Costs vary between folds: what is only a little dearer counts as equal.
        best = best_in_hindsight(self.evidence, float(cost.mean()) * 1.02)
        return AtLimit(
            self.limit,
            bootstrap.mean([accuracy]),
            float(cost.mean()),
            float(np.mean(self.promised)),
            tuple(self._chosen.most_common()),
            float(asked.mean()),
            tuple(
                Beside(
                    name,
                    bootstrap.mean([both[0]]),
                    float(both[1].mean()),
                    bootstrap.mean([accuracy - both[0]]),
                )
                for name, both in known.items()
            ),
            None if best is None else best.name,
            None if best is None else bootstrap.mean([best.accuracy - accuracy]),
        )


def at_targets(
    evidence: ModelsEvidence,
    targets: Sequence[float],
    confidence: float,
    *,
    random_state: int = 0,
) -> list[AtTarget]:
    """The cheapest cascades that reach each target, held out.

    Raises:
        InputError: too few problems.
    """
    count = len(evidence.problems)
    ours = np.full((len(targets), 2, count), np.nan)
    theirs = np.full((len(targets), 2, count), np.nan)
    fold = folds_of(evidence, random_state)
    for number in range(FOLDS):
        mine = np.flatnonzero(fold == number)
        search, others = Search(evidence.on(np.flatnonzero(fold != number))), evidence.on(mine)
        for at, target in enumerate(targets):
            try:
                chosen = search.choose(Goal(None, target, confidence))
            except InputError:
                continue
            made = replay(chosen.cascade, others)
            ours[at][:, mine] = made.accuracy, made.cost
            sure = [one for one in search.singles if one.sureness(target) >= confidence]
            if sure:
                single = replay(min(sure, key=lambda one: one.cost).cascade, others)
                theirs[at][:, mine] = single.accuracy, single.cost
    return [
        _at_target(evidence, target, fold, mine, single, random_state)
        for target, mine, single in zip(targets, ours, theirs, strict=True)
    ]


def _at_target(
    evidence: ModelsEvidence,
    target: float,
    fold: Ints,
    ours: Floats,
    theirs: Floats,
    random_state: int,
) -> AtTarget:
    known = np.flatnonzero(~np.isnan(ours[0]))
    reached = len(set(fold[known].tolist()))
    if not len(known):
        return AtTarget(target, 0, 0, None, None, None, None)
    bootstrap = ProblemBootstrap([[evidence.problems[at] for at in known]], random_state)
    (accuracy, cost), (single, spent) = ours[:, known], theirs[:, known]
    ratio = beside = None
    if not np.isnan(single).any():
        beside = bootstrap.mean([single])
        draws = bootstrap.means([cost]) / bootstrap.means([spent])
        ratio = Interval.from_draws(float(cost.mean() / spent.mean()), draws)
    return AtTarget(
        target, reached, len(known), bootstrap.mean([accuracy]), float(cost.mean()), beside, ratio
    )
