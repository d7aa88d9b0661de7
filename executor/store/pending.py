"""Answers that may still be told right or wrong, kept in a store within bounds of size and age.

They are no evidence: nothing reads them but who is told of one. Their table is made when the first
is kept, by whoever keeps it; a program that does not know it is not disturbed by it, so it belongs
to no version of the schema.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    inspect,
    or_,
    select,
)

from executor.ledger import Ledger
from executor.outcome import Outcome
from executor.problem import Problem

_PENDING = Table(
    "apportion_pending",
    MetaData(),
    Column("position", Integer, primary_key=True),
    Column("id", String(200), nullable=False, index=True),
    Column("created", DateTime(timezone=True), nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("content", Text, nullable=False),
)


_AT_ONCE = 8  # answers; about a millisecond


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept; of more the oldest goes.

    Attributes:
        answers: most of them.
        size: most bytes of what is known of them.
        days: how long one is kept.
    """

    answers: int = 100_000
    size: int = 64 << 20
    days: float = 30.0

    @property
    def since(self) -> datetime:
        """What was kept before is too old now."""
        return datetime.now(UTC) - timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Pending:
    """An answer, as the run that it is once somebody has said whether it was right.

    Attributes:
        id: it is told of by.
        run: what `RunSpec` is made of: kind, policy, prm, settings.
        outcome: without samples, references or what was said before the question.
    """

    id: str
    run: dict[str, Any]
    outcome: Outcome


def keep(connection: Connection, answers: Sequence[Pending]) -> None:
    """Write answers."""
    _PENDING.create(connection, checkfirst=True)
    now = datetime.now(UTC)
    for start in range(0, len(answers), _AT_ONCE):
        rows = []
        for answer in answers[start : start + _AT_ONCE]:
            content = json.dumps(_record(answer))
            size = len(content)  # JSON is ASCII
            rows.append({"id": answer.id, "created": now, "size": size, "content": content})
        connection.execute(_PENDING.insert(), rows)
        # Beside an event loop that waits for the interpreter, it would wait for all of them.
        time.sleep(0)


def prune(connection: Connection, bounds: Bounds) -> None:
    """Delete what is beyond the bounds; looks at every row: some tens of milliseconds of many."""
    _PENDING.create(connection, checkfirst=True)
    at, newest_first = _PENDING.c.position, _PENDING.c.position.desc()
    ranked = select(
        at,
        func.row_number().over(order_by=newest_first).label("rank"),
        func.sum(_PENDING.c.size).over(order_by=newest_first).label("total"),
    ).subquery()
    beyond = or_(ranked.c.rank > bounds.answers, ranked.c.total > bounds.size)
    last = connection.execute(select(func.max(ranked.c.position)).where(beyond)).scalar()
    too_old = _PENDING.c.created < bounds.since
    gone = too_old if last is None else or_(too_old, at <= last)
    connection.execute(_PENDING.delete().where(gone))


def find(connection: Connection, name: str, bounds: Bounds) -> Pending | None:
    """The answer of a name; None where none is kept."""
    if not inspect(connection).has_table(_PENDING.name):
        return None
    query = (
        select(_PENDING.c.content)
        .where(_PENDING.c.id == name, _PENDING.c.created >= bounds.since)
        .order_by(_PENDING.c.position.desc())
        .limit(1)
    )
    content = connection.execute(query).scalar()
    return None if content is None else _read(name, json.loads(content))


def _record(answer: Pending) -> dict[str, Any]:
    outcome = answer.outcome
    return {
        "run": answer.run,
        "problem": {"id": outcome.problem.id, "text": outcome.problem.text},
        "answer": outcome.answer,
        "ledger": outcome.ledger.to_dict(),
        "seconds": outcome.seconds,
        "unknown": sorted(outcome.unknown),
    }


def _read(name: str, record: dict[str, Any]) -> Pending:
    outcome = Outcome(
        problem=Problem(**record["problem"]),
        answer=record["answer"],
        correct=None,
        chosen=None,
        samples=(),
        ledger=Ledger(**record["ledger"]),
        seconds=record["seconds"],
        unknown=frozenset(record["unknown"]),
    )
    return Pending(name, record["run"], outcome)
