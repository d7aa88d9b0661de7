"""The command line: parses, and hands over; the work is done in `planner.commands`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from executor.errors import EngineError, InputError
from executor.servers.address import located

DEFAULT_STORE = "sqlite:///apportion.db"
USAGE_ERROR = 2
ENGINE_ERROR = 3
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all of this program's."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is; exit code 2."""
        self.exit(USAGE_ERROR, f"apportion: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 bad input, 3 a lost engine."""
    arguments = build_parser().parse_args(argv)
    # torch's native code warns of what nobody here can mend; it reads this when it is loaded.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # Nothing heavy is imported before here: --help answers at once.
    command = importlib.import_module(f"planner.commands.{arguments.module}")
    from sqlalchemy.exc import SQLAlchemyError

    from planner.console import Output

    output = Output(as_json=arguments.json)
    try:
        for role in ("policy", "prm"):
            served = getattr(arguments, f"{role}_model", None)
            if served is not None:
                setattr(arguments, role, located(getattr(arguments, role, None), served, role))
        command.run(arguments, output)
    except InputError as error:
        print(f"apportion: {_one_line(error)}", file=sys.stderr)
        return USAGE_ERROR
    except EngineError as error:
        print(f"apportion: {_one_line(error)}; the same command goes on", file=sys.stderr)
        return ENGINE_ERROR
    except SQLAlchemyError as error:
        print(f"apportion: store {arguments.store}: {_one_line(error)}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("apportion: interrupted; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    return 0


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="apportion",
        description="Which test-time strategy, with how much compute, for this policy, this PRM "
        "and this problem?",
        epilog="Start with: apportion demo",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (
        _demo, _recommend, _profile, _fit_prm, _measure, _import, _replay, _fit, _plan, _run,
        _budget, _evaluate, _report, _serve_command,
    ):  # fmt: skip
        add(commands)
    return parser


def _command(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    summary: str,
    examples: str,
) -> Parser:
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


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def _runnable(name: str) -> str:
    """The hub id that a name of the catalog stands for; any other name as it is."""
    from planner.catalog import load_catalog

    try:
        return load_catalog().hub_id(name)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _add_models(command: Parser, *, served: bool = True) -> None:
    server = ", or address of a server" if served else ""
    kind = _runnable if served else str
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


def _add_servers(command: Parser, *, prm: bool = True) -> None:
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
        default=60.0,
        metavar="SECONDS",
        help="how long all servers may be down before the run ends (default: 60)",
    )


def _add_problems(command: Parser) -> None:
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
        type=_whole,
        default=[],
        metavar="N",
        help="only the first N problems; once for all files, or once a file",
    )
    command.add_argument("--problem-field", metavar="NAME", help="field that holds the question")
    command.add_argument("--answer-field", metavar="NAME", help="field that holds the answer")


def _add_sampling(command: Parser, *, prm: bool = True) -> None:
    group = command.add_argument_group("sampling (defaults: those of arXiv 2502.06703)")
    # None is "not given": a plan brings its own, and then these must not be given.
    number: Callable[[str], float] = float
    group.add_argument("--temperature", type=number, help="default: 0.7")
    group.add_argument("--top-p", type=number, help="default: 1")
    group.add_argument("--max-tokens", type=_whole, help="of one response (8192)")
    group.add_argument("--max-step-tokens", type=_whole, help="of one searched step (2048)")
    group.add_argument("--max-steps", type=_whole, help="of one searched response (40)")
    group.add_argument("--template", help="task template: a bundled name or a JSON file")
    group.add_argument(
        "--token-cap", type=_whole, help="most tokens generated for one problem, in all"
    )
    _add_engine(command, prm=prm)
    _add_servers(command, prm=prm)


def _add_engine(command: Parser, *, prm: bool = True) -> None:
    group = command.add_argument_group("engine")
    group.add_argument("--seed", type=_whole, default=0)
    group.add_argument(
        "--concurrency",
        type=_whole,
        help="most problems in flight (default: as many as fill the engines)",
    )
    if prm:
        group.add_argument(
            "--apart",
            action="store_true",
            help="the policy's engine in a process of its own, on a CPU with half of the cores: "
            "faster beside a PRM of about its size, but loads some seconds longer",
        )
    _add_sizes(group)


def _add_sizes(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--max-model-len", type=_whole, help="longest context in tokens")
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
        "--tensor-parallel-size", type=_whole, default=1, help="GPUs a model is split over"
    )


