"""Why can a PRM not simply start from its policy? Linear probes of the number that was written.

The bench measures, for every layer of a bundled policy, how often a linear probe (ridge, trained on
other solutions) identifies two numbers: in the state after a result has been read, that result; and
in the state before it, the result that the policy itself would have written. A layer on top needs
both to compare them. Results are right or mistaken at random, so neither number can be guessed from
the other.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
from common import MODELS, ROOT, finish
from numpy.typing import NDArray

sys.path.insert(0, str(ROOT))
from executor.models.checkpoint import quiet_transformers
from profiling.laboratory.catalog import POLICIES
from profiling.laboratory.prm import BEFORE_RESULTS, mistaken_rows
from profiling.laboratory.train import batches

SOLUTIONS = 6400


def found(states: NDArray[np.float32], numbers: NDArray[np.int64]) -> float:
    """Share of the second half in which a probe trained on the first names the number."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.preprocessing import StandardScaler

    half = len(states) // 2
    scaler = StandardScaler().fit(states[:half])
    probe = RidgeClassifier().fit(scaler.transform(states[:half]), numbers[:half])
    return float(probe.score(scaler.transform(states[half:]), numbers[half:]))


def states_of(policy: str) -> tuple[list[Any], list[Any], Any, Any]:
    """States of every layer at results and just before them, the results, and the predictions."""
    import torch

    quiet_transformers()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = MODELS / policy
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    before_results = torch.tensor(tokenizer.convert_tokens_to_ids(list(BEFORE_RESULTS)))
    layers = model.config.num_hidden_layers + 1
    at: list[list[Any]] = [[] for _ in range(layers)]
    before: list[list[Any]] = [[] for _ in range(layers)]
    written, predicted = [], []
    rows = next(mistaken_rows(1, tokenizer, SOLUTIONS))
    with torch.inference_mode():
        for ids, labels in batches(iter([rows]), 64):
            out = model(input_ids=ids, attention_mask=(ids != 0).long(), output_hidden_states=True)
            place = torch.isin(ids[:, :-1], before_results) & (labels[:, 1:] >= 0)
            for layer, states in enumerate(out.hidden_states):
                at[layer].append(states[:, 1:][place])
                before[layer].append(states[:, :-1][place])
            written.append(ids[:, 1:][place])
            predicted.append(out.logits[:, :-1][place].argmax(dim=-1))
    join = torch.cat
    return list(map(join, at)), list(map(join, before)), join(written), join(predicted)


def main() -> None:
    """Probe every layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", choices=list(POLICIES), default="lab-0.8m")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    at, before, written, predicted = states_of(arguments.policy)
    read = [found(states.numpy(), written.numpy()) for states in at]
    meant = [found(states.numpy(), predicted.numpy()) for states in before]
    line = (
        f"{arguments.policy}, embeddings and each layer, {len(written)} results: "
        f"the number that was read is found in {', '.join(f'{share:.2f}' for share in read)}; "
        f"the number that would be written in {', '.join(f'{share:.2f}' for share in meant)}"
    )
    finish({"results": len(written), "read": read, "meant": meant}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
