"""Catalog of the laboratory: its policies and PRMs by name, each with its training recipe."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from profiling.laboratory.prm import PrmRecipe, VerifierRecipe
from profiling.laboratory.thoughts import ReasonerRecipe
from profiling.laboratory.train import PolicyRecipe

POLICIES: Mapping[str, PolicyRecipe] = MappingProxyType(
    {
        "lab-0.4m": PolicyRecipe(hidden=96, layers=3, steps=1500),
        "lab-0.8m": PolicyRecipe(hidden=128, layers=4, steps=1500),
        "lab-1.8m": PolicyRecipe(hidden=192, layers=4, steps=1500),
    }
)

# Policies that think before they answer. They are no part of the matrix of policies and PRMs.
REASONERS: Mapping[str, ReasonerRecipe] = MappingProxyType(
    {"lab-think-0.4m": ReasonerRecipe(hidden=96, layers=3, steps=3000)}
)

# Models that the strong PRMs start from. A verifier must know more sums than the policy it checks,
# and it must have learnt to compare. A PRM that starts from the policy's own weights and samples
# learns which problems are hard, not which steps are right; best-of-N with it is worse than one
# sample.
TEACHER = "lab-teacher"
VERIFIER = "lab-verifier"
BASES: Mapping[str, PolicyRecipe | VerifierRecipe] = MappingProxyType(
    {
        TEACHER: PolicyRecipe(hidden=128, layers=4, steps=4500, seed=1),
        VERIFIER: VerifierRecipe(base=TEACHER, new_layers=2, steps=2500, learning_rate=1.5e-3),
    }
)


def _strong(policy: str) -> PrmRecipe:
    """Return a recipe with many samples of the policy and a base that can check the arithmetic."""
    return PrmRecipe(policy=policy, base=VERIFIER, problems=2400, samples=16, steps=800)


def _plain(policy: str) -> PrmRecipe:
    """Return a recipe with as many samples and the policy as base, the common way to make PRMs."""
    return PrmRecipe(policy=policy, base=policy, problems=2400, samples=16, steps=800)


def _weak(policy: str) -> PrmRecipe:
    """Return a recipe with a small base and few samples."""
    return PrmRecipe(policy=policy, base="lab-0.4m", problems=40, samples=16, steps=60)


PRMS: Mapping[str, PrmRecipe] = MappingProxyType(
    {
        **{f"{policy}-prm": _strong(policy) for policy in POLICIES},
        **{f"{policy}-prm-plain": _plain(policy) for policy in ("lab-0.4m", "lab-0.8m")},
        **{f"{policy}-prm-weak": _weak(policy) for policy in POLICIES},
    }
)

# Another policy, whose PRMs each policy is also measured with. Its plain PRM is what a team would
# find ready-made. Its strong PRM has the same base as the policy's own strong PRM; the two differ
# only in the policy whose samples they learnt from.
_OTHER: Mapping[str, str] = MappingProxyType(
    {"lab-0.4m": "lab-0.8m", "lab-0.8m": "lab-0.4m", "lab-1.8m": "lab-0.4m"}
)

# Kinds of PRMs that beam search and DVTS run with; the other kinds only score pools.
LIVE_KINDS = ("strong", "off-policy", "weak")
LIVE_BUDGETS = (4, 16, 64)


def head_of(policy: str) -> str:
    """Return the name of the reward head that `apportion fit-prm` trains for a policy."""
    return f"{policy}-head"


def prms_of(policy: str) -> dict[str, str]:
    """Return the names of the PRMs that a policy is measured with, by kind."""
    other = _OTHER[policy]
    return {
        "strong": f"{policy}-prm",
        "off-policy": f"{other}-prm-plain",
        "transferred": f"{other}-prm",
        "weak": f"{policy}-prm-weak",
        "head": head_of(policy),
    }
