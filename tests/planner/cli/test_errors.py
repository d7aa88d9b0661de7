"""Bad input: one clear line, exit code 2, the store untouched. No model is loaded for any of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from executor.store.store import Store
from executor.strategy import BestOfN, Majority, Sampling
from planner.choice.estimate import StrategyEstimate
from planner.costs.cost import Cost
from planner.plans.serialization import save_plan
from tests.helpers.command import apportion
from tests.helpers.plans import plan_with

QUESTION = '{"question": "1 + 1?", "answer": "2"}\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a good problem file and an empty store."""
    (tmp_path / "good.jsonl").write_text(QUESTION)
    Store.open(f"sqlite:///{tmp_path}/store.db").close()
    return tmp_path


def digest(place: Path) -> str:
    return hashlib.sha256((place / "store.db").read_bytes()).hexdigest()


def profile(place: Path, file: str, *more: str) -> list[str]:
    return ["profile", "--problems", file, "--policy", "smollm2-135m", *more]


def _not_json(place: Path) -> list[str]:
    (place / "bad.jsonl").write_text(QUESTION * 6 + "{oops\n" + QUESTION)
    return profile(place, "bad.jsonl")


def _no_answer(place: Path) -> list[str]:
    (place / "bare.jsonl").write_text('{"question": "1 + 1?"}\n')
    return profile(place, "bare.jsonl")


def _old_plan(place: Path) -> list[str]:
    (place / "plan.json").write_text(json.dumps({"format": "apportion-plan", "version": 99}))
    return ["run", "--plan", "plan.json", "--problems", "good.jsonl"]


def _damaged_plan(place: Path) -> list[str]:
    (place / "plan.json").write_text(json.dumps({"format": "apportion-plan", "version": 3}))
    return ["run", "--plan", "plan.json", "--problems", "good.jsonl"]


def _not_a_plan(place: Path) -> list[str]:
    (place / "plan.json").write_text("[1]")
    return ["run", "--plan", "plan.json", "--problems", "good.jsonl"]


def _read_only(place: Path) -> list[str]:
    (place / "store.db").chmod(0o444)
    return profile(place, "good.jsonl")


def _classifier(place: Path) -> str:
    (place / "model").mkdir()
    config = {"architectures": ["LlamaForSequenceClassification"]}
    (place / "model" / "config.json").write_text(json.dumps(config))
    return "model"


def _plan(place: Path, prm: str | None = None) -> str:
    """A good plan, whose strategy needs the PRM if it has one."""
    strategy = Majority(4) if prm is None else BestOfN(4)
    estimate = StrategyEstimate(strategy, 0.5, (0.4, 0.6), (5.0, 5.0), Cost(64.0, 9.0, 0.0))
    made = plan_with(
        {"all": [estimate]}, policy="smollm2-135m", prm=prm,
        sampling=Sampling(max_tokens=64, max_steps=4, max_step_tokens=64),
    )  # fmt: skip
    save_plan(made, place / "plan.json")
    return "plan.json"


def _mix(place: Path, text: str) -> str:
    (place / "mix.toml").write_text(text)
    return "mix.toml"


def _other_tokenizer(place: Path) -> list[str]:
    head = place / "head"
    head.mkdir()
    (head / "config.json").write_text("{}")
    card = {
        "format": "apportion-reward-head", "version": 1, "policy": "another",
        "tokenizer": "0123456789abcdef", "template": {"user": "{problem}"}, "intercept": 0.0,
        "layers": 2, "trained_on": [], "metrics": {},
    }  # fmt: skip
    (head / "apportion_prm.json").write_text(json.dumps(card))
    return _measure("--strategies", "dvts", "--budgets", "4", "--prm", "head")


def _no_prm(place: Path) -> list[str]:
    (place / "head").mkdir()
    (place / "head" / "config.json").write_text("{}")
    return _measure("--strategies", "dvts", "--budgets", "4", "--prm", "head")


def _served(address: str) -> list[str]:
    return ["profile", "--problems", "good.jsonl", "--policy", address]


def _measure(*more: str) -> list[str]:
    return ["measure", "--problems", "good.jsonl", "--policy", "smollm2-135m", *more]


