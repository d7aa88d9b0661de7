"""Measures prompt templates: which one makes a policy answer best, in short, delimited steps.

Every template answers the same problems with the same sampling parameters on a real vLLM engine.
The table gives pass@1 with a 95% interval (bootstrap by problem: samples of one problem are not
independent), generated tokens, steps, and the share of samples that end by themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
RESAMPLES = 2000
MAX_MODEL_LEN = 2048

Message = dict[str, str]
Dtype = Literal["bfloat16", "float32"]


@dataclass(frozen=True)
class Template:
    """A chat that asks for worked solutions: system text, example turns, form of the question."""

    name: str
    system: str | None
    turns: tuple[Message, ...]
    user: str
    stop: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Template:
        """Read one template file; its name is the file's."""
        record = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            name=path.stem,
            system=record["system"],
            turns=tuple(record["turns"]),
            user=record["user"],
            stop=tuple(record["stop"]),
        )

    def messages(self, problem: str) -> list[Message]:
        """The chat that puts one problem."""
        chat = [{"role": "system", "content": self.system}] if self.system is not None else []
        for turn in self.turns:
            chat.append(self.question(turn["user"]))
            chat.append({"role": "assistant", "content": turn["assistant"]})
        return [*chat, self.question(problem)]

    def question(self, problem: str) -> Message:
        """A problem as the user's message; replaced, not formatted: problems may hold braces."""
        return {"role": "user", "content": self.user.replace("{problem}", problem)}


@dataclass(frozen=True)
class Sample:
    """What the table needs of one response."""

    kind: str
    level: int
    correct: bool
    boxed: bool
    tokens: int
    steps: int
    finished: bool


@dataclass(frozen=True)
class Accuracy:
    """A pass@1 with its 95% interval and the problems and samples it rests on."""

    pass_at_1: float
    interval: tuple[float, float]
    problems: int
    samples: int


@dataclass(frozen=True)
class Result:
    """One row of the table."""

    template: str
    accuracy: Accuracy
    levels: dict[int, Accuracy]
    kinds: dict[str, Accuracy]
    mean_tokens: float
    mean_steps: float
    several_steps: float
    boxed: float
    finished: float
    difficulty: dict[str, float]
    tokens_per_second: float


def final_answer(response: str) -> str | None:
    """The last boxed number, else the last number, without thousands separators."""
    boxed = re.findall(r"\\boxed\{\s*\$?\s*(-?[\d,]+)", response)
    numbers = boxed or re.findall(r"-?\d[\d,]*", response)
    return numbers[-1].replace(",", "") if numbers else None


def grade(completion: Any, record: dict[str, Any]) -> Sample:
    """Grade one completion of vLLM against its problem."""
    steps = [step for step in completion.text.split("\n\n") if step.strip()]
    return Sample(
        kind=record["kind"],
        level=record["level"],
        correct=final_answer(completion.text) == str(record["answer"]),
        boxed="\\boxed{" in completion.text,
        tokens=len(completion.token_ids),
        steps=len(steps),
        finished=completion.finish_reason == "stop",
    )


