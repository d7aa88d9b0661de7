"""The public face: every name is there, documented and light, and works without a terminal."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import re
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

import apportion
from executor.json_values import finite
from planner.runtime.reporter import SilentReporter

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests" / "data" / "before_move"
USE_CASES = ("recommend", "plan", "budget", "evaluate", "replay", "report")
HEAVY = {
    "fastapi", "httpx", "jinja2", "matplotlib", "mpmath", "numpy", "optuna", "pandas",
    "pyarrow", "rich", "scipy", "sklearn", "skops", "sqlalchemy", "torch", "transformers", "vllm",
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with a store, a plan and a workload."""
    shutil.copy(RECORDED / "store.sqlite", tmp_path / "apportion.db")
    shutil.copy(RECORDED / "plan.json", tmp_path)
    shutil.copy(RECORDED / "mix.json", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Heard(SilentReporter):
    """Keeps the labels of what a use case reports."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def status(self, label: str) -> AbstractContextManager[None]:
        self.labels.append(label)
        return nullcontext()


def plain(document: dict[str, Any]) -> Any:
    """A document as JSON has it; fails for anything but plain values."""
    return json.loads(json.dumps(finite(document), allow_nan=False))


# Names


@pytest.mark.parametrize("name", apportion.__all__)
def test_a_public_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(apportion, name)
    assert inspect.getdoc(value)
    assert name in dir(apportion)
    if inspect.isfunction(value):
        assert value.__name__ == name
        assert "argparse" not in str(inspect.signature(value))


def test_the_listed_names_are_all_and_no_others() -> None:
    assert set(apportion.__all__) == set(apportion._HOMES)
    assert len(apportion.__all__) == len(set(apportion.__all__))
    assert dir(apportion) == sorted(apportion.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sell'"):
        _ = apportion.sell  # type: ignore[attr-defined]


def test_type_checkers_find_a_name_at_the_place_it_is_imported_from() -> None:
    tree = ast.parse(inspect.getsource(apportion))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    homes = {
        alias.asname: f"{node.module}:{alias.name}" if alias.name != alias.asname else node.module
        for node in imports if node.module not in ("__future__", "importlib.metadata")
        for alias in node.names
    }  # fmt: skip
    assert homes == apportion._HOMES


def test_the_reference_page_has_every_name_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "apportion.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: apportion\.(\w+)$", page, re.MULTILINE)) == dir(apportion)


def modules_after(*command: str) -> set[str]:
    """The top-level packages that a program has imported when it ends."""
    program = f"import sys\n{chr(10).join(command)}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    "command",
    [
        "import apportion",
        "import apportion; dir(apportion)",
        "from apportion import Constraint, InputError, Majority; Constraint(budget=4); Majority(4)",
        "from apportion import Apportion; Apportion().close()",
    ],
)
def test_importing_the_package_imports_nothing_heavy(command: str) -> None:
    assert not HEAVY & modules_after(command)


def test_importing_the_package_imports_none_of_the_implementation() -> None:
    assert not {"planner", "profiling", "executor", "typing"} & modules_after(
        "for name in ('typing', 're'): sys.modules.pop(name, None)", "import apportion"
    )


def test_the_help_imports_nothing_heavy() -> None:
    command = (
        "from planner.cli.main import main",
        "try: main(['--help'])",
        "except SystemExit: pass",
    )
    assert not HEAVY & modules_after(*command)


def test_the_package_runs_as_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "apportion", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: apportion ")


# Use cases, called as a user would


@pytest.mark.long
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    "name",
    [  # answers in the bundled samples need the grader's child process
        # The evaluation of the example is that of `test_evaluate_compares_plans`.
        pytest.param(
            name, marks={"replay": pytest.mark.process, "evaluate": pytest.mark.slow}.get(name, ())
        )
        for name in ("apportion", *USE_CASES)
    ],
)
def test_the_example_of_a_docstring_runs(name: str) -> None:
    documented = apportion if name == "apportion" else getattr(apportion, name)
    [example] = doctest.DocTestFinder(recurse=False).find(documented, name, module=False)
    assert example.examples
    runner = doctest.DocTestRunner(verbose=False)
    told: list[str] = []
    assert runner.run(example, out=told.append).failed == 0, "".join(told)


def test_recommend_answers_from_bundled_evidence(place: Path) -> None:
    answer = apportion.recommend(
        "lab-0.8m",
        "lab-0.8m-prm",
        difficulty="hard",
        constraint=apportion.Constraint(budget=16),
        pricing=apportion.Pricing(device="h100-sxm-80gb"),
        store=f"sqlite:///{place}/none.db",
    )
    assert isinstance(answer.made, apportion.Recommendation)
    assert answer.made.choice.strategy.n <= 16
    assert answer.made.choice.cost.seconds is not None
    assert answer.notes[-1]
    assert not (place / "none.db").exists()


def test_plan_reads_a_store_and_reports_progress(place: Path) -> None:
    heard = Heard()
    made = apportion.plan(
        "lab-0.4m",
        "lab-0.4m-prm",
        constraint=apportion.Constraint(budget=8),
        store=f"sqlite:///{place}/apportion.db",
        reporter=heard,
    )
    assert isinstance(made.plan, apportion.Plan)
    assert [one.difficulty for one in made.recommendations][-1] == "all"
    assert heard.labels == ["planning"]
    apportion.save_plan(made.plan, place / "new.json")
    assert apportion.load_plan(place / "new.json").entries == made.plan.entries
    assert json.loads((place / "new.json").read_text()) == plain(made.to_dict())


def test_budget_divides_a_total(place: Path) -> None:
    plan = apportion.load_plan(place / "plan.json")
    made = apportion.budget(plan, place / "mix.json", total=apportion.Total("tokens", 4e4))
    assert made == apportion.budget(
        str(place / "plan.json"), str(place / "mix.json"), total=apportion.Total("tokens", 4e4)
    )
    assert made.divisions["division"].spent <= 4e4


def test_replay_gives_a_surface(place: Path) -> None:
    surface = apportion.replay("lab-0.4m", "lab-0.4m-prm", k="all")
    assert surface.samples.source == "store"
    document = plain(surface.to_dict())
    assert len(document["surface"]) == len(surface.points)
    assert max(point.k for point in surface.points) == document["samples"]["fewest"]


@pytest.mark.long
@pytest.mark.usefixtures("place")
@pytest.mark.slow
def test_evaluate_compares_plans() -> None:
    found = apportion.evaluate("lab-0.4m", budgets=[4], trials=1)
    document = plain(found.to_dict())
    assert len(document["comparisons"]) == len(found.comparisons) > 3
    assert [one.budget for one in found.regret] == [4]


@pytest.mark.long
@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_report_writes_a_file(place: Path, form: str) -> None:
    written = apportion.report("lab-0.4m", "lab-0.4m-prm", out=place / "report", form=form)
    assert written.out.stat().st_size > 1000
    assert written.to_dict() == {
        "policy": "lab-0.4m", "prm": "lab-0.4m-prm", "format": form, "out": str(written.out)
    }  # fmt: skip


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: apportion.recommend("lab-0.8m", difficulty="odd"), "difficulty 'odd'"),
        (lambda: apportion.recommend("http://localhost/v1"), "evidence goes by a model's name"),
        (lambda: apportion.plan("nobody"), "policy nobody: has no profile in this store"),
        (lambda: apportion.budget("none.json", "mix.json"), r"plan none\.json"),
        (lambda: apportion.replay(k=[0]), "--k is 0; expected at least 1"),
        (lambda: apportion.evaluate(trials=0), "--trials is 0; expected at least 1"),
        (lambda: apportion.report(out=Path("no") / "page.html"), "folder no does not exist"),
        (
            lambda: apportion.report(out=Path("page"), form="pdf"),
            "--format is 'pdf'; expected one of",
        ),
    ],
)
def test_bad_input_is_one_line(call: Any, message: str) -> None:
    with pytest.raises(apportion.InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
