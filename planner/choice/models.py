"""The choice over models: of several policies, each with its scorers, strategies and budgets.

The rule is that of one policy (`planner.choice.recommend`). What differs: every estimate names its
models, costs are compared in a unit that means the same for all of them, and the answer says what
the choice saves against larger policies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from executor.errors import InputError
from planner.choice.against import against_larger, one_answers, pairs
from planner.choice.answer import Answer, of_choice
from planner.choice.constraint import Constraint
from planner.choice.estimate import Models, StrategyEstimate
from planner.choice.paired import Compare
from planner.choice.recommend import Counting, choose
from planner.choice.shrinkage import shrinkage_notes
from planner.evidence.cells import rows_of
from planner.evidence.layout import no_rows
from planner.notes import Note, NoteCode
from profiling.pass_rate import ALL

# Units in which a cost means the same for every model, in the order of preference.
UNITS = ("flops", "usd", "seconds")


@dataclass(frozen=True, slots=True)
class Contenders:
    """All that a choice over models is made of.

    Attributes:
        found: every strategy known of every policy and scorer; each names its models.
        sizes: numbers of all parameters of the policies, by name.
        rows: evidence of the measured policies, by the models that a strategy needs.
        compare: function that contrasts two of `found`.
        counting: see `planner.choice.recommend.Counting`.
        evidence: kinds of `rows`, and published figures, as plain values.
        printed: see `Answer`.
        notes: notes on the evidence.
        own: see `Answer`.
        difficulty: difficulty of the problems.
    """

    found: tuple[StrategyEstimate, ...]
    sizes: Mapping[str, int]
    rows: Mapping[Models, pd.DataFrame]
    compare: Compare
    evidence: tuple[dict[str, Any], ...] = ()
    printed: tuple[dict[str, Any], ...] = ()
    notes: tuple[Note, ...] = ()
    own: bool = False
    difficulty: str = ALL
    counting: Counting = len

    def rows_of(self, models: Models) -> pd.DataFrame:
        """Return the evidence of a policy with a PRM, and of the policy alone."""
        alone = Models(models.policy)
        parts = [self.rows[one] for one in dict.fromkeys((alone, models)) if one in self.rows]
        return pd.concat(parts) if parts else no_rows()

    def choose(self, constraint: Constraint) -> Answer:
        """Return the choice under a constraint, with what it saves against larger policies.

        Raises:
            InputError: nothing keeps to the constraint, or no cost means the same for two policies.
        """
        unit = self._unit(constraint)
        priced = [one for one in self.found if not math.isnan(_price(one, unit))]
        without = self._without(priced)
        notes = [Note.of(NoteCode.MODELS_WITHOUT_COST, models=without, unit=unit)] * bool(without)
        made = choose(self.difficulty, priced, constraint, unit=unit, counting=self.counting)
        choice = made.choice
        assert choice.models is not None
        if choice.models in self.rows:
            rows = rows_of(self.rows[choice.models], self.difficulty)
            made = replace(made, notes=(*made.notes, *shrinkage_notes(choice, rows)))
        policy, prm = choice.models.policy, choice.models.prm
        answer = of_choice(
            policy, prm, no_rows(), made, constraint, self.compare, published=self.evidence,
            own=self.own,
        )  # fmt: skip
        answers = one_answers(priced)
        return replace(
            answer,
            policies=self._ordered(self._policies_with(unit)),
            against=against_larger(choice, answers, self.sizes, self.compare, unit),
            pairs=pairs(priced, answers, self.sizes, self.compare, unit),
            printed=self.printed,
            notes=(*answer.made.notes, *notes, *self.notes),
        )

    def _unit(self, constraint: Constraint) -> str:
        """Return the unit to compare costs in.

        A limit says which cost matters. Without one it is the first of `UNITS` that all policies
        have, else the one that most have: a token or a generation of two models is not the same.
        """
        having = {unit: self._policies_with(unit) for unit in UNITS}
        limited = [unit for unit in UNITS if getattr(constraint, f"max_{unit}") is not None]
        unit = max(limited or UNITS, key=lambda unit: len(having[unit]))
        if not having[unit]:
            names = {"flops": "FLOPs", "usd": "money", "seconds": "seconds"}
            lacking = " or ".join(names[one] for one in limited or UNITS)
            raise InputError(
                f"no policy has a known cost in {lacking}, and tokens of two models are not the "
                "same thing; list sizes in --catalog FILE, or give --device NAME or --prices FILE "
                "(imported files that count no prompt tokens: import --prompt-tokens)"
            )
        return unit

    def _without(self, priced: Sequence[StrategyEstimate]) -> tuple[str, ...]:
        """Return the models that no estimate is priced of, the smallest policy first."""
        known = {one.models for one in priced}
        unknown = {one.models for one in self.found if one.models is not None} - known
        policies = {models.policy for models in unknown if models.prm is None}
        alone = [models for models in unknown if models.prm and models.policy not in policies]
        return (*self._ordered(policies), *sorted(map(str, alone)))

    def _ordered(self, policies: Iterable[str]) -> tuple[str, ...]:
        """Return policies, the smallest first; those of unknown size come last."""
        return tuple(sorted(policies, key=lambda name: (self.sizes.get(name, math.inf), name)))

    def _policies_with(self, unit: str) -> set[str]:
        return {
            one.models.policy
            for one in self.found
            if one.models is not None and not math.isnan(_price(one, unit))
        }


def _price(one: StrategyEstimate, unit: str) -> float:
    """Return a cost in one of `UNITS`; NaN if it is not known."""
    return math.nan if getattr(one.cost, unit) is None else one.price(unit)
