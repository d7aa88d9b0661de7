"""`python -m profiling.laboratory`: train one model of the laboratory.

`bench/laboratory.py` calls it for every model and does everything before and after the training.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from executor.errors import InputError
from executor.models.checkpoint import checkpoint_digest
from executor.models.tokens import Tokens, load_tokenizer
from executor.outcome import SampleRecord
from executor.problem import Problem
from executor.store.store import Store
from profiling.laboratory.catalog import BASES, POLICIES, PRMS, REASONERS
from profiling.laboratory.prm import PrmRecipe, VerifierRecipe, train_prm, train_verifier
from profiling.laboratory.task import read_problems
from profiling.laboratory.thoughts import ReasonerRecipe, train_reasoner
from profiling.laboratory.train import TEMPLATE, PolicyRecipe, train_policy
from profiling.profiles.profiler import KIND


def main(argv: Sequence[str] | None = None) -> None:
    """Train one policy, base or PRM into a folder."""
    parser = argparse.ArgumentParser(prog="python -m profiling.laboratory", description=__doc__)
    parser.add_argument("name", choices=[*POLICIES, *REASONERS, *BASES, *PRMS])
    parser.add_argument(
        "--models", type=Path, default=Path("data/models"), help="folder of all models"
    )
    parser.add_argument(
        "--bases", type=Path, help="folder of the models that PRMs start from (default: --models)"
    )
    parser.add_argument("--store", help="URL of the store of the samples that a PRM learns from")
    parser.add_argument("--problems", type=Path, help="file of the problems of these samples")
    options = parser.parse_args(argv)
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    models, bases = options.models, options.bases or options.models
    recipe = ({**POLICIES, **REASONERS, **BASES, **PRMS})[options.name]
    target = (bases if options.name in BASES else models) / options.name
    if isinstance(recipe, ReasonerRecipe):
        train_reasoner(recipe, target)
        return
    if isinstance(recipe, PolicyRecipe):
        train_policy(recipe, target)
        return
    base = (bases if recipe.base in BASES else models) / recipe.base
    if isinstance(recipe, VerifierRecipe):
        train_verifier(recipe, base, target)
    elif options.store and options.problems:
        problems = read_problems(options.problems)[: recipe.problems]
        try:
            graded = _samples(options.store, recipe, models / recipe.policy, problems)
        except InputError as error:
            parser.error(str(error))
        train_prm(recipe, base, target, graded, TEMPLATE, Tokens(load_tokenizer(base)))
    else:
        parser.error("a PRM needs --store and --problems")


def _samples(
    url: str, recipe: PrmRecipe, policy: Path, problems: Sequence[Problem]
) -> list[tuple[Problem, Sequence[SampleRecord]]]:
    """Return the samples that a recipe learns from, drawn from the weights in `policy`.

    Raises:
        InputError: the store does not hold so many samples of these weights.
    """
    digest = checkpoint_digest(str(policy))
    with Store.open(url, create=False) as store:
        for spec in reversed(store.runs(KIND)):
            if spec.prm is None and spec.settings.get("models", {}).get("policy") == digest:
                outcomes = [stored.outcome for stored in store.outcomes(spec, problems=problems)]
                enough = all(len(outcome.samples) >= recipe.samples for outcome in outcomes)
                if enough and len(outcomes) == recipe.problems:
                    return [(one.problem, one.samples[: recipe.samples]) for one in outcomes]
    raise InputError(
        f"--store {url}: does not hold {recipe.samples} samples of {recipe.policy} (these weights) "
        f"on each of the first {recipe.problems} problems; apportion profile draws them"
    )


if __name__ == "__main__":
    main()