Case = Callable[[Path], list[str]]
CASES: dict[str, tuple[Case, str]] = {
    "missing file": (lambda p: profile(p, "none.jsonl"), "none.jsonl"),
    "not JSON at line 7": (_not_json, "line 7"),
    "no answer field": (_no_answer, "--answer-field"),
    "budget 0": (lambda p: _measure("--strategies", "majority", "--budgets", "0"), "budget 0"),
    "budget 6 with width 4": (
        lambda p: _measure("--strategies", "dvts", "--budgets", "6", "--prm", "head"),
        "multiple of the width",
    ),
    "more voters than samples": (
        lambda p: _measure("--strategies", "short_m_of_k", "--budgets", "4", "--m", "5"),
        "m 5 for short_m_of_k with budget 4: must be",
    ),
    "generations that make no whole rounds": (
        lambda p: _measure("--strategies", "aggregate", "--budgets", "18"),
        "budget 18 for aggregate: must be a multiple of 4",
    ),
    "earlier answers for a policy of single questions": (
        lambda p: [
            "measure",
            "--problems",
            "good.jsonl",
            "--policy",
            "lab-0.4m",
            "--strategies",
            "aggregate",
            "--budgets",
            "16",
        ],
        "aggregate: policy lab-0.4m was trained on single questions",
    ),
    "unknown strategy": (lambda p: _measure("--strategies", "guess"), "beam_search"),
    "an option the strategy does not have": (
        lambda p: _measure("--strategies", "majority", "--score", "foo"),
        "--score: majority does not have it",
    ),
    "servers and a cluster": (
        lambda p: [
            "profile",
            "--problems",
            "good.jsonl",
            "--ray",
            "--policy",
            "http://127.0.0.1:9/v1",
            "--policy-model",
            "lab-0.4m",
        ],
        "is an address",
    ),
    "unknown policy": (
        lambda p: ["profile", "--problems", "good.jsonl", "--policy", "nope"],
        "smollm2-135m",
    ),
    "no PRM for a strategy that needs one": (
        lambda p: _measure("--strategies", "dvts", "--budgets", "4"),
        "--prm",
    ),
    "a classifier for a policy": (
        lambda p: ["profile", "--problems", "good.jsonl", "--policy", _classifier(p)],
        "PRMs go with --prm",
    ),
    "a PRM that has moved": (
        lambda p: ["run", "--plan", _plan(p, prm="/gone/head"), "--problems", "good.jsonl"],
        "say where it is now",
    ),
    "unknown PRM": (
        lambda p: _measure("--strategies", "dvts", "--budgets", "4", "--prm", "nope"),
        "PRM nope: no such model",
    ),
    "a model that is no PRM": (_no_prm, "no known PRM convention"),
    "PRM whose tokenizer does not fit": (_other_tokenizer, "tokenizer does not fit"),
    "plan of another version": (_old_plan, "version 99"),
    "damaged plan": (_damaged_plan, "policy is missing"),
    "not a plan": (_not_a_plan, "not a plan"),
    "missing plan": (
        lambda p: ["run", "--plan", "no.json", "--problems", "good.jsonl"],
        "no.json",
    ),
    "read-only store": (_read_only, "read-only"),
    "unknown difficulty": (
        lambda p: ["recommend", "--policy", "smollm2-135m", "--difficulty", "tricky"],
        "easy, medium, hard",
    ),
    "policy without evidence": (lambda p: ["recommend", "--policy", "nobody"], "no evidence"),
    "0 further problems": (
        lambda p: ["recommend", "--policy", "smollm2-135m", "--next-problems", "0"],
        "next-problems is 0; expected a whole number of at least 1",
    ),
    "limits that nothing keeps to": (
        lambda p: ["recommend", "--policy", "smollm2-135m", "--budget", "4", "--max-flops", "1e3"],
        "difficulty all: no known strategy keeps to max-flops 1000; the nearest, greedy, needs",
    ),
    "budget 0 to recommend": (
        lambda p: ["recommend", "--policy", "smollm2-135m", "--budget", "0"],
        "budget is 0; expected",
    ),
    "limit in seconds where none are known": (
        lambda p: ["recommend", "--policy", "smollm2-135m", "--max-seconds", "1"],
        "--max-seconds: no throughput is measured: give --device NAME",
    ),
    "limit in money where nothing has a price": (
        lambda p: [
            "recommend",
            "--policy",
            "smollm2-135m",
            "--max-usd",
            "1",
            "--device",
            "rtx-4090-24gb",
        ],
        "--max-usd: nothing here has a price: give --usd-per-hour",
    ),
    "unknown device": (
        lambda p: ["recommend", "--policy", "smollm2-135m", "--device", "tpu"],
        "--device tpu: must be one of a100-sxm-80gb",
    ),
    "wrong prices": (
        lambda p: ["recommend", "--policy", "smollm2-135m", "--prices", "good.jsonl"],
        "prices good.jsonl: not TOML",
    ),
    "budget of an old plan": (
        lambda p: ["budget", "--workload", "good.jsonl", *_old_plan(p)[1:3]],
        "is version 99; this apportion reads version 3; make it again with: apportion plan",
    ),
    "workload of unknown difficulty": (
        lambda p: ["budget", "--workload", _mix(p, "tricky = 3"), "--plan", _plan(p)],
        "difficulty is 'tricky'; expected one of easy, medium, hard",
    ),
    "two totals": (
        lambda p: [
            "budget",
            "--workload",
            "good.jsonl",
            "--plan",
            _plan(p),
            "--total-usd",
            "1",
            "--total-tokens",
            "2",
        ],
        "not allowed with",
    ),
    "replaying no policy": (lambda p: ["replay"], "--policy: must be given"),
    "replaying a policy without samples": (
        lambda p: ["replay", "--policy", "nobody"],
        "or use those of lab-0.4m",
    ),
    "replaying with a PRM that has not scored": (
        lambda p: ["replay", "--policy", "lab-0.4m", "--prm", "nobody"],
        "bundled are lab-0.4m-prm",
    ),
    "replaying 0 samples": (lambda p: ["replay", "--k", "0,4"], "--k is 0; expected"),
    "replaying some samples": (lambda p: ["replay", "--k", "some"], "as in 4,16,64"),
    "nothing to fit": (lambda p: ["fit"], "evidence"),
    "not a number": (lambda p: profile(p, "good.jsonl", "--seed", "x"), "not a whole number"),
    "sampling with a plan": (
        lambda p: ["run", "--plan", _plan(p), "--problems", "good.jsonl", "--max-tokens", "9"],
        "the plan says that",
    ),
    "temperature 9": (lambda p: profile(p, "good.jsonl", "--temperature", "9"), "temperature"),
    "thinking below 0": (
        lambda p: profile(p, "good.jsonl", "--thinking", "-1"),
        "--thinking: expected 0 (no thought), a number of tokens, or free",
    ),
    "thinking in words": (
        lambda p: profile(p, "good.jsonl", "--thinking", "hard"),
        "--thinking: expected 0 (no thought), a number of tokens, or free",
    ),
    "several thinking budgets of a measurement": (
        lambda p: _measure("--strategies", "greedy", "--thinking", "0,9"),
        "--thinking: expected 0 (no thought), a number of tokens, or free",
    ),
    "a thinking budget twice": (
        lambda p: profile(p, "good.jsonl", "--thinking", "0,9,0"),
        "a budget is given twice",
    ),
    "thinking without room for an answer": (
        lambda p: profile(p, "good.jsonl", "--thinking", "512", "--max-tokens", "512"),
        "no room for an answer behind such a thought",
    ),
    "an unknown format of thoughts": (
        lambda p: profile(p, "good.jsonl", "--thinking-format", "thinks"),
        "did you mean think?",
    ),
    "thinking of a policy that does not think": (
        lambda p: [
            "profile",
            "--problems",
            "good.jsonl",
            "--policy",
            "lab-0.4m",
            "--thinking",
            "9",
        ],
        "the chat template of policy lab-0.4m mentions no thoughts",
    ),
    "thinking with a plan": (
        lambda p: ["run", "--plan", _plan(p), "--problems", "good.jsonl", "--thinking", "9"],
        "the plan says that",
    ),
    "two limits for one file": (
        lambda p: profile(p, "good.jsonl", "--limit", "1", "--limit", "2"),
        "--limit",
    ),
    "plan without evidence": (
        lambda p: ["plan", "--policy", "nobody", "--out", "plan.json"],
        "apportion profile",
    ),
    "no server at the address": (
        lambda p: [*_served("http://127.0.0.1:9/v1"), "--policy-model", "lab-0.4m"],
        "no server answers there",
    ),
    "no server that tells its model": (
        lambda p: _served("http://127.0.0.1:9/v1"),
        "no server answers there",
    ),
    "not an address": (
        lambda p: [*_served("http://"), "--policy-model", "lab-0.4m"],
        "http://localhost:8000/v1",
    ),
    "a model's name without an address": (
        lambda p: [*_served("lab-0.4m"), "--policy-model", "lab-0.4m"],
        "--policy http://localhost:8000/v1",
    ),
    "an address of an unknown model": (
        lambda p: [
            *_served("http://127.0.0.1:9/v1"),
            "--policy-model",
            "nope",
            "--policy-api",
            "tokens",
        ],
        "policy nope: no such model",
    ),
    "an impatient user": (
        lambda p: profile(p, "good.jsonl", "--stall-timeout", "0"),
        "--stall-timeout",
    ),
    "evidence of an address": (
        lambda p: ["recommend", "--policy", "http://127.0.0.1:9/v1"],
        "evidence goes by a model's name",
    ),
    "a command for what is served": (
        lambda p: ["serve-command", "--prm", "http://127.0.0.1:9/v1"],
        "is served already",
    ),
    "run without plan or strategy": (lambda p: ["run", "--problems", "good.jsonl"], "--plan"),
}


