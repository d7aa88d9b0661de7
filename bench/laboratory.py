"""Makes the laboratory again from nothing: policies, PRMs, and the whole matrix.

`python bench/laboratory.py` runs every job that has not been done, one a core, each pinned to its
own (two vLLM processes that share cores starve each other). All work goes through the commands
anyone may type; a stopped job goes on where it was. At the end `data/models` and `data/measured`
hold the results, `--work` the store and the logs; `bench/paper.py`, the last job, reads them.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from profiling.laboratory.catalog import BASES, POLICIES, PRMS, TEACHER, head_of, prms_of
from profiling.laboratory.prm import VerifierRecipe
from profiling.laboratory.task import DEFAULT_SEED

MODELS = ROOT / "data" / "models"
PROBLEMS = ROOT / "data" / "problems" / "laboratory"
POOL = 256
LIVE_BUDGETS = "4,16,64"
HEAD_SAMPLES = 16


@dataclass(frozen=True)
class Job:
    """One command, and the jobs whose results it needs."""

    name: str
    command: tuple[str | Path, ...]
    after: tuple[str, ...] = ()
    publishes: bool = False
    """Whether it writes what ships with the project from the matrix."""


def jobs(work: Path, pool: int, limit: int | None) -> list[Job]:
    """All jobs; earlier ones first where there is a choice."""
    python: tuple[str | Path, ...] = (sys.executable, "-m")
    training, bases = work / "training" / "train.jsonl", work / "bases"
    samples, matrix = f"sqlite:///{work}/training.db", f"sqlite:///{work}/matrix.db"
    problems = max(recipe.problems for recipe in PRMS.values())
    draws = max(recipe.samples for recipe in PRMS.values())
    found = [
        Job("problems", (*python, "profiling.laboratory.task", "--out", PROBLEMS)),
        Job(
            "training problems",
            (*python, "profiling.laboratory.task", "--splits", "train", "--problems", str(problems),
             "--seed", str(DEFAULT_SEED + 1), "--out", training.parent),
        ),
    ]  # fmt: skip

    def train(name: str, *more: str | Path, after: tuple[str, ...] = ()) -> None:
        command = (*python, "profiling.laboratory", name, "--models", MODELS, "--bases", bases)
        found.append(Job(name, (*command, *more), after))

    # What takes longest first: what PRMs start from, then the largest policy.
    for name, base in BASES.items():
        train(name, after=(base.base,) if isinstance(base, VerifierRecipe) else ())
    for policy in reversed(list(POLICIES)):
        train(policy)
    for policy in POLICIES:
        found.append(
            Job(
                f"{policy} training samples",
                (*python, "planner.cli", "profile", "--policy", MODELS / policy, "--problems",
                 training, "--max-samples", str(draws), "--store", samples, "--json"),
                (policy, "training problems"),
            )
        )  # fmt: skip
    for name, recipe in PRMS.items():
        needed = (recipe.base, f"{recipe.policy} training samples")
        train(name, "--store", samples, "--problems", training, after=needed)
    for policy in POLICIES:
        found.append(
            Job(
                head_of(policy),
                (*python, "planner.cli", "fit-prm", "--policy", MODELS / policy, "--problems",
                 PROBLEMS / "train.jsonl", "--max-samples", str(HEAD_SAMPLES), "--store", samples,
                 "--out", MODELS / head_of(policy), "--json"),
                (policy, "problems", f"{policy} training samples"),
            )
        )  # fmt: skip
    asked: tuple[str | Path, ...] = ("--problems", PROBLEMS / "profile.jsonl", "--store", matrix)
    asked += ("--json", *(("--limit", str(limit)) if limit else ()))
    for policy in POLICIES:
        found.append(
            Job(
                f"{policy} pool",
                (*python, "planner.cli", "profile", "--policy", MODELS / policy,
                 "--max-samples", str(pool), *asked),
                (policy, "problems"),
            )
        )  # fmt: skip
    for folder in (*(MODELS / policy for policy in POLICIES), bases / TEACHER):
        found.append(
            Job(
                f"{folder.name} greedy",
                (*python, "planner.cli", "measure", "--policy", folder,
                 "--strategies", "greedy", *asked),
                (folder.name, "problems"),
            )
        )  # fmt: skip
    for policy in POLICIES:
        for kind, prm in prms_of(policy).items():
            found.append(
                Job(
                    f"{policy} pool scored by {prm}",
                    (*python, "planner.cli", "profile", "--policy", MODELS / policy,
                     "--prm", MODELS / prm, "--max-samples", str(pool), *asked),
                    (f"{policy} pool", prm),
                )
            )  # fmt: skip
            if kind != "head":
                found.append(
                    Job(
                        f"{policy} search with {prm}",
                        (*python, "planner.cli", "measure", "--policy", MODELS / policy,
                         "--prm", MODELS / prm, "--strategies", "beam_search,dvts",
                         "--budgets", LIVE_BUDGETS, *asked),
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
            tuple(f"{name} record" for name in (*POLICIES, TEACHER)),
            publishes=True,
        )
    )
    return found


def run_all(todo: Sequence[Job], work: Path, cores: Sequence[int]) -> dict[str, float]:
    """Run the jobs, one a core; returns the seconds of every job ever done, failed tries included.

    What a job needs and is not among `todo` counts as there. Jobs that need a failed one are left;
    the others go on.
    """
    done_file, spent_file = work / "done.json", work / "spent.json"
    done: list[str] = json.loads(done_file.read_text()) if done_file.exists() else []
    spent: dict[str, float] = json.loads(spent_file.read_text()) if spent_file.exists() else {}
    waiting = [job for job in todo if job.name not in done]
    unmet = {job.name for job in waiting}
    running: dict[int, tuple[Job, subprocess.Popen[bytes], float]] = {}
    (work / "logs").mkdir(parents=True, exist_ok=True)

    def note(job: Job, started: float) -> None:
        spent[job.name] = spent.get(job.name, 0.0) + time.monotonic() - started
        spent_file.write_text(json.dumps(spent, indent=1) + "\n")

    try:
        while True:
            for core in set(cores) - set(running):
                job = next((job for job in waiting if not unmet & set(job.after)), None)
                if job is not None:
                    waiting.remove(job)
                    running[core] = job, _start(job, work, core), time.monotonic()
            if not running:
                break
            time.sleep(0.5)
            for core, (job, process, started) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[core]
                note(job, started)
                if process.returncode:
                    _say(f"{job.name} failed; see {_log(job, work)}")
                else:
                    unmet.discard(job.name)
                    done.append(job.name)
                    done_file.write_text(json.dumps(done, indent=1) + "\n")
                    _say(f"{job.name}: {spent[job.name]:.0f} s")
    finally:
        for job, process, started in running.values():
            process.terminate()
            process.wait()
            note(job, started)
    if unmet:
        sys.exit(f"not done: {', '.join(sorted(unmet))}; the same command goes on")
    return spent


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _log(job: Job, work: Path) -> Path:
    return work / "logs" / f"{job.name.replace(' ', '-')}.log"


def _start(job: Job, work: Path, core: int) -> subprocess.Popen[bytes]:
    def pin() -> None:
        os.sched_setaffinity(0, {core})

    with _log(job, work).open("ab") as log:
        return subprocess.Popen(
            [str(part) for part in job.command],
            cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, preexec_fn=pin,
        )  # fmt: skip


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "laboratory", help="stores and logs")
    parser.add_argument("--only", nargs="*", help="names of jobs; what they need must be there")
    parser.add_argument("--pool", type=int, default=POOL, help="samples a problem")
    parser.add_argument("--limit", type=int, help="problems of the matrix (default: all)")
    parser.add_argument("--from-nothing", action="store_true", help="forget what was made before")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.from_nothing:
        shutil.rmtree(arguments.work, ignore_errors=True)
        for name in (*POLICIES, *PRMS, *map(head_of, POLICIES)):
            shutil.rmtree(MODELS / name, ignore_errors=True)
            (MODELS / f"{name}.training").unlink(missing_ok=True)
    arguments.work.mkdir(parents=True, exist_ok=True)
    todo = jobs(arguments.work.resolve(), arguments.pool, arguments.limit)
    if (arguments.pool, arguments.limit) != (POOL, None):
        # A trial must not replace what ships.
        todo = [job for job in todo if not job.publishes]
    if arguments.only:
        if unknown := set(arguments.only) - {job.name for job in todo}:
            parser.error(f"no job {', '.join(sorted(unknown))}; there are: "
                         + ", ".join(job.name for job in todo))  # fmt: skip
        todo = [job for job in todo if job.name in arguments.only]
    # Children end with us, however we end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated; the same command goes on"))
    started = time.monotonic()
    with (arguments.work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"{arguments.work}: another run works there")
        seconds = run_all(todo, arguments.work, sorted(os.sched_getaffinity(0)))
    busy, wall = sum(seconds.values()), time.monotonic() - started
    line = f"{len(seconds)} jobs, {busy / 60:.0f} core minutes in all; {wall / 60:.0f} minutes now"
    finish({"seconds": seconds, "now": wall}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
