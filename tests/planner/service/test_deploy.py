"""The files in docs/deploy name metrics and options that there are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from planner.cli.main import build_parser
from tests.helpers.served_app import chat, in_process, until
from tests.planner.service.conftest import Answering

DEPLOY = Path(__file__).parents[3] / "docs" / "deploy"


def expressions() -> list[str]:
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "apportion.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_the_dashboard_shows_every_metric_and_no_other(make_answerer: Answering) -> None:
    with (
        in_process(make_answerer(), gauges=lambda: {"text": 0.5}) as served,
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
    for (
        expression
    ) in expressions():  # what is shown of one kind of request, is of one that there is
        for pattern in re.findall(r'path=~"([^"]*)"', expression):
            assert any(re.fullmatch(pattern, path) for path in re.findall(r'path="([^"]*)"', text))
    for expression in expressions():
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            for label in set(labels.split(", ")) - {"le"}:
                assert f'{label}="' in text, expression


@pytest.fixture(scope="module")
def compose() -> Any:
    yaml: Any = pytest.importorskip("yaml")
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_compose_starts_commands_that_there_are(compose: Any) -> None:
    services = compose["services"]
    serve = build_parser().parse_args(services["apportion"]["command"][1:])
    assert serve.drain_seconds < float(services["apportion"]["stop_grace_period"].rstrip("s"))
    for role in ("policy", "prm"):
        words = re.search(r"\$\$\(apportion (serve-command [^)]*)\)", services[role]["command"][2])
        assert words is not None
        options = words[1].replace('"', "").replace("$$POLICY", "lab-0.8m")
        served = build_parser().parse_args(options.replace("$$PRM", "lab-0.8m-prm").split())
        assert getattr(served, role)
        # Where it is served is where it is looked for, and where its health is.
        assert getattr(serve, role) == f"http://{role}:{served.port}/v1"
        assert f":{served.port}/health" in services[role]["healthcheck"]["test"][1]
    assert services["apportion"]["ports"] == [f"127.0.0.1:{serve.port}:{serve.port}"]
    assert f":{serve.port}/readyz" in services["apportion"]["healthcheck"]["test"][1]


def test_compose_mounts_what_there_is_and_what_is_made(compose: Any) -> None:
    made = {"./plans", "./store", "./api_keys", "./prometheus_key"}
    head = (DEPLOY / "compose.yaml").read_text().partition("\nname:")[0]
    files = [secret["file"] for secret in compose["secrets"].values()]
    mounted = [
        one.split(":")[0] for s in compose["services"].values() for one in s.get("volumes", ())
    ]
    for path in files + mounted:
        if path in made:
            assert path.removeprefix("./") in head, "the first lines say how it is made"
        elif path.startswith("."):
            assert (DEPLOY / path).exists()
        else:
            assert path in compose["volumes"]
    for service in compose["services"].values():
        assert set(service.get("secrets", ())) <= set(compose["secrets"])


@pytest.mark.parametrize(("role", "variable"), [("policy", "POLICY"), ("prm", "PRM")])
def test_the_servers_shell_runs_the_command_as_it_is_printed(
    compose: Any, tmp_path: Path, role: str, variable: str
) -> None:
    """Words and variables with spaces arrive whole; where there is no command nothing is run."""
    for name, script in {
        "apportion": """test -z "$FAILS" || exit 2
            test "$3" = "a model" || exit 1
            echo "A='one two' vllm serve 'a model' --json '{\\"b\\": 1}'" """,
        "vllm": """printf '%s|' "$A" "$@" """,
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    program, option, line = compose["services"][role]["command"]
    words = [program, option, line.replace("$$", "$")]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", variable: "a model"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == 'one two|serve|a model|--json|{"b": 1}|'
    failed = subprocess.run(
        words, env=environment | {"FAILS": "1"}, capture_output=True, text=True, check=False
    )
    assert (failed.returncode, failed.stdout) == (2, "")


@pytest.mark.parametrize("page", ["deploy/README.md", "route-a-service.md"])
def test_commands_of_the_pages_are_commands(page: str) -> None:
    text = (DEPLOY.parent / page).read_text()
    lines = re.findall(r"^apportion ([^#\n]*)", text, re.MULTILINE)
    parsed = [build_parser().parse_args(line.split()) for line in lines]
    assert {one.module for one in parsed} <= {"serve", "serve_command"} and parsed
    if "deploy" in page:
        (serve,) = (one for one in parsed if one.module == "serve")
        servers = {one.port for one in parsed if one.module == "serve_command"}
        assert {f"http://127.0.0.1:{port}/v1" for port in servers} == {serve.policy, serve.prm}


def test_feedback_goes_to_a_copy_of_the_plan_s_store(compose: Any) -> None:
    apportion = compose["services"]["apportion"]
    serve = build_parser().parse_args(apportion["command"][1:])
    assert "./store:/store" in apportion["volumes"]
    name = serve.store.removeprefix("sqlite:////store/")
    assert f"/{name} store/" in (DEPLOY / "compose.yaml").read_text()
    page = (DEPLOY / "README.md").read_text()
    assert f"cp {name} docs/deploy/store/" in page
    assert f"sqlite:///docs/deploy/store/{name}" in page
    assert "/docs/deploy/store/" in (DEPLOY.parents[1] / ".gitignore").read_text().splitlines()


def test_prometheus_asks_the_servers_of_the_compose_file(compose: Any) -> None:
    yaml: Any = pytest.importorskip("yaml")
    jobs = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())["scrape_configs"]
    targets = [target for job in jobs for one in job["static_configs"] for target in one["targets"]]
    assert sorted(targets) == ["apportion:8080", "policy:8000", "prm:8000"]
    (key,) = (job["authorization"]["credentials_file"] for job in jobs if "authorization" in job)
    name = key.removeprefix("/run/secrets/")
    assert name in compose["services"]["prometheus"]["secrets"]


def test_an_image_has_what_the_wheel_is_made_of_and_no_keys() -> None:
    root = DEPLOY.parents[1]
    kept = {
        line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    project = tomllib.loads((root / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"],
              *project["project"]["license-files"], "pyproject.toml"}  # fmt: skip
    assert kept == needed
