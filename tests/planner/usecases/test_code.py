"""The road of problems whose answer is a program: profile, measure, plan and run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from executor.answers.voting import Vote
from executor.domains.execution import Executions
from executor.errors import InputError
from executor.policies.simulated import simulated_problems
from executor.sandbox.sandbox import Sandbox
from executor.sandbox.suite import Suite
from executor.scorers.public_tests import PublicTests
from executor.strategy import BestOfN, Greedy, Majority
from planner.choice.constraint import Constraint
from planner.evidence.bundled import bundled_rows
from planner.evidence.gathering import gather
from planner.evidence.runs import current_runs, domain_of, evidence_domain
from planner.plans.serialization import load_plan, save_plan
from planner.runtime.model_ref import check_executions, find_prm
from planner.runtime.reporter import SilentReporter
from planner.runtime.settings import SessionSettings
from planner.usecases import evidence_bundle
from planner.usecases.measure import measure
from planner.usecases.plan import plan
from planner.usecases.profile import profile
from planner.usecases.recommend import recommend
from planner.usecases.replay import replay
from planner.usecases.report import report
from planner.usecases.run import run
from profiling.problems.files import load_problems
from tests.helpers.code_session import SECRET, CodeSession, write_code_problems
from tests.helpers.simulated_session import SimulatedSession

pytestmark = pytest.mark.process

CODE = SessionSettings(domain="code")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[CodeSession]:
    with CodeSession(SilentReporter(), f"sqlite:///{tmp_path}/store.db", CODE) as opened:
        opened.asked = []
        yield opened


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    """Twenty problems in a file."""
    return write_code_problems(tmp_path / "problems.jsonl", 20)


@pytest.mark.long
def test_programs_are_graded_by_their_tests_all_the_way(
    session: CodeSession, problems: Path, tmp_path: Path
) -> None:
    profiled = profile(problems, policy="p", max_samples=8, session=session)
    assert 0.45 < profiled.pass_at_k[1] < 0.75 and profiled.pass_at_k[4] > 0.9
    samples = [sample for one in profiled.problems for sample in one.outcome.samples]
    assert all(sample.answer and sample.answer.startswith("def f") for sample in samples)
    assert [s.correct for s in samples] == ["n - " not in s.text for s in samples]
    # What they do on public inputs is stored with them, and each program was charged once.
    for one in profiled.problems:
        records = one.outcome.samples
        assert one.outcome.ledger.executions == len({record.answer for record in records})
        assert len({record.behaviour for record in records if record.correct}) <= 1
        passed = [record.execution and record.execution.public for record in records]
        assert passed == [(record.correct,) for record in records]
    # Votes count programs together that do the same.
    measured = measure(problems, [Greedy(), Majority(8)], policy="p", session=session)
    assert measured.runs[0].accuracy == 1 and measured.runs[1].accuracy > 0.8

    # Nobody saw a hidden test, and evidence knows its domain.
    assert session.asked and not any(SECRET in text for text in session.asked)
    runs = session.store.runs()
    assert {domain_of(spec) for spec in runs} == {evidence_domain(runs)} == {"code"}
    frame = gather(session.store, session.grader)
    assert frame["problem"].nunique() == 20 and "measured" in set(frame["source"])

    # The scorer replays from these samples, and every right program passes the public test here.
    surface = replay(runs[0].policy, "tests", k=[4], store=session.store_url)
    accuracy = {str(one.rule): one.accuracy for one in surface.points if one.difficulty == "all"}
    assert accuracy["max last"] == pytest.approx(accuracy["pass"])
    assert accuracy["pass"] > accuracy["majority"] > 0.8

    made = plan(runs[0].policy, constraint=Constraint(budget=8), store=session.store_url).plan
    assert made.domain == "code"
    save_plan(made, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json").domain == "code"
    answered = run(problems, plan=made, policy="p", session=session)
    assert answered.runs[0].summary.accuracy > 0.8


@pytest.mark.long
def test_a_scorer_sees_no_hidden_test(
    session: CodeSession, problems: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    score, run_in_sandbox = PublicTests.score_responses, Sandbox.run

    async def spy(self: Any, question: str, responses: Any, *, ledger: Any) -> list[float]:
        given.extend((question, *map(repr, responses)))
        return await score(self, question, responses, ledger=ledger)

    def watched(self: Any, program: str, suite: Suite, **options: Any) -> Any:
        verdicts = run_in_sandbox(self, program, suite, **options)
        if not options.get("until_failed"):  # not to grade
            given.extend((repr(suite), repr(verdicts)))
        return verdicts

    monkeypatch.setattr(PublicTests, "score_responses", spy)
    monkeypatch.setattr(Sandbox, "run", watched)
    few = load_problems(problems)[:3]
    profiled = profile(few, policy="p", prm="tests", max_samples=4, session=session)
    assert len(given) > 6 and all(SECRET in str(one.answer) for one in few)
    assert not any(SECRET in text for text in given)
    for one in profiled.problems:
        for record in one.outcome.samples:
            assert record.rewards == (float(bool(record.correct)),)
    best = measure(few, [BestOfN(4, vote=Vote.MAX)], policy="p", prm="tests", session=session)
    assert best.runs[0].accuracy == 1


@pytest.mark.long
def test_samples_of_before_are_executed_without_being_drawn_again(
    session: CodeSession, problems: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = load_problems(problems)[:3]
    with monkeypatch.context() as patch:  # as this project was without executions
        patch.setattr(Executions, "of", lambda *_: None)
        before = profile(few, policy="p", max_samples=4, session=session)
    assert before.ledger.executions == 0 and before.problems[0].outcome.samples[0].execution is None
    after = profile(few, policy="p", prm="tests", max_samples=4, session=session)
    drew = session._loaded.policy_named(before.policy).counters()
    assert drew.generated == 0 and after.ledger.executions > 0
    for old, new in zip(before.problems, after.problems, strict=True):
        texts = [one.text for one in old.outcome.samples]
        assert [one.text for one in new.outcome.samples] == texts
        assert all(one.execution and len(one.execution.public) == 1 for one in new.outcome.samples)


@pytest.mark.long
def test_a_benchmark_that_only_others_measured_is_of_its_own_domain(
    session: CodeSession, problems: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = profile(load_problems(problems)[:2], policy="p", max_samples=4, session=session).policy
    monkeypatch.setattr(evidence_bundle, "bundled_rows", lambda _=None: bundled_rows("lab-0.4m"))
    read = partial(evidence_bundle.read_evidence_bundle, session.store_url, name, None)
    assert read().domain == "code"
    assert read(benchmark="").bundled and read(benchmark="").domain == "maths"
    with pytest.raises(InputError, match="no evidence of the domain code"):
        read(benchmark="", domain="code")


def test_only_answers_that_run_can_be_scored_by_tests() -> None:
    check_executions(find_prm("tests"), "code")
    with pytest.raises(InputError, match="answers of the domain maths are not run"):
        check_executions(find_prm("tests"), "maths")


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
    name, url = specs[0].policy, session.store_url
    for domain, problems_of in (("code", 20), ("maths", 10), (None, 10)):
        answer = recommend(name, constraint=limit, domain=domain, store=url)
        assert answer.rows["problem"].nunique() == problems_of
        assert len(replay(name, k=[1], domain=domain, store=url).samples.pools) == problems_of
    report(name, out=tmp_path / "code.md", form="md", domain="code", store=url)
    assert "20 problems" in (tmp_path / "code.md").read_text()
    with pytest.raises(InputError, match="are no programs that were run on public tests"):
        replay(name, "tests", domain="maths", store=url)
    made = plan(specs[0].policy, constraint=limit, store=session.store_url, domain="code").plan
    assert made.domain == "code"
    with pytest.raises(InputError, match="are of domain maths, not code"):
        run(sums, plan=made, policy="p", store=f"sqlite:///{tmp_path}/other.db")


def test_problems_of_two_domains_are_no_run(session: CodeSession, problems: Path) -> None:
    with pytest.raises(InputError, match="expected one domain a run"):
        profile([*load_problems(problems), *simulated_problems(1)], policy="p", session=session)
