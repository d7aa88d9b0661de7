"""Decisions about one question: whether to probe it first, and which strategy to run.

Nothing here draws a sample or waits. A compiled plan decides in well under a millisecond.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtr

from executor.strategy import Strategy
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.rules import cheapest_sure, most_accurate
from planner.notes import Note, NoteCode
from planner.plans.chooser import Chooser
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import DEFAULT, Plan
from profiling.arrays import Floats
from profiling.difficulty.estimator import Estimated
from profiling.difficulty.probes import Probes, text_features
from profiling.difficulty.probes import features as features_of

_NOTHING = sys.float_info.min


@dataclass(frozen=True, slots=True)
class Decision:
    """The strategy for one question.

    Attributes:
        strategy: what to run.
        difficulty: the most probable difficulty; `all` if nothing is known of the question.
        expected: the strategy's estimate on this question; None if it is not known.
        difficulty_estimate: the chances of the difficulties; None if nothing is known of the
            question.
        notes: what a reader should know of it.
    """

    strategy: Strategy
    difficulty: str
    expected: StrategyEstimate | None
    difficulty_estimate: Estimated | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeDecision:
    """Whether to probe a question, and why.

    Attributes:
        probes: number of samples to draw before a strategy is chosen; 0: choose at once.
        classifies: whether the plan's classifier is used on the question.
        by_text: difficulty estimate from the text alone; None if the plan has none.
        accuracy_without_probes, accuracy_with_probes: expected accuracy of choosing at once, and of
            the best number of probes; None if they were not compared.
        notes: what a reader should know of it.
        features: features of the text (`profiling.difficulty.probes.text_features`); None if they
            were not needed.
        unlike_profile: whether these features are far from those of the profile; None if this was
            not checked.
        chosen: the strategy that the plan's chooser takes by the text alone; None if it draws
            probes first, or does not choose.
        by_chooser: whether the plan's chooser chooses.
    """

    probes: int
    classifies: bool
    by_text: Estimated | None = None
    accuracy_without_probes: float | None = None
    accuracy_with_probes: float | None = None
    notes: tuple[Note, ...] = ()
    features: Floats | None = field(default=None, compare=False, repr=False)
    unlike_profile: bool | None = None
    chosen: Strategy | None = None
    by_chooser: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "probes": self.probes,
            "by_text": None if self.by_text is None else self.by_text.to_dict(),
            "expected_without_probes": self.accuracy_without_probes,
            "expected_with_probes": self.accuracy_with_probes,
        }


def decide_probing(
    compiled: CompiledPlan,
    text: str,
    constraint: Constraint,
    *,
    scored: bool,
    weigh: bool = False,
    features: Floats | None = None,
) -> ProbeDecision:
    """Decide whether a question is worth probing under a constraint.

    Args:
        compiled: a plan.
        text: the question.
        constraint: the question's own, or the plan's.
        scored: whether there is a PRM.
        weigh: whether to compare under the plan's own constraint too, although the plan found one
            strategy as good for all difficulties as one for each: for some questions a cheaper
            strategy may be as good.
        features: features of the text, if they are known already.
    """
    plan = compiled.plan
    settled = constraint == plan.constraint and not plan.routes
    if plan.classifier is None or (settled and not weigh):
        return ProbeDecision(0, classifies=False, features=features)
    features = text_features(text) if features is None else features
    far = None if plan.reference is None else plan.reference.outside(features)
    if far:
        unlike = Note.of(NoteCode.QUESTION_UNLIKE_PROFILE)
        return ProbeDecision(
            0, classifies=False, notes=(unlike,), features=features, unlike_profile=far
        )
    estimate = by_text(plan, text, features)
    chooser = _chooser(plan, scored=scored)
    if constraint == plan.constraint and plan.routes and chooser is not None:
        chosen = _by_text_alone(chooser, text, features)
        return ProbeDecision(
            0 if chosen is not None else chooser.after.probes,
            classifies=True,
            by_text=estimate,
            features=features,
            unlike_profile=far,
            chosen=chosen,
            by_chooser=True,
        )
    probes, without, best = _best_number(compiled, estimate, constraint, scored=scored)
    return ProbeDecision(
        probes,
        classifies=True,
        by_text=estimate,
        accuracy_without_probes=without,
        accuracy_with_probes=best,
        features=features,
        unlike_profile=far,
    )


def by_text(plan: Plan, text: str, features: Floats | None = None) -> Estimated | None:
    """Estimate a question's difficulty from its text alone; None if the plan cannot.

    Args:
        plan: the plan.
        text: the question.
        features: features of the text, if they are known already.
    """
    if plan.classifier is None or plan.classifier.heads[0].probes:
        return None
    return plan.classifier.estimate_probes(Probes.of_text(text, features))


def decide(
    compiled: CompiledPlan,
    probing: ProbeDecision,
    estimate: Estimated | None,
    constraint: Constraint,
    *,
    drawn: int,
    scored: bool,
    seen: Probes | None = None,
) -> Decision:
    """Choose the strategy for a question.

    It is the most accurate one (or the cheapest that is sure enough) by its mean estimate over the
    chances of the difficulties. If nothing is known of the question and it has no constraint of its
    own, it is the plan's entry for all.

    Args:
        compiled: a plan.
        probing: what was decided before probes were drawn.
        estimate: the chances of the difficulties; None if nothing is known of the question.
        constraint: the question's own, or the plan's.
        drawn: number of probes drawn so far, which count.
        scored: whether there is a PRM.
        seen: the probes; None if none were drawn, or if they say nothing.

    Raises:
        InputError: no strategy keeps to the constraint.
    """
    plan = compiled.plan
    picked = probing.chosen
    if probing.by_chooser and picked is None and seen is not None and plan.chooser is not None:
        at = np.arange(plan.chooser.after.probes)[None, :]
        after = plan.chooser.after
        picked = after.options[int(after.choose(features_of(seen, at))[0])]
    if picked is not None:
        level = DEFAULT if estimate is None else estimate.difficulty.value
        chances = DEFAULT if estimate is None else chances_of(estimate)
        known = compiled.strategy_table(drawn, scored=scored).expected(picked, chances)
        return Decision(picked, level, known, estimate, probing.notes)
    if estimate is None and constraint == plan.constraint:
        entry = plan.entry(DEFAULT)
        return Decision(entry.strategy, DEFAULT, entry, None, probing.notes)
    level = DEFAULT if estimate is None else estimate.difficulty.value
    chances = DEFAULT if estimate is None else chances_of(estimate)
    best = compiled.strategy_table(drawn, scored=scored).choose(chances, constraint)
    return Decision(best.strategy, level, best, estimate, probing.notes)


def _chooser(plan: Plan, *, scored: bool) -> Chooser | None:
    """The plan's chooser if there is what it reads and runs."""
    chooser = plan.chooser
    if chooser is None or scored:
        return chooser
    needs_prm = chooser.scored or any(one.needs_prm for one in chooser.strategies)
    return None if needs_prm else chooser


