"""How many tokens does a PRM forward if a search scores each step as it comes?

`lab-0.8m`'s PRM scores solutions of the laboratory's task, longer than the laboratory's own
problems, on real vLLM, step by step as a search does. The bench compares this with the tokens that
scoring the whole solution again at every step would forward, and the rewards with those of whole
solutions that another engine scored at once. (The rewards are low, but this is no fault: the PRM
was trained on fewer than these twelve steps.)
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from common import MODELS, ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.engines.options import EngineOptions
from executor.ledger import Ledger
from executor.models.tokens import Step, Tokens, load_tokenizer
from executor.scorers.base import StepScorer
from executor.scorers.prm import load_prm, resolve_prm
from profiling.laboratory.task import Level, draw_chain, tell

T = TypeVar("T")
POLICY, PRM = "lab-0.8m", "lab-0.8m-prm"


def solutions(n: int, steps: int, tokens: Tokens) -> list[tuple[str, list[Step]]]:
    """Questions, and the steps of their right solutions."""
    rng = random.Random(0)
    level = Level(operations=steps, addend=9)
    told = (tell(rng, draw_chain(rng, level), 0) for _ in itertools.count())
    made = ((asked.problem, tokens.steps(tokens.encode(asked.solution))) for asked in told)
    return list(itertools.islice(made, n))


Rewards = list[list[float]]


async def step_by_step(
    prm: StepScorer, told: Sequence[tuple[str, list[Step]]]
) -> tuple[Ledger, Rewards]:
    """What a search's scoring of the solutions is charged, and their rewards."""
    ledger, rewards = Ledger(), []
    for question, steps in told:
        found: list[float] = []
        for end in range(1, len(steps) + 1):
            found += await prm.score(question, steps[:end], start=end - 1, ledger=ledger)
        rewards.append(found)
    return ledger, rewards


async def at_once(prm: StepScorer, told: Sequence[tuple[str, list[Step]]]) -> Rewards:
    """The rewards of whole solutions."""
    ledger = Ledger()
    return [await prm.score(question, steps, start=0, ledger=ledger) for question, steps in told]


def on_a_fresh_engine(
    tokens: Tokens, size: int, work: Callable[[StepScorer], Coroutine[Any, Any, T]]
) -> T:
    """The result of `work`; nothing is cached when it begins."""
    prm = load_prm(resolve_prm(PRM), tokens, EngineOptions(block_size=size, kv_cache_gib=0.5))
    try:
        return asyncio.run(work(prm))
    finally:
        prm.close()


def main() -> None:
    """Score, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--solutions", type=int, default=50)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--block-sizes", type=int, nargs="+", default=[128, 32])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    tokens = Tokens(load_tokenizer(MODELS / POLICY))
    told = solutions(arguments.solutions, arguments.steps, tokens)
    sizes = arguments.block_sizes
    whole_rewards = on_a_fresh_engine(tokens, sizes[-1], lambda prm: at_once(prm, told))
    found = {}
    for size in sizes:
        ledger, rewards = on_a_fresh_engine(tokens, size, lambda prm: step_by_step(prm, told))
        pairs = zip(itertools.chain(*rewards), itertools.chain(*whole_rewards), strict=True)
        same = sum(one == other for one, other in pairs)
        whole = ledger.prm + ledger.prm_cached
        found[size] = {
            "forwarded": ledger.prm,
            "whole_rescoring": whole,
            "ratio": ledger.prm / whole,
            "rewards_equal": same,
        }
        if not arguments.json:
            print(
                f"blocks of {size}: {ledger.prm} of {whole} tokens; {same} of "
                f"{sum(map(len, rewards))} rewards are equal to the bit"
            )
    last = found[sizes[-1]]
    line = (
        f"PRM tokens forwarded, incremental over whole rescoring, {arguments.solutions} solutions "
        f"of {arguments.steps} steps, blocks of {sizes[-1]}: {last['ratio']:.2f}"
    )
    finish({"block_sizes": found}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
