"""The store: runs, outcomes, samples and artefacts in one SQL database.

It is SQLite (in WAL mode) by default, or PostgreSQL. Each problem is one transaction. A run is
identified by what it does, not by when, so the same command finds its run again and resumes it, and
several processes may work on one run: they share its problems.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from executor.errors import StoreError
from executor.ledger import COLUMNS, Ledger
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem, problem_uid
from executor.store import claims
from executor.store.address import shown
from executor.store.claims import Claimed
from executor.store.database import open_database, present_columns, store_error
from executor.store.dialects import begin, insert, insert_new, lock
from executor.store.executed import executed_samples, executions_of
from executor.store.pending import Bounds, Pending, find, keep, prune
from executor.store.tables import ARTEFACTS, OUTCOMES, PROBLEMS, RUNS, SAMPLES

# Keys of a note: the names of unknown counts, the number of pairs that were not compared, the
# certainties of samples whose policy says them, and what only problems have whose answers run: the
# number of executions, and those of the samples.
_UNKNOWN, _UNCOMPARED = "unknown", "uncompared"
_EXECUTIONS, _EXECUTED, _CERTAINTIES = "executions", "executed", "certainties"
_NOTED = {"execution", "certainty"}  # of a sample, kept in the note of its problem
_SAMPLE = tuple(f.name for f in dataclasses.fields(SampleRecord) if f.name not in _NOTED)
_LONGEST_NAME = 300  # characters of an artefact's name; PostgreSQL's indexes hold 2,700 bytes
_ATTEMPTS = 10  # to replace a run that other processes replace at the same time


class RunExistsError(StoreError):
    """The store has this run already, and it was not to be replaced."""


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
            InputError: the URL is none of a database, or the database cannot be reached or
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

    def save(self, spec: RunSpec, outcome: Outcome, note: dict[str, Any] | None = None) -> bool:
        """Write one finished problem in one transaction; the problem is then nobody's.

        Returns:
            False if the run has this problem already. What it has stays as it is.

        Raises:
            StoreError: the database cannot be written.
        """
        uid = problem_uid(outcome.problem)
        with self._transaction() as connection:
            _insert_problems(connection, [outcome.problem])
            is_new = _insert(connection, spec.id, uid, outcome, note or {})
            claims.release(connection, run_id=spec.id, uids=[uid])
        return is_new

    def claim(self, spec: RunSpec, uids: Sequence[str], owner: str) -> Claimed:
        """Claim the unfinished problems that nobody else works on; see `executor.store.claims`.

        Args:
            spec: the run.
            uids: uids of some hundred problems at most.
            owner: who claims, see `claims.new_owner`.
        """
        with self._transaction() as connection:
            mine = claims.claim(connection, spec.id, uids, owner)
            # Looked up after the claim: whoever finishes a problem gives up the claim at the same
            # time, so a problem that could be claimed and is not found here is not finished.
            query = select(OUTCOMES.c.problem_uid).where(
                OUTCOMES.c.run_id == spec.id, OUTCOMES.c.problem_uid.in_(uids)
            )
            finished = frozenset(connection.execute(query).scalars())
            if mine & finished:
                claims.release(connection, run_id=spec.id, uids=sorted(mine & finished))
        return Claimed(mine - finished, finished)

    def renew_claims(self, owner: str) -> None:
        """Renew all claims of an owner, which are void `claims.LEASE` seconds later."""
        with self._transaction() as connection:
            claims.renew(connection, owner)

    def release_claims(self, owner: str) -> None:
        """Give up all claims of an owner."""
        with self._transaction() as connection:
            claims.release(connection, owner=owner)

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

        Raises:
            RunExistsError: the store has one of the runs, and it is not to be replaced.
            StoreError: a run has a problem twice, or the database cannot be written.
        """
        for attempt in range(_ATTEMPTS):
            try:
                self._replace_runs(runs, replacing)
                return
            except RunExistsError:
                # Another process may have replaced the same run since it was deleted here.
                if attempt + 1 == _ATTEMPTS or not {spec.id for spec, _ in runs} <= {
                    spec.id for spec in replacing
                }:
                    raise

    def _replace_runs(
        self, runs: Sequence[tuple[RunSpec, Sequence[Outcome]]], replacing: Sequence[RunSpec]
    ) -> None:
        gone = [spec.id for spec in replacing]
        with self._transaction() as connection:
            # In one order, so that two processes never wait for each other's rows. Who has locked
            # a run's row has the run's outcomes to itself.
            keys = select(RUNS.c.id).where(RUNS.c.id.in_(gone)).order_by(RUNS.c.id)
            connection.execute(keys.with_for_update()).all()
            for table in (SAMPLES, OUTCOMES):
                connection.execute(table.delete().where(table.c.run_id.in_(gone)))
            connection.execute(RUNS.delete().where(RUNS.c.id.in_(gone)))
            for spec, _ in sorted(runs, key=lambda run: run[0].id):
                if not _register(connection, spec):
                    raise RunExistsError(f"{self._name}: has run {spec.id} already")
            _insert_problems(
                connection, [outcome.problem for _, outcomes in runs for outcome in outcomes]
            )
            for spec, outcomes in sorted(runs, key=lambda run: run[0].id):
                for outcome in outcomes:
                    uid = problem_uid(outcome.problem)
                    if not _insert(connection, spec.id, uid, outcome, {}):
                        raise StoreError(
                            f"{self._name}: problem {outcome.problem.id} is twice in one run"
                        )

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
        with self._reading() as connection:
            query = (
                select(*present_columns(connection, OUTCOMES), PROBLEMS)
                .join(PROBLEMS, PROBLEMS.c.uid == OUTCOMES.c.problem_uid)
                .where(OUTCOMES.c.run_id == spec.id)
                .order_by(OUTCOMES.c.problem_uid)
            )
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
                samples=_with_noted(by_problem.get(uid, ()), row["note"]),
                ledger=Ledger(
                    executions=row["note"].get(_EXECUTIONS, 0),
                    **{name: row[column] or 0 for name, column in COLUMNS.items()},
                ),
                seconds=row["seconds"],
                uncompared=row["note"].get(_UNCOMPARED, 0),
                unknown=frozenset(row["note"].get(_UNKNOWN, ())),
            )
            own = row["note"].keys() - {_EXECUTIONS, _EXECUTED}
            yield StoredOutcome(spec, outcome, {key: row["note"][key] for key in sorted(own)})

    def put_artefact(self, name: str, content: bytes, meta: dict[str, Any]) -> None:
        """Write a named artefact, such as a fitted model, in place of one of the same name."""
        with self._transaction() as connection:
            _put_artefact(connection, name, content, meta)

    def change_artefact(
        self, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> None:
        """Change the description of an artefact; no other process changes it meanwhile.

        Args:
            name: name of the artefact, which need not exist; its content becomes empty.
            change: function from the old description, {} if there is none, to the new one.
        """
        with self._transaction() as connection:
            key = _key(name)
            lock(connection, int(_digest(key)[:15], 16))
            query = select(ARTEFACTS.c.meta).where(ARTEFACTS.c.name == key)
            _put_artefact(connection, name, b"", change(connection.execute(query).scalar() or {}))

    def artefact(self, name: str) -> tuple[bytes, dict[str, Any]] | None:
        """Return an artefact's content and description, or None."""
        with self._reading() as connection:
            row = connection.execute(
                select(ARTEFACTS).where(ARTEFACTS.c.name == _key(name))
            ).first()
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

    @property
    def _name(self) -> str:
        return f"store {shown(self._engine.url)}"

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._errors_in_one_line(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._errors_in_one_line(), begin(self._engine) as connection:
            yield connection

    @contextmanager
    def _errors_in_one_line(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise store_error(error, self._engine.url) from None
        except OverflowError as error:  # SQLite's driver: a number of more than 64 bits
            raise StoreError(f"{self._name}: cannot hold a value: {error}") from None

    @staticmethod
    def _samples_of(connection: Any, spec: RunSpec) -> dict[str, list[SampleRecord]]:
        query = (
            select(*present_columns(connection, SAMPLES))
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
                    row.confidences,
                    visible_from=row.visible_from or 0,
                )
            )
        return by_problem


def _with_noted(
    samples: Sequence[SampleRecord], note: Mapping[str, Any]
) -> tuple[SampleRecord, ...]:
    """Return samples with what the note of their problem holds of them (`_NOTED`)."""
    executed = executed_samples(samples, note.get(_EXECUTED))
    certainties = note.get(_CERTAINTIES)
    if certainties is None or not executed:
        return executed
    return tuple(
        dataclasses.replace(one, certainty=certainty)
        for one, certainty in zip(executed, certainties, strict=True)
    )


def _register(connection: Connection, spec: RunSpec) -> bool:
    """Insert a run, unless it exists; return whether it is new."""
    values = {
        "id": spec.id,
        "kind": spec.kind,
        "policy": spec.policy,
        "prm": spec.prm,
        "spec": spec.settings,
        "created": datetime.now(UTC),
    }
    return connection.execute(insert_new(connection, RUNS), values).rowcount > 0


def _insert_problems(connection: Connection, problems: Iterable[Problem]) -> None:
    """Insert the problems that the store lacks."""
    rows: dict[str, dict[str, Any]] = {
        problem_uid(problem): {
            "id": problem.id,
            "text": problem.text,
            "answer": problem.answer,
            "meta": dict(problem.meta),
        }
        for problem in problems
    }
    if rows:
        # In one order, so that two processes never wait for each other's rows.
        ordered = [{"uid": uid} | rows[uid] for uid in sorted(rows)]
        connection.execute(insert_new(connection, PROBLEMS), ordered)


def _insert(
    connection: Connection, run_id: str, uid: str, outcome: Outcome, note: Mapping[str, Any]
) -> bool:
    """Insert a finished problem and its samples, unless the run has it; return whether it is new.

    The problem itself must be there.
    """
    lacks: dict[str, Any] = {}
    if outcome.unknown:
        lacks[_UNKNOWN] = sorted(outcome.unknown)
    if outcome.uncompared:
        lacks[_UNCOMPARED] = outcome.uncompared
    if outcome.ledger.executions:
        lacks[_EXECUTIONS] = outcome.ledger.executions
    if executed := executions_of(outcome.samples):
        lacks[_EXECUTED] = executed
    if any(one.certainty is not None for one in outcome.samples):
        lacks[_CERTAINTIES] = [
            None if one.certainty is None else round(one.certainty, 3) for one in outcome.samples
        ]
    values = {
        "run_id": run_id,
        "problem_uid": uid,
        "answer": outcome.answer,
        "correct": outcome.correct,
        "chosen": outcome.chosen,
        "seconds": outcome.seconds,
        "note": dict(note) | lacks,
        "created": datetime.now(UTC),
    } | {column: getattr(outcome.ledger, name) for name, column in COLUMNS.items()}
    if not connection.execute(insert_new(connection, OUTCOMES), values).rowcount:
        return False
    rows = [
        {"run_id": run_id, "problem_uid": uid, "position": position} | _sample_row(sample)
        for position, sample in enumerate(outcome.samples)
    ]
    if rows:
        connection.execute(SAMPLES.insert(), rows)
    return True


def _put_artefact(
    connection: Connection, name: str, content: bytes, meta: Mapping[str, Any]
) -> None:
    values = {"created": datetime.now(UTC), "meta": dict(meta), "content": content}
    put = insert(connection, ARTEFACTS).values(name=_key(name), **values)
    connection.execute(put.on_conflict_do_update(index_elements=[ARTEFACTS.c.name], set_=values))


def _key(name: str) -> str:
    """Return an artefact's name in its table: a long one is cut and gets its digest."""
    if len(name) <= _LONGEST_NAME:
        return name
    return name[: _LONGEST_NAME - 64] + _digest(name)


def _digest(name: str) -> str:
    """Return 64 hex digits."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _problem(row: Any) -> Problem:
    return Problem(row[PROBLEMS.c.id], row["text"], row[PROBLEMS.c.answer], row["meta"])


def _sample_row(sample: SampleRecord) -> dict[str, Any]:
    # Not asdict: it copies every token.
    return {name: getattr(sample, name) for name in _SAMPLE}
