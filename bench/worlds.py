"""Worlds whose truth is known: evidence as a user gets it, and the accuracy of every cell.

A world is a population of problem types. `draw` samples problems and returns evidence rows;
`truth` returns the accuracy of every strategy on the problems of a class. The class of a problem is
what the class part of a pool says (`profiling.pools.class_part`), so the truth of a class is the
mean over the population, each type weighted by its probability of that class. In `draw`, as many
samples as a class part has give the class, and others, as many as a pool has, are replayed. So the
two do not depend on each other, and a budget above the rest of the pool has no class, as in
evidence. Whether the two parts of one pool are as independent, `bench/split_halves.py` judges.

The two simulated worlds differ in kind:

- `structural`: difficulties from a mixture of Beta distributions, wrong answers that agree, rewards
  that are normal for right and for wrong samples, and searches that are best-of-N with a gain.
  The structural features of `planner.prediction.features` hold in it.
- `contrary`: difficulties in five clumps; a PRM that misleads on hard problems, prefers the most
  common wrong answer on some, and has heavy tails; live outcomes of one problem that depend on each
  other; searches that get worse with their budget. The structural features do not hold in it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import pandas as pd
from common import ROOT
from scipy import stats
from scipy.special import expit, gammaln, logit

sys.path.insert(0, str(ROOT))
from executor.answers.voting import Vote
from executor.strategy import BeamSearch, BestOfN, Dvts, Greedy, Majority, Score, Strategy, key
from executor.strategy import to_dict as options_of
from planner.evidence.layout import COLUMNS, UNKNOWN
from profiling.arrays import Floats, Ints
from profiling.pass_rate import ALL, LEVELS, PassRate
from profiling.pools.ballots import Ballots
from profiling.pools.class_part import class_size
from profiling.pools.replay import Pool, best_of_k
from profiling.pools.votes import majority
from profiling.scorers.separation import rival_share, separation

TYPES = 1000
SEARCHED = (4, 16, 64)  # budgets of live searches
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(240)
Cell = tuple[str, str, str, str]  # policy, PRM (empty: none), difficulty, strategy


class World(Protocol):
    """A source of evidence whose truth is known."""

    @property
    def name(self) -> str:
        """The world's name, for tables."""
        ...

    def draw(self, problems: int, samples: int, rng: np.random.Generator) -> pd.DataFrame:
        """Return evidence on so many problems, with pools of so many samples."""
        ...

    def truth(self, samples: int) -> Mapping[Cell, float]:
        """Return the accuracy of every cell if classes come from pools of so many samples."""
        ...


@dataclass(frozen=True)
class Scorer:
    """A PRM on every problem type.

    Attributes:
        right, rival: location of the score of a right sample and of the most common wrong answer,
            shape `(types, scores)`; other wrong samples have the location 0.
        freedom: degrees of freedom of the t-distributed noise; infinite: normal.
        searched: accuracy of each live search, shape `(types,)`.
    """

    right: Floats
    rival: Floats
    freedom: float
    searched: Mapping[Strategy, Floats]


@dataclass(frozen=True)
class Behaviour:
    """A policy on every problem type: shares of right samples and of the most common wrong answer,
    accuracy of greedy decoding (each of shape `(types,)`), and its PRMs by name."""

    right: Floats
    rival: Floats
    greedy: Floats
    scorers: Mapping[str, Scorer]


