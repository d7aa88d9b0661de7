"""Options that several commands share, one function per group, and the record of a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from executor.errors import InputError
from executor.passwords import hide_passwords
from executor.strategy import FIRST, ROUNDS, SHOWN, WIDTH
from executor.thinking.budget import Thinking
from executor.thinking.formats import FORMATS
from planner.cli.api_options import add_api
from planner.usecases import DEFAULT_STORE

USAGE_ERROR = 2


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and which takes each option of one value only once."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.given: set[str] = set()
        for name in (None, "store"):
            self.register("action", name, _Once)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See argparse."""
        self.given.clear()
        return super().parse_known_args(args, namespace)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See argparse; what nothing recognizes is an error of its command, not of the program."""
        parsed, extras = self.parse_known_args(args, namespace)
        if extras:
            parser: Parser = getattr(parsed, "parser", self)
            parser.error(f"unrecognized arguments: {' '.join(extras)}")
        return parsed

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Read one value; an empty one is mostly a variable of a script that is not set."""
        if not (arg_string.strip() or isinstance(action, argparse._SubParsersAction)):
            raise argparse.ArgumentError(action, "is empty; give a value, or leave it out")
        return super()._get_value(action, arg_string)

    def error(self, message: str) -> NoReturn:
        """Print the error and the way to get help; exit with code 2."""
        line = hide_passwords(" ".join(message.split()))
        self.exit(USAGE_ERROR, f"apportion: {line}; see {self.prog} --help\n")


class _Once(argparse._StoreAction):
    """Stores the value of an option, and refuses a second one rather than forget the first."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> None:
        """See argparse."""
        assert isinstance(parser, Parser)
        if self.dest in parser.given:
            raise argparse.ArgumentError(self, "is given twice; expected once")
        parser.given.add(self.dest)
        super().__call__(parser, namespace, values, option)


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the command line.

    Attributes:
        name: what users type.
        module: name of the module in `planner.cli.commands` that runs it.
        summary: one line for `apportion --help`: a verb first, no full stop.
        examples: command lines, one a line.
        add_arguments: adds its options to its parser.
        makes_store: whether it makes the store that it is given, if there is none.
    """

    name: str
    module: str
    summary: str
    examples: str
    add_arguments: Callable[[Parser], None]
    makes_store: bool = True


