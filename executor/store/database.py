"""The database of a store: its tables, how it is opened and created, and upgrades."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from executor.errors import StoreError
from executor.ledger import COLUMNS
from executor.passwords import hide_passwords, without_password
from executor.store.read_only import is_writable, read_only

SCHEMA_VERSION = 2
_LOCK_TIMEOUT = 30.0  # seconds that a writer waits for another

_metadata = MetaData()

_schema = Table("apportion_schema", _metadata, Column("version", Integer, primary_key=True))

PROBLEMS = Table(
    "problems",
    _metadata,
    Column("uid", String(32), primary_key=True),
    Column("id", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("answer", Text),
    Column("meta", JSON, nullable=False),
)

RUNS = Table(
    "runs",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(20), nullable=False, index=True),
    Column("policy", String(200), nullable=False, index=True),
    Column("prm", String(200)),
    Column("spec", JSON, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
)

OUTCOMES = Table(
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

SAMPLES = Table(
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

ARTEFACTS = Table(
    "artefacts",
    _metadata,
    Column("name", String(300), primary_key=True),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("meta", JSON, nullable=False),
    Column("content", LargeBinary, nullable=False),
)


def open_database(url: str, *, create: bool) -> Engine:
    """Connect to a store's database, upgrade its tables, and if `create`, create them.

    Raises:
        StoreError: see `Store.open`.
    """
    shown = without_password(url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is not a number
        raise StoreError(
            f"store {shown}: not a database URL; expected for instance sqlite:///apportion.db"
        ) from None
    options: dict[str, Any] = {}
    reading = False
    if parsed.get_backend_name() == "sqlite":
        path = _sqlite_file(parsed)
        if path is None:
            # A database in memory belongs to its connection, so all threads must share one.
            options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        else:
            _check_sqlite_file(shown, path, create)
            reading = not create and not is_writable(path)
            parsed = read_only(parsed, path) if reading else parsed
    try:
        engine = create_engine(parsed, **options)
        if engine.dialect.name == "sqlite" and not reading:
            event.listen(engine, "connect", _sqlite_settings)
        _prepare(engine, shown, create)
    except ModuleNotFoundError as error:
        raise StoreError(f"store {shown}: its driver is not installed ({error.name})") from None
    except SQLAlchemyError as error:
        raise StoreError(f"store {shown}: {reason(error, url)}") from None
    except (ValueError, TypeError) as error:  # an option of the URL, which the driver reads itself
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            f"store {shown}: an option after the ? is not valid ({reason(error, url)})"
        ) from None
    return engine


def _sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite URL, which may be a `file:` URI; None for a store in memory."""
    name = url.database or ""
    if name in ("", ":memory:", "file::memory:") or url.query.get("mode") == "memory":
        return None
    return Path(unquote(urlsplit(name).path)) if name.startswith("file:") else Path(name)


def _check_sqlite_file(url: str, path: Path, create: bool) -> None:
    """Check early, with clear messages, what SQLite would find only at the first write.

    Args:
        url: the store's URL as messages show it.
        path: its file.
        create: whether it will be written.
    """
    if not path.exists():
        if not create:
            raise StoreError(f"store {url}: there is no such file; profile or measure makes one")
        if not path.parent.is_dir():
            raise StoreError(f"store {url}: the folder {path.parent} does not exist")
        return
    if path.is_dir():
        raise StoreError(f"store {url}: is a folder; expected a file in it")
    if create and not is_writable(path):
        raise StoreError(
            f"store {url}: the file or its folder is read-only; make it writable or use --store"
        )


def _sqlite_settings(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_LOCK_TIMEOUT * 1000:.0f}")
    _use_wal(cursor)
    # A commit reaches the disk before it returns: a kill or a power cut loses nothing.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Turn on the write-ahead log.

    SQLite does not wait for a lock here, whatever the time-out, since two connections that switch
    at once would wait for each other forever. So the loser tries again.
    """
    give_up = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # The low byte is the primary code, without the kind of busy.
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > give_up:
                raise
        time.sleep(random.uniform(0.001, 0.02))


def _prepare(engine: Engine, url: str, create: bool) -> None:
    """Create the tables, or check that they are those of this version."""
    tables = set(inspect(engine).get_table_names())
    if _schema.name not in tables and create:
        tables = _make_tables(engine, url)
    if _schema.name in tables:
        version = _upgraded(engine)
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"store {url}: has schema version {version}; this apportion reads and writes "
                f"version {SCHEMA_VERSION}"
            )
    else:
        raise StoreError(f"store {url}: holds no apportion tables; profile or measure makes them")


@contextmanager
def begin(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes everything or nothing, with no other writer in between."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # The driver begins no transaction before a SELECT or a CREATE: another process could
            # write between our look and our insert, and a kill could leave half of the tables.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def _make_tables(engine: Engine, url: str) -> set[str]:
    """Create all tables or none, unless another process just did; return all tables' names."""
    with begin(engine) as connection:
        tables = set(inspect(connection).get_table_names())
        if _schema.name not in tables:
            if tables & set(_metadata.tables):
                raise StoreError(f"store {url}: has tables of another program with the same names")
            _metadata.create_all(connection)
            connection.execute(_schema.insert().values(version=SCHEMA_VERSION))
        return tables | set(_metadata.tables)


def _upgraded(engine: Engine) -> int | None:
    """Upgrade tables of the previous version, and return the schema's version."""
    with engine.connect() as connection:
        version = connection.execute(select(_schema.c.version)).scalar()
    if version != 1:
        return version
    with begin(engine) as connection:
        # Another process may have upgraded them meanwhile.
        version = connection.execute(select(_schema.c.version)).scalar()
        if version == 1:
            name = COLUMNS["spared"]
            connection.exec_driver_sql(
                f"ALTER TABLE {OUTCOMES.name} ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0"
            )
            version = SCHEMA_VERSION
            connection.execute(_schema.update().values(version=version))
    return version


def reason(error: Exception, url: str) -> str:
    """Return the driver's message in one line, without the password of the store's URL."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).splitlines()
    return hide_passwords(lines[0], url) if lines else type(cause).__name__
