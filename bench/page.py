"""How long people wait for the page at every move of the slider, over HTTP.

A server on this machine serves the page alone and has read the evidence before. The bench asks for
policies with evidence of this project and for published ones, at every budget of the slider once,
so no answer was computed before.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
import urllib.request
from urllib.parse import urlencode

from common import ROOT, finish

sys.path.insert(0, str(ROOT))
import uvicorn
from fastapi import FastAPI

from planner.service.page import page_router

BUDGETS = [2**power for power in range(9)]
PAIRS = [
    {"policy": "lab-0.8m", "prm": "lab-0.8m-prm"},
    {"policy": "lab-0.8m", "prm": "lab-0.8m-prm", "difficulty": "medium"},
    {"policy": "Llama-3.2-1B-Instruct", "prm": "RLHFlow-PRM-Deepseek-8B"},
]


def wait(address: str, **asked: str | int) -> float:
    """Seconds until an answer is there."""
    started = time.perf_counter()
    with urllib.request.urlopen(f"{address}?{urlencode(asked)}") as told:
        told.read()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print everything as one JSON document")
    parser.add_argument("--port", type=int, default=8766)
    arguments = parser.parse_args()
    app = FastAPI()
    app.include_router(page_router("sqlite:///no-such-store.db"))
    config = uvicorn.Config(app, port=arguments.port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    base = f"http://127.0.0.1:{arguments.port}/page"
    found = []
    for pair in PAIRS:
        first = wait(f"{base}/answer", **pair)
        moves = [wait(f"{base}/answer", **pair, budget=n) for n in BUDGETS]
        again = [wait(f"{base}/answer", **pair, budget=n) for n in BUDGETS]
        figures = [wait(f"{base}/figures", **pair, budget=n) for n in BUDGETS]
        found.append({
            "asked": pair,
            "first": first,
            "move_median": statistics.median(moves),
            "move_slowest": max(moves),
            "again_median": statistics.median(again),
            "figures_median": statistics.median(figures),
        })  # fmt: skip
    server.should_exit = True
    thread.join()
    lines = "; ".join(
        f"{' '.join(one['asked'].values())}: first {1000 * one['first']:.0f}, "
        f"a move {1000 * one['move_median']:.0f} (slowest {1000 * one['move_slowest']:.0f}), "
        f"again {1000 * one['again_median']:.1f}, its figures {1000 * one['figures_median']:.0f}"
        for one in found
    )
    finish({"pairs": found}, f"milliseconds over HTTP: {lines}", as_json=arguments.json)


if __name__ == "__main__":
    main()
