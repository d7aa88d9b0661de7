"""Strategies: what is written down reads back, and what cannot be run is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.answers.voting import Vote
from executor.errors import InputError
from executor.strategy import (
    STRATEGIES,
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Sampling,
    Score,
    ShortMOfK,
    Strategy,
    from_dict,
    from_key,
    key,
    make,
    parse_names,
    to_dict,
    voters,
)

scores, votes, widths = st.sampled_from(Score), st.sampled_from(Vote), st.integers(2, 9)


@st.composite
def trees(draw: st.DrawFn) -> Strategy:
    width = draw(widths)
    kind = draw(st.sampled_from([BeamSearch, Dvts]))
    return kind(width * draw(st.integers(1, 64)), width, draw(scores), draw(votes))


@st.composite
def aggregates(draw: st.DrawFn) -> Strategy:
    rounds, shown = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    return Aggregate((rounds + 1) * (shown + draw(st.integers(0, 9))), rounds, shown)


strategies = (
    st.just(Greedy())
    | st.builds(Majority, st.integers(1, 256))
    | st.builds(BestOfN, st.integers(1, 256), scores, votes)
    | st.builds(
        BestOfN,
        st.integers(1, 256),
        scores,
        st.sampled_from([Vote.MAJORITY, Vote.WEIGHTED]),
        st.floats(0.001, 1),
    )
    | st.builds(BestOfN, st.integers(1, 256), scores, st.just(Vote.BORDA), power=st.floats(0, 100))
    | trees()
    | st.builds(AdaptiveMajority, st.integers(1, 256), st.floats(0.51, 0.999))
    | st.integers(1, 256).flatmap(lambda n: st.builds(ShortMOfK, st.just(n), st.integers(1, n)))
    | aggregates()
    | st.builds(ParticleFilter, st.integers(1, 256), st.floats(1e-9, 1e9), scores, votes)
)


@given(strategies)
def test_a_strategy_survives_json(strategy: Strategy) -> None:
    record = json.loads(json.dumps(to_dict(strategy)))
    assert from_dict(record) == strategy
    assert record["name"] == strategy.name
    assert record["n"] == strategy.n


@given(strategies)
def test_a_key_tells_the_whole_strategy(strategy: Strategy) -> None:
    assert from_key(key(strategy)) == strategy


@pytest.mark.parametrize(
    "text",
    ["", "majority(n=4", "magic(n=4)", "majority(n=x)", "dvts(4)", "majority(n=4,n=8)",
     "dvts(n=16,width=4,width=2)", "greedy(n=4)", "majority(n=4,name=greedy)"],
)  # fmt: skip
def test_what_is_no_key_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError) as error:
        from_key(text)
    assert "\n" not in str(error.value)


@given(strategies, strategies)
def test_keys_are_equal_only_for_equal_strategies(a: Strategy, b: Strategy) -> None:
    assert (key(a) == key(b)) == (a == b)


def test_options_that_were_added_leave_earlier_keys_as_they_are() -> None:
    assert key(BestOfN(4)) == "best_of_n(n=4,score=last,vote=max)"
    assert to_dict(BestOfN(4)) == {"name": "best_of_n", "n": 4, "score": "last", "vote": "max"}
    kept = BestOfN(4, vote=Vote.WEIGHTED, keep=0.1)
    assert key(kept) == "best_of_n(n=4,score=last,vote=weighted,keep=0.1)"
    assert key(BestOfN(4, vote=Vote.BORDA, power=2)) == (
        "best_of_n(n=4,score=last,vote=borda,power=2.0)"
    )


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": "majority", "n": 0}, "at least 1"),
    ({"name": "majority", "n": -4}, "at least 1"),
    ({"name": "majority", "n": "8"}, "whole number"),
    ({"name": "majority", "n": 8.0}, "whole number"),
    ({"name": "majority", "n": True}, "whole number"),
    ({"name": "majority"}, "missing"),
    ({"name": "majority", "n": 4, "score": "last"}, "no parameter score"),
    ({"name": "greedy", "width": 4}, "no parameter width"),
    ({"name": "best_of_n", "n": 0}, "at least 1"),
    ({"name": "best_of_n", "n": 4, "score": "median"}, "min, last, mean, prod"),
    ({"name": "best_of_n", "n": 4, "vote": "loudest"}, "majority, max, weighted"),
    ({"name": "best_of_n", "n": 4, "vote": None}, "majority, max, weighted"),
    ({"name": "best_of_n", "n": 4, "keep": 0, "vote": "weighted"}, "above 0 and at most 1"),
    ({"name": "best_of_n", "n": 4, "keep": 1.5, "vote": "weighted"}, "above 0 and at most 1"),
    ({"name": "best_of_n", "n": 4, "keep": "0.5", "vote": "weighted"}, "above 0 and at most 1"),
    ({"name": "best_of_n", "n": 4, "keep": 0.5}, "expected the vote weighted or majority"),
    ({"name": "best_of_n", "n": 4, "keep": 0.5, "vote": "borda"}, "nothing to the vote borda"),
    ({"name": "best_of_n", "n": 4, "power": 2, "vote": "weighted"}, "expected the vote borda"),
    ({"name": "best_of_n", "n": 4, "power": -1, "vote": "borda"}, "number from 0 to 100"),
    ({"name": "best_of_n", "n": 4, "power": float("nan"), "vote": "borda"}, "from 0 to 100"),
    ({"name": "beam_search", "n": 6, "width": 4}, "for instance 4"),
    ({"name": "beam_search", "n": 2, "width": 4}, "for instance 4"),
    ({"name": "beam_search", "n": 8, "width": 1}, "at least 2"),
    ({"name": "beam_search", "n": 8, "width": True}, "whole number"),
    ({"name": "beam_search", "n": 8, "width": "4"}, "whole number"),
    ({"name": "beam_search", "n": 8, "width": 4.0}, "whole number"),
    ({"name": "beam_search", "n": 8, "width": None}, "whole number"),
    ({"name": "dvts", "n": 6, "width": 4}, "multiple of the width"),
    ({"name": "dvts", "n": 0, "width": 4}, "at least 1"),
    ({"name": "particle_filter", "n": 0}, "at least 1"),
    ({"name": "particle_filter", "n": 4, "width": 4}, "no parameter width"),
    ({"name": "particle_filter", "n": 4, "softmax_temperature": 0}, "number above 0"),
    ({"name": "particle_filter", "n": 4, "softmax_temperature": float("nan")}, "above 0"),
    ({"name": "particle_filter", "n": 4, "softmax_temperature": float("inf")}, "above 0"),
    ({"name": "particle_filter", "n": 4, "softmax_temperature": True}, "number above 0"),
    ({"name": "particle_filter", "n": 4, "softmax_temperature": "1"}, "number above 0"),
    ({"name": "tree_of_thought", "n": 4}, "beam_search, dvts, particle_filter"),
    ({"name": 7, "n": 4}, "must be one of"),
    ({"name": ["majority"], "n": 4}, "must be one of"),
    ({"n": 4}, "must be one of"),
]


@pytest.mark.parametrize(("record", "reason"), BAD)
def test_bad_input_is_one_line_that_says_what_is_right(record: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError) as error:
        from_dict(record)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_name_makes_its_strategy_at_the_budget(name: str) -> None:
    strategy = make(name, 16)
    assert strategy.name == name
    assert strategy.n == (1 if name == "greedy" else 16)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"temperature": 0}, "temperature 0"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"top_p": 1.5}, "top_p 1.5"),
        ({"max_tokens": 0}, "max_tokens 0"),
        ({"max_step_tokens": -1}, "max_step_tokens -1"),
        ({"max_steps": 0}, "max_steps 0"),
    ],
)
def test_sampling_that_cannot_be_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Sampling(**options)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda: ShortMOfK(2),
            "m 3 for short_m_of_k with budget 2: must be .* 1 to the budget",
        ),
        (lambda: ShortMOfK(4, 0), "m 0 for short_m_of_k with budget 4"),
        (lambda: ShortMOfK(4, True), "m True for short_m_of_k"),
        (lambda: Aggregate(18), "budget 18 for aggregate: must be a multiple of 4 .* at least 16"),
        (lambda: Aggregate(8), "budget 8 for aggregate: must be a multiple of 4 .* at least 16"),
        (lambda: Aggregate(8, 0), "rounds 0 for aggregate: must be a whole number"),
        (lambda: Aggregate(8, 1, 0), "shown 0 for aggregate: must be a whole number"),
    ],
)
def test_parameters_that_do_not_fit_the_budget_are_refused(
    make: Callable[[], Strategy], reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as error:
        make()
    assert "\n" not in str(error.value)


def test_the_voters_are_the_responses_that_an_answer_is_chosen_among() -> None:
    assert voters(Majority(8)) == 8
    assert voters(ShortMOfK(8, 3)) == 3
    assert voters(Aggregate(16, 3, 2)) == 4


def test_names_are_read_from_a_command_line() -> None:
    # One that few policies and budgets can take must be named.
    assert parse_names("all") == [name for name in STRATEGIES if name != "aggregate"]
    assert parse_names("aggregate") == ["aggregate"]
    assert parse_names("dvts, majority") == ["dvts", "majority"]
    with pytest.raises(InputError, match="'dvst': must be one of"):
        parse_names("majority,dvst")
