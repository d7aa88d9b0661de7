"""The best of several answers, by each strategy's own vote."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote
from executor.outcome import SampleRecord, best, choose
from executor.strategy import BestOfN, Greedy, Majority, Score, Strategy


def sample(answer: str | None, reward: float = 0.5, text: str | None = None) -> SampleRecord:
    wording = text if text is not None else f"it is {answer}, I am {reward} sure"
    return SampleRecord(wording, answer, None, "finished", 5, -1.0, (reward,))


def test_the_next_answers_are_those_the_vote_would_have_given_without_the_ones_before(
    grader: MathGrader,
) -> None:
    given = (("1", 0.1), ("2", 0.9), ("1", 0.2), ("3", 0.5), ("2", 0.3), ("1", 0.3))
    samples = [sample(answer, reward) for answer, reward in given]
    by = {
        Majority(6): [0, 1, 3],
        BestOfN(6): [1, 3, 5],
        BestOfN(6, Score.LAST, Vote.WEIGHTED): [1, 5, 3],
    }
    for strategy, expected in by.items():
        assert best(strategy, samples, 3, grader) == expected


def test_equal_answers_in_other_words_come_last_and_the_same_words_never(
    grader: MathGrader,
) -> None:
    samples = [
        sample("7", text="a"), sample("7.0", text="b"), sample("8", text="c"),
        sample("7", text="a"), sample(None, text="d"),
    ]  # fmt: skip
    assert best(Majority(5), samples, 2, grader) == [0, 2]
    assert best(Majority(5), samples, 9, grader) == [0, 2, 4, 1]
    assert best(Greedy(), [], 3, grader) == []


answers = st.lists(
    st.tuples(st.sampled_from([None, "1", "2", "3"]), st.floats(0.01, 0.99)), min_size=1, max_size=8
)


@given(
    given=answers, n=st.integers(1, 9),
    strategy=st.sampled_from(
        [
            Majority(8), BestOfN(8), BestOfN(8, vote=Vote.WEIGHTED),
            BestOfN(8, vote=Vote.WEIGHTED, keep=0.5), BestOfN(8, vote=Vote.BORDA, power=2),
        ]
    ),
)  # fmt: skip
def test_the_first_is_what_is_chosen_and_none_is_said_twice(
    grader: MathGrader, given: Sequence[tuple[str | None, float]], n: int, strategy: Strategy
) -> None:
    samples = [sample(answer, reward) for answer, reward in given]
    found = best(strategy, samples, n, grader)
    assert found[0] == choose(strategy, samples, grader)
    texts = [samples[index].text for index in found]
    assert len(set(texts)) == len(texts) == min(n, len({s.text for s in samples}))
    different = len({s.answer for s in samples})
    assert len({samples[index].answer for index in found}) == min(n, different)
