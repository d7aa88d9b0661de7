"""Where a command's store is, and that its password is in no output."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from executor.errors import InputError
from planner.cli.main import main
from planner.cli.store_option import store_url
from planner.usecases import DEFAULT_STORE
from tests.helpers.command import apportion
from tests.planner.cli.test_errors import QUESTION

SECRET = "hunter2horse"
URL = "sqlite:////place/team.db"


def chosen(environment: dict[str, str], **given: Any) -> str | None:
    options = {"store": None, "store_file": None, "default_store": DEFAULT_STORE} | given
    return store_url(Namespace(**options), environment)


def test_the_option_comes_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"# the team's\n\n  {URL}  \n")
    other = {"APPORTION_STORE": "sqlite:////place/other.db"}
    assert chosen({}) == DEFAULT_STORE
    assert chosen({"APPORTION_STORE": f" {URL}\n"}) == URL
    assert chosen(other, store=URL) == URL
    assert chosen(other, store_file=tmp_path / "url") == URL


def test_the_demos_store_is_in_its_folder() -> None:
    assert chosen({"APPORTION_STORE": URL}, default_store=None) is None
    assert chosen({}, default_store=None, store=URL) == URL


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "has 0 lines"),
        (b"# none\n", "has 0 lines"),
        (b"sqlite://\nsqlite://\n", "has 2 lines"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_without_a_url_is_one_line(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        chosen({}, store_file=file)
    assert str(caught.value).startswith(f"--store-file {file}: ")


def test_two_places_or_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="both given"):
        chosen({}, store=URL, store_file=tmp_path / "url")
    with pytest.raises(InputError, match="APPORTION_STORE is empty"):
        chosen({"APPORTION_STORE": " "})


COMMANDS = (
    ["recommend", "--policy", "lab-0.8m"],
    ["replay"],
    ["report", "--policy", "lab-0.8m"],
    ["fit"],
    ["plan", "--policy", "lab-0.8m"],
    ["evaluate"],
    ["profile", "--problems", "good.jsonl", "--policy", "lab-0.8m"],
    ["measure", "--problems", "good.jsonl", "--policy", "lab-0.8m", "--strategies", "greedy"],
    ["run", "--strategy", "greedy", "--problems", "good.jsonl", "--policy", "lab-0.8m"],
    ["import", "good.jsonl", "--policy", "p"],
)
# Each fails in another place: the URL, its port, its driver, its dialect, its options, the file.
STORES = (
    "postgresql://ann:{}@localhost:port/db",
    "firebird+nodriver://ann:{}@localhost/db",
    "mysql+nodriver://ann:{}@localhost/db",
    "sqlite:///team.db?timeout=abc&password={}",
    "not a url password={}",
)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_no_output_has_the_password(tmp_path: Path, command: list[str], store: str) -> None:
    (tmp_path / "good.jsonl").write_text(QUESTION)
    if store.startswith("sqlite:///team.db"):
        (tmp_path / "team.db").touch()
    (tmp_path / "url").write_text(store.format(SECRET))
    done = apportion(tmp_path, *command, "--json", "--store-file", "url")
    assert SECRET not in done.stdout + done.stderr
    assert done.returncode == 2 and not done.stdout, done.stderr
    *progress, line = done.stderr.splitlines()
    assert line.startswith("apportion: ") and not any("store" in one for one in progress)


@pytest.mark.parametrize(
    "words",
    [
        ["recommend", "--policy", "p", "--stor", "postgresql://ann:{}@h/db"],
        ["recommend", "--policy", "p", "postgresql://ann:{}@h/db"],
        ["recommend", "--policy", "p", "--store=postgresql://ann:{}@h:port/db"],
        ["recommend", "--policy", "p", "--store", "a", "--store", "postgresql://ann:{}@h/db"],
    ],
)
def test_a_wrong_command_line_is_not_quoted_with_the_password(
    tmp_path: Path, words: list[str]
) -> None:
    done = apportion(tmp_path, *(word.format(SECRET) for word in words))
    assert done.returncode == 2 and SECRET not in done.stdout + done.stderr
    assert done.stderr.count("\n") == 1


READERS = {
    "recommend": ["--policy", "lab-0.8m"],
    "replay": ["--policy", "lab-0.8m"],
    "report": ["--policy", "lab-0.8m", "--out", "report.html"],
    "evaluate": [],
    "budget": ["--plan", "plan.json", "--workload", "mix.toml", "--total-tokens", "1e6"],
}


@pytest.mark.parametrize("option", ["--store", "--store-file"])
@pytest.mark.parametrize("command", READERS)
def test_a_named_store_that_does_not_exist_is_not_replaced_by_bundled_evidence(
    tmp_path: Path, command: str, option: str
) -> None:
    (tmp_path / "url").write_text("sqlite:///mistyped.db")
    given = "url" if option == "--store-file" else "sqlite:///mistyped.db"
    done = apportion(tmp_path, command, *READERS[command], option, given)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr == (
        "apportion: store sqlite:///mistyped.db: there is no such file; "
        "profile or measure makes one\n"
    )


def test_the_store_that_the_environment_names_may_not_exist_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("APPORTION_STORE", "sqlite:///mine.db")
    assert main(["recommend", "--policy", "lab-0.8m", "--json"]) == 0
    assert capsys.readouterr().err == (
        "apportion: store sqlite:///mine.db: there is no such file yet; APPORTION_STORE names it. "
        "Only bundled evidence counts\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_folder_or_a_name_that_is_too_long_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    for name, reason in (("dir", "is a folder"), ("a" * 300, "cannot be opened (File name too")):
        done = apportion(
            tmp_path, "recommend", "--policy", "lab-0.8m", "--store", f"sqlite:///{name}"
        )
        assert done.returncode == 2 and not done.stdout
        assert done.stderr.count("\n") == 1 and reason in done.stderr


@pytest.mark.parametrize("given", [(), ("--store", DEFAULT_STORE), ("--store", "sqlite://")])
def test_a_default_store_need_not_exist(tmp_path: Path, given: tuple[str, ...]) -> None:
    assert apportion(tmp_path, "recommend", "--policy", "lab-0.8m", *given).returncode == 0


@pytest.mark.parametrize(("target", "code"), [("0.999", 4), ("0.01", 0)])
def test_a_target_that_nothing_reaches_has_an_exit_code(
    tmp_path: Path, target: str, code: int
) -> None:
    words = ("recommend", "--policy", "lab-0.8m", "--target-accuracy", target)
    done = apportion(tmp_path, *words, "--json")
    assert done.returncode == code, done.stderr
    assert '"strategy"' in done.stdout
