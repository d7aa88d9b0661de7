"""The accuracy surface: means, both errors apart, tokens, difficulties."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote
from executor.domains.execution import ByText, Execution
from executor.outcome import SampleRecord
from executor.strategy import Score
from profiling.pools.first_finished import tokens_until
from profiling.pools.replay import MAJORITY, PASS, SHORT, Pool, Rule, replay, seed_of
from profiling.pools.surface import Point, ProblemPool, Surface

WEIGHTED = Rule(Vote.WEIGHTED, Score.LAST)
N = 20
KS = np.array([1, 4, 10, 20])


def problem(number: int, right: int, prm_tokens: float = 300.0) -> ProblemPool:
    """A pool with so many right samples; the wrong ones disagree, scores are random."""
    rng = np.random.default_rng(number)
    correct = rng.permutation(N) < right
    pool = Pool(
        correct=correct,
        answer_class=np.where(correct, 0, 1 + rng.integers(4, size=N)),
        scores={Score.LAST: rng.random(N)},
        tokens=rng.integers(5, 50, size=N),
        step_tokens=np.array([10, 30]),
        step_samples=np.array([N, 1]),
    )
    return ProblemPool(f"{number:012x}", pool, float(pool.tokens.sum()), prm_tokens)


PROBLEMS = [problem(number, right) for number, right in enumerate([0, 1, 4, 7, 9, 10, 14, 20])]


def surface_of(problems: list[ProblemPool], orders: int = 50) -> dict[tuple[str, Rule, int], Point]:
    surface = Surface(KS, orders)
    for one in problems:
        surface.add(one)
    return {(point.difficulty, point.rule, point.k): point for point in surface.points()}


def test_a_sample_without_steps_takes_no_problem_from_any_rule() -> None:
    """An empty response has no step to score: to the executor it is worth 0, and here too."""

    def sample(answer: str | None, *rewards: float) -> SampleRecord:
        return SampleRecord("", answer, answer == "1", "finished", 7, 0.0, rewards)

    empty = sample(None)
    pools = [
        Pool.of(samples, MathGrader(), rules=tuple(Score))
        for samples in (
            (sample("1", 0.9), sample("2", 0.1)),
            (sample("1", 0.9), empty),
            (empty, empty),
        )
    ]
    surface = Surface(np.array([1, 2]))
    for number, pool in enumerate(pools):
        surface.add(ProblemPool(f"{number:012x}", pool, 14.0))
    points = list(surface.points())
    assert {point.problems for point in points} == {3}
    best = {p.k: p.accuracy for p in points if p.rule == Rule(Vote.MAX, Score.LAST)}
    assert best == pytest.approx({1: (0.5 + 0.5 + 0) / 3, 2: (1 + 1 + 0) / 3})


def test_a_class_in_which_no_pool_reaches_k_has_no_points() -> None:
    surface = Surface(np.array([8]))  # the class takes sixteen of twenty samples
    for one in PROBLEMS:
        surface.add(one)
    assert {point.difficulty for point in surface.points()} == {"all"}


@pytest.fixture(scope="module")
def points() -> dict[tuple[str, Rule, int], Point]:
    return surface_of(PROBLEMS)


def test_accuracies_are_means_over_problems(points: dict[tuple[str, Rule, int], Point]) -> None:
    for (level, rule, k), point in points.items():
        parts = [None if level == "all" else one.class_part for one in PROBLEMS]
        values = [
            replay(
                one.pool, np.array([k]), orders=50, random_state=seed_of(one.problem), part=part
            )[rule].accuracy[0]
            for one, part in zip(PROBLEMS, parts, strict=True)
            if part is None or part.level == level
        ]
        assert point.problems == len(values)
        drawn = rule.vote is Vote.WEIGHTED  # draws of one k differ from those of several
        assert point.accuracy == pytest.approx(np.mean(values), abs=0.1 if drawn else 1e-12)


def test_difficulties_are_those_of_the_class_parts(
    points: dict[tuple[str, Rule, int], Point],
) -> None:
    """Of twenty samples sixteen give the class, and no more than four are drawn in it."""
    given = Counter(part.level for one in PROBLEMS if (part := one.class_part))
    levels = {level: points[level, PASS, 1].problems for level in ("easy", "medium", "hard", "all")}
    assert levels == {**given, "all": 8} and len(given) == 3
    assert {k for level, _, k in points if level != "all"} == {1, 4}
    assert {k for level, _, k in points if level == "all"} == set(KS.tolist())


def test_a_budget_that_some_pool_of_a_difficulty_lacks_is_left_out_of_it() -> None:
    """Otherwise the problems of a difficulty would change with k."""
    small = Pool(np.zeros(8, bool), np.arange(8), {}, np.ones(8, int), *np.zeros((2, 0), int))
    never = replace(PROBLEMS[0].pool, scores={})
    surface = Surface(np.array([1, 4]))
    for number, pool in enumerate([small, never]):
        surface.add(ProblemPool(f"{number:012x}", pool, 4.0))
    found = {(point.difficulty, point.k): point.problems for point in surface.points()}
    assert found == {("hard", 1): 2, ("all", 1): 2, ("all", 4): 2}


def test_the_errors_are_kept_apart_and_add_up(points: dict[tuple[str, Rule, int], Point]) -> None:
    """Of an exact rule all spread is the problems'; of a drawn one the draws' is taken off."""
    values = [replay(one.pool, KS)[MAJORITY].accuracy for one in PROBLEMS]
    for column, k in enumerate(KS.tolist()):
        exact = points["all", MAJORITY, k]
        spread = np.std([v[column] for v in values], ddof=1)
        assert exact.standard_error == pytest.approx(spread / math.sqrt(8))
        assert exact.subsampling_error == 0
        drawn = points["all", WEIGHTED, k]
        assert (drawn.subsampling_error > 0) == (k in (4, 10))
    curves = [replay(one.pool, KS, orders=50, random_state=seed_of(one.problem))[WEIGHTED]
              for one in PROBLEMS]  # fmt: skip
    drawn = points["all", WEIGHTED, 4]
    noise = sum(curve.variance[1] for curve in curves)
    assert drawn.subsampling_error == pytest.approx(math.sqrt(noise) / 8)
    both = drawn.standard_error**2 + drawn.subsampling_error**2
    assert both == pytest.approx(np.var([c.accuracy[1] for c in curves], ddof=1) / 8)


def test_more_orders_shrink_the_subsampling_error_alone() -> None:
    few, many = (surface_of(PROBLEMS, orders)["all", WEIGHTED, 10] for orders in (30, 1920))
    assert many.subsampling_error == pytest.approx(few.subsampling_error / 8, rel=0.3)
    assert many.standard_error == pytest.approx(few.standard_error, rel=0.2)


def test_tokens_are_those_expected_of_k_samples(points: dict[tuple[str, Rule, int], Point]) -> None:
    mean = np.mean([one.pool.tokens.mean() for one in PROBLEMS])
    for k in KS.tolist():
        scored, plain = points["all", WEIGHTED, k], points["all", MAJORITY, k]
        assert scored.generated_tokens == plain.generated_tokens == pytest.approx(k * mean)
        assert plain.prm_tokens == 0
        # Ten tokens that all samples begin with, thirty that one of twenty has.
        assert scored.prm_tokens == pytest.approx(300 * (10 + 30 * k / N) / 40)


def test_what_scoring_took_is_unknown_where_one_problem_does_not_say() -> None:
    points = surface_of([*PROBLEMS[:2], replace(PROBLEMS[2], prm_tokens=math.nan)])
    assert math.isnan(points["all", WEIGHTED, 4].prm_tokens)
    assert points["all", MAJORITY, 4].prm_tokens == 0


def test_few_samples_say_nothing_of_difficulty() -> None:
    pool = Pool(np.arange(4) < 2, np.arange(4), {}, np.ones(4, int), *np.zeros((2, 0), int))
    surface = Surface(np.array([1, 4]))
    surface.add(ProblemPool("0a", pool, 4.0))
    assert {point.difficulty for point in surface.points()} == {"all"}


def test_one_problem_has_no_error_over_problems() -> None:
    point = surface_of(PROBLEMS[4:5])["all", WEIGHTED, 4]
    assert math.isnan(point.standard_error)
    assert point.subsampling_error > 0


def test_a_problem_is_replayed_alike_whatever_is_beside_it() -> None:
    part = PROBLEMS[4].class_part
    assert part is not None
    level = part.level.value
    alone = surface_of(PROBLEMS[4:5])[level, WEIGHTED, 4]
    hard = [problem(number, 0) for number in (70, 71)]  # never right: adds nothing
    beside = surface_of([*hard, PROBLEMS[4]])[level, WEIGHTED, 4]
    assert alone.accuracy == beside.accuracy


def test_a_k_beyond_the_smallest_pool_is_refused() -> None:
    surface = Surface(np.array([1, N + 1]))
    with pytest.raises(ValueError, match="expected 1 to 20"):
        surface.add(PROBLEMS[0])


def test_a_point_as_a_record_names_its_rule() -> None:
    points = surface_of(PROBLEMS)
    record = points["all", WEIGHTED, 4].to_dict()
    scored = {"name": "weighted last", "vote": "weighted", "score": "last", "first": None}
    assert record["rule"] == scored
    plain = {"name": "pass", "vote": None, "score": None, "first": None}
    assert points["all", PASS, 4].to_dict()["rule"] == plain
    short = {"name": "short 3", "vote": "majority", "score": None, "first": 3}
    assert points["all", SHORT[1], 4].to_dict()["rule"] == short


def test_the_first_to_finish_vote_from_their_number_on_and_spare_the_rest(
    points: dict[tuple[str, Rule, int], Point],
) -> None:
    for rule in SHORT:
        assert rule.first is not None
        ks = [k for k in KS.tolist() if k >= rule.first]
        assert [k for level, of, k in points if (level, of) == ("all", rule)] == ks
        for k in ks:
            point = points["all", rule, k]
            tokens = [tokens_until(one.pool.tokens, rule.first, np.array([k])) for one in PROBLEMS]
            assert point.generated_tokens == pytest.approx(np.mean([each[0] for each in tokens]))
            assert point.generated_tokens <= points["all", MAJORITY, k].generated_tokens + 1e-9
            assert point.prm_tokens == 0


def test_programs_are_run_once_each() -> None:
    """Of four samples, three are one program: two draws have 1.5 different ones."""
    execution = Execution((True,), ("1",))
    samples = tuple(
        SampleRecord(one, one, True, "finished", 1, 0.0, execution=execution) for one in "aaab"
    )
    pool = Pool.of(samples, ByText())
    assert pool.executions(np.array([1, 2, 4])) == pytest.approx([1, 1.5, 2])
    surface = Surface(np.array([2]))
    surface.add(ProblemPool("a0", pool, 4.0))
    ran = {str(one.rule): one.executions for one in surface.points()}
    assert ran["majority"] == 1.5 and ran["pass"] == 0
