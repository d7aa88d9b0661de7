"""Serve a plan as `apportion serve` does, and ask it some problems whose answers are known.

`make demo-real` ends with it, on the plan of a real model that comes with the project. Figures: for
each question its reference, the answer, the strategy that was run, tokens and seconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import httpx
from common import ROOT, finish
from live import serving

sys.path.insert(0, str(ROOT))
from profiling.problems.files import load_problems

PLAN = ROOT / "data" / "plans" / "qwen2.5-coder-1.5b.json"
PROBLEMS = ROOT / "data" / "problems" / "heldout.jsonl"
_SECONDS = 1800.0  # for an answer of a large model on a slow machine


def main() -> None:
    """Serve, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, default=PLAN)
    parser.add_argument("--problems", type=Path, default=PROBLEMS)
    parser.add_argument("--limit", type=int, default=3, help="questions (default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        # Beside the plan `serving` keeps its log and store.
        plan = Path(folder) / "plan.json"
        plan.write_bytes(arguments.plan.read_bytes())
        print("loading the plan's models, and serving ...", file=sys.stderr)
        with serving(plan) as live:
            model = httpx.get(f"{live.url}/v1/models").json()["data"][0]["id"]
            for problem in load_problems(arguments.problems, limit=arguments.limit):
                begun = time.monotonic()
                reply = httpx.post(
                    f"{live.url}/v1/chat/completions", timeout=_SECONDS,
                    json={"model": model, "explain": True,
                          "messages": [{"role": "user", "content": problem.text}]},
                )  # fmt: skip
                reply.raise_for_status()
                document = reply.json()
                [told] = document["apportion"]
                rows.append(
                    {
                        "question": problem.text,
                        "reference": problem.answer,
                        "answer": told["answer"],
                        "strategy": told["strategy"],
                        "completion_tokens": document["usage"]["completion_tokens"],
                        "seconds": time.monotonic() - begun,
                    }
                )
    lines = [
        f"{row['question']}\n  answer {row['answer']} (reference {row['reference']}) by "
        f"{row['strategy']['name']}@{row['strategy']['n']}, {row['completion_tokens']:,} tokens, "
        f"{row['seconds']:.0f} s"
        for row in rows
    ]
    finish({"answers": rows}, "\n".join(lines), as_json=arguments.json)


if __name__ == "__main__":
    main()
