"""Cascades from the profiles to the answers, with simulated models of known accuracy."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from executor.errors import InputError
from executor.policies.simulated import SimulatedPolicy, simulated_problems
from executor.run.runner import Executor
from planner.cascades.serialization import load_cascade, save_cascade
from planner.choice.constraint import Constraint
from planner.cli.commands.evaluate_cascades import show
from planner.cli.commands.plan import show_cascade as show_plan
from planner.cli.commands.run import show_cascade as show_answers
from planner.runtime.reporter import SilentReporter
from planner.runtime.settings import SessionSettings
from planner.usecases.evaluate_cascades import evaluate_cascades
from planner.usecases.plan_cascade import plan_cascade
from planner.usecases.profile import profile
from planner.usecases.run_cascade import run_cascade
from tests.helpers.command import apportion
from tests.helpers.simulated_session import SimulatedSession, _Loaded
from tests.planner.cascades.test_serialization import plan_of_two

SMALL, LARGE = "Qwen2.5-0.5B-Instruct", "Qwen2.5-7B-Instruct"  # the catalog knows their sizes
LIMIT = 2e12  # FLOPs a problem: below four samples of the large model on all
PROBLEMS = simulated_problems(40)
CHANCES = {
    SMALL: {one.text: 0.98 if at % 2 else 0.3 for at, one in enumerate(PROBLEMS)},
    LARGE: {one.text: 0.97 for one in PROBLEMS},
}


class TwoModels(SimulatedSession):
    """The small model is sure and right on half of the problems; the large one on all."""

    def executor(self, policy, prm=None, *, template=None, sampling=None) -> Executor:  # type: ignore[no-untyped-def]
        made = super().executor(policy, prm, template=template, sampling=sampling)
        served = SimulatedPolicy(CHANCES[policy.name], 1, wrong_answers=5, name=policy.name)
        self._loaded = _Loaded(served, None)
        object.__setattr__(made, "policy", served)
        return made


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TwoModels]:
    url = f"sqlite:///{tmp_path}/store.db"
    with TwoModels(SilentReporter(), url, SessionSettings()) as opened:
        yield opened


@pytest.mark.long
def test_from_profiles_to_answers(session: TwoModels, tmp_path: Path) -> None:
    for policy in (SMALL, LARGE):
        profile(PROBLEMS, policy=policy, max_samples=8, session=session)
    store = session.store_url
    evaluation = evaluate_cascades([SMALL, LARGE], ["none"], limits=[LIMIT], store=store)
    assert evaluation.policies == (SMALL, LARGE) and evaluation.problems == 40
    assert evaluation.to_dict()["unit"] == "flops" and len(evaluation.limits) == 1
    page = io.StringIO()
    show(Console(file=page, width=200), evaluation)
    assert "a random mixture of two strategies" in page.getvalue()
    made = plan_cascade(
        [SMALL, LARGE], ["none"], constraint=Constraint(max_flops=LIMIT), store=store
    )
    assert [stage.policy for stage in made.stages] == [SMALL, LARGE]
    assert made.promise is not None and made.promise.cost <= 1.1 * LIMIT
    file = tmp_path / "cascade.json"
    save_cascade(made, file)
    assert load_cascade(file) == made

    found = run_cascade(PROBLEMS, file, session=session)
    document = found.to_dict()
    assert json.loads(json.dumps(document))["answers"] == document["answers"]
    first, second = found.stages
    assert (first.spec.policy, second.spec.policy) == (SMALL, LARGE)
    assert first.summary.problems == 40
    assert (
        second.summary.problems == first.passed_on == sum(one.stage == 2 for one in found.answers)
    )
    assert 8 <= first.passed_on <= 30  # the hard half, nearly
    assert [one["id"] for one in document["answers"]] == [one.id for one in PROBLEMS]
    low, high = made.promise.interval
    assert low - 0.1 <= document["accuracy"] <= high + 0.1 and document["accuracy"] > 0.85
    assert second.summary.ledger.generated > 0
    page = io.StringIO()
    show_plan(Console(file=page, width=200), made, file)
    show_answers(Console(file=page, width=200), found)
    assert f"stage 1: {made.stages[0].name}" in page.getvalue()
    assert f"stage 1 passed on {first.passed_on} of 40 questions" in page.getvalue()
    assert f"on 40 problems; promised {made.promise.accuracy:.3f}" in page.getvalue()

    again = run_cascade(PROBLEMS, made, session=session)
    assert [one.outcome for one in again.answers] == [one.outcome for one in found.answers]
    assert all(one.summary.engine["solved"] == 0 for one in again.stages if one.summary.engine)


def test_a_plan_needs_profiles_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist; a plan needs profiles of your own"):
        plan_cascade(["lab-0.4m", "lab-1.8m"], store=f"sqlite:///{tmp_path}/none.db")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--policy", "lab-0.4m", "--max-flops", "1e9"], "--max-flops: is for cascades"),
        (["--policy", "lab-0.4m", "--policy", "lab-1.8m", "--budgets", "4"], "--budgets: N gen"),
        (["--policy", "lab-0.4m", "--policy", "lab-1.8m", "--max-flops", "1", "--max-usd", "1"],
         "--max-flops and --max-usd: a cascade weighs"),
        (["--policy", "lab-0.4m", "--policy", "lab-0.4m"], "is given twice"),
    ],
)  # fmt: skip
def test_what_evaluate_refuses(options: list[str], message: str, tmp_path: Path) -> None:
    ended = apportion(tmp_path, "evaluate", *options)
    assert ended.returncode == 2
    assert message in ended.stderr and ended.stderr.count("\n") == 1


def test_what_plan_and_run_refuse(tmp_path: Path) -> None:
    two = ["plan", "--policy", "lab-0.4m", "--policy", "lab-1.8m", "--out", "c.json"]
    save_cascade(plan_of_two(), tmp_path / "two.json")
    (tmp_path / "q.jsonl").write_text('{"problem": "1 + 1?", "answer": "2"}\n')
    run = ["run", "--plan", "two.json", "--problems", "q.jsonl"]
    for arguments, message in (
        ([*two, "--domain", "maths"], "--domain: a cascade is of the domain of its profiles"),
        ([*two, "--budget", "4"], "--budget: N generations of a small and of a large model"),
        ([*two[:3], "--out", "p.json", "--prm", "a", "--prm", "b"], "--prm: a plan of one policy"),
        ([*run, "--policy", "lab-0.4m"], "--policy: a cascade names the models of its stages"),
    ):
        ended = apportion(tmp_path, *arguments)
        assert ended.returncode == 2
        assert message in ended.stderr and ended.stderr.count("\n") == 1
