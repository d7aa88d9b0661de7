"""How near do the defaults come to the best that vLLM gives on a real model, and do they show life?

`apportion profile` runs with its defaults on problems of GSM8K. Then vLLM alone draws the same
samples, with caches and batches that are set by hand, and as loops of other projects ask for them:

- *by hand*: all prompts in one call of vLLM's `LLM`, for each cache and batch of a small grid. It
  asks for the log-probability of each token, as `apportion` does; the next two do not;
- *a problem at a time*: one call for each problem, as its_hub's best-of-N does;
- *25 problems at a time*: one call for each 25 problems, as search-and-learn's best-of-N does.

Every way has a process of its own, one after another. Its speed is the generated tokens over the
seconds in which it generates; loading does not count. All are ratios within this run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import ROOT, SHARED, finish

sys.path.insert(0, str(ROOT))
from executor.engines.options import prepare_environment
from executor.loading import resolve
from executor.models.templates import template_for
from executor.models.tokens import load_tokenizer
from executor.store.store import Store
from profiling.problems.files import load_problems

POLICY = "qwen2.5-coder-1.5b"
GSM8K = SHARED / "data" / "benchmarks" / "gsm8k_test.jsonl"
# Cache in GiB and sequences in a batch.
GRID = ((2.0, 64), (4.0, 128), (8.0, 256))
_CONTEXT = 8192


def profiled(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run `apportion profile` with its defaults; its speed, and its longest silence."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/store.db"
        command = [
            sys.executable, "-m", "planner.cli.main", "profile", "--policy", arguments.policy,
            "--problems", str(arguments.problems), "--limit", str(arguments.limit),
            "--max-samples", str(arguments.samples), "--max-tokens", str(arguments.max_tokens),
            "--store", url,
        ]  # fmt: skip
        lines: list[tuple[float, str]] = []
        with subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                lines.append((time.monotonic(), line.strip()))
        if process.returncode:
            sys.exit("\n".join(text for _, text in lines[-20:]))
        with Store.open(url, create=False) as store:
            (run,) = store.runs()
            tokens = sum(
                one.outcome.ledger.policy_generated for one in store.outcomes(run, samples=False)
            )
    # The policy says what it holds when it is loaded; progress ends with the last problem.
    loaded = next(at for at, text in lines if "a cache of" in text)
    told = [at for at, text in lines if at >= loaded]
    ended = max(at for at, text in lines if f"{arguments.limit}/{arguments.limit}" in text)
    return {
        "tokens": tokens,
        "seconds": ended - loaded,
        "speed": tokens / (ended - loaded),
        "longest_silence": max(b - a for a, b in itertools.pairwise(told)),
        "lines": [text for _, text in lines],
    }


def drawn_by_vllm(arguments: argparse.Namespace, batch: int | None) -> dict[str, Any]:
    """Draw the samples with vLLM alone, in this process, `batch` problems a call."""
    prepare_environment()
    from vllm import LLM, SamplingParams

    checkpoint = resolve(arguments.policy, "policy")
    llm = LLM(
        checkpoint.location, enforce_eager=True, distributed_executor_backend="uni",
        kv_cache_memory_bytes=int(arguments.cache * 2**30), max_num_seqs=arguments.sequences,
        max_model_len=_CONTEXT, max_num_batched_tokens=_CONTEXT, enable_chunked_prefill=False,
        block_size=32, disable_log_stats=False,
    )  # fmt: skip
    template = template_for(arguments.policy, checkpoint.folder)
    tokenizer = load_tokenizer(checkpoint.location)
    problems = load_problems(arguments.problems, limit=arguments.limit)
    prompts = [{"prompt_token_ids": template.render(tokenizer, one.text)} for one in problems]
    params = SamplingParams(
        n=arguments.samples, temperature=0.7, max_tokens=arguments.max_tokens, seed=0,
        logprobs=0 if batch is None else None,
    )  # fmt: skip
    each = batch or len(prompts)
    started, tokens = time.perf_counter(), 0
    for first in range(0, len(prompts), each):
        outputs = llm.generate(prompts[first : first + each], params, use_tqdm=False)
        tokens += sum(len(one.token_ids) for output in outputs for one in output.outputs)
    seconds = time.perf_counter() - started
    preempted = sum(
        metric.value for metric in llm.get_metrics() if metric.name == "vllm:num_preemptions"
    )
    return {"tokens": tokens, "seconds": seconds, "speed": tokens / seconds, "preempted": preempted}


def in_a_process(arguments: argparse.Namespace, *more: str) -> dict[str, Any]:
    """One way of vLLM alone, in a process of its own."""
    command = [
        sys.executable, __file__, "--policy", arguments.policy, "--json",
        "--problems", str(arguments.problems), "--limit", str(arguments.limit),
        "--samples", str(arguments.samples), "--max-tokens", str(arguments.max_tokens), *more,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Measure all ways; the document and its line."""
    ours = profiled(arguments)
    hand = {
        f"{cache:g} GiB, {sequences} sequences": in_a_process(
            arguments, "--way", "all", "--cache", str(cache), "--sequences", str(sequences)
        )
        for cache, sequences in arguments.grid
    }
    best = max(hand, key=lambda name: hand[name]["speed"])
    cache, sequences = arguments.grid[list(hand).index(best)]
    settings = ("--cache", str(cache), "--sequences", str(sequences))
    others = {
        name: in_a_process(arguments, "--way", way, *settings)
        for name, way in (("a problem at a time", "1"), ("25 problems at a time", "25"))
    }
    problems = arguments.limit / ours["seconds"]
    ratios = {name: problems / (arguments.limit / one["seconds"]) for name, one in others.items()}
    share = ours["speed"] / hand[best]["speed"]
    document = {"profile": ours, "by_hand": hand, "others": others, "share": share} | {
        "problems_a_second_over": ratios
    }
    line = (
        f"{arguments.limit} problems x {arguments.samples} samples of {arguments.policy}: "
        f"{ours['speed']:.0f} tokens/s, {share:.2f} of the best by hand ({best}: "
        f"{hand[best]['speed']:.0f}); longest silence {ours['longest_silence']:.0f} s; "
        "problems a second over "
        + ", ".join(f"{name}: {ratio:.2f}" for name, ratio in ratios.items())
    )
    return document, line


def pairs(text: str) -> tuple[tuple[float, int], ...]:
    """Parse caches and batches as in `2:64,8:256`."""
    found = (part.split(":") for part in text.split(","))
    return tuple((float(cache), int(sequences)) for cache, sequences in found)


def main(words: Sequence[str] | None = None) -> None:
    """Compare all ways, or run one way of vLLM alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", default=POLICY)
    parser.add_argument("--problems", type=Path, default=GSM8K)
    parser.add_argument("--limit", type=int, default=24)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=400)
    parser.add_argument("--grid", type=pairs, default=GRID, help="GiB:SEQUENCES, with commas")
    parser.add_argument("--way", choices=("all", "1", "25"), help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--sequences", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(words)
    if arguments.way is not None:
        batch = None if arguments.way == "all" else int(arguments.way)
        print(json.dumps(drawn_by_vllm(arguments, batch)))
        return
    document, line = compare(arguments)
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
