"""The value of measuring more: against enumeration, against simulation, and where it must be 0."""

from __future__ import annotations

import itertools
import shlex
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from executor.errors import InputError
from executor.strategy import BeamSearch, BestOfN, Dvts, Greedy, Majority, ParticleFilter
from planner import cli
from planner.constraint import Constraint
from planner.costs import Cost
from planner.next_measurement import Measurement, command, next_measurements, sentence
from planner.posterior import summarise
from planner.recommend import Choice, choose
from planner.selection import INDIFFERENCE

NO_LIMIT = Constraint()
STRATEGIES = (Greedy(), Majority(4), BestOfN(16), Dvts(64))


def cell(number: int, right: float, wrong: float, flops: float) -> Choice:
    mean, low, high = (float(x) for x in summarise(np.array(right), np.array(wrong)))
    cost = Cost(10 * flops, 1.0, 0.0, flops=flops)
    interval = (low, high)
    return Choice(STRATEGIES[number], mean, interval, cost, 10, "measured", (right, wrong))


def of(*cells: tuple[float, float, float]) -> list[Choice]:
    return [cell(i, *parameters) for i, parameters in enumerate(cells)]


def by_strategy(
    found: list[Choice], constraint: Constraint = NO_LIMIT, problems: int = 5
) -> dict[str, Measurement]:
    made = choose("all", found, constraint)
    measured = next_measurements(made, constraint, problems)
    return {one.choice.strategy.name: one for one in measured}


cells = st.lists(
    st.tuples(st.floats(0.5, 40), st.floats(0.5, 40), st.sampled_from([1.0, 2.0, 4.0])),
    min_size=1, max_size=4,
).map(lambda given: of(*given))  # fmt: skip
constraints = st.one_of(
    st.just(NO_LIMIT),
    st.builds(
        lambda target, confidence: Constraint(target_accuracy=target, confidence=confidence),
        st.floats(0.1, 0.9), st.sampled_from([0.5, 0.95]),
    ),
)  # fmt: skip


def apart(found: list[Choice]) -> bool:
    """Whether no two are as good, nor just as far apart as makes no difference.

    Of such ones the last bit decides, and sums in another order have another.
    """
    rates = sorted(one.predicted_accuracy for one in found)
    gaps = [high - low for low, high in itertools.combinations(rates, 2)]
    return all(gap > 1e-9 and abs(gap - INDIFFERENCE) > 1e-9 for gap in gaps)


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(found=cells, constraint=constraints, problems=st.integers(1, 12))
def test_values_are_those_of_choosing_again_after_every_possible_outcome(
    found: list[Choice], constraint: Constraint, problems: int
) -> None:
    """The same sums, one outcome at a time, through `choose` itself."""
    made = choose("all", found, constraint)
    best = max(one.predicted_accuracy for one in found)
    for one in next_measurements(made, constraint, problems):
        at = next(i for i, c in enumerate(found) if c.strategy == one.choice.strategy)
        a, b = one.choice.beta
        chance = gain = saving = 0.0
        for k in range(problems + 1):
            weight = betabinom.pmf(k, problems, a, b)
            price = found[at].price("flops")
            found_then = [*found[:at], cell(at, a + k, b + problems - k, price), *found[at + 1 :]]
            # In the order of today's answer: of equal ones the first is chosen.
            order = [found.index(c) for c in (made.choice, *made.alternatives)]
            assume(apart(found_then))
            then = choose("all", [found_then[i] for i in order], constraint)
            chance += weight * (then.choice.strategy != made.choice.strategy)
            gain += weight * (max(c.predicted_accuracy for c in found_then) - best)
            saving += weight * (made.choice.price("flops") - then.choice.price("flops"))
        assert one.chance == pytest.approx(chance, abs=1e-9)
        assert one.gain == pytest.approx(gain, abs=1e-9)
        assert one.saving == pytest.approx(saving, abs=1e-9)
        assert 0 <= one.chance <= 1 + 1e-12
        assert one.gain >= 0


def test_the_gain_is_that_of_simulated_measurements() -> None:
    """Truths from the posteriors, outcomes from the truths, and the better mean is taken."""
    rng = np.random.default_rng(0)
    found = of((6.0, 4.0, 1.0), (7.0, 5.0, 2.0))
    one = by_strategy(found, problems=8)["majority"]
    outcomes = rng.binomial(8, rng.beta(7.0, 5.0, size=400_000))
    then = np.maximum((7.0 + outcomes) / 20.0, 0.6)
    error = float(then.std() / np.sqrt(len(then)))
    assert one.gain == pytest.approx(float(then.mean()) - 0.6, abs=4 * error)


