"""The conformance suite of stores."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import threading
from typing import Any

import pytest

from executor.domains.execution import Execution
from executor.errors import InputError, StoreError
from executor.ledger import Ledger
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem, problem_uid
from executor.store import claims
from executor.store.claims import Claimed
from executor.store.store import RunExistsError, RunSpec, Store, StoredOutcome

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
            confidences=tuple(round(9.357 * i, 3) for i in range(8)) if position else (),
            execution=None if position else Execution((True, False), ("[1,2]", "!raised")),
            visible_from=3 * position,
        )
        for position in range(samples)
    ]
    ledger = Ledger(1, 2, 3, 4, 5, 6, 7, 8, 9, thought=10)
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
                with Store.open(f"postgresql://localhost/{empty_database}") as store:
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

    def test_of_two_outcomes_of_one_problem_in_a_run_the_first_stays(self, store: Store) -> None:
        first = example_outcome(1)
        second = dataclasses.replace(first, answer="9", correct=False, samples=first.samples[:1])
        store.start(EXAMPLE_RUN)
        assert store.save(EXAMPLE_RUN, first)
        assert not store.save(EXAMPLE_RUN, second, {"by": "another"})
        assert list(store.outcomes(EXAMPLE_RUN)) == [StoredOutcome(EXAMPLE_RUN, first, {})]

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

    def test_every_character_is_kept(self, store: Store) -> None:
        texts = ["a\x00b", "\x10", "\x10\x10 0000", "\ud83d", "\ude00\ud83d", "\x100000\x00",
                 "\ufffe \U0010ffff \x7f \r\n\t"]  # fmt: skip
        one = example_outcome(1)
        problem = dataclasses.replace(one.problem, id="\x00id", answer="\x00", meta={"a": "\x00"})
        samples = [dataclasses.replace(one.samples[0], text=text, answer=text) for text in texts]
        outcome = dataclasses.replace(one, problem=problem, answer=texts[0], samples=tuple(samples))
        spec = RunSpec("measure", "policy \x00", "prm \ud83d", {"stop": ["\x00", "\ud83d"]})
        store.start(spec)
        store.save(spec, outcome, {"said": texts})
        assert store.runs() == [spec]
        assert list(store.outcomes(spec)) == [StoredOutcome(spec, outcome, {"said": texts})]
        store.put_artefact("\x00", b"\x00", {"\x00": texts})
        assert store.artefact("\x00") == (b"\x00", {"\x00": texts})

    def test_names_may_be_long(self, store: Store) -> None:
        # Digits that no compression makes short enough for an index.
        long = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(200))
        spec = RunSpec("measure", f"policy {long}", f"prm {long}", {"name": long})
        problem = Problem(f"id {long}", f"text {long}", f"answer {long}", {"level": long})
        outcome = dataclasses.replace(example_outcome(1), problem=problem, answer=long)
        store.start(spec)
        store.save(spec, outcome, {"name": long})
        assert [one.outcome for one in store.outcomes(spec)] == [outcome]
        assert store.runs() == [spec]
        for name in (f"{long}a", f"{long}b"):
            store.put_artefact(name, name.encode(), {"name": name})
        assert store.artefact(f"{long}a") == (f"{long}a".encode(), {"name": f"{long}a"})

    def test_counts_may_be_large(self, store: Store) -> None:
        one = example_outcome(1)
        most = 2**63 - 1
        samples = (dataclasses.replace(one.samples[0], n_tokens=most, token_ids=(2**31, most)),)
        large = dataclasses.replace(one, ledger=Ledger(*[most] * 9), samples=samples, seconds=1e300)
        store.start(EXAMPLE_RUN)
        store.save(EXAMPLE_RUN, large)
        assert [stored.outcome for stored in store.outcomes(EXAMPLE_RUN)] == [large]

    def test_a_count_beyond_all_bounds_is_refused_in_one_line(self, store: Store) -> None:
        store.start(EXAMPLE_RUN)
        huge = dataclasses.replace(example_outcome(1), ledger=Ledger(10**30))
        with pytest.raises(StoreError) as error:
            store.save(EXAMPLE_RUN, huge)
        assert "\n" not in str(error.value)
        assert store.start(EXAMPLE_RUN) == set()

    def test_numbers_may_be_infinite_or_none_at_all(self, store: Store) -> None:
        numbers = (math.nan, math.inf, -math.inf, 0.5)
        one = example_outcome(1)
        samples = [
            dataclasses.replace(one.samples[0], rewards=(number, *numbers), logprob=number)
            for number in numbers
        ]
        outcome = dataclasses.replace(one, samples=tuple(samples), seconds=math.inf)
        spec = dataclasses.replace(EXAMPLE_RUN, settings={"temperature": math.inf})
        store.start(spec)
        store.save(spec, outcome, {"estimate": [{"of": math.nan}]})
        store.put_artefact("model", b"", {"regret": math.nan})
        [found] = store.outcomes(spec)
        # NaN is not equal to itself.
        assert repr(found) == repr(StoredOutcome(spec, outcome, {"estimate": [{"of": math.nan}]}))
        assert store.runs() == [spec]
        assert repr(store.artefact("model")) == repr((b"", {"regret": math.nan}))

    def test_a_run_that_exists_is_not_written_again_unless_it_is_replaced(
        self, store: Store
    ) -> None:
        store.save_runs([(EXAMPLE_RUN, [example_outcome(1)])])
        with pytest.raises(RunExistsError):
            store.save_runs([(EXAMPLE_RUN, [example_outcome(2)])])
        assert [one.outcome for one in store.outcomes(EXAMPLE_RUN)] == [example_outcome(1)]

    def test_a_problem_is_claimed_by_one_and_given_up_when_it_is_saved(self, store: Store) -> None:
        uids = [problem_uid(example_outcome(number).problem) for number in range(4)]
        one, another = claims.new_owner(), claims.new_owner()
        store.start(EXAMPLE_RUN)
        assert store.claim(EXAMPLE_RUN, uids[:2], one) == Claimed(frozenset(uids[:2]), frozenset())
        assert store.claim(EXAMPLE_RUN, uids[1:3], another).mine == {uids[2]}
        store.save(EXAMPLE_RUN, example_outcome(0))
        assert store.claim(EXAMPLE_RUN, uids, another) == Claimed(
            frozenset(uids[2:]), frozenset(uids[:1])
        )
        other_run = dataclasses.replace(EXAMPLE_RUN, policy="another")
        assert store.claim(other_run, uids, another).mine == set(uids)
        store.release_claims(one)
        assert store.claim(EXAMPLE_RUN, uids, another).mine == set(uids[1:])

    def test_a_claim_of_one_who_has_died_or_is_silent_is_void(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uids = [problem_uid(example_outcome(number).problem) for number in range(3)]
        machine, process, rest = claims.new_owner().rsplit(" ", 2)
        dead = f"{machine} {2**22 + 1} {rest}"  # Linux has no process of this number
        silent = f"far-away {process} {rest}"
        alive = claims.new_owner()
        store.start(EXAMPLE_RUN)
        store.claim(EXAMPLE_RUN, uids[:1], dead)
        assert store.claim(EXAMPLE_RUN, uids[:1], alive).mine == {uids[0]}
        store.claim(EXAMPLE_RUN, uids[1:2], silent)
        assert store.claim(EXAMPLE_RUN, uids[1:2], alive).mine == set()
        monkeypatch.setattr(claims, "LEASE", -1.0)
        store.renew_claims(silent)
        monkeypatch.undo()
        assert store.claim(EXAMPLE_RUN, uids[1:2], alive).mine == {uids[1]}

    def test_the_description_of_an_artefact_is_changed(self, store: Store) -> None:
        for _ in range(3):
            store.change_artefact("speed", lambda old: {"runs": [*old.get("runs", []), 1]})
        assert store.artefact("speed") == (b"", {"runs": [1, 1, 1]})

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
