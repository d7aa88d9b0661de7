"""The tables of a store."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from executor.ledger import COLUMNS
from executor.store.columns import Characters, Confidences, Real, WholeNumber

METADATA = MetaData()

SCHEMA = Table("apportion_schema", METADATA, Column("version", Integer, primary_key=True))

PROBLEMS = Table(
    "problems",
    METADATA,
    Column("uid", String(32), primary_key=True),
    Column("id", Characters, nullable=False),
    Column("text", Characters, nullable=False),
    Column("answer", Characters),
    Column("meta", JSON, nullable=False),
)

RUNS = Table(
    "runs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("kind", String(20), nullable=False, index=True),
    # No index: PostgreSQL has none for names of thousands of characters.
    Column("policy", Characters, nullable=False),
    Column("prm", Characters),
    Column("spec", JSON, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
)

OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("problem_uid", ForeignKey("problems.uid"), primary_key=True),
    Column("answer", Characters),
    Column("correct", Boolean),
    Column("chosen", Integer),
    Column("seconds", Real, nullable=False),
    Column("note", JSON, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    *(Column(name, WholeNumber, nullable=False, server_default="0") for name in COLUMNS.values()),
)

SAMPLES = Table(
    "samples",
    METADATA,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("problem_uid", ForeignKey("problems.uid"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("text", Characters, nullable=False),
    Column("answer", Characters),
    Column("correct", Boolean),
    Column("state", String(12), nullable=False),
    Column("n_tokens", WholeNumber, nullable=False),
    Column("logprob", Real, nullable=False),
    Column("rewards", JSON, nullable=False),
    Column("steps", JSON, nullable=False),
    Column("token_ids", JSON, nullable=False),
    Column("confidences", Confidences),
    Column("visible_from", WholeNumber, nullable=False, server_default="0"),
)

ARTEFACTS = Table(
    "artefacts",
    METADATA,
    Column("name", Characters, primary_key=True),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("meta", JSON, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
