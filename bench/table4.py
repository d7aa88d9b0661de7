"""Table 4 of arXiv 2502.06703 as a worked example of `planner.costs.cost`.

The table compares a 3B policy with compute-optimal test-time scaling and a 405B one that answers
greedily, in FLOPs of pre-training and of inference. It prints no token counts, no budget, no
benchmark and no word on the PRM. The bench shows which assumptions give its figures, and how far
off others are.

It reads `data/published/facts.csv` and writes `docs/table-4.md`. Figure: the printed inference
FLOPs of the 3B policy, the assumptions that reproduce them, and their value once the PRM is
counted.
"""

from __future__ import annotations

import argparse
import csv
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.models.architecture import Shape
from planner.costs.cost import Rates, training_flops

FACTS = ROOT / "data" / "published" / "facts.csv"
PAGE = ROOT / "docs" / "table-4.md"
SMALL, LARGE = "Llama-3.2-3B-Instruct", "Llama-3.1-405B-Instruct"
DISTILLED, REASONING = "DeepSeek-R1-Distill-Qwen-7B", "DeepSeek-R1"


@dataclass(frozen=True)
class Model:
    """A row of the table, by its makers.

    Attributes:
        parameters: as its name says, all of them.
        trained_on: tokens of pre-training.
        source: of the tokens.
    """

    parameters: int
    trained_on: float
    source: str


MODELS = {
    SMALL: Model(3 * 10**9, 9e12, "model card of Llama 3.2: up to 9T"),
    LARGE: Model(405 * 10**9, 15e12, "model card of Llama 3.1: about 15T (report: 15.6T)"),
    DISTILLED: Model(7 * 10**9, 18e12, "Qwen2.5 report, arXiv 2412.15115: 18T"),
    REASONING: Model(671 * 10**9, 14.8e12, "DeepSeek-V3 report, arXiv 2412.19437: 14.8T"),
}
ACTIVE = 37 * 10**9  # parameters of DeepSeek-R1 that one token uses (arXiv 2412.19437)
BENCHMARKS = {"MATH-500": 500, "AIME24": 30, "both": 530}  # the paper's
PROBLEMS = BENCHMARKS["MATH-500"]

# What the printed figures amount to, on MATH-500: the policy's tokens alone, in round numbers.
N, LENGTH = 256, 400
TOKENS = {SMALL: N * LENGTH, LARGE: 1050, DISTILLED: 256 * 455, REASONING: 6000}

PRM = 7 * 10**9
PRM_TRAINED_ON = MODELS[DISTILLED].trained_on  # Qwen2.5-Math-PRM-7B starts from the same base
PROMPT = 200.0  # tokens: a problem of MATH with its chat template, roughly
STEP = 58.4  # tokens a step in the data of RLHFlow-PRM-Deepseek-8B (Table 1 of the paper)
MEASURED = 661.0  # tokens a beam: the paper's code with Qwen2.5-1.5B (facts.csv, ca363f1)
CHECKPOINT = 3_212_749_824  # parameters of Llama-3.2-3B
SHAPE = Shape(layers=28, attention_width=3072, kv_width=1024)  # its config.json


@dataclass(frozen=True)
class Reading:
    """One way of counting what the 3B policy does to a benchmark.

    Attributes:
        words: the assumption.
        rates: sizes, and attention where it is counted.
        generated, prompt, prm: tokens of a problem.
    """

    words: str
    rates: Rates
    generated: float = float(N * LENGTH)
    prompt: float = 0.0
    prm: float = 0.0

    @property
    def flops(self) -> float:
        """Of all problems of MATH-500."""
        flops = self.rates.price(self.generated, self.prompt, self.prm).flops
        assert flops is not None
        return flops * PROBLEMS


