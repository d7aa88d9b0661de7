"""Are cascades of small and large models worth it? The laboratory's policies, exactly replayed.

Three policies (lab-0.4m, lab-0.8m, lab-1.8m) were run on the same 400 problems, with 256 samples a
problem, and so were searches. `apportion evaluate` of several policies chooses a cascade on four
fifths of the problems and judges it on the last fifth, beside each model alone with its best
strategy, a random mixture of two strategies of any models, a fixed threshold on agreement (what
routers do), the largest model at any cost, and an oracle. This is done with the strong PRM of each
policy, and without a scorer.

Figures: by limit of FLOPs the accuracy of each, the paired differences, the promised accuracy, and
the regret to the best single model and strategy in hindsight at equal FLOPs; by target accuracy the
FLOPs of the cheapest cascade relative to the cheapest single model that reaches it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from typing import Any

from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from planner.usecases.evaluate_cascades import CascadeEvaluation, evaluate_cascades

POLICIES = ("lab-0.4m", "lab-0.8m", "lab-1.8m")
SCORERS = {
    "each with its strong PRM": tuple(f"{policy}-prm" for policy in POLICIES),
    "without a scorer": ("none",),
}
TARGETS = {
    "each with its strong PRM": (0.5, 0.52, 0.54, 0.56, 0.58),
    "without a scorer": (0.46, 0.48, 0.5),
}
CONFIDENCE = 0.9


def evaluated(scorers: str) -> CascadeEvaluation:
    """The evaluation on this project's own evidence, whatever store the machine has."""
    with tempfile.TemporaryDirectory() as folder:
        return evaluate_cascades(
            POLICIES, SCORERS[scorers], targets=TARGETS[scorers], confidence=CONFIDENCE,
            store=f"sqlite:///{folder}/none.db",
        )  # fmt: skip


def line_of(document: dict[str, Any]) -> str:
    """Accuracy, promise and regret at each limit, in one line."""
    return "; ".join(
        f"{one['limit']:.2g} FLOPs: {one['accuracy']['value']:.3f} "
        f"[{one['accuracy']['low']:.3f}, {one['accuracy']['high']:.3f}], promised "
        f"{one['promised']:.3f}, regret {100 * one['regret']['value']:+.1f} points "
        f"[{100 * one['regret']['low']:+.1f}, {100 * one['regret']['high']:+.1f}]"
        for one in document["limits"]
        if one["regret"] is not None
    )


def main() -> None:
    """Evaluate with and without scorers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {name: evaluated(name).to_dict() for name in SCORERS}
    text = ". ".join(f"{name}: {line_of(document)}" for name, document in found.items())
    finish(found, text, as_json=arguments.json)


if __name__ == "__main__":
    main()
