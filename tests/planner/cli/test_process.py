"""The command line as a process: start-up, what it imports, broken pipes and interrupts."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.helpers.command import apportion_process, environment
from tests.helpers.scored_store import POLICY, PRM, fill

pytestmark = pytest.mark.process

PUBLISHED = ["--policy", "Llama-3.2-1B-Instruct", "--prm", "RLHFlow-PRM-Deepseek-8B"]
BUNDLED = ["--policy", "lab-0.8m", "--prm", "lab-0.8m-prm"]


def test_help_is_quick_and_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, planner.cli.main as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'vllm', 'transformers', 'optuna', 'pandas', 'sklearn', 'sqlalchemy'}\n"
        "heavy |= {'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ended = apportion_process(tmp_path, code=code)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.rstrip().endswith("[]")
    for command in (
        "profile", "measure", "import", "replay", "fit", "plan", "run", "budget", "recommend",
        "report", "demo",
    ):  # fmt: skip
        assert command in ended.stdout


def test_the_console_script_is_the_module(tmp_path: Path) -> None:
    script = shutil.which("apportion", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("apportion is not installed beside the interpreter")
    ended = subprocess.run(
        [script, "recommend", *BUNDLED, "--difficulty", "tricky"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("apportion: difficulty 'tricky'")
    assert len(ended.stderr.splitlines()) == 1


def test_commands_that_read_evidence_need_no_engine(tmp_path: Path, without_engines: str) -> None:
    """One process runs them all; torch, vllm and transformers cannot be imported there."""
    fill(tmp_path)
    pair = ["--policy", POLICY, "--prm", PRM]
    (tmp_path / "mix.toml").write_text("easy = 6\nhard = 4\n")
    lines = [
        ["recommend", *pair, "--budget", "4"],
        ["recommend", *BUNDLED, "--budget", "16", "--store", "sqlite://"],
        ["recommend", *PUBLISHED, "--benchmark", "MATH-500", "--budget", "256"],
        ["replay", "--k", "4"],
        ["report", "--out", "report.html"],
        ["report", *PUBLISHED, "--out", "published.html", "--store", "sqlite://"],
        ["plan", *pair, "--budget", "4", "--out", "plan.json"],
        ["budget", "--plan", "plan.json", "--workload", "mix.toml", "--total-tokens", "1e6"],
    ]
    many = without_engines.replace(
        "sys.exit(main(sys.argv[1:]))",
        "import json\nsys.exit(max(main(line) for line in json.loads(sys.argv[1])))",
    )
    ended = apportion_process(tmp_path, json.dumps(lines), code=many)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "No module named" not in ended.stderr
    names = {"mix.toml", "apportion.db", "report.html", "published.html", "plan.json"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_reader_that_has_gone_is_no_error(tmp_path: Path) -> None:
    """As in `apportion recommend | head -1`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "planner.cli.main", "recommend", *BUNDLED, "--json"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 0, said
    assert "Traceback" not in said and "BrokenPipe" not in said


def test_ctrl_c_is_one_line_and_exit_code_130(tmp_path: Path) -> None:
    program = (
        "import signal, sys, time, planner.cli.commands.replay as replay, planner.cli.main as c\n"
        # A shell that starts the tests in the background makes them ignore the signal.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def run(arguments, output):\n"
        "    print('running', file=sys.stderr, flush=True)\n"
        "    time.sleep(60)\n"
        "replay.run = run\n"
        "sys.exit(c.main(['replay']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        out, said = process.communicate()
    finally:
        watchdog.cancel()
    assert (process.returncode, out) == (130, "")
    assert said == "apportion: interrupted; the same command goes on\n"
