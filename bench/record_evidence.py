"""Records the evidence of a store into `data/measured/`, where `apportion recommend` reads it.

The file of `smollm2-135m` was made from the store of `apportion demo --policy smollm2-135m --out
demo-words`. `bench/laboratory.py` calls this bench for the policies of the laboratory, pools of
samples included.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

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
    found: dict[str, dict[str, Any]] = {}
    with Store.open(arguments.store, create=False) as store, MathGrader() as grader:
        frame = gather(store, grader, arguments.policy)
        for policy, rows in frame.groupby("policy"):
            save(rows, MEASURED / f"{policy}.parquet")
            known = models(store, str(policy), sorted(set(rows["prm"]) - {""}))
            note_models(known, str(policy))
            found |= known
            if arguments.pools:
                save_pools(*pools_of(store, str(policy)), MEASURED / "pools", str(policy))
    problems = frame["problem"].nunique()
    line = f"recorded {len(frame)} rows of {problems} problems into data/measured"
    finish(
        {"rows": len(frame), "problems": problems, "models": found}, line, as_json=arguments.json
    )


def models(store: Store, policy: str, prms: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Parameters and shape of a policy and its PRMs, as far as the store knows them."""
    found: dict[str, dict[str, Any]] = {}
    catalog = load_catalog()
    for prm in [None, *prms]:
        known = noted.rates(store, policy, prm, catalog)
        for name, size, shape in (
            (policy, known.policy_parameters, known.policy_shape),
            (prm, known.prm_parameters, known.prm_shape),
        ):
            if name is not None and size is not None:
                plain = None if shape is None else asdict(shape)
                found[name] = {"parameters": size, "shape": plain}
    return found


def note_models(known: Mapping[str, Any], policy: str) -> None:
    """Write what is known of the models beside a policy's evidence; what was known stays."""
    path = MEASURED / f"{policy}.models.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    text = json.dumps(before | dict(known), indent=2, sort_keys=True) + "\n"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
