"""Answers for the page: those of `apportion recommend`, from evidence that is read only once.

Reading evidence takes from a tenth of a second to some seconds; a choice from it takes a twentieth
of a second. Evidence and answers are kept until the store holds other evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from executor.json_values import finite
from executor.store.store import Store
from planner.catalog import load_catalog
from planner.choice.answer import Answer
from planner.choice.constraint import Constraint
from planner.costs.pricing import Pricing
from planner.evidence.cells import difficulty_counts
from planner.evidence.layout import KINDS
from planner.notes import Note
from planner.plans.plan import Plan
from planner.plans.routing_value import estimator_note
from planner.report import ReportData, accuracy, basis
from planner.report import wording as words
from planner.report.advice import card
from planner.report.document import Block, Cards, Plots, Report, Section, Text
from planner.report.html import to_fragment
from planner.report.notes import word
from planner.report.plain import to_dict
from planner.service.page.choices import choices
from planner.usecases.evidence_bundle import EvidenceBundle, read_evidence_bundle
from planner.usecases.recommend import MeasuredCandidates, PublishedCandidates, find_candidates
from planner.usecases.recommend import to_dict as recommendation_to_dict
from planner.usecases.report import basis_rows, published_data
from planner.usecases.store_lookup import name_in_plan, store_exists
from profiling.difficulty.estimator import DifficultyModel
from profiling.difficulty.probes import Probes

_NO_STORE = ""


class NotHereError(Exception):
    """This server cannot answer the question at all; the message gives the reason and the fix."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the page.

    Attributes:
        policy, prm: names; `prm` is None for no PRM.
        difficulty: difficulty of the problems.
        benchmark: benchmark whose published figures to use; None: published figures are used only
            if nothing was measured.
        constraint: limits and target of the choice.
    """

    policy: str
    prm: str | None
    difficulty: str
    benchmark: str | None
    constraint: Constraint


class Advisor:
    """Source of answers, from a store, this project's own evidence and published figures.

    Only one thread may use it at a time, because plots are drawn under settings of the process.

    Args:
        store_url: SQLAlchemy URL of the store, the first source of evidence; it need not exist.
        plan: plan whose estimator predicts the difficulty of a text.
        catalog: TOML file with models beyond the project's own.
        pricing: devices and prices of the costs.
    """

    def __init__(
        self,
        store_url: str,
        plan: Plan | None = None,
        catalog: Path | None = None,
        pricing: Pricing | None = None,
    ) -> None:
        self._store_url = store_url
        self._plan = plan
        self._catalog = load_catalog(catalog)
        self._pricing = pricing or Pricing()
        # The state of the store is the first argument of each: what is older is never met again.
        self._choices = lru_cache(maxsize=1)(self._find_choices)
        self._bundle = lru_cache(maxsize=4)(self._read_bundle)
        self._candidates = lru_cache(maxsize=16)(self._find_candidates)
        self._asked = lru_cache(maxsize=64)(self._ask)
        self._documents = lru_cache(maxsize=256)(self._make_document)
        self._answers = lru_cache(maxsize=256)(self._make_answer)
        self._figures = lru_cache(maxsize=256)(self._make_figures)

    def choices(self) -> dict[str, Any]:
        """Return the policies, PRMs and other values that a question may name."""
        return self._choices(self._state())

    def recommend(self, asked: Asked) -> dict[str, Any]:
        """Return the document of `apportion recommend --json`, with parts of a report.

        The parts are curves, front and tables, as `apportion report --format json` has them.

        Raises:
            InputError: there is no evidence on the question, or no strategy keeps to the
                constraint.
        """
        return self._documents(self._state(), asked)

    def answer(self, asked: Asked) -> str:
        """Return the recommendation in words, as HTML; see `recommend`."""
        return self._answers(self._state(), asked)

    def figures(self, asked: Asked) -> str:
        """Return curves, front, costs and their evidence, as HTML; see `recommend`."""
        return self._figures(self._state(), asked)

    def difficulty(self, text: str) -> dict[str, Any]:
        """Estimate the difficulty of a question for the plan's policy, from its text alone.

        Raises:
            NotHereError: there is no plan, or its estimator needs samples.
        """
        policy, model = self._classifier()
        found = model.estimate_probes(Probes.of_text(text))
        return {
            "policy": policy,
            "difficulty": found.difficulty.value,
            **found.to_dict(),
            "quality": words.sentence(word(estimator_note(model.head(0)))),
        }

    def _classifier(self) -> tuple[str, DifficultyModel]:
        """Return the plan's policy and its estimator."""
        if self._plan is None:
            raise NotHereError(
                "no plan is served here, and the estimator of difficulty is part of one: "
                "choose a difficulty instead"
            )
        policy, model = name_in_plan(self._plan.policy, "policy"), self._plan.classifier
        if model is None or model.heads[0].probes > 0:
            raise NotHereError(
                f"the plan for {policy} cannot tell a difficulty from the text alone: "
                "choose one instead, or ask the server, which draws samples"
            )
        return policy, model

    def _state(self) -> str:
        """Return a text that changes if the store holds other evidence."""
        if not store_exists(self._store_url):
            return _NO_STORE
        with Store.open(self._store_url, create=False) as store:
            return store.state(KINDS)

    def _find_choices(self, _: str) -> dict[str, Any]:
        return choices(self._store_url, self._catalog, self._plan)

    def _read_bundle(
        self, _: str, policy: str, prm: str | None, benchmark: str | None
    ) -> EvidenceBundle:
        return read_evidence_bundle(
            self._store_url, policy, prm, self._pricing, benchmark, self._catalog
        )

    def _find_candidates(
        self, state: str, policy: str, prm: str | None, level: str, benchmark: str | None
    ) -> MeasuredCandidates | PublishedCandidates:
        return find_candidates(
            self._store_url,
            policy,
            prm,
            level,
            benchmark=benchmark,
            catalog=self._catalog,
            pricing=self._pricing,
            read=lambda _url, name, scorer, _pricing, on, _catalog: self._bundle(
                state, name, scorer, on
            ),
        )

    def _ask(self, state: str, asked: Asked) -> tuple[Answer, ReportData]:
        """Return the answer, and the findings of a report on this one difficulty."""
        known = self._candidates(state, asked.policy, asked.prm, asked.difficulty, asked.benchmark)
        answered, notes = known.choose(asked.constraint)
        # Curves go beyond the limits: they show what more would buy.
        shown = replace(_data(known, answered, notes), found={asked.difficulty: known.strategies})
        return answered, shown

    def _make_document(self, state: str, asked: Asked) -> dict[str, Any]:
        answered, data = self._asked(state, asked)
        title = f"Which strategy, with how much compute: {answered.policy}"
        sections = tuple(_sections(data, asked.constraint))
        report = Report(answered.policy, answered.prm, title, "", sections)
        record = {"recommendation": recommendation_to_dict(answered), "report": to_dict(report)}
        made: dict[str, Any] = finite(record)
        return made

    def _make_answer(self, state: str, asked: Asked) -> str:
        _, data = self._asked(state, asked)
        return to_fragment([Cards(tuple(card(one) for one in data.advice))])

    def _make_figures(self, state: str, asked: Asked) -> str:
        _, data = self._asked(state, asked)
        return to_fragment(_sections(data, asked.constraint))


