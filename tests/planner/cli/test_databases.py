"""Commands on both databases: the same results, the same command twice, lost databases."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from executor.policies.simulated import SimulatedPrm, simulated_problems
from executor.problem import problem_uid
from executor.store.address import parse
from executor.store.store import Store
from planner.plans.serialization import save_plan
from planner.runtime import session as session_module
from tests.helpers.command import Completed, apportion, environment
from tests.helpers.foreign_runs import lines
from tests.helpers.postgres import PASSWORD, PostgresServer, missing
from tests.helpers.served_app import until
from tests.helpers.simulated_command import POLICY, program, simulated_command, write_problems
from tests.planner.cli.commands.test_serve import ask, running
from tests.planner.service.answering.test_planned import plan_of

PRM = SimulatedPrm().name
MODELS = ["--policy", POLICY, "--prm", PRM]
NUMBER = 12


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with files for every command."""
    write_problems(tmp_path / "problems.jsonl", NUMBER)
    samples = [{"answer": str(n % 3), "rewards": [n / 8], "tokens": 50} for n in range(8)]
    lines(
        tmp_path / "theirs.jsonl",
        *({"problem": f"{n}?", "answer": "1", "policy": "theirs", "prm": "r", "samples": samples}
          for n in range(6)),
    )  # fmt: skip
    (tmp_path / "mix.toml").write_text("easy = 10\nmedium = 10\nhard = 10\n")
    return tmp_path


COMMANDS = {
    "profile": ["--problems", "problems.jsonl", "--max-samples", "8", *MODELS],
    "measure": ["--problems", "problems.jsonl", "--strategies", "beam_search,dvts", "--budgets",
                "4", *MODELS],
    "import": ["--format", "jsonl", "theirs.jsonl"],
    "fit": ["--trials", "1"],
    "plan": [*MODELS, "--budget", "8", "--out", "plan.json"],
    "run": ["--plan", "plan.json", "--problems", "problems.jsonl"],
    "recommend": [*MODELS, "--budget", "8"],
    "replay": [*MODELS],
    "report": [*MODELS, "--format", "json", "--out", "report.json"],
    "evaluate": ["--policy", POLICY, "--budgets", "4", "--trials", "1"],
    "budget": ["--workload", "mix.toml", "--plan", "plan.json", "--total-tokens", "1e6"],
}  # fmt: skip


