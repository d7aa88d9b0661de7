"""What SQLite and PostgreSQL do in different ways: transactions, locks, rows that exist already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import BigInteger, Connection, Engine, Table, func, inspect, literal, select
from sqlalchemy.dialects import postgresql, sqlite

Insert = sqlite.Insert | postgresql.Insert
"""An insert that may say what happens to a row that exists: `on_conflict_do_...`."""
_TABLES = 0x6170706F7274696F  # number of the lock for creating tables: "apportio" in ASCII


@contextmanager
def begin(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes everything or nothing.

    In SQLite there is no other writer in between.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # The driver begins no transaction before a SELECT or a CREATE: another process could
            # write between our look and our insert, and a kill could leave half of the tables.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def lock(connection: Connection, number: int = _TABLES) -> None:
    """Wait until no other transaction holds the lock of this number, and hold it to the end.

    In SQLite a transaction excludes all other writers already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(literal(number, BigInteger))))


def ensure(connection: Connection, table: Table) -> None:
    """Create a table that belongs to no version of the schema, unless it exists."""
    if not inspect(connection).has_table(table.name):
        lock(connection)
        table.create(connection, checkfirst=True)


def insert(connection: Connection, table: Table) -> Insert:
    """Return an insert that may say what happens to a row that exists (`on_conflict_...`)."""
    return _insert(connection.dialect.name, table)


def insert_new(connection: Connection, table: Table) -> Insert:
    """Return an insert that leaves rows with the same primary key; `rowcount` tells what is new."""
    return _insert_new(connection.dialect.name, table)


def _insert(dialect: str, table: Table) -> Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


@cache
def _insert_new(dialect: str, table: Table) -> Insert:
    """Return `insert_new`'s statement; to build one takes longer than to run it."""
    statement = _insert(dialect, table).execution_options(preserve_rowcount=True)
    return statement.on_conflict_do_nothing(index_elements=[*table.primary_key])
