"""Lets a policy write tests for problems of code, which `bench/code_selection.py` selects by.

Each problem is asked for tests instead of a program, several times. The answers stay in the store,
as a run of the strategy majority whose vote nobody reads, so that the same command resumes. What is
written has a line for each problem, `{"id": ..., "texts": [...], "tokens": ...}`: the texts, and
the tokens that were generated for all of them.

Nothing of a hidden test is shown: a question is the prompt's own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from common import ROOT

sys.path.insert(0, str(ROOT))
from executor.domains.registry import CODE
from executor.errors import InputError
from executor.problem import PUBLIC_TESTS, Problem
from executor.sandbox.suite import Suite
from executor.store.store import Store
from executor.strategy import Majority, Sampling
from planner.runtime.settings import SessionSettings
from planner.usecases.run import run
from profiling.problems.files import load_problems

ASK = """{question}

Do not write this function. Write five different tests of `{name}`, each on a line of its own that
begins with `assert {name}(`. Reply with one block of Python code, and nothing else."""


def questions(problems: Sequence[Problem]) -> Iterator[Problem]:
    """Yield the questions for tests; problems without a function's name have none."""
    for problem in problems:
        shown = problem.meta.get(PUBLIC_TESTS)
        name = None if shown is None else Suite.from_json(shown).entry_point
        if problem.domain == CODE and name is not None:
            yield Problem(problem.id, ASK.format(question=problem.text, name=name))


def written(
    problems: Sequence[Problem], policy: str, texts: int, *, store: str, **options: Any
) -> Iterator[dict[str, Any]]:
    """Yield a record of each problem.

    Args:
        problems: problems of code.
        policy: name or folder of the policy.
        texts: number of texts for each problem.
        store: SQLAlchemy URL of the store of the texts.
        options: those of `planner.usecases.run.run`.
    """
    asked, strategies = list(questions(problems)), [Majority(texts)]
    answers = run(asked, strategies=strategies, policy=policy, store=store, **options)
    with Store.open(store, create=False) as opened:
        for stored in opened.outcomes(answers.runs[0].spec, problems=asked):
            yield {
                "id": stored.outcome.problem.id,
                "texts": [sample.text for sample in stored.outcome.samples],
                "tokens": stored.outcome.ledger.policy_generated,
            }


def write(out: Path, records: Iterator[dict[str, Any]]) -> int:
    """Write the records, a line each, and return their number."""
    lines = [json.dumps(one) for one in records]
    out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def main() -> None:
    """Ask, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--problems", type=Path, required=True, help="the file profiled")
    parser.add_argument("--policy", required=True, help="catalog name, folder or hub id")
    parser.add_argument("--texts", type=int, default=4, help="texts of a problem")
    parser.add_argument("--max-tokens", type=int, default=256, help="of a text")
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--store", default="sqlite:///tests.db", help="SQLAlchemy URL of the store")
    parser.add_argument("--out", type=Path, required=True, help="file of the texts")
    arguments = parser.parse_args()
    sampling = Sampling(temperature=arguments.temperature, max_tokens=arguments.max_tokens)
    try:
        number = write(
            arguments.out,
            written(
                load_problems(arguments.problems), arguments.policy, arguments.texts,
                store=arguments.store, settings=SessionSettings(sampling=sampling),
            ),
        )  # fmt: skip
    except InputError as error:
        sys.exit(str(error))
    print(f"{number} problems have tests in {arguments.out}")


if __name__ == "__main__":
    main()
