"""One conformance suite for every kind of store; and kills and bad input, which a file stands."""

from __future__ import annotations

import dataclasses
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, text

from executor.errors import InputError
from executor.ledger import Ledger
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem, problem_uid
from executor.store.store import RunSpec, Store, StoredOutcome

ROOT = Path(__file__).parents[3]
SPEC = RunSpec(
    "measure", "some-policy", None, {"seed": 0, "strategy": {"name": "majority", "n": 2}}
)


def outcome_of(number: int, samples: int = 2) -> Outcome:
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


def url_of(kind: str, folder: Path) -> str:
    return {
        "file": f"sqlite:///{folder}/store.db",
        "driver named": f"sqlite+pysqlite:///{folder}/store.db",
        "memory": "sqlite://",
        "memory by name": "sqlite:///:memory:",
        "file URI": f"sqlite:///file:{folder}/store.db?uri=true",
    }[kind]


KINDS = ["file", "driver named", "memory", "memory by name", "file URI"]
FILES = ["file", "driver named", "file URI"]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with Store.open(url_of(request.param, tmp_path)) as opened:
        yield opened


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store on disk that holds one outcome."""
    address = url_of("file", tmp_path)
    with Store.open(address) as opened:
        opened.start(SPEC)
        opened.save(SPEC, outcome_of(0))
    return address


# Conformance


def test_what_is_saved_is_read_back(store: Store) -> None:
    assert store.start(SPEC) == set()
    store.save(SPEC, outcome_of(1), {"probes": 4})
    store.save(SPEC, outcome_of(2, samples=0))
    found = {stored.outcome.problem.id: stored for stored in store.outcomes(SPEC)}
    assert found == {
        "p1": StoredOutcome(SPEC, outcome_of(1), {"probes": 4}),
        "p2": StoredOutcome(SPEC, outcome_of(2, samples=0), {}),
    }
    [bare] = [s for s in store.outcomes(SPEC, samples=False) if s.outcome.problem.id == "p1"]
    assert bare.outcome == dataclasses.replace(outcome_of(1), samples=())


def test_what_is_not_known_stays_unknown(store: Store) -> None:
    one = outcome_of(1)
    unknown = dataclasses.replace(
        one, problem=Problem("p", "?", None), answer=None, correct=None, chosen=None,
        samples=(dataclasses.replace(one.samples[0], answer=None, correct=None),),
    )  # fmt: skip
    store.start(SPEC)
    store.save(SPEC, unknown)
    assert [stored.outcome for stored in store.outcomes(SPEC)] == [unknown]


def test_a_run_finds_what_it_has_finished_and_nothing_of_other_runs(store: Store) -> None:
    other = dataclasses.replace(SPEC, prm="some-prm")
    store.start(SPEC)
    store.start(other)
    store.save(SPEC, outcome_of(1))
    store.save(SPEC, outcome_of(2))
    store.save(other, outcome_of(2))
    assert store.start(SPEC) == {problem_uid(outcome_of(n).problem) for n in (1, 2)}
    assert store.start(other) == {problem_uid(outcome_of(2).problem)}
    assert store.runs("measure") == [SPEC, other]
    assert store.runs("profile") == []


def test_a_spec_is_the_same_run_in_whatever_order_it_is_written(store: Store) -> None:
    store.start(SPEC)
    store.save(SPEC, outcome_of(1))
    again = dataclasses.replace(SPEC, settings=dict(reversed(SPEC.settings.items())))
    assert len(store.start(again)) == 1
    for changed in ({"policy": "b"}, {"prm": "b"}, {"kind": "run"}, {"settings": {"seed": 1}}):
        assert store.start(dataclasses.replace(SPEC, **changed)) == set()


def test_the_same_problem_cannot_be_counted_twice_in_a_run(store: Store) -> None:
    store.start(SPEC)
    store.save(SPEC, outcome_of(1))
    with pytest.raises(InputError):
        store.save(SPEC, outcome_of(1))
    assert len(list(store.outcomes(SPEC))) == 1


def test_a_transaction_that_fails_midway_leaves_nothing(store: Store) -> None:
    store.start(SPEC)
    broken = outcome_of(1)
    second = dataclasses.replace(broken.samples[1], text=None)  # refused: may not be null
    broken = dataclasses.replace(broken, samples=(broken.samples[0], second))
    with pytest.raises(InputError) as error:
        store.save(SPEC, broken)
    assert "\n" not in str(error.value)
    assert list(store.outcomes(SPEC)) == []
    assert store.start(SPEC) == set()
    store.save(SPEC, outcome_of(1))
    assert [stored.outcome for stored in store.outcomes(SPEC)] == [outcome_of(1)]


def test_counts_that_nobody_knows_are_read_back_as_such(store: Store) -> None:
    told = dataclasses.replace(outcome_of(1), unknown=frozenset({"prm", "prompt"}))
    store.start(SPEC)
    store.save(SPEC, told, {"seen": True})
    (stored,) = store.outcomes(SPEC)
    assert stored.outcome == told
    assert stored.note["seen"] is True


def test_whole_runs_take_the_place_of_others_at_once(store: Store) -> None:
    other = dataclasses.replace(SPEC, policy="another")
    store.save_runs([(SPEC, [outcome_of(1), outcome_of(2)]), (other, [outcome_of(1)])])
    store.save_runs([(SPEC, [outcome_of(3)])], replacing=[SPEC])
    assert [one.outcome for one in store.outcomes(SPEC)] == [outcome_of(3)]
    assert [one.outcome for one in store.outcomes(other)] == [outcome_of(1)]
    assert len(store.runs()) == 2


def test_runs_that_cannot_all_be_written_leave_everything_as_it_was(store: Store) -> None:
    store.save_runs([(SPEC, [outcome_of(1)])])
    other = dataclasses.replace(SPEC, policy="another")
    with pytest.raises(InputError):
        store.save_runs(
            [(SPEC, [outcome_of(3)]), (other, [outcome_of(1), outcome_of(1)])], replacing=[SPEC]
        )
    assert store.runs() == [SPEC]
    assert [one.outcome for one in store.outcomes(SPEC)] == [outcome_of(1)]


def test_every_thread_sees_the_same_store(store: Store) -> None:
    """The runner saves from worker threads."""
    store.start(SPEC)
    failures: list[BaseException] = []

    def save(numbers: range) -> None:
        try:
            for number in numbers:
                with lock:
                    store.save(SPEC, outcome_of(number))
        except BaseException as error:
            failures.append(error)

    lock = threading.Lock()
    threads = [threading.Thread(target=save, args=(range(i, i + 5),)) for i in (0, 5, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.start(SPEC)) == 15


def test_its_state_changes_with_what_is_finished_or_put_and_with_nothing_else(store: Store) -> None:
    store.start(SPEC)
    states = [store.state(["measure"])]
    store.save(SPEC, outcome_of(0))
    states.append(store.state(["measure"]))
    store.put_artefact("model", b"one", {})
    states.append(store.state(["measure"]))
    store.put_artefact("model", b"two", {})
    states.append(store.state(["measure"]))
    store.save_runs([(SPEC, [outcome_of(0)])], replacing=[SPEC])
    states.append(store.state(["measure"]))
    assert len(set(states)) == len(states)
    answered = dataclasses.replace(SPEC, kind="run")
    store.start(answered)
    store.save(answered, outcome_of(1))
    assert store.state(["measure"]) == states[-1]
    assert store.state(["measure", "run"]) != states[-1]


def test_an_artefact_is_replaced_whole(store: Store) -> None:
    assert store.artefact("model") is None
    store.put_artefact("model", b"\x00one", {"version": 1})
    store.put_artefact("model", b"two", {"version": 2})
    assert store.artefact("model") == (b"two", {"version": 2})


@pytest.mark.parametrize("kind", FILES)
def test_a_file_keeps_what_it_holds(kind: str, tmp_path: Path) -> None:
    with Store.open(url_of(kind, tmp_path)) as first:
        first.start(SPEC)
        first.save(SPEC, outcome_of(1))
    assert (tmp_path / "store.db").is_file()
    with Store.open(url_of(kind, tmp_path), create=False) as second:
        assert [stored.outcome for stored in second.outcomes(SPEC)] == [outcome_of(1)]


# Bad input


def refused(url: str, *, create: bool = True) -> str:
    with pytest.raises(InputError) as error:
        Store.open(url, create=create)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_schema_version_is_refused_and_left_alone(url: str, tmp_path: Path) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE apportion_schema SET version = 99"))
    engine.dispose()
    before = (tmp_path / "store.db").read_bytes()
    for create in (True, False):
        message = refused(url, create=create)
        assert "version 99" in message
        assert "version 2" in message
    assert (tmp_path / "store.db").read_bytes() == before


def test_a_store_of_the_version_before_is_brought_up_to_this_one(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE outcomes DROP COLUMN spared_responses"))
        connection.execute(text("UPDATE apportion_schema SET version = 1"))
    engine.dispose()
    for _ in range(2):  # the second finds it done
        with Store.open(url, create=False) as store:
            (found,) = store.outcomes(SPEC)
            expected = outcome_of(0)
            ledger = dataclasses.replace(expected.ledger, spared=0)
            assert found.outcome == dataclasses.replace(expected, ledger=ledger)
    with Store.open(url) as store:
        store.save(SPEC, outcome_of(1))
        assert [one.outcome.ledger.spared for one in store.outcomes(SPEC)].count(8) == 1


@pytest.mark.parametrize("kind", FILES)
def test_a_read_only_file_is_refused_for_writing_even_to_root(kind: str, tmp_path: Path) -> None:
    address = url_of(kind, tmp_path)
    with Store.open(address) as opened:
        opened.start(SPEC)
    path = tmp_path / "store.db"
    path.chmod(0o444)
    before = path.read_bytes()
    assert "read-only" in refused(address)
    assert path.read_bytes() == before
    with Store.open(address, create=False) as readable:
        assert readable.runs() == [SPEC]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refused(f"sqlite:///{tmp_path}")


def test_a_missing_folder_is_named_and_not_made(tmp_path: Path) -> None:
    assert f"{tmp_path}/none does not exist" in refused(f"sqlite:///{tmp_path}/none/store.db")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_not_made_by_reading(tmp_path: Path) -> None:
    assert "no such file" in refused(f"sqlite:///{tmp_path}/store.db", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "apportion.db",
        "",
        "nosuchdb://host/x",
        "postgresql://host:port/x",
        "postgresql+nodriver://h/x",
    ],
)
def test_what_is_no_database_url_is_refused(url: str) -> None:
    assert refused(url).startswith(f"store {url}:")


def test_a_missing_driver_is_named() -> None:
    assert "psycopg" in refused("postgresql://localhost/x")


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database\n" * 100)
    assert "not a database" in refused(f"sqlite:///{path}")
    assert path.read_text() == "not a database\n" * 100


def test_another_programs_tables_are_refused(tmp_path: Path) -> None:
    address = url_of("file", tmp_path)
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("CREATE TABLE runs (something INTEGER)")
    assert "another program" in refused(address)
    assert "no apportion tables" in refused(address, create=False)


# Crashes


def test_a_store_that_was_being_made_when_it_died_can_be_made_again(tmp_path: Path) -> None:
    class Died(BaseException):
        pass

    statements = dies_at = 0

    def count(conn: object, cursor: object, statement: str, *_: object) -> None:
        nonlocal statements
        statements += statement.strip().startswith(("CREATE", "INSERT"))
        if statements == dies_at:
            raise Died

    event.listen(Engine, "before_cursor_execute", count)
    try:
        for nth in (1, 4, 8):
            statements, dies_at = 0, nth
            with pytest.raises(Died):
                Store.open(url_of("file", tmp_path))
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    with Store.open(url_of("file", tmp_path)) as opened:
        opened.start(SPEC)
        opened.save(SPEC, outcome_of(1))


def test_a_new_store_can_be_opened_by_many_at_once(tmp_path: Path) -> None:
    # One race in twenty was lost while SQLite refused to wait for the switch to WAL.
    for number in range(40):
        failures: list[BaseException] = []
        ready = threading.Barrier(6)
        url = f"sqlite:///{tmp_path}/{number}.db"

        def open_it(
            url: str = url,
            ready: threading.Barrier = ready,
            failures: list[BaseException] = failures,
        ) -> None:
            try:
                ready.wait()
                with Store.open(url) as opened:
                    opened.start(SPEC)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=open_it) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


def test_two_runs_at_once_share_a_new_problem(url: str) -> None:
    failures: list[BaseException] = []
    specs = [dataclasses.replace(SPEC, prm=name) for name in "abc"]
    ready = threading.Barrier(len(specs))

    def measure(spec: RunSpec) -> None:
        try:
            with Store.open(url) as own:
                own.start(spec)
                for number in range(1, 12):
                    ready.wait()
                    own.save(spec, outcome_of(number))
        except BaseException as error:
            failures.append(error)
            ready.abort()

    threads = [threading.Thread(target=measure, args=(spec,)) for spec in specs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with Store.open(url) as store:
        assert [len(store.start(spec)) for spec in specs] == [11, 11, 11]


WRITER = """
    import sys
    sys.path[:0] = [{root!r}, {here!r}]
    from executor.store.store import Store
    from test_store import SPEC, outcome_of

    store = Store.open({url!r})
    store.start(SPEC)
    for number in range({first}, 100_000):
        store.save(SPEC, outcome_of(number, samples=40))
        print(number, flush=True)
"""


@pytest.mark.process
def test_kill_9_loses_at_most_the_problem_in_flight(tmp_path: Path) -> None:
    address = url_of("file", tmp_path)
    saved = -1
    for round_number in range(3):
        code = textwrap.dedent(WRITER).format(
            root=str(ROOT), here=str(Path(__file__).parent), url=address, first=saved + 1
        )
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        try:
            for _ in range(4 + round_number):
                printed = child.stdout.readline()
                assert printed, "the writer died by itself"
                saved = int(printed)
        finally:
            os.kill(child.pid, signal.SIGKILL)
            rest = child.stdout.read().split()
            child.wait()
            child.stdout.close()
        saved = int(rest[-1]) if rest else saved

        with Store.open(address) as store:
            done = store.start(SPEC)
            found = {int(s.outcome.problem.id[1:]): s.outcome for s in store.outcomes(SPEC)}
        assert set(range(saved + 1)) <= set(found) <= set(range(saved + 2))
        assert done == {problem_uid(outcome.problem) for outcome in found.values()}
        for number, outcome in found.items():
            assert outcome == outcome_of(number, samples=40)
        with sqlite3.connect(tmp_path / "store.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        saved = max(found)