CONNECTING = ("no server at the address", "no server that tells its model")


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=pytest.mark.socket if c in CONNECTING else ()) for c in CASES],
)
def test_bad_input_is_one_line_and_exit_code_2(case: str, place: Path) -> None:
    make, clue = CASES[case]
    arguments = make(place)
    before = digest(place)
    ended = apportion(place, *arguments, "--store", "sqlite:///store.db")
    said = ended.stderr.strip().splitlines()
    assert ended.returncode == 2, ended.stderr
    assert clue in said[-1]
    # Progress remarks may come before; the error itself is one line, and no traceback.
    assert sum(line.startswith("apportion: ") for line in said) == 1
    assert "Traceback" not in ended.stderr
    assert digest(place) == before


def test_bad_input_makes_no_store(tmp_path: Path) -> None:
    (tmp_path / "good.jsonl").write_text(QUESTION)
    for arguments in (["fit"], ["profile", "--problems", "good.jsonl", "--policy", "nope"]):
        assert apportion(tmp_path, *arguments).returncode == 2
        assert not (tmp_path / "apportion.db").exists()


def test_a_bad_store_is_one_line(place: Path) -> None:
    ended = apportion(place, "fit", "--store", "what is this")
    assert ended.returncode == 2
    assert "not a database URL" in ended.stderr


