"""Ways to select among a policy's programs: what each gains on the first sample, and its cost.

Reads the profile of a policy on problems of code from a store, of at least N samples a problem, and
draws nothing. Prints the accuracy of the first sample, of votes by source and by behaviour, of the
programs that pass most public tests, of the best by each other scorer that scored the profile, and
of CodeT if there are generated tests; each minus the first sample, paired by problem, with 95 %
intervals over problems, and the tokens and executions of a problem.

Samples that were stored without executions are executed here, on the public tests of `--problems`,
which must be the file that was profiled. `--tests FILE` has generated tests: a line for each
problem, `{"id": ..., "texts": [...], "tokens": ...}`, with texts that continue `assert ` and the
tokens of all of them (`bench/write_tests.py` makes it).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, SHARED, finish

sys.path.insert(0, str(ROOT))
from selection import CODET, FIRST, SOURCES, Generated, Table, selections

from executor.answers.voting import Vote
from executor.domains.code.agreement import generated_tests
from executor.domains.code.grader import CodeGrader
from executor.domains.code.programs import completed
from executor.domains.registry import CODE
from executor.errors import InputError
from executor.outcome import SampleRecord
from executor.problem import PUBLIC_TESTS, Problem, problem_uid
from executor.sandbox.sandbox import Limits, Sandbox
from executor.sandbox.suite import Source, Suite
from executor.store.store import RunSpec, Store
from executor.strategy import Score
from planner.evidence.runs import current_runs
from planner.usecases.store_lookup import only_policy
from profiling.pools.replay import Pool, Rule, replay
from profiling.problems.files import load_problems
from profiling.profiles.profiler import CONFIDENCE, KIND, rules_of

HUMANEVAL = SHARED / "data" / "benchmarks" / "humaneval.jsonl.gz"
_SECONDS_OF_GENERATED = 0.5  # tests of a model may ask for anything


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts with tests of one problem, and the tokens that they took."""

    texts: tuple[str, ...]
    tokens: float


class Bench:
    """The sandboxes and what was read from files.

    Args:
        problems: problems by uid, with their public tests.
        texts: texts with generated tests by id of the problem.
    """

    def __init__(self, problems: dict[str, Problem], texts: dict[str, Texts]) -> None:
        self.problems = problems
        self.texts = texts
        self.grader = CodeGrader()
        self.generated = Sandbox(Limits(seconds=_SECONDS_OF_GENERATED))

    def executed(self, problem: Problem, samples: tuple[SampleRecord, ...]) -> list[SampleRecord]:
        """Return samples with their executions; those that lack one are run."""
        shown = self.problems.get(problem_uid(problem), problem).meta.get(PUBLIC_TESTS)
        if shown is None:
            raise InputError(
                f"problem {problem.id}: its programs were not executed, and --problems lacks it"
            )
        return [
            one if one.answer is None or one.execution is not None
            else replace(one, execution=self.grader.execute(one.answer, shown))
            for one in samples
        ]  # fmt: skip

    def agreeing(self, problem: Problem, samples: list[SampleRecord]) -> Generated | None:
        """Return what samples pass of the generated tests; None without any."""
        found = self.texts.get(problem.id)
        if found is None:
            return None
        shown = Suite.from_json(self.problems[problem_uid(problem)].meta[PUBLIC_TESTS])
        name = shown.entry_point
        if name is None:
            return None
        tests = Counter(test for text in found.texts for test in generated_tests(text, name))
        suite = Suite(tuple(map(Source, tests)), name, shown.head, shown.setup)
        passed: dict[str | None, frozenset[int]] = {None: frozenset()}
        for answer in dict.fromkeys(one.answer for one in samples):
            if answer is not None:
                verdicts = self.generated.run(completed(answer, shown.head, name), suite)
                passed[answer] = frozenset(i for i, one in enumerate(verdicts) if one.passed)
        return Generated([passed[one.answer] for one in samples], list(tests.values()))

    def close(self) -> None:
        """End all processes."""
        self.grader.close()
        self.generated.close()


def profiles(store: Store, policy: str) -> tuple[RunSpec, list[RunSpec]]:
    """Return the newest profile of a policy, without a scorer if there is one, and scored ones."""
    current = [
        spec for spec in current_runs(store.runs(), CODE)
        if spec.kind == KIND and spec.policy == policy and CONFIDENCE not in spec.settings
    ]  # fmt: skip
    if not current:
        raise InputError(f"policy {policy}: the store has no profile of it on problems of code")
    plain = [spec for spec in current if spec.prm is None] or current
    return plain[-1], [spec for spec in current if spec.prm not in (None, "tests")]


