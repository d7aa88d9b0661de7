"""CodeT's own run, in the sandbox: pass@1 of CodeGen-16B on HumanEval, and what CodeT selects.

The programs and tests are those that arXiv 2207.10397 published: 100 programs and 100 texts with
tests for each of the 164 problems, drawn at temperature 0.8 from prompts without their examples.
Programs are cut at the paper's stop strings, and are right if they pass HumanEval's own tests. Each
runs on the generated tests; CodeT then chooses among the programs of the best group
(`executor.domains.code.agreement`). Prints pass@1 with its interval before and after the selection,
beside the paper's figures (Table 2), and what votes by behaviour and public tests select.

`--programs` and `--tests` take the first programs and texts of each problem; all of both take hours
on one core. As a check of the sandbox itself, `--check N` runs the first N programs of each problem
a second time as the usual harness does: one script with the program, the tests and their call,
which passes if it comes to its end. Of honest programs both must say the same.

Its files lie in the shared data beside this repository; without them the bench stops.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import ROOT, SHARED, finish

sys.path.insert(0, str(ROOT))
from selection import CODET, FIRST, Generated, Table, selections

from executor.domains.code.agreement import generated_tests
from executor.domains.code.grader import CodeGrader
from executor.domains.code.programs import completed
from executor.outcome import SampleRecord
from executor.problem import PUBLIC_TESTS, Problem
from executor.sandbox.sandbox import Limits, Sandbox
from executor.sandbox.suite import Pair, Source, Suite, VerdictKind
from profiling.problems.files import load_problems

RUNS = SHARED / "data" / "runs"
SOLUTIONS = RUNS / "codet_humaneval_codegen16b_solutions.jsonl.gz"
TESTS = RUNS / "codet_humaneval_codegen16b_tests.jsonl.gz"
HUMANEVAL = SHARED / "data" / "benchmarks" / "humaneval.jsonl.gz"
PAPER = {FIRST: 0.297, CODET: 0.367}
"""pass@1 of CodeGen-16B on HumanEval (arXiv 2207.10397, Table 2)."""
STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


@dataclass(frozen=True, slots=True)
class Task:
    """One problem, and the programs and tests that were written for it."""

    problem: Problem
    suite: Suite
    programs: tuple[str, ...]
    tests: Counter[str]


def tasks(programs: int | None, texts: int | None) -> Iterator[Task]:
    """Yield the problems of the run, with the first programs and texts of tests; None: all."""
    # The run has the problems in the order of their ids as text.
    problems = sorted(load_problems(HUMANEVAL), key=lambda problem: problem.id)
    for problem, solved, tested in zip(problems, _lines(SOLUTIONS), _lines(TESTS), strict=True):
        assert problem.answer is not None
        suite = Suite.from_json(problem.answer)
        name = suite.entry_point
        assert name is not None
        assert all(f"def {name}(" in one["prompt"] for one in (solved, tested)), problem.id
        written = tuple(
            completed(cut(text), solved["prompt"], name) for text in solved["samples"][:programs]
        )
        tests = (generated_tests(text, name) for text in tested["samples"][:texts])
        yield Task(problem, suite, written, Counter(test for some in tests for test in some))


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def cut(text: str) -> str:
    """Return a continuation up to the first of the paper's stop strings."""
    for stop in STOPS:
        text = text.split(stop)[0]
    return text


def as_usual(program: str, suite: Suite) -> tuple[str, Suite]:
    """Return a program with its tests behind it, and tests that it has come to its end."""
    (unit,) = suite.units
    assert isinstance(unit, Source)
    script = (
        "import io, sys\nout, sys.stdout = sys.stdout, io.StringIO()\n"
        f"{program}\n{unit.source}\ncheck({suite.entry_point})\n"
        "out.write('end')\nout.flush()\n"
    )
    return script, Suite((Pair("", "end"),))


