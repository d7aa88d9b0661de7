"""How well do published figures predict a left-out policy, PRM or study? Coverage and error.

Each policy, PRM and study is left out in turn. Its figures are predicted as those of a run in an
unknown study, and compared with the printed ones. The spreads are chosen anew without the part that
is left out. Coverage is that of the 90 % intervals, first as a mean over the parts that were left
out (a policy with three hundred figures counts as one), then over figures. A figure lies inside or
not; intervals of no width, as exact as a figure is printed, are judged beside. `--tune` chooses the
spreads from all these figures and writes `data/published/model.json`.

A promise is judged too: of the left-out figures of one benchmark, the cheapest strategy is chosen
that is 95 % (or 90 %) sure of a target, for targets of .10, .15, ... .95. The promise is kept if
its figure reaches the target. Choices that are surer than 99.9 % are left out: they are always
right.

Figures of studies set apart (`planner.published.figures.SET_APART`) are none of these. Their
policies are left out on a benchmark in turn, and predicted from general figures, from all, and from
those of the studies set apart, always with the shipped spreads: `figures.telling` follows the best.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from planner.catalog import Catalog, load_catalog
from planner.choice.rules import cheapest_sure
from planner.prediction.beta import probability_above, summarise
from planner.published import figures
from planner.published.model import MODEL_FILE, PublishedModel, beta_of_logit, usable
from planner.published.spreads import tune

LEFT_OUT = ("policy", "prm", "study")
_PRINTED = 5e-4  # half of the last digit of a printed accuracy


CONFIDENCES = (0.95, 0.9)
_TARGETS = np.arange(0.1, 0.96, 0.05)
_CERTAIN = 0.999


def held_out(
    cells: pd.DataFrame, catalog: Catalog, column: str, *, retune: bool
) -> Iterator[tuple[PublishedModel, pd.DataFrame, str]]:
    """A model fitted without each policy, PRM or study, and the figures that were left out."""
    shipped = PublishedModel.load(catalog).spreads
    for name in sorted(set(cells[column]) - {""}):
        out = cells[column] == name
        rest, asked = cells[~out].reset_index(drop=True), cells[out].reset_index(drop=True)
        model = PublishedModel(tune(rest, catalog, shipped) if retune else shipped, catalog)
        yield model.fit(rest), asked, name


def promises(
    model: PublishedModel, asked: pd.DataFrame, name: str, catalog: Catalog
) -> Iterator[dict[str, object]]:
    """Choices for targets among left-out figures of one benchmark each, and whether they reach."""
    for _, group in asked.groupby("benchmark"):
        means, covariance = model.predict(group.assign(study=""))
        a, b = beta_of_logit(means, np.diag(covariance))
        sizes = [catalog.policies[one].parameters for one in group["policy"]]
        prices = (np.array(sizes) * group["n"].to_numpy())[None, :]
        truth = group["accuracy"].to_numpy(float)
        for target, confidence in itertools.product(_TARGETS, CONFIDENCES):
            chances = probability_above(a, b, target)[None, :]
            [at] = cheapest_sure(means[None, :], chances, prices, confidence, counted=1)
            if confidence <= chances[0, at] < _CERTAIN:
                yield {"name": name, "confidence": confidence, "kept": truth[at] >= target,
                       "chance": chances[0, at]}  # fmt: skip


def judged(model: PublishedModel, asked: pd.DataFrame, name: str) -> pd.DataFrame:
    """Predictions of cells as those of a new study, against their figures."""
    means, covariance = model.predict(asked.assign(study=""))
    mean, low, high = summarise(*beta_of_logit(means, np.diag(covariance)))
    truth = asked["accuracy"].to_numpy(float)
    return pd.DataFrame(
        {
            "name": name,
            "covered": (low <= truth) & (truth <= high),
            "error": np.abs(mean - truth),
            "width": high - low,
            "point": np.abs(mean - truth) <= _PRINTED,
        }
    )


def set_apart(cells: pd.DataFrame, catalog: Catalog) -> Iterator[tuple[str, pd.DataFrame]]:
    """Of each policy and benchmark of the studies set apart, what three choices of figures say."""
    apart = cells["study"].isin(figures.SET_APART)
    for (policy, benchmark), asked in cells[apart].groupby(["policy", "benchmark"]):
        rest = ~cells.index.isin(asked.index)
        own = apart | (cells["policy"] == policy)
        for words, used in (("general", rest & ~apart), ("all", rest), ("its kind's", rest & own)):
            model = PublishedModel.load(catalog).fit(cells[used].reset_index(drop=True))
            found = judged(model, asked.reset_index(drop=True), f"{policy} on {benchmark}")
            yield f"policy set apart (from {words} figures)", found


def summary(parts: Sequence[pd.DataFrame]) -> dict[str, float]:
    """Coverage and error, as means over the parts that were left out and over figures."""
    found = pd.concat(parts)
    by_name = found.groupby("name").mean()
    return {
        "left_out": len(by_name),
        "figures": len(found),
        "coverage": float(by_name["covered"].mean()),
        "coverage_of_figures": float(found["covered"].mean()),
        "mean_absolute_error": float(by_name["error"].mean()),
        "width": float(by_name["width"].mean()),
        "coverage_of_no_width": float(by_name["point"].mean()),
    }


def kept(made: Sequence[Mapping[str, object]]) -> list[dict[str, float]]:
    """How often promises were kept, by confidence, and how sure of them the model was."""
    frame = pd.DataFrame(made)
    return [
        {
            "confidence": float(str(confidence)),
            "choices": len(group),
            "left_out": group["name"].nunique(),
            "kept": float(group["kept"].mean()),
            "kept_by_part": float(group.groupby("name")["kept"].mean().mean()),
            "chance": float(group["chance"].mean()),
        }
        for confidence, group in frame.groupby("confidence")
    ]


def main() -> None:
    """Leave out, or tune."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tune", action="store_true", help="write model.json")
    parser.add_argument(
        "--shipped",
        action="store_true",
        help="with the shipped spreads: seconds, and a little kind",
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    catalog = load_catalog()
    everything = usable(figures.cells(), catalog)
    cells = figures.general(everything).reset_index(drop=True)
    if arguments.tune:
        path = ROOT / "data" / "published" / MODEL_FILE
        path.write_text(json.dumps(tune(cells, catalog), indent=1) + "\n", encoding="utf-8")
    document: dict[str, Any] = {}
    for column in LEFT_OUT:
        fitted = list(held_out(cells, catalog, column, retune=not arguments.shipped))
        made = [row for one in fitted for row in promises(*one, catalog)]
        document[column] = summary([judged(*one) for one in fitted]) | {"promises": kept(made)}
    apart: dict[str, list[pd.DataFrame]] = {}
    for words, found in set_apart(everything, catalog):
        apart.setdefault(words, []).append(found)
    document |= {words: summary(parts) for words, parts in apart.items()}
    line = "; ".join(
        f"{name} left out: coverage {each['coverage']:.2f} ({each['coverage_of_figures']:.2f} of "
        f"figures, {each['coverage_of_no_width']:.2f} without width), error "
        f"{each['mean_absolute_error']:.3f}"
        + "".join(
            f", promises of {one['confidence']:.0%} kept {one['kept']:.3f} "
            f"({one['kept_by_part']:.3f} by part) of {one['choices']}, which said "
            f"{one['chance']:.3f}"
            for one in each.get("promises", ())
        )
        for name, each in document.items()
    )
    finish({"intervals": 0.9, "left_out": document}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
