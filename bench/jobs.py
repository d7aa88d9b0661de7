"""Long commands in order: each once, a stopped one goes on, a failed one holds up what needs it.

`bench/laboratory.py` and `bench/real_models.py` record their matrices with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import ROOT

sys.path.insert(0, str(ROOT))
from profiling.laboratory.train import TRAINING_FILE

AGAIN = "run it again to go on, without --from-nothing"
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


@contextlib.contextmanager
def alone_in(work: Path) -> Iterator[None]:
    """Make a work folder and hold it; SIGTERM ends this program and its jobs.

    Another run that works there ends this one with a line.
    """
    signal.signal(
        signal.SIGTERM,
        lambda *_: sys.exit(f"terminated; {AGAIN}"),
    )
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"{work}: another run works there")
        yield


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


def run_all(todo: Sequence[Job], work: Path, places: Sequence[Collection[int]]) -> Spent:
    """Run the jobs that have to run, one in each place.

    What a job needs and is not among `todo` counts as there. Jobs that need a failed one are left;
    the others go on.

    Args:
        todo: the jobs.
        work: folder of their logs, of what is done, and of the time it took.
        places: cores of each place.

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
            for place in set(range(len(places))) - set(running):
                job = next((job for job in waiting if not unmet & set(job.after)), None)
                if job is not None:
                    waiting.remove(job)
                    running[place] = job, _start(job, work, places[place]), time.monotonic()
            if not running:
                break
            time.sleep(0.5)
            for place, (job, process, started) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[place]
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
            f"not done: {', '.join(sorted(unmet))}; run it again to go on (without --from-nothing)"
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


def _start(job: Job, work: Path, cores: Collection[int]) -> subprocess.Popen[bytes]:
    def pin() -> None:
        os.sched_setaffinity(0, cores)

    with _log(job, work).open("ab") as log:
        return subprocess.Popen(
            [str(part) for part in job.command],
            cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, preexec_fn=pin,
        )  # fmt: skip
