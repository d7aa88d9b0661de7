"""The command line with simulated models: everything is real but the engines.

`simulated_command` changes the command line of this process. As a program this module is a command
line of its own, see `program`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from executor.policies.simulated import SimulatedPolicy, simulated_problems
from executor.run import sharing
from planner.usecases import open_session
from tests.helpers.simulated_session import SimulatedSession

POLICY = SimulatedPolicy().name


@contextmanager
def simulated_command(latency: float = 0.0) -> Iterator[None]:
    """Let commands of this process find simulated models, whatever they ask for.

    Args:
        latency: seconds that a request to the policy takes.
    """
    with (
        mock.patch.object(open_session, "Session", SimulatedSession),
        mock.patch.object(open_session, "find_models", return_value=[]),
        mock.patch.object(SimulatedSession, "latency", latency),
    ):
        yield


def write_problems(path: Path, number: int) -> Path:
    """Write a file of problems that the simulated policy knows."""
    lines = (
        {"id": one.id, "problem": one.text, "answer": one.answer}
        for one in simulated_problems(number)
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def program(
    latency: float, *arguments: str | Path, patience: float = sharing.PATIENCE
) -> list[str]:
    """Return a command line with simulated models, to be run in a process of its own.

    Args:
        latency: seconds that a request to the policy takes.
        arguments: the command line without the program's name.
        patience: seconds for which a run waits for a lost database.
    """
    name = "tests.helpers.simulated_command"
    return [sys.executable, "-m", name, str(latency), str(patience), *map(str, arguments)]


if __name__ == "__main__":
    from planner.cli.main import main

    sharing.PATIENCE = float(sys.argv[2])
    with simulated_command(float(sys.argv[1])):
        sys.exit(main(sys.argv[3:]))
