"""Records the evidence of a store into `data/measured/`, where `apportion recommend` finds it.

The store of `make demo` is what the bundled file was made from: `python bench/record_evidence.py`.
"""

from __future__ import annotations

import argparse
import json
import sys

from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.answers import MathGrader
from executor.store import Store
from planner import evidence
from planner.session import rates


def main() -> None:
    """Gather, write a file a policy, and the models' sizes beside them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default=f"sqlite:///{ROOT}/demo/apportion.db")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = ROOT / "data" / "measured"
    sizes = evidence.bundled_sizes()
    with Store.open(arguments.store, create=False) as store, MathGrader() as grader:
        frame = evidence.gather(store, grader)
        for policy, rows in frame.groupby("policy"):
            evidence.save(rows, folder / f"{policy}.csv.gz")
            for prm in sorted(set(rows["prm"]) - {""}):
                known = rates(store, str(policy), prm, None)
                sizes |= {
                    name: size
                    for name, size in (
                        (str(policy), known.policy_parameters),
                        (prm, known.prm_parameters),
                    )
                    if size is not None
                }
    (folder / "models.json").write_text(json.dumps(sizes, indent=2, sort_keys=True) + "\n")
    problems = frame["problem"].nunique()
    line = f"recorded {len(frame)} rows of {problems} problems into data/measured"
    finish(
        {"rows": len(frame), "problems": problems, "models": sizes}, line, as_json=arguments.json
    )


if __name__ == "__main__":
    main()
