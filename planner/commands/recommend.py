"""`apportion recommend`: the answer, from evidence alone."""

from __future__ import annotations

import difflib
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from executor.answers import MathGrader
from executor.errors import InputError
from executor.store import Store
from executor.strategy import key
from planner import evidence, noted
from planner.catalog import Catalog, load_catalog
from planner.commands import common, measured_runs
from planner.commands.common import model_name, store_exists, store_name
from planner.console import Output, count, share, table
from planner.constraint import Constraint
from planner.costs import Rates
from planner.efficiency import Efficiency, efficiency
from planner.efficiency import sentence as efficiency_sentence
from planner.next_measurement import PROBLEMS, Measurement, next_measurement
from planner.next_measurement import sentence as measurement_sentence
from planner.posterior import PERCENT
from planner.pricing import Pricing
from planner.prm_verdict import vote_gain
from planner.published.answer import DEFAULT_BENCHMARK, ask
from planner.purchase import commands
from planner.recommend import Choice, Recommendation, candidates, choose, unit_name
from planner.report import prm_words
from planner.runner_up import RunnerUp, runner_up, why
from planner.shape import Shape
from profiling.passrate import ALL

if TYPE_CHECKING:
    from planner.outcome import OutcomeModel


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer rests on.

    Attributes:
        frame: evidence.
        model, metrics: the outcome model fitted to it, and how good it is; None without one.
        rates: what a token costs.
        notes: for people.
        origin: where the evidence is from.
        bundled: whether that is this project and not a store.
    """

    frame: pd.DataFrame
    model: OutcomeModel | None
    metrics: dict[str, Any] | None
    rates: Rates
    notes: tuple[str, ...]
    origin: str = "a store"
    bundled: bool = False
    own: bool = True  # measured in this store: neither bundled nor imported, which a run replaces


@dataclass(frozen=True, slots=True)
class Answer:
    """A recommendation with all that is said of it.

    Attributes:
        policy, prm: whom it is for.
        rows: the evidence it rests on.
        made: the choice, what else keeps to the limits, the Pareto front, notes.
        second: the runner-up; `why` it lost.
        measurement: what more problems would be worth; None where nothing was measured.
        gains: efficiency gain over majority vote, by unit of budget.
        published: figures of others, where nothing was measured (`planner.published.answer`).
        own: whether it rests on runs of this store, which more of them add to.
        notes: for people.
    """

    policy: str
    prm: str | None
    rows: pd.DataFrame
    made: Recommendation
    second: RunnerUp | None
    why: str | None
    measurement: Measurement | None
    gains: dict[str, Efficiency]
    published: tuple[dict[str, Any], ...] = ()
    own: bool = True
    notes: tuple[str, ...] = ()

    @property
    def buy(self) -> tuple[str, ...]:
        """Command lines of the measurement; none where they would replace what this rests on."""
        if not self.own or self.measurement is None:
            return ()
        cells, problems = self.measurement.cells, self.measurement.problems
        return commands(cells, problems, self.policy, self.prm, self.made.difficulty)


def run(arguments: Namespace, output: Output) -> None:
    """Look at the evidence and choose."""
    level = common.difficulty(arguments.difficulty)
    constraint = common.constraint(arguments)
    answered = recommended(
        arguments.store,
        arguments.policy,
        arguments.prm,
        level,
        constraint,
        common.pricing(arguments),
        benchmark=arguments.benchmark,
        catalog=load_catalog(arguments.catalog),
        next_problems=arguments.next_problems,
    )
    notes = list(answered.notes)
    record = document(answered, notes)
    output.result(record, lambda console: show(console, answered, notes))


def recommended(
    store_url: str,
    policy: str,
    prm: str | None,
    level: str,
    constraint: Constraint,
    pricing: Pricing,
    *,
    benchmark: str | None = None,
    catalog: Catalog | None = None,
    next_problems: int = PROBLEMS,
) -> Answer:
    """The choice from the store's evidence, this project's own, or published figures.

    Raises:
        InputError: no evidence, or nothing keeps to the constraint.
    """
    policy, prm = model_name(policy), model_name(prm)
    catalog = catalog or load_catalog()
    measured = measured_names(store_url, policy, prm, catalog)
    if asks_published(store_url, benchmark, measured, catalog.policy(policy) is not None):
        sized = measured_runs.counted(store_url, policy, prm, catalog)
        answered, notes = published(
            policy, prm, level, constraint, sized, pricing, benchmark=benchmark
        )
        if measured is not None:
            notes = (*measured_runs.unused(store_url, measured[0]), *notes)
    else:
        if measured is None:
            raise InputError(_unheard_of(store_url, policy, catalog))
        policy, prm = measured
        basis = read_basis(store_url, policy, prm, pricing, benchmark, catalog)
        common.check_known(constraint, basis.rates)
        answered = answer(basis, policy, prm, level, constraint, next_problems)
        notes = basis.notes
        if (gain := vote_gain(answered.rows, prm)) is not None:
            notes = (prm_words.gain(gain.difference, gain.samples, str(prm)), *notes)
    return replace(answered, notes=(*answered.made.notes, *notes))


def answer(
    basis: Basis,
    policy: str,
    prm: str | None,
    level: str,
    constraint: Constraint,
    next_problems: int = PROBLEMS,
) -> Answer:
    """The choice for a difficulty, and what is said of it.

    Raises:
        InputError: no evidence, or nothing keeps to the constraint.
    """
    found = candidates(basis.frame, policy, prm, level, basis.model, basis.rates)
    if not found:
        raise InputError(f"difficulty {level}: there is no evidence on it for policy {policy}")
    made = choose(level, found, constraint, basis.rates)
    return explain(basis, policy, prm, made, found, constraint, next_problems)


def explain(
    basis: Basis,
    policy: str,
    prm: str | None,
    made: Recommendation,
    found: Sequence[Choice],
    constraint: Constraint,
    next_problems: int = PROBLEMS,
) -> Answer:
    """What is said of a choice.

    Args:
        basis, policy, prm: whom it is for, and the evidence.
        made: the choice, under `constraint`.
        found: everything known, whatever it costs.
        constraint: what it keeps to.
        next_problems: of a measurement.
    """
    usable = evidence.for_pair(basis.frame, policy, prm)
    level = made.difficulty
    rows = usable if level == ALL else usable[usable["difficulty"] == level]
    second = runner_up(made, constraint, rows)
    return Answer(
        policy,
        prm,
        usable,
        made,
        second,
        None if second is None else why(second, made, constraint),
        next_measurement(made, found, constraint, rows, next_problems),
        efficiency(made.choice, found, rows),
        own=basis.own,
    )


def asks_published(
    store_url: str,
    benchmark: str | None,
    measured: tuple[str, str | None] | None,
    in_catalog: bool,
) -> bool:
    """Whether published figures answer: of a benchmark that no runs are of, or without any runs."""
    if benchmark is None:
        return measured is None and in_catalog
    return measured is None or not measured_runs.have(store_url, measured[0], benchmark)


def published(
    policy: str,
    prm: str | None,
    level: str,
    constraint: Constraint,
    catalog: Catalog,
    pricing: Pricing,
    *,
    benchmark: str | None,
) -> tuple[Answer, tuple[str, ...]]:
    """The choice from what others have published, and what should be known of that.

    What a measurement of a few problems would change, and the gain over majority vote, are not
    said: both need outcomes by problem, and figures are of whole benchmarks.

    Raises:
        InputError: figures are of no single difficulty or not of this benchmark, or nothing keeps
            to the constraint.
    """
    if level != ALL:
        raise InputError(
            f"difficulty {level}: published figures are of whole benchmarks; "
            "leave --difficulty out, or profile and measure"
        )
    sizes = Rates(
        policy_parameters=catalog.parameters(policy),
        policy_weights=catalog.all_parameters(policy),
        prm_parameters=None if prm is None else catalog.parameters(prm),
    )
    rates = pricing.apply(sizes, policy, prm)
    common.check_known(constraint, rates)
    found = ask(policy, prm, benchmark, catalog, rates)
    made = choose(level, list(found.choices), constraint, rates)
    nothing = evidence.no_rows()
    second = runner_up(made, constraint, nothing)
    lost = None
    if second is not None:
        better = found.probability_better(second.choice.strategy, made.choice.strategy)
        basis = "by their joint prediction from published figures"
        second = replace(second, better=better, basis=basis)
        lost = why(second, made, constraint)
    answered = Answer(policy, prm, nothing, made, second, lost, None, {}, found.evidence)
    return answered, (*found.printed(made.choice.strategy), *found.notes, *rates.notes())


def measured_names(
    store_url: str, policy: str, prm: str | None, catalog: Catalog
) -> tuple[str, str | None] | None:
    """The names under which the store, or this project's own evidence, has a policy and PRM.

    A run of a catalog's model is stored under its hub id. None where the policy was not measured.
    """
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            # Answers to questions of the day (`apportion run`) have no references to judge by.
            runs = [spec for spec in store.runs() if spec.kind in evidence.KINDS]
        policies, prms = {spec.policy for spec in runs}, {spec.prm for spec in runs}
        for name in catalog.names(policy):
            if name in policies:
                scorers = () if prm is None else catalog.names(prm)
                return name, next((one for one in scorers if one in prms), prm)
    return (policy, prm) if policy in evidence.bundled_sizes() else None


def _unheard_of(store_url: str, policy: str, catalog: Catalog) -> str:
    """What to do about a policy that was not measured and is in no catalog."""
    measured = set(evidence.bundled_sizes())
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            measured |= {spec.policy for spec in store.runs() if spec.kind in evidence.KINDS}
    near = difflib.get_close_matches(policy, sorted(measured | set(catalog.policies)), cutoff=0.6)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return (
        f"policy {policy}: there is no evidence on it (measured: {', '.join(sorted(measured))})"
        f"{meant}; measure it with: apportion profile, apportion measure; "
        f"or let what others have published answer: --benchmark {DEFAULT_BENCHMARK}"
    )


def read_basis(
    store_url: str,
    policy: str,
    prm: str | None,
    pricing: Pricing | None = None,
    benchmark: str | None = None,
    catalog: Catalog | None = None,
) -> Basis:
    """Evidence of the store; the bundled one where the store has none of this policy.

    Of a study, the runs on one `benchmark`, or all of them with a note of what is pooled. The
    `catalog` tells the sizes of models that no run has loaded.
    """
    pricing, catalog = pricing or Pricing(), catalog or load_catalog()
    if store_exists(store_url):
        # Half a second to import, and bundled evidence is answered from without them.
        from planner.commands.fit import stored_model

        with Store.open(store_url, create=False) as store, MathGrader() as grader:
            frame = evidence.gather(store, grader, policy, () if prm is None else (prm,))
            if evidence.for_pair(frame, policy, prm).empty:  # so that it can be said what there is
                frame = evidence.gather(store, grader, policy)
            if not frame.empty:
                model = stored_model(store)
                priced = pricing.apply(noted.rates(store, policy, prm, catalog), policy, prm)
                notes = _model_notes(frame, policy, prm, model[1] if model else None)
                study = evidence.study_of(store.runs(), policy)
                if benchmark is not None:
                    frame = frame[frame["benchmark"] == benchmark]
                notes += _import_notes(study, evidence.for_pair(frame, policy, prm), benchmark)
                notes += tuple(evidence.comparable(frame, policy, prm).notes())
                return Basis(
                    frame,
                    model[0] if model else None,
                    model[1] if model else None,
                    priced,
                    (*notes, *priced.notes()),
                    store_name(store_url) if study is None else f"study {study}",
                    own=study is None,
                )
    frame = evidence.bundled(policy)
    if frame.empty:  # all of it, so that it can be said which policies are known
        frame = evidence.bundled()
    note = (
        "from evidence this project recorded on its own problems; "
        "profile and measure on yours for an answer of your own"
    )
    sizes = evidence.bundled_sizes()
    known = Rates(
        policy_parameters=sizes.get(policy),
        prm_parameters=None if prm is None else sizes.get(prm),
        policy_shape=Shape.bundled(policy),
        prm_shape=None if prm is None else Shape.bundled(prm),
    )
    priced = pricing.apply(known, policy, prm)
    notes = (note, *priced.notes())
    return Basis(
        frame, None, None, priced, notes, "this project's own runs", bundled=True, own=False
    )


def _model_notes(
    frame: pd.DataFrame, policy: str, prm: str | None, metrics: dict[str, Any] | None
) -> tuple[str, ...]:
    if metrics is None:
        return ("no model is fitted yet: apportion fit sharpens this",)
    from planner.tuning import rests_on

    if not rests_on(metrics, frame, policy, prm):
        return ("evidence has changed since the model was fitted: run apportion fit again",)
    return ()


def _import_notes(study: str | None, rows: pd.DataFrame, benchmark: str | None) -> tuple[str, ...]:
    if study is None:
        return ()
    alone = "" if benchmark is None else f", its runs on {benchmark} alone"
    note = (
        f"from runs imported as study {study}{alone}, graded as they were there; costs that need "
        "counts they do not give are unknown, and strategies are then compared by generations; "
        "profile and measure for an answer of your own"
    )
    counts = evidence.benchmark_counts(rows)
    if len(counts) < 2:
        return (note,)
    parts = [
        f"{count} problems of {name or 'none that is named'}" for name, count in counts.items()
    ]
    return (note, f"pooled: {' and '.join(parts)}; --benchmark NAME answers from one alone")


def document(answered: Answer, notes: list[str]) -> dict[str, Any]:
    """The JSON document of the contract, and what else is known."""
    made, second = answered.made, answered.second
    choice = made.choice.to_dict()
    return {
        "policy": answered.policy,
        "prm": answered.prm,
        "difficulty": made.difficulty,
        "strategy": dict.fromkeys(("name", "n", "width", "score", "vote")) | choice["strategy"],
        "predicted_accuracy": choice["predicted_accuracy"],
        "interval": choice["interval"],
        "chance_of_target": made.chance,
        "cost": choice["cost"],
        "alternatives": [other.to_dict() for other in made.alternatives],
        "runner_up": None if second is None else second.to_dict(str(answered.why)),
        "pareto": [one.to_dict() for one in made.pareto],
        "cost_unit": made.cost_unit,
        "next_measurement": None
        if answered.measurement is None
        else answered.measurement.to_dict(answered.buy),
        "efficiency_gain": {unit: gain.to_dict() for unit, gain in answered.gains.items()},
        "evidence": [*_rows(answered.rows), *answered.published],
        "notes": notes,
    }


def _rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """What it rests on, a line a kind of evidence."""
    groups = rows.groupby(["source", "name", "prm"], as_index=False).agg(
        rows=("accuracy", "size"), problems=("problem", "nunique")
    )
    return [{str(k): v for k, v in record.items()} for record in groups.to_dict("records")]


def show(console: Console, answered: Answer, notes: list[str]) -> None:
    """The answer for people: in a sentence first."""
    made = answered.made
    choice = made.choice

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    console.print(_headline(answered), highlight=False)
    if answered.why:
        say(f"runner-up: {answered.why}")
    for unit, gain in answered.gains.items():
        if told := efficiency_sentence(gain, unit):
            say(told)
    rows = [
        [
            key(c.strategy) + (" *" if c is choice else ""),
            share(c.predicted_accuracy, c.interval),
            str(c.problems),
            count(c.cost.generated_tokens),
            count(c.cost.prm_tokens),
            count(c.cost.flops),
            "-" if c.cost.seconds is None else f"{c.cost.seconds:.3g}",
        ]
        for c in (made.pareto if choice in made.pareto else (choice, *made.pareto))
    ]
    columns = [
        "strategy",
        f"accuracy [{PERCENT}]",
        "problems",
        "generated",
        "PRM",
        "FLOPs",
        "seconds",
    ]
    unit = unit_name(made.cost_unit)
    title = f"* the choice, and the Pareto front: nothing is more accurate for as few {unit}"
    console.print(table(title, columns, rows))
    if hidden := len(made.alternatives) + 1 - len(rows):
        console.print(f"and {hidden} more, with --json", highlight=False)
    if answered.measurement is not None:
        say(measurement_sentence(answered.measurement, made))
        for line in answered.buy if answered.measurement.chance > 0 else ():
            console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    for note in notes:
        say(f"note: {note}")


def _headline(answered: Answer) -> str:
    """The answer in one sentence."""
    made, choice = answered.made, answered.made.choice
    pair = answered.policy + (f" with {answered.prm}" if answered.prm else "")
    problems = "" if made.difficulty == ALL else f" on {made.difficulty} problems"
    sure = (
        ""
        if made.chance is None
        else f"; this strategy, taken alone, reaches the target with a chance of {made.chance:.1%}"
    )
    return (
        f"[bold]{key(choice.strategy)}[/bold] for {pair}{problems}: predicted accuracy "
        f"{share(choice.predicted_accuracy, choice.interval)} ({PERCENT} interval, "
        f"{choice.problems} problems){sure}"
    )
