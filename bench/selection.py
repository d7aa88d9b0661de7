"""How well ways of selection choose among programs: what the benches of code share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from executor.answers.grader import Grader
from executor.answers.voting import Vote
from executor.domains.code.agreement import best_programs
from executor.outcome import SampleRecord
from executor.strategy import Score
from profiling.pools.replay import MAJORITY, Pool, Rule, pass_at_k, replay
from profiling.scorers.free import FREE_RULES, scored_free

FIRST = "first sample"
BEHAVIOUR = "vote by behaviour"
SOURCES = "vote by source"
TESTS = "public tests"
BOTH = "public tests, then vote"
CODET = "CodeT"
ANY = "any sample"
_RESAMPLES = 10_000
_DRAWN = 512  # random orders of a vote that cannot be counted


@dataclass(slots=True)
class Table:
    """Accuracy of each way of selection on each problem, in the order of `add`."""

    accuracy: dict[str, list[float]] = field(default_factory=dict)

    def add(self, found: Mapping[str, float]) -> None:
        """Add a problem; all problems have the same ways."""
        for name, value in found.items():
            self.accuracy.setdefault(name, []).append(value)

    def rows(self) -> dict[str, dict[str, object]]:
        """Return the mean of each way, and what it gains on the first sample, with intervals."""
        first = np.array(self.accuracy[FIRST])
        rows: dict[str, dict[str, object]] = {}
        for name, values in self.accuracy.items():
            mine = np.array(values)
            rows[name] = {
                "accuracy": float(mine.mean()),
                "interval": interval(mine),
                "gain": float((mine - first).mean()),
                "gain_interval": interval(mine - first),
            }
        return rows


def selections(
    samples: Sequence[SampleRecord], grader: Grader, generated: Generated | None = None
) -> dict[str, float]:
    """Return the expected accuracy of each way of selection among all samples of a problem.

    That of the first sample is the mean over samples, since each might have come first.

    Args:
        samples: graded and executed samples.
        grader: compares programs.
        generated: generated tests and what passes them; None: no tests were generated.
    """
    k = np.array([len(samples)])
    pool = Pool.of(scored_free(samples, "tests"), grader, rules=FREE_RULES)
    sources = Pool.of(tuple(replace(one, execution=None) for one in samples), grader)
    curves = replay(pool, k, orders=_DRAWN)
    by_source = replay(sources, k, orders=_DRAWN)
    found = {
        FIRST: float(pool.correct.mean()),
        SOURCES: float(by_source[MAJORITY].accuracy[0]),
        BEHAVIOUR: float(curves[MAJORITY].accuracy[0]),
        TESTS: float(curves[Rule(Vote.MAX, Score.LAST)].accuracy[0]),
        BOTH: float(_filtered(samples, grader)),
        ANY: float(pass_at_k(pool.correct, k)[0]),
    }
    if generated is not None:
        chosen = best_programs(generated.passed, generated.repeats)
        found[CODET] = float(pool.correct[chosen].mean())
    return found


@dataclass(frozen=True, slots=True)
class Generated:
    """Generated tests of a problem: what each sample passes, and how often each was written."""

    passed: Sequence[frozenset[int]]
    repeats: Sequence[int]


def _filtered(samples: Sequence[SampleRecord], grader: Grader) -> float:
    """Return the accuracy of the vote by behaviour among those that pass most public tests."""
    scored = scored_free(samples, "tests")
    best = max(one.rewards[-1] for one in scored)
    kept = tuple(one for one in scored if one.rewards[-1] == best)
    curves = replay(Pool.of(kept, grader), np.array([len(kept)]), orders=_DRAWN)
    return float(curves[MAJORITY].accuracy[0])


def interval(shares: np.ndarray) -> list[float]:
    """Return the 95 % bootstrap interval of a mean over problems; shape `(problems,)`."""
    random = np.random.default_rng(0)
    means = shares[random.integers(0, len(shares), (_RESAMPLES, len(shares)))].mean(axis=1)
    return [float(one) for one in np.quantile(means, (0.025, 0.975))]
