"""The figure of the page "The paper at small scale": accuracy over budget."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from common import ROOT
from matrix import (
    Floats,
    Matrix,
    accuracy_interval,
)

sys.path.insert(0, str(ROOT))
from sections import COMPARED

from executor.strategy import Majority, Strategy, key
from planner.evidence.layout import BUDGETS
from profiling.laboratory.catalog import (
    LIVE_KINDS,
    prms_of,
)
from profiling.pass_rate import Difficulty


def curves(
    matrix: Matrix, problems: Sequence[str]
) -> Iterator[tuple[str, str, list[int], list[Floats]]]:
    """Family, kind of PRM, budgets, and accuracies by problem at each of them."""
    for kind in LIVE_KINDS:
        accuracy = matrix.accuracy(prms_of(matrix.policy)[kind], problems, in_class=True)
        of: dict[str, Callable[[int], Strategy]] = {**COMPARED}
        if kind == LIVE_KINDS[0]:
            of["majority"] = Majority
        del of["best_of_n, weighted"]
        for family, at in of.items():
            names = {n: key(at(n)) for n in BUDGETS if n > 1 or at is Majority}
            budgets = [n for n, name in names.items() if name in accuracy]
            yield family, kind, budgets, [accuracy[names[n]].to_numpy(float) for n in budgets]


def draw_figure(matrices: Sequence[Matrix], path: Path) -> None:
    """Accuracy over budget, a panel for each policy and difficulty; 95 % bands where fine."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "apportion"
    from matplotlib import pyplot

    colours = {"majority": "black", "best_of_n, max": "tab:blue", "beam_search": "tab:orange",
               "dvts": "tab:green"}  # fmt: skip
    dashes = {"strong": "-", "off-policy": "--", "weak": ":"}
    shape = len(matrices), len(Difficulty)
    figure, axes = pyplot.subplots(*shape, figsize=(10, 2.8 * len(matrices)), sharex=True)
    lines = {}
    for row, matrix in enumerate(matrices):
        for panel, difficulty in zip(axes[row], Difficulty, strict=True):
            problems = matrix.problems(difficulty)
            panel.set_title(f"{matrix.policy}, {difficulty} ({len(problems)} problems)", fontsize=9)
            panel.set_xscale("log", base=4)
            panel.set_xticks(BUDGETS, [str(n) for n in BUDGETS])
            if not problems:
                continue
            for family, kind, budgets, accuracies in curves(matrix, problems):
                label = family if family == "majority" else f"{family}, {kind} PRM"
                means = [float(values.mean()) for values in accuracies]
                [lines[label]] = panel.plot(
                    budgets, means, dashes[kind], color=colours[family], marker=".", linewidth=1
                )
                if kind == "strong" and family in ("majority", "beam_search"):
                    low, high = zip(*map(accuracy_interval, accuracies), strict=True)
                    panel.fill_between(budgets, low, high, color=colours[family], alpha=0.12)
    axes[-1][1].set_xlabel("N, generations a problem")
    axes[0][0].set_ylabel("accuracy")
    figure.legend(
        lines.values(), lines.keys(), loc="lower center", ncol=4, fontsize=8, frameon=False
    )
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    # What the library writes ends lines with spaces.
    path.write_text("\n".join(map(str.rstrip, path.read_text().splitlines())) + "\n")
