"""Every accuracy of a strategy that one JSON document holds, however it is worded there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from executor.strategy import from_dict, key


def accuracies(document: Any) -> dict[str, set[float]]:
    """The predicted accuracies by key of the strategy, wherever the document has one.

    A record with a strategy has it as `predicted_accuracy`, a row of a report's table as
    `accuracy`, and a mark of a plot as `y`.
    """
    found: dict[str, set[float]] = {}
    for name, accuracy in _pairs(document):
        found.setdefault(name, set()).add(accuracy)
    return found


def _pairs(value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, list):
        for one in value:
            yield from _pairs(one)
    if not isinstance(value, dict):
        return
    strategy = value.get("strategy")
    if isinstance(strategy, dict):
        named = {option: given for option, given in strategy.items() if given is not None}
        if "predicted_accuracy" in value:
            yield key(from_dict(named)), float(value["predicted_accuracy"])
    elif isinstance(strategy, str) and isinstance(value.get("accuracy"), dict):
        yield strategy, float(value["accuracy"]["mean"])
    elif "label" in value and "y" in value:
        yield str(value["label"]), float(value["y"])
    for one in value.values():
        yield from _pairs(one)