def readings() -> list[Reading]:
    """The one that reproduces the printed figure, then others that change one thing each."""
    plain = Rates(MODELS[SMALL].parameters, PRM)
    tokens = float(N * LENGTH)
    again = (LENGTH / STEP + 1) / 2  # the mean share of a response that a step's score reads
    shaped = replace(plain, policy_shape=SHAPE, context=PROMPT + LENGTH)
    actual = replace(plain, policy_parameters=CHECKPOINT)
    large = replace(plain, prm_parameters=72 * 10**9)
    fewer = 64 * 480.0
    return [
        Reading(f"{N} generations of {LENGTH} tokens, policy only, 2 x 3e9 a token", plain),
        Reading("the checkpoint's 3.21e9 parameters", actual),
        Reading(f"attention too, over {PROMPT + LENGTH:.0f} tokens", shaped),
        Reading(f"prompts of {PROMPT:.0f} tokens too, once a problem", plain, prompt=PROMPT),
        Reading("prompts too, once a generation (no prefix cache)", plain, prompt=PROMPT * N),
        Reading(
            f"{MEASURED:.0f} tokens each, as Qwen2.5-1.5B wrote with the paper's code",
            plain,
            generated=N * MEASURED,
        ),
        Reading("a 7B PRM too, that reads every token once", plain, prm=tokens),
        Reading("a 7B PRM too, that reads all again at each step", plain, prm=tokens * again),
        Reading("a 72B PRM too, once", large, prm=tokens),
        Reading("64 generations", plain, generated=64.0 * LENGTH),
        Reading("64 generations of 480 tokens, and a 7B PRM once", plain, fewer, prm=fewer),
    ]


def scored() -> Reading:
    """The first reading's tokens, and a PRM that reads each of them once."""
    first, *rest = readings()
    return next(one for one in rest if one.rates == first.rates and one.prm == first.generated)


def inference(policy: str) -> float:
    """FLOPs on MATH-500 with the tokens of `TOKENS`, policy only."""
    return Reading("", Rates(MODELS[policy].parameters), float(TOKENS[policy])).flops


def pretraining(policy: str) -> float:
    """FLOPs with the makers' token counts, all parameters counted."""
    return training_flops(MODELS[policy].parameters, MODELS[policy].trained_on)


def read_printed(path: Path) -> dict[tuple[str, str], float]:
    """Printed FLOPs by item (`pretraining_flops`, `inference_flops`, `total_flops`) and policy."""
    if not path.is_file():
        sys.exit(f"{path}: no such file; it holds the printed figures")
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (row["item"], row["policy"]): float(row["value"])
            for row in csv.DictReader(file)
            if row["item"].endswith("_flops") and row["policy"] in MODELS
        }


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def off(value: float, printed: float) -> str:
    """By how much a value differs from what is printed."""
    ratio = value / printed
    return f"{ratio - 1:+.1%}" if 0.5 < ratio < 2 else f"x {ratio:.2g}"


def page(printed: Mapping[tuple[str, str], float]) -> str:
    """The page, in Markdown."""
    return "\n\n".join(_sections(printed)) + "\n"


def paragraph(text: str) -> str:
    """Words of any layout as lines of a page."""
    return textwrap.fill(" ".join(text.split()), 100, break_on_hyphens=False)


def _sections(printed: Mapping[tuple[str, str], float]) -> Iterator[str]:
    yield "# Table 4 of the paper, recomputed"
    yield "_`python bench/table4.py` writes this page, words and tables._"
    yield paragraph(
        """Table 4 of arXiv 2502.06703 compares policies with compute-optimal test-time scaling to
        larger ones that answer greedily, in FLOPs. It does not state the number of tokens, the
        budget N, the benchmark, or whether the PRM is counted. (It was read from the authors'
        picture of the table. The paper's text was not at hand and may say more.) This page computes
        the table's figures with `planner/costs/cost.py`: 6 FLOPs for each parameter and token of
        training, 2 for each parameter and forwarded token (Kaplan et al., arXiv 2001.08361)."""
    )
    yield from _pretraining(printed)
    yield from _inference(printed)
    yield from _readings(printed)
    yield from _totals()
    yield "## What the table leaves open"
    yield (
        "- the tokens, N and benchmark of every row, and how N is averaged over difficulties;\n"
        "- which PRM was used, and whether its tokens are counted, once or again at every step;\n"
        "- whether dropped beams and prompts are counted, and how much a prefix cache saved."
    )


def _pretraining(printed: Mapping[tuple[str, str], float]) -> Iterator[str]:
    yield "## Pre-training"
    yield table(
        ["policy", "printed FLOPs", "6 x parameters x tokens", "off by", "source of the tokens"],
        [
            [
                policy,
                f"{(flops := printed['pretraining_flops', policy]):.3g}",
                f"{pretraining(policy):.4g}",
                off(pretraining(policy), flops),
                model.source,
            ]
            for policy, model in MODELS.items()
        ],
    )
    active = training_flops(ACTIVE, MODELS[REASONING].trained_on)
    yield paragraph(
        f"""The makers' token counts and the sizes in the models' names reproduce all four figures.
        So DeepSeek-R1 is counted with all of its 671e9 parameters. A token uses only 37e9 of them,
        which makes {active:.3g} FLOPs, {pretraining(REASONING) / active:.0f} times fewer. The table
        leaves out all training after pre-training, and the training of the PRMs."""
    )


