"""Scores that stored samples have without being scored: the policy's log-probabilities give them.

Every profile is evidence on these scorers, whatever it was made for, if its samples hold what they
need: all hold their log-probabilities, some the confidences of their tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from executor.answers.voting import Vote
from executor.errors import InputError
from executor.models.confidence import TOP_LOGPROBS
from executor.outcome import SampleRecord
from executor.scorers.certainty import FREE, FreeScorer
from executor.store.store import StoredOutcome
from executor.strategy import Score
from profiling.pools.replay import Rule

FREE_SCORERS: Mapping[str, FreeScorer] = {kind.name: kind() for kind in FREE}
"""The free scorers by name."""
FREE_RULES = (Score.LAST,)
"""A response has one score, so all rules are one."""
_DEEPCONF = tuple(Rule(Vote.WEIGHTED, Score.LAST, keep=share) for share in (0.1, 0.9))


def further_rules(scorer: str | None) -> tuple[Rule, ...]:
    """Return the votes by rank that the authors of a scorer hold (`Pool.further`).

    DeepConf lets the most confident 10 % or 90 % of the samples vote (arXiv 2508.15260).
    """
    return _DEEPCONF if scorer is not None and scorer.startswith("deepconf-") else ()


def can_score(samples: Sequence[SampleRecord], scorer: str) -> bool:
    """Whether samples hold what a free scorer needs."""
    if FREE_SCORERS[scorer].needs != "confidences":
        return True
    return all(one.confidences or not one.n_tokens for one in samples)


def missing(scorer: str, policy: str) -> InputError:
    """Return the error to raise if no sample of a policy holds what a free scorer needs."""
    if FREE_SCORERS[scorer].needs == "confidences":
        return InputError(
            f"--scorer {scorer}: the samples of {policy} hold no confidences of their tokens; "
            f"record them with apportion profile --top-logprobs {TOP_LOGPROBS}"
        )
    return InputError(f"--scorer {scorer}: the samples of {policy} hold no log-probabilities")


def scored_free(samples: Sequence[SampleRecord], scorer: str) -> tuple[SampleRecord, ...]:
    """Return samples with the scores of a free scorer in place of their rewards.

    Raises:
        InputError: a sample lacks what the scorer needs (`can_score`).
    """
    score = FREE_SCORERS[scorer].score_tokens
    return tuple(
        replace(one, rewards=(score(one.logprob, one.n_tokens, one.confidences),))
        for one in samples
    )


def stored_free(stored: StoredOutcome, scorers: Iterable[str]) -> Iterator[StoredOutcome]:
    """Yield the outcome of a profile as each free scorer would have scored it.

    There is none for the scorer that did score it, none without log-probabilities and lengths,
    which runs of other programs may lack, and none without confidences for scorers that need them.
    """
    outcome = stored.outcome
    if {"logprob", "n_tokens"} & outcome.unknown:
        return
    ledger = replace(outcome.ledger, prm=0, prm_cached=0)
    for scorer in scorers:
        if scorer != stored.run.prm and can_score(outcome.samples, scorer):
            scored = replace(outcome, samples=scored_free(outcome.samples, scorer), ledger=ledger)
            yield StoredOutcome(replace(stored.run, prm=scorer), scored, {})