@pytest.mark.parametrize("empty", ["", "  "])
@pytest.mark.parametrize(
    "words",
    [
        ["recommend", "--policy"],
        ["recommend", "--policy", "lab-0.8m", "--prm"],
        ["recommend", "--policy", "lab-0.8m", "--benchmark"],
        ["recommend", "--policy", "lab-0.8m", "--catalog"],
        ["recommend", "--policy", "lab-0.8m", "--device"],
        ["recommend", "--policy", "lab-0.8m", "--store"],
        ["profile", "--policy", "lab-0.8m", "--problems"],
        ["grade"],
    ],
    ids=lambda words: words[-1],
)
def test_an_empty_value_is_named_with_its_option(
    tmp_path: Path, words: list[str], empty: str
) -> None:
    done = apportion(tmp_path, *words, empty)
    what = words[-1] if words[-1].startswith("--") else ""
    what = "--scorer/--prm" if what == "--prm" else what
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith(f"apportion: argument {what}")
    assert "is empty; give a value, or leave it out; see apportion " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["recommend", "replay"])
def test_an_unrecognized_option_points_to_the_help_of_its_command(
    tmp_path: Path, command: str
) -> None:
    done = apportion(tmp_path, command, "--policy", "lab-0.8m", "--nonsense")
    assert done.returncode == 2
    assert done.stderr == (
        f"apportion: unrecognized arguments: --nonsense; see apportion {command} --help\n"
    )
