"""Do the ledgers agree with vLLM's own counters? Every strategy on real problems, to the token.

Uses 30 problems of MAWPS singleop and 10 of GSM8K where they lie beside this repository, else
problems of this project. Needs a reward head;
`apportion demo --policy smollm2-135m --out demo-words` leaves one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import PROBLEMS, ROOT, SHARED, apportion, finish


def main() -> None:
    """Run all five strategies at N = 4 and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prm", type=Path, default=ROOT / "demo-words" / "smollm2-135m-head")
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not arguments.prm.is_dir():
        sys.exit(
            f"no reward head at {arguments.prm}: run `apportion demo --policy smollm2-135m "
            "--out demo-words`, or give --prm"
        )
    benchmarks = SHARED / "data" / "benchmarks"
    files: list[str | Path] = ["--problems", PROBLEMS / "heldout.jsonl", "--limit", "40"]
    if benchmarks.is_dir():
        files = [
            "--problems", benchmarks / "singleop.jsonl", "--limit", "30",
            "--problems", benchmarks / "gsm8k_test.jsonl", "--limit", "10",
        ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        document = apportion(
            "run", "--strategy", "all", "--budget", "4", "--policy", "smollm2-135m",
            "--prm", arguments.prm, *files, "--max-tokens", str(arguments.max_tokens),
            "--store", f"sqlite:///{folder}/bench.db",
        )  # fmt: skip
    wrong = 0
    for run in document["runs"]:
        gaps = compare(run)
        wrong += sum(map(abs, gaps.values()))
        if not arguments.json:
            low, high = run["interval"]
            ledger = run["ledger"]
            print(
                f"{run['name']:52s} {run['problems']} outcomes, accuracy {run['accuracy']:.3f} "
                f"[{low:.3f}, {high:.3f}], generated {ledger['generated']} + discarded "
                f"{ledger['discarded']} = {ledger['generated'] + ledger['discarded']}, "
                f"vLLM counted {run['engine']['policy']['generated']}"
            )
    line = (
        f"tokens by which ledgers and engine counters differ, {len(document['runs'])} runs: {wrong}"
    )
    finish(document, line, as_json=arguments.json)


def compare(run: Any) -> dict[str, int]:
    """Ledger minus counter, for each kind of token."""
    ledger, policy, prm = run["ledger"], run["engine"]["policy"], run["engine"]["prm"]
    generated = ledger["generated"] + ledger["discarded"] + ledger["probe"]
    gaps = {
        "generated": generated - policy["generated"],
        "prompt": ledger["prompt"] + ledger["cached"] - policy["prompt"],
        "cached": ledger["cached"] - policy["cached"],
    }
    if prm is not None:
        gaps["prm"] = ledger["prm"] + ledger["prm_cached"] - prm["prompt"]
    return gaps


if __name__ == "__main__":
    main()