def scored_rows(
    store: Store, specs: list[RunSpec], n: int, grader: CodeGrader
) -> dict[str, dict[str, float]]:
    """Return, for each scorer of a model, the accuracy of its best sample by problem."""
    found: dict[str, dict[str, float]] = {}
    for spec in specs:
        for stored in store.outcomes(spec):
            samples = stored.outcome.samples[:n]
            if len(samples) == n and Score.LAST in rules_of(spec):
                pool = Pool.of(samples, grader, rules=(Score.LAST,))
                best = replay(pool, np.array([n]))[Rule(Vote.MAX, Score.LAST)]
                uid = problem_uid(stored.outcome.problem)
                found.setdefault(f"best by {spec.prm}", {})[uid] = float(best.accuracy[0])
    return found


def read_texts(path: Path | None) -> dict[str, Texts]:
    """Return the texts of a file by the problem's id; none without a file."""
    if path is None:
        return {}
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {str(one["id"]): Texts(tuple(one["texts"]), one.get("tokens", 0)) for one in records}


def measured(
    store: Store, policy: str, n: int, bench: Bench
) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """Yield for each problem the accuracy of every way, and tokens and executions."""
    plain, scored = profiles(store, policy)
    others = scored_rows(store, scored, n, bench.grader)
    for stored in store.outcomes(plain):
        problem, samples = stored.outcome.problem, stored.outcome.samples[:n]
        if len(samples) < n:
            continue
        ran = bench.executed(problem, samples)
        generated = bench.agreeing(problem, ran)
        found = selections(ran, bench.grader, generated)
        uid = problem_uid(problem)
        found |= {name: rows[uid] for name, rows in others.items() if uid in rows}
        texts = bench.texts.get(problem.id)
        costs = {
            "tokens": float(sum(one.n_tokens for one in samples)),
            "executions": float(len({one.answer for one in ran if one.answer is not None})),
            "tokens of tests": 0.0 if texts is None else float(texts.tokens),
        }
        yield found, costs


def main() -> None:
    """Read, select and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", required=True, help="SQLAlchemy URL of the store")
    parser.add_argument("--policy", help="name of the policy (default: the only one)")
    parser.add_argument("--problems", type=Path, default=HUMANEVAL, help="the file profiled")
    parser.add_argument("--n", type=int, default=16, help="samples to select among")
    parser.add_argument("--tests", type=Path, help="file of generated tests")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    known = {}
    if arguments.problems.is_file():
        known = {problem_uid(one): one for one in load_problems(arguments.problems)}
    bench = Bench(known, read_texts(arguments.tests))
    table, costs = Table(), []
    try:
        with Store.open(arguments.store, create=False) as store:
            runs = [spec for spec in store.runs(KIND) if spec.settings.get("domain") == CODE]
            policy = only_policy(runs, arguments.policy)
            for found, cost in measured(store, policy, arguments.n, bench):
                table.add(found)
                costs.append(cost)
    except InputError as error:
        sys.exit(str(error))
    finally:
        bench.close()
    if not costs:
        sys.exit(f"policy {policy}: no problem has {arguments.n} samples")
    mean = {name: float(np.mean([one[name] for one in costs])) for name in costs[0]}
    problems, rows = len(costs), table.rows()
    rows = {name: row for name, row in rows.items() if len(table.accuracy[name]) == problems}
    for name, row in rows.items():
        row["tokens"] = mean["tokens"] / (arguments.n if name == FIRST else 1)
        row["executions"] = 0.0 if name in (FIRST, SOURCES) else mean["executions"]
        if name == CODET:
            row["tokens"] += mean["tokens of tests"]
    document = {"policy": policy, "problems": problems, "n": arguments.n, "selection": rows}
    finish(document, as_text(document), as_json=arguments.json)


def as_text(document: dict[str, Any]) -> str:
    """Return the table as text."""
    title = f"{document['policy']}, {document['problems']} problems, N = {document['n']}"
    lines = [title, "way | accuracy | minus the first sample | tokens | executions"]
    for name, row in document["selection"].items():
        low, high = row["interval"]
        least, most = row["gain_interval"]
        lines.append(
            f"{name} | {row['accuracy']:.3f} [{low:.3f}, {high:.3f}] | "
            f"{row['gain']:+.3f} [{least:+.3f}, {most:+.3f}] | {row['tokens']:,.0f} | "
            f"{row['executions']:.1f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
