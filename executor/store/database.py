"""The database of a store: how it is opened and created, upgraded, and told from others."""

from __future__ import annotations

import logging
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    inspect,
    literal,
    select,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import StaticPool

from executor.errors import StoreError, StoreLostError
from executor.ledger import COLUMNS
from executor.store import columns
from executor.store.address import parse, shown, sqlite_file, without_secrets
from executor.store.claims import CLAIMS
from executor.store.dialects import begin, ensure, lock
from executor.store.read_only import is_writable, read_only
from executor.store.tables import METADATA, OUTCOMES, RUNS, SAMPLES, SCHEMA

# The driver warns of all that a lost connection ends. Commands say once that it is lost; without a
# handler Python would print those warnings beside that.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

SCHEMA_VERSION = 5
"""Version of the tables. 3 has names of any length and counts of 64 bits; in SQLite 2 has, too.
4 has confidences of samples' tokens. 5 has tokens of thoughts, and where samples are visible."""
_LOCK_TIMEOUT = 30.0  # seconds that a writer waits for another
_CONNECT_SECONDS = 10


def open_database(url: str, *, create: bool) -> Engine:
    """Connect to a store's database, upgrade its tables, and if `create`, create what is missing.

    Raises:
        StoreError: see `Store.open`.
    """
    parsed = parse(url)
    options = engine_options(parsed)
    reading = False
    if parsed.get_backend_name() == "sqlite":
        path = sqlite_file(parsed)
        if path is None:
            # A database in memory belongs to its connection, so all threads must share one.
            options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        else:
            check_sqlite_file(shown(url), path, create=create)
            reading = not create and not is_writable(path)
            parsed = read_only(parsed, path) if reading else parsed
    engine = _engine(parsed, options, reading=reading)
    try:
        _prepare(engine, shown(url), create, reading)
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreError(f"store {shown(url)}: {reason(error, parsed)}") from None
    except (ValueError, TypeError) as error:  # an option of the URL, which the driver reads itself
        engine.dispose()
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            f"store {shown(url)}: an option after the ? is not valid ({reason(error, parsed)})"
        ) from None
    except BaseException:
        engine.dispose()
        raise
    return engine


def is_store(url: str) -> bool:
    """Whether a PostgreSQL database, which must exist, holds a store.

    Raises:
        StoreError: the database cannot be reached.
    """
    parsed = parse(url)
    engine = _engine(parsed, engine_options(parsed))
    try:
        return inspect(engine).has_table(SCHEMA.name)
    except SQLAlchemyError as error:
        raise StoreError(f"store {shown(parsed)}: {reason(error, parsed)}") from None
    finally:
        engine.dispose()


def engine_options(url: URL) -> dict[str, Any]:
    """Return the options of `create_engine` by which a database that is lost is noticed in time."""
    if url.get_backend_name() != "postgresql":
        return {}
    # Names of libpq. A server that vanishes without a word is noticed within half a minute.
    given = {
        "connect_timeout": _CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "tcp_user_timeout": 30_000,
    }
    arguments = {name: value for name, value in given.items() if name not in url.query}
    # A connection that was lost while nobody used it is replaced, and nobody hears of it.
    return {"pool_pre_ping": True, "connect_args": arguments}


def _engine(url: URL, options: dict[str, Any], *, reading: bool = False) -> Engine:
    try:
        engine = create_engine(
            url, json_serializer=columns.encode, json_deserializer=columns.decode, **options
        )
    except ImportError as error:
        missing = error.name or str(error)
        if url.get_driver_name() == "psycopg":
            mend = "install it with: uv pip install 'apportion[postgres]'"
        else:
            mend = "it is not installed"
        raise StoreError(f"store {shown(url)}: needs the driver {missing}; {mend}") from None
    except SQLAlchemyError as error:
        raise StoreError(f"store {shown(url)}: {reason(error, url)}") from None
    except (ValueError, TypeError) as error:  # an option of the URL, which the driver reads itself
        raise StoreError(
            f"store {shown(url)}: an option after the ? is not valid ({reason(error, url)})"
        ) from None
    if engine.dialect.name == "sqlite" and not reading:
        event.listen(engine, "connect", _sqlite_settings)
    return engine


def check_sqlite_file(url: str, path: Path, *, create: bool) -> None:
    """Check early, with clear messages, what SQLite would find only at the first write.

    Args:
        url: the store's URL as messages show it.
        path: its file.
        create: whether it will be written.

    Raises:
        StoreError: it does not exist, is a folder, or cannot be written.
    """
    try:
        exists = path.exists()
    except OSError as error:
        raise StoreError(f"store {url:.300}: cannot be opened ({error.strerror})") from None
    if not exists:
        if not create:
            raise StoreError(f"store {url}: there is no such file; profile or measure makes one")
        if not path.parent.is_dir():
            home = "; write your home folder out, as in sqlite:////home/me/store.db"
            raise StoreError(
                f"store {url}: the folder {path.parent} does not exist"
                f"{home if path.parts[0].startswith('~') else ''}"
            )
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


