"""Records the matrix of public weights on public benchmarks, by this project's own commands.

`python bench/real_models.py` runs every command that is not done yet, one after another, each with
all cores that this process may use. It goes on for hours: two to three for 100 problems x 64
samples of the 1.5B model on two cores. A stopped one goes on where it was, to the problem. `--work`
holds the chosen problems, the stores and the logs; nothing in it is a text that ships.

The problems of a benchmark are drawn once, with a fixed seed: one part to learn from (`profile`)
and one to judge on (`heldout`). Those of MATH-500 are drawn by level, as many of each as the
benchmark has. Policies run with their defaults; only the longest response is set by benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import ROOT, SHARED, finish
from jobs import Job, alone_in, run_all

SEED = 19
PARTS = ("profile", "heldout")
BUDGETS = (4, 16)


@dataclass(frozen=True)
class Benchmark:
    """A public benchmark and how much of it is recorded.

    Attributes:
        file: its file in the folder of benchmarks.
        samples: samples of each problem.
        max_tokens: most tokens of a response; few right responses are longer.
        problems: problems of each part.
        stratum: field whose values are drawn in the benchmark's own proportions; None: no field.
    """

    file: str
    samples: int
    max_tokens: int
    problems: int = 100
    stratum: str | None = None


BENCHMARKS = {
    "GSM8K": Benchmark("gsm8k_test.jsonl", samples=32, max_tokens=512),
    "MATH-500": Benchmark("math500.jsonl", samples=16, max_tokens=1024, stratum="level"),
    "SVAMP": Benchmark("svamp.jsonl", samples=16, max_tokens=384),
}
POLICIES = ("qwen2.5-coder-1.5b", "smollm2-135m")
# What heads are trained on: problems that are in no part of a benchmark.
TRAINING = "gsm8k_train_2000.jsonl"
TRAINING_PROBLEMS, TRAINING_SAMPLES = 200, 8
PROGRAM: tuple[str | Path, ...] = (sys.executable, "-m", "planner.cli.main")


def drawn(records: Sequence[dict[str, Any]], wanted: Benchmark) -> dict[str, list[dict[str, Any]]]:
    """Draw both parts of a benchmark: different problems, in a random order that is fixed.

    A part has at most half of the problems of each stratum.
    """
    strata: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        strata[str(record[wanted.stratum]) if wanted.stratum else ""].append(record)
    draw = random.Random(SEED)
    parts: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    left, left_of_all = wanted.problems, len(records)
    for name in sorted(strata):
        many = strata[name]
        share = min(round(left * len(many) / left_of_all), len(many) // len(PARTS))
        left, left_of_all = left - share, left_of_all - len(many)
        draw.shuffle(many)
        for at, part in enumerate(PARTS):
            parts[part] += many[at * share : (at + 1) * share]
    for chosen in parts.values():
        draw.shuffle(chosen)
    return parts


def prepare(work: Path, benchmarks: Path) -> None:
    """Write the problems of all parts, unless they are there."""
    folder = work / "problems"
    for each in (folder, work / "plans"):
        each.mkdir(parents=True, exist_ok=True)
    for name, wanted in BENCHMARKS.items():
        paths = {part: folder / f"{name}.{part}.jsonl" for part in PARTS}
        if all(path.is_file() for path in paths.values()):
            continue
        lines = (benchmarks / wanted.file).read_text(encoding="utf-8").splitlines()
        for part, chosen in drawn([json.loads(line) for line in lines], wanted).items():
            text = "".join(json.dumps(record) + "\n" for record in chosen)
            paths[part].write_text(text, encoding="utf-8")


def head_of(policy: str, trial: str = "") -> str:
    """Name of the reward head that is trained for a policy."""
    return f"{policy}-gsm8k-head{trial}"


def jobs(work: Path, benchmarks: Path, limit: int | None) -> list[Job]:
    """All commands; first those that most others need, and those that most figures rest on."""
    # A head of a trial must not score what is recorded.
    trial = f"-{limit}" if limit else ""
    samples: list[Job] = []
    scores: list[Job] = []
    searches: list[Job] = []
    plans: list[Job] = []
    for policy in POLICIES:
        head = work / "heads" / head_of(policy, trial)
        # The same head in a copy of the policy: a search then needs no second engine, and evidence
        # knows both by one name.
        fused = work / "fused" / head.name
        training = str(min(TRAINING_PROBLEMS, limit or TRAINING_PROBLEMS))
        fit = Job(
            head.name,
            (*PROGRAM, "fit-prm", "--policy", policy, "--problems", benchmarks / TRAINING,
             "--limit", training, "--max-samples", str(TRAINING_SAMPLES), "--max-tokens",
             str(BENCHMARKS["GSM8K"].max_tokens), "--store", f"sqlite:///{work}/training.db",
             "--out", head, "--fuse", fused),
            makes=fused,
        )  # fmt: skip
        scores.append(fit)
        for name, wanted in BENCHMARKS.items():
            for part in PARTS:
                # Evidence has one longest response a policy, so a store has one benchmark.
                store = ("--store", f"sqlite:///{work}/{name}.{part}.db")
                on: tuple[str | Path, ...] = (
                    "--problems", work / "problems" / f"{name}.{part}.jsonl",
                    "--max-tokens", str(wanted.max_tokens),
                    *store, *(("--limit", str(limit)) if limit else ()),
                )  # fmt: skip
                asked = ("--policy", policy, *on)
                pool = (*PROGRAM, "profile", *asked, "--max-samples", str(wanted.samples))
                measure = (*PROGRAM, "measure", *asked)
                budgets = ",".join(map(str, BUDGETS))
                search = (*PROGRAM, "measure", "--policy", fused, *on, "--prm", fused,
                          "--strategies", "beam_search,dvts", "--budgets", budgets)  # fmt: skip
                mine = f"{policy} {name} {part}"
                samples += [
                    Job(f"{mine} pool", pool),
                    Job(f"{mine} greedy", (*measure, "--strategies", "greedy")),
                ]
                needs = (f"{mine} pool", fit.name)
                scores.append(Job(f"{mine} scored", (*pool, "--prm", head), needs))
                searches.append(Job(f"{mine} search", search, (fit.name,)))
            plans += planned(work, policy, head, name, limit)
    return [*samples, *scores, *plans, *searches]


def planned(work: Path, policy: str, head: Path, name: str, limit: int | None) -> list[Job]:
    """Fit, plan from the profile part, and run the plan on the other part.

    The plan is made of what is recorded when its turn comes; searches may not be.
    """
    learnt = ("--store", f"sqlite:///{work}/{name}.{PARTS[0]}.db")
    plan = work / "plans" / f"{policy}.{name}.json"
    mine = f"{policy} {name}"
    return [
        Job(f"{mine} fit", (*PROGRAM, "fit", *learnt), (f"{mine} {PARTS[0]} scored",)),
        Job(
            f"{mine} plan",
            (*PROGRAM, "plan", "--policy", policy, "--prm", head.name, *learnt,
             "--budget", str(max(BUDGETS)), "--out", plan),
            (f"{mine} fit",),
        ),
        Job(
            f"{mine} run",
            (*PROGRAM, "run", "--plan", plan, "--prm", head,
             "--problems", work / "problems" / f"{name}.{PARTS[1]}.jsonl",
             "--store", f"sqlite:///{work}/{name}.{PARTS[1]}.db",
             *(("--limit", str(limit)) if limit else ())),
            (f"{mine} plan",),
        ),
    ]  # fmt: skip


def chosen(todo: Sequence[Job], beginnings: Sequence[str]) -> list[Job]:
    """The jobs whose names begin so, and all that they need."""
    by_name = {job.name: job for job in todo}
    wanted = [job.name for job in todo if job.name.startswith(tuple(beginnings))]
    for name in wanted:  # which grows
        wanted += [one for one in by_name[name].after if one not in wanted]
    return [job for job in todo if job.name in wanted]


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "real-models", help="stores and logs")
    parser.add_argument(
        "--benchmarks", type=Path, default=SHARED / "data" / "benchmarks",
        help="folder of the benchmarks' files (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--only", nargs="*", help="names of jobs, or how they begin")
    parser.add_argument("--limit", type=int, help="problems of each part (default: all)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    work, benchmarks = arguments.work.resolve(), arguments.benchmarks.resolve()
    todo = jobs(work, benchmarks, arguments.limit)
    if arguments.only:
        todo = chosen(todo, arguments.only)
        if not todo:
            parser.error("no job has such a name")
    if not (benchmarks / TRAINING).is_file():
        sys.exit(f"{benchmarks}: no {TRAINING} there; name the folder with --benchmarks")
    with alone_in(work):
        prepare(work, benchmarks)
        spent = run_all(todo, work, [os.sched_getaffinity(0)])
    line = f"{len(spent.seconds)} jobs: {spent.wall / 3600:.1f} hours, over all calls for {work}"
    finish({"seconds": spent.seconds, "wall": spent.wall}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
