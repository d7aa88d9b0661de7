"""Does a reward head in the policy's own output matrix cost nothing and say the same?

`apportion fit-prm` trains one head on a policy's samples and saves it twice: in a copy of the
policy (`--fuse`) and as a checkpoint of its own (`--out`). Then, each in a process of its own:

- *base*: the policy without the head draws samples;
- *fused*: the copy draws the same ones. Its tokens are compared, and majority, best-of-N and beam
  search run in turn on this one engine, several rounds with other seeds; beam search once more with
  a constant in place of the head, to tell what the search itself costs. The speed is the engine's
  generated tokens over the seconds of the search, and over the processor's seconds, which other
  programs disturb less; a ratio is one of the same round. Ledgers are compared with the engine's
  counters;
- *separate*: the policy and the head on two engines score those samples and run the same searches.

Peak memory is that of each process, its engines included.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import LABORATORY, ROOT, apportion, finish

sys.path.insert(0, str(ROOT))
from executor.answers.grader import MathGrader
from executor.engines.base import EngineCounters
from executor.engines.options import EngineOptions
from executor.ledger import Ledger
from executor.loading import resolve
from executor.models.tokens import Step
from executor.policies.vllm import VllmPolicy
from executor.problem import Problem
from executor.run.runner import Executor
from executor.scorers.base import StepScorer
from executor.scorers.fused import FusedScorer
from executor.scorers.prm import load_prm, resolve_prm
from executor.search import sample, score_all, search
from executor.strategy import Sampling, Strategy, make
from planner.runtime.model_ref import find_policy, template_of
from profiling.problems.files import load_problems

CONSTANT = "beam_search, constant rewards"
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


class Constant:
    """A scorer that says the same of every step."""

    name, trained_on, unjudged, lost = "constant", frozenset[str](), 0, False

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        return [0.5] * (len(steps) - start)

    def counters(self) -> EngineCounters:
        return EngineCounters()

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Models:
    """The loaded models of one way."""

    policy: VllmPolicy
    scorer: StepScorer | None


def load(arguments: argparse.Namespace) -> Models:
    """Load what the way needs."""
    held = arguments.way == "fused"
    model = find_policy(str(arguments.fused if held else arguments.policy))
    options = EngineOptions(
        dtype=arguments.dtype, kv_cache_gib=arguments.kv_cache_gib, block_size=32
    )
    policy = VllmPolicy.load(model.name, model.location, template_of(model), options)
    if arguments.way == "base":
        return Models(policy, None)
    if held:
        return Models(policy, FusedScorer.load(resolve(str(arguments.fused), "PRM"), policy))
    return Models(policy, load_prm(resolve_prm(str(arguments.head)), policy.tokens, options))


def drawn(executor: Executor, problems: Sequence[Problem], n: int) -> list[dict[str, Any]]:
    """Draw `n` samples of each problem; their tokens, and their rewards if there is a scorer."""

    async def one(problem: Problem) -> list[dict[str, Any]]:
        context = executor.context(problem, n)
        responses = await sample(context, n)
        if executor.prm is not None:
            responses = await score_all(context, responses)
        return [{"token_ids": one.token_ids, "rewards": one.rewards} for one in responses]

    async def every() -> list[list[dict[str, Any]]]:
        return await asyncio.gather(*(one(problem) for problem in problems))

    return list(itertools.chain.from_iterable(asyncio.run(every())))


def scored(
    models: Models, problems: Sequence[Problem], samples: Sequence[Mapping[str, Any]]
) -> list[list[float]]:
    """Return the separate head's rewards of samples, in the order of `drawn`."""
    assert models.scorer is not None
    each = len(samples) // len(problems)
    rewards = []
    for number, one in enumerate(samples):
        steps = models.policy.tokens.steps(one["token_ids"])
        steps = [step for step in steps if step.text.strip()]
        question = problems[number // each].text
        found = models.scorer.score(question, steps, start=0, ledger=Ledger())
        rewards.append(asyncio.run(found))
    return rewards


def searched(
    executor: Executor, strategy: Strategy, problems: Sequence[Problem]
) -> tuple[dict[str, float], Ledger, EngineCounters]:
    """Run a strategy on all problems at once; its speeds, ledger and the policy's counts."""
    contexts = [executor.context(problem, strategy.n) for problem in problems]

    async def every() -> None:
        await asyncio.gather(*(search(strategy, context) for context in contexts))

    before = executor.policy.counters()
    started = {clock: now() for clock, now in CLOCKS.items()}
    asyncio.run(every())
    seconds = {clock: now() - started[clock] for clock, now in CLOCKS.items()}
    counted = executor.policy.counters() - before
    ledger = sum((context.ledger for context in contexts), Ledger())
    speeds = {clock: counted.generated / spent for clock, spent in seconds.items()}
    return speeds, ledger, counted


def rounds(arguments: argparse.Namespace, executor: Executor, problems: Sequence[Problem]) -> Any:
    """Run the strategies in turn; speeds by strategy and round, and what ledgers missed."""
    scorers: dict[str, StepScorer | None] = {"majority": executor.prm}
    if executor.prm is not None:
        scorers |= {"best_of_n": executor.prm, "beam_search": executor.prm, CONSTANT: Constant()}
    names = tuple(scorers)
    speeds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    scorer_tokens = missed = 0
    for number in range(arguments.rounds + 1):
        at = number % len(names)
        for name in (*names[at:], *names[:at]):
            strategy = make(name.split(",")[0], arguments.budget)
            seeded = Executor(
                executor.policy, scorers[name], executor.grader, executor.sampling, seed=number
            )
            speed, ledger, counted = searched(seeded, strategy, problems)
            if number:  # the first round fills the prefix cache
                speeds[name].append(speed)
            scorer_tokens += ledger.prm + ledger.prm_cached
            missed += abs(ledger.policy_generated - counted.generated)
            missed += abs(ledger.prompt + ledger.cached - counted.prompt)
            missed += abs(ledger.cached - counted.cached)
    return {"speeds": speeds, "scorer_tokens": scorer_tokens, "missed": missed}


def one_way(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure one way in this process."""
    problems = load_problems(arguments.problems, limit=arguments.limit, require_answers=True)
    few = problems[: arguments.sampled]
    models = load(arguments)
    sampling = Sampling(max_tokens=arguments.max_tokens)
    found: dict[str, Any] = {}
    with MathGrader() as grader:
        executor = Executor(models.policy, models.scorer, grader, sampling)
        if arguments.way == "separate":
            samples = json.loads(arguments.samples_file.read_text())
            found["rewards"] = scored(models, few, samples)
        else:
            found["samples"] = drawn(executor, few, arguments.samples // len(few))
        found |= rounds(arguments, executor, problems)
    # Linux counts it in KiB.
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if models.scorer is not None:
        models.scorer.close()
    models.policy.close()
    return found


def in_a_process(arguments: argparse.Namespace, way: str, folder: Path) -> dict[str, Any]:
    """Measure one way in a process of its own."""
    options = (
        "policy", "problems", "limit", "sampled", "samples", "budget", "rounds", "max_tokens",
        "dtype", "kv_cache_gib", "fused", "head",
    )  # fmt: skip
    command = [
        sys.executable, str(Path(__file__).resolve()), "--way", way,
        "--samples-file", str(folder / "samples.json"),
        *(word for name in options
          for word in (f"--{name.replace('_', '-')}", str(getattr(arguments, name)))),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if way == "fused":
        (folder / "samples.json").write_text(json.dumps(found["samples"]))
    return found


def train(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Train the head, unless its folders are given; what `fit-prm` says of it."""
    if arguments.fused and arguments.head:
        return {}
    arguments.fused, arguments.head = folder / "fused", folder / "head"
    document: dict[str, Any] = apportion(
        "fit-prm", "--policy", arguments.policy, "--problems", arguments.train,
        "--limit", str(arguments.train_limit), "--max-samples", str(arguments.train_samples),
        "--max-tokens", str(arguments.max_tokens), "--dtype", arguments.dtype,
        "--fuse", arguments.fused, "--out", arguments.head,
        "--store", f"sqlite:///{folder}/store.db",
    )  # fmt: skip
    return document


def over_majority(speeds: Mapping[str, Sequence[Mapping[str, float]]]) -> Any:
    """The speeds of searches over those of majority in the same round: median and range."""
    searches = [name for name in speeds if name != "majority"]
    found: dict[str, dict[str, Any]] = {name: {} for name in searches}
    for name, clock in itertools.product(searches, CLOCKS):
        pairs = zip(speeds[name], speeds["majority"], strict=True)
        ratios = [one[clock] / other[clock] for one, other in pairs]
        found[name][clock] = {
            "median": statistics.median(ratios), "low": min(ratios), "high": max(ratios),
        }  # fmt: skip
    return found


def compare(arguments: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], str]:
    """Measure all ways; the document and its line."""
    trained = train(arguments, folder)
    ways = {way: in_a_process(arguments, way, folder) for way in ("base", "fused", "separate")}
    base, fused, separate = (ways[way] for way in ("base", "fused", "separate"))
    pairs = zip(base["samples"], fused["samples"], strict=True)
    same = sum(one["token_ids"] == other["token_ids"] for one, other in pairs)
    gaps = [
        abs(one - other)
        for sample, rewards in zip(fused["samples"], separate["rewards"], strict=True)
        # Blank steps at the end, which no head reads, have the reward 0.
        for one, other in zip(sample["rewards"], rewards, strict=False)
    ]
    ratios = {way: over_majority(ways[way]["speeds"]) for way in ("fused", "separate")}
    document = {
        "head": trained,
        "samples": len(base["samples"]),
        "same_tokens": same,
        "rewards": len(gaps),
        "largest_reward_gap": max(gaps),
        "over_majority": ratios,
        "tokens_per_second": {way: found["speeds"] for way, found in ways.items()},
        "peak_mib": {way: found["peak_mib"] for way, found in ways.items()},
        "scorer_tokens": {way: found["scorer_tokens"] for way, found in ways.items()},
        "counts_missed": {way: found["missed"] for way, found in ways.items()},
    }
    over = {
        way: ", ".join(f"{name} {one['wall']['median']:.2f}" for name, one in ratios[way].items())
        for way in ratios
    }
    line = (
        f"{arguments.policy}, {arguments.dtype}: {same} of {len(base['samples'])} samples the same "
        f"with the head's rows; {len(gaps)} rewards differ by at most {max(gaps):.2g}; "
        f"tokens a second at N = {arguments.budget} over majority's: {over['fused']} (two engines: "
        f"{over['separate']}); peak "
        f"{fused['peak_mib']:.0f} MiB (two engines {separate['peak_mib']:.0f}); scorer tokens "
        f"{fused['scorer_tokens']}, counts off by {fused['missed']}"
    )
    return document, line


def main() -> None:
    """Compare all ways, or measure one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", default="lab-0.8m")
    parser.add_argument("--problems", type=Path, default=LABORATORY / "profile.jsonl")
    parser.add_argument("--limit", type=int, default=16, help="problems of the searches")
    parser.add_argument("--train", type=Path, default=LABORATORY / "train.jsonl")
    parser.add_argument("--train-limit", type=int, default=40)
    parser.add_argument("--train-samples", type=int, default=8)
    parser.add_argument("--fused", type=Path, help="policy that holds a head; with --head")
    parser.add_argument("--head", type=Path, help="the same head in a checkpoint of its own")
    parser.add_argument("--samples", type=int, default=64, help="samples that are compared")
    parser.add_argument("--sampled", type=int, default=4, help="problems that they are of")
    parser.add_argument("--budget", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--max-tokens", type=int, default=120)
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--kv-cache-gib", type=float, default=0.5)
    parser.add_argument("--way", choices=("base", "fused", "separate"), help=argparse.SUPPRESS)
    parser.add_argument("--samples-file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.way is not None:
        print(json.dumps(one_way(arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        document, line = compare(arguments, Path(folder))
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