def _by_text_alone(chooser: Chooser, text: str, features: Floats) -> Strategy | None:
    """What the chooser runs by the text alone; None: it draws probes."""
    none = np.zeros((1, 0), dtype=np.int64)
    x = features_of(Probes.of_text(text, features), none)
    return chooser.before.options[int(chooser.before.choose(x)[0])]


def chances_of(estimate: Estimated) -> dict[str, float]:
    """P(easy), P(medium), P(hard) by name."""
    return {level.value: chance for level, chance in estimate.probabilities.items()}


def _best_number(
    compiled: CompiledPlan, estimate: Estimated | None, constraint: Constraint, *, scored: bool
) -> tuple[int, float | None, float | None]:
    """The number of probes to draw, with the expected accuracy without probes and with the best
    number of them; see `planner.plans.probe_value`. None if nothing keeps to the constraint.

    Before probing, the chances of the difficulties are those from the text alone, else the
    profile's mix. The rule that chooses between strategies chooses between numbers of probes too.
    """
    plan = compiled.plan
    prior = compiled.strategy_table(0, scored=scored).chances(
        plan.mix if estimate is None else chances_of(estimate)
    )
    value = compiled.probe_value(scored=scored)
    ways = value.ways(prior, constraint)
    possible = ~np.isnan(ways[:, 0])
    if not possible.any():
        return 0, None, None  # `decide` will refuse, and say why
    # Rounded, so that of equal ways the first is taken: the one without probes.
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
    without = float(ways[0, 0]) if possible[0] else None
    highest = means[1:].max(initial=-np.inf)
    return value.probes[int(best[0])], without, float(highest) if highest > -np.inf else None
