"""Records the evidence of a store into `data/measured/`, where `apportion recommend` reads it.

The file of `smollm2-135m` was made from the store of `apportion demo --policy smollm2-135m --out
demo-words`. `bench/laboratory.py` calls this bench for the policies of the laboratory, pools of
samples included.
"""

from __future__ import annotations

import argparse
import json
import sys

from common import MEASURED, ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.answers.grader import MathGrader
from executor.store.store import Store
from planner.catalog import load_catalog
from planner.costs import measured as noted
from planner.evidence.gathering import gather
from planner.evidence.layout import save
from profiling.profiles.pool_files import pools_of, save_pools


def main() -> None:
    """Gather, write a file a policy, and the models' sizes beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default=f"sqlite:///{ROOT}/demo-words/apportion.db")
    parser.add_argument("--policy", help="only this one (default: all of the store)")
    parser.add_argument("--pools", action="store_true", help="the samples too, not only evidence")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    sizes: dict[str, int] = {}
    with Store.open(arguments.store, create=False) as store, MathGrader() as grader:
        frame = gather(store, grader, arguments.policy)
        for policy, rows in frame.groupby("policy"):
            save(rows, MEASURED / f"{policy}.parquet")
            known = models(store, str(policy), sorted(set(rows["prm"]) - {""}))
            note = json.dumps(known, indent=2, sort_keys=True) + "\n"
            (MEASURED / f"{policy}.models.json").write_text(note)
            sizes |= known
            if arguments.pools:
                save_pools(*pools_of(store, str(policy)), MEASURED / "pools", str(policy))
    problems = frame["problem"].nunique()
    line = f"recorded {len(frame)} rows of {problems} problems into data/measured"
    finish(
        {"rows": len(frame), "problems": problems, "models": sizes}, line, as_json=arguments.json
    )


def models(store: Store, policy: str, prms: list[str]) -> dict[str, int]:
    """Parameters of a policy and its PRMs, as far as the store knows them."""
    sizes: dict[str, int] = {}
    catalog = load_catalog()
    for prm in [None, *prms]:
        known = noted.rates(store, policy, prm, catalog)
        for name, size in ((policy, known.policy_parameters), (prm, known.prm_parameters)):
            if name is not None and size is not None:
                sizes[name] = size
    return sizes


if __name__ == "__main__":
    main()
