"""The store: runs, outcomes, samples and artefacts in one SQL database, a transaction a problem.

SQLite (in WAL mode) by default, any SQLAlchemy URL otherwise. A run is named by what it does, not
by when: the same command finds its run again and goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    inspect,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from executor.errors import InputError
from executor.ledger import COLUMNS, Ledger
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem, problem_uid

SCHEMA_VERSION = 2
_LOCK_TIMEOUT = 30.0  # seconds a writer waits for another
_UNKNOWN = "unknown"  # where a note says which counts are not known

_metadata = MetaData()
_SAMPLE = tuple(f.name for f in dataclasses.fields(SampleRecord))

_schema = Table("apportion_schema", _metadata, Column("version", Integer, primary_key=True))

_problems = Table(
    "problems",
    _metadata,
    Column("uid", String(32), primary_key=True),
    Column("id", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("answer", Text),
    Column("meta", JSON, nullable=False),
)

_runs = Table(
    "runs",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(20), nullable=False, index=True),
    Column("policy", String(200), nullable=False, index=True),
    Column("prm", String(200)),
    Column("spec", JSON, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
)

_outcomes = Table(
    "outcomes",
    _metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("problem_uid", ForeignKey("problems.uid"), primary_key=True),
    Column("answer", Text),
    Column("correct", Boolean),
    Column("chosen", Integer),
    Column("seconds", Float, nullable=False),
    Column("note", JSON, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    *(Column(name, Integer, nullable=False, server_default="0") for name in COLUMNS.values()),
)

_samples = Table(
    "samples",
    _metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("problem_uid", ForeignKey("problems.uid"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("answer", Text),
    Column("correct", Boolean),
    Column("state", String(12), nullable=False),
    Column("n_tokens", Integer, nullable=False),
    Column("logprob", Float, nullable=False),
    Column("rewards", JSON, nullable=False),
    Column("steps", JSON, nullable=False),
    Column("token_ids", JSON, nullable=False),
)

_artefacts = Table(
    "artefacts",
    _metadata,
    Column("name", String(300), primary_key=True),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("meta", JSON, nullable=False),
    Column("content", LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What a run does; equal specs are the same run.

    Attributes:
        kind: `profile`, `measure` or `run`.
        policy: name of the policy.
        prm: name of the PRM, or None.
        settings: everything else that shapes its outcomes (strategy, sampling, seed, template).
    """

    kind: str
    policy: str
    prm: str | None
    settings: dict[str, Any]

    @property
    def id(self) -> str:
        """A digest of the spec."""
        content = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """An outcome as read back, with the run it belongs to."""

    run: RunSpec
    outcome: Outcome
    note: dict[str, Any]


