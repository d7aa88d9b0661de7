"""The paper at small scale: asks the laboratory what arXiv 2502.06703 asks of large models.

Reads `data/measured` (nothing is run) and writes `docs/paper-at-small-scale.md` with its figure,
and a model card beside every model.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from cards import BASES_FILE, write_cards
from common import MEASURED, ROOT, finish
from figure import draw_figure
from matrix import REWARD_SAMPLES, Matrix, accuracy_of, qualities
from sections import (
    SLACK,
    N,
    awareness_section,
    choices_section,
    ladder_section,
    policies_section,
    prm_section,
    savings_section,
    searches_section,
)

sys.path.insert(0, str(ROOT))
from profiling.laboratory.catalog import POLICIES, TEACHER, VERIFIER, prms_of
from profiling.pools.stored import load_pools

PAGE = ROOT / "docs" / "paper-at-small-scale.md"


def main() -> None:
    """Write the page, its figure and the model cards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    matrices = [Matrix(policy) for policy in POLICIES]
    teacher = Matrix(TEACHER)
    everything = matrices[0].problems("all")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    figure = arguments.out.with_suffix(".svg")
    draw_figure(matrices, figure)
    quality = [one for policy in POLICIES for one in qualities(policy)]
    write_cards(matrices, quality)
    sections = {
        "prms": prm_section(quality),
        "choices": choices_section(matrices),
        "awareness": awareness_section(matrices),
        "savings": savings_section(matrices),
        "ladder": ladder_section(matrices, teacher),
        "searches": searches_section(matrices),
    }
    verdicts = {name: found for name, (_, found) in sections.items()}
    _, ledgers = load_pools(MEASURED / "pools", matrices[0].policy)
    bases = json.loads(BASES_FILE.read_text(encoding="utf-8"))
    text = TEMPLATE.format(
        problems=len(everything),
        pool=int(ledgers["samples"].min()),
        teacher=TEACHER,
        teacher_size=teacher.sizes[TEACHER],
        teacher_steps=bases[TEACHER]["steps"],
        teacher_greedy=accuracy_of(teacher.accuracy(None, everything)["greedy"].to_numpy(float)),
        verifier=VERIFIER,
        verifier_size=teacher.sizes[prms_of(matrices[0].policy)["strong"]],
        verifier_layers=bases[VERIFIER]["new_layers"],
        verifier_steps=bases[VERIFIER]["steps"],
        figure=figure.name,
        policies=policies_section(matrices),
        reward_samples=REWARD_SAMPLES,
        slack=SLACK,
        n=N,
        **{name: shown for name, (shown, _) in sections.items()},
        **{f"{name}_say": "".join(f"- {v}\n" for v in found) for name, found in verdicts.items()},
    )
    arguments.out.write_text(text, encoding="utf-8")
    finish({"page": str(arguments.out), "verdicts": verdicts}, "\n".join(verdicts["ladder"]),
           as_json=arguments.json)  # fmt: skip


TEMPLATE = """# The paper at small scale

_Made by `python bench/paper.py` from `data/measured`; words and tables alike come from that
script._

arXiv 2502.06703 asks of large models which test-time strategy is best, and finds that it depends on
the policy, the PRM and the difficulty. Here the same is asked of the laboratory: three small
policies trained by this project, a task whose steps can be checked exactly, and PRMs of known
making. All figures are of the same {problems} profile problems, with 95 % intervals over problems;
a section's differences are paired, and their intervals hold for all of them together (Bonferroni).
Difficulty is by pass@1 over {pool} samples; majority and best-of-N are replayed from the same
samples, which flatters them a little within a difficulty; beam search and DVTS are live runs.

How to read the tables: `name@N score/vote` is a strategy with N generations, a response's score
made of its step rewards (the last, the smallest, the mean, the product) and the vote over
responses. Difficulties are shares of right samples: easy at least 50 %, medium 10 to 50 %, hard
less. FLOPs are a problem's: 2 for each parameter and token forwarded, the PRM's included.

## The policies

{policies}
No whole chain of calculations of these problems was in any training. Pieces were: nearly every
single calculation of small numbers, and the short problems as steps of longer ones. So easy levels
measure what was learnt, long ones composing it.

## The PRMs

The reward of the last step against the correctness of the sample, {reward_samples} samples of each
problem. *Strong*: trained on the policy's own samples, every token labelled exactly, from
`{verifier}` (below). *Off-policy*: trained in the same way on as many samples of another policy,
from that policy's own weights, as PRMs are commonly made. *Transferred*: the strong PRM of another
policy; it differs from the strong one in the samples alone. *Weak*: a small base and few samples.
*Head*: what `apportion fit-prm` makes of the policy's hidden states.

{prms_say}
{prms}
An AUC over all samples is also earned by knowing which problems are hard; only the one within a
problem says whether right answers are told from wrong ones to the same question, which is what a
strategy needs.

What strong PRMs start from was made in two steps. `{teacher}` is a language model of
{teacher_size:,} parameters like the policies, trained for {teacher_steps:,} steps; it answers
{teacher_greedy} of these problems greedily. `{verifier}` puts
{verifier_layers} layers on it ({verifier_size:,} parameters) and is trained for
{verifier_steps:,} steps on solutions with made mistakes, to judge each token by what was said
before it. Without that step PRMs learn which problems are hard and little else:
`bench/recall_probe.py` shows why.

## Does the best strategy change?

The problems of a cell are split into two halves, and each half chooses for the other. *Best at
N = {n}*: of all strategies of that budget that were measured: majority, best-of-N with
every score and vote, the searches with one of each; the more variants, the likelier the best is one
of them. *Compute-optimal*: of all strategies and budgets up to {pool}, the one of least FLOPs
within {slack} of the best mean on the half that chooses. Two names mean that the halves chose
differently.

{choices_say}
{choices}
![accuracy over budget]({figure})

What the choice is worth: at N = {n}, the strategy chosen for a problem's own difficulty, PRM or
policy, against one chosen without that knowledge, both on the same other half.

{awareness_say}
{awareness}
And what it saves: the cheapest strategies within {slack} of the best, of all budgets up to {pool}.

{savings_say}
{savings}
## Does a small policy beat a larger one's greedy answer?

FLOPs count the PRM's tokens too. The rows without a PRM and with the head, which comes from the
policy itself, show what is left without a model that has been trained for longer; the last rows
compare with that model's own greedy answer.

{ladder_say}
{ladder}
## Does search with an off-policy PRM fall below majority?

At equal N, on the same problems. Searches vote weighted by the last step's reward; best-of-N is
shown with that vote and with the paper's, the maximum.

{searches_say}
{searches}"""


if __name__ == "__main__":
    main()