def _prepare(engine: Engine, url: str, create: bool, reading: bool) -> None:
    """Create the tables, or check that they are those of this version."""
    tables = set(inspect(engine).get_table_names())
    if SCHEMA.name not in tables and create:
        tables = _make_tables(engine, url)
    if SCHEMA.name not in tables:
        raise StoreError(f"store {url}: holds no apportion tables; profile or measure makes them")
    version = _upgraded(engine, reading=reading)
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"store {url}: has schema version {version}; this apportion reads and "
            f"writes version {SCHEMA_VERSION}"
        )
    if create and CLAIMS.name not in tables:
        with begin(engine) as connection:
            ensure(connection, CLAIMS)


def _make_tables(engine: Engine, url: str) -> set[str]:
    """Create all tables or none, unless another process just did; return all tables' names."""
    with begin(engine) as connection:
        lock(connection)
        tables = set(inspect(connection).get_table_names())
        if SCHEMA.name not in tables:
            if tables & set(METADATA.tables):
                raise StoreError(f"store {url}: has tables of another program with the same names")
            METADATA.create_all(connection)
            connection.execute(SCHEMA.insert().values(version=SCHEMA_VERSION))
        return tables | set(METADATA.tables)


def _upgraded(engine: Engine, *, reading: bool) -> int | None:
    """Upgrade tables of a previous version, and return the schema's version.

    Args:
        engine: engine of the database.
        reading: whether it is an SQLite file that cannot be written. Version 2 and later are then
            read as they are: what they lack is not known (`present_columns`).
    """
    with engine.connect() as connection:
        version = connection.execute(select(SCHEMA.c.version)).scalar()
    if version == SCHEMA_VERSION or (reading and version in (2, 3, 4)):
        return SCHEMA_VERSION
    if version not in (1, 2, 3, 4):
        return version
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    with begin(engine) as connection:
        lock(connection)
        # Another process may have upgraded them meanwhile.
        version = connection.execute(select(SCHEMA.c.version)).scalar()
        change = Operations(MigrationContext.configure(connection))
        if version == 1:
            spared = OUTCOMES.c[COLUMNS["spared"]]
            change.add_column(OUTCOMES.name, spared._copy())
            version = 2
        # Before limits are lifted, which looks for all columns.
        change.add_column(OUTCOMES.name, OUTCOMES.c[COLUMNS["thought"]]._copy())
        change.add_column(SAMPLES.name, SAMPLES.c.visible_from._copy())
        if version == 2 and engine.dialect.name != "sqlite":
            _lift_limits(connection, change)  # SQLite has no limits that version 3 lifts
        if version in (2, 3):
            change.add_column(SAMPLES.name, SAMPLES.c.confidences._copy())
        connection.execute(SCHEMA.update().values(version=SCHEMA_VERSION))
    return SCHEMA_VERSION


def _lift_limits(connection: Connection, change: Any) -> None:
    """Give the columns of version 2 the types of version 3."""
    for table in METADATA.tables.values():
        for column in table.columns:
            if isinstance(column.type, columns.Characters | BigInteger):
                change.alter_column(table.name, column.name, type_=column.type)
    for index in inspect(connection).get_indexes(RUNS.name):
        if index["column_names"] == [RUNS.c.policy.name]:
            change.drop_index(index["name"], RUNS.name)


def present_columns(connection: Connection, table: Table) -> list[ColumnElement[Any]]:
    """Return a table's columns; those that a read-only store of earlier lacks are NULL."""
    present = {column["name"] for column in inspect(connection).get_columns(table.name)}
    return [
        one if one.name in present else literal(None, one.type).label(one.name)
        for one in table.columns
    ]


def store_error(error: SQLAlchemyError, url: URL) -> StoreError:
    """Return the error to raise for one of an open store's database."""
    lost = isinstance(error, OperationalError | InterfaceError | PoolTimeoutError)
    # SQLite's operational errors are a full disk, a lock that is held, a damaged file.
    kind = StoreLostError if lost and url.get_backend_name() != "sqlite" else StoreError
    return kind(f"store {shown(url)}: {reason(error, url)}")


def reason(error: Exception, url: URL) -> str:
    """Return the driver's message in one line, without passwords."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).splitlines() or [type(cause).__name__]
    # Further lines quote data, but for errors of a connection: there they say what to do.
    quoted = lines if isinstance(error, OperationalError) else lines[:1]
    return without_secrets(" ".join(" ".join(quoted).split()), url)
