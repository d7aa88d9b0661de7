"""A policy so small that tests can train it."""

from __future__ import annotations

from profiling.laboratory.train import PolicyRecipe

RECIPE = PolicyRecipe(hidden=32, layers=1, steps=12, batch=8)


def silent(_: str) -> None:
    """No progress."""
