"""Which task template suits SmolLM2-135M? pass@1, length and steps of each candidate.

All candidates answer the same problems with the same seeds, so they can be compared in pairs. The
last line gives the difference between the bundled template and each other one, with resampled
problems.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import PROBLEMS, ROOT, apportion, finish

sys.path.insert(0, str(ROOT))
from executor.store.store import Store
from profiling.profiles.profiler import KIND

BUNDLED = ROOT / "executor" / "templates" / "smollm2-135m.json"
CANDIDATES = sorted((ROOT / "bench" / "templates").glob("*.json"))


def measure(template: Path, problems: int, samples: int, seed: int) -> dict[str, Any]:
    """Profile with one template; figures a problem, in a fixed order of problems."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        apportion(
            "profile", "--policy", "smollm2-135m", "--problems", PROBLEMS / "profile.jsonl",
            "--limit", str(problems), "--max-samples", str(samples), "--max-tokens", "160",
            "--template", template, "--store", url, "--seed", str(seed),
        )  # fmt: skip
        with Store.open(url, create=False) as store:
            (spec,) = store.runs(KIND)
            outcomes = [stored.outcome for stored in store.outcomes(spec)]
    drawn = [sample for outcome in outcomes for sample in outcome.samples]
    seconds = max(outcome.seconds for outcome in outcomes)
    return {
        "template": template.stem,
        "by_problem": [float(np.mean([bool(s.correct) for s in o.samples])) for o in outcomes],
        "tokens": float(np.mean([s.n_tokens for s in drawn])),
        "steps": float(np.mean([len(s.steps) for s in drawn])),
        "finished": float(np.mean([s.state == "finished" for s in drawn])),
        "prompt": outcomes[0].ledger.prompt + outcomes[0].ledger.cached,
        "slowest_problem_seconds": seconds,
    }


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % interval from resampling problems."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (4000, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def main() -> None:
    """Measure all, print a table, end with the paired differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=75)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of candidates")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    chosen = [c for c in CANDIDATES if not arguments.only or c.stem in arguments.only]
    found = [
        measure(path, arguments.problems, arguments.samples, arguments.seed)
        for path in [BUNDLED, *chosen]
    ]
    reference = np.array(found[0]["by_problem"])
    differences = []
    for one in found:
        values = np.array(one["by_problem"])
        one["pass_at_1"] = interval(values)
        one["difference"] = interval(reference - values)
        mean, low, high = one["pass_at_1"]
        if not arguments.json:
            print(
                f"{one['template']:22s} pass@1 {mean:.3f} [{low:.3f}, {high:.3f}]  "
                f"tokens {one['tokens']:5.1f}  steps {one['steps']:.2f}  "
                f"finished {one['finished']:.3f}",
                flush=True,
            )
        if one is not found[0]:
            mean, low, high = one["difference"]
            differences.append(f"{one['template']} {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
    line = (
        f"bundled minus candidate, pass@1 over {len(reference)} problems x {arguments.samples} "
        f"samples: {'; '.join(differences)}"
    )
    finish({"templates": found}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
