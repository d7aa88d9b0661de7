"""The command line's options: those that several commands share, a function a group."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from executor.errors import InputError
from executor.strategy import WIDTH
from planner.usecases import DEFAULT_STORE

USAGE_ERROR = 2


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all of this program's."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is; exit code 2."""
        self.exit(USAGE_ERROR, f"apportion: {message}; see {self.prog} --help\n")


def add_command(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    summary: str,
    examples: str,
) -> Parser:
    """A command with what every command has."""
    command = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog="examples:\n" + "\n".join(f"  {line}" for line in examples.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(module=name.replace("-", "_"))
    command.add_argument(
        "--json", action="store_true", help="print one JSON document on stdout, nothing else"
    )
    command.add_argument(
        "--store",
        default=DEFAULT_STORE,
        metavar="URL",
        help=f"SQLAlchemy URL of the store (default: {DEFAULT_STORE}; demo: in --out)",
    )
    return command


def whole(text: str) -> int:
    """A whole number, as argparse wants its types."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def runnable(name: str) -> str:
    """The hub id that a name of the catalog stands for; any other name as it is."""
    from planner.catalog import load_catalog

    try:
        return load_catalog().hub_id(name)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_models(command: Parser, *, served: bool = True) -> None:
    """Policy and PRM."""
    server = ", or address of a server" if served else ""
    kind = runnable if served else str
    command.add_argument(
        "--policy",
        required=True,
        type=kind,
        help=f"catalog name (lab-0.8m), checkpoint folder, hub id{server}",
    )
    command.add_argument(
        "--prm",
        type=kind,
        help=f"catalog name (lab-0.8m-prm), folder made by fit-prm, hub id{server}",
    )


def add_servers(command: Parser, *, prm: bool = True, outage: float = 60.0) -> None:
    """What is told of servers."""
    group = command.add_argument_group(
        "servers", "addresses are http://host:port/v1, several of one model with commas"
    )
    group.add_argument(
        "--policy-model",
        metavar="NAME",
        help="which policy is served at the address given with --policy (default: as it says)",
    )
    if prm:
        group.add_argument("--prm-model", metavar="NAME", help="the same of --prm")
    group.add_argument(
        "--stall-timeout",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="a server that says nothing for so long is lost (default: 120)",
    )
    group.add_argument(
        "--outage-timeout",
        type=float,
        default=outage,
        metavar="SECONDS",
        help="how long all servers may be down before what needs them is given up "
        f"(default: {outage:g})",
    )


def add_problems(command: Parser) -> None:
    """A file of problems."""
    command.add_argument(
        "--problems",
        action="append",
        required=True,
        type=Path,
        metavar="FILE",
        help="JSONL, JSON or CSV; may be given several times",
    )
    command.add_argument(
        "--limit",
        action="append",
        type=whole,
        default=[],
        metavar="N",
        help="only the first N problems; once for all files, or once a file",
    )
    command.add_argument("--problem-field", metavar="NAME", help="field that holds the question")
    command.add_argument("--answer-field", metavar="NAME", help="field that holds the answer")


def add_sampling(command: Parser, *, prm: bool = True) -> None:
    """How the policy writes, and the engine."""
    group = command.add_argument_group("sampling (defaults: those of arXiv 2502.06703)")
    # None is "not given": a plan brings its own, and then these must not be given.
    number: Callable[[str], float] = float
    group.add_argument("--temperature", type=number, help="default: 0.7")
    group.add_argument("--top-p", type=number, help="default: 1")
    group.add_argument("--max-tokens", type=whole, help="of one response (8192)")
    group.add_argument("--max-step-tokens", type=whole, help="of one searched step (2048)")
    group.add_argument("--max-steps", type=whole, help="of one searched response (40)")
    group.add_argument("--template", help="task template: a bundled name or a JSON file")
    group.add_argument(
        "--token-cap", type=whole, help="most tokens generated for one problem, in all"
    )
    add_engine(command, prm=prm)
    add_servers(command, prm=prm)


def add_engine(command: Parser, *, prm: bool = True) -> None:
    """The engine, and how many problems are in flight."""
    group = command.add_argument_group("engine")
    group.add_argument("--seed", type=whole, default=0)
    group.add_argument(
        "--concurrency",
        type=whole,
        help="most problems in flight (default: as many as fill the engines)",
    )
    if prm:
        group.add_argument(
            "--apart",
            action="store_true",
            help="the policy's engine in a process of its own, on a CPU with half of the cores: "
            "faster beside a PRM of about its size, but loads some seconds longer",
        )
    add_sizes(group)


def add_sizes(group: argparse._ArgumentGroup) -> None:
    """Sizes and types of an engine."""
    group.add_argument("--max-model-len", type=whole, help="longest context in tokens")
    group.add_argument(
        "--kv-cache-gib", type=float, default=2.0, help="key-value cache of an engine on a CPU"
    )
    group.add_argument(
        "--dtype",
        default="auto",
        help="of the models (default: auto, their own, but 16 bits for 32)",
    )
    group.add_argument(
        "--gpu-memory-utilization",
        type=float,
        default=0.45,
        help="share of a GPU's memory an engine takes; policy and PRM are two (default: 0.45)",
    )
    group.add_argument(
        "--tensor-parallel-size", type=whole, default=1, help="GPUs a model is split over"
    )


def add_cluster(command: Parser) -> None:
    """Ray."""
    group = command.add_argument_group("cluster")
    group.add_argument(
        "--ray",
        action="store_true",
        help="spread problems over Ray workers, each with engines of its own and with "
        "--concurrency problems in flight",
    )
    group.add_argument(
        "--ray-workers",
        type=whole,
        metavar="N",
        help="default: one a GPU (a --tensor-parallel-size of them); without GPUs one a machine, "
        "at least 2",
    )
    group.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="of a cluster to join, auto for the one on this machine (default: RAY_ADDRESS, else "
        "Ray is started here for as long as the command runs)",
    )


def add_constraint(command: Parser) -> None:
    """What a choice must keep to."""
    group = command.add_argument_group("constraints")
    group.add_argument("--budget", type=whole, metavar="N", help="most generations a problem")
    group.add_argument("--max-flops", type=float, metavar="X", help="most FLOPs a problem")
    group.add_argument("--max-seconds", type=float, metavar="X", help="most seconds a problem")
    group.add_argument("--max-usd", type=float, metavar="X", help="most money a problem")
    group.add_argument(
        "--target-accuracy", type=float, metavar="A", help="the cheapest that reaches A"
    )
    group.add_argument(
        "--confidence", type=float, default=0.95, help="how sure it must be of A (default: 0.95)"
    )


def add_published(command: Parser) -> None:
    """Where published figures may answer."""
    command.add_argument(
        "--benchmark",
        metavar="NAME",
        help="answer from imported runs on this benchmark, else from published figures of it, as "
        "MATH-500 (default, where nothing was measured) or AIME24",
    )
    command.add_argument(
        "--catalog",
        type=Path,
        metavar="FILE",
        help="TOML with policies and PRMs of yours, laid out as data/catalog.toml",
    )


def add_prices(command: Parser, whose: str = "") -> None:
    """What costs are counted by; `whose` costs, where not all are."""
    group = command.add_argument_group(
        "prices",
        f"what seconds, money and energy{whose} are counted by (default: as runs here measured)",
    )
    group.add_argument(
        "--device", metavar="NAME", help="seconds, price and power of this one, by its data sheet"
    )
    group.add_argument(
        "--devices", type=whole, metavar="K", help="of it, an engine is split over (default: 1)"
    )
    group.add_argument(
        "--prices",
        type=Path,
        metavar="FILE",
        help="devices, prices and assumptions of your own, over those of data/prices.toml",
    )
    group.add_argument(
        "--usd-per-hour", type=float, metavar="X", help="price of the machine, or of one device"
    )
    group.add_argument(
        "--watts", type=float, metavar="X", help="power of the machine, or of one device"
    )
    group.add_argument(
        "--context",
        type=float,
        metavar="TOKENS",
        help="of a whole sequence: counts the FLOPs of attention, too",
    )


def add_service(command: Parser) -> None:
    """The service: where it listens, whom it lets in, and how much a request may take."""
    group = command.add_argument_group("service")
    group.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this machine")
    group.add_argument(
        "--port", type=whole, default=8080, help="0: any that is free (default: %(default)s)"
    )
    group.add_argument(
        "--api-keys",
        type=Path,
        metavar="FILE",
        help="who may ask: a key a line (default: those of APPORTION_API_KEYS, with commas; "
        "without either everybody)",
    )
    group.add_argument(
        "--queue",
        type=whole,
        metavar="N",
        help="questions that may wait while --concurrency others are answered; more are told to "
        "come again (default: 128)",
    )
    group.add_argument(
        "--max-per-key",
        type=whole,
        metavar="N",
        help="of these places, that one key may take (default: all that are not kept for the first "
        "questions of the others)",
    )
    group.add_argument(
        "--max-prompts", type=whole, metavar="N", help="of one request (default: 64)"
    )
    group.add_argument(
        "--max-body", type=whole, metavar="BYTES", help="of a request (default: 1048576)"
    )
    group.add_argument(
        "--max-tokens",
        type=whole,
        metavar="N",
        help="of one response, that a request may ask for (default: 8192)",
    )
    group.add_argument(
        "--max-budget",
        type=whole,
        metavar="N",
        help="generations a question, that a request may ask for (default: 256)",
    )
    group.add_argument(
        "--drain-seconds",
        type=float,
        metavar="S",
        help="how long what runs may go on after SIGTERM or SIGINT (default: 30)",
    )
    group.add_argument(
        "--log-prompts",
        action="store_true",
        help="write questions and answers to the log, too",
    )


def add_strategy_options(command: Parser) -> None:
    """Parameters of strategies."""
    command.add_argument(
        "--width", type=whole, help=f"branches a beam or subtree (default: {WIDTH})"
    )
    command.add_argument(
        "--softmax-temperature", type=float, help="of a particle filter's resampling (default: 1)"
    )
    command.add_argument(
        "--confidence", type=float, help="at which an adaptive majority ends (default: 0.95)"
    )
    command.add_argument("--score", help="min, last, mean or prod (default: last)")
    command.add_argument("--vote", help="majority, max or weighted (default: the strategy's own)")