def _data(
    known: MeasuredCandidates | PublishedCandidates, answered: Answer, notes: tuple[Note, ...]
) -> ReportData:
    """Return the findings of a report on one answer, without rewards and held-out runs."""
    if isinstance(known, PublishedCandidates):
        return published_data(answered, notes)
    return ReportData(
        policy=answered.policy,
        prm=answered.prm,
        advice=[answered],
        found={},
        mix=difficulty_counts(answered.rows),
        basis=basis_rows(answered, known.bundle.origin),
        rewards=None,
        scores=(),
        fit=known.bundle.metrics,
        runs=(),
        paired=(),
        notes=notes,
    )


def _sections(data: ReportData, constraint: Constraint) -> Iterator[Section]:
    """Yield the sections: curves beside the front, then costs, then their evidence."""
    budget, cost, strategies = accuracy.sections(data, tuple(data.found))
    [curves], [front] = budget.plots(), cost.plots()
    plots = (
        replace(curves, caption=budget.heading, limit=constraint.budget),
        replace(front, caption=cost.heading),
    )
    said: list[Block] = [b for one in (budget, cost) for b in one.blocks if isinstance(b, Text)]
    if constraint.budget is not None:
        said.append(Text(f"Shaded is what lies beyond the budget of {constraint.budget:,}."))
    yield Section("curves", "What accuracy costs", "Curves", (Plots(plots), *said))
    tables: list[Block] = [*cost.tables(), *strategies.tables()]
    yield Section("costs", "Costs", "Costs", tuple(tables))
    yield basis.basis(data)
    yield basis.notes(data)
