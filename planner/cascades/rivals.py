"""What a cascade is compared with: other ways to answer within the same limit of cost.

Each is chosen on training problems as the cascade is, and replayed on others. Only the oracle knows
how accurate each strategy is on each problem; nothing that can be run reaches it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import expit

from executor.errors import InputError
from planner.cascades.cascade import Replayed
from planner.cascades.choice import Search
from planner.cascades.evidence import ModelsEvidence, Option
from profiling.arrays import Floats

MIXTURE = "a random mixture of two strategies of any models"
THRESHOLD = "a fixed threshold on agreement"
ORACLE = "an oracle that knows every model's accuracy on each problem (a bound)"
_PRICES = 200  # of the oracle
# Chooses on training problems within a limit, and replays on others; None if nothing keeps to it.
Rival = Callable[[Search, float, ModelsEvidence], Replayed | None]


def alone(policy: str) -> Rival:
    """The policy's most accurate strategy within the limit."""

    def choose(search: Search, limit: float, others: ModelsEvidence) -> Replayed | None:
        at = _best_single(search.evidence, limit, policy)
        return None if at is None else Replayed.of(others.options[at])

    return choose


def _best_single(evidence: ModelsEvidence, limit: float, policy: str | None = None) -> int | None:
    allowed = [
        (float(one.accuracy.mean()), -float(one.cost.mean()), at)
        for at, one in enumerate(evidence.options)
        if policy in (None, one.models.policy) and one.cost.mean() <= limit
    ]
    return max(allowed)[2] if allowed else None


def mixture(search: Search, limit: float, others: ModelsEvidence) -> Replayed | None:
    """Two strategies of any models, each for a random share of the questions.

    The best of them lies on the upper hull of accuracy over cost.
    """
    options = search.evidence.options
    cost = np.array([one.cost.mean() for one in options])
    accuracy = np.array([one.accuracy.mean() for one in options])
    within, beyond = cost <= limit, cost > limit
    if not within.any():
        return None
    best = int(np.where(within, accuracy, -np.inf).argmax())
    pair, share, reached = (best, best), 0.0, float(accuracy[best])
    for low in np.flatnonzero(within):
        for high in np.flatnonzero(beyond):
            part = (limit - cost[low]) / (cost[high] - cost[low])
            mixed = accuracy[low] + part * (accuracy[high] - accuracy[low])
            if mixed > reached:
                pair, share, reached = (int(low), int(high)), float(part), float(mixed)
    one, other = (others.options[at] for at in pair)
    return Replayed(
        one.accuracy + share * (other.accuracy - one.accuracy),
        one.cost + share * (other.cost - one.cost),
        np.ones((1, len(one.cost))),
    )


def agreement_threshold(search: Search, limit: float, others: ModelsEvidence) -> Replayed | None:
    """A vote of one model, and another model if less than a fixed share of the votes agrees.

    Vote, share and the other model's strategy are the best on the training problems.
    """
    evidence = search.evidence
    rank = {policy: at for at, policy in enumerate(evidence.policies)}
    lasts = np.array([[one.accuracy, one.cost] for one in evidence.options])
    best: tuple[float, int, float, int] | None = None
    for at, head in enumerate(evidence.options):
        later = np.array([rank[one.models.policy] > rank[head.models.policy]
                          for one in evidence.options])  # fmt: skip
        if head.features is None or not later.any():
            continue
        for share in _thresholds(head):
            stopped, escalated = _split(head, share)
            accuracy = stopped.mean() + (lasts[:, 0] * escalated).mean(axis=1)
            cost = head.cost.mean() + (lasts[:, 1] * escalated).mean(axis=1)
            allowed = np.where(later & (cost <= limit), accuracy, -np.inf)
            last = int(allowed.argmax())
            if np.isfinite(allowed[last]) and (best is None or allowed[last] > best[0]):
                best = float(allowed[last]), at, share, last
    if best is None:
        return None
    _, at, share, last = best
    head, then = others.options[at], others.options[last]
    stopped, escalated = _split(head, share)
    asked = np.vstack([np.ones(len(escalated)), escalated])
    return Replayed(stopped + escalated * then.accuracy, head.cost + escalated * then.cost, asked)


def _agreement(head: Option) -> Floats:
    """Share of the votes of the leading answer, shape `(problems, draws)`; see `Signals`."""
    assert head.features is not None
    n = head.strategy.n
    return np.asarray((expit(head.features[..., 0]) * (n + 1) - 0.5) / n)


def _thresholds(head: Option) -> list[float]:
    """Shares of votes, as the vote can have them; a weighted vote gets those of a plain one."""
    n = head.strategy.n
    return [k / n - 1e-6 for k in range(1, n + 1, max(1, n // 16))] + [1 - 1e-6]


def _split(head: Option, share: float) -> tuple[Floats, Floats]:
    """Accuracy where the vote stops, and share of the draws in which it does not, by problem."""
    assert head.right is not None
    stops = _agreement(head) >= share
    return (head.right * stops).mean(axis=1), 1 - stops.mean(axis=1)


def oracle(evidence: ModelsEvidence, limit: float) -> Replayed:
    """For each problem the strategy that is worth most, at the price that keeps to the limit.

    Raises:
        InputError: not even the cheapest strategies keep to it.
    """
    accuracy = np.array([one.accuracy for one in evidence.options])
    cost = np.array([one.cost for one in evidence.options])
    problems = np.arange(accuracy.shape[1])
    for price in np.geomspace(1e-4 / cost.max(), 1e2 / cost.min(), _PRICES):
        best = (accuracy - price * cost).argmax(axis=0)
        if cost[best, problems].mean() <= limit:
            return Replayed(
                accuracy[best, problems], cost[best, problems], np.ones((1, len(problems)))
            )
    raise InputError(f"no strategy keeps to {limit:g} {evidence.unit}")


def best_in_hindsight(evidence: ModelsEvidence, limit: float) -> Option | None:
    """The most accurate strategy of one model within a limit, by all problems."""
    at = _best_single(evidence, limit)
    return None if at is None else evidence.options[at]


def rivals(evidence: ModelsEvidence) -> Mapping[str, Rival]:
    """All rivals that choose within a limit, by name."""
    largest = evidence.policies[-1]
    return {
        **{f"{policy} alone": alone(policy) for policy in evidence.policies},
        MIXTURE: mixture,
        THRESHOLD: agreement_threshold,
        f"always {largest}, at any cost": lambda search, _, others: alone(largest)(
            search, math.inf, others
        ),
    }
