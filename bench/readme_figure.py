"""The figure of the README: accuracy over budget, with a good PRM and with a misleading one.

The bench reads `data/measured`, runs no model, and writes `docs/accuracy-over-budget.svg`. Last
line: the accuracy of every strategy at the largest budget, with its 95 % interval and the number of
problems.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from common import ROOT, finish
from matrix import Floats, Matrix, accuracy_interval, accuracy_of, qualities

sys.path.insert(0, str(ROOT))
from executor.answers.voting import Vote
from executor.strategy import BeamSearch, BestOfN, Majority, Score, Strategy, key
from planner.evidence.layout import BUDGETS
from profiling.laboratory.catalog import prms_of

POLICY = "lab-0.8m"
PANELS = {"strong": "a PRM that helps", "off-policy": "a PRM that misleads"}
# Label, colour, and the strategy at a budget.
CURVES: dict[str, tuple[str, Callable[[int], Strategy]]] = {
    "majority vote (no PRM)": ("black", Majority),
    "best-of-N, highest score": ("tab:blue", lambda n: BestOfN(n, Score.LAST, Vote.MAX)),
    "best-of-N, weighted vote": ("tab:green", lambda n: BestOfN(n, Score.LAST, Vote.WEIGHTED)),
    "beam search, weighted vote": ("tab:orange", BeamSearch),
}
Curve = list[tuple[int, Floats]]
"""Budgets, each with the accuracy on every problem, shape `(problems,)`."""


def curve(matrix: Matrix, prm: str, strategy_at: Callable[[int], Strategy]) -> Curve:
    """The budgets at which a strategy was measured, with its accuracies."""
    accuracy = matrix.accuracy(prm, matrix.problems("all"))
    names = {n: key(strategy_at(n)) for n in BUDGETS if n > 1}
    return [(n, accuracy[name].to_numpy(float)) for n, name in names.items() if name in accuracy]


def draw(panels: dict[str, dict[str, Curve]], path: Path) -> None:
    """Draw one panel a PRM, with 95 % bands over problems."""
    import matplotlib

    titles = {
        one.kind: f"{PANELS[one.kind]}: {one.prm}\nAUC within a problem {one.statistics.auc_within}"
        for one in qualities(POLICY)
        if one.kind in PANELS
    }
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "apportion"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(panels), figsize=(9, 4), sharey=True)
    figure.patch.set_facecolor("white")
    lines = {}
    for panel, (kind, curves) in zip(axes, panels.items(), strict=True):
        panel.set_title(titles[kind], fontsize=10)
        panel.set_xscale("log", base=4)
        panel.set_xticks(BUDGETS[1:], [str(n) for n in BUDGETS[1:]])
        panel.set_xlabel("budget N (responses per problem)")
        panel.grid(alpha=0.25)
        for label, points in curves.items():
            colour = CURVES[label][0]
            budgets = [n for n, _ in points]
            low, high = zip(*(accuracy_interval(values) for _, values in points), strict=True)
            means = [float(values.mean()) for _, values in points]
            [lines[label]] = panel.plot(budgets, means, "o-", color=colour, markersize=4)
            panel.fill_between(budgets, low, high, color=colour, alpha=0.1, linewidth=0)
    axes[0].set_ylabel("accuracy")
    figure.legend(
        lines.values(), lines.keys(), loc="lower center", ncol=4, fontsize=9, frameon=False
    )
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    # The library ends some lines with spaces.
    path.write_text("\n".join(map(str.rstrip, path.read_text().splitlines())) + "\n")


def main() -> None:
    """Write the picture; print the accuracies at its right edge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "accuracy-over-budget.svg")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    matrix = Matrix(POLICY)
    panels = {
        kind: {
            label: curve(matrix, prms_of(POLICY)[kind], strategy_at)
            for label, (_, strategy_at) in CURVES.items()
        }
        for kind in PANELS
    }
    draw(panels, arguments.out)
    shown = {
        f"{kind} PRM, {label}, N = {n}": f"{accuracy_of(values)} ({len(values)} problems)"
        for kind, curves in panels.items()
        for label, points in curves.items()
        for n, values in points[-1:]
    }
    line = "; ".join(f"{what}: {figure}" for what, figure in shown.items())
    finish({"picture": str(arguments.out), "accuracy": shown}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
