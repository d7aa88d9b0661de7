"""`apportion demo`: the whole road on the bundled policy and problems, from one command."""

from __future__ import annotations

import dataclasses
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from rich.console import Console

from executor.errors import InputError
from executor.models.checkpoint import resolve
from executor.resources import data_folder
from executor.strategy import BeamSearch, Dvts, Greedy, Majority, Sampling, Strategy
from planner.choice.answer import explain
from planner.choice.constraint import Constraint
from planner.choice.recommend import Recommendation
from planner.cli.commands import common, fit_prm
from planner.cli.commands import fit as fit_command
from planner.cli.commands import plan as plan_command
from planner.cli.commands import profile as profile_command
from planner.cli.commands.measure import measure, summary_table
from planner.cli.commands.run import KIND as RUN_KIND
from planner.cli.commands.run import run_plan
from planner.cli.console import Output
from planner.evaluation.run_summary import PairedDifference, RunSummary, paired_difference
from planner.evidence import gathering as evidence
from planner.evidence.comparable import for_pair
from planner.plans.serialization import plan_to_dict, save_plan, write_whole
from planner.report import report
from planner.report.formats import write
from planner.runtime.session import Session
from planner.usecases.evidence_bundle import read_evidence_bundle
from planner.usecases.plan import plan as make_plan
from planner.usecases.report import report_data
from profiling.difficulty.fitting import PROBES
from profiling.laboratory.catalog import LIVE_BUDGETS, POLICIES, prms_of
from profiling.problems.files import load_problems
from profiling.profiler import profile, profile_rewards, profile_spec, read_profile

# The bundled problems are solved in a few dozen tokens; what runs on has lost its way.
MAX_TOKENS = 256


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """What the demo does with a policy.

    Attributes:
        profile, heldout: its problems, files below `data/problems`.
        problems: of each part; `most` of them can be asked for.
        samples: a problem.
        budgets: of what is measured live.
        prm: a bundled PRM; None: a reward head is trained first, on the first ones of `profile`.
    """

    profile: str
    heldout: str
    problems: int
    most: int
    samples: int
    budgets: tuple[int, ...]
    prm: str | None


def course_of(policy: str) -> Course:
    """Problems of the laboratory for its policies, and its PRM where it has one; else words."""
    name = Path(policy).name
    if name in POLICIES:
        return Course(
            "laboratory/profile.jsonl", "laboratory/heldout.jsonl",
            problems=80, most=200, samples=64, budgets=LIVE_BUDGETS, prm=prms_of(name)["strong"],
        )  # fmt: skip
    return Course(
        "profile.jsonl", "heldout.jsonl",
        problems=30, most=120, samples=16, budgets=(4, 16), prm=None,
    )  # fmt: skip


def run(arguments: Namespace, output: Output) -> None:
    """Profile, train a PRM, measure, fit, plan, run on problems not seen before, report."""
    course = course_of(arguments.policy)
    if arguments.problems is None:
        arguments.problems = course.problems
    if arguments.samples is None:
        arguments.samples = course.samples
    if not 6 <= arguments.problems <= course.most:
        raise InputError(f"--problems {arguments.problems}: must be 6 to {course.most}")
    if arguments.samples < max(course.budgets):
        raise InputError(f"--samples {arguments.samples}: must be at least {max(course.budgets)}")
    out: Path = arguments.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be made ({error.strerror})") from None
    _remember(out, arguments)
    arguments.store = arguments.store or f"sqlite:///{out}/apportion.db"
    settings = dataclasses.replace(
        common.settings(arguments), sampling=Sampling(max_tokens=MAX_TOKENS)
    )
    with output.status(f"looking for {arguments.policy}"):
        resolve(arguments.policy, "policy")
    with Session(output, arguments.store, settings) as session:
        document, made, runs = _road(session, course, arguments, out)
    output.result(document, lambda console: show(console, made, runs, document["plan_minus"], out))


def _remember(out: Path, arguments: Namespace) -> None:
    """Note the options in the demo's folder; other ones belong into another folder."""
    options = {name: getattr(arguments, name) for name in ("policy", "problems", "samples", "seed")}
    note = out / "demo.json"
    if note.exists():
        before = json.loads(note.read_text(encoding="utf-8"))
        if before != options:
            said = ", ".join(f"--{name} {value}" for name, value in before.items())
            raise InputError(
                f"--out {out}: holds a demo made with {said}; give another folder, or delete it"
            )
    else:
        write_whole(note, json.dumps(options) + "\n")


