"""What may be known of a question without its answer: its text, and a few samples of the policy.

Every feature is a plain number with a name, so that a plan can say which ones it looks at. No
reference answer and no correctness is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from executor.answers.grader import Grader
from executor.answers.voting import group
from executor.outcome import SampleRecord, scores_of
from executor.strategy import Score
from profiling.arrays import Floats, Ints

# The text alone. Counts and sizes grow by factors: logarithms of them plus one.
TEXT = (
    "log_words", "log_characters", "log_sentences", "log_numbers", "log_largest_number",
    "log_sum_of_numbers", "log_signs", "word_length",
)  # fmt: skip
# Any number of samples: how many give an answer, how probable and how long they are.
ONE = ("answered", "token_logprob", "logprob", "likelihood", "log_tokens")
# Several samples: how far they agree, and how much they differ.
SEVERAL = (
    "agreement", "entropy", "margin", "answers", "best_logprob", "logprob_spread", "token_spread",
)  # fmt: skip
# Scored samples: mean scores (logits of them too) over samples.
SCORED = ("min_score", "last_score", "mean_score", "right")
# Several scored samples: the best, the spread, and a vote weighted by the last step's reward.
SCORED_SEVERAL = ("best_score", "score_spread", "weighted_margin", "weighted_share", "leader_score")
NAMES = (*TEXT, *ONE, *SEVERAL, *SCORED, *SCORED_SEVERAL)

_SCORES = (Score.MIN, Score.LAST, Score.MEAN)
_LAST = _SCORES.index(Score.LAST)
_EDGE = 1e-3  # rewards nearer to 0 or 1 are not told apart: their logits would be all that counts
_LARGEST = 1e30
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?", re.ASCII)
_SENTENCE = re.compile(r"[.?!](?:\s|$)")
_BLANK = re.compile(r"\s")
_PIECE = 10_000  # characters that are looked through at a time
_SIGN = re.compile(r"[-+*/=^<>\\%]")


@dataclass(frozen=True, slots=True)
class Probes:
    """A question and what its samples look like from outside, as arrays of shape `(samples,)`.

    Attributes:
        text: of the question.
        answer_class: index of each sample's class of equal answers, -1 without an answer.
        tokens: lengths, at least 1.
        logprob: log-probabilities in nats.
        scores: shape `(samples, 3)`, `min`, `last` and `mean`; None where any was not scored.
        about: `text_features` of the text, where they are known already.
    """

    text: str
    answer_class: Ints
    tokens: Floats
    logprob: Floats
    scores: Floats | None
    about: Floats | None = None

    def __len__(self) -> int:
        return len(self.answer_class)

    @classmethod
    def of_text(cls, text: str, about: Floats | None = None) -> Probes:
        """A question that no sample was drawn for."""
        return cls(text, np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), None, about)

    @classmethod
    def of(
        cls,
        text: str,
        samples: Sequence[SampleRecord],
        grader: Grader,
        about: Floats | None = None,
    ) -> Probes:
        """The samples of a question; answers are sorted into classes by the grader."""
        scored = all(sample.rewards for sample in samples) and len(samples) > 0
        return cls(
            text=text,
            answer_class=np.array(group([s.answer for s in samples], grader), dtype=np.int64),
            tokens=np.array([max(1, s.n_tokens) for s in samples], dtype=np.float64),
            logprob=np.array([s.logprob for s in samples], dtype=np.float64),
            scores=np.column_stack([scores_of(samples, s) for s in _SCORES]) if scored else None,
            about=about,
        )


def text_features(text: str) -> Floats:
    """Shape `(len(TEXT),)`: how long a question is, and how much it computes with.

    A text of megabytes takes some tenths of a second, in many short calls: in a thread it leaves
    the interpreter to others in between.
    """
    words = letters = sentences = signs = 0
    numbers: list[float] = []
    for piece in _pieces(text):
        found = piece.split()
        words += len(found)
        letters += sum(map(len, found))
        sentences += len(_SENTENCE.findall(piece))
        signs += len(_SIGN.findall(piece))
        numbers += [min(float(n.replace(",", "")), _LARGEST) for n in _NUMBER.findall(piece)]
    counts = [
        words, len(text), sentences, len(numbers), max(numbers, default=0.0), sum(numbers), signs,
    ]  # fmt: skip
    return np.array([*np.log1p(counts), letters / words if words else 0.0])


def _pieces(text: str) -> Iterator[str]:
    """A text cut after blanks, where no word, number or end of a sentence goes on."""
    start = 0
    while len(text) - start > _PIECE:
        blank = _BLANK.search(text, start + _PIECE)
        if blank is None:
            break
        yield text[start : blank.end()]
        start = blank.end()
    yield text[start:] if start else text


def features(probes: Probes, drawn: Ints) -> Floats:
    """All features of subsets of a question's samples.

    Args:
        probes: the question.
        drawn: shape `(subsets, k)`, indices of samples.

    Returns:
        Shape `(subsets, len(NAMES))`. NaN is what so few samples do not have: everything but the
        text for k = 0, agreement and spread for k = 1, scores where nothing was scored.
    """
    subsets, k = drawn.shape
    columns = np.full((subsets, len(NAMES)), np.nan)

    def put(names: Sequence[str], values: Sequence[Floats]) -> None:
        first = NAMES.index(names[0])  # names of a kind stand together
        for column, value in enumerate(values, start=first):
            columns[:, column] = value

    about = text_features(probes.text) if probes.about is None else probes.about
    columns[:, : len(TEXT)] = about
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
    """Over the samples of each subset; what `values.mean(axis=1)` is, sooner."""
    return np.asarray(np.add.reduce(values, axis=1) / values.shape[1])


def _deviation(values: Floats) -> Floats:
    """What `values.std(axis=1)` is, sooner; shape `(subsets, samples)`."""
    gaps = values - _mean(values)[:, None]
    return np.asarray(np.sqrt(_mean(gaps * gaps)))


def _by_answer(probes: Probes, drawn: Ints, weights: Floats) -> Floats:
    """Sum of weights over the samples of each class of answers, shape `(subsets, classes)`."""
    classes = max(1, int(probes.answer_class.max(initial=-1)) + 1)
    # Samples without an answer, of class -1, fall into a last column, which is dropped.
    member = np.zeros((len(probes), classes + 1))
    member[np.arange(len(probes)), probes.answer_class] = weights
    # One of the k places after another: all at once would take k times the memory.
    total = np.zeros((len(drawn), classes + 1))
    for place in drawn.T:
        total += member[place]
    return total[:, :-1]


def _two_largest(weights: Floats) -> tuple[Floats, Floats]:
    """The largest and the second largest of each row; 0 where there is none."""
    first = weights.max(axis=1)
    others = weights.copy()
    others[np.arange(len(weights)), weights.argmax(axis=1)] = 0.0
    return first, others.max(axis=1)


def _entropy(counts: Floats) -> Floats:
    """Of the answers given, in nats; 0 without any."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.asarray(-(share * np.log(np.where(share > 0, share, 1))).sum(axis=1))


def _logit(share: Floats) -> Floats:
    inside = np.minimum(np.maximum(share, _EDGE), 1 - _EDGE)
    return np.asarray(np.log(inside / (1 - inside)))
