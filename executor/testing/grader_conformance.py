"""The conformance suite of graders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from executor.answers.grader import Grader
from executor.answers.voting import Vote, group, vote


class GraderConformance:
    """Tests that every implementation of `executor.answers.grader.Grader` must pass.

    Override the fixtures with answers of your domain::

        import pytest
        from executor.testing.grader_conformance import GraderConformance
        from mine import MyGrader

        class TestMyGrader(GraderConformance):
            @pytest.fixture
            def grader(self):
                return MyGrader()

            @pytest.fixture
            def responses(self):
                return [("So it is red.", "red"), ("I do not know.", None)]

            @pytest.fixture
            def equal(self):
                return [("red", "Red")]

            @pytest.fixture
            def unequal(self):
                return [("red", "blue")]
    """

    @pytest.fixture
    def grader(self) -> Grader:
        """Override: the grader under test."""
        raise NotImplementedError("override the fixture `grader`")

    @pytest.fixture
    def responses(self) -> Sequence[tuple[str, str | None]]:
        """Override: responses, each with the answer that it gives, or None."""
        raise NotImplementedError("override the fixture `responses`")

    @pytest.fixture
    def equal(self) -> Sequence[tuple[str, str]]:
        """Override: pairs of different texts of one answer."""
        raise NotImplementedError("override the fixture `equal`")

    @pytest.fixture
    def unequal(self) -> Sequence[tuple[str, str]]:
        """Override: pairs of different answers."""
        raise NotImplementedError("override the fixture `unequal`")

    @pytest.fixture
    def reference_of(self) -> Callable[[str], str]:
        """Override if a reference is no answer: the reference by which an answer is right."""
        return str

    def test_answers_are_extracted(
        self, grader: Grader, responses: Sequence[tuple[str, str | None]]
    ) -> None:
        for response, answer in responses:
            assert grader.extract(response) == answer, response
        assert grader.extract("") is None

    def test_equal_answers_are_equivalent_in_both_directions(
        self,
        grader: Grader,
        equal: Sequence[tuple[str, str]],
        reference_of: Callable[[str], str],
    ) -> None:
        for a, b in equal:
            assert grader.equivalent(a, b) and grader.equivalent(b, a), (a, b)
            assert grader.correct(a, reference_of(b)), (a, b)

    def test_different_answers_are_not_equivalent(
        self,
        grader: Grader,
        unequal: Sequence[tuple[str, str]],
        reference_of: Callable[[str], str],
    ) -> None:
        for a, b in unequal:
            assert not grader.equivalent(a, b) and not grader.equivalent(b, a), (a, b)
            assert not grader.correct(a, reference_of(b)), (a, b)

    def test_every_answer_equals_itself(
        self,
        grader: Grader,
        equal: Sequence[tuple[str, str]],
        unequal: Sequence[tuple[str, str]],
        reference_of: Callable[[str], str],
    ) -> None:
        for answer in {text for pair in (*equal, *unequal) for text in pair}:
            assert grader.equivalent(answer, answer), answer
            assert grader.correct(answer, reference_of(answer)), answer

    def test_no_answer_is_never_correct(
        self,
        grader: Grader,
        equal: Sequence[tuple[str, str]],
        reference_of: Callable[[str], str],
    ) -> None:
        assert not grader.correct(None, reference_of(equal[0][0]))
        assert not grader.correct(None, "None")

    def test_any_thread_may_ask(
        self,
        grader: Grader,
        equal: Sequence[tuple[str, str]],
        unequal: Sequence[tuple[str, str]],
    ) -> None:
        pairs = [*equal, *unequal]
        with ThreadPoolExecutor(8) as threads:
            verdicts = list(threads.map(lambda pair: grader.equivalent(*pair), pairs * 3))
        assert verdicts == ([True] * len(equal) + [False] * len(unequal)) * 3

    def test_votes_count_equal_answers_together(
        self,
        grader: Grader,
        equal: Sequence[tuple[str, str]],
        unequal: Sequence[tuple[str, str]],
    ) -> None:
        (a, b), other = equal[0], unequal[0]
        assert group([None, a, b], grader) == [-1, 1, 1]
        assert group(list(other), grader) == [0, 1]
        assert vote([None, a, b, None, None], None, Vote.MAJORITY, grader) == 1

    def test_nothing_timed_out(self, grader: Grader, equal: Sequence[tuple[str, str]]) -> None:
        before = grader.timeouts
        grader.equivalent(*equal[0])
        assert grader.timeouts == before >= 0
