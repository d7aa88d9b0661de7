"""What is recorded of real models, and the page of it, from stores of simulated ones."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from executor.answers.grader import MathGrader
from executor.models.templates import PromptTemplate
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.problem import Problem
from executor.run.runner import ByStrategy, Executor, Solved, run_problems
from executor.store.store import RunSpec, Store
from executor.strategy import Greedy, Majority, Sampling, to_dict
from planner.costs.measured import note_model
from planner.evidence import bundled
from planner.plans.serialization import load_plan
from planner.usecases.run import KIND as RUN
from profiling.profiles.profiler import BENCHMARK, MEASURE, profile, profile_spec

PROBLEMS = simulated_problems(24)
SAMPLES = 16
TEMPLATE = PromptTemplate().to_dict()
BENCHMARKS = ("GSM8K", "SVAMP")
MODULES = ("common", "matrix", "record_evidence", "real_models", "record_real_models",
           "real_matrix", "sections", "paper_on_real_models")  # fmt: skip


def answer_as_planned(executor: Executor, problems: list[Problem], store: Store) -> None:
    """A run as a plan makes it: the note of each answer names the strategy."""

    async def solve(problem: Problem) -> Solved:
        outcome, note = await executor.run(ByStrategy(Majority(4)), problem)
        return outcome, note | {"strategy": "majority"}

    spec = RunSpec(RUN, executor.policy.name, None, executor.settings(TEMPLATE, plan={}))
    asyncio.run(run_problems(problems, solve, store, spec))


def fill(work: Path, policy: str, head: str) -> None:
    """Stores of both parts of two benchmarks: pools, their scores, and greedy answers."""
    asked = iter(PROBLEMS)
    with MathGrader() as grader:
        for benchmark in BENCHMARKS:
            for part in ("profile", "heldout"):
                problems = [next(asked) for _ in range(6)]
                chances = {one.text: at / 5 for at, one in enumerate(problems)}
                model = SimulatedPolicy(chances, 1, wrong_answers=3, name=policy)
                with Store.open(f"sqlite:///{work}/{benchmark}.{part}.db") as store:
                    for prm in (None, SimulatedPrm(0.9, name=head)):
                        executor = Executor(model, prm, grader, Sampling())
                        spec = profile_spec(executor, SAMPLES, TEMPLATE)
                        asyncio.run(profile(executor, problems, store, spec))
                    for name in (policy, head):
                        note_model(store, name, 1000, None)
                    executor = Executor(model, None, grader, Sampling())
                    settings = executor.settings(TEMPLATE, strategy=to_dict(Greedy()))
                    spec = RunSpec(MEASURE, policy, None, settings)
                    solve = partial(executor.run, ByStrategy(Greedy()))
                    asyncio.run(run_problems(problems, solve, store, spec))
                    if part == "heldout":
                        answer_as_planned(executor, problems, store)


@pytest.fixture
def measured(
    script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Both simulated policies recorded, in a data folder of its own."""
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    folder = tmp_path / "data" / "measured"
    folder.mkdir(parents=True)
    monkeypatch.setattr(script("common"), "MEASURED", folder)
    monkeypatch.setattr(bundled, "data_folder", lambda: tmp_path / "data")
    real_models = script("real_models")
    for policy in real_models.POLICIES:
        fill(tmp_path, policy, real_models.head_of(policy))
    record = script("record_real_models")
    monkeypatch.setattr("sys.argv", ["record_real_models.py", "--work", str(tmp_path)])
    record.main()
    yield folder
    for name in MODULES:  # with the folder of this test
        sys.modules.pop(name, None)


@pytest.mark.long
def test_evidence_is_of_the_part_to_learn_from_and_has_no_text(measured: Path) -> None:
    rows = bundled.bundled_rows()
    assert set(rows[BENCHMARK]) == set(BENCHMARKS)
    assert rows["problem"].nunique() == 12
    assert (
        load_plan(measured.parent / "plans" / "smollm2-135m.json").prm == "smollm2-135m-gsm8k-head"
    )
    heldout = pd.read_parquet(measured / "heldout" / "smollm2-135m.parquet")
    assert not set(heldout["problem"]) & set(rows["problem"])
    for path in measured.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(problem.text.encode() in content for problem in PROBLEMS)


@pytest.mark.long
def test_the_page_is_written_of_what_is_recorded(
    measured: Path,
    script: Callable[[str], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = script("paper_on_real_models")
    out = tmp_path / "page.md"
    monkeypatch.setattr("sys.argv", ["paper_on_real_models.py", "--out", str(out)])
    page.main()
    text = out.read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| smollm2")]
    # Right answers of the six problems come at rates of 0, .2, .4, .6, .8 and 1.
    greedy = [row for row in rows if row[1:3] == ["SVAMP", "greedy"]]
    both = [row[4] if row[3] == "-" else row[3] for row in greedy]
    assert both == ["0.500 [0.190, 0.810]"] * 2  # beside other strategies, and beside the plan
    # Two policies on two benchmarks: what the plan did, and three strategies beside it.
    assert sum("**plan**" in line for line in text.splitlines()) == 4
    assert "{" not in text