def _road(
    session: Session, course: Course, arguments: Namespace, out: Path
) -> tuple[dict[str, Any], list[Recommendation], list[RunSummary]]:
    n, policy = arguments.problems, arguments.policy
    folder = data_folder() / "problems"
    profiled = load_problems(folder / course.profile)[-n:]
    unseen = load_problems(folder / course.heldout, limit=n)

    head = course.prm
    if head is None:
        session.reporter.say("[bold]1. A reward head from the policy's own samples[/bold]")
        # It is trained on problems of its own: rewards on those it has seen would flatter it.
        training = load_problems(folder / course.profile, limit=n)
        head = str(out / f"{Path(policy).name}-head")
        if not Path(head).exists():
            fit_prm.fit(session, policy, training, arguments.samples, Path(head))
    else:
        session.reporter.say(f"[bold]1. The PRM {head}, which comes with the policy[/bold]")
    executor = session.executor(policy, head)
    template = session.template(policy)
    plain = executor.without_prm()

    session.reporter.say("[bold]2. A profile: pass@1 and difficulty[/bold]")
    spec = profile_spec(executor, arguments.samples, template.to_dict())
    session.timed(
        "profiling", n, spec,
        lambda progress: profile(
            executor, profiled, session.store, spec,
            progress=progress, admission=session.admission(spec, arguments.samples),
        ),
    )  # fmt: skip

    session.reporter.say("[bold]3. Strategies measured live[/bold]")
    live: list[Strategy] = [Greedy()]
    live += [kind(budget) for kind in (BeamSearch, Dvts) for budget in course.budgets]
    for strategy in live:
        runner = executor if strategy.needs_prm else plain
        measure(session, runner, template, profiled, strategy)

    session.reporter.say("[bold]4. The outcome model and the plan[/bold]")
    frame = evidence.gather(session.store, session.grader)
    fit_command.fit(
        session.store, frame, arguments.trials, arguments.seed, session.reporter, arguments.store
    )
    # A question is probed before its strategy is chosen: that is part of the budget.
    constraint = Constraint(budget=max(course.budgets) + PROBES)
    result = make_plan(policy, head, constraint=constraint, store=arguments.store)
    plan, made = result.plan, list(result.recommendations)
    save_plan(plan, out / "plan.json")

    session.reporter.say("[bold]5. The plan on problems it has never seen[/bold]")
    planned = run_plan(session, plan, unseen)
    runs = [planned.summary]
    paired: list[PairedDifference] = []
    for baseline in (Greedy(), Majority(max(course.budgets))):
        summary, baseline_spec = measure(session, plain, template, unseen, baseline, kind=RUN_KIND)
        runs.append(summary)
        others = session.store.outcomes(baseline_spec, samples=False)
        difference = paired_difference(planned.outcomes, others, summary.name)
        paired += [] if difference is None else [difference]
    pair = executor.policy.name, Path(head).name
    bundle = read_evidence_bundle(arguments.store, *pair)
    rows = for_pair(bundle.frame, *pair)
    answers = [
        explain(rows, *pair, one, (one.choice, *one.alternatives), constraint, own=bundle.own)
        for one in made
    ]
    page = report_data(arguments.store, bundle, answers, runs, paired)
    write(report(page), out / "report.html")
    profiles = read_profile(session.store, spec, profiled)
    document = {
        "profile": profile_command.document(
            spec.policy, spec.prm, profiles, profile_rewards(profiles, session.grader)
        ),
        "plan": plan_to_dict(plan),
        "held_out": [summary.to_dict() for summary in runs],
        "plan_minus": [dataclasses.asdict(one) for one in paired],
        "report": str(out / "report.html"),
    }
    return document, made, runs


def show(
    console: Console,
    made: list[Recommendation],
    runs: list[RunSummary],
    paired: list[dict[str, Any]],
    out: Path,
) -> None:
    """The end of the demo: the plan, how it did, where the report is."""
    plan_command.show(console, made, out / "plan.json")
    console.print(summary_table("held-out problems, none used above", runs))
    for one in paired:
        low, high = one["interval"]
        told_apart = "" if low > 0 or high < 0 else ": these problems do not tell them apart"
        console.print(
            f"plan minus {one['against']}: {one['difference']:+.3f} [{low:+.3f}, {high:+.3f}] "
            f"(95 %, paired, {one['problems']} problems){told_apart}",
            highlight=False,
        )
    console.print(f"report: {out / 'report.html'}")
