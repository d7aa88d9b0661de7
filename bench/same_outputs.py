"""Compare what commands print with `--json` to what an earlier version printed.

    bench/same_outputs.py                  run every case, print what differs; exit 1 if any does
    bench/same_outputs.py --record FILE    run every case, write what they print

The recording of version 0.1.0 is `tests/data/before_move/outputs.json.gz`.

The cases need no engine: they read the bundled evidence, published figures, and the store, plan and
reward head in `tests/data/before_move`, which version 0.1.0 made. Prose is left out of the
comparison: its wording may change. Numbers are compared to nine significant digits.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import math
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
APPORTION = Path(sys.executable).with_name("apportion")
RECORDED = ROOT / "tests" / "data" / "before_move"
# Sentences for people, the codes of notes, and names of files that differ from run to run.
PROSE = {"notes", "note_codes", "why", "remarks", "words", "note", "out", "routing_note", "text",
         "basis"}  # fmt: skip
_DIGITS = 1e-9
_SHOWN = 6  # differences of a case

CASES = {
    "recommend-lab": "recommend --policy lab-0.8m --prm lab-0.8m-prm",
    "recommend-easy": "recommend --policy lab-0.8m --prm lab-0.8m-prm --difficulty easy",
    "recommend-medium": "recommend --policy lab-0.8m --prm lab-0.8m-prm --difficulty medium",
    "recommend-hard": "recommend --policy lab-1.8m --prm lab-1.8m-prm --difficulty hard",
    "recommend-no-prm": "recommend --policy lab-0.4m",
    "recommend-weak": "recommend --policy lab-0.4m --prm lab-0.4m-prm-weak --difficulty medium",
    "recommend-words": "recommend --policy smollm2-135m",
    "recommend-budget": "recommend --policy lab-0.8m --prm lab-0.8m-prm --budget 16",
    "recommend-flops": "recommend --policy lab-0.8m --prm lab-0.8m-prm --max-flops 1e9",
    "recommend-seconds":
        "recommend --policy lab-0.8m --prm lab-0.8m-prm --device h100-sxm-80gb --max-seconds 1",
    "recommend-usd":
        "recommend --policy lab-0.8m --prm lab-0.8m-prm --device h100-sxm-80gb --max-usd 1e-3",
    "recommend-target":
        "recommend --policy lab-0.8m --prm lab-0.8m-prm --target-accuracy 0.6 --confidence 0.9",
    "recommend-target-out-of-reach":
        "recommend --policy lab-0.4m --prm lab-0.4m-prm --difficulty hard --target-accuracy 0.9",
    "recommend-next": "recommend --policy lab-0.8m --prm lab-0.8m-prm --next-problems 200",
    "recommend-published":
        "recommend --policy Llama-3.2-1B-Instruct --prm RLHFlow-PRM-Deepseek-8B "
        "--benchmark MATH-500 --budget 256",
    "recommend-published-aime":
        "recommend --policy Qwen2.5-7B-Instruct --prm Skywork-PRM-7B --benchmark AIME24",
    "recommend-published-target":
        "recommend --policy Llama-3.1-8B-Instruct --prm Qwen2.5-Math-PRM-7B "
        "--benchmark MATH-500 --target-accuracy 0.6",
    "recommend-published-flops":
        "recommend --policy Llama-3.2-3B-Instruct --prm Math-Shepherd-PRM-7B "
        "--benchmark MATH-500 --max-flops 1e14",
    "recommend-store":
        "recommend --policy lab-0.4m --prm lab-0.4m-prm --difficulty medium --store {store}",
    "plan": "plan --policy lab-0.4m --prm lab-0.4m-prm --budget 8 --out {out} --store {store}",
    "plan-target":
        "plan --policy lab-0.4m --prm lab-0.4m-prm --target-accuracy 0.4 --out {out} "
        "--store {store}",
    "plan-flops":
        "plan --policy lab-0.4m --prm lab-0.4m-prm --max-flops 1e9 --out {out} --store {store}",
    "evaluate": "evaluate --policy lab-0.4m --budgets 4,16 --trials 2",
    "evaluate-store": "evaluate --policy lab-0.4m --trials 2 --store {store}",
    "budget":
        "budget --plan data/plans/lab-0.8m.json --workload {mix} "
        "--total-tokens 1e6 --queries-per-day 10000 --device h100-sxm-80gb",
    "budget-flops":
        "budget --plan data/plans/lab-0.8m.json --workload data/problems/laboratory/heldout.jsonl "
        "--total-flops 1e13",
    "budget-plan": "budget --plan {plan} --workload {mix} --total-tokens 4e4",
    "replay": "replay --policy lab-0.8m --prm lab-0.8m-prm",
    "replay-k": "replay --policy lab-0.4m --prm lab-0.4m-prm-weak --k 3,5,17",
    "replay-store": "replay --policy lab-0.4m --prm lab-0.4m-prm --store {store}",
    "report": "report --policy lab-0.8m --prm lab-0.8m-prm --format json --out {out}",
    "report-published":
        "report --policy Llama-3.2-1B-Instruct --prm RLHFlow-PRM-Deepseek-8B "
        "--benchmark MATH-500 --format json --out {out}",
    "report-store":
        "report --policy lab-0.4m --prm lab-0.4m-prm --store {store} --format json --out {out}",
}  # fmt: skip


def run(name: str, words: str) -> Any:
    """The JSON document of one case, with the file it wrote, or how it failed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        store, out = place / "store.db", place / "out.json"
        store.write_bytes((RECORDED / "store.sqlite").read_bytes())
        filled = words.format(
            store=f"sqlite:///{store}",
            out=out,
            plan=RECORDED / "plan.json",
            mix=RECORDED / "mix.json",
        )
        if "{store}" not in words:
            filled += f" --store sqlite:///{place / 'none.db'}"
        command = [str(APPORTION), *shlex.split(filled), "--json"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            return {"exit": done.returncode}
        document = {"stdout": json.loads(done.stdout)}
        if out.exists():
            document["file"] = json.loads(out.read_text())
        # The same wherever the checkout and the scratch folder lie.
        plain = json.dumps(document).replace(f"{ROOT}/", "").replace(f"{place}/", "")
        return json.loads(plain)


def differences(before: Any, now: Any, where: str = "") -> Iterator[str]:
    """Where two documents differ, prose left out; one line a place."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            if key in PROSE:
                continue
            if key not in before or key not in now:
                yield f"{where}.{key}: only {'before' if key in before else 'now'}"
            else:
                yield from differences(before[key], now[key], f"{where}.{key}")
    elif isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            yield f"{where}: {len(before)} items before, {len(now)} now"
        for i, (one, other) in enumerate(zip(before, now, strict=False)):
            yield from differences(one, other, f"{where}[{i}]")
    elif isinstance(before, float) and isinstance(now, float | int):
        if not math.isclose(before, now, rel_tol=_DIGITS, abs_tol=1e-12):
            yield f"{where}: {before!r} before, {now!r} now"
    elif before != now:
        yield f"{where}: {before!r} before, {now!r} now"


def main() -> int:
    """Record or compare; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--record", type=Path, metavar="FILE", help="a new recording, .json.gz")
    parser.add_argument("--only", help="cases whose name contains this")
    arguments = parser.parse_args()
    cases = {n: w for n, w in CASES.items() if not arguments.only or arguments.only in n}
    with ThreadPoolExecutor(2) as workers:
        documents = dict(zip(cases, workers.map(run, cases, cases.values()), strict=True))
    if arguments.record is not None:
        with gzip.open(arguments.record, "wt", encoding="utf-8") as file:
            json.dump(documents, file, sort_keys=True)
        print(f"{arguments.record}: {len(documents)} cases")
        return 0
    with gzip.open(RECORDED / "outputs.json.gz", "rt", encoding="utf-8") as file:
        recorded = json.load(file)
    failed = 0
    for name, document in documents.items():
        found = list(itertools.islice(differences(recorded[name], document), _SHOWN))
        failed += bool(found)
        print(f"{name}: {'same' if not found else 'differs'}")
        for line in found:
            print(f"  {line}")
    print(f"{len(documents) - failed} of {len(documents)} the same")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
