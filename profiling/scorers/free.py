"""Scores that stored samples have without being scored: what is stored with them gives them.

Every profile is evidence on these scorers, whatever it was made for, if its samples hold what they
need: all hold their log-probabilities, some the confidences of their tokens, and programs what they
did on public tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from executor.answers.voting import Vote
from executor.domains.registry import find_domain
from executor.errors import InputError
from executor.models.confidence import TOP_LOGPROBS
from executor.outcome import SampleRecord
from executor.problem import Problem
from executor.scorers.certainty import FREE, NO_CERTAINTY, FreeScorer, SelfCertainty
from executor.scorers.public_tests import PublicTests
from executor.store.store import StoredOutcome
from executor.strategy import Score
from profiling.pools.replay import Rule

FREE_SCORERS: Mapping[str, FreeScorer | PublicTests] = {
    **{kind.name: kind() for kind in FREE},
    PublicTests.name: PublicTests(),
}
"""The free scorers by name."""
FREE_RULES = (Score.LAST,)
"""A response has one score, so all rules are one."""
_BORDA = (Rule(Vote.BORDA, Score.LAST),)
_DEEPCONF = tuple(Rule(Vote.WEIGHTED, Score.LAST, keep=share) for share in (0.1, 0.9))


def further_rules(scorer: str | None) -> tuple[Rule, ...]:
    """Return the votes by rank that the authors of a scorer hold (`Pool.further`).

    DeepConf lets the most confident 10 % or 90 % of the samples vote (arXiv 2508.15260). With
    self-certainty its authors hold Borda votes (arXiv 2502.18581); power 1 is Borda's own.
    """
    if scorer == SelfCertainty.name:
        return _BORDA
    return _DEEPCONF if scorer is not None and scorer.startswith("deepconf-") else ()


def can_score(samples: Sequence[SampleRecord], scorer: str, problem: Problem | None = None) -> bool:
    """Whether samples hold what a free scorer needs.

    Args:
        samples: the samples.
        scorer: name of the free scorer.
        problem: the problem of all of them; None: not known. A problem of programs counts even if
            no sample has one: all scores are then 0.
    """
    match FREE_SCORERS[scorer].needs:
        case "confidences":
            return all(one.confidences or not one.n_tokens for one in samples)
        case "certainty":
            return all(one.certainty is not None or not one.n_tokens for one in samples)
        case "executions":
            ran = [one.execution for one in samples if one.answer is not None]
            runs = problem is not None and find_domain(problem.domain).runs_programs
            return None not in ran and (bool(ran) or runs)
        case _:
            return True


def missing(scorer: str, policy: str) -> InputError:
    """Return the error to raise if no sample of a policy holds what a free scorer needs."""
    if FREE_SCORERS[scorer].needs == "confidences":
        return InputError(
            f"--scorer {scorer}: the samples of {policy} hold no confidences of their tokens; "
            f"record them with apportion profile --top-logprobs {TOP_LOGPROBS}"
        )
    if FREE_SCORERS[scorer].needs == "executions":
        return InputError(
            f"--scorer {scorer}: the samples of {policy} are no programs that were run on public "
            f"tests; run those of a profile with apportion profile --scorer {scorer}"
        )
    if FREE_SCORERS[scorer].needs == "certainty":
        return InputError(f"--scorer {scorer}: {policy}: {NO_CERTAINTY}")
    return InputError(f"--scorer {scorer}: the samples of {policy} hold no log-probabilities")


def scored_free(samples: Sequence[SampleRecord], scorer: str) -> tuple[SampleRecord, ...]:
    """Return samples with the scores of a free scorer in place of their rewards.

    Raises:
        InputError: a sample lacks what the scorer needs (`can_score`).
    """
    return tuple(replace(one, rewards=(_score(one, FREE_SCORERS[scorer]),)) for one in samples)


def _score(sample: SampleRecord, scorer: FreeScorer | PublicTests) -> float:
    if isinstance(scorer, PublicTests):
        return scorer.score_execution(sample.execution)
    return scorer.score_tokens(
        sample.logprob, sample.n_tokens, sample.confidences, sample.certainty
    )


def stored_free(stored: StoredOutcome, scorers: Iterable[str]) -> Iterator[StoredOutcome]:
    """Yield the outcome of a profile as each free scorer would have scored it.

    There is none for the scorer that did score it, and none without what it needs: runs of other
    programs may lack log-probabilities and lengths.
    """
    outcome = stored.outcome
    ledger = replace(outcome.ledger, prm=0, prm_cached=0)
    for scorer in scorers:
        executes = FREE_SCORERS[scorer].needs == "executions"
        if not executes and {"logprob", "n_tokens"} & outcome.unknown:
            continue
        if scorer != stored.run.prm and can_score(outcome.samples, scorer, outcome.problem):
            scored = replace(outcome, samples=scored_free(outcome.samples, scorer), ledger=ledger)
            yield StoredOutcome(replace(stored.run, prm=scorer), scored, {})