@dataclass(frozen=True)
class Simulated:
    """A simulated world.

    Attributes:
        name: for tables.
        policies: behaviour of each policy.
        shared: share of problems on which all live outcomes of a policy rest on one uniform draw.
    """

    name: str
    policies: Mapping[str, Behaviour]
    shared: float

    def draw(self, problems: int, samples: int, rng: np.random.Generator) -> pd.DataFrame:
        """See `World`."""
        types = rng.integers(TYPES, size=problems)
        names = np.array([f"{number:012x}" for number in range(problems)])
        parts = []
        for policy, behaviour in self.policies.items():
            parts += list(self._of_policy(policy, behaviour, types, names, samples, rng))
        return pd.concat(parts, ignore_index=True)[list(COLUMNS)].astype(COLUMNS)

    def _of_policy(
        self, policy: str, on: Behaviour, types: Ints, names: np.ndarray, samples: int,
        rng: np.random.Generator,
    ) -> Iterator[pd.DataFrame]:  # fmt: skip
        rates, rivals = on.right[types], on.rival[types]
        part = class_size(samples)
        classed = class_names(part)[rng.binomial(part, rates)]
        kind = rng.random((len(types), samples))  # right, then the rival, then others, all distinct
        right = kind < rates[:, None]
        rival = ~right & (kind < (rates + rivals)[:, None])
        answers = np.where(right, 0, np.where(rival, 1, 2 + np.arange(samples)))
        one = rng.random(len(types))
        alike = rng.random(len(types)) < self.shared

        def live(chance: Floats) -> Floats:
            drawn = np.where(alike, one, rng.random(len(types)))
            return (drawn < chance[types]).astype(float)

        plain = {
            "problem": names, "policy": policy, "benchmark": "", "difficulty": classed,
            "pass_at_1": right.mean(axis=1),
        }  # fmt: skip
        pools = [pool_of(right[i], answers[i]) for i in range(len(types))]
        plain["rival"] = np.array([rival_share(pool) for pool in pools])
        yield rows_of(plain, "", Greedy(), live(on.greedy), "measured")
        ks = budgets(samples)
        voted = np.array([
            majority(Ballots.of(pool.answer_class, pool.correct), ks, orders=2, random_state=0)
            .accuracy for pool in pools
        ])  # fmt: skip
        for column, k in enumerate(ks.tolist()):
            known = of_budget(plain, k, samples)
            yield rows_of(known, "", Majority(k), voted[:, column], "replayed")
        for prm, scorer in on.scorers.items():
            values = _scores(scorer, types, right, rival, rng)
            scored = [
                pool_of(right[i], answers[i], dict(zip(Score, values[i].T, strict=True)))
                for i in range(len(types))
            ]
            yield from best_of_n_rows(plain, prm, scored, ks, samples)
            apart = separations(scored, Score.LAST)
            for strategy, chance in scorer.searched.items():
                yield rows_of(plain, prm, strategy, live(chance), "measured", *apart)

    def truth(self, samples: int) -> Mapping[Cell, float]:
        """See `World`."""
        cells: dict[Cell, float] = {}
        for policy, on in self.policies.items():
            shares = class_shares(on.right, class_size(samples))
            for (prm, strategy), accuracy in _accuracies(on, samples).items():
                for level, weight in shares.items():
                    cells[policy, prm, level, key(strategy)] = float(weight @ accuracy)
        return cells


# Parts of evidence that every world shares


def budgets(samples: int) -> Ints:
    """Return the budgets that a pool can replay."""
    return np.array([n for n in (1, 4, 16, 64) if n <= samples])


def of_budget(plain: Mapping[str, object], k: int, samples: int) -> Mapping[str, object]:
    """Return the columns of replayed rows; budgets above the rest of the pool have no class."""
    known = k <= samples - class_size(samples)
    return plain if known else {**plain, "difficulty": UNKNOWN}


def pool_of(right: np.ndarray, answers: Ints, scores: dict[Score, Floats] | None = None) -> Pool:
    """Return a pool without token counts."""
    none = np.empty(0, dtype=np.int64)
    return Pool(right, answers, scores or {}, none, none, none)


def separations(pools: list[Pool], score: Score) -> tuple[Floats, Floats]:
    """Return AUC within each problem and gap of one score, each of shape `(problems,)`."""
    found = np.array([separation(pool, score) for pool in pools])
    return found[:, 0], found[:, 1]


def best_of_n_rows(
    plain: Mapping[str, object], prm: str, pools: list[Pool], ks: Ints, samples: int
) -> Iterator[pd.DataFrame]:
    """Yield the replayed rows of best-of-N by the highest score, for every score and budget."""
    for score in Score:
        apart = separations(pools, score)
        best = np.array([best_of_k(pool.correct, pool.scores[score], ks) for pool in pools])
        for column, k in enumerate(ks.tolist()):
            if k > 1:
                strategy, known = BestOfN(k, score, Vote.MAX), of_budget(plain, k, samples)
                yield rows_of(known, prm, strategy, best[:, column], "replayed", *apart)