def add_command(commands: argparse._SubParsersAction[Parser], command: Command) -> None:
    """Add a command, with the options that every command has and its own."""
    parser = commands.add_parser(
        command.name,
        help=command.summary,
        description=command.summary[0].upper() + command.summary[1:] + ".",
        epilog="examples:\n" + "\n".join(f"  {line}" for line in command.examples.splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(module=command.module, makes_store=command.makes_store, parser=parser)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document on stdout, nothing else"
    )
    parser.set_defaults(default_store=DEFAULT_STORE)
    parser.add_argument(
        "--store",
        metavar="URL",
        help="SQLAlchemy URL of the store (default: that of APPORTION_STORE, else "
        f"{DEFAULT_STORE}; demo: in --out)",
    )
    parser.add_argument(
        "--store-file",
        type=Path,
        metavar="FILE",
        help="file with that URL, so that its password is on no command line",
    )
    command.add_arguments(parser)


def whole(text: str) -> int:
    """Parse a whole number, as a type of argparse."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def size(text: str) -> int:
    """Parse a number of parameters (7B, 135M, 7e9), as a type of argparse."""
    units = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
    try:
        unit = units.get(text[-1:].lower())
        parameters = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        parameters = 0.0
    if not 1 <= parameters < 1e16:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of parameters, such as 7B or 135M")
    return round(parameters)


def thinking(text: str) -> Thinking:
    """Parse a thinking budget (0, 512, free), as a type of argparse."""
    try:
        return Thinking.read(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error).partition(": ")[2]) from None


def thinkings(text: str) -> tuple[Thinking, ...]:
    """Parse thinking budgets that commas separate, as a type of argparse."""
    return tuple(thinking(one) for one in text.split(","))


def runnable(name: str) -> str:
    """The hub id of a catalog name, as a type of argparse; any other name as it is."""
    from planner.catalog import load_catalog

    try:
        return load_catalog().hub_id(name)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_models(command: Parser, *, served: bool = True, several: bool = False) -> None:
    """Add policy and PRM.

    Args:
        command: parser to add them to.
        served: whether they may be addresses of servers.
        several: whether each may be given several times.
    """
    server = ", or address of a server" if served else ""
    policies = "; several times, or all, to choose between models" if several else ""
    prms = (
        "; of several policies also none, or (default) all that there is evidence with"
        if several
        else ""
    )
    kind = runnable if served else str
    action = "append" if several else "store"
    command.add_argument(
        "--policy",
        required=True,
        type=kind,
        action=action,
        help="policy: catalog name (lab-0.8m), checkpoint folder, GGUF file, hub id"
        f"{server}{policies}",
    )
    add_scorer(
        command,
        "what scores responses: mean-logprob (free), tests (those that are public, of programs), a "
        "scorer of a package, or a PRM: catalog name (lab-0.8m-prm), folder made by fit-prm, hub "
        f"id{server}{prms}",
        kind,
        action,
    )


def add_scorer(
    command: Parser | argparse._ArgumentGroup,
    text: str,
    kind: Callable[[str], str] = str,
    action: str = "store",
) -> None:
    """Add the scorer; `--prm` is another name of the option."""
    command.add_argument(
        "--scorer", "--prm", dest="prm", type=kind, action=action, metavar="SCORER", help=text
    )


def add_servers(command: Parser, *, prm: bool = True, outage: float = 60.0) -> None:
    """Add models behind addresses and waiting times; `outage`: default of one, in seconds."""
    group = command.add_argument_group(
        "servers",
        "an address is http://host:port/v1; separate several servers of one model with commas",
    )
    group.add_argument(
        "--policy-model",
        metavar="NAME",
        help="policy that the server at the address --policy has (default: as the server says)",
    )
    if prm:
        group.add_argument("--prm-model", metavar="NAME", help="the same for --prm")
    group.add_argument(
        "--stall-timeout",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="how long a server may be silent before it counts as lost (default: 120)",
    )
    group.add_argument(
        "--outage-timeout",
        type=float,
        default=outage,
        metavar="SECONDS",
        help="how long all servers of a model may be down before the command gives up "
        f"(default: {outage:g})",
    )
    add_api(command)


def add_problems(command: Parser) -> None:
    """Add files of problems, their limits and fields."""
    command.add_argument(
        "--problems",
        action="append",
        required=True,
        type=Path,
        metavar="FILE",
        help="file of problems: JSONL, JSON, CSV or Parquet, packed or not; may be given several "
        "times",
    )
    command.add_argument(
        "--limit",
        action="append",
        type=whole,
        default=[],
        metavar="N",
        help="keep only the first N problems; give it once for all files, or once a file",
    )
    command.add_argument("--problem-field", metavar="NAME", help="field that holds the question")
    command.add_argument("--answer-field", metavar="NAME", help="field that holds the answer")
    add_domain(command)
    add_execution(command)


def add_domain(command: Parser, default: str = "that of the problems") -> None:
    """Add the domain; `default`: what it is if it is not given, in words."""
    command.add_argument(
        "--domain",
        metavar="NAME",
        help="what an answer is: maths, code, json, exact, or that of another package "
        f"(default: {default})",
    )


def add_execution(command: Parser) -> None:
    """Add leave to run programs without isolation."""
    command.add_argument(
        "--unsafe-execution",
        action="store_true",
        help="run programs of models even if this system allows no isolation; they then have your "
        "rights",
    )


def add_sampling(command: Parser, *, prm: bool = True, budgets: bool = False) -> None:
    """Add how the policy samples, the engine and the servers.

    Args:
        command: parser to add them to.
        prm: whether the command has a PRM.
        budgets: whether it takes several thinking budgets.
    """
    group = command.add_argument_group("sampling (defaults: those of arXiv 2502.06703)")
    # None means "not given": a plan has its own sampling, and the user may not give another.
    number: Callable[[str], float] = float
    group.add_argument("--temperature", type=number, help="sampling temperature (default: 0.7)")
    group.add_argument("--top-p", type=number, help="nucleus sampling (default: 1)")
    group.add_argument("--max-tokens", type=whole, help="most tokens of a response (default: 8192)")
    group.add_argument(
        "--max-step-tokens", type=whole, help="most tokens of a step in a search (default: 2048)"
    )
    group.add_argument(
        "--max-steps", type=whole, help="most steps of a response in a search (default: 40)"
    )
    group.add_argument(
        "--thinking",
        type=thinkings if budgets else thinking,
        metavar="B",
        help="most tokens of a thought, of a policy that thinks before it answers: 0 (off), a "
        "number, or free"
        + (", or several, as in 0,512,free" if budgets else "")
        + " (default: free)",
    )
    group.add_argument(
        "--thinking-format",
        metavar="NAME",
        help="format of the policy's thoughts: "
        + ", ".join(one.name for one in FORMATS)
        + " (default: the one that its chat template shows)",
    )
    group.add_argument(
        "--template", help="prompt template: a bundled name or a JSON file (default: the policy's)"
    )
    group.add_argument(
        "--token-cap", type=whole, help="most tokens generated for a problem, over all responses"
    )
    add_engine(command, prm=prm)
    add_servers(command, prm=prm)


def add_engine(command: Parser, *, prm: bool = True) -> None:
    """Add seed, problems in flight and the engine."""
    group = command.add_argument_group("engine")
    group.add_argument(
        "--seed", type=whole, default=0, help="base seed of all sampling (default: %(default)s)"
    )
    group.add_argument(
        "--concurrency",
        type=whole,
        help="most problems in flight (default: as many as fill the engines)",
    )
    if prm:
        group.add_argument(
            "--apart",
            action="store_true",
            help="run the policy's engine in a process of its own, on a CPU with half of the "
            "cores: faster beside a PRM of about its size, but takes some seconds longer to load",
        )
    add_sizes(group)


def add_sizes(group: argparse._ArgumentGroup) -> None:
    """Add sizes and types of an engine."""
    group.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="let checkpoints run Python code of their own, with your rights; without it a model "
        "that needs such code is refused",
    )
    group.add_argument("--max-model-len", type=whole, help="longest context in tokens")
    group.add_argument(
        "--kv-cache-gib",
        type=float,
        help="size of an engine's key-value cache on a CPU, in GiB (default: what a batch needs, "
        "as far as the free memory allows)",
    )
    group.add_argument(
        "--dtype",
        default="auto",
        help="data type of the models (default: auto, their own, but 16 bits for 32)",
    )
    group.add_argument(
        "--gpu-memory-utilization",
        type=float,
        default=0.45,
        help="share of a GPU's memory that an engine takes; policy and PRM have one each "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--tensor-parallel-size",
        type=whole,
        default=1,
        help="number of GPUs to split a model over (default: %(default)s)",
    )


def add_cluster(command: Parser) -> None:
    """Add the Ray cluster."""
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
        help="number of workers (default: one for each GPU, or for each --tensor-parallel-size of "
        "them; without GPUs one for each machine, at least 2)",
    )
    group.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="address of a cluster to join, or auto for the one on this machine (default: that of "
        "RAY_ADDRESS; without it the command starts Ray here and stops it at the end)",
    )


def add_constraint(command: Parser) -> None:
    """Add the limits of a choice."""
    group = command.add_argument_group("constraints")
    group.add_argument("--budget", type=whole, metavar="N", help="most generations a problem")
    group.add_argument("--max-flops", type=float, metavar="X", help="most FLOPs a problem")
    group.add_argument("--max-seconds", type=float, metavar="X", help="most seconds a problem")
    group.add_argument("--max-usd", type=float, metavar="X", help="most money a problem")
    group.add_argument(
        "--target-accuracy",
        type=float,
        metavar="A",
        help="choose the cheapest that reaches accuracy A",
    )
    group.add_argument(
        "--confidence",
        type=float,
        default=0.95,
        help="how sure it must be that A is reached (default: %(default)s)",
    )


def add_published(command: Parser) -> None:
    """Add benchmark and catalog, for answers from published figures."""
    command.add_argument(
        "--benchmark",
        metavar="NAME",
        help="answer from imported runs on this benchmark, else from its published figures: "
        "MATH-500 (the default if nothing was measured), AIME24, ...",
    )
    command.add_argument(
        "--catalog",
        type=Path,
        metavar="FILE",
        help="TOML file with your own policies and PRMs, laid out as data/catalog.toml",
    )
    command.add_argument(
        "--parameters",
        type=size,
        metavar="SIZE",
        help="number of parameters of a policy that no catalog lists: 7B, 135M, 7e9",
    )
    command.add_argument("--prm-parameters", type=size, metavar="SIZE", help="the same of the PRM")
    command.add_argument(
        "--allow-unknown",
        action="store_true",
        help="answer for a name that nobody knows, as for a model of unknown size",
    )


def add_prices(command: Parser, whose: str = "") -> None:
    """Add devices and prices; `whose` names the costs that count by them, if not all do."""
    group = command.add_argument_group(
        "prices",
        f"how to count seconds, money and energy{whose} (default: as runs here measured)",
    )
    group.add_argument(
        "--device", metavar="NAME", help="device whose data sheet gives seconds, price and power"
    )
    group.add_argument(
        "--devices", type=whole, metavar="K", help="number of devices of an engine (default: 1)"
    )
    add_token_prices(group)
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
        help="length of a whole sequence: counts the FLOPs of attention, too",
    )


def add_spending(command: Parser) -> None:
    """Add the hard cap on money, and the prices that it counts by."""
    group = command.add_argument_group("money")
    group.add_argument(
        "--max-usd",
        type=float,
        metavar="X",
        help="hard cap on what the policy's requests of this command cost, by the prices of "
        "tokens: none is sent that could exceed it, and finished problems are kept",
    )
    add_token_prices(group)


def add_token_prices(group: argparse._ArgumentGroup) -> None:
    """Add where prices of tokens come from."""
    group.add_argument(
        "--prices",
        type=Path,
        metavar="FILE",
        help="TOML file with your own devices, prices and assumptions, over those of "
        "data/prices.toml; a JSON file of LiteLLM; or litellm, for the bundled extract of it",
    )
    group.add_argument(
        "--batch-prices",
        action="store_true",
        help="take the prices of batch requests of a LiteLLM file",
    )
    group.add_argument(
        "--price-name",
        action="append",
        default=[],
        metavar="MODEL=NAME",
        help="name by which the prices know a model; several times",
    )


def add_strategy_options(command: Parser) -> None:
    """Add the parameters of strategies."""
    command.add_argument(
        "--width", type=whole, help=f"number of branches a beam or subtree (default: {WIDTH})"
    )
    command.add_argument(
        "--softmax-temperature",
        type=float,
        help="temperature of a particle filter's resampling (default: 1)",
    )
    command.add_argument(
        "--confidence",
        type=float,
        help="how sure an adaptive majority is when it ends (default: 0.95)",
    )
    command.add_argument(
        "--m",
        type=whole,
        help=f"number of responses that vote in short_m_of_k, the first to finish "
        f"(default: {FIRST})",
    )
    command.add_argument(
        "--rounds",
        type=whole,
        help=f"number of rounds of an aggregation after the first answers (default: {ROUNDS})",
    )
    command.add_argument(
        "--shown",
        type=whole,
        help="number of answers that a new one of an aggregation is written from; 1 is "
        f"self-refinement (default: {SHOWN})",
    )
    command.add_argument(
        "--score", help="score of a response: min, last, mean or prod of its steps (default: last)"
    )
    command.add_argument(
        "--vote",
        help="vote over responses: majority, max, weighted or borda (default: the strategy's own)",
    )
    command.add_argument(
        "--keep",
        type=float,
        help="share of the samples of best_of_n that vote, those with the best scores (default: 1)",
    )
    command.add_argument(
        "--power", type=float, help="power of the Borda votes of best_of_n (default: 1)"
    )
