"""The conformance suite of stores."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest

from executor.errors import InputError
from executor.ledger import Ledger
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem, problem_uid
from executor.store.store import RunSpec, Store, StoredOutcome

EXAMPLE_RUN = RunSpec(
    "measure", "some-policy", None, {"seed": 0, "strategy": {"name": "majority", "n": 2}}
)


def example_outcome(number: int, samples: int = 2) -> Outcome:
    """Return a finished problem, different for each `number`, with that many samples."""
    problem = Problem(f"p{number}", f"What is {number} + 1?", str(number + 1), {"level": "3"})
    records = [
        SampleRecord(
            text=f"{number}\n\n√{position} \U0001f600",
            answer=None if position else str(number + 1),
            correct=position == 0,
            state="cut" if position else "finished",
            n_tokens=7 + position,
            logprob=-1.25 * position,
            rewards=(0.1, 1 / 3) if position else (),
            steps=(3, 4 + position),
            token_ids=tuple(range(7 + position)),
        )
        for position in range(samples)
    ]
    ledger = Ledger(1, 2, 3, 4, 5, 6, 7, 8)
    return Outcome(problem, str(number + 1), True, 0, tuple(records), ledger, 0.1 + 0.2)


class StoreConformance:
    """Tests that a store must pass on every database.

    Override the fixture `store` with an empty store, for instance on a database of your own::

        import pytest
        from executor.store.store import Store
        from executor.testing.store_conformance import StoreConformance

        class TestPostgres(StoreConformance):
            @pytest.fixture
            def store(self, empty_database):
                with Store.open(f"postgresql+psycopg://localhost/{empty_database}") as store:
                    yield store
    """

    @pytest.fixture
    def store(self) -> Store:
        """Override: an empty store."""
        raise NotImplementedError("override the fixture `store`")

    def test_what_is_saved_is_read_back(self, store: Store) -> None:
        assert store.start(EXAMPLE_RUN) == set()
        store.save(EXAMPLE_RUN, example_outcome(1), {"probes": 4})
        store.save(EXAMPLE_RUN, example_outcome(2, samples=0))
        found = {stored.outcome.problem.id: stored for stored in store.outcomes(EXAMPLE_RUN)}
        assert found == {
            "p1": StoredOutcome(EXAMPLE_RUN, example_outcome(1), {"probes": 4}),
            "p2": StoredOutcome(EXAMPLE_RUN, example_outcome(2, samples=0), {}),
        }
        [bare] = [
            s for s in store.outcomes(EXAMPLE_RUN, samples=False) if s.outcome.problem.id == "p1"
        ]
        assert bare.outcome == dataclasses.replace(example_outcome(1), samples=())

    def test_what_is_not_known_stays_unknown(self, store: Store) -> None:
        one = example_outcome(1)
        unknown = dataclasses.replace(
            one, problem=Problem("p", "?", None), answer=None, correct=None, chosen=None,
            samples=(dataclasses.replace(one.samples[0], answer=None, correct=None),),
        )  # fmt: skip
        store.start(EXAMPLE_RUN)
        store.save(EXAMPLE_RUN, unknown)
        assert [stored.outcome for stored in store.outcomes(EXAMPLE_RUN)] == [unknown]

    def test_a_run_finds_what_it_has_finished_and_nothing_of_other_runs(self, store: Store) -> None:
        other = dataclasses.replace(EXAMPLE_RUN, prm="some-prm")
        store.start(EXAMPLE_RUN)
        store.start(other)
        store.save(EXAMPLE_RUN, example_outcome(1))
        store.save(EXAMPLE_RUN, example_outcome(2))
        store.save(other, example_outcome(2))
        assert store.start(EXAMPLE_RUN) == {problem_uid(example_outcome(n).problem) for n in (1, 2)}
        assert store.start(other) == {problem_uid(example_outcome(2).problem)}
        assert store.runs("measure") == [EXAMPLE_RUN, other]
        assert store.runs("profile") == []

    def test_a_spec_is_the_same_run_in_whatever_order_it_is_written(self, store: Store) -> None:
        store.start(EXAMPLE_RUN)
        store.save(EXAMPLE_RUN, example_outcome(1))
        again = dataclasses.replace(
            EXAMPLE_RUN, settings=dict(reversed(EXAMPLE_RUN.settings.items()))
        )
        assert len(store.start(again)) == 1
        for changed in ({"policy": "b"}, {"prm": "b"}, {"kind": "run"}, {"settings": {"seed": 1}}):
            assert store.start(dataclasses.replace(EXAMPLE_RUN, **changed)) == set()

    def test_the_same_problem_cannot_be_counted_twice_in_a_run(self, store: Store) -> None:
        store.start(EXAMPLE_RUN)
        store.save(EXAMPLE_RUN, example_outcome(1))
        with pytest.raises(InputError):
            store.save(EXAMPLE_RUN, example_outcome(1))
        assert len(list(store.outcomes(EXAMPLE_RUN))) == 1

    def test_a_transaction_that_fails_midway_leaves_nothing(self, store: Store) -> None:
        store.start(EXAMPLE_RUN)
        broken = example_outcome(1)
        no_text: Any = None  # refused: may not be null
        second = dataclasses.replace(broken.samples[1], text=no_text)
        broken = dataclasses.replace(broken, samples=(broken.samples[0], second))
        with pytest.raises(InputError) as error:
            store.save(EXAMPLE_RUN, broken)
        assert "\n" not in str(error.value)
        assert list(store.outcomes(EXAMPLE_RUN)) == []
        assert store.start(EXAMPLE_RUN) == set()
        store.save(EXAMPLE_RUN, example_outcome(1))
        assert [stored.outcome for stored in store.outcomes(EXAMPLE_RUN)] == [example_outcome(1)]

    def test_counts_that_nobody_knows_are_read_back_as_such(self, store: Store) -> None:
        partly_known = dataclasses.replace(example_outcome(1), unknown=frozenset({"prm", "prompt"}))
        store.start(EXAMPLE_RUN)
        store.save(EXAMPLE_RUN, partly_known, {"seen": True})
        (stored,) = store.outcomes(EXAMPLE_RUN)
        assert stored.outcome == partly_known
        assert stored.note["seen"] is True

    def test_whole_runs_take_the_place_of_others_at_once(self, store: Store) -> None:
        other = dataclasses.replace(EXAMPLE_RUN, policy="another")
        store.save_runs(
            [(EXAMPLE_RUN, [example_outcome(1), example_outcome(2)]), (other, [example_outcome(1)])]
        )
        store.save_runs([(EXAMPLE_RUN, [example_outcome(3)])], replacing=[EXAMPLE_RUN])
        assert [one.outcome for one in store.outcomes(EXAMPLE_RUN)] == [example_outcome(3)]
        assert [one.outcome for one in store.outcomes(other)] == [example_outcome(1)]
        assert len(store.runs()) == 2

    def test_runs_that_cannot_all_be_written_leave_everything_as_it_was(self, store: Store) -> None:
        store.save_runs([(EXAMPLE_RUN, [example_outcome(1)])])
        other = dataclasses.replace(EXAMPLE_RUN, policy="another")
        with pytest.raises(InputError):
            store.save_runs(
                [
                    (EXAMPLE_RUN, [example_outcome(3)]),
                    (other, [example_outcome(1), example_outcome(1)]),
                ],
                replacing=[EXAMPLE_RUN],
            )
        assert store.runs() == [EXAMPLE_RUN]
        assert [one.outcome for one in store.outcomes(EXAMPLE_RUN)] == [example_outcome(1)]

    def test_every_thread_sees_the_same_store(self, store: Store) -> None:
        """The runner saves from worker threads."""
        store.start(EXAMPLE_RUN)
        failures: list[BaseException] = []

        def save(numbers: range) -> None:
            try:
                for number in numbers:
                    with lock:
                        store.save(EXAMPLE_RUN, example_outcome(number))
            except BaseException as error:
                failures.append(error)

        lock = threading.Lock()
        threads = [threading.Thread(target=save, args=(range(i, i + 5),)) for i in (0, 5, 10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(store.start(EXAMPLE_RUN)) == 15

    def test_its_state_changes_with_what_is_finished_or_put_and_with_nothing_else(
        self, store: Store
    ) -> None:
        store.start(EXAMPLE_RUN)
        states = [store.state(["measure"])]
        store.save(EXAMPLE_RUN, example_outcome(0))
        states.append(store.state(["measure"]))
        store.put_artefact("model", b"one", {})
        states.append(store.state(["measure"]))
        store.put_artefact("model", b"two", {})
        states.append(store.state(["measure"]))
        store.save_runs([(EXAMPLE_RUN, [example_outcome(0)])], replacing=[EXAMPLE_RUN])
        states.append(store.state(["measure"]))
        assert len(set(states)) == len(states)
        answered = dataclasses.replace(EXAMPLE_RUN, kind="run")
        store.start(answered)
        store.save(answered, example_outcome(1))
        assert store.state(["measure"]) == states[-1]
        assert store.state(["measure", "run"]) != states[-1]

    def test_an_artefact_is_replaced_whole(self, store: Store) -> None:
        assert store.artefact("model") is None
        store.put_artefact("model", b"\x00one", {"version": 1})
        store.put_artefact("model", b"two", {"version": 2})
        assert store.artefact("model") == (b"two", {"version": 2})
