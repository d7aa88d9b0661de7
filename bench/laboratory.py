"""Makes the laboratory again from nothing: policies, PRMs, and the whole matrix.

`python bench/laboratory.py` runs every job that is not done yet, one per core. Each job is pinned
to its own core, because two vLLM processes that share cores starve each other. All work uses the
public commands, and a stopped job continues. Models that ship and were made by the recipes of
`profiling/laboratory/catalog.py` count as made; `--from-nothing` makes them too. At the end,
`data/models` and `data/measured` hold the results, and `--work` holds the stores and the logs;
`bench/paper.py`, the last job, reads them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from common import LABORATORY, MODELS, ROOT, finish
from jobs import Job, alone_in, run_all

sys.path.insert(0, str(ROOT))
from profiling.laboratory.catalog import (
    BASES,
    LIVE_BUDGETS,
    LIVE_KINDS,
    POLICIES,
    PRMS,
    REASONERS,
    TEACHER,
    head_of,
    prms_of,
)
from profiling.laboratory.prm import VerifierRecipe
from profiling.laboratory.task import DEFAULT_SEED
from profiling.laboratory.train import Recipe

POOL = 256
HEAD_SAMPLES = 16


def jobs(work: Path, pool: int, limit: int | None) -> list[Job]:
    """All jobs; earlier ones first where there is a choice."""
    python: tuple[str | Path, ...] = (sys.executable, "-m")
    training, bases = work / "training" / "train.jsonl", work / "bases"
    samples, matrix = f"sqlite:///{work}/training.db", f"sqlite:///{work}/matrix.db"
    problems = max(recipe.problems for recipe in PRMS.values())
    draws = max(recipe.samples for recipe in PRMS.values())
    found = [
        Job("problems", (*python, "profiling.laboratory.task", "--out", LABORATORY)),
        Job(
            "training problems",
            (*python, "profiling.laboratory.task", "--splits", "train", "--problems", str(problems),
             "--seed", str(DEFAULT_SEED + 1), "--out", training.parent),
        ),
    ]  # fmt: skip

    def train(name: str, recipe: Recipe, *more: str | Path, after: tuple[str, ...] = ()) -> None:
        command = (*python, "profiling.laboratory", name, "--models", MODELS, "--bases", bases)
        made = (bases if name in BASES else MODELS) / name
        found.append(Job(name, (*command, *more), after, makes=made, recipe=asdict(recipe)))

    # What takes longest first: what PRMs start from, then the largest policy.
    for name, base in BASES.items():
        train(name, base, after=(base.base,) if isinstance(base, VerifierRecipe) else ())
    for policy in reversed(list(POLICIES)):
        train(policy, POLICIES[policy])
    for name, reasoner in REASONERS.items():
        train(name, reasoner)
    for policy in POLICIES:
        found.append(
            Job(
                f"{policy} training samples",
                (*python, "planner.cli.main", "profile", "--policy", MODELS / policy, "--problems",
                 training, "--max-samples", str(draws), "--store", samples, "--json"),
                (policy, "training problems"),
            )
        )  # fmt: skip
    for name, recipe in PRMS.items():
        needed = (recipe.base, f"{recipe.policy} training samples")
        train(name, recipe, "--store", samples, "--problems", training, after=needed)
    for policy in POLICIES:
        found.append(
            Job(
                head_of(policy),
                (*python, "planner.cli.main", "fit-prm", "--policy", MODELS / policy, "--problems",
                 LABORATORY / "train.jsonl", "--max-samples", str(HEAD_SAMPLES), "--store", samples,
                 "--out", MODELS / head_of(policy), "--json"),
                (policy, "problems", f"{policy} training samples"),
                makes=MODELS / head_of(policy),
            )
        )  # fmt: skip
    asked: tuple[str | Path, ...] = ("--problems", LABORATORY / "profile.jsonl", "--store", matrix)
    asked += ("--json", *(("--limit", str(limit)) if limit else ()))
    for policy in POLICIES:
        found.append(
            Job(
                f"{policy} pool",
                (*python, "planner.cli.main", "profile", "--policy", MODELS / policy,
                 "--max-samples", str(pool), *asked),
                (policy, "problems"),
            )
        )  # fmt: skip
    for folder in (*(MODELS / policy for policy in POLICIES), bases / TEACHER):
        found.append(
            Job(
                f"{folder.name} greedy",
                (*python, "planner.cli.main", "measure", "--policy", folder,
                 "--strategies", "greedy", *asked),
                (folder.name, "problems"),
            )
        )  # fmt: skip
    for policy in POLICIES:
        for kind, prm in prms_of(policy).items():
            found.append(
                Job(
                    f"{policy} pool scored by {prm}",
                    (*python, "planner.cli.main", "profile", "--policy", MODELS / policy,
                     "--prm", MODELS / prm, "--max-samples", str(pool), *asked),
                    (f"{policy} pool", prm),
                )
            )  # fmt: skip
            if kind in LIVE_KINDS:
                found.append(
                    Job(
                        f"{policy} search with {prm}",
                        (*python, "planner.cli.main", "measure", "--policy", MODELS / policy,
                         "--prm", MODELS / prm, "--strategies", "beam_search,dvts",
                         "--budgets", ",".join(map(str, LIVE_BUDGETS)), *asked),
                        (policy, prm, "problems"),
                    )
                )  # fmt: skip
        measured = tuple(
            job.name for job in found if job.name.startswith((f"{policy} pool", f"{policy} search"))
        )
        found.append(
            Job(
                f"{policy} record",
                (sys.executable, "bench/record_evidence.py", "--store", matrix,
                 "--policy", policy, "--pools"),
                (*measured, f"{policy} greedy"),
                publishes=True,
            )
        )  # fmt: skip
    found.append(
        Job("bases record", (sys.executable, "bench/cards.py", bases), tuple(BASES), publishes=True)
    )
    found.append(
        Job(
            f"{TEACHER} record",
            (sys.executable, "bench/record_evidence.py", "--store", matrix, "--policy", TEACHER),
            (f"{TEACHER} greedy",),
            publishes=True,
        )
    )
    found.append(
        Job(
            "page and model cards",
            (sys.executable, "bench/paper.py"),
            ("bases record", *(f"{name} record" for name in (*POLICIES, TEACHER))),
            publishes=True,
        )
    )
    return found


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "laboratory", help="stores and logs")
    parser.add_argument("--only", nargs="*", help="names of jobs; what they need must be there")
    parser.add_argument("--pool", type=int, default=POOL, help="samples a problem")
    parser.add_argument("--limit", type=int, help="problems of the matrix (default: all)")
    parser.add_argument(
        "--from-nothing",
        action="store_true",
        help="delete models and stores and make them again; to go on after a stop, leave it out",
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    todo = jobs(arguments.work.resolve(), arguments.pool, arguments.limit)
    if (arguments.pool, arguments.limit) != (POOL, None):
        # A trial must not replace what ships.
        todo = [job for job in todo if not job.publishes]
    if arguments.only:
        if unknown := set(arguments.only) - {job.name for job in todo}:
            parser.error(f"no job {', '.join(sorted(unknown))}; there are: "
                         + ", ".join(job.name for job in todo))  # fmt: skip
        todo = [job for job in todo if job.name in arguments.only]
    with alone_in(arguments.work):
        if arguments.from_nothing:
            forget(arguments.work, todo)
        spent = run_all(todo, arguments.work, [{core} for core in os.sched_getaffinity(0)])
    busy = sum(spent.seconds.values())
    line = (
        f"{len(spent.seconds)} jobs: {busy / 60:.0f} core minutes, {spent.wall / 60:.0f} minutes "
        "of the clock, over all calls for this folder"
    )
    finish({"seconds": spent.seconds, "wall": spent.wall}, line, as_json=arguments.json)


def forget(work: Path, todo: Sequence[Job]) -> None:
    """Delete what earlier calls made: models, stores, logs; nothing else that lies in `work`."""
    for job in todo:
        if job.makes is not None:
            shutil.rmtree(job.makes, ignore_errors=True)
            job.makes.with_name(f"{job.makes.name}.training").unlink(missing_ok=True)
    for folder in ("bases", "training", "logs"):
        shutil.rmtree(work / folder, ignore_errors=True)
    for file in (*work.glob("*.db*"), work / "done.json", work / "spent.json"):
        file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
