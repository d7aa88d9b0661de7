"""The Python API: light to import, the command line's objects, answers from threads and loops."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apportion import Apportion
from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.json_values import finite
from executor.models.templates import PromptTemplate
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.run.runner import Executor
from executor.store.store import Store
from executor.strategy import Greedy, Majority, Sampling
from planner.plans.serialization import save_plan
from planner.runtime.session import Session
from planner.usecases.recommend import to_dict
from profiling.profiles.profiler import profile, profile_spec
from tests.helpers.command import document
from tests.helpers.model_refs import policy_ref, prm_ref

ROOT = Path(__file__).parents[2]
PROBLEMS = simulated_problems(45)
CHANCE = {p.text: (0.97, 0.3, 0.02)[i % 3] for i, p in enumerate(PROBLEMS)}


class Served(SimulatedPolicy):
    """A simulated policy as a session would have loaded it."""

    template = PromptTemplate()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a simulated profile."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"
    executor = models()
    spec = profile_spec(executor, 16, PromptTemplate().to_dict())
    with Store.open(url) as opened:
        asyncio.run(profile(executor, PROBLEMS, opened, spec))
    return url


def models(*_: Any, **__: Any) -> Executor:
    return Executor(
        Served(CHANCE, 1, wrong_answers=3), SimulatedPrm(0.75), MathGrader(), Sampling(),
        digests={"policy": "a", "prm": "b"},
    )  # fmt: skip


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions whose models are simulated ones."""
    monkeypatch.setattr(Session, "executor", models)
    monkeypatch.setattr(Session, "find_policy", lambda _, name: policy_ref(name))
    monkeypatch.setattr(Session, "find_prm", lambda _, name: prm_ref(name))


@pytest.mark.process
def test_importing_the_client_imports_nothing_heavy() -> None:
    program = (
        "import sys; from apportion import Apportion; "
        "heavy = {'pandas', 'torch', 'vllm', 'fastapi', 'sqlalchemy', 'scipy'} & set(sys.modules); "
        "print(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_recommendations_are_those_of_the_command_line(tmp_path: Path) -> None:
    url = "sqlite://"
    with Apportion(url) as apportion:
        found = apportion.recommend("lab-0.8m", "lab-0.8m-prm", difficulty="hard", budget=16)
    printed = document(
        tmp_path, "recommend", "--policy", "lab-0.8m", "--prm", "lab-0.8m-prm",
        "--difficulty", "hard", "--budget", "16", "--store", url,
    )  # fmt: skip
    assert printed == json.loads(json.dumps(finite(to_dict(found))))


def test_bad_limits_are_one_line(tmp_path: Path) -> None:
    with Apportion(f"sqlite:///{tmp_path}/none.db") as apportion:
        with pytest.raises(InputError, match="budget is 0; expected"):
            apportion.recommend("lab-0.8m", budget=0)
        with pytest.raises(InputError, match="difficulty 'odd'"):
            apportion.recommend("lab-0.8m", difficulty="odd")
        with pytest.raises(InputError, match=r"plan nowhere\.json: no such file"):
            apportion.answer("What?", "nowhere.json")


@pytest.mark.long
@pytest.mark.usefixtures("simulated")
def test_a_question_is_answered_by_a_plan_or_its_file(store: str, tmp_path: Path) -> None:
    problem = PROBLEMS[0]
    with Apportion(store) as apportion:
        plan = apportion.plan("simulated-policy", "simulated-prm", budget=16)
        save_plan(plan, tmp_path / "plan.json")
        first = apportion.answer(problem.text, plan, seed=1)
        second = apportion.answer(problem.text, tmp_path / "plan.json", seed=1)
        assert first.answer == second.answer == problem.answer
        assert first.texts == second.texts
        assert len(apportion._answerers) == 1
        assert apportion.answer(problem.text, plan, budget=1).strategy.n == 1
        forced = apportion.answer(problem.text, plan, strategy=Majority(8), n=2)
        assert forced.strategy == Majority(8)


@pytest.mark.usefixtures("simulated")
def test_many_questions_at_once_in_a_loop_of_ones_own(store: str) -> None:
    async def run(apportion: Apportion) -> list[Any]:
        plan = await asyncio.to_thread(apportion.plan, "simulated-policy", "simulated-prm")
        asked = (apportion.answer_async(p.text, plan, strategy=Greedy()) for p in PROBLEMS[:6])
        return await asyncio.gather(*asked)

    with Apportion(store) as apportion:
        found = asyncio.run(run(apportion))
    right = [one.answer == p.answer for one, p in zip(found, PROBLEMS, strict=False)]
    assert right == [True, False, False] * 2


@pytest.mark.long
@pytest.mark.usefixtures("simulated")
def test_the_examples_of_the_docs_run(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they stand, with simulated models in the place of the folders; each about ten lines."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(store.removeprefix("sqlite:///"), "apportion.db")
    page = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    for question in re.findall(r'"([^"]+\?)"', page):
        monkeypatch.setitem(CHANCE, question, 0.9)
    told = []
    for block in blocks:
        assert len(list(filter(str.strip, block.splitlines()))) <= 11
        named = block.replace("./my-model", "simulated-policy")
        named = named.replace("heads/mine", "simulated-prm")
        exec(compile(named, "docs/python-api.md", "exec"), {"__name__": "__main__"})
        told.append(capsys.readouterr().out.splitlines())
    called, recommended, answered, at_once = told
    assert called[0].startswith("dvts(n=16")
    assert recommended[0].startswith("dvts(n=16")
    assert recommended[1].startswith("runner-up: ")
    assert len(answered) == 1 and "Ledger(" in answered[0]
    assert len(at_once) == 2
