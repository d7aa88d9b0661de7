"""What bench/code_selection.py says of a store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from executor.domains.execution import Executions
from planner.runtime.reporter import SilentReporter
from planner.runtime.settings import SessionSettings
from profiling.problems.files import load_problems
from tests.helpers.code_session import SECRET, code_command, write_code_problems
from tests.helpers.command import document
from tests.helpers.simulated_session import SimulatedSession

pytestmark = [pytest.mark.process, pytest.mark.long]


def test_a_policy_is_asked_for_tests_by_the_prompt_alone(
    tmp_path: Path, script: Callable[[str], ModuleType]
) -> None:
    bench = script("write_tests")
    problems = load_problems(write_code_problems(tmp_path / "problems.jsonl", 2))
    asked = list(bench.questions(problems))
    assert [one.id for one in asked] == ["p0", "p1"] and "assert f1(" in asked[1].text
    assert not any(SECRET in f"{one.text} {one.answer} {one.meta}" for one in asked)
    with SimulatedSession(SilentReporter(), f"sqlite:///{tmp_path}/s.db", SessionSettings()) as s:
        records = bench.written(problems, "p", 3, session=s, store=s.store_url)
        assert bench.write(tmp_path / "tests.jsonl", records) == 2
    first = json.loads((tmp_path / "tests.jsonl").read_text().splitlines()[0])
    assert first["id"] == "p0" and len(first["texts"]) == 3 and first["tokens"] > 0


def test_the_bench_of_selection_reads_such_a_store(
    tmp_path: Path, script: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    write_code_problems(tmp_path / "problems.jsonl", 6)
    # Such a store may be from before programs were executed; the bench then executes them.
    with code_command(), monkeypatch.context() as patch:
        patch.setattr(Executions, "of", lambda *_: None)
        document(
            tmp_path, "profile", "--problems", "problems.jsonl", "--policy", "p",
            "--max-samples", "8",
        )  # fmt: skip
    lines = [
        {"id": f"p{i}", "tokens": 30, "texts": [f"f{i}(2) == {2 + i}\nassert f{i}(3) == 0"]}
        for i in range(6)
    ]
    (tmp_path / "tests.jsonl").write_text("\n".join(map(json.dumps, lines)))
    bench = script("code_selection")
    arguments = [
        "code_selection", "--store", f"sqlite:///{tmp_path}/apportion.db", "--json", "--n", "8",
        "--problems", str(tmp_path / "problems.jsonl"), "--tests", str(tmp_path / "tests.jsonl"),
    ]  # fmt: skip
    monkeypatch.setattr("sys.argv", arguments)
    bench.main()
    made = json.loads(capsys.readouterr().out)
    rows = made["selection"]
    assert made["problems"] == 6 and made["n"] == 8
    assert rows["first sample"]["gain"] == 0 and rows["first sample"]["executions"] == 0
    # The public test, and one of the two generated ones, tell right programs from wrong ones.
    assert rows["public tests"]["accuracy"] == rows["CodeT"]["accuracy"] == 1
    assert rows["CodeT"]["tokens"] == rows["public tests"]["tokens"] + 30
    low, high = rows["vote by behaviour"]["gain_interval"]
    assert low <= rows["vote by behaviour"]["gain"] <= high
    assert rows["vote by behaviour"]["accuracy"] >= rows["vote by source"]["accuracy"]
