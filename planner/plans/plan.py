"""The plan: which strategy for which difficulty, as a versioned, readable file.

The executor and the server need nothing else: models, sampling, template, the choice for every
difficulty, and the model that tells the difficulty of a question from its text and a few probe
samples. What else could have been chosen lies beside it, for `apportion budget`.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from executor.errors import InputError
from executor.json_values import finite
from executor.models.templates import PromptTemplate
from executor.problem import content_id
from executor.strategy import Sampling, Strategy, from_dict, to_dict
from planner.choice.constraint import Constraint
from planner.costs.cost import Rates
from planner.plans.reference import Reference
from profiling.difficulty.estimator import DifficultyModel
from profiling.difficulty.pass_rate import ALL, Difficulty

if TYPE_CHECKING:
    from planner.choice.recommend import Choice
    from planner.plans.probe_value import Weighing
    from planner.plans.strategy_table import Menu, Pick

FORMAT = "apportion-plan"
VERSION = 3
_READABLE = (1, 2, VERSION)
DEFAULT = ALL


@dataclass(frozen=True, slots=True)
class Entry:
    """What a plan does for one difficulty, and what it expects of it.

    Attributes:
        strategy: what to run.
        predicted_accuracy, interval: mean and 90 % interval of its accuracy.
        cost: expected, a problem: the fields of `planner.costs.cost.Cost`.
        beta: parameters of the Beta posterior that mean and interval are of; None in plans of
            versions 1 and 2.
    """

    strategy: Strategy
    predicted_accuracy: float
    interval: tuple[float, float]
    cost: Mapping[str, float | None]
    beta: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the file."""
        return {
            "strategy": to_dict(self.strategy),
            "predicted_accuracy": self.predicted_accuracy,
            "interval": list(self.interval),
            "cost": dict(self.cost),
        } | ({} if self.beta is None else {"beta": list(self.beta)})

    @classmethod
    def of(cls, choice: Choice) -> Entry:
        """What a plan keeps of a choice."""
        return cls(
            choice.strategy, choice.predicted_accuracy, choice.interval, choice.cost.to_dict(),
            choice.beta,
        )  # fmt: skip

    @classmethod
    def of_pick(cls, pick: Pick) -> Entry:
        """The same of what a menu has picked."""
        return cls(
            pick.strategy, pick.predicted_accuracy, pick.interval, pick.cost.to_dict(), pick.beta
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Entry:
        """Read what `to_dict` wrote; LookupError, TypeError or ValueError where it is damaged."""
        low, high = map(float, record["interval"])
        beta = None
        if "beta" in record:
            a, b = map(float, record["beta"])
            if not (0 < a < math.inf and 0 < b < math.inf):
                raise ValueError("parameters of a Beta distribution must be above 0")
            beta = a, b
        return cls(
            from_dict(record["strategy"]),
            float(record["predicted_accuracy"]),
            (low, high),
            record["cost"],
            beta,
        )


@dataclass(frozen=True, slots=True)
class ProbeCost:
    """Tokens that a probe sample takes: generated ones, and the PRM's to score it."""

    generated: float
    prm: float

    def to_dict(self) -> dict[str, float]:
        """Plain numbers, for the file."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan for one policy and PRM.

    Attributes:
        policy, prm: names as they were given; `prm` is None where no strategy needs one.
        sampling: how the policy writes.
        template: how questions are put to it.
        entries: by difficulty (`easy`, `medium`, `hard`), and `all` where it is not known.
        classifier: tells the difficulty of a question; None: `all` is used for everything.
        constraint: what the choices keep to.
        rests_on: what the plan was made from (rows, problems by difficulty, evidence fingerprint).
        frontier: by difficulty, what else could be chosen for some price or budget
            (`planner.choice.frontier`), in rising order of accuracy; empty in plans of version 1.
        rates: what tokens were priced by, so that they can be priced again.
        alternatives: by difficulty, all that is known, whatever it costs and without probes, in
            one order of strategies; empty in plans of versions 1 and 2.
        probe_cost: what looking at a question takes; None where it is not known.
        worth_routing: whether its own constraint makes telling questions apart worth it.
        reference: what the profile's questions were like; None in plans of versions 1 and 2.
    """

    policy: str
    prm: str | None
    sampling: Sampling
    template: PromptTemplate
    entries: Mapping[str, Entry]
    classifier: DifficultyModel | None
    constraint: Mapping[str, Any]
    rests_on: Mapping[str, Any]
    frontier: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    rates: Rates = field(default_factory=Rates)
    alternatives: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    probe_cost: ProbeCost | None = None
    worth_routing: bool = True
    reference: Reference | None = None
    _menus: dict[tuple[int, bool], Menu] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    _weighings: dict[bool, Weighing] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def entry(self, difficulty: str) -> Entry:
        """The entry for a difficulty, or the one for all."""
        return self.entries.get(difficulty, self.entries[DEFAULT])

    def recommend(self, difficulty: str, constraint: Constraint) -> Entry:
        """The best for a difficulty (or `all`) under a constraint of one's own, unprobed.

        By the rule of `planner.choice.recommend.choose`, on what the evidence said when the plan
        was made; a difficulty that it said nothing of counts as `all`.

        Raises:
            InputError: nothing keeps to the constraint, or the plan keeps no alternatives.
        """
        return Entry.of_pick(self.menu().choose(difficulty, constraint))

    def expected(self, strategy: Strategy, given: Mapping[str, float] | str) -> Entry | None:
        """What is expected of a strategy on a difficulty, or by the chances of all; None where
        that is not known. InputError where the plan keeps no alternatives."""
        pick = self.menu().expected(strategy, given)
        return None if pick is None else Entry.of_pick(pick)

    def menu(self, probes: int = 0, *, scored: bool = True) -> Menu:
        """What can be chosen once so many probes were drawn; made once.

        Args:
            probes: drawn before.
            scored: whether there is a PRM.

        Raises:
            InputError: the plan keeps no alternatives.
        """
        if (probes, scored) not in self._menus:
            from planner.plans.strategy_table import Menu

            if not self.alternatives:
                raise InputError(
                    "plan: is of a version that keeps no alternatives to choose from; "
                    "make it again with: apportion plan"
                )
            self._menus[probes, scored] = Menu.of(self, probes, scored=scored)
        return self._menus[probes, scored]

    def weighing(self, *, scored: bool = True) -> Weighing:
        """What probes are worth; made once.

        Args:
            scored: whether there is a PRM.

        Raises:
            InputError: the plan keeps no alternatives.
        """
        if scored not in self._weighings:
            from planner.plans.probe_value import Weighing

            heads = () if self.classifier is None else self.classifier.heads
            self._weighings[scored] = Weighing(
                partial(self.menu, scored=scored), [head for head in heads if head.probes]
            )
        return self._weighings[scored]

    def choices(self) -> dict[str, Any]:
        """What shapes its answers, for the run it makes: predictions only where they decide between
        strategies, as they change with every measurement."""
        plain = {
            "strategies": {name: to_dict(entry.strategy) for name, entry in self.entries.items()},
            "classifier": self.classifier.to_dict() if self.routes and self.classifier else None,
        }
        if not (self.routes and self.alternatives):
            return plain
        # Where only chances are known, what is expected of each strategy decides between them.
        record = self.to_dict()
        decided_by = [record[name] for name in ("alternatives", "probe_cost", "reference")]
        return plain | {"decided_by": content_id(json.dumps(finite(decided_by)))}

    @property
    def routes(self) -> bool:
        """Whether knowing the difficulty would change anything."""
        ways = {self.entry(level.value).strategy for level in Difficulty}
        return self.classifier is not None and self.worth_routing and len(ways) > 1

    @property
    def own_constraint(self) -> Constraint:
        """What its entries keep to; InputError where that is damaged."""
        try:
            return Constraint(**self.constraint)
        except TypeError as error:
            raise InputError(f"plan: constraint: damaged ({error})") from None

    @property
    def mix(self) -> dict[str, float]:
        """Shares of the difficulties in the profile; nothing but `all` where they are not known."""
        counts: Mapping[str, int] = self.rests_on.get("mix") or {}
        total = sum(counts.values())
        return {level: n / total for level, n in counts.items()} if total else {DEFAULT: 1.0}

    @property
    def prm_in_use(self) -> str | None:
        """The PRM where its own entries, or its probes, need one; alternatives may all the same.

        Plans of versions 1 and 2 name none that is not needed.
        """
        if not self.alternatives:
            return self.prm
        entries = self.entries.values() if self.routes else [self.entry(DEFAULT)]
        probes = self.routes and self.classifier is not None and self.classifier.scored
        return self.prm if probes or any(entry.strategy.needs_prm for entry in entries) else None

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "policy": self.policy,
            "prm": self.prm,
            "entries": {name: entry.to_dict() for name, entry in self.entries.items()},
            "constraint": dict(self.constraint),
            "rests_on": dict(self.rests_on),
            "sampling": asdict(self.sampling),
            "classifier": None if self.classifier is None else self.classifier.to_dict(),
            "template": self.template.to_dict(),
            "rates": self.rates.to_dict(),
            "frontier": {
                name: [entry.to_dict() for entry in kept] for name, kept in self.frontier.items()
            },
            "worth_routing": self.worth_routing,
            "reference": None if self.reference is None else self.reference.to_dict(),
            "probe_cost": None if self.probe_cost is None else self.probe_cost.to_dict(),
            "alternatives": {
                name: [entry.to_dict() for entry in known]
                for name, known in self.alternatives.items()
            },
        }

    def save(self, path: Path) -> None:
        """Write the plan, an alternative a line; the file appears whole or not at all."""
        record = finite(self.to_dict())
        alternatives = record.pop("alternatives")
        text = json.dumps(record, indent=2, allow_nan=False)
        levels = [
            f"    {json.dumps(name)}: [\n"
            + ",\n".join(f"      {json.dumps(entry, allow_nan=False)}" for entry in known)
            + "\n    ]"
            for name, known in alternatives.items()
        ]
        lines = "{\n" + ",\n".join(levels) + "\n  }" if levels else "{}"
        write_whole(path, f'{text[:-2]},\n  "alternatives": {lines}\n}}\n')

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read a plan file.

        Raises:
            InputError: no such file, not JSON, not a plan, another version, or a bad entry.
        """
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"plan {path}: {error.strerror or error}") from None
        except ValueError as error:
            raise InputError(f"plan {path}: not JSON ({error})") from None
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise InputError(f"plan {path}: not a plan; apportion plan --out makes one")
        if record.get("version") not in _READABLE:
            raise InputError(
                f"plan {path}: is version {record.get('version')}; this apportion reads versions "
                f"{', '.join(map(str, _READABLE[:-1]))} and {VERSION}; "
                "make it again with: apportion plan"
            )
        try:
            return cls._from_record(record, f"plan {path}")
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise InputError(f"plan {path}: {error}") from None
            raise InputError(f"plan {path}: damaged ({type(error).__name__}: {error})") from None

    @classmethod
    def _from_record(cls, record: dict[str, Any], where: str) -> Plan:
        entries = {name: Entry.from_record(entry) for name, entry in record["entries"].items()}
        frontier, rates = {}, Rates()
        if record["version"] > 1:
            frontier = {
                name: tuple(map(Entry.from_record, kept))
                for name, kept in record["frontier"].items()
            }
            rates = Rates.from_dict(record["rates"])
        alternatives, probe_cost, reference = {}, None, None
        if record["version"] > 2:
            alternatives = {
                name: tuple(map(Entry.from_record, known))
                for name, known in record["alternatives"].items()
            }
            if record["reference"] is not None:
                reference = Reference.from_dict(record["reference"])
            if record["probe_cost"] is not None:
                each = record["probe_cost"]
                probe_cost = ProbeCost(float(each["generated"]), float(each["prm"]))
        allowed = {DEFAULT, *(level.value for level in Difficulty)}
        if DEFAULT not in entries or not set(entries) <= allowed:
            raise InputError(f"entries must be {', '.join(sorted(allowed))}, and all among them")
        if not set(frontier) <= set(entries):
            raise InputError("frontier: must be of difficulties that have an entry")
        if alternatives and DEFAULT not in alternatives:
            raise InputError(f"alternatives: must be of {DEFAULT} too")
        if any(entry.beta is None for known in alternatives.values() for entry in known):
            raise InputError("alternatives: each needs its beta")
        if record["prm"] is None and any(e.strategy.needs_prm for e in entries.values()):
            raise InputError("a strategy needs a PRM, but the plan names none")
        classifier = record["classifier"]
        if classifier is not None and record["version"] == 1:
            raise InputError("its classifier is of version 1; make it again with: apportion plan")
        return cls(
            policy=record["policy"],
            prm=record["prm"],
            sampling=Sampling(**record["sampling"]),
            template=PromptTemplate.from_dict(record["template"], where),
            entries=entries,
            classifier=None if classifier is None else DifficultyModel.from_dict(classifier),
            constraint=record["constraint"],
            rests_on=record["rests_on"],
            frontier=frontier,
            rates=rates,
            alternatives=alternatives,
            probe_cost=probe_cost,
            worth_routing=bool(record.get("worth_routing", True)),
            reference=reference,
        )


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that it appears whole or not at all; InputError where it cannot be."""
    try:
        handle, scratch = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(scratch, 0o644)
            os.replace(scratch, path)
        except BaseException:
            os.unlink(scratch)
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