def rows_of(
    plain: Mapping[str, object], prm: str, strategy: Strategy, accuracy: Floats, source: str,
    auc: Floats | float = np.nan, gap: Floats | float = np.nan,
) -> pd.DataFrame:  # fmt: skip
    """Return evidence rows of one strategy; tokens are in proportion to the budget."""
    options = options_of(strategy)
    return pd.DataFrame({
        **plain, "prm": prm, "strategy": key(strategy), "name": strategy.name, "n": strategy.n,
        "width": options.get("width", 0), "score": str(options.get("score", "")),
        "vote": str(options.get("vote", "")), "accuracy": accuracy, "all_accuracy": accuracy,
        "generated_tokens": 20.0 * strategy.n, "discarded_tokens": 0.0, "prompt_tokens": 20.0,
        "cached_tokens": 0.0, "prm_tokens": 20.0 * strategy.n if prm else 0.0,
        "prm_cached_tokens": 0.0, "prm_auc": np.nan, "prm_auc_within": auc, "prm_gap": gap,
        "source": source,
    })  # fmt: skip


@lru_cache(maxsize=8)
def class_names(samples: int) -> np.ndarray:
    """Return the class of a problem by its number of right samples, shape `(samples + 1,)`."""
    return np.array([PassRate(k, samples).difficulty.value for k in range(samples + 1)])


def class_shares(rates: Floats, samples: int) -> dict[str, Floats]:
    """Return, for each class and `all`, the share of each problem type among its problems."""
    counts = np.arange(samples + 1)
    chances = stats.binom.pmf(counts, samples, rates[:, None])
    return normalised({level: chances[:, class_names(samples) == level].sum(axis=1)
                       for level in LEVELS if level != ALL})  # fmt: skip


