"""Stores of every kind pass one suite; files also survive kills and bad input."""

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
from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    create_engine,
    event,
    text,
)

from executor.errors import InputError
from executor.outcome import Outcome
from executor.problem import problem_uid
from executor.store.address import parse
from executor.store.columns import Characters
from executor.store.database import SCHEMA_VERSION
from executor.store.store import RunSpec, Store
from executor.store.tables import METADATA
from executor.testing.store_conformance import EXAMPLE_RUN, StoreConformance, example_outcome
from tests.conftest import POSTGRES
from tests.helpers.postgres import PostgresServer

ROOT = Path(__file__).parents[3]


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


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store on disk that holds one outcome."""
    address = url_of("file", tmp_path)
    with Store.open(address) as opened:
        opened.start(EXAMPLE_RUN)
        opened.save(EXAMPLE_RUN, example_outcome(0))
    return address


class TestStore(StoreConformance):
    @pytest.fixture(params=[*KINDS, POSTGRES])
    def store(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:  # type: ignore[override]
        if request.param == "postgresql":
            url = request.getfixturevalue("postgres").new_database()
        else:
            url = url_of(request.param, tmp_path)
        with Store.open(url) as opened:
            yield opened


@pytest.mark.parametrize("kind", FILES)
def test_a_file_keeps_what_it_holds(kind: str, tmp_path: Path) -> None:
    with Store.open(url_of(kind, tmp_path)) as first:
        first.start(EXAMPLE_RUN)
        first.save(EXAMPLE_RUN, example_outcome(1))
    assert (tmp_path / "store.db").is_file()
    with Store.open(url_of(kind, tmp_path), create=False) as second:
        assert [stored.outcome for stored in second.outcomes(EXAMPLE_RUN)] == [example_outcome(1)]


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
        assert f"version {SCHEMA_VERSION}" in message
    assert (tmp_path / "store.db").read_bytes() == before


def test_a_store_of_the_version_before_is_brought_up_to_this_one(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE outcomes DROP COLUMN spared_responses"))
        connection.execute(text("ALTER TABLE samples DROP COLUMN confidences"))
        drop_thoughts(connection)
        connection.execute(text("UPDATE apportion_schema SET version = 1"))
    engine.dispose()
    for _ in range(2):  # the second finds it done
        with Store.open(url, create=False) as store:
            (found,) = store.outcomes(EXAMPLE_RUN)
            expected = example_outcome(0)
            ledger = dataclasses.replace(expected.ledger, spared=0)
            assert found.outcome == without_confidences(
                without_thoughts(dataclasses.replace(expected, ledger=ledger))
            )
    with Store.open(url) as store:
        store.save(EXAMPLE_RUN, example_outcome(1))
        assert [one.outcome.ledger.spared for one in store.outcomes(EXAMPLE_RUN)].count(8) == 1


def drop_thoughts(connection: Connection) -> None:
    """Take away what version 5 added."""
    connection.execute(text("ALTER TABLE outcomes DROP COLUMN thought_tokens"))
    connection.execute(text("ALTER TABLE samples DROP COLUMN visible_from"))


def without_thoughts(outcome: Outcome) -> Outcome:
    samples = tuple(dataclasses.replace(one, visible_from=0) for one in outcome.samples)
    ledger = dataclasses.replace(outcome.ledger, thought=0)
    return dataclasses.replace(outcome, samples=samples, ledger=ledger)


def without_confidences(outcome: Outcome) -> Outcome:
    samples = tuple(dataclasses.replace(one, confidences=()) for one in outcome.samples)
    return dataclasses.replace(outcome, samples=samples)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_store_of_earlier_is_read_as_it_is_or_gets_what_it_lacks(
    url: str, tmp_path: Path, version: int
) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        if version < 4:
            connection.execute(text("ALTER TABLE samples DROP COLUMN confidences"))
        drop_thoughts(connection)
        connection.execute(text(f"UPDATE apportion_schema SET version = {version}"))
    engine.dispose()
    path = tmp_path / "store.db"
    before = path.read_bytes()
    path.chmod(0o444)
    with Store.open(url, create=False) as store:
        (found,) = store.outcomes(EXAMPLE_RUN)
        expected = without_thoughts(example_outcome(0))
        assert found.outcome == (without_confidences(expected) if version < 4 else expected)
    assert path.read_bytes() == before
    path.chmod(0o644)
    for create in (False, True):
        with Store.open(url, create=create) as store:
            assert next(store.outcomes(EXAMPLE_RUN)).outcome == found.outcome
    with Store.open(url) as store:
        store.save(EXAMPLE_RUN, example_outcome(1))
        assert example_outcome(1) in [one.outcome for one in store.outcomes(EXAMPLE_RUN)]


def test_a_store_of_0_1_0_is_read_without_being_changed(tmp_path: Path) -> None:
    before = (ROOT / "tests" / "data" / "before_move" / "store.sqlite").read_bytes()
    path = tmp_path / "store.db"
    path.write_bytes(before)
    path.chmod(0o444)
    with Store.open(f"sqlite:///{path}", create=False) as store:
        found = [one for spec in store.runs() for one in store.outcomes(spec)]
    assert found and any(one.outcome.samples for one in found)
    path.chmod(0o644)
    with Store.open(f"sqlite:///{path}") as store:
        store.start(EXAMPLE_RUN)
        assert store.save(EXAMPLE_RUN, example_outcome(1))
        assert [one.outcome for one in store.outcomes(EXAMPLE_RUN)] == [example_outcome(1)]


@pytest.mark.process
@pytest.mark.socket
@pytest.mark.parametrize("version", [1, 2])
def test_tables_of_0_1_0_on_postgresql_lose_their_limits(
    postgres: PostgresServer, version: int
) -> None:
    url = postgres.new_database()
    tables_before(version).create_all(engine := create_engine(parse(url)))
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO apportion_schema VALUES ({version})"))
    engine.dispose()
    for _ in range(2):  # the second finds it done
        with Store.open(url, create=False) as store:
            assert store.runs() == []
    with Store.open(url) as store:
        StoreConformance().test_names_may_be_long(store)
        StoreConformance().test_counts_may_be_large(store)


def tables_before(version: int) -> MetaData:
    """The tables of a store of an earlier version, as this program made them on PostgreSQL."""
    tables = MetaData()
    lengths = {
        ("problems", "id"): 200, ("runs", "policy"): 200, ("runs", "prm"): 200,
        ("artefacts", "name"): 300,
    }  # fmt: skip
    for table in METADATA.tables.values():
        copied = table.to_metadata(tables)
        for column in copied.columns:
            if isinstance(column.type, BigInteger):
                column.type = Integer()
            elif isinstance(column.type, Characters):
                length = lengths.get((table.name, column.name))
                column.type = Text() if length is None else String(length)
    Index("ix_runs_policy", tables.tables["runs"].c.policy)
    samples = tables.tables["samples"]
    samples._columns.remove(samples.c.confidences)
    samples._columns.remove(samples.c.visible_from)
    outcomes = tables.tables["outcomes"]
    outcomes._columns.remove(outcomes.c.thought_tokens)
    if version == 1:
        outcomes._columns.remove(outcomes.c.spared_responses)
    return tables


@pytest.mark.parametrize("kind", FILES)
def test_a_read_only_file_is_refused_for_writing_even_to_root(kind: str, tmp_path: Path) -> None:
    address = url_of(kind, tmp_path)
    with Store.open(address) as opened:
        opened.start(EXAMPLE_RUN)
    path = tmp_path / "store.db"
    path.chmod(0o444)
    before = path.read_bytes()
    assert "read-only" in refused(address)
    assert path.read_bytes() == before
    with Store.open(address, create=False) as readable:
        assert readable.runs() == [EXAMPLE_RUN]


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
        opened.start(EXAMPLE_RUN)
        opened.save(EXAMPLE_RUN, example_outcome(1))


@pytest.mark.long
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
                    opened.start(EXAMPLE_RUN)
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
    specs = [dataclasses.replace(EXAMPLE_RUN, prm=name) for name in "abc"]
    ready = threading.Barrier(len(specs))

    def measure(spec: RunSpec) -> None:
        try:
            with Store.open(url) as own:
                own.start(spec)
                for number in range(1, 12):
                    ready.wait()
                    own.save(spec, example_outcome(number))
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
    sys.path[:0] = [{root!r}]
    from executor.store.store import Store
    from executor.testing.store_conformance import EXAMPLE_RUN, example_outcome

    store = Store.open({url!r})
    store.start(EXAMPLE_RUN)
    for number in range({first}, 100_000):
        store.save(EXAMPLE_RUN, example_outcome(number, samples=40))
        print(number, flush=True)
"""


@pytest.mark.process
def test_kill_9_loses_at_most_the_problem_in_flight(tmp_path: Path) -> None:
    address = url_of("file", tmp_path)
    saved = -1
    for round_number in range(3):
        code = textwrap.dedent(WRITER).format(root=str(ROOT), url=address, first=saved + 1)
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
            done = store.start(EXAMPLE_RUN)
            found = {int(s.outcome.problem.id[1:]): s.outcome for s in store.outcomes(EXAMPLE_RUN)}
        assert set(range(saved + 1)) <= set(found) <= set(range(saved + 2))
        assert done == {problem_uid(outcome.problem) for outcome in found.values()}
        for number, outcome in found.items():
            assert outcome == example_outcome(number, samples=40)
        with sqlite3.connect(tmp_path / "store.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        saved = max(found)