def test_one_problem_in_closed_form() -> None:
    """Beta(1, 1) against a sure 0.6: right with chance 1/2, then 2/3; else it stays behind."""
    one = by_strategy(of((1.0, 1.0, 1.0), (6e9, 4e9, 2.0)), problems=1)["greedy"]
    assert one.chance == pytest.approx(1 / 2)
    assert one.gain == pytest.approx((2 / 3 - 0.6) / 2)
    assert one.saving == pytest.approx((2.0 - 1.0) / 2)


def test_where_nothing_can_change_a_measurement_is_worth_nothing() -> None:
    alone = by_strategy(of((3.0, 4.0, 1.0)))
    assert (alone["greedy"].chance, alone["greedy"].gain) == (0.0, 0.0)
    settled = by_strategy(of((900.0, 100.0, 1.0), (100.0, 900.0, 2.0)))
    assert {(one.chance, one.gain, one.saving) for one in settled.values()} == {(0.0, 0.0, 0.0)}


def test_what_would_change_the_answer_is_told_in_words() -> None:
    made = choose("all", of((6.0, 4.0, 1.0), (7.0, 5.0, 2.0)), NO_LIMIT)
    best = next_measurements(made, NO_LIMIT, 8)[0]
    told = sentence(best, made)
    assert f"{best.choice.strategy.name}" in told
    assert f"a chance of {best.chance:.0%}" in told
    assert f"{best.gain:.4f} more accuracy" in told
    alone = choose("all", of((3.0, 4.0, 1.0)), NO_LIMIT)
    told = sentence(next_measurements(alone, NO_LIMIT, 8)[0], alone)
    assert told == "no 8 more problems of any one strategy would change this choice"


@given(found=cells)
def test_more_problems_are_never_worth_less(found: list[Choice]) -> None:
    few, many = by_strategy(found, problems=3), by_strategy(found, problems=6)
    for name, one in few.items():
        assert many[name].gain >= one.gain - 1e-12


def test_what_is_least_known_and_close_comes_first() -> None:
    found = of((500.0, 500.0, 1.0), (4.7, 5.3, 2.0), (200.0, 800.0, 2.0))
    measured = next_measurements(choose("all", found, NO_LIMIT), NO_LIMIT, 20)
    assert measured[0].choice.strategy == Majority(4)
    assert [m.chance for m in measured] == sorted((m.chance for m in measured), reverse=True)


def test_a_measurement_costs_as_often_as_it_is_run() -> None:
    one = by_strategy(of((3.0, 4.0, 2.0)), problems=7)["greedy"]
    assert one.cost["flops"] == 14.0
    assert one.cost["generated_tokens"] == 140.0
    assert one.cost["usd"] is None
    assert one.to_dict("buy")["command"] == "buy"


def test_all_strategies_compared_are_paid_for() -> None:
    measured = by_strategy(of((3.0, 4.0, 1.0), (5.0, 4.0, 2.0)), problems=7)
    assert {one.cost["flops"] for one in measured.values()} == {21.0}


def test_tokens_that_nobody_counted_are_not_known() -> None:
    cost = Cost(float("nan"), float("nan"), float("nan"))
    found = [replace(one, cost=cost) for one in of((6.0, 4.0, 1.0), (7.0, 5.0, 2.0))]
    made = choose("all", found, NO_LIMIT)
    best = next_measurements(made, NO_LIMIT, 8)[0]
    assert best.cost["generated_tokens"] is None
    assert sentence(best, made).endswith("what that takes is not known")


def test_fewer_than_one_problem_is_one_line() -> None:
    with pytest.raises(InputError, match="next-problems 0: must be"):
        by_strategy(of((3.0, 4.0, 1.0)), problems=0)


@pytest.mark.parametrize(
    ("strategy", "module"),
    [
        (Greedy(), "measure"),
        (Majority(64), "profile"),
        (BestOfN(16), "profile"),
        (BeamSearch(16), "measure"),
        (Dvts(4, width=2), "measure"),
        (ParticleFilter(8), "measure"),
    ],
    ids=repr,
)
def test_the_command_that_buys_it_is_one_that_is_understood(strategy: object, module: str) -> None:
    line = command(strategy, 50, "my policy", "my-prm", "hard")  # type: ignore[arg-type]
    words = shlex.split(line)
    assert words[0] == "apportion"
    arguments = cli.build_parser().parse_args(words[1:])
    assert (arguments.module, arguments.policy, arguments.limit) == (module, "my policy", [50])
    assert arguments.prm == ("my-prm" if strategy.needs_prm else None)  # type: ignore[attr-defined]


def test_options_of_a_strategy_are_in_its_command() -> None:
    line = command(Dvts(4, width=2), 50, "p", "r", "all")
    assert line.endswith("--strategies dvts --budgets 4 --width 2 --score last --vote weighted")
