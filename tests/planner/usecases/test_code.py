"""The road of problems whose answer is a program: profile, measure, plan and run."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor.errors import InputError
from executor.models.stopping import Finish
from executor.policies.base import Draw
from executor.policies.simulated import EOS_ID, SimulatedPolicy, simulated_problems
from executor.run.runner import Executor
from executor.strategy import Greedy, Majority
from planner.choice.constraint import Constraint
from planner.evidence.gathering import gather
from planner.evidence.runs import current_runs, domain_of, evidence_domain
from planner.plans.serialization import load_plan, save_plan
from planner.runtime.reporter import SilentReporter
from planner.runtime.settings import SessionSettings
from planner.usecases.measure import measure
from planner.usecases.plan import plan
from planner.usecases.profile import profile
from planner.usecases.run import run
from tests.helpers.simulated_session import SimulatedSession

pytestmark = pytest.mark.process

SECRET = 98765
CODE = SessionSettings(domain="code")


class Programmer(SimulatedPolicy):
    """A policy that writes programs, right ones with the chance `chance`."""

    chance = 0.6
    asked: list[str]

    def prompt(self, question: str, before: Any = (), answers: Any = ()) -> list[int]:
        self.asked.append(question)
        return super().prompt(question, before, answers)

    def _write(
        self, question: str, p: float, before: str, room: int, stop: Any, greedy: bool,
        rng: random.Random,
    ) -> Draw:  # fmt: skip
        right = greedy or rng.random() < self.chance
        layout = rng.choice(["    return n + k", "    # the sum\n    return  n+k"])
        body = layout if right else f"    return n - {rng.randint(2, 9)}"
        text = f"So:\n```python\n{question.split('|')[1]}\n{body}\n```\n"
        return Draw((*self.tokens.encode(text), EOS_ID), Finish.EOS, -1.0)


class CodeSession(SimulatedSession):
    """A session with that policy."""

    asked: list[str]

    def executor(self, *models: Any, **options: Any) -> Executor:
        if self.settings.domain != "code":
            return super().executor(*models, **options)
        executor = super().executor(*models, **options)
        policy = Programmer(0.5, 2)
        policy.asked = self.asked
        served: Any = policy
        self._loaded._policy = served
        return replace(executor, policy=served, domain="code", digests={"policy": "a"})


@pytest.fixture
def session(tmp_path: Path) -> Iterator[CodeSession]:
    with CodeSession(SilentReporter(), f"sqlite:///{tmp_path}/store.db", CODE) as opened:
        opened.asked = []
        yield opened


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    """Twenty problems in a file; `k` makes each another one."""
    file = tmp_path / "problems.jsonl"
    records = [
        {
            "id": f"p{number}",
            "prompt": f"Add to n.|def f{number}(n, k={number}):",
            "entry_point": f"f{number}",
            "public_tests": f"assert f{number}(1) == {1 + number}",
            "tests": f"assert f{number}({SECRET}) == {SECRET + number}",
        }
        for number in range(20)
    ]
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
    return file


@pytest.mark.long
def test_programs_are_graded_by_their_tests_all_the_way(
    session: CodeSession, problems: Path, tmp_path: Path
) -> None:
    profiled = profile(problems, policy="p", max_samples=8, session=session)
    assert 0.45 < profiled.pass_at_k[1] < 0.75 and profiled.pass_at_k[4] > 0.9
    samples = [sample for one in profiled.problems for sample in one.outcome.samples]
    assert all(sample.answer and sample.answer.startswith("def f") for sample in samples)
    assert [s.correct for s in samples] == ["n + k" in s.text or "n+k" in s.text for s in samples]
    # Votes count programs together that differ in layout alone.
    measured = measure(problems, [Greedy(), Majority(8)], policy="p", session=session)
    assert measured.runs[0].accuracy == 1 and measured.runs[1].accuracy > 0.8

    # Nobody saw a hidden test, and evidence knows its domain.
    assert session.asked and not any(str(SECRET) in text for text in session.asked)
    runs = session.store.runs()
    assert {domain_of(spec) for spec in runs} == {evidence_domain(runs)} == {"code"}
    frame = gather(session.store, session.grader)
    assert frame["problem"].nunique() == 20 and "measured" in set(frame["source"])

    made = plan(runs[0].policy, constraint=Constraint(budget=8), store=session.store_url).plan
    assert made.domain == "code"
    save_plan(made, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json").domain == "code"
    answered = run(problems, plan=made, policy="p", session=session)
    assert answered.runs[0].summary.accuracy > 0.8


@pytest.mark.long
def test_evidence_is_of_one_domain(session: CodeSession, problems: Path, tmp_path: Path) -> None:
    profile(problems, policy="p", max_samples=4, session=session)
    with SimulatedSession(SilentReporter(), session.store_url, SessionSettings()) as maths:
        sums = simulated_problems(10)
        profile(sums, policy="p", max_samples=4, session=maths)
        with pytest.raises(InputError, match="are of domain code, not maths"):
            profile(problems, policy="p", session=maths)
    specs = session.store.runs()
    # The newest profile decides, unless the domain is named.
    assert [domain_of(one) for one in current_runs(specs)] == ["maths"]
    assert [domain_of(one) for one in current_runs(specs, "code")] == ["code"]
    assert gather(session.store, session.grader)["problem"].nunique() == 10
    assert gather(session.store, session.grader, domain="code")["problem"].nunique() == 20
    limit = Constraint(budget=4)
    made = plan(specs[0].policy, constraint=limit, store=session.store_url, domain="code").plan
    assert made.domain == "code"
    with pytest.raises(InputError, match="are of domain maths, not code"):
        run(sums, plan=made, policy="p", store=f"sqlite:///{tmp_path}/other.db")


def test_problems_of_two_domains_are_no_run(session: CodeSession, problems: Path) -> None:
    from profiling.problems.files import load_problems

    with pytest.raises(InputError, match="expected one domain a run"):
        profile([*load_problems(problems), *simulated_problems(1)], policy="p", session=session)
