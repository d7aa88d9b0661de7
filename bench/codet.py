"""CodeT's own run, graded in the sandbox: pass@1 of CodeGen-16B on HumanEval.

The programs are those that arXiv 2207.10397 published: 100 for each of the 164 problems, drawn at
temperature 0.8 from prompts without their examples. They are cut at the paper's stop strings, and
pass if they pass HumanEval's own tests. Prints pass@1 with its interval, beside the paper's figure
(Table 2, "Baseline"), and how the others failed.

As a check of the sandbox itself, `--check N` runs the first N programs of each problem a second
time as the usual harness does: one script with the program, the tests and their call, which passes
if it comes to its end. Of honest programs both must say the same.

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

import numpy as np
from common import ROOT, SHARED, finish

sys.path.insert(0, str(ROOT))
from executor.domains.code.programs import completed
from executor.problem import Problem
from executor.sandbox.sandbox import Limits, Sandbox
from executor.sandbox.suite import Pair, Source, Suite, VerdictKind
from profiling.problems.files import load_problems

RUN = SHARED / "data" / "runs" / "codet_humaneval_codegen16b_solutions.jsonl.gz"
HUMANEVAL = SHARED / "data" / "benchmarks" / "humaneval.jsonl.gz"
PAPER = 0.297
"""pass@1 of CodeGen-16B on HumanEval (arXiv 2207.10397, Table 2)."""
STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Task:
    """One problem and the programs that were written for it."""

    problem: Problem
    suite: Suite
    programs: tuple[str, ...]


def tasks(samples: int | None) -> Iterator[Task]:
    """Yield the problems of the run; `samples`: programs of each, None: all."""
    with gzip.open(RUN, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    # The run has the problems in the order of their ids as text.
    problems = sorted(load_problems(HUMANEVAL), key=lambda problem: problem.id)
    for problem, record in zip(problems, records, strict=True):
        assert problem.answer is not None
        suite = Suite.from_json(problem.answer)
        assert f"def {suite.entry_point}(" in record["prompt"], problem.id
        programs = [
            completed(cut(text), record["prompt"], suite.entry_point)
            for text in record["samples"][:samples]
        ]
        yield Task(problem, suite, tuple(programs))


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


def interval(shares: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean over problems; shape `(problems,)`."""
    random = np.random.default_rng(0)
    means = shares[random.integers(0, len(shares), (_RESAMPLES, len(shares)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def main() -> None:
    """Grade and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, help="programs of each problem (default: all 100)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a program")
    parser.add_argument(
        "--check", type=int, default=0, metavar="N", help="programs a problem to run as usual too"
    )
    parser.add_argument("--out", type=Path, help="file of the verdicts: a line a problem")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not (RUN.is_file() and HUMANEVAL.is_file()):
        sys.exit(f"{RUN} and {HUMANEVAL} are needed")
    started = time.perf_counter()
    kinds: Counter[VerdictKind] = Counter()
    shares: list[float] = []
    rows: list[str] = []
    checked = agreeing = 0
    with Sandbox(Limits(seconds=arguments.seconds)) as sandbox, ThreadPoolExecutor(2) as threads:
        for task in tasks(arguments.samples):
            different = list(dict.fromkeys(task.programs))
            verdicts = threads.map(
                lambda program, suite=task.suite: sandbox.run(program, suite)[0], different
            )
            kind = {p: v.kind for p, v in zip(different, verdicts, strict=True)}
            each = [kind[program] for program in task.programs]
            kinds.update(each)
            twice = task.programs[: arguments.check]
            usual = threads.map(
                lambda program, suite=task.suite: sandbox.passes(*as_usual(program, suite)), twice
            )
            for program, passed in zip(twice, usual, strict=True):
                checked += 1
                agreeing += passed == (kind[program] is VerdictKind.PASSED)
            shares.append(sum(one is VerdictKind.PASSED for one in each) / len(each))
            rows.append(json.dumps({"id": task.problem.id, "verdicts": each}))
            print(task.problem.id, f"{shares[-1]:.2f}", file=sys.stderr, flush=True)
        runs = sandbox.runs
    if arguments.out is not None:
        arguments.out.write_text("\n".join(rows) + "\n")
    pass_at_1, (low, high) = float(np.mean(shares)), interval(np.array(shares))
    document = {
        "pass_at_1": pass_at_1,
        "interval": [low, high],
        "paper": PAPER,
        "problems": len(shares),
        "programs": sum(kinds.values()),
        "executions": runs,
        "checked": checked,
        "agreeing": agreeing,
        "verdicts": {kind.value: count for kind, count in kinds.most_common()},
        "seconds": time.perf_counter() - started,
    }
    line = (
        f"pass@1 {pass_at_1:.3f} [{low:.3f}, {high:.3f}] over {len(shares)} problems and "
        f"{sum(kinds.values()):,} programs; the paper says {PAPER}"
        + (f"; {agreeing:,} of {checked:,} verdicts as usual" if checked else "")
    )
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
