"""Scores that stored samples have without being scored: the policy's log-probabilities give them.

Every profile is evidence on these scorers, whatever it was made for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from executor.outcome import SampleRecord
from executor.scorers.certainty import MeanLogprob, mean_probability
from executor.store.store import StoredOutcome
from executor.strategy import Score

FREE_SCORERS: Mapping[str, Callable[[float, int], float]] = {MeanLogprob.name: mean_probability}
"""By name, the score of a response from its log-probability (in nats) and number of tokens."""
FREE_RULES = (Score.LAST,)
"""A response has one score, so all rules are one."""


def scored_free(samples: Sequence[SampleRecord], scorer: str) -> tuple[SampleRecord, ...]:
    """Return samples with the scores of a free scorer in place of their rewards."""
    score = FREE_SCORERS[scorer]
    return tuple(
        replace(one, rewards=(score(one.logprob, one.n_tokens) if one.n_tokens else 0.0,))
        for one in samples
    )


def stored_free(stored: StoredOutcome, scorers: Iterable[str]) -> Iterator[StoredOutcome]:
    """Yield the outcome of a profile as each free scorer would have scored it.

    There is none for the scorer that did score it, and none without log-probabilities and lengths,
    which runs of other programs may lack.
    """
    outcome = stored.outcome
    if {"logprob", "n_tokens"} & outcome.unknown:
        return
    ledger = replace(outcome.ledger, prm=0, prm_cached=0)
    for scorer in scorers:
        if scorer != stored.run.prm:
            scored = replace(outcome, samples=scored_free(outcome.samples, scorer), ledger=ledger)
            yield StoredOutcome(replace(stored.run, prm=scorer), scored, {})
