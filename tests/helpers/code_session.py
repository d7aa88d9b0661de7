"""Sessions and commands whose simulated policy writes programs; everything else is real."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from executor.models.stopping import Finish
from executor.policies.base import Draw
from executor.policies.simulated import EOS_ID, SimulatedPolicy
from executor.run.runner import Executor
from planner.usecases import open_session
from tests.helpers.simulated_session import SimulatedSession

SECRET = "98765"
"""Number that only hidden tests hold."""


class Programmer(SimulatedPolicy):
    """A policy that writes programs, right ones with the chance `chance`."""

    chance = 0.6
    asked: list[str]

    def prompt(self, question: str, before: Any = (), answers: Any = ()) -> list[int]:
        self.asked.append(question)
        return super().prompt(question, before, answers)

    def _write(
        self, question: str, p: float, before: str, room: int, stop: Any, greedy: bool,
        rng: random.Random,
    ) -> Draw:  # fmt: skip
        right = greedy or rng.random() < self.chance
        layout = rng.choice(["    return n + k", "    # the sum\n    return  n+k",
                             "    total = k\n    return total + n"])  # fmt: skip
        body = layout if right else f"    return n - {rng.randint(2, 9)}"
        text = f"So:\n```python\n{question.split('|')[1]}\n{body}\n```\n"
        return Draw((*self.tokens.encode(text), EOS_ID), Finish.EOS, -1.0)


class CodeSession(SimulatedSession):
    """A session with that policy."""

    asked: list[str]

    def executor(self, *models: Any, **options: Any) -> Executor:
        executor = super().executor(*models, **options)
        if self.settings.domain != "code":
            return executor
        policy = Programmer(0.5, 2)
        policy.asked = self.asked = getattr(self, "asked", [])
        served: Any = policy
        self._loaded._policy = served
        digests = dict(executor.digests)
        if executor.prm is None:
            del digests["prm"]
        return replace(executor, policy=served, domain="code", digests=digests)


@contextmanager
def code_command() -> Iterator[None]:
    """Let commands of this process find that policy, whatever they ask for."""
    with (
        mock.patch.object(open_session, "Session", CodeSession),
        mock.patch.object(open_session, "find_models", return_value=[]),
    ):
        yield


def write_code_problems(path: Path, number: int) -> Path:
    """Write a file of problems that the policy knows; each has a public and a hidden test."""
    records = [
        {
            "id": f"p{i}",
            "prompt": f"Add to n.|def f{i}(n, k={i}):",
            "entry_point": f"f{i}",
            "public_tests": f"assert f{i}(1) == {1 + i}",
            "tests": f"assert f{i}({SECRET}) == {int(SECRET) + i}",
        }
        for i in range(number)
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path