def accuracy_of(pool: Sequence[Sequence[Sample]]) -> Accuracy:
    """Mean pass@1 over problems; the interval resamples whole problems."""
    rates = np.array([np.mean([sample.correct for sample in samples]) for samples in pool])
    rng = np.random.default_rng(0)
    means = rng.choice(rates, (RESAMPLES, len(rates))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Accuracy(
        pass_at_1=float(rates.mean()),
        interval=(float(low), float(high)),
        problems=len(rates),
        samples=sum(len(samples) for samples in pool),
    )


def difficulty_shares(pool: Sequence[Sequence[Sample]]) -> dict[str, float]:
    """Shares of problems by the plain estimate of pass@1; with few samples a rough picture."""
    rates = np.array([np.mean([sample.correct for sample in samples]) for samples in pool])
    return {
        "easy": float(np.mean(rates >= 0.5)),
        "medium": float(np.mean((rates >= 0.1) & (rates < 0.5))),
        "hard": float(np.mean(rates < 0.1)),
    }


def summarise(name: str, pool: Sequence[Sequence[Sample]], seconds: float) -> Result:
    """Reduce a template's samples, `problems x samples`, to its row."""
    flat = [sample for samples in pool for sample in samples]
    tokens = [sample.tokens for sample in flat]
    return Result(
        template=name,
        accuracy=accuracy_of(pool),
        levels={
            level: accuracy_of([samples for samples in pool if samples[0].level == level])
            for level in sorted({sample.level for sample in flat})
        },
        kinds={
            kind: accuracy_of([samples for samples in pool if samples[0].kind == kind])
            for kind in sorted({sample.kind for sample in flat})
        },
        mean_tokens=float(np.mean(tokens)),
        mean_steps=float(np.mean([sample.steps for sample in flat])),
        several_steps=float(np.mean([sample.steps >= 2 for sample in flat])),
        boxed=float(np.mean([sample.boxed for sample in flat])),
        finished=float(np.mean([sample.finished for sample in flat])),
        difficulty=difficulty_shares(pool),
        tokens_per_second=sum(tokens) / seconds,
    )


def start_engine(checkpoint: Path, dtype: Dtype, threads: str, seed: int) -> Any:
    """An in-process vLLM engine on the CPU; its settings must be set before the import.

    The seed is the engine's, not the request's: vLLM 0.32 on a CPU fails with "CPU Generator does
    not use offset" as soon as it splits the prefill of a request that has a seed of its own.
    """
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", threads)
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    from vllm import LLM

    return LLM(
        model=str(checkpoint),
        dtype=dtype,
        seed=seed,
        max_model_len=MAX_MODEL_LEN,
        enforce_eager=True,
        distributed_executor_backend="uni",
        enable_prefix_caching=True,
    )


def measure(
    engine: Any, template: Template, records: Sequence[dict[str, Any]], options: argparse.Namespace
) -> Result:
    """Sample every problem with one template and reduce the samples to a row."""
    from vllm import SamplingParams

    parameters = SamplingParams(
        n=options.samples,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        stop=list(template.stop) or None,
    )
    started = time.perf_counter()
    chats = [template.messages(record["problem"]) for record in records]
    requests = engine.chat(chats, parameters, use_tqdm=False)
    seconds = time.perf_counter() - started
    if options.show:
        show(requests, records, options.show)
    pool = [
        [grade(completion, record) for completion in request.outputs]
        for request, record in zip(requests, records, strict=True)
    ]
    return summarise(template.name, pool, seconds)


def show(requests: Sequence[Any], records: Sequence[dict[str, Any]], count: int) -> None:
    """Print the first responses on stderr, to be read by eye."""
    for request, record in list(zip(requests, records, strict=True))[:count]:
        print(record["problem"], "=>", record["answer"], file=sys.stderr)
        print("   ", repr(request.outputs[0].text), file=sys.stderr)


def print_table(results: Sequence[Result]) -> None:
    """The table, a row a template, accuracy never without its interval."""
    levels = sorted({level for result in results for level in result.levels})
    head = f"{'template':<22} {'pass@1 [95%]':<18} " + " ".join(
        f"{f'level {level}':<18}" for level in levels
    )
    tail = (
        f"{'tokens':>6} {'steps':>5} {'>=2':>5} {'boxed':>5} {'ended':>5}  easy/medium/hard tok/s"
    )
    print(head, tail)
    for result in results:
        cells = [result.accuracy, *(result.levels[level] for level in levels)]
        shares = "/".join(f"{share:.2f}" for share in result.difficulty.values())
        print(
            f"{result.template:<22}",
            *(f"{interval_text(cell):<18}" for cell in cells),
            f"{result.mean_tokens:6.1f} {result.mean_steps:5.2f} {result.several_steps:5.2f}",
            f"{result.boxed:5.2f} {result.finished:5.2f}  {shares:<16}",
            f"{result.tokens_per_second:5.0f}",
        )


def interval_text(cell: Accuracy) -> str:
    """A pass@1 with its interval, as the table prints it."""
    return f"{cell.pass_at_1:.2f} [{cell.interval[0]:.2f}, {cell.interval[1]:.2f}]"


def best_of(results: Sequence[Result]) -> Result:
    """The most accurate template that writes several steps and ends by itself.

    Without such a template the most accurate one of all.
    """
    usable = [r for r in results if r.several_steps >= 0.9 and r.finished >= 0.9]
    return max(usable or results, key=lambda result: result.accuracy.pass_at_1)


def parse_options(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command-line options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder of the policy")
    parser.add_argument("--templates", type=Path, nargs="*", help="default: bench/templates/*.json")
    parser.add_argument("--problems", type=Path, default=ROOT / "data/problems/profile.jsonl")
    parser.add_argument("--count", type=int, default=100, help="problems to use")
    parser.add_argument("--samples", type=int, default=8, help="a problem")
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--threads", default="0-1", help="VLLM_CPU_OMP_THREADS_BIND")
    parser.add_argument("--show", type=int, default=0, help="responses to print on stderr")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the templates and print the best one last."""
    options = parse_options(argv)
    paths = options.templates or sorted((ROOT / "bench/templates").glob("*.json"))
    templates = [Template.load(path) for path in paths]
    lines = options.problems.read_text(encoding="utf-8").splitlines()
    # Levels and kinds take turns in the file, so its head is balanced; an even stride is not: it
    # falls into step with the turns and leaves levels out.
    records = [json.loads(line) for line in lines[: options.count]]
    engine = start_engine(options.checkpoint, options.dtype, options.threads, options.seed)
    results = []
    for template in templates:
        results.append(measure(engine, template, records, options))
        print(f"measured {template.name}", file=sys.stderr)
    if options.json:
        rows = [asdict(result) for result in results]
        print(json.dumps({"results": rows, "best": best_of(results).template}))
        return
    print_table(results)
    best = best_of(results)
    print(f"best template: {best.template}, pass@1 {interval_text(best.accuracy)}")


if __name__ == "__main__":
    main()
