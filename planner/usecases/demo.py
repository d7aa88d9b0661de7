"""The demo: profile, PRM, measure, fit, plan and run, on a bundled policy and its problems."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from executor.errors import InputError
from executor.files import data_folder, write_whole
from executor.problem import Problem
from executor.strategy import BeamSearch, Dvts, Greedy, Majority, Sampling, Strategy
from planner.choice.answer import Answer, explain
from planner.choice.constraint import Constraint
from planner.choice.recommend import Recommendation
from planner.evaluation.run_summary import PairedDifference, RunSummary, paired_difference
from planner.evidence.comparable import for_pair
from planner.plans.plan import Plan
from planner.plans.serialization import plan_to_dict, save_plan
from planner.report import report
from planner.report.formats import write
from planner.runtime.reporter import Reporter, SilentReporter
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from planner.usecases.evidence_bundle import read_evidence_bundle
from planner.usecases.fit import fit
from planner.usecases.fit_prm import fit_prm
from planner.usecases.measure import measure
from planner.usecases.open_session import find_models
from planner.usecases.plan import plan
from planner.usecases.profile import Profile, profile
from planner.usecases.recommend import recommend, to_dict
from planner.usecases.report import report as write_report
from planner.usecases.report import report_data
from planner.usecases.run import Answers, run
from profiling.difficulty.fitting import PROBES
from profiling.laboratory.catalog import LIVE_BUDGETS, POLICIES, prms_of
from profiling.problems.files import load_problems

REAL, REAL_BENCHMARK, REAL_BUDGET = "qwen2.5-coder-1.5b", "GSM8K", 16
"""The real model, the benchmark and the budget that a demo shows recorded evidence on."""
MAX_TOKENS = 256
"""Most tokens of a response: the bundled problems take a few dozen, and longer ones went astray."""
_NOTE = "demo.json"  # the options of a demo, in its folder


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """What the demo does with a policy.

    Attributes:
        profile, heldout: files of problems below `data/problems`.
        problems: default number of problems of each part; at most `most`.
        most: most problems of each part.
        samples: default number of samples for each problem.
        budgets: budgets of the strategies that are measured live, in generations.
        prm: name of a bundled PRM; None: a reward head is trained first, on the first problems of
            `profile`.
    """

    profile: str
    heldout: str
    problems: int
    most: int
    samples: int
    budgets: tuple[int, ...]
    prm: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Demo:
    """What a demo made and found.

    Attributes:
        profile: of the policy.
        plan: the plan, also saved as `plan_file`.
        recommendations: what the plan was made of, by difficulty.
        held_out: runs on problems not used before: by the plan, greedy, and by majority vote.
        plan_minus: accuracy of the plan minus that of the other runs.
        plan_file: file of the plan.
        report: file of the report.
        real: what recorded evidence says of a real model on a public benchmark.
        real_report: file of the report on it.
    """

    profile: Profile
    plan: Plan
    recommendations: tuple[Recommendation, ...]
    held_out: tuple[RunSummary, ...]
    plan_minus: tuple[PairedDifference, ...]
    plan_file: Path
    report: Path
    real: Answer
    real_report: Path

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "profile": self.profile.to_dict(),
            "plan": plan_to_dict(self.plan),
            "held_out": [summary.to_dict() for summary in self.held_out],
            "plan_minus": [dataclasses.asdict(one) for one in self.plan_minus],
            "report": str(self.report),
            "real": to_dict(self.real),
            "real_report": str(self.real_report),
        }


def course_of(policy: str) -> Course:
    """The laboratory's problems for its policies, and word problems for every other policy."""
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


def demo(
    policy: str = "lab-0.8m",
    *,
    out: Path | str = "demo",
    problems: int | None = None,
    samples: int | None = None,
    trials: int = 25,
    store: str | None = None,
    settings: SessionSettings | None = None,
    reporter: Reporter = SilentReporter(),
) -> Demo:
    """Profile, get a PRM, measure, fit, plan, run the plan on problems not seen before, report.

    Args:
        policy: one of the laboratory (lab-0.4m, lab-0.8m, lab-1.8m) solves the laboratory's
            problems, any other, as smollm2-135m, word problems.
        out: folder for the plan, the report and the store.
        problems: number of problems of each part; None: the policy's `Course` says.
        samples: number of samples for each problem; None: the policy's `Course` says.
        trials: number of Optuna trials.
        store: SQLAlchemy URL of the store; None: a file in `out`.
        settings: of engines, seed and concurrency; the demo has a sampling of its own.
        reporter: receives progress and remarks.

    Raises:
        InputError: a number is out of range, or `out` holds a demo with other options.
        EngineError: an engine was lost; the same call goes on from what is stored.
    """
    course = course_of(policy)
    problems = course.problems if problems is None else problems
    samples = course.samples if samples is None else samples
    if not 6 <= problems <= course.most:
        raise InputError(f"--problems is {problems}; expected 6 to {course.most}")
    if samples < max(course.budgets):
        raise InputError(f"--samples is {samples}; expected at least {max(course.budgets)}")
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out {out} cannot be made ({error.strerror}); give another folder"
        ) from None
    settings = dataclasses.replace(
        settings or SessionSettings(), sampling=Sampling(max_tokens=MAX_TOKENS)
    )
    _remember(folder, policy, problems, samples, settings.seed)
    known = find_models(policy, None, settings, reporter)
    with Session(reporter, store or f"sqlite:///{folder}/apportion.db", settings, known) as session:
        return _Road(session, course, policy, folder, problems, samples).walk(trials)


