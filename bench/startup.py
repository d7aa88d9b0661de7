"""How long does it take to import `apportion`, and to run commands that need no engine?

The bench times whole processes. Python itself times the import (`-X importtime`), without its own
start.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time

from common import ROOT, finish

COMMANDS = {
    "help": ["--help"],
    "recommend": ["recommend", "--policy", "smollm2-135m", "--json"],
    "recommend from published figures": [
        "recommend", "--policy", "Llama-3.2-1B-Instruct", "--prm", "RLHFlow-PRM-Deepseek-8B",
        "--benchmark", "MATH-500", "--budget", "256", "--json",
    ],
    "recommend between two models": [
        "recommend", "--policy", "lab-0.4m", "--policy", "lab-1.8m", "--prm", "lab-0.4m-prm",
        "--prm", "lab-1.8m-prm", "--max-flops", "2e9", "--json",
    ],
    "recommend between all published models": [
        "recommend", "--policy", "all", "--benchmark", "MATH-500", "--max-flops", "1e14", "--json",
    ],
}  # fmt: skip


def main() -> None:
    """Time the import and each command several times; the median counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    medians = {"import": statistics.median(_import_seconds() for _ in range(arguments.runs))}
    for name, command in COMMANDS.items():
        seconds = []
        for _ in range(arguments.runs):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "apportion", *command],
                cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            seconds.append(time.perf_counter() - started)
        medians[name] = statistics.median(seconds)
    line = ", ".join(f"{name} {value:.3f} s" for name, value in medians.items())
    finish(medians, f"median of {arguments.runs}: {line}", as_json=arguments.json)


def _import_seconds() -> float:
    """Seconds that `import apportion` takes, with all that it imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import apportion"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    [microseconds] = re.findall(r"\|\s*(\d+) \| apportion$", done.stderr, re.MULTILINE)
    return int(microseconds) / 1e6


if __name__ == "__main__":
    main()
