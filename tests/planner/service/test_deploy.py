"""The files in docs/deploy name metrics and options that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from planner.cli import build_parser
from tests.planner.service.conftest import Answering
from tests.planner.service.served import chat, serving, until

DEPLOY = Path(__file__).parents[3] / "docs" / "deploy"


def expressions() -> list[str]:
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "apportion.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_the_dashboard_shows_every_metric_and_no_other(make_answerer: Answering) -> None:
    with (
        serving(make_answerer(), gauges=lambda: {"text": 0.5}) as served,
        served.client() as client,
    ):
        client.post("/v1/chat/completions", json=chat())
        until(served.events)
        text = client.get("/metrics").text
    there = {
        name
        for name in re.findall(r"^# TYPE (\S+) \S+$", text, re.MULTILINE)
        if not name.endswith("_created")
    }
    used = {
        name.removesuffix("_bucket")
        for expression in expressions()
        for name in re.findall(r"apportion_\w+", expression)
    }
    assert used == there
    for expression in expressions():
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            for label in set(labels.split(", ")) - {"le"}:
                assert f'{label}="' in text, expression


def test_compose_starts_commands_that_there_are() -> None:
    yaml: Any = pytest.importorskip("yaml")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    serve = services["apportion"]["command"]
    assert build_parser().parse_args(serve[1:]).drain_seconds < 75
    for name in ("policy", "prm"):
        shell = services[name]["command"][2]
        words = re.search(r"apportion (serve-command .*)\)\"$", shell)
        assert words is not None
        options = words[1].replace('"', "").replace("$$POLICY", "lab-0.8m")
        assert build_parser().parse_args(options.replace("$$PRM", "lab-0.8m-prm").split())
    for mounted in services["prometheus"]["volumes"] + services["grafana"]["volumes"]:
        here = mounted.split(":")[0]
        assert not here.startswith(".") or (DEPLOY / here).exists()
