"""Features of a question from its text and a few samples, without a reference answer.

Each feature is a plain number with a name, so that a plan can list the features it reads. No
feature depends on the reference answer or on the correctness of a sample.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from executor.answers.grader import Grader
from executor.answers.voting import group
from executor.outcome import SampleRecord, ballots, scores_of
from executor.strategy import Score
from profiling.arrays import Floats, Ints
from profiling.profiles.profiler import ProblemProfile

# Features of the text alone. Counts and sizes x vary by factors and enter as log(1 + x).
TEXT = (
    "log_words", "log_characters", "log_sentences", "log_numbers", "log_largest_number",
    "log_sum_of_numbers", "log_signs", "word_length",
)  # fmt: skip
# Features of one sample or more: share with an answer, probability and length.
ONE = ("answered", "token_logprob", "logprob", "likelihood", "log_tokens")
# Features of two samples or more: agreement of the answers, and spread.
SEVERAL = (
    "agreement", "entropy", "margin", "answers", "best_logprob", "logprob_spread", "token_spread",
)  # fmt: skip
# Features of scored samples: mean scores over the samples, and their logits.
SCORED = ("min_score", "last_score", "mean_score", "right")
# Features of two scored samples or more: best score, spread, and a vote weighted by the last
# step's reward.
SCORED_SEVERAL = ("best_score", "score_spread", "weighted_margin", "weighted_share", "leader_score")
NAMES = (*TEXT, *ONE, *SEVERAL, *SCORED, *SCORED_SEVERAL)

_SCORES = (Score.MIN, Score.LAST, Score.MEAN)
_LAST = _SCORES.index(Score.LAST)
_EDGE = 1e-3  # least distance of a share from 0 and 1; closer ones would dominate by their logits
_LARGEST = 1e30
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?", re.ASCII)
_SENTENCE = re.compile(r"[.?!](?:\s|$)")
_BLANK = re.compile(r"\s")
_PIECE = 10_000  # characters per piece of text
_SIGN = re.compile(r"[-+*/=^<>\\%]")


@dataclass(frozen=True, slots=True)
class Probes:
    """A question and the observable properties of its samples.

    Attributes:
        text: text of the question.
        answer_class: index of each sample's class of equal answers, -1 without an answer; shape
            `(samples,)`.
        tokens: length of each sample in tokens, at least 1; shape `(samples,)`.
        logprob: log-probability of each sample in nats, shape `(samples,)`.
        scores: scores `min`, `last` and `mean`, shape `(samples, 3)`; None if a sample has no
            score.
        about: result of `text_features`, shape `(len(TEXT),)`; None if it is not computed yet.
    """

    text: str
    answer_class: Ints
    tokens: Floats
    logprob: Floats
    scores: Floats | None
    about: Floats | None = None

    def __len__(self) -> int:
        return len(self.answer_class)

    def take(self, chosen: Ints) -> Probes:
        """Return the question with some of its samples, by their indices."""
        return Probes(
            self.text,
            self.answer_class[chosen],
            self.tokens[chosen],
            self.logprob[chosen],
            None if self.scores is None else self.scores[chosen],
            self.about,
        )

    @classmethod
    def of_text(cls, text: str, about: Floats | None = None) -> Probes:
        """Return a question without samples."""
        return cls(text, np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), None, about)

    @classmethod
    def of(
        cls,
        text: str,
        samples: Sequence[SampleRecord],
        grader: Grader,
        about: Floats | None = None,
    ) -> Probes:
        """Return a question with its samples; the grader groups their answers into classes."""
        scored = all(sample.rewards for sample in samples) and len(samples) > 0
        return cls(
            text=text,
            answer_class=np.array(group(*ballots(samples, grader)), dtype=np.int64),
            tokens=np.array([max(1, s.n_tokens) for s in samples], dtype=np.float64),
            logprob=np.array([s.logprob for s in samples], dtype=np.float64),
            scores=np.column_stack([scores_of(samples, s) for s in _SCORES]) if scored else None,
            about=about,
        )

    @classmethod
    def of_profile(cls, profile: ProblemProfile, grader: Grader, most: int | None = None) -> Probes:
        """Return a profiled question with its first samples, at most `most`; None: with all."""
        samples = profile.outcome.samples[:most]
        return cls.of(profile.outcome.problem.text, samples, grader, profile.about)

    @property
    def text_features(self) -> Floats:
        """Features of the text, shape `(len(TEXT),)`."""
        return text_features(self.text) if self.about is None else self.about


def text_features(text: str) -> Floats:
    """Return the features `TEXT` of a question, shape `(len(TEXT),)`: its length and its numbers.

    A text of megabytes takes some tenths of a second. It is read in many short calls, so that a
    thread that runs this function releases the interpreter in between.
    """
    words = letters = sentences = signs = 0
    numbers: list[float] = []
    for piece in _pieces(text):
        parts = piece.split()
        words += len(parts)
        letters += sum(map(len, parts))
        sentences += len(_SENTENCE.findall(piece))
        signs += len(_SIGN.findall(piece))
        numbers += [min(float(n.replace(",", "")), _LARGEST) for n in _NUMBER.findall(piece)]
    counts = [
        words, len(text), sentences, len(numbers), max(numbers, default=0.0), sum(numbers), signs,
    ]  # fmt: skip
    return np.array([*np.log1p(counts), letters / words if words else 0.0])


def _pieces(text: str) -> Iterator[str]:
    """Yield pieces of a text, cut after blanks so that no word, number or sentence end is split."""
    start = 0
    while len(text) - start > _PIECE:
        blank = _BLANK.search(text, start + _PIECE)
        if blank is None:
            break
        yield text[start : blank.end()]
        start = blank.end()
    yield text[start:] if start else text


def features(probes: Probes, drawn: Ints) -> Floats:
    """Return all features of subsets of a question's samples.

    Args:
        probes: the question with its samples.
        drawn: sample indices of each subset, shape `(subsets, k)`.

    Returns:
        Shape `(subsets, len(NAMES))`. Undefined features are NaN: all but those of the text if
        k = 0, agreement and spread if k = 1, and scores if a sample has none.
    """
    subsets, k = drawn.shape
    columns = np.full((subsets, len(NAMES)), np.nan)

    def put(names: Sequence[str], values: Sequence[Floats]) -> None:
        first = NAMES.index(names[0])  # names of one group are adjacent
        for column, value in enumerate(values, start=first):
            columns[:, column] = value

    columns[:, : len(TEXT)] = probes.text_features
    if k == 0:
        return columns
    counts = _by_answer(probes, drawn, np.ones(len(probes)))
    logprob, tokens = probes.logprob[drawn], probes.tokens[drawn]
    a_token = logprob / tokens
    put(ONE, [
        counts.sum(axis=1) / k, _mean(a_token), _mean(logprob), _mean(np.exp(logprob)),
        np.log(_mean(tokens)),
    ])  # fmt: skip
    if k > 1:
        first, second = _two_largest(counts)
        put(SEVERAL, [
            first / k, _entropy(counts), (first - second) / k, (counts > 0).sum(axis=1) / k,
            logprob.max(axis=1), _deviation(a_token), _deviation(np.log(tokens)),
        ])  # fmt: skip
    if probes.scores is None:
        return columns
    scores = probes.scores[drawn]
    last, means = scores[:, :, _LAST], _mean(scores)
    put(SCORED, [*_logit(means).T, means[:, _LAST]])
    if k > 1:
        weights = _by_answer(probes, drawn, probes.scores[:, _LAST])
        first, second = _two_largest(weights)
        total = np.maximum(weights.sum(axis=1), _EDGE)
        size = np.maximum(counts[np.arange(subsets), weights.argmax(axis=1)], 1)
        put(SCORED_SEVERAL, [
            _logit(last.max(axis=1)), _deviation(last), (first - second) / k, first / total,
            _logit(first / size),
        ])  # fmt: skip
    return columns


def _mean(values: Floats) -> Floats:
    """Return the mean over the samples of each subset; faster than `values.mean(axis=1)`."""
    return np.asarray(np.add.reduce(values, axis=1) / values.shape[1])


def _deviation(values: Floats) -> Floats:
    """Return the standard deviation over the samples of each subset.

    Faster than `values.std(axis=1)`; `values` has the shape `(subsets, samples)`.
    """
    gaps = values - _mean(values)[:, None]
    return np.asarray(np.sqrt(_mean(gaps * gaps)))


def _by_answer(probes: Probes, drawn: Ints, weights: Floats) -> Floats:
    """Return the sum of weights in each class of answers, shape `(subsets, classes)`."""
    classes = max(1, int(probes.answer_class.max(initial=-1)) + 1)
    # Samples without an answer (class -1) fall into the last column, which is dropped.
    member = np.zeros((len(probes), classes + 1))
    member[np.arange(len(probes)), probes.answer_class] = weights
    # The loop goes over the k places; a single sum over all would take k times the memory.
    total = np.zeros((len(drawn), classes + 1))
    for place in drawn.T:
        total += member[place]
    return total[:, :-1]


def _two_largest(weights: Floats) -> tuple[Floats, Floats]:
    """Return the largest and the second largest of each row; 0 if there is none."""
    first = weights.max(axis=1)
    others = weights.copy()
    others[np.arange(len(weights)), weights.argmax(axis=1)] = 0.0
    return first, others.max(axis=1)


def _entropy(counts: Floats) -> Floats:
    """Return the entropy of each subset's answers in nats; 0 without answers."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.asarray(-(share * np.log(np.where(share > 0, share, 1))).sum(axis=1))


def _logit(share: Floats) -> Floats:
    inside = np.minimum(np.maximum(share, _EDGE), 1 - _EDGE)
    return np.asarray(np.log(inside / (1 - inside)))