class Runs:
    """The sandboxes: HumanEval's tests get seconds, generated ones a fraction, as in the paper."""

    def __init__(self, seconds: float, seconds_of_generated: float, threads: int) -> None:
        self.tests = Sandbox(Limits(seconds=seconds), places=threads)
        self.generated = Sandbox(Limits(seconds=seconds_of_generated), places=threads)
        self.public = CodeGrader(Limits(seconds=seconds_of_generated))
        self.threads = ThreadPoolExecutor(threads)

    @property
    def executions(self) -> int:
        """Programs that were started so far."""
        return self.tests.runs + self.generated.runs + self.public.runs

    def verdicts(self, task: Task) -> dict[str, VerdictKind]:
        """Return how each different program does in HumanEval's tests."""
        different = list(dict.fromkeys(task.programs))
        found = self.threads.map(lambda one: self.tests.run(one, task.suite)[0].kind, different)
        return dict(zip(different, found, strict=True))

    def generated_of(self, task: Task) -> Generated:
        """Return what each program passes of the generated tests."""
        tests = Suite(tuple(map(Source, task.tests)), task.suite.entry_point)
        different = list(dict.fromkeys(task.programs))
        found = self.threads.map(lambda one: self.generated.run(one, tests), different)
        passed = {
            program: frozenset(i for i, verdict in enumerate(verdicts) if verdict.passed)
            for program, verdicts in zip(different, found, strict=True)
        }
        return Generated([passed[one] for one in task.programs], list(task.tests.values()))

    def records(self, task: Task, kinds: dict[str, VerdictKind]) -> list[SampleRecord]:
        """Return the programs as samples, with what they do on the examples of HumanEval."""
        shown = task.problem.meta[PUBLIC_TESTS]
        different = list(dict.fromkeys(task.programs))
        ran = dict(zip(different, self.threads.map(
            lambda one: self.public.execute(one, shown), different), strict=True))  # fmt: skip
        return [
            SampleRecord(one, one, kinds[one] is VerdictKind.PASSED, "finished", 0, 0.0,
                         execution=ran[one])
            for one in task.programs
        ]  # fmt: skip

    def close(self) -> None:
        """End all processes."""
        self.threads.shutdown()
        for one in (self.tests, self.generated, self.public):
            one.close()


def main() -> None:
    """Grade, select and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=int, help="programs of each problem (default: all 100)")
    parser.add_argument(
        "--tests", type=int, help="texts with tests of each problem, of which five tests count each"
        " (default: all 100; 0: no selection)"
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, default=3.0, help="of a program, in all its tests")
    parser.add_argument("--seconds-of-generated", type=float, default=0.2, help="in each test")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--check", type=int, default=0, metavar="N", help="programs a problem to run as usual too"
    )
    parser.add_argument("--out", type=Path, help="file of the verdicts: a line a problem")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if missing := [path for path in (SOLUTIONS, TESTS, HUMANEVAL) if not path.is_file()]:
        sys.exit(f"{' and '.join(map(str, missing))}: needed")
    started = time.perf_counter()
    kinds: Counter[VerdictKind] = Counter()
    table, rows = Table(), []
    checked = agreeing = tests = 0
    runs = Runs(arguments.seconds, arguments.seconds_of_generated, arguments.threads)
    try:
        for task in tasks(arguments.programs, arguments.tests):
            kind = runs.verdicts(task)
            each = [kind[program] for program in task.programs]
            kinds.update(each)
            for program in task.programs[: arguments.check]:
                checked += 1
                passed = runs.tests.passes(*as_usual(program, task.suite))
                agreeing += passed == (kind[program] is VerdictKind.PASSED)
            if arguments.tests == 0:
                found = {FIRST: sum(one is VerdictKind.PASSED for one in each) / len(each)}
            else:
                generated = runs.generated_of(task)
                found = selections(runs.records(task, kind), runs.public, generated)
            tests += task.tests.total()
            table.add(found)
            rows.append(json.dumps({"id": task.problem.id, "verdicts": each} | found))
            shown = " ".join(f"{value:.2f}" for value in found.values())
            print(task.problem.id, shown, file=sys.stderr, flush=True)
    finally:
        runs.close()
    if arguments.out is not None:
        arguments.out.write_text("\n".join(rows) + "\n")
    found_rows = table.rows()
    document = {
        "selection": found_rows,
        "paper": PAPER,
        "problems": len(rows),
        "programs": sum(kinds.values()),
        "tests": tests,
        "executions": runs.executions,
        "checked": checked,
        "agreeing": agreeing,
        "verdicts": {kind.value: count for kind, count in kinds.most_common()},
        "seconds": time.perf_counter() - started,
    }
    parts = []
    for name, row in found_rows.items():
        low, high = row["interval"]
        beside = f" (paper {PAPER[name]})" if name in PAPER else ""
        parts.append(f"{name} {row['accuracy']:.3f} [{low:.3f}, {high:.3f}]{beside}")
    line = (
        f"pass@1 over {len(rows)} problems, {sum(kinds.values()):,} programs and {tests:,} tests: "
        + "; ".join(parts)
        + (f"; {agreeing:,} of {checked:,} verdicts as usual" if checked else "")
    )
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