class Store:
    """One database. Use it as a context manager, or call `close`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Store:
        """Open a store, and make its tables where `create`.

        Raises:
            InputError: not a database URL, cannot be reached, cannot be written, holds another
                schema version, or does not exist while `create` is false.
        """
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):  # ValueError: the port is not a number
            raise InputError(
                f"store {url}: not a database URL; right would be for instance sqlite:///apportion.db"
            ) from None
        options: dict[str, Any] = {}
        if parsed.get_backend_name() == "sqlite":
            path = _sqlite_file(parsed)
            if path is None:
                # A memory belongs to its connection: all threads must share one.
                options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
            else:
                _check_sqlite_file(url, path, create)
        try:
            engine = create_engine(parsed, **options)
            if engine.dialect.name == "sqlite":
                event.listen(engine, "connect", _sqlite_settings)
            _prepare(engine, url, create)
        except ModuleNotFoundError as error:
            raise InputError(f"store {url}: its driver is not installed ({error.name})") from None
        except SQLAlchemyError as error:
            raise InputError(f"store {url}: {_reason(error)}") from None
        return cls(engine)

    def close(self) -> None:
        """Release the connections."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self, spec: RunSpec) -> set[str]:
        """Register a run, or find it again.

        Returns:
            The uids of the problems it has finished already.
        """
        with self._transaction() as connection:
            _register(connection, spec)
            done = connection.execute(
                select(_outcomes.c.problem_uid).where(_outcomes.c.run_id == spec.id)
            )
            return {row.problem_uid for row in done}

    def save(self, spec: RunSpec, outcome: Outcome, note: dict[str, Any] | None = None) -> None:
        """Write one finished problem: all of it, or nothing."""
        with self._transaction() as connection:
            _insert(connection, spec.id, outcome, note or {})

    def save_runs(
        self,
        runs: Sequence[tuple[RunSpec, Sequence[Outcome]]],
        *,
        replacing: Sequence[RunSpec] = (),
    ) -> None:
        """Write whole runs that happened elsewhere, in place of others: all of it, or nothing."""
        gone = [spec.id for spec in replacing]
        with self._transaction() as connection:
            for table in (_samples, _outcomes):
                connection.execute(table.delete().where(table.c.run_id.in_(gone)))
            connection.execute(_runs.delete().where(_runs.c.id.in_(gone)))
            for spec, outcomes in runs:
                _register(connection, spec)
                for outcome in outcomes:
                    _insert(connection, spec.id, outcome, {})

    def runs(self, kind: str | None = None) -> list[RunSpec]:
        """The runs, oldest first."""
        query = select(_runs).order_by(_runs.c.created, _runs.c.id)
        if kind is not None:
            query = query.where(_runs.c.kind == kind)
        with self._reading() as connection:
            return [
                RunSpec(row.kind, row.policy, row.prm, row.spec)
                for row in connection.execute(query)
            ]

    def outcomes(
        self,
        spec: RunSpec,
        *,
        problems: Sequence[Problem] | None = None,
        samples: bool = True,
    ) -> Iterator[StoredOutcome]:
        """The finished problems of a run, in a fixed order.

        Args:
            spec: the run.
            problems: only these, in this order and under the names they have here; another file
                may have brought the same question into the store under another name.
            samples: whether the responses are read too; without them `Outcome.samples` is empty.
        """
        query = (
            select(_outcomes, _problems)
            .join(_problems, _problems.c.uid == _outcomes.c.problem_uid)
            .where(_outcomes.c.run_id == spec.id)
            .order_by(_outcomes.c.problem_uid)
        )
        with self._reading() as connection:
            by_problem = self._samples_of(connection, spec) if samples else {}
            rows = {row["problem_uid"]: row for row in connection.execute(query).mappings()}
        named = {uid: _problem(row) for uid, row in rows.items()}
        if problems is not None:
            named = {uid: p for p in problems if (uid := problem_uid(p)) in rows}
        for uid, problem in named.items():
            row = rows[uid]
            outcome = Outcome(
                problem=problem,
                answer=row[_outcomes.c.answer],
                correct=row["correct"],
                chosen=row["chosen"],
                samples=tuple(by_problem.get(uid, ())),
                ledger=Ledger(**{name: row[column] for name, column in COLUMNS.items()}),
                seconds=row["seconds"],
                unknown=frozenset(row["note"].get(_UNKNOWN, ())),
            )
            yield StoredOutcome(spec, outcome, row["note"])

    def put_artefact(self, name: str, content: bytes, meta: dict[str, Any]) -> None:
        """Keep a named artefact (a fitted model); one of the same name is replaced."""
        with self._transaction() as connection:
            connection.execute(_artefacts.delete().where(_artefacts.c.name == name))
            connection.execute(
                _artefacts.insert().values(
                    name=name, created=datetime.now(UTC), meta=meta, content=content
                )
            )

    def artefact(self, name: str) -> tuple[bytes, dict[str, Any]] | None:
        """An artefact's content and description, or None."""
        with self._reading() as connection:
            row = connection.execute(select(_artefacts).where(_artefacts.c.name == name)).first()
            return None if row is None else (row.content, row.meta)

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise InputError(f"store {self._engine.url}: {_reason(error)}") from None

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        try:
            with _begin(self._engine) as connection:
                yield connection
        except DBAPIError as error:
            raise InputError(f"store {self._engine.url}: {_reason(error)}") from None

    @staticmethod
    def _samples_of(connection: Any, spec: RunSpec) -> dict[str, list[SampleRecord]]:
        query = (
            select(_samples)
            .where(_samples.c.run_id == spec.id)
            .order_by(_samples.c.problem_uid, _samples.c.position)
        )
        by_problem: dict[str, list[SampleRecord]] = {}
        for row in connection.execute(query):
            by_problem.setdefault(row.problem_uid, []).append(
                SampleRecord(
                    row.text,
                    row.answer,
                    row.correct,
                    row.state,
                    row.n_tokens,
                    row.logprob,
                    tuple(row.rewards),
                    tuple(row.steps),
                    tuple(row.token_ids),
                )
            )
        return by_problem


def _register(connection: Connection, spec: RunSpec) -> None:
    """Make a run's row, unless it has one."""
    if connection.execute(select(_runs.c.id).where(_runs.c.id == spec.id)).first() is None:
        connection.execute(
            _runs.insert().values(
                id=spec.id,
                kind=spec.kind,
                policy=spec.policy,
                prm=spec.prm,
                spec=spec.settings,
                created=datetime.now(UTC),
            )
        )


