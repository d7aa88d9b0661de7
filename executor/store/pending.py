"""Pending answers, for which feedback may still come, kept within bounds of size and age.

They are no evidence; only feedback on an answer reads it. The first answer creates their table. The
table belongs to no version of the schema, since programs that do not know it can ignore it.
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
    MetaData,
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
from executor.store.columns import Characters, WholeNumber
from executor.store.dialects import ensure

_PENDING = Table(
    "apportion_pending",
    MetaData(),
    Column("position", WholeNumber, primary_key=True),
    Column("id", Characters, nullable=False, index=True),
    Column("created", DateTime(timezone=True), nullable=False, index=True),
    Column("size", WholeNumber, nullable=False),
    Column("content", Text, nullable=False),
)


_AT_ONCE = 8  # answers; about a millisecond


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of the pending answers; beyond them the oldest are deleted.

    Attributes:
        answers: most answers.
        size: most bytes of their records.
        days: longest time that an answer is kept.
    """

    answers: int = 100_000
    size: int = 64 << 20
    days: float = 30.0

    @property
    def since(self) -> datetime:
        """Time before which answers are too old."""
        return datetime.now(UTC) - timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Pending:
    """An answer without feedback, and the run that it becomes part of with feedback.

    Attributes:
        id: name of the answer in feedback.
        run: fields of its `RunSpec`: kind, policy, prm, settings.
        outcome: its outcome without samples, reference and earlier turns.
    """

    id: str
    run: dict[str, Any]
    outcome: Outcome


def keep(connection: Connection, answers: Sequence[Pending]) -> None:
    """Write answers."""
    ensure(connection, _PENDING)
    now = datetime.now(UTC)
    for start in range(0, len(answers), _AT_ONCE):
        rows = []
        for answer in answers[start : start + _AT_ONCE]:
            content = json.dumps(_record(answer))
            size = len(content)  # JSON is ASCII
            rows.append({"id": answer.id, "created": now, "size": size, "content": content})
        connection.execute(_PENDING.insert(), rows)
        # Gives an event loop in another thread its turn at the interpreter.
        time.sleep(0)


def prune(connection: Connection, bounds: Bounds) -> None:
    """Delete the answers beyond the bounds; this reads every row."""
    ensure(connection, _PENDING)
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
    # In one order, so that two processes never wait for each other's rows.
    connection.execute(select(at).where(gone).order_by(at).with_for_update()).all()
    connection.execute(_PENDING.delete().where(gone))


def find(connection: Connection, name: str, bounds: Bounds) -> Pending | None:
    """Return the answer of that name, or None."""
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
        "uncompared": outcome.uncompared,
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
        uncompared=record.get("uncompared", 0),
        unknown=frozenset(record["unknown"]),
    )
    return Pending(name, record["run"], outcome)
