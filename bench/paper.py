"""The paper at small scale: asks the laboratory the questions of arXiv 2502.06703.

The paper asks them of large models. The bench reads `data/measured` and runs no model. It writes
`docs/paper-at-small-scale.md` with its figure, and a model card beside every model.
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
from planner.evidence.layout import UNKNOWN
from profiling.laboratory.catalog import POLICIES, TEACHER, VERIFIER, prms_of
from profiling.pools.class_part import class_size
from profiling.profiles.pool_files import load_pools

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
        rated=class_size(int(ledgers["samples"].min())),
        largest=largest_in_class(matrices[0]),
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


def largest_in_class(matrix: Matrix) -> int:
    """The largest budget with figures by difficulty."""
    return int(matrix.frame.loc[matrix.frame["difficulty"] != UNKNOWN, "n"].max())


TEMPLATE = """# The paper at small scale

_`python bench/paper.py` writes this page, words and tables, from `data/measured`._

arXiv 2502.06703 asks which test-time strategy is best for large models, and finds that it
depends on the policy, the PRM and the difficulty. This page asks the same about [the
laboratory](laboratory.md): three small policies trained by this project, a task whose steps can
be checked exactly, and PRMs that were made in known ways.

All figures are of the same {problems} profile problems. Intervals are 95 %, over problems. The
differences of a section are paired, and their intervals hold for all of them together (Bonferroni).
Difficulty is by pass@1 over the first {rated} of {pool} samples. Majority and best-of-N are
replayed from all of them, but in figures by difficulty only from those that did not give it, so
that their largest budget is {largest}. Beam search and DVTS are live runs.

How to read the tables: `name@N score/vote` is a strategy with budget N, the score of a response
(the last, the smallest, the mean or the product of its step rewards), and the vote over
responses. Easy problems have at least 50 % right samples, medium ones 10 to 50 %, hard ones
less. FLOPs are those of one problem: 2 for each parameter and forwarded token, the PRM's
included.

## The policies

{policies}
No policy was trained on the whole chain of calculations of any of these problems. They were trained
on pieces of them: on nearly every single calculation of small numbers, and on the short problems as
steps of longer ones. So easy levels measure what a policy has learnt, and long ones how well it
composes that.

## The PRMs

How well the reward of the last step tells right samples from wrong ones, on {reward_samples}
samples of each problem. There are five kinds of PRM:

- *strong*: trained on the policy's own samples, every token labelled exactly, from `{verifier}`
  (below);
- *off-policy*: trained in the same way on as many samples of another policy, from that policy's own
  weights, as PRMs are commonly made;
- *transferred*: the strong PRM of another policy, which differs from the strong one in its samples
  alone;
- *weak*: made from a small base and few samples;
- *head*: made by `apportion fit-prm` from the policy's hidden states.

{prms_say}
{prms}
A PRM that only knows which problems are hard has a good AUC over all samples. The AUC within a
problem says whether the PRM tells right answers from wrong ones to the same question, which is what
a strategy needs.

The base of the strong PRMs was made in two steps. `{teacher}` is a language model of
{teacher_size:,} parameters like the policies, trained for {teacher_steps:,} steps. It answers
{teacher_greedy} of these problems greedily. `{verifier}` puts {verifier_layers} layers on it
({verifier_size:,} parameters), trained for {verifier_steps:,} steps on solutions with artificial
mistakes to judge each token by the text before it. Without the second step, PRMs learn which
problems are hard and little else; `bench/recall_probe.py` shows why.

## Does the best strategy change?

The problems of a cell are split into two halves. Each half chooses a strategy for the other half.

- *Best at N = {n}* is the most accurate of all measured strategies of that budget: majority,
  best-of-N with every score and vote, and each search with one score and vote. A strategy with
  more variants is more likely to be chosen.
- *Compute-optimal* is the strategy with the fewest FLOPs among those within {slack} of the best
  mean on the half that chooses, of all strategies and budgets up to {largest}.

Two names mean that the halves chose differently.

{choices_say}
{choices}
![accuracy over budget]({figure})

What is the choice worth? The next table compares, at N = {n}, the strategy that is chosen for a
problem's own difficulty, PRM or policy with one that is chosen without this knowledge. Both are
judged on the same other half.

{awareness_say}
{awareness}
What does it save? The next table compares the cheapest strategies within {slack} of the best, of
all budgets up to {largest}.

{savings_say}
{savings}
## Does a small policy beat a larger one's greedy answer?

FLOPs include the PRM's tokens. The strong PRM comes from a model that was trained for longer. The
rows without a PRM, and those with the head, which comes from the policy itself, show what is left
without that model. The last rows compare with that model's own greedy answer.

{ladder_say}
{ladder}
## Does search with an off-policy PRM fall below majority?

The strategies are compared at equal N on the same problems. Searches vote weighted by the last
step's reward. Best-of-N is shown with that vote and with the paper's, which takes the highest
score.

{searches_say}
{searches}"""


if __name__ == "__main__":
    main()