def _insert(connection: Connection, run_id: str, outcome: Outcome, note: Mapping[str, Any]) -> None:
    """Make the rows of a finished problem, and of its samples."""
    uid = problem_uid(outcome.problem)
    ledger = {COLUMNS[name]: count for name, count in outcome.ledger.to_dict().items()}
    if not connection.execute(select(_problems.c.uid).where(_problems.c.uid == uid)).first():
        problem = outcome.problem
        connection.execute(
            _problems.insert().values(
                uid=uid,
                id=problem.id,
                text=problem.text,
                answer=problem.answer,
                meta=dict(problem.meta),
            )
        )
    unknown = {_UNKNOWN: sorted(outcome.unknown)} if outcome.unknown else {}
    connection.execute(
        _outcomes.insert().values(
            run_id=run_id,
            problem_uid=uid,
            answer=outcome.answer,
            correct=outcome.correct,
            chosen=outcome.chosen,
            seconds=outcome.seconds,
            note=dict(note) | unknown,
            created=datetime.now(UTC),
            **ledger,
        )
    )
    rows = [
        {"run_id": run_id, "problem_uid": uid, "position": position} | _sample_row(sample)
        for position, sample in enumerate(outcome.samples)
    ]
    if rows:
        connection.execute(_samples.insert(), rows)


def _problem(row: Any) -> Problem:
    return Problem(row[_problems.c.id], row["text"], row[_problems.c.answer], row["meta"])


def _sample_row(sample: SampleRecord) -> dict[str, Any]:
    # Not asdict: it copies every token.
    return {name: getattr(sample, name) for name in _SAMPLE}


def _sqlite_file(url: URL) -> Path | None:
    """The file a SQLite URL names, be it as a `file:` URI; None for a store in memory."""
    name = url.database or ""
    if name in ("", ":memory:", "file::memory:") or url.query.get("mode") == "memory":
        return None
    return Path(unquote(urlsplit(name).path)) if name.startswith("file:") else Path(name)


def _check_sqlite_file(url: str, path: Path, create: bool) -> None:
    """Say plainly what SQLite would only fail on at the first write."""
    if not path.exists():
        if not create:
            raise InputError(f"store {url}: there is no such file; profile or measure makes one")
        if not path.parent.is_dir():
            raise InputError(f"store {url}: the folder {path.parent} does not exist")
        return
    if path.is_dir():
        raise InputError(f"store {url}: is a folder; right would be a file in it")
    # Root may write what is marked read-only; the mark is meant all the same.
    writable = path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    if create and not (writable and os.access(path, os.W_OK)):
        raise InputError(f"store {url}: the file is read-only; make it writable or use --store")


def _sqlite_settings(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_LOCK_TIMEOUT * 1000:.0f}")
    _use_wal(cursor)
    # A commit reaches the disk before it is called done: a kill or a power cut loses nothing.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Turn on the write-ahead log.

    SQLite does not wait for a lock here, whatever the time-out: two connections that make the
    switch at once would wait for each other for ever. So the loser tries again.
    """
    give_up = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # The low byte: the code proper, without what kind of busy it is.
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > give_up:
                raise
        time.sleep(random.uniform(0.001, 0.02))


def _prepare(engine: Engine, url: str, create: bool) -> None:
    """Make the tables, or check that they are those of this version."""
    tables = set(inspect(engine).get_table_names())
    if _schema.name not in tables and create:
        tables = _make_tables(engine, url)
    if _schema.name in tables:
        version = _upgraded(engine)
        if version != SCHEMA_VERSION:
            raise InputError(
                f"store {url}: has schema version {version}; this apportion reads and writes "
                f"version {SCHEMA_VERSION}"
            )
    else:
        raise InputError(f"store {url}: holds no apportion tables; profile or measure makes them")


@contextmanager
def _begin(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes, all of it or nothing, with no other writer in between."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # The driver would begin none before a SELECT or a CREATE: another process could write
            # between our look and our insert, and a kill could leave half of the tables.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def _make_tables(engine: Engine, url: str) -> set[str]:
    """Make all tables or none, unless another process has just done so; the tables there now."""
    with _begin(engine) as connection:
        tables = set(inspect(connection).get_table_names())
        if _schema.name not in tables:
            if tables & set(_metadata.tables):
                raise InputError(f"store {url}: has tables of another program under our names")
            _metadata.create_all(connection)
            connection.execute(_schema.insert().values(version=SCHEMA_VERSION))
        return tables | set(_metadata.tables)


def _upgraded(engine: Engine) -> int | None:
    """The schema's version, after tables of the last one have been brought up to this one."""
    with engine.connect() as connection:
        version = connection.execute(select(_schema.c.version)).scalar()
    if version != 1:
        return version
    with _begin(engine) as connection:
        # Another process may have been quicker.
        version = connection.execute(select(_schema.c.version)).scalar()
        if version == 1:
            name = COLUMNS["spared"]
            connection.exec_driver_sql(
                f"ALTER TABLE {_outcomes.name} ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0"
            )
            version = SCHEMA_VERSION
            connection.execute(_schema.update().values(version=version))
    return version


def _reason(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    lines = str(cause).splitlines()
    return lines[0] if lines else type(cause).__name__
