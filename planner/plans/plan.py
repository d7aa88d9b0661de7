"""The plan: a record of which strategy to run for which difficulty.

The executor and the server need nothing else: the models, the sampling, the prompt template, the
strategy for every difficulty, and the model that estimates the difficulty of a question from its
text and a few probe samples. All other strategies that could be chosen are kept beside them, for
questions with a constraint of their own and for `apportion budget`.

`planner.plans.serialization` reads and writes the file of a plan; `planner.plans.compiled` computes
choices from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from executor.models.templates import PromptTemplate
from executor.problem import MATHS
from executor.strategy import Sampling
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.probe_cost import ProbeCost
from planner.costs.cost import Rates
from planner.plans.chooser import Chooser
from planner.plans.reference import Reference
from profiling.difficulty.estimator import DifficultyModel
from profiling.pass_rate import ALL, Difficulty

DEFAULT = ALL


@dataclass(frozen=True, slots=True)
class PlanBasis:
    """The evidence that a plan was made from.

    Attributes:
        rows, problems: numbers of evidence rows, and of problems in them.
        prm: the PRM that the evidence was selected by, even if no strategy of the plan needs it.
        mix: number of problems by difficulty.
        evidence: fingerprint of the rows.
        model: metrics of the outcome model; None if the plan was made without one.
        routing: how one strategy for each difficulty compared with one for all
            (`planner.plans.routing_value.RoutingComparison.to_dict`); None if there was nothing to
            compare.
    """

    rows: int = 0
    problems: int = 0
    prm: str | None = None
    mix: Mapping[str, int] = field(default_factory=dict)
    evidence: str = ""
    model: Mapping[str, Any] | None = None
    routing: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the plan file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> PlanBasis:
        """Read what `to_dict` wrote.

        Raises:
            TypeError, ValueError: an unknown field, or a mix that does not count problems.
        """
        basis = cls(**record)
        if not isinstance(basis.mix, Mapping) or not all(
            isinstance(n, int) and n >= 0 for n in basis.mix.values()
        ):
            raise ValueError(f"mix {basis.mix!r}: expected a number of problems by difficulty")
        return basis


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan for one policy and PRM.

    Attributes:
        policy, prm: names as they were given; `prm` is None if no strategy needs one.
        sampling: how the policy writes.
        template: how questions are put to it.
        entries: what to run, by difficulty (`easy`, `medium`, `hard`), and for `all`, which is used
            if the difficulty is not known.
        classifier: estimates the difficulty of a question; None: the entry for `all` answers every
            question.
        constraint: the limits that the entries keep to.
        rests_on: the evidence that the plan was made from.
        frontier: by difficulty, every strategy that some price or budget would make the best choice
            (`planner.choice.frontier`), in rising order of accuracy.
        alternatives: by difficulty, every strategy, whatever it costs, without probes; all
            difficulties have the strategies in one order.
        rates: prices of tokens that costs were computed with.
        probe_cost: cost of one probe sample; None if it is not known.
        worth_routing: whether routing is worth its probes under the plan's own constraint.
        reference: statistics of the profile's questions; None if the profile had fewer than two.
        chooser: chooses for questions without a constraint of their own, by their text and probes;
            None: the chances of the difficulties choose.
        domain: what an answer is (`executor.domains`).
    """

    policy: str
    prm: str | None
    sampling: Sampling
    template: PromptTemplate
    entries: Mapping[str, StrategyEstimate]
    classifier: DifficultyModel | None
    constraint: Constraint
    rests_on: PlanBasis
    frontier: Mapping[str, tuple[StrategyEstimate, ...]]
    alternatives: Mapping[str, tuple[StrategyEstimate, ...]]
    rates: Rates = field(default_factory=Rates)
    probe_cost: ProbeCost | None = None
    worth_routing: bool = True
    reference: Reference | None = None
    chooser: Chooser | None = None
    domain: str = MATHS

    def entry(self, difficulty: str) -> StrategyEstimate:
        """The entry for a difficulty, or the one for all."""
        return self.entries.get(difficulty, self.entries[DEFAULT])

    @property
    def routes(self) -> bool:
        """Whether seeing the question would change anything."""
        if self.chooser is not None:
            return self.worth_routing
        strategies = {self.entry(level.value).strategy for level in Difficulty}
        return self.classifier is not None and self.worth_routing and len(strategies) > 1

    @property
    def mix(self) -> dict[str, float]:
        """Shares of the difficulties in the profile; `{"all": 1.0}` if they are not known."""
        counts = self.rests_on.mix
        total = sum(counts.values())
        return {level: n / total for level, n in counts.items()} if total else {DEFAULT: 1.0}

    @property
    def prm_in_use(self) -> str | None:
        """The PRM if the plan's own entries or its probes need it, else None.

        Alternatives that a question's own constraint selects may need the PRM all the same.
        """
        entries = self.entries.values() if self.routes else [self.entry(DEFAULT)]
        needed = [entry.strategy for entry in entries]
        probes = self.routes and self.classifier is not None and self.classifier.scored
        if self.routes and self.chooser is not None:
            needed += self.chooser.strategies
            probes = probes or self.chooser.scored
        return self.prm if probes or any(one.needs_prm for one in needed) else None
