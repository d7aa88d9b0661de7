"""Difficulty without a label: P(easy), P(medium), P(hard) from a few probe samples.

A multinomial logistic regression on how far a handful of samples agree, what the PRM thinks of
them, and how long they are. It is trained on the pools of a profile, by drawing random probe sets
from them, and is small enough to travel inside a plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from executor.answers import Grader, group
from executor.outcome import SampleRecord, scores_of
from executor.strategy import Score
from profiling.passrate import Difficulty
from profiling.profiler import ProblemProfile

FEATURES = ("agreement", "answered", "mean_logprob", "log_tokens", "mean_score", "max_score")
PROBES = 4
_SETS_PER_PROBLEM = 16


@dataclass(frozen=True, slots=True)
class ProbeClassifier:
    """A fitted classifier as plain numbers.

    Attributes:
        probes: samples it looks at.
        mean, scale: of each feature, in the order of `FEATURES`.
        weights: shape `(3, features)`, one row a class in the order easy, medium, hard.
        intercepts: shape `(3,)`.
        accuracy: share of held-out problems' probe sets whose class it names.
        problems: how many problems it was trained on.
    """

    probes: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    accuracy: float
    problems: int

    def probabilities(
        self, samples: Sequence[SampleRecord], grader: Grader
    ) -> dict[Difficulty, float]:
        """P(class) of a problem from its probe samples; no reference answer is looked at."""
        features = (probe_features(samples, grader) - np.array(self.mean)) / np.array(self.scale)
        logits = np.array(self.weights) @ features + np.array(self.intercepts)
        odds = np.exp(logits - logits.max())
        return dict(zip(Difficulty, (odds / odds.sum()).tolist(), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for the plan."""
        return asdict(self) | {
            "mean": list(self.mean),
            "scale": list(self.scale),
            "weights": [list(row) for row in self.weights],
            "intercepts": list(self.intercepts),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> ProbeClassifier:
        """Read what `to_dict` wrote; ValueError where its numbers do not fit together."""
        classifier = cls(
            probes=int(record["probes"]),
            mean=tuple(map(float, record["mean"])),
            scale=tuple(map(float, record["scale"])),
            weights=tuple(tuple(map(float, row)) for row in record["weights"]),
            intercepts=tuple(map(float, record["intercepts"])),
            accuracy=float(record["accuracy"]),
            problems=int(record["problems"]),
        )
        lengths = {len(classifier.mean), len(classifier.scale), *map(len, classifier.weights)}
        rows = {len(classifier.weights), len(classifier.intercepts)}
        if lengths != {len(FEATURES)} or rows != {len(Difficulty)} or classifier.probes < 1:
            raise ValueError(
                f"a classifier needs {len(Difficulty)} rows of {len(FEATURES)} weights and a probe"
            )
        return classifier


def probe_features(samples: Sequence[SampleRecord], grader: Grader) -> NDArray[np.float64]:
    """Shape `(features,)`; without rewards the score features are 0."""
    classes = [c for c in group([s.answer for s in samples], grader) if c >= 0]
    largest = max((classes.count(c) for c in set(classes)), default=0)
    lengths = np.array([max(1, s.n_tokens) for s in samples])
    per_token = np.array([s.logprob for s in samples]) / lengths
    scored = [s for s in samples if s.rewards]
    scores = np.array(scores_of(scored, Score.LAST)) if scored else np.zeros(1)
    return np.array(
        [
            largest / len(samples),
            len(classes) / len(samples),
            per_token.mean(),
            np.log(lengths.mean()),
            scores.mean(),
            scores.max(),
        ]
    )


def fit_probe_classifier(
    profiles: Sequence[ProblemProfile],
    grader: Grader,
    *,
    probes: int = PROBES,
    random_state: int = 0,
) -> ProbeClassifier | None:
    """Train on random probe sets of a profile's pools; None where only one class was seen."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(random_state)
    usable = [p for p in profiles if len(p.outcome.samples) >= probes]
    features, labels, groups = [], [], []
    for number, one in enumerate(usable):
        pool = one.outcome.samples
        for _ in range(_SETS_PER_PROBLEM):
            picked = rng.choice(len(pool), size=probes, replace=False)
            features.append(probe_features([pool[i] for i in picked], grader))
            labels.append(one.pass_rate.difficulty.value)
            groups.append(number)
    if len(set(labels)) < 2 or len(usable) < 3:
        return None
    x, y = np.array(features), np.array(labels)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
    named = np.empty_like(y)
    for train, test in GroupKFold(min(5, len(usable))).split(x, groups=groups):
        # Where all problems of a class are held out, there may be one class left to name.
        alone = len(set(y[train])) == 1
        named[test] = y[train][0] if alone else model.fit(x[train], y[train]).predict(x[test])
    model.fit(x, y)
    scaler, logistic = model[0], model[1]
    coefficients, intercepts = _three_rows(logistic)
    return ProbeClassifier(
        probes=probes,
        mean=tuple(scaler.mean_.tolist()),
        scale=tuple(scaler.scale_.tolist()),
        weights=tuple(map(tuple, coefficients)),
        intercepts=tuple(intercepts),
        accuracy=float(np.mean(named == y)),
        problems=len(usable),
    )


def _three_rows(logistic: Any) -> tuple[list[list[float]], list[float]]:
    """Coefficients for easy, medium, hard; a class never seen gets no chance."""
    coef, intercept = logistic.coef_, logistic.intercept_
    if len(logistic.classes_) == 2:
        coef = np.vstack([-coef[0] / 2, coef[0] / 2])
        intercept = np.array([-intercept[0] / 2, intercept[0] / 2])
    rows = {name: (coef[i], intercept[i]) for i, name in enumerate(logistic.classes_)}
    never = (np.zeros(coef.shape[1]), -30.0)
    picked = [rows.get(level.value, never) for level in Difficulty]
    return [list(map(float, row)) for row, _ in picked], [float(b) for _, b in picked]
