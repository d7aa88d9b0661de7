"""How well do published figures predict a left-out policy, PRM or study? Coverage and error.

Each policy, PRM and study is left out in turn. Its figures are predicted as those of a run in an
unknown study, and compared with the printed ones. The spreads are chosen anew without the part that
is left out. Coverage is that of the 90 % intervals, first as a mean over the parts that were left
out (a policy with three hundred figures counts as one), then over figures. A figure lies inside or
not; intervals of no width, as exact as a figure is printed, are judged beside. `--tune` chooses the
spreads from all figures and writes `data/published/model.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from planner.catalog import Catalog, load_catalog
from planner.prediction.beta import summarise
from planner.published import figures
from planner.published.model import MODEL_FILE, PublishedModel, beta_of_logit, usable
from planner.published.spreads import tune

LEFT_OUT = ("policy", "prm", "study")
_PRINTED = 5e-4  # half of the last digit of a printed accuracy


def held_out(
    cells: pd.DataFrame, catalog: Catalog, column: str, *, retune: bool
) -> Iterator[pd.DataFrame]:
    """Of each policy, PRM or study its figures with what the others say of them."""
    shipped = PublishedModel.load(catalog).spreads
    for name in sorted(set(cells[column]) - {""}):
        out = cells[column] == name
        rest, asked = cells[~out].reset_index(drop=True), cells[out].reset_index(drop=True)
        spreads = tune(rest, catalog, shipped) if retune else shipped
        model = PublishedModel(spreads, catalog).fit(rest)
        means, covariance = model.predict(asked.assign(study=""))
        mean, low, high = summarise(*beta_of_logit(means, np.diag(covariance)))
        truth = asked["accuracy"].to_numpy(float)
        yield pd.DataFrame(
            {
                "name": name,
                "covered": (low <= truth) & (truth <= high),
                "error": np.abs(mean - truth),
                "width": high - low,
                "point": np.abs(mean - truth) <= _PRINTED,
            }
        )


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
    cells = usable(figures.cells(), catalog)
    if arguments.tune:
        path = ROOT / "data" / "published" / MODEL_FILE
        path.write_text(json.dumps(tune(cells, catalog), indent=1) + "\n", encoding="utf-8")
    document = {}
    for column in LEFT_OUT:
        parts = list(held_out(cells, catalog, column, retune=not arguments.shipped))
        found = pd.concat(parts)
        by_name = found.groupby("name").mean()
        document[column] = {
            "left_out": len(by_name),
            "figures": len(found),
            "coverage": float(by_name["covered"].mean()),
            "coverage_of_figures": float(found["covered"].mean()),
            "mean_absolute_error": float(by_name["error"].mean()),
            "width": float(by_name["width"].mean()),
            "coverage_of_no_width": float(by_name["point"].mean()),
        }
    line = "; ".join(
        f"{name} left out: coverage {found['coverage']:.2f} ({found['coverage_of_figures']:.2f} of "
        f"figures, {found['coverage_of_no_width']:.2f} without width), error "
        f"{found['mean_absolute_error']:.3f}"
        for name, found in document.items()
    )
    finish({"intervals": 0.9, "left_out": document}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
