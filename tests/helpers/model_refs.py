"""References to models that no folder holds, for sessions whose models are simulated."""

from __future__ import annotations

from executor.models.checkpoint import Checkpoint
from planner.runtime.model_ref import ModelRef, Role


def policy_ref(name: str) -> ModelRef:
    """A policy of a name, as `planner.runtime.model_ref.find_policy` would find it."""
    return _ref(name, "policy")


def prm_ref(name: str) -> ModelRef:
    """A PRM of a name, as `planner.runtime.model_ref.find_prm` would find it."""
    return _ref(name, "PRM")


def _ref(name: str, role: Role) -> ModelRef:
    return ModelRef(name, role, Checkpoint(name, f"nowhere/{name}"), name)
