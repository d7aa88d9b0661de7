"""`apportion recommend`: the answer, from evidence alone."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from sqlalchemy.engine import make_url

from executor.answers import MathGrader
from executor.errors import InputError
from executor.servers.address import read_address
from executor.store import Store
from executor.strategy import key
from planner import evidence
from planner.commands import common
from planner.commands.fit import stored_model
from planner.console import Output, count, share, table
from planner.costs import Rates
from planner.outcome import OutcomeModel
from planner.recommend import Recommendation, candidates, choose
from planner.session import rates
from planner.tuning import fingerprint

_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer rests on: evidence, model, what a token costs, and where it is from."""

    frame: pd.DataFrame
    model: OutcomeModel | None
    metrics: dict[str, Any] | None
    rates: Rates
    notes: tuple[str, ...]


def run(arguments: Namespace, output: Output) -> None:
    """Look at the evidence and choose."""
    level = common.difficulty(arguments.difficulty)
    constraint = common.constraint(arguments)
    policy, prm = model_name(arguments.policy), model_name(arguments.prm)
    basis = read_basis(arguments.store, policy, prm, arguments.usd_per_hour)
    found = candidates(basis.frame, policy, prm, level, basis.model, basis.rates)
    if not found:
        raise InputError(f"difficulty {level}: there is no evidence on it for policy {policy}")
    made = choose(level, found, constraint)
    notes = [*made.notes, *basis.notes]
    record = document(policy, prm, made, basis, notes)
    output.result(record, lambda console: show(console, policy, prm, made, notes))


def model_name(given: str | None) -> Any:
    """The name evidence carries: a folder is known by its last part, a server by its model."""
    if given is not None and (address := read_address(given)) is not None:
        raise InputError(f"{address}: evidence goes by a model's name; give that")
    return given if given is None or not Path(given).is_dir() else Path(given).resolve().name


def read_basis(store_url: str, policy: str, prm: str | None, usd_per_hour: float | None) -> Basis:
    """Evidence of the store; the bundled one where the store has none of this policy."""
    if _exists(store_url):
        with Store.open(store_url, create=False) as store, MathGrader() as grader:
            frame = evidence.gather(store, grader)
            if (frame["policy"] == policy).any():
                model = stored_model(store)
                notes = _model_notes(frame, model[1] if model else None)
                notes += _import_notes(evidence.study_of(store.runs(), policy))
                return Basis(
                    frame,
                    model[0] if model else None,
                    model[1] if model else None,
                    rates(store, policy, prm, usd_per_hour),
                    notes,
                )
    frame = evidence.bundled(policy)
    if frame.empty:  # all of it, so that it can be said which policies are known
        frame = evidence.bundled()
    note = (
        "from evidence this project recorded on its own problems; "
        "profile and measure on yours for an answer of your own"
    )
    sizes = evidence.bundled_sizes()
    known = Rates(
        policy_parameters=sizes.get(policy),
        prm_parameters=None if prm is None else sizes.get(prm),
        usd_per_hour=usd_per_hour,
    )
    return Basis(frame, None, None, known, (note,))


def _model_notes(frame: pd.DataFrame, metrics: dict[str, Any] | None) -> tuple[str, ...]:
    if metrics is None:
        return ("no model is fitted yet: apportion fit sharpens this",)
    if metrics["evidence"] != fingerprint(frame):
        return ("evidence has changed since the model was fitted: run apportion fit again",)
    return ()


def _import_notes(study: str | None) -> tuple[str, ...]:
    if study is None:
        return ()
    return (
        f"from runs imported as study {study}, graded as they were there; costs that need counts "
        "they do not give are unknown, and strategies are then compared by generations; "
        "profile and measure for an answer of your own",
    )


def _exists(store_url: str) -> bool:
    """Whether there is a store to read; only a missing SQLite file is not worth an error."""
    try:
        parsed = make_url(store_url)
    except Exception:
        return True  # Store.open says what is wrong with it
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return True
    return Path(parsed.database).exists()


def document(
    policy: str, prm: str | None, made: Recommendation, basis: Basis, notes: list[str]
) -> dict[str, Any]:
    """The JSON document of the contract."""
    choice = made.choice.to_dict()
    return {
        "policy": policy,
        "prm": prm,
        "difficulty": made.difficulty,
        "strategy": dict.fromkeys(("name", "n", "width", "score", "vote")) | choice["strategy"],
        "predicted_accuracy": choice["predicted_accuracy"],
        "interval": choice["interval"],
        "cost": choice["cost"],
        "alternatives": [other.to_dict() for other in made.alternatives],
        "evidence": _rows(basis.frame, policy, prm),
        "notes": notes,
    }


def _rows(frame: pd.DataFrame, policy: str, prm: str | None) -> list[dict[str, Any]]:
    """What it rests on, a line a kind of evidence."""
    usable = evidence.for_pair(frame, policy, prm)
    groups = usable.groupby(["source", "name", "prm"], as_index=False).agg(
        rows=("accuracy", "size"), problems=("problem", "nunique")
    )
    return [{str(k): v for k, v in record.items()} for record in groups.to_dict("records")]


def show(
    console: Console, policy: str, prm: str | None, made: Recommendation, notes: list[str]
) -> None:
    """The answer for people."""
    choice = made.choice
    console.print(
        f"[bold]{key(choice.strategy)}[/bold] for {policy}"
        + (f" with {prm}" if prm else "")
        + f", difficulty {made.difficulty}: predicted accuracy "
        f"{share(choice.predicted_accuracy, choice.interval)} (90 % interval, "
        f"{choice.problems} problems)",
        highlight=False,
    )
    rows = [
        [
            key(c.strategy),
            share(c.predicted_accuracy, c.interval),
            str(c.problems),
            count(c.cost.generated_tokens),
            count(c.cost.prm_tokens),
            count(c.cost.flops),
            "-" if c.cost.seconds is None else f"{c.cost.seconds:.2f}",
        ]
        for c in (choice, *made.alternatives[:_SHOWN])
    ]
    columns = ["strategy", "accuracy [90 %]", "problems", "generated", "PRM", "FLOPs", "seconds"]
    console.print(table("the choice, and what else there is", columns, rows))
    if (hidden := len(made.alternatives) - _SHOWN) > 0:
        console.print(f"and {hidden} more, with --json")
    for note in notes:
        console.print(f"note: {note}", highlight=False)
