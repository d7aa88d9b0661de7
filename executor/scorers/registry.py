"""Scorers that are code and not weights, by name: this project's own, and those of packages.

A package registers a scorer of whole responses with an entry point of the group
`apportion.scorers`: its name is what `--scorer` takes, and its value names a class that is made
without arguments. A checkpoint folder of the same name is meant by `./NAME`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points, version

from executor.errors import InputError
from executor.models.checkpoint import Checkpoint
from executor.policies.base import Policy
from executor.scorers.base import Needs, ResponseScorer
from executor.scorers.certainty import FREE, FreeScorer
from executor.scorers.judge import JUDGES
from executor.scorers.public_tests import PublicTests

GROUP = "apportion.scorers"
_FREE: Mapping[str, type[FreeScorer | PublicTests]] = {
    **{kind.name: kind for kind in FREE},
    PublicTests.name: PublicTests,
}
_OWN = (*_FREE, *JUDGES)
# A prefix of locations that no folder and no hub id has.
_LOCATION = "scorer:"


def names() -> list[str]:
    """Return the names of all registered scorers, the project's own first."""
    return [*_OWN, *sorted(_of_packages().keys() - set(_OWN))]


def find(name: str) -> Checkpoint | None:
    """Return what stands for the registered scorer `name`; None if there is none.

    Its location holds the version of its package: scores of another version may differ, so they
    are other runs.
    """
    if name in _OWN:
        return Checkpoint(name, f"{_LOCATION}{name}")
    found = _of_packages().get(name)
    if found is None:
        return None
    dist = found.dist
    return Checkpoint(name, f"{_LOCATION}{name}=={version(dist.name) if dist else found.value}")


def is_registered(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint stands for a registered scorer, which has no weights."""
    return checkpoint.location.startswith(_LOCATION)


def needs_of(name: str) -> Needs:
    """Return what the scorer called `name` needs besides texts; unregistered ones are models."""
    found = find(name)
    return "model" if found is None or name in JUDGES else make(found).needs


def is_of_policy(name: str) -> bool:
    """Whether the scorer called `name` is the policy itself, asked for verdicts."""
    return name in JUDGES


def make(checkpoint: Checkpoint, policy: Policy | None = None) -> ResponseScorer:
    """Return a new scorer.

    Args:
        checkpoint: result of `find`.
        policy: the policy whose responses it scores; only a scorer that is the policy itself needs
            it (`is_of_policy`).

    Raises:
        InputError: its package cannot be imported, its class is no scorer of responses, or the
            policy cannot judge.
        ValueError: the scorer needs the policy, and there is none.
    """
    name = checkpoint.name
    if name in JUDGES:
        if policy is None:
            raise ValueError(f"scorer {name}: needs the policy")
        return JUDGES[name](policy)
    if name in _FREE:
        return _FREE[name]()
    found = _of_packages()[name]
    try:
        scorer = found.load()()
    except Exception as error:  # code of others may raise anything
        raise InputError(
            f"scorer {name}: {found.value} cannot be made ({type(error).__name__}: {error})"
        ) from None
    if not hasattr(scorer, "score_responses") or getattr(scorer, "scores_steps", None) is not False:
        raise InputError(
            f"scorer {name}: {found.value} is no scorer of whole responses; "
            "derive it from executor.scorers.base.PlainResponseScorer"
        )
    if scorer.name != name:
        raise InputError(
            f"scorer {name}: {found.value} calls itself {scorer.name!r}; "
            "the entry point must have the same name"
        )
    return scorer  # type: ignore[no-any-return]


def forget_packages() -> None:
    """Look for packages anew when one is asked for next; tests install some."""
    _of_packages.cache_clear()


@cache
def _of_packages() -> dict[str, EntryPoint]:
    return {one.name: one for one in entry_points(group=GROUP)}
