"""What the laboratory is made of: its policies and PRMs by name, and how each is trained."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from profiling.laboratory.prm import PrmRecipe, VerifierRecipe
from profiling.laboratory.train import PolicyRecipe

POLICIES: Mapping[str, PolicyRecipe] = MappingProxyType(
    {
        "lab-0.4m": PolicyRecipe(hidden=96, layers=3, steps=1500),
        "lab-0.8m": PolicyRecipe(hidden=128, layers=4, steps=1500),
        "lab-1.8m": PolicyRecipe(hidden=192, layers=4, steps=1500),
    }
)

# What the strong PRMs start from. A verifier has to know more sums than the policy it checks, and
# has to have learnt to compare: one that starts from the policy's own weights and samples learns
# which problems are hard, not which steps are right, and best-of-N by it is worse than one sample.
TEACHER = "lab-teacher"
VERIFIER = "lab-verifier"
BASES: Mapping[str, PolicyRecipe | VerifierRecipe] = MappingProxyType(
    {
        TEACHER: PolicyRecipe(hidden=128, layers=4, steps=4500, seed=1),
        VERIFIER: VerifierRecipe(base=TEACHER, new_layers=2, steps=2500, learning_rate=1.5e-3),
    }
)


def _strong(policy: str) -> PrmRecipe:
    """Many samples of the policy itself, and a base that can check the arithmetic."""
    return PrmRecipe(policy=policy, base=VERIFIER, problems=2400, samples=16, steps=800)


def _weak(policy: str) -> PrmRecipe:
    """A small base and few samples."""
    return PrmRecipe(policy=policy, base="lab-0.4m", problems=40, samples=16, steps=60)


PRMS: Mapping[str, PrmRecipe] = MappingProxyType(
    {
        **{f"{policy}-prm": _strong(policy) for policy in POLICIES},
        **{f"{policy}-prm-weak": _weak(policy) for policy in POLICIES},
    }
)

# Whose strong PRM plays the off-policy one: trained on another policy's samples.
OFF_POLICY: Mapping[str, str] = MappingProxyType(
    {
        "lab-0.4m": "lab-1.8m-prm",
        "lab-0.8m": "lab-0.4m-prm",
        "lab-1.8m": "lab-0.4m-prm",
    }
)


def head_of(policy: str) -> str:
    """Name of the reward head that `apportion fit-prm` trains for a policy."""
    return f"{policy}-head"


def prms_of(policy: str) -> dict[str, str]:
    """The PRMs a policy is measured with, by kind."""
    return {
        "strong": f"{policy}-prm",
        "off-policy": OFF_POLICY[policy],
        "weak": f"{policy}-prm-weak",
        "head": head_of(policy),
    }