def command(place: Path, store: str, name: str) -> Any:
    """The document of a command; every run counts as a second of its engine."""

    def note(kept: Store, spec: Any, work: Any, seconds: float) -> None:
        noted(kept, spec, work, 1.0)

    noted = session_module.note_throughput
    with simulated_command(), mock.patch.object(session_module, "note_throughput", note):
        done = apportion(place, name, *COMMANDS[name], "--store", store, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without_times(value: Any) -> Any:
    """A document without what differs from run to run."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key != "seconds"}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return value


# The costliest command, which asks a store for no more than `plan` does.
SLOW = ("evaluate",)


@pytest.mark.process
@pytest.mark.socket
@pytest.mark.parametrize(
    "names",
    [
        pytest.param([name for name in COMMANDS if name not in SLOW], id="all but the slow one"),
        pytest.param(list(COMMANDS), marks=pytest.mark.slow, id="all"),
    ],
)
def test_commands_say_on_postgresql_what_they_say_on_sqlite(
    place: Path, postgres: PostgresServer, names: list[str]
) -> None:
    stores = {"sqlite": "sqlite:///store.db", "postgresql": postgres.new_database()}
    found: dict[str, dict[str, Any]] = {kind: {} for kind in stores}
    for kind, store in stores.items():
        for name in names:
            found[kind][name] = without_times(command(place, store, name))
            if name == "report":
                found[kind]["page"] = without_times(json.loads((place / "report.json").read_text()))
    for name in [*names, "page"]:
        on_sqlite, on_postgresql = (
            json.dumps(found[kind][name], indent=1).replace(one, "STORE")
            for kind, one in (("sqlite", "store.db"), ("postgresql", hidden(stores["postgresql"])))
        )
        assert on_postgresql == on_sqlite, name


def hidden(url: str) -> str:
    return url.replace(url[url.index("tester:") : url.index("@")], "tester:***")


# The same command twice


@pytest.mark.parametrize(
    "name",
    [
        "profile",
        "measure",
        "import",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("fit", "run")),
    ],
)
def test_the_same_command_again_does_nothing_twice(
    request: pytest.FixtureRequest, database: str, place: Path, name: str
) -> None:
    if name == "run":
        made: Path = request.getfixturevalue("plan_file")
        (place / "plan.json").write_bytes(made.read_bytes())
    if name == "fit":
        command(place, database, "profile")
    first = command(place, database, name)
    with Store.open(database, create=False) as store:
        before = [list(store.outcomes(spec)) for spec in store.runs()]
    again = command(place, database, name)
    with Store.open(database, create=False) as store:
        assert [list(store.outcomes(spec)) for spec in store.runs()] == before
    if name == "import":
        assert again["runs"] == {"added": 0, "unchanged": 1, "replaced": 0}
    else:
        assert without_work(again) == without_work(first)


def without_work(value: Any) -> Any:
    """A document without what the engines did in this call."""
    if isinstance(value, dict):
        return {key: without_work(item) for key, item in value.items() if key != "engine"}
    if isinstance(value, list):
        return [without_work(item) for item in value]
    return value


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan for the simulated policy."""
    folder = tmp_path_factory.mktemp("plan")
    write_problems(folder / "problems.jsonl", NUMBER)
    for name in ("profile", "plan"):
        command(folder, "sqlite:///store.db", name)
    return folder / "plan.json"


def start(
    place: Path, store: str, *words: str, latency: float = 0.05, **options: float
) -> subprocess.Popen[str]:
    """A command with simulated models, in a process of its own."""
    return subprocess.Popen(
        program(latency, *words, "--store", store, **options),
        cwd=place, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def end(process: subprocess.Popen[str]) -> Completed:
    out, err = process.communicate(timeout=120)
    return Completed([], process.returncode, out, err)


def solved_once(store: str, number: int) -> None:
    """Every problem has one outcome, and no process holds a claim."""
    with Store.open(store) as opened:
        (spec,) = opened.runs()
        counts = Counter(problem_uid(one.outcome.problem) for one in opened.outcomes(spec))
        assert counts == {problem_uid(one): 1 for one in simulated_problems(number)}
        uids = sorted(counts)
        assert opened.claim(spec, uids, "x 1 y").finished == set(uids)


def together(place: Path, store: str) -> None:
    """Two processes of one command at once."""
    words = ["profile", "--problems", "problems.jsonl", "--max-samples", "4", "--policy", POLICY,
             "--json"]  # fmt: skip
    ended = [end(one) for one in [start(place, store, *words) for _ in range(2)]]
    for one in ended:
        assert one.returncode == 0, one.stderr
        assert "Traceback" not in one.stderr and "UNIQUE" not in one.stderr
    documents = [json.loads(one.stdout) for one in ended]
    assert documents[0] == documents[1]
    assert len(documents[0]["problems"]) == NUMBER
    solved_once(store, NUMBER)


@pytest.mark.process
@pytest.mark.parametrize("number", range(2))
def test_two_processes_of_one_command_at_once(database: str, place: Path, number: int) -> None:
    together(place, database)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_two_processes_of_one_command_twenty_times(database: str, place: Path, number: int) -> None:
    together(place, database)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["measure", "import", "fit", "plan", "run"])
def test_two_processes_of_other_commands_at_once(
    database: str, place: Path, name: str, plan_file: Path
) -> None:
    (place / "plan.json").write_bytes(plan_file.read_bytes())
    if name in ("fit", "plan"):
        command(place, database, "profile")
    words = [name, *COMMANDS[name], "--json"]
    ended = [end(one) for one in [start(place, database, *words) for _ in range(2)]]
    for one in ended:
        assert one.returncode == 0, one.stderr
    again = command(place, database, name)
    for one in ended if name != "import" else ():
        assert without_times(without_work(json.loads(one.stdout))) == without_times(
            without_work(again)
        )


def works_on(store: Store, process: subprocess.Popen[str]) -> bool:
    """Whether the process has claimed problems of the store's run."""
    assert process.poll() is None
    time.sleep(0.1)
    uids = sorted(map(problem_uid, simulated_problems(NUMBER)))
    for spec in store.runs():
        mine = store.claim(spec, uids, "x 1 y").mine
        store.release_claims("x 1 y")
        return len(mine) < NUMBER
    return False


@pytest.mark.process
def test_what_a_killed_process_worked_on_is_done_by_the_other(database: str, place: Path) -> None:
    words = ["profile", "--problems", "problems.jsonl", "--max-samples", "4", "--policy", POLICY]
    hanging = start(place, database, *words, latency=600.0)
    other = None
    try:
        with Store.open(database) as store:
            until(lambda: works_on(store, hanging), 60)
        other = start(place, database, *words, latency=0.0)
        assert other.stderr is not None
        said = ""
        while "another process works on the last problems" not in said:
            said = other.stderr.readline()
            assert said, "it ended"
        hanging.send_signal(signal.SIGKILL)
        hanging.wait()
        done = end(other)
        assert done.returncode == 0, done.stderr
    finally:
        for process in filter(None, (hanging, other)):
            process.kill()
            process.communicate()
    solved_once(database, NUMBER)


# Lost databases


def profiling(place: Path, url: str, **options: float) -> subprocess.Popen[str]:
    words = ["profile", "--problems", "problems.jsonl", "--max-samples", "4", "--policy", POLICY]
    return start(place, url, *words, **options)


def finished(url: str) -> int:
    time.sleep(0.05)
    with Store.open(url) as store:
        return sum(len(list(store.outcomes(spec))) for spec in store.runs())


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.socket
def test_a_profile_goes_on_after_a_short_outage(place: Path) -> None:
    with own_server() as server:
        url = server.new_database()
        write_problems(place / "problems.jsonl", 40)
        process = profiling(place, url, latency=0.3)
        try:
            until(lambda: finished(url) > 0, 60)
            server.stop()
            said = process.stderr.readline() if process.stderr else ""
            assert "the store cannot be reached; trying again for 60 s" in said
            server.start()
            done = end(process)
        finally:
            process.kill()
        assert done.returncode == 0, done.stderr
        solved_once(url, 40)


@pytest.mark.process
@pytest.mark.socket
def test_a_profile_ends_in_one_line_after_a_long_outage_and_goes_on_later(place: Path) -> None:
    with own_server() as server:
        url = server.new_database()
        write_problems(place / "problems.jsonl", 40)
        process = profiling(place, url, latency=0.3, patience=0.5)
        try:
            until(lambda: finished(url) > 0, 60)
            server.stop()
            done = end(process)
        finally:
            process.kill()
        assert done.returncode == 3
        lines_of = [line for line in done.stderr.splitlines() if line.startswith("apportion: ")]
        assert len(lines_of) == 1 and lines_of[0].endswith("; the same command goes on")
        assert "Traceback" not in done.stderr and PASSWORD not in done.stderr
        server.start()
        before = finished(url)
        assert before > 0
        done = end(profiling(place, url, latency=0.0))
        assert done.returncode == 0, done.stderr
        solved_once(url, 40)


@pytest.mark.slow
def test_a_fit_ends_in_one_line_when_its_database_is_lost(place: Path) -> None:
    with own_server() as server:
        url = server.new_database()
        command(place, url, "profile")
        process = start(place, url, "fit", "--trials", "1000")
        try:
            until(lambda: has_trials(url), 60)
            server.stop()
            done = end(process)
        finally:
            process.kill()
        assert done.returncode == 3, done.stderr
        assert "Traceback" not in done.stderr and PASSWORD not in done.stderr
        assert done.stderr.splitlines()[-1].endswith("; the same command goes on")


def has_trials(url: str) -> bool:
    time.sleep(0.2)
    engine = create_engine(parse(url))
    try:
        with engine.connect() as connection:
            return bool(connection.execute(text("SELECT count(*) FROM trials")).scalar())
    except ProgrammingError:  # no table yet
        return False
    finally:
        engine.dispose()


@pytest.mark.process
@pytest.mark.socket
def test_a_server_answers_without_its_store_and_takes_feedback_when_it_is_back(
    place: Path,
) -> None:
    save_plan(plan_of(), place / "plan.json")
    with own_server() as server:
        url = server.new_database()
        with running(place, 0.0, "--store", url) as (_, document):
            base = document["address"]

            def feedback(answer: httpx.Response) -> httpx.Response:
                verdict = {"id": answer.json()["id"], "right": True}
                return httpx.post(f"{base}/feedback", json=verdict, timeout=30)

            before = ask(document)
            until(lambda: feedback(before).status_code == 200, 30)
            server.stop()
            answers = [ask(document) for _ in range(3)]
            assert [one.status_code for one in answers] == [200] * 3
            refused = [feedback(one) for one in (before, *answers)]
            page = httpx.get(base.replace("/v1", "/api/choices"), timeout=30)
            for one in (*refused, page):
                assert one.status_code < 500 or one.status_code == 503, one.text
                assert PASSWORD not in one.text
            assert feedback(answers[0]).json()["error"]["code"] == "store_unavailable"
            server.start()
            for one in (before, *answers):
                until(lambda one=one: feedback(one).status_code == 200, 30)
            assert httpx.get(base.replace("/v1", "/api/choices"), timeout=30).status_code == 200
        assert PASSWORD not in (place / "log").read_text()
        with Store.open(url, create=False) as store:
            assert len(store.runs("feedback")) == 4


@contextmanager
def own_server() -> Iterator[PostgresServer]:
    """A server that the test may stop."""
    if reason := missing():
        pytest.skip(reason)
    with PostgresServer() as server:
        yield server
