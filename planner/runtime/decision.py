"""How a question's strategy is decided: first whether it is worth probing, then what to run.

Nothing here draws or waits: a decision is made from a loaded plan in well under a millisecond.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtr

from executor.strategy import Strategy
from planner.choice.constraint import Constraint
from planner.choice.rules import cheapest_sure, most_accurate
from planner.notes import Note, NoteCode
from planner.plans.plan import DEFAULT, Entry, Plan
from profiling.arrays import Floats
from profiling.difficulty.estimator import Estimated
from profiling.difficulty.pass_rate import Difficulty
from profiling.difficulty.probes import Probes, text_features

_LEVELS = tuple(level.value for level in Difficulty)
_NOTHING = sys.float_info.min


@dataclass(frozen=True, slots=True)
class Decision:
    """What a question gets.

    Attributes:
        strategy: what to run.
        difficulty: the most probable class; `all` where nothing is known of the question.
        entry: what is expected of the strategy on it; None where nobody knows.
        estimate: what is known of the question; None where nothing is.
        notes: what a reader should know of it.
    """

    strategy: Strategy
    difficulty: str
    entry: Entry | None
    estimate: Estimated | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """Whether to probe a question, and why.

    Attributes:
        probes: samples to draw before deciding; 0: what is known is enough, or all there is.
        known: whether the question is one that the plan can tell anything of.
        estimate: by the text alone; None where the plan cannot tell anything from it.
        about: features of the text (`profiling.difficulty.probes.text_features`); None where none
            were asked.
        far: whether these are far from those of the profile; None where that was not asked.
        now, then: expected accuracy of choosing without probes, and of the best way to probe;
            None where that was not weighed.
        notes: what a reader should know of it.
    """

    probes: int
    known: bool
    estimate: Estimated | None = None
    now: float | None = None
    then: float | None = None
    notes: tuple[Note, ...] = ()
    about: Floats | None = field(default=None, compare=False, repr=False)
    far: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "probes": self.probes,
            "by_text": None if self.estimate is None else self.estimate.to_dict(),
            "expected_without_probes": self.now,
            "expected_with_probes": self.then,
        }


def look(
    plan: Plan,
    text: str,
    constraint: Constraint,
    *,
    scored: bool,
    weigh: bool = False,
    about: Floats | None = None,
) -> Look:
    """Whether a question is worth probing under a constraint.

    Args:
        plan: a loaded plan.
        text: the question.
        constraint: the question's own, or the plan's.
        scored: whether there is a PRM.
        weigh: whether questions are told apart under the plan's own constraint too where it found
            one strategy for all to be as good as one for each difficulty named: some may all the
            same get a cheaper one that is as good.
        about: features of the text, where they are known already.
    """
    classifier = plan.classifier
    settled = constraint == plan.own_constraint and not plan.routes
    if classifier is None or (settled and not (weigh and plan.alternatives)):
        return Look(0, known=False, about=about)
    about = text_features(text) if about is None else about
    far = None if plan.reference is None else plan.reference.outside(about)
    if far:
        unlike = Note.of(NoteCode.QUESTION_UNLIKE_PROFILE)
        return Look(0, known=False, notes=(unlike,), about=about, far=far)
    estimate = by_text(plan, text, about)
    if not plan.alternatives:
        return Look(classifier.probes, known=True, estimate=estimate, about=about, far=far)
    probes, now, then = _weighed(plan, estimate, constraint, scored=scored)
    return Look(probes, known=True, estimate=estimate, now=now, then=then, about=about, far=far)


def by_text(plan: Plan, text: str, about: Floats | None = None) -> Estimated | None:
    """What a question's text alone says of it; None where the plan cannot tell from it.

    Args:
        plan: a loaded plan.
        text: the question.
        about: features of the text, where they are known already.
    """
    if plan.classifier is None or plan.classifier.heads[0].probes:
        return None
    return plan.classifier.estimate_probes(Probes.of_text(text, about))


def decide(
    plan: Plan,
    looked: Look,
    estimate: Estimated | None,
    constraint: Constraint,
    *,
    drawn: int,
    scored: bool,
) -> Decision:
    """What to run, from what is known.

    The most accurate (or the cheapest that is sure enough) by what is expected over the chances of
    the difficulties. A plan that keeps no alternatives runs its entry for the most probable one.

    Args:
        plan: a loaded plan.
        looked: what was found before probes were drawn.
        estimate: what is known of the question; None: nothing.
        constraint: the question's own, or the plan's.
        drawn: probes drawn so far, which count.
        scored: whether there is a PRM.

    Raises:
        InputError: nothing keeps to the constraint.
    """
    level = DEFAULT if estimate is None else estimate.difficulty.value
    own = constraint == plan.own_constraint
    if own and (estimate is None or not plan.alternatives):
        entry = plan.entry(level)
        return Decision(entry.strategy, level, entry, estimate, looked.notes)
    menu = plan.menu(drawn, scored=scored)
    chances = DEFAULT if estimate is None else chances_of(estimate)
    pick = menu.choose(chances, constraint)
    return Decision(pick.strategy, level, Entry.of_pick(pick), estimate, looked.notes)


def chances_of(estimate: Estimated) -> dict[str, float]:
    """P(easy), P(medium), P(hard) by name."""
    return {level.value: chance for level, chance in estimate.probabilities.items()}


def _weighed(
    plan: Plan, estimate: Estimated | None, constraint: Constraint, *, scored: bool
) -> tuple[int, float | None, float | None]:
    """How often to probe, and the expected accuracy of choosing without probes and of the best way
    to probe; see `planner.plans.probe_value`. None where nothing would keep to the constraint.

    The chances of the difficulties before probing are those by the text alone, else the profile's
    mix. Not probing, and probing k times, are chosen between by the rule that strategies are.
    """
    prior = plan.menu(0, scored=scored).chances(
        plan.mix if estimate is None else chances_of(estimate)
    )
    weighing = plan.weighing(scored=scored)
    ways = weighing.ways(prior, constraint)
    possible = ~np.isnan(ways[:, 0])
    if not possible.any():
        return 0, None, None  # and the choice will say why
    # Rounded: of ways that are equal the one without probes, which is the first.
    accuracy, price = ways[:, 0].round(9), ways[:, 1]
    price = (price / max(price[possible].max(), _NOTHING)).round(9)
    means, prices = np.where(possible, accuracy, -np.inf), np.where(possible, price, np.inf)
    if constraint.target_accuracy is None:
        best = most_accurate(means[None, :], prices)
    else:
        sure = ndtr((accuracy - constraint.target_accuracy) / ways[:, 2])
        best = cheapest_sure(
            means[None, :], sure[None, :], prices, constraint.confidence, possible[None, :]
        )
    now = float(ways[0, 0]) if possible[0] else None
    then = means[1:].max(initial=-np.inf)
    return weighing.probes[int(best[0])], now, float(then) if then > -np.inf else None
