"""Model cards of the laboratory; `bench/paper.py` writes them from the matrix beside the weights.

`python bench/cards.py FOLDER` alone records how the models that PRMs start from were trained. These
models do not ship, but the cards describe them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import MODELS, ROOT
from matrix import Matrix, Quality, accuracy_of, pass_at_1_by_level, table

sys.path.insert(0, str(ROOT))
from planner.evidence.bundled import bundled_sizes
from profiling.laboratory.catalog import BASES, PRMS, head_of
from profiling.laboratory.task import LEVELS
from profiling.laboratory.train import TRAINING_FILE, write_json

BASES_FILE = MODELS / "bases.json"


def policy_card(matrix: Matrix, training: dict[str, Any]) -> str:
    """The model card of a policy."""
    by_level = pass_at_1_by_level(matrix)
    return POLICY_CARD.format(
        name=matrix.policy,
        parameters=matrix.sizes[matrix.policy],
        **training,
        levels=table(
            ["level", "operations", "largest addend", "largest number", "pass@1"],
            [
                [str(number), str(level.operations), str(level.addend), str(level.largest),
                 by_level[number]]
                for number, level in LEVELS.items()
            ],
        ),
        problems=len(matrix.pass_at_1),
        mean=accuracy_of(matrix.pass_at_1.to_numpy(float)),
    )  # fmt: skip


def prm_card(name: str, size: int, training: dict[str, Any], quality: Sequence[Quality]) -> str:
    """The model card of a PRM."""
    head = ["policy", "as", "AUC", "AUC within a problem", "calibration error", "Brier"]
    rows = [[q.policy, q.kind, *q.figures()] for q in quality if q.prm == name]
    bases = json.loads(BASES_FILE.read_text(encoding="utf-8"))
    lineage = "".join(
        f"  - `{base}`: {bases[base]['steps']:,} steps, {bases[base]['tokens']:,} tokens, "
        f"{bases[base]['seconds']} s on one core: {MADE[base]}\n"
        for base in (BASES if training["base"] in BASES else ())
    )
    return PRM_CARD.format(
        name=name, parameters=size, **training, lineage=lineage, quality=table(head, rows)
    )


def head_card(name: str, size: int, quality: Sequence[Quality]) -> str:
    """The model card of a reward head."""
    head = ["policy", "AUC", "AUC within a problem", "calibration error", "Brier"]
    rows = [[q.policy, *q.figures()] for q in quality if q.prm == name]
    return HEAD_CARD.format(name=name, parameters=size, quality=table(head, rows))


def write_cards(matrices: Sequence[Matrix], quality: Sequence[Quality]) -> None:
    """A model card beside every model."""

    def write(name: str, card: str) -> None:
        (MODELS / name / "README.md").write_text(card, encoding="utf-8")

    def training(name: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((MODELS / name / TRAINING_FILE).read_text())
        return record

    sizes = bundled_sizes()
    for matrix in matrices:
        write(matrix.policy, policy_card(matrix, training(matrix.policy)))
        head = head_of(matrix.policy)
        write(head, head_card(head, sizes[head], quality))
    for prm in PRMS:
        write(prm, prm_card(prm, sizes[prm], training(prm), quality))


POLICY_CARD = """# {name}

A policy of apportion's laboratory: a Llama of {parameters:,} parameters that solves the task of
`profiling/laboratory/task.py`, and nothing else. Made by `bench/laboratory.py`; Apache-2.0.

- Task: stories and bare expressions of 1 to 7 operations, solved a step a paragraph.
- Shape: hidden {hidden}, {layers} layers, heads of 32, tied embeddings, float32.
- Data: seeded training problems without end, none of which shares its chain of calculations with a
  profile or held-out problem (pieces of chains do recur); loss on solutions only.
- Training: {steps} steps of {batch} problems, AdamW, peak learning rate {learning_rate}, cosine
  decay; {tokens:,} tokens in {seconds} s on one core; loss {loss} a solution token at the end.

Pass@1 (T = 0.7) on the {problems} profile problems: {mean}. By level of the hardness dial:

{levels}"""

PRM_CARD = """# {name}

A process reward model of apportion's laboratory: {parameters:,} parameters, one score a step, read
at the step's end. Made by `bench/laboratory.py`; Apache-2.0.

- Data: {samples} samples of `{policy}` on each of {problems} training problems; a token's label is
  whether it and all before it are those of the right solution, of which this task has one.
- Base: the weights of `{base}`, all of them trained on.
{lineage}- Training: {steps} steps of {batch} samples, AdamW, peak learning rate {learning_rate},
  cosine decay; {tokens:,} tokens in {seconds} s on one core; loss {loss} at the end (binary
  cross-entropy of the labels, results weighted ten times, and 0.3 of the cross-entropy of writing
  right tokens).

Last-step reward against the correctness of samples on profile problems, none of whose whole chains
it has seen; 95 % intervals by resampling problems:

{quality}"""

MADE = {
    "lab-teacher": "a language model like the policies, on the task's solutions;",
    "lab-verifier": "new layers on it, on solutions with made mistakes, each token judged by what "
    "was said before it.",
}

HEAD_CARD = """# {name}

A reward head made by `apportion fit-prm` in `bench/laboratory.py`: {parameters:,} parameters, of
which only a linear head on the policy's hidden states was trained; Apache-2.0.

Last-step reward against the correctness of samples on profile problems, none of which it has seen;
95 % intervals by resampling problems:

{quality}"""


def main() -> None:
    """Keep the training records of the bases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bases", type=Path, help="folder of their checkpoints")
    bases = parser.parse_args().bases
    records = {name: json.loads((bases / name / TRAINING_FILE).read_text()) for name in BASES}
    write_json(BASES_FILE, records)


if __name__ == "__main__":
    main()
