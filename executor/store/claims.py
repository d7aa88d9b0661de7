"""Claims: which process works on which problem of a run, so that several share the work.

A claim is a hint, not a lock. Its owner renews it; one whose owner has died, or has not renewed it
for a minute, anybody may take. If two processes solve the same problem nevertheless, the store
keeps the outcome that comes first. The table belongs to no version of the schema, since programs
that do not know it can ignore it.
"""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    MetaData,
    String,
    Table,
    and_,
    func,
    or_,
    select,
)

from executor.store.dialects import insert_new

LEASE = 60.0
"""Seconds until a claim that is not renewed is void."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")

CLAIMS = Table(
    "apportion_claims",
    MetaData(),
    Column("run_id", String(32), primary_key=True),
    Column("problem_uid", String(32), primary_key=True),
    Column("owner", String(400), nullable=False),
    # Seconds since the epoch, by the database's clock: those of the processes may differ.
    Column("until", Float, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What became of problems that a process wanted to work on.

    Attributes:
        mine: uids of those that are now the process's own.
        finished: uids of those that are finished already.

    All others are other processes'.
    """

    mine: frozenset[str]
    finished: frozenset[str]


def new_owner() -> str:
    """Return a name for one who claims: where it runs, the process, and a part that is unique."""
    return f"{_place()} {os.getpid()} {uuid.uuid4().hex}"


def has_died(owner: str) -> bool:
    """Whether an owner was a process of this place that has ended; False if nobody can tell."""
    place, process, _ = owner.rsplit(" ", 2)
    # On Windows, signal 0 is Ctrl-C.
    if os.name != "posix" or place != _place():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@cache
def _place() -> str:
    """Name what a process id belongs to: the host, its boot, and the namespace of processes.

    Containers may have one host name and different processes. Only Linux names boots and
    namespaces; elsewhere, or without `/proc`, the host's network address stands for both. A system
    that tells no address gets a random one, so that its claims are void only after `LEASE`.
    """
    try:
        boot, namespace = _BOOT_ID.read_text().strip(), os.readlink(_PID_NAMESPACE)
    except OSError:
        boot, namespace = f"{uuid.getnode():x}", "-"
    return f"{platform.node()[:250]} {boot} {namespace}"


def claim(connection: Connection, run_id: str, uids: Sequence[str], owner: str) -> frozenset[str]:
    """Claim those of some problems that nobody else works on, and return them."""
    now = _now(connection)
    _insert(connection, run_id, uids, owner, now)
    wanted = and_(CLAIMS.c.run_id == run_id, CLAIMS.c.problem_uid.in_(uids))
    held = connection.execute(select(CLAIMS).where(wanted)).all()
    others = [row for row in held if row.owner != owner]
    void = [row for row in others if row.until < now or has_died(row.owner)]
    if void:
        _lock(connection, and_(wanted, CLAIMS.c.problem_uid.in_([row.problem_uid for row in void])))
        # Unless its owner has renewed it meanwhile.
        unchanged = [
            and_(CLAIMS.c.problem_uid == row.problem_uid, CLAIMS.c.until == row.until)
            for row in void
        ]
        connection.execute(CLAIMS.delete().where(CLAIMS.c.run_id == run_id, or_(*unchanged)))
        _insert(connection, run_id, [row.problem_uid for row in void], owner, now)
        held = connection.execute(select(CLAIMS).where(wanted)).all()
    return frozenset(row.problem_uid for row in held if row.owner == owner)


def _insert(
    connection: Connection, run_id: str, uids: Sequence[str], owner: str, now: float
) -> None:
    """Insert claims where there are none."""
    claims = [
        {"run_id": run_id, "problem_uid": uid, "owner": owner, "until": now + LEASE}
        # In one order, so that two processes never wait for each other's rows.
        for uid in sorted(uids)
    ]
    connection.execute(insert_new(connection, CLAIMS), claims)


def renew(connection: Connection, owner: str) -> None:
    """Renew all claims of an owner."""
    which = CLAIMS.c.owner == owner
    _lock(connection, which)
    until = _now(connection) + LEASE
    connection.execute(CLAIMS.update().where(which).values(until=until))


def release(
    connection: Connection,
    *,
    owner: str | None = None,
    run_id: str | None = None,
    uids: Sequence[str] = (),
) -> None:
    """Delete all claims of an owner, or those on some problems of a run."""
    which = (
        CLAIMS.c.owner == owner
        if run_id is None
        else and_(CLAIMS.c.run_id == run_id, CLAIMS.c.problem_uid.in_(uids))
    )
    if len(uids) != 1:
        _lock(connection, which)
    connection.execute(CLAIMS.delete().where(which))


def _lock(connection: Connection, which: ColumnElement[bool]) -> None:
    """Lock claims in one order, so that two processes never wait for each other's rows.

    An update or a delete takes its rows in whatever order the database finds them.
    """
    keys = (CLAIMS.c.run_id, CLAIMS.c.problem_uid)
    # SQLite has no locks of rows, and no `FOR UPDATE`.
    connection.execute(select(*keys).where(which).order_by(*keys).with_for_update()).all()


def _now(connection: Connection) -> float:
    """Return the database's time in seconds since the epoch."""
    if connection.dialect.name == "sqlite":  # whose processes are all on one machine
        return time.time()
    now: datetime = connection.execute(select(func.current_timestamp())).scalar_one()
    return now.timestamp()
