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
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from common import LABORATORY, MODELS, ROOT, finish

sys.path.insert(0, str(ROOT))
from profiling.laboratory.catalog import (
    BASES,
    LIVE_BUDGETS,
    LIVE_KINDS,
    POLICIES,
    PRMS,
    TEACHER,
    head_of,
    prms_of,
)
from profiling.laboratory.prm import VerifierRecipe
from profiling.laboratory.task import DEFAULT_SEED
from profiling.laboratory.train import TRAINING_FILE, Recipe

POOL = 256
HEAD_SAMPLES = 16
_PATIENCE = 30.0  # seconds; a stopped job may save where it is


@dataclass(frozen=True)
class Job:
    """One command, and the jobs whose results it needs.

    Attributes:
        publishes: whether it writes what ships with the project from the matrix.
        makes: a checkpoint that says the job is done.
        recipe: how that must have been trained, as its `training.json` has it.
    """

    name: str
    command: tuple[str | Path, ...]
    after: tuple[str, ...] = ()
    publishes: bool = False
    makes: Path | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Changes with the command and the recipe: a job that was done otherwise is not done."""
        told = [*map(str, self.command), sorted(self.recipe.items())]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]

    def made(self) -> bool:
        """Whether its checkpoint is there, by this recipe."""
        if self.makes is None or not (self.makes / "config.json").is_file():
            return False
        if not self.recipe:
            return True
        record = json.loads((self.makes / TRAINING_FILE).read_text(encoding="utf-8"))
        return dict(self.recipe).items() <= record.items()


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


def needed(todo: Sequence[Job], done: Mapping[str, str]) -> list[Job]:
    """The jobs that have to run: not done, and something that has to run needs them.

    What nothing else needs is what all of it is for.
    """
    users: dict[str, list[Job]] = {job.name: [] for job in todo}
    for job in todo:
        for name in job.after:
            users.setdefault(name, []).append(job)

    def runs(job: Job) -> bool:
        if done.get(job.name) == job.digest or job.made():
            return False
        return not users[job.name] or any(map(runs, users[job.name]))

    return [job for job in todo if runs(job)]


def run_all(todo: Sequence[Job], work: Path, cores: Sequence[int]) -> Spent:
    """Run the jobs that have to run, one a core.

    What a job needs and is not among `todo` counts as there. Jobs that need a failed one are left;
    the others go on.

    Returns:
        What all calls for this folder have spent.
    """
    done_file = work / "done.json"
    done: dict[str, str] = json.loads(done_file.read_text()) if done_file.exists() else {}
    spent = Spent.load(work)
    waiting = needed(todo, done)
    unmet = {job.name for job in waiting}
    running: dict[int, tuple[Job, subprocess.Popen[bytes], float]] = {}
    (work / "logs").mkdir(parents=True, exist_ok=True)
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
                spent.note(job.name, time.monotonic() - started)
                if process.returncode:
                    _say(f"{job.name} failed; see {_log(job, work)}")
                else:
                    unmet.discard(job.name)
                    done[job.name] = job.digest
                    done_file.write_text(json.dumps(done, indent=1) + "\n")
                    _say(f"{job.name}: {spent.seconds[job.name]:.0f} s")
    finally:
        for job, process, started in running.values():
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            spent.note(job.name, time.monotonic() - started)
    if unmet:
        sys.exit(
            f"not done: {', '.join(sorted(unmet))}; run it again, without --from-nothing, to go on"
        )
    return spent


class Spent:
    """What the jobs of a work folder have taken, over all calls, kept beside them.

    Attributes:
        seconds: of each job, tries that were stopped or failed included.
        wall: seconds in which jobs ran.
    """

    def __init__(self, path: Path, seconds: dict[str, float], wall: float) -> None:
        self._path, self.seconds, self.wall = path, seconds, wall
        self._clock = time.monotonic()

    @classmethod
    def load(cls, work: Path) -> Spent:
        """What earlier calls spent; nothing if there were none."""
        path = work / "spent.json"
        if not path.exists():
            return cls(path, {}, 0.0)
        record = json.loads(path.read_text(encoding="utf-8"))
        return cls(path, record["seconds"], record["wall"])

    def note(self, name: str, seconds: float) -> None:
        """Add a job's seconds."""
        now = time.monotonic()
        self.wall += now - self._clock
        self._clock = now
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        record = {"wall": self.wall, "seconds": self.seconds}
        self._path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


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
    # Children end with us, however we end.
    signal.signal(
        signal.SIGTERM,
        lambda *_: sys.exit("terminated; to go on, run it again without --from-nothing"),
    )
    arguments.work.mkdir(parents=True, exist_ok=True)
    with (arguments.work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"{arguments.work}: another run works there")
        if arguments.from_nothing:
            forget(arguments.work, todo)
        spent = run_all(todo, arguments.work, sorted(os.sched_getaffinity(0)))
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