def _remember(out: Path, policy: str, problems: int, samples: int, seed: int) -> None:
    """Note the options in the demo's folder; a demo with other options needs another folder."""
    options = {"policy": policy, "problems": problems, "samples": samples, "seed": seed}
    note = out / _NOTE
    if not note.exists():
        write_whole(note, json.dumps(options) + "\n")
        return
    before = json.loads(note.read_text(encoding="utf-8"))
    if before != options:
        known = ", ".join(f"--{name} {value}" for name, value in before.items())
        raise InputError(
            f"--out {out} holds a demo made with {known}; give another folder, or delete it"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Road:
    """The steps of a demo, on one session."""

    session: Session
    course: Course
    policy: str
    out: Path
    problems: int
    samples: int

    def walk(self, trials: int) -> Demo:
        """All steps, in order."""
        n, policy, session = self.problems, self.policy, self.session
        profiled = self._read(self.course.profile)[-n:]
        unseen = self._read(self.course.heldout, n)
        prm = self._prm()

        session.reporter.say("[bold]2. A profile: pass@1 and difficulty[/bold]")
        found = profile(profiled, policy=policy, prm=prm, max_samples=self.samples, session=session)

        session.reporter.say("[bold]3. Strategies measured live[/bold]")
        live: list[Strategy] = [Greedy()]
        live += [kind(budget) for kind in (BeamSearch, Dvts) for budget in self.course.budgets]
        measure(profiled, live, policy=policy, prm=prm, session=session)

        session.reporter.say("[bold]4. The outcome model and the plan[/bold]")
        seed = session.settings.seed
        fit(trials=trials, seed=seed, session=session, reporter=session.reporter)
        # A question is probed before its strategy is chosen: that is part of the budget.
        constraint = Constraint(budget=max(self.course.budgets) + PROBES)
        made = plan(policy, prm, constraint=constraint, store=session.store_url)
        plan_file = self.out / "plan.json"
        save_plan(made.plan, plan_file)

        session.reporter.say("[bold]5. The plan on problems it has never seen[/bold]")
        baselines = (Greedy(), Majority(max(self.course.budgets)))
        planned = run(unseen, plan=made.plan, session=session)
        others = run(unseen, strategies=baselines, policy=policy, session=session)
        runs = tuple(one.summary for one in (*planned.runs, *others.runs))
        paired = _differences(planned, others)
        page = self._report(prm, constraint, made.recommendations, runs, paired)

        session.reporter.say(f"[bold]6. What was recorded of a real model, {REAL}[/bold]")
        real, real_page = self._real()
        return Demo(
            found, made.plan, made.recommendations, runs, paired, plan_file, page, real, real_page
        )

    def _read(self, file: str, limit: int | None = None) -> list[Problem]:
        return load_problems(data_folder() / "problems" / file, limit=limit)

    def _prm(self) -> str:
        """Name the PRM that comes with the policy, or train one."""
        if self.course.prm is not None:
            self.session.reporter.say(
                f"[bold]1. The PRM {self.course.prm}, which comes with the policy[/bold]"
            )
            return self.course.prm
        self.session.reporter.say("[bold]1. A reward head from the policy's own samples[/bold]")
        head = self.out / f"{Path(self.policy).name}-head"
        if not head.exists():
            # It is trained on problems of its own: rewards on those it has seen would flatter it.
            training = self._read(self.course.profile, self.problems)
            fit_prm(
                training, policy=self.policy, out=head, max_samples=self.samples,
                session=self.session,
            )  # fmt: skip
        return str(head)

    def _report(
        self,
        prm: str,
        constraint: Constraint,
        made: Sequence[Recommendation],
        runs: Sequence[RunSummary],
        paired: Sequence[PairedDifference],
    ) -> Path:
        """Write the report; its file."""
        pair = self.session.find_policy(self.policy).name, self.session.find_prm(prm).name
        bundle = read_evidence_bundle(self.session.store_url, *pair)
        rows = for_pair(bundle.frame, *pair)
        answers = [
            explain(rows, *pair, one, (one.choice, *one.alternatives), constraint, own=bundle.own)
            for one in made
        ]
        page = self.out / "report.html"
        write(report(report_data(self.session.store_url, bundle, answers, runs, paired)), page)
        return page

    def _real(self) -> tuple[Answer, Path]:
        """The bundled evidence on a real model: the choice among all, and the report's file."""
        limits = Constraint(budget=REAL_BUDGET)
        answered = recommend(
            REAL, benchmark=REAL_BENCHMARK, constraint=limits, store=self.session.store_url
        )
        page = self.out / f"{REAL}.html"
        write_report(
            REAL, out=page, benchmark=REAL_BENCHMARK, constraint=limits,
            store=self.session.store_url,
        )  # fmt: skip
        return answered, page


def _differences(planned: Answers, others: Answers) -> tuple[PairedDifference, ...]:
    """Accuracy of the plan minus that of each other run, on the problems they share."""
    (by_plan,) = planned.runs
    found = (
        paired_difference(by_plan.outcomes, one.outcomes, one.summary.name) for one in others.runs
    )
    return tuple(one for one in found if one is not None)