def _add_cluster(command: Parser) -> None:
    group = command.add_argument_group("cluster")
    group.add_argument(
        "--ray",
        action="store_true",
        help="spread problems over Ray workers, each with engines of its own and with "
        "--concurrency problems in flight",
    )
    group.add_argument(
        "--ray-workers",
        type=_whole,
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


def _add_constraint(command: Parser) -> None:
    group = command.add_argument_group("constraints")
    group.add_argument("--budget", type=_whole, metavar="N", help="most generations a problem")
    group.add_argument("--max-flops", type=float, metavar="X", help="most FLOPs a problem")
    group.add_argument("--max-seconds", type=float, metavar="X", help="most seconds a problem")
    group.add_argument("--max-usd", type=float, metavar="X", help="most money a problem")
    group.add_argument(
        "--target-accuracy", type=float, metavar="A", help="the cheapest that reaches A"
    )
    group.add_argument(
        "--confidence", type=float, default=0.95, help="how sure it must be of A (default: 0.95)"
    )


def _add_prices(command: Parser) -> None:
    group = command.add_argument_group(
        "prices", "what seconds, money and energy are counted by (default: as runs here measured)"
    )
    group.add_argument(
        "--device", metavar="NAME", help="seconds, price and power of this one, by its data sheet"
    )
    group.add_argument(
        "--devices", type=_whole, metavar="K", help="of it, an engine is split over (default: 1)"
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


def _demo(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "demo",
        "the whole road on the bundled policy and problems: profile, PRM, measure, fit, plan, run",
        "apportion demo\napportion demo --policy smollm2-135m --out demo-words",
    )
    command.set_defaults(store=None)
    command.add_argument(
        "--policy",
        default="lab-0.8m",
        help="one of the laboratory (lab-0.4m, lab-0.8m, lab-1.8m) solves the laboratory's "
        "problems, any other, as smollm2-135m, word problems (default: %(default)s)",
    )
    command.add_argument("--out", type=Path, default=Path("demo"), help="folder for what it makes")
    command.add_argument(
        "--problems",
        type=_whole,
        metavar="N",
        help="of each part (default: laboratory 80, else 30)",
    )
    command.add_argument(
        "--samples", type=_whole, help="a problem (default: laboratory 64, else 16)"
    )
    command.add_argument("--trials", type=_whole, default=25, help="Optuna trials")
    _add_engine(command)


def _recommend(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "recommend",
        "which strategy to use, from evidence alone; needs neither torch nor vllm",
        "apportion recommend --policy lab-0.8m --prm lab-0.8m-prm --budget 16\n"
        "apportion recommend --policy lab-0.4m --prm lab-0.4m-prm-plain --difficulty medium "
        "--json\n"
        "apportion recommend --policy Llama-3.2-1B-Instruct --prm RLHFlow-PRM-Deepseek-8B "
        "--benchmark MATH-500 --budget 256",
    )
    _add_models(command, served=False)
    command.add_argument("--difficulty", default="all", help="easy, medium, hard, or all (default)")
    command.add_argument(
        "--benchmark",
        metavar="NAME",
        help="answer from published figures of this benchmark, as MATH-500 (default, where nothing "
        "was measured) or AIME24",
    )
    command.add_argument(
        "--catalog",
        type=Path,
        metavar="FILE",
        help="TOML with policies and PRMs of yours, laid out as data/catalog.toml",
    )
    command.add_argument(
        "--next-problems",
        type=_whole,
        default=50,
        metavar="M",
        help="say what measuring a strategy on M more problems is worth (default: %(default)s)",
    )
    _add_constraint(command)
    _add_prices(command)


def _profile(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "profile",
        "sample the policy on problems with known answers: pass@1 and difficulty of each",
        "apportion profile --problems problems.jsonl --policy smollm2-135m --max-samples 16\n"
        "apportion profile --problems p.csv --policy ./my-model --prm ./my-head --json",
    )
    _add_models(command)
    _add_problems(command)
    command.add_argument("--max-samples", type=_whole, default=16, metavar="N")
    command.add_argument(
        "--confidence",
        type=float,
        metavar="P",
        help="stop sampling a problem once its difficulty is this sure (default: draw all; only "
        "then are the samples evidence on votes and best-of-N)",
    )
    _add_sampling(command)
    _add_cluster(command)


def _fit_prm(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "fit-prm",
        "train a reward head on the policy's own samples: an on-policy PRM",
        "apportion fit-prm --problems train.jsonl --policy smollm2-135m --out heads/smollm2",
    )
    command.add_argument(
        "--policy",
        required=True,
        type=_runnable,
        help="whose hidden states the head reads: name, folder or hub id",
    )
    _add_problems(command)
    command.add_argument("--max-samples", type=_whole, default=16, metavar="N")
    command.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    _add_sampling(command, prm=False)


def _add_strategy_options(command: Parser) -> None:
    command.add_argument("--width", type=_whole, help="branches a beam or subtree (default: 4)")
    command.add_argument(
        "--softmax-temperature", type=float, help="of a particle filter's resampling (default: 1)"
    )
    command.add_argument(
        "--confidence", type=float, help="at which an adaptive majority ends (default: 0.95)"
    )
    command.add_argument("--score", help="min, last, mean or prod (default: last)")
    command.add_argument("--vote", help="majority, max or weighted (default: the strategy's own)")


def _measure(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "measure",
        "run strategies live on problems with known answers; the outcomes are evidence",
        "apportion measure --problems p.jsonl --policy smollm2-135m --prm ./head "
        "--strategies beam_search,dvts --budgets 4,16",
    )
    _add_models(command)
    _add_problems(command)
    command.add_argument("--strategies", default="all", help="names, or all (default)")
    command.add_argument("--budgets", default="4", help="numbers of generations, as in 4,16,64")
    _add_strategy_options(command)
    _add_sampling(command)
    _add_cluster(command)


def _import(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "import",
        "make evidence of what another program recorded; it keeps that program's grading",
        "apportion import --format compute-optimal-tts src/output\n"
        "apportion import --format search-and-learn --prm RLHFlow-PRM-Deepseek-8B "
        "data/meta-llama/Llama-3.2-1B-Instruct/best_of_n_completions.jsonl\n"
        "apportion import --format jsonl --policy my-model --prm my-prm samples.jsonl",
    )
    command.set_defaults(module="import_runs")
    command.add_argument(
        "--format",
        required=True,
        choices=("compute-optimal-tts", "search-and-learn", "jsonl"),
        help='which program wrote it; jsonl is {"problem", "answer", "policy", "prm", "samples": '
        '[{"text", "answer", "correct", "rewards", "tokens"}]} a line, or {"problem", "strategy", '
        '"n", "correct", "generated_tokens", ...}: see profiling/importers/jsonl.py',
    )
    command.add_argument("path", type=Path, metavar="PATH", help="file, folder or tar archive")
    command.add_argument("--policy", metavar="NAME", help="of the policy (default: as they say)")
    command.add_argument("--prm", metavar="NAME", help="of the PRM (default: as they say)")
    command.add_argument("--benchmark", metavar="NAME", help="of the problems")
    command.add_argument(
        "--study",
        metavar="NAME",
        help="studies are never mixed: name one for each grader, prompt or sampling "
        "(default: the format)",
    )
    command.add_argument(
        "--strategy", metavar="NAME", help="which strategy it is of, where names do not say"
    )
    command.add_argument(
        "--width", type=_whole, help="branches a beam or subtree, where files do not say"
    )


def _replay(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "replay",
        "the accuracy of every vote at every number of samples, from stored ones; runs no model",
        "apportion replay\napportion replay --policy lab-0.8m --prm lab-0.8m-prm --k all --json",
    )
    command.add_argument("--policy", help="default: the only one in the store")
    command.add_argument(
        "--prm",
        help="default: the only one in the store; of several none, and rules without a score alone",
    )
    command.add_argument(
        "--k",
        metavar="K",
        help="how many of the samples are drawn: numbers, as in 4,16,64, or all (default: the "
        "powers of two)",
    )


def _fit(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "fit",
        "fit the outcome model to all evidence in the store, tuned by Optuna",
        "apportion fit\napportion fit --trials 100 --json",
    )
    command.add_argument("--trials", type=_whole, default=50, metavar="T")
    command.add_argument("--seed", type=_whole, default=0)
    command.add_argument(
        "--transfer",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="of the score on policies and PRMs left out, if there are several (default: 0.5)",
    )


def _plan(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "plan",
        "choose a strategy and budget for every difficulty, and write them down",
        "apportion plan --policy smollm2-135m --prm ./head --budget 16 --out plan.json",
    )
    _add_models(command, served=False)
    _add_constraint(command)
    _add_prices(command)
    command.add_argument("--out", type=Path, required=True, help="the plan file")


def _run(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "run",
        "answer problems by a plan, or by one strategy",
        "apportion run --plan plan.json --problems questions.jsonl\n"
        "apportion run --strategy majority --budget 16 --policy smollm2-135m --problems q.jsonl\n"
        "apportion run --strategy all --budget 4 --policy smollm2-135m --prm ./head "
        "--problems a.jsonl --limit 30 --problems b.jsonl --limit 10",
    )
    command.add_argument("--plan", type=Path, help="a plan made by apportion plan")
    command.add_argument("--strategy", help="without a plan: names of strategies, or all")
    command.add_argument("--budget", type=_whole, metavar="N", help="budget of --strategy")
    command.add_argument(
        "--no-early-stop",
        dest="early_stop",
        action="store_false",
        help="draw all N responses, also those that cannot change a vote's answer any more",
    )
    command.add_argument(
        "--policy",
        type=_runnable,
        help="with --strategy; with --plan: where its policy lies now",
    )
    command.add_argument(
        "--prm", type=_runnable, help="with --strategy; with --plan: where its PRM lies now"
    )
    _add_problems(command)
    _add_strategy_options(command)
    _add_sampling(command)
    _add_cluster(command)


def _budget(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "budget",
        "divide a workload's budget over its difficulties, and say what a day of it costs",
        "apportion budget --workload mix.toml --plan plan.json --total-tokens 2e6\n"
        "apportion budget --workload queries.jsonl --plan plan.json --total-gpu-hours 4 "
        "--device l4-24gb\n"
        "apportion budget --workload mix.toml --plan plan.json --queries-per-day 1e6 "
        "--device h100-sxm-80gb",
    )
    command.add_argument(
        "--workload",
        type=Path,
        required=True,
        metavar="FILE",
        help="a mix (TOML, JSON or CSV: easy, medium, hard, and queries or shares of each), or "
        "queries (JSONL, JSON or CSV, as for run)",
    )
    command.add_argument("--problem-field", metavar="NAME", help="field that holds the question")
    command.add_argument("--plan", type=Path, required=True, help="made by apportion plan")
    command.add_argument(
        "--queries-per-day", type=float, metavar="Q", help="what a day of them takes and costs"
    )
    totals = command.add_argument_group(
        "total", "what is divided; without one the plan's own choices are costed"
    ).add_mutually_exclusive_group()
    for option, words in (
        ("--total-tokens", "tokens that policy and PRM forward"),
        ("--total-flops", "floating-point operations"),
        ("--total-usd", "money"),
        ("--total-seconds", "seconds of an engine"),
        ("--total-gpu-hours", "hours of devices"),
    ):
        totals.add_argument(option, type=float, metavar="X", help=words)
    _add_prices(command)


def _evaluate(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "evaluate",
        "plans against every fixed strategy, a rule of thumb and the best in hindsight, on "
        "problems held out",
        "apportion evaluate --store sqlite:///demo/apportion.db\n"
        "apportion evaluate --policy lab-0.8m --budgets 16,64 --json",
    )
    command.add_argument("--policy", help="only this one (default: all there is evidence on)")
    command.add_argument(
        "--budgets", help="most generations a problem, as in 4,16,64 (default: those measured)"
    )
    command.add_argument("--trials", type=_whole, default=20, metavar="T", help="for each fold")
    command.add_argument("--seed", type=_whole, default=0)


def _report(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "report",
        "one self-contained HTML page: the recommendation, the evidence, the plots",
        "apportion report --policy smollm2-135m --out report.html",
    )
    command.add_argument("--policy", help="default: the only one in the store")
    command.add_argument("--prm", help="default: the only one in the store")
    command.add_argument("--out", type=Path, required=True, metavar="FILE")
    _add_constraint(command)
    _add_prices(command)


def _serve_command(commands: argparse._SubParsersAction[Parser]) -> None:
    command = _command(
        commands,
        "serve-command",
        "print how to start a server of a policy or a PRM that does what this program would",
        "apportion serve-command --policy lab-0.8m --port 8000\n"
        "apportion serve-command --prm lab-0.8m-prm --port 8100",
    )
    model = command.add_mutually_exclusive_group(required=True)
    model.add_argument(
        "--policy", type=_runnable, help="catalog name (lab-0.8m), checkpoint folder or hub id"
    )
    model.add_argument(
        "--prm", type=_runnable, help="catalog name (lab-0.8m-prm), checkpoint folder or hub id"
    )
    command.add_argument("--port", type=_whole, default=8000, help="default: %(default)s")
    _add_sizes(command.add_argument_group("engine"))


if __name__ == "__main__":
    sys.exit(main())