def _inference(printed: Mapping[tuple[str, str], float]) -> Iterator[str]:
    flops = {policy: printed["inference_flops", policy] for policy in MODELS}
    yield "## Inference: what the figures amount to"
    yield table(
        ["policy", "printed FLOPs", *(f"tokens a problem, {name}" for name in BENCHMARKS)],
        [
            [
                policy,
                f"{flops[policy]:.3g}",
                *(
                    f"{flops[policy] / (2 * model.parameters * n):,.0f}"
                    for n in BENCHMARKS.values()
                ),
            ]
            for policy, model in MODELS.items()
        ],
    )
    tokens = ", ".join(f"{TOKENS[policy]:,} ({policy})" for policy in MODELS)
    found = ", ".join(f"{inference(p):.4g} ({off(inference(p), flops[p])})" for p in MODELS)
    yield paragraph(
        f"""These are the printed FLOPs divided by 2 x parameters. One greedy answer of the 405B
        policy would have about a thousand tokens on MATH-500, but 17 thousand on AIME24, and
        responses were cut at 8192. So the benchmark is MATH-500, or both together; three digits do
        not tell these two apart. With {tokens} tokens a problem of MATH-500, and the policy's
        tokens alone, all four figures come out: {found}. Each row has one free number, its token
        count. That these counts are round numbers speaks for the formula, but does not test it."""
    )


def _readings(printed: Mapping[tuple[str, str], float]) -> Iterator[str]:
    small, large = (printed["inference_flops", policy] for policy in (SMALL, LARGE))
    yield "## Which assumptions give the 3B policy's figure"
    yield table(
        ["assumption", "FLOPs", "off the printed figure by", "ratio to the 405B policy's"],
        [
            [one.words, f"{one.flops:.3g}", off(one.flops, small), f"{one.flops / large:.2g}"]
            for one in readings()
        ],
    )
    yield paragraph(
        f"""The first line gives the printed figure, {small:.3g}. So does the last one, with a
        quarter of the generations and a PRM. Only the product of N and length is known, and that
        only if no PRM is counted. Whether a PRM is counted decides the comparison. As printed, the
        3B policy takes {small / large:.2f} of the 405B policy's FLOPs. With as many tokens and a 7B
        PRM that reads each of them once, it takes {scored().flops / large:.1f} times the 405B
        policy's."""
    )


def _totals() -> Iterator[str]:
    totals = {policy: pretraining(policy) + inference(policy) for policy in (SMALL, LARGE)}
    prm_training = training_flops(PRM, PRM_TRAINED_ON)
    with_prm = pretraining(SMALL) + prm_training + scored().flops
    even = pretraining(SMALL) / (inference(SMALL) / PROBLEMS)
    yield "## Totals"
    yield paragraph(
        f"""To three digits, the printed totals are pre-training alone. Inference is that of one
        benchmark: the 3B policy would have to answer {even:.2g} problems before its inference costs
        as much as its pre-training. So the ratio of the totals,
        {totals[LARGE] / totals[SMALL]:.0f}, says how much less was spent on training the smaller
        model, and nothing about the strategy. If the pre-training of the 7B PRM's base is added
        (18T tokens, {prm_training:.3g} FLOPs), the ratio is {totals[LARGE] / with_prm:.0f}."""
    )


def main() -> None:
    """Compute, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=Path, default=FACTS, help="the printed figures")
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    printed = read_printed(arguments.facts)
    arguments.out.write_text(page(printed), encoding="utf-8")
    found = readings()
    small, large = (printed["inference_flops", policy] for policy in (SMALL, LARGE))
    first, once = found[0], scored()
    document: dict[str, Any] = {
        "printed": {f"{item} of {policy}": value for (item, policy), value in printed.items()},
        "readings": {one.words: one.flops for one in found},
        "pretraining": {policy: pretraining(policy) for policy in MODELS},
        "inference": {policy: inference(policy) for policy in MODELS},
    }
    finish(
        document,
        f"3B inference: {small:.3g} printed, {small / large:.2f} of the 405B's; {first.flops:.4g} "
        f"({off(first.flops, small)}) as {first.words}; {once.flops:.3g}, {once.flops / large:.1f} "
        "times the 405B's, with a 7B PRM that reads each token once",
        as_json=arguments.json,
    )


if __name__ == "__main__":
    main()
