"""Synthetic evidence: frames in the layout of `planner.evidence.layout.COLUMNS` with known
accuracies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from executor.strategy import Strategy, key, to_dict
from planner.evidence.layout import COLUMNS

PASS_AT_1 = {"easy": 0.8, "medium": 0.3, "hard": 0.02, "unknown": float("nan")}


def row(strategy: Strategy, problem: str, accuracy: float, **columns: Any) -> dict[str, Any]:
    """One evidence row; what is not given is plain."""
    options = to_dict(strategy)
    difficulty = columns.get("difficulty", "easy")
    plain = {
        "policy": "policy", "prm": "prm" if strategy.needs_prm else "", "problem": problem,
        "benchmark": "", "difficulty": difficulty, "pass_at_1": PASS_AT_1[difficulty],
        "strategy": key(strategy), "name": strategy.name, "n": strategy.n,
        "width": options.get("width", 0), "score": str(options.get("score", "")),
        "vote": str(options.get("vote", "")), "accuracy": float(accuracy),
        "generated_tokens": 100.0 * strategy.n, "discarded_tokens": 0.0, "prompt_tokens": 20.0,
        "cached_tokens": 20.0 * (strategy.n - 1),
        "prm_tokens": 50.0 * strategy.n if strategy.needs_prm else 0.0, "prm_cached_tokens": 0.0,
        "prm_auc": 0.8 if strategy.needs_prm else float("nan"),
        "prm_auc_within": 0.7 if strategy.needs_prm else float("nan"),
        "prm_gap": 0.2 if strategy.needs_prm else float("nan"), "rival": 0.1, "source": "measured",
    }  # fmt: skip
    return plain | columns


def frame_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as evidence."""
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def simulated_frame(
    accuracies: Mapping[str, Mapping[Strategy, float]], problems: int, *, seed: int = 0
) -> pd.DataFrame:
    """Evidence where a strategy is right with a known chance.

    Args:
        accuracies: by difficulty and strategy.
        problems: of each difficulty.
        seed: of the outcomes.
    """
    rng = np.random.default_rng(seed)
    return frame_of(
        [
            row(strategy, f"{level}-{index}", rng.random() < chance, difficulty=level)
            for level, chances in accuracies.items()
            for index in range(problems)
            for strategy, chance in chances.items()
        ]
    )