def normalised(chances: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the chances of each class as shares of its problems, and even shares of `all`."""
    shares = {level: chance / chance.sum() for level, chance in chances.items() if chance.sum() > 0}
    types = len(next(iter(chances.values())))
    return shares | {ALL: np.full(types, 1 / types)}


# Closed forms


def _accuracies(on: Behaviour, samples: int) -> dict[tuple[str, Strategy], Floats]:
    """Return the accuracy of every strategy on every type, by PRM and strategy."""
    found: dict[tuple[str, Strategy], Floats] = {("", Greedy()): on.greedy}
    for k in budgets(samples).tolist():
        found["", Majority(k)] = majority_of(on.right, on.rival, k)
    for prm, scorer in on.scorers.items():
        for column, score in enumerate(Score):
            for k in budgets(samples).tolist():
                if k > 1:
                    best = best_of(on, scorer, column, k)
                    found[prm, BestOfN(k, score, Vote.MAX)] = best
        found |= {(prm, strategy): chance for strategy, chance in scorer.searched.items()}
    return found


def majority_of(right: Floats, rival: Floats, n: int) -> Floats:
    """Return the exact accuracy of a majority of n, if all other answers differ; shape `(types,)`.

    Sums the trinomial probabilities of a right samples and b of the rival. Answers with equal
    votes share the win.
    """
    a, b = np.array([(a, b) for a in range(1, n + 1) for b in range(n - a + 1)]).T
    others = n - a - b
    tied = 1 + (a == b) + np.where(a == 1, others, 0)
    won = (a >= b) / tied
    ways = gammaln(n + 1) - gammaln(a + 1) - gammaln(b + 1) - gammaln(others + 1)
    rest = np.clip(1 - right - rival, 1e-300, 1.0)
    logs = np.log(np.clip([right, rival, rest], 1e-300, 1.0))
    chances = np.exp(ways + logs[0][:, None] * a + logs[1][:, None] * b + logs[2][:, None] * others)
    return np.asarray(chances @ won)


def best_of(on: Behaviour, scorer: Scorer, column: int, n: int) -> Floats:
    """Return the accuracy of the best-scored of n samples, shape `(types,)`.

    It is n p times the mean over u in (0, 1) of F^(n-1), if F is the share of samples below the
    u-quantile of right samples; Gauss-Legendre quadrature.
    """
    noise = stats.norm if np.isinf(scorer.freedom) else stats.t(scorer.freedom)
    u = (_NODES + 1) / 2
    at = noise.ppf(u) + scorer.right[:, column, None]
    rest = 1 - on.right - on.rival
    below = (
        on.right[:, None] * u
        + on.rival[:, None] * noise.cdf(at - scorer.rival[:, column, None])
        + rest[:, None] * noise.cdf(at)
    )
    return np.asarray(n * on.right * (below ** (n - 1) @ _WEIGHTS) / 2)


def _scores(
    scorer: Scorer, types: Ints, right: np.ndarray, rival: np.ndarray, rng: np.random.Generator
) -> Floats:
    """Return scores in (0, 1), shape `(problems, samples, scores)`."""
    shape = (*right.shape, len(Score))
    noise = np.sqrt(0.7) * rng.standard_normal((*right.shape, 1))
    noise = noise + np.sqrt(0.3) * rng.standard_normal(shape)
    if not np.isinf(scorer.freedom):
        noise /= np.sqrt(rng.chisquare(scorer.freedom, (*right.shape, 1)) / scorer.freedom)
    located = np.where(right[..., None], scorer.right[types][:, None], 0.0)
    located = np.where(rival[..., None], scorer.rival[types][:, None], located)
    return np.asarray(expit(located + noise))


# The two worlds


@lru_cache(maxsize=1)
def structural() -> Simulated:
    """Return the world in which the structural features hold."""
    rng = np.random.default_rng(1)
    parts = np.array([(0.6, 4.0), (2.0, 4.0), (6.0, 2.0)])
    a, b = parts[rng.choice(3, TYPES, p=[0.4, 0.35, 0.25])].T
    right = rng.beta(a, b)
    rival = (1 - right) * rng.choice([0.2, 0.5, 0.8], TYPES)
    own = rng.normal(0.0, 0.3, (TYPES, 1))
    scorers = {}
    for name, signal in (("strong", 1.2), ("weak", 0.4)):
        located = signal * np.array([1.0, 0.9, 0.8, 0.7]) + own
        base = Behaviour(right, rival, right, {})
        scorer = Scorer(located, np.zeros_like(located), np.inf, {})
        gains: dict[type[BeamSearch | Dvts], float] = {BeamSearch: 0.5, Dvts: 0.25}
        searched: dict[Strategy, Floats] = {
            kind(n): expit(logit(np.clip(best_of(base, scorer, 1, n), 1e-9, 1 - 1e-9)) + gain)
            for kind, gain in gains.items()
            for n in SEARCHED
        }
        scorers[name] = Scorer(located, scorer.rival, np.inf, searched)
    greedy = expit(1.5 * logit(np.clip(right, 1e-9, 1 - 1e-9)) + 0.2)
    return Simulated("structural", {"policy": Behaviour(right, rival, greedy, scorers)}, 0.0)


@lru_cache(maxsize=1)
def contrary() -> Simulated:
    """Return the world in which the structural features do not hold."""
    rng = np.random.default_rng(2)
    clump = rng.choice(5, TYPES, p=[0.25, 0.1, 0.25, 0.15, 0.25])
    level = np.array([0.01, 0.05, 0.25, 0.40, 0.85])[clump]
    policies = {}
    for name, better in (("small", 0.0), ("large", 0.7)):
        odds = logit(level) + better + rng.normal(0.0, 0.4, TYPES)
        right = expit(odds)
        rival = (1 - right) * np.where(rng.random(TYPES) < 0.4, 0.9, 0.1)
        # The PRM misleads on hard problems; on a fifth of all it prefers the rival.
        signal = np.select([right < 0.1, right < 0.5], [-0.6, 0.5], 1.6)
        located = signal[:, None] + np.array([0.2, 0.0, 0.1, -0.1]) + rng.normal(0, 0.5, (TYPES, 1))
        fond = np.where(rng.random((TYPES, 1)) < 0.2, 2.0, 0.0) * np.ones(len(Score))
        steps: dict[type[BeamSearch | Dvts], tuple[float, ...]] = {
            BeamSearch: (0.9, 0.6, -0.1),
            Dvts: (0.3, 0.7, 0.9),
        }
        trap = np.where(rng.random(TYPES) < 0.25, -2.0, 0.3)
        searched: dict[Strategy, Floats] = {
            kind(n): expit(odds + gain + trap)
            for kind, gains in steps.items()
            for n, gain in zip(SEARCHED, gains, strict=True)
        }
        greedy = expit(2.5 * (odds + 0.3))
        policies[name] = Behaviour(
            right, rival, greedy, {"prm": Scorer(located, fond, 5.0, searched)}
        )
    return Simulated("contrary", policies, 0.6)
