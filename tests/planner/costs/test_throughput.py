"""Tokens a second from runs: what made them is found again, and what they do not tell is None."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.store.store import RunSpec, Store
from planner.catalog import load_catalog
from planner.costs.measured import rates
from planner.costs.throughput import Timed, note, read, speeds


def timed(generated: int, scored: int, policy: float, prm: float, noise: float = 1.0) -> Timed:
    """A run of engines of known tokens a second."""
    seconds = noise * (generated / policy + scored / prm)
    return Timed("prm" if scored else None, generated, scored, seconds)


speed = st.floats(1.0, 1e5)


@given(speed, speed, st.integers(100, 10_000), st.integers(100, 10_000))
def test_exact_runs_give_the_speeds_that_made_them(
    policy: float, prm: float, alone: int, scored: int
) -> None:
    runs = [timed(alone, 0, policy, prm), timed(5_000, scored, policy, prm),
            timed(1_000, 4 * scored, policy, prm)]  # fmt: skip
    found = speeds(runs, "prm")
    if found[1] is None:  # one of them takes next to none of the time
        assert found == (pytest.approx(policy), None)
    else:
        assert found == (pytest.approx(policy), pytest.approx(prm))
    assert speeds(runs, None) == (pytest.approx(policy), None)


def test_two_mixes_with_a_prm_tell_both_apart() -> None:
    runs = [timed(1_000, 2_000, 50.0, 400.0), timed(1_000, 500, 50.0, 400.0)]
    assert speeds(runs, "prm") == (pytest.approx(50), pytest.approx(400))


def test_runs_of_one_mix_do_not_tell_what_took_the_time() -> None:
    runs = [timed(1_000, 2_000, 50.0, 400.0), timed(3_000, 6_100, 50.0, 400.0)]
    assert speeds(runs, "prm") == (None, None)
    # Nor those of another PRM.
    assert speeds([*runs, timed(1_000, 0, 50.0, 1.0)], "other") == (pytest.approx(50), None)


def test_a_prm_that_seems_to_save_time_has_no_speed() -> None:
    runs = [timed(1_000, 0, 50.0, 1.0), Timed("prm", 2_000, 1_000, 30.0)]
    assert speeds(runs, "prm") == (pytest.approx(50), None)


def test_longer_runs_count_more() -> None:
    runs = [timed(1_000, 0, 50.0, 1.0), timed(10, 0, 50.0, 1.0, noise=9.0),
            timed(1_000, 2_000, 50.0, 400.0)]  # fmt: skip
    assert speeds(runs, "prm") == (pytest.approx(50, rel=0.05), pytest.approx(400, rel=0.1))


def test_nothing_is_known_of_no_runs() -> None:
    assert speeds([], "prm") == (None, None)


def test_runs_are_kept_one_by_one() -> None:
    with Store.open("sqlite://") as store:
        runs = [timed(1_000, 0, 50.0, 400.0), timed(1_000, 2_000, 50.0, 400.0)]
        for run in runs:
            note(store, "policy", run)
        assert read(store, "policy") == runs
        assert read(store, "other") == []
        found = rates(store, "policy", "prm", load_catalog())
    assert found.tokens_per_second == pytest.approx(50)
    assert found.prm_tokens_per_second == pytest.approx(400)


@pytest.mark.parametrize("prm", [None, "prm"])
def test_totals_of_older_stores_count_where_no_run_had_a_prm(prm: str | None) -> None:
    with Store.open("sqlite://") as store:
        store.put_artefact("speed/policy", b"", {"tokens": 300, "seconds": 6.0})
        store.start(RunSpec("measure", "policy", prm, {}))
        assert rates(store, "policy", prm, load_catalog()).tokens_per_second == (
            None if prm else 50.0
        )
        note(store, "policy", Timed(None, 100, 0, 1.0))
        found = rates(store, "policy", prm, load_catalog())
        assert found.tokens_per_second == pytest.approx(100.0 if prm else 62.5)
        assert found.prm_tokens_per_second is None
