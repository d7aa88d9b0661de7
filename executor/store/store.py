"""The store: runs, outcomes, samples and artefacts in one SQL database.

It is SQLite (in WAL mode) by default, or any SQLAlchemy URL. Each problem is one transaction. A run
is identified by what it does, not by when, so the same command finds its run again and resumes it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from executor.errors import StoreError
from executor.ledger import COLUMNS, Ledger
from executor.outcome import Outcome, SampleRecord
from executor.passwords import without_password
from executor.problem import Problem, problem_uid
from executor.store.database import (
    ARTEFACTS,
    OUTCOMES,
    PROBLEMS,
    RUNS,
    SAMPLES,
    begin,
    open_database,
    reason,
)
from executor.store.pending import Bounds, Pending, find, keep, prune

# Keys of a note: the names of unknown counts, and the number of pairs that were not compared.
_UNKNOWN, _UNCOMPARED = "unknown", "uncompared"
_SAMPLE = tuple(f.name for f in dataclasses.fields(SampleRecord))


@dataclass(frozen=True, slots=True)
class RunSpec:
    """The specification of a run; equal specifications are the same run.

    Attributes:
        kind: `profile`, `measure` or `run`.
        policy: name of the policy.
        prm: name of the PRM, or None.
        settings: all other settings that shape its outcomes (strategy, sampling, seed, template).
    """

    kind: str
    policy: str
    prm: str | None
    settings: dict[str, Any]

    @property
    def id(self) -> str:
        """Digest of the specification, in hex digits."""
        content = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """An outcome from a store, with its run and its note."""

    run: RunSpec
    outcome: Outcome
    note: dict[str, Any]


class Store:
    """A store on one database; use it as a context manager, or call `close`.

    `executor.testing.store_conformance` tests it on a database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Store:
        """Open a store; if `create`, create missing tables.

        Raises:
            StoreError: the URL is none of a database, or the database cannot be reached or
                written, has another schema version, or does not exist and `create` is false.
        """
        return cls(open_database(url, create=create))

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
            Uids of its finished problems.
        """
        with self._transaction() as connection:
            _register(connection, spec)
            done = connection.execute(
                select(OUTCOMES.c.problem_uid).where(OUTCOMES.c.run_id == spec.id)
            )
            return {row.problem_uid for row in done}

    def save(self, spec: RunSpec, outcome: Outcome, note: dict[str, Any] | None = None) -> None:
        """Write one finished problem in one transaction.

        Raises:
            StoreError: the run already has this problem, or the database cannot be written.
        """
        with self._transaction() as connection:
            _insert(connection, spec.id, outcome, note or {})

    def save_runs(
        self,
        runs: Sequence[tuple[RunSpec, Sequence[Outcome]]],
        *,
        replacing: Sequence[RunSpec] = (),
    ) -> None:
        """Write whole runs of other programs, and delete others, in one transaction.

        Args:
            runs: runs with their outcomes.
            replacing: runs to delete.
        """
        gone = [spec.id for spec in replacing]
        with self._transaction() as connection:
            for table in (SAMPLES, OUTCOMES):
                connection.execute(table.delete().where(table.c.run_id.in_(gone)))
            connection.execute(RUNS.delete().where(RUNS.c.id.in_(gone)))
            for spec, outcomes in runs:
                _register(connection, spec)
                for outcome in outcomes:
                    _insert(connection, spec.id, outcome, {})

    def runs(self, kind: str | None = None) -> list[RunSpec]:
        """Return the runs, of one kind if given, oldest first."""
        query = select(RUNS).order_by(RUNS.c.created, RUNS.c.id)
        if kind is not None:
            query = query.where(RUNS.c.kind == kind)
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
        """Yield the finished problems of a run, in a fixed order.

        Args:
            spec: the run.
            problems: problems to read, in this order and with these names; the store may have the
                same question under a name from another file. None reads all.
            samples: whether to read the responses; otherwise `Outcome.samples` is empty.
        """
        query = (
            select(OUTCOMES, PROBLEMS)
            .join(PROBLEMS, PROBLEMS.c.uid == OUTCOMES.c.problem_uid)
            .where(OUTCOMES.c.run_id == spec.id)
            .order_by(OUTCOMES.c.problem_uid)
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
                answer=row[OUTCOMES.c.answer],
                correct=row["correct"],
                chosen=row["chosen"],
                samples=tuple(by_problem.get(uid, ())),
                ledger=Ledger(**{name: row[column] for name, column in COLUMNS.items()}),
                seconds=row["seconds"],
                uncompared=row["note"].get(_UNCOMPARED, 0),
                unknown=frozenset(row["note"].get(_UNKNOWN, ())),
            )
            yield StoredOutcome(spec, outcome, row["note"])

    def put_artefact(self, name: str, content: bytes, meta: dict[str, Any]) -> None:
        """Write a named artefact, such as a fitted model, in place of one of the same name."""
        with self._transaction() as connection:
            connection.execute(ARTEFACTS.delete().where(ARTEFACTS.c.name == name))
            connection.execute(
                ARTEFACTS.insert().values(
                    name=name, created=datetime.now(UTC), meta=meta, content=content
                )
            )

    def artefact(self, name: str) -> tuple[bytes, dict[str, Any]] | None:
        """Return an artefact's content and description, or None."""
        with self._reading() as connection:
            row = connection.execute(select(ARTEFACTS).where(ARTEFACTS.c.name == name)).first()
            return None if row is None else (row.content, row.meta)

    def keep_pending(self, answers: Sequence[Pending], bounds: Bounds | None = None) -> None:
        """Keep answers that may still get feedback; delete those beyond the bounds, if given."""
        with self._transaction() as connection:
            keep(connection, answers)
            if bounds is not None:
                prune(connection, bounds)

    def find_pending(self, name: str, bounds: Bounds) -> Pending | None:
        """Return the answer of that name, or None if there is none within the bounds."""
        with self._reading() as connection:
            return find(connection, name, bounds)

    def state(self, kinds: Sequence[str]) -> str:
        """Return a digest that changes when runs of these kinds finish problems, or with artefacts.

        It depends on counts and times, which take milliseconds to read; contents take seconds.
        """
        finished = (
            select(RUNS.c.id, func.count(), func.max(OUTCOMES.c.created))
            .join(OUTCOMES, OUTCOMES.c.run_id == RUNS.c.id)
            .where(RUNS.c.kind.in_(kinds))
            .group_by(RUNS.c.id)
            .order_by(RUNS.c.id)
        )
        kept = select(ARTEFACTS.c.name, ARTEFACTS.c.created).order_by(ARTEFACTS.c.name)
        with self._reading() as connection:
            rows = [[tuple(row) for row in connection.execute(query)] for query in (finished, kept)]
        return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._fault(error) from None

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        try:
            with begin(self._engine) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._fault(error) from None

    def _fault(self, error: SQLAlchemyError) -> StoreError:
        url = self._engine.url.render_as_string(hide_password=False)
        return StoreError(f"store {without_password(url)}: {reason(error, url)}")

    @staticmethod
    def _samples_of(connection: Any, spec: RunSpec) -> dict[str, list[SampleRecord]]:
        query = (
            select(SAMPLES)
            .where(SAMPLES.c.run_id == spec.id)
            .order_by(SAMPLES.c.problem_uid, SAMPLES.c.position)
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
    """Insert a run, unless it exists."""
    if connection.execute(select(RUNS.c.id).where(RUNS.c.id == spec.id)).first() is None:
        connection.execute(
            RUNS.insert().values(
                id=spec.id,
                kind=spec.kind,
                policy=spec.policy,
                prm=spec.prm,
                spec=spec.settings,
                created=datetime.now(UTC),
            )
        )


def _insert(connection: Connection, run_id: str, outcome: Outcome, note: Mapping[str, Any]) -> None:
    """Insert the rows of a finished problem and of its samples."""
    uid = problem_uid(outcome.problem)
    ledger = {COLUMNS[name]: count for name, count in outcome.ledger.to_dict().items()}
    if not connection.execute(select(PROBLEMS.c.uid).where(PROBLEMS.c.uid == uid)).first():
        problem = outcome.problem
        connection.execute(
            PROBLEMS.insert().values(
                uid=uid,
                id=problem.id,
                text=problem.text,
                answer=problem.answer,
                meta=dict(problem.meta),
            )
        )
    lacks: dict[str, Any] = {}
    if outcome.unknown:
        lacks[_UNKNOWN] = sorted(outcome.unknown)
    if outcome.uncompared:
        lacks[_UNCOMPARED] = outcome.uncompared
    connection.execute(
        OUTCOMES.insert().values(
            run_id=run_id,
            problem_uid=uid,
            answer=outcome.answer,
            correct=outcome.correct,
            chosen=outcome.chosen,
            seconds=outcome.seconds,
            note=dict(note) | lacks,
            created=datetime.now(UTC),
            **ledger,
        )
    )
    rows = [
        {"run_id": run_id, "problem_uid": uid, "position": position} | _sample_row(sample)
        for position, sample in enumerate(outcome.samples)
    ]
    if rows:
        connection.execute(SAMPLES.insert(), rows)


def _problem(row: Any) -> Problem:
    return Problem(row[PROBLEMS.c.id], row["text"], row[PROBLEMS.c.answer], row["meta"])


def _sample_row(sample: SampleRecord) -> dict[str, Any]:
    # Not asdict: it copies every token.
    return {name: getattr(sample, name) for name in _SAMPLE}
