"""How many sequences are let in, by what the cache has room for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.engines.cache_room import Demand, LengthForecast, is_calm, most_running

LONG = 10**6


def told(*lengths: int) -> LengthForecast:
    forecast = LengthForecast()
    for length in lengths:
        forecast.learn(length)
    return forecast


def let_in(
    running: list[Demand],
    waiting: list[Demand],
    forecast: LengthForecast,
    *,
    used: int = 0,
    tokens: int = 10_000,
    block: int = 1,
    overflowed: bool = False,
) -> int:
    return most_running(
        running, waiting, forecast, used=used, tokens=tokens, block=block, overflowed=overflowed
    )


def test_the_first_sequences_are_expected_to_be_of_the_first_guess() -> None:
    fresh = [Demand(0, LONG, prompt=100)] * 50
    assert let_in([], fresh, LengthForecast(), tokens=(1024 + 100) * 7) == 7


def test_a_short_limit_lets_in_more() -> None:
    assert let_in([], [Demand(0, 50, prompt=0)] * 500, LengthForecast()) == 200


def test_a_sequence_takes_whole_blocks() -> None:
    fresh = [Demand(0, 50, prompt=20)] * 500
    assert let_in([], fresh, LengthForecast(), tokens=1280, block=32) == 1280 // 96


def test_prompts_that_are_shared_take_no_room() -> None:
    children = [Demand(0, 100, prompt=900), *[Demand(0, 100)] * 99]
    assert let_in([], children, LengthForecast(), tokens=1000 + 4 * 100) == 5


def test_known_lengths_let_in_as_many_as_fit_at_their_ends() -> None:
    forecast = told(*[200] * 5000)
    running = [Demand(150, LONG)] * 10
    # In use are 2,000; the ten grow by 50 each; 7,500 are left for sequences of 200.
    assert let_in(running, [Demand(0, LONG)] * 99, forecast, used=2000) == 10 + 37


def test_unfinished_responses_that_are_long_stop_the_letting_in() -> None:
    # None has ended yet: all that is known is that they are long.
    running = [Demand(300, LONG)] * 20
    assert let_in(running, [Demand(0, LONG)] * 9, LengthForecast(), used=6000, tokens=50_000) == 20


def test_one_sequence_runs_however_long_it_may_be() -> None:
    assert let_in([], [Demand(0, LONG, prompt=99_999)] * 3, told(*[9000] * 99)) == 1


def test_nothing_is_let_in_after_an_overflow_until_the_cache_is_calm() -> None:
    forecast = told(*[10] * 999)
    args = ([Demand(5, LONG)] * 4, [Demand(0, LONG)] * 9, forecast)
    assert let_in(*args, used=9000, overflowed=True) == 4
    assert let_in([], args[1], forecast, overflowed=True) == 9
    assert not is_calm(8500, 10_000)
    assert is_calm(8499, 10_000)


def test_the_mean_of_censored_lengths_is_that_of_whole_ones() -> None:
    """Lengths are exponential, and looked at long before most responses have ended."""
    draw = random.Random(7)
    lengths = [round(draw.expovariate(1 / 400)) + 1 for _ in range(4000)]
    forecast, now = LengthForecast(), 100
    # All that have ended are shorter than 100 tokens; their mean would be about 50.
    ended = [length for length in lengths if length <= now]
    for length in ended[-300:]:
        forecast.learn(length)
    unfinished = now * (len(lengths) - len(ended)) * 300 / len(ended)
    assert forecast.mean(unfinished) == pytest.approx(400, rel=0.25)


def test_cancelled_responses_were_not_at_their_ends() -> None:
    forecast = told(*[100] * 9000)
    for _ in range(1000):
        forecast.cut(50)
    # About 1,000 ends are remembered, with 100,000 tokens; half as many again had no end.
    assert forecast.mean(0) == pytest.approx(150, rel=0.05)


def test_old_lengths_are_forgotten() -> None:
    forecast = told(*[1000] * 3000, *[10] * 9000)
    assert forecast.mean(0) == pytest.approx(10, abs=1)


@given(
    running=st.lists(st.integers(0, 500), max_size=20),
    waiting=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 50)), max_size=20),
    lengths=st.lists(st.integers(1, 800), max_size=20),
    tokens=st.integers(100, 20_000),
)
def test_those_that_run_go_on_and_no_place_is_given_twice(
    running: list[int],
    waiting: list[tuple[int, int]],
    lengths: list[int],
    tokens: int,
) -> None:
    now = [Demand(generated, 800) for generated in running]
    queue = [Demand(generated, 800, prompt) for prompt, generated in waiting]
    used = min(tokens, sum(running))
    room = let_in(now, queue, told(*lengths), used=used, tokens=tokens)
    assert len(now) <= room <= len(now) + len(queue)
    assert room > 0 or not (now or queue)
    more = let_in(now, queue, told(*lengths), used=used, tokens=2 * tokens)
    assert more >= room
