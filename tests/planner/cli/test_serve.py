"""`apportion serve`: what its options set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner.cli.commands import serve
from planner.cli.main import main
from planner.service.http.settings import ServiceSettings

PLAN = Path(__file__).parents[3] / "data" / "plans" / "lab-0.8m.json"


@pytest.mark.parametrize(
    ("options", "greedy"),
    [
        ([], False),
        (["--temperature-zero", "plan"], False),
        (["--temperature-zero", "greedy"], True),
    ],
    ids=str,
)
def test_what_temperature_0_means(
    options: list[str], greedy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[ServiceSettings] = []

    def served(plan: object, *, settings: ServiceSettings, **more: Any) -> None:
        given.append(settings)

    monkeypatch.setattr(serve, "serve", served)
    main(["serve", "--plan", str(PLAN), *options])
    assert [settings.greedy_at_zero for settings in given] == [greedy]
