"""Accuracy by thinking budget: the laboratory's policy that thinks, on held-out problems.

Each budget is a profile of its own, by the public road (`planner.usecases.profile`): vLLM, the
policy's own chat template, thoughts that are ended after B tokens. Intervals are 95 % bootstraps
over problems, and differences are paired by problem. Everything that was sampled stays in
`--store`; a stopped bench continues. `--card` writes the figures into the policy's model card.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import LABORATORY, MODELS, ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.engines.options import EngineOptions
from executor.models.checkpoint import parameter_count
from executor.strategy import Sampling
from executor.thinking.budget import Thinking
from planner.runtime.reporter import SilentReporter
from planner.runtime.session import Session
from planner.runtime.settings import PREFIX_BLOCK, SessionSettings
from planner.usecases.profile import Profile, profile
from profiling.arrays import Floats
from profiling.laboratory.train import TRAINING_FILE

POLICY = MODELS / "lab-think-0.4m"
BUDGETS = ("0", "8", "16", "24", "36", "52", "free")
SAMPLES = 8
MAX_TOKENS = 160
DRAWS = 10_000


def main(argv: Sequence[str] | None = None) -> None:
    """Profile at every budget, and print accuracy and tokens a sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", type=Path, default=POLICY)
    parser.add_argument("--problems", type=Path, default=LABORATORY / "heldout.jsonl")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--budgets", default=",".join(BUDGETS))
    parser.add_argument("--store", default="sqlite:///thinking.db")
    parser.add_argument("--card", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    budgets = [Thinking.read(one) for one in options.budgets.split(",")]
    settings = SessionSettings(
        sampling=Sampling(max_tokens=MAX_TOKENS),
        engine=EngineOptions(block_size=PREFIX_BLOCK, dtype="float32"),
    )
    found: dict[str, Profile] = {}
    with Session(SilentReporter(), options.store, settings) as session:
        for budget in budgets:
            sampling = Sampling(max_tokens=MAX_TOKENS, thinking=budget)
            found[str(budget)] = profile(
                options.problems, policy=str(options.policy), max_samples=options.samples,
                sampling=sampling, session=session,
            )  # fmt: skip
    rows = {budget: row(one) for budget, one in found.items()}
    first, last = next(iter(rows)), next(reversed(rows))
    gain = difference(rates(found[last]), rates(found[first]))
    figures = table_of(rows)
    if options.card:
        write_card(options.policy, figures, rows[first]["problems"], options.samples)
    if not options.json:
        print(figures)
    low, high = gain[1]
    finish(
        {"policy": options.policy.name, "problems": rows[first]["problems"],
         "samples": options.samples, "budgets": rows, "gain": gain},
        f"pass@1 with B = {last} minus that with B = {first}: {gain[0]:+.3f} "
        f"[{low:+.3f}, {high:+.3f}] on {rows[first]['problems']} held-out problems, "
        f"{options.samples} samples each",
        as_json=options.json,
    )  # fmt: skip


def table_of(rows: Mapping[str, dict[str, Any]]) -> str:
    """The figures of all budgets as a Markdown table."""
    head = ["B", "pass@1 [95 %]", "thought tokens", "tokens", "without an answer"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for budget, one in rows.items():
        low, high = one["interval"]
        cells = [
            budget, f"{one['pass_at_1']:.3f} [{low:.3f}, {high:.3f}]", f"{one['thought']:.1f}",
            f"{one['tokens']:.1f}", str(one["only_thoughts"]),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_card(policy: Path, figures: str, problems: int, samples: int) -> None:
    """Write the model card beside the weights."""
    training = json.loads((policy / TRAINING_FILE).read_text(encoding="utf-8"))
    card = CARD.format(
        name=policy.name, parameters=parameter_count(policy), figures=figures, problems=problems,
        samples=samples, **training,
    )  # fmt: skip
    (policy / "README.md").write_text(card, encoding="utf-8")


CARD = """\
# {name}

A policy of apportion's laboratory that thinks before it answers: a Llama of {parameters:,}
parameters that solves the task of `profiling/laboratory/task.py`, and nothing else. Made by
`python -m profiling.laboratory {name}`; Apache-2.0.

- Thoughts: `<think>`, the steps of the calculation, each with a result and a check (`yes`, or `no`
  and the right result), `</think>`. The chat template opens the thought; with
  `enable_thinking=False` it closes it at once.
- Shape: hidden {hidden}, {layers} layers, heads of 32, tied embeddings, float32.
- Data: seeded training problems without end, none of which shares its chain of calculations with a
  profile or held-out problem (`profiling/laboratory/thoughts.py`). A fifth of the results are wrong
  at first; these are read and not learnt. Half of the thoughts are cut at a random token, and 15 %
  are empty.
- Training: {steps} steps of {batch} problems, AdamW, peak learning rate {learning_rate}, cosine
  decay; {tokens:,} tokens in {seconds} s on a part of one core; loss {loss} a learnt token at the
  end.

Accuracy by thinking budget B (T = 0.7) on {problems} held-out problems, {samples} samples each;
intervals are bootstraps over problems; tokens a sample:

{figures}
"""


def row(found: Profile) -> dict[str, Any]:
    """The figures of one budget, tokens by sample."""
    each = rates(found)
    samples = sum(one.pass_rate.trials for one in found.problems)
    return {
        "problems": len(each),
        "pass_at_1": float(each.mean()),
        "interval": interval(each),
        "thought": found.ledger.thought / samples,
        "tokens": found.ledger.generated / samples,
        "only_thoughts": found.only_thoughts,
    }


def rates(found: Profile) -> Floats:
    """Share of right samples of each problem, in the order of their ids; shape `(problems,)`."""
    ordered = sorted(found.problems, key=lambda one: one.outcome.problem.id)
    return np.array([one.pass_rate.successes / one.pass_rate.trials for one in ordered])


def difference(one: Floats, other: Floats) -> tuple[float, tuple[float, float]]:
    """The mean paired difference, and its interval."""
    return float((one - other).mean()), interval(one - other)


def interval(values: Floats) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean over problems."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (DRAWS, len(values))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


if __name__ == "__main__":
    main()
