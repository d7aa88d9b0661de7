"""The command line: parses, and hands over; the work is done in `planner.cli.commands`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from executor.errors import EngineError, InputError
from executor.servers.address import located
from planner.cli.options import (
    USAGE_ERROR,
    Parser,
    add_cluster,
    add_command,
    add_constraint,
    add_engine,
    add_models,
    add_prices,
    add_problems,
    add_published,
    add_sampling,
    add_servers,
    add_service,
    add_sizes,
    add_strategy_options,
    runnable,
    whole,
)

ENGINE_ERROR = 3
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 bad input, 3 a lost engine."""
    arguments = build_parser().parse_args(argv)
    # torch's native code warns of what nobody here can mend; it reads this when it is loaded.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # Nothing heavy is imported before here: --help answers at once.
    command = importlib.import_module(f"planner.cli.commands.{arguments.module}")
    from sqlalchemy.exc import SQLAlchemyError

    from planner.cli.console import Output

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
        _budget, _evaluate, _report, _serve, _serve_command,
    ):  # fmt: skip
        add(commands)
    return parser


def _demo(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
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
        type=whole,
        metavar="N",
        help="of each part (default: laboratory 80, else 30)",
    )
    command.add_argument(
        "--samples", type=whole, help="a problem (default: laboratory 64, else 16)"
    )
    command.add_argument("--trials", type=whole, default=25, help="Optuna trials")
    add_engine(command)


def _recommend(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
        commands,
        "recommend",
        "which strategy to use, from evidence alone; needs neither torch nor vllm",
        "apportion recommend --policy lab-0.8m --prm lab-0.8m-prm --budget 16\n"
        "apportion recommend --policy lab-0.4m --prm lab-0.4m-prm-plain --difficulty medium "
        "--json\n"
        "apportion recommend --policy Llama-3.2-1B-Instruct --prm RLHFlow-PRM-Deepseek-8B "
        "--benchmark MATH-500 --budget 256",
    )
    add_models(command, served=False)
    command.add_argument("--difficulty", default="all", help="easy, medium, hard, or all (default)")
    add_published(command)
    command.add_argument(
        "--next-problems",
        type=whole,
        default=50,
        metavar="M",
        help="say what measuring M more problems is worth (default: %(default)s)",
    )
    command.add_argument(
        "--explain",
        action="store_true",
        help="add the reasons, what to measure next, and all notes",
    )
    add_constraint(command)
    add_prices(command)


def _profile(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
        commands,
        "profile",
        "sample the policy on problems with known answers: pass@1 and difficulty of each",
        "apportion profile --problems problems.jsonl --policy smollm2-135m --max-samples 16\n"
        "apportion profile --problems p.csv --policy ./my-model --prm ./my-head --json",
    )
    add_models(command)
    add_problems(command)
    command.add_argument("--max-samples", type=whole, default=16, metavar="N")
    command.add_argument(
        "--confidence",
        type=float,
        metavar="P",
        help="stop sampling a problem once its difficulty is this sure (default: draw all; only "
        "then are the samples evidence on votes and best-of-N)",
    )
    add_sampling(command)
    add_cluster(command)


def _fit_prm(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
        commands,
        "fit-prm",
        "train a reward head on the policy's own samples: an on-policy PRM",
        "apportion fit-prm --problems train.jsonl --policy smollm2-135m --out heads/smollm2",
    )
    command.add_argument(
        "--policy",
        required=True,
        type=runnable,
        help="whose hidden states the head reads: name, folder or hub id",
    )
    add_problems(command)
    command.add_argument("--max-samples", type=whole, default=16, metavar="N")
    command.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    add_sampling(command, prm=False)


def _measure(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
        commands,
        "measure",
        "run strategies live on problems with known answers; the outcomes are evidence",
        "apportion measure --problems p.jsonl --policy smollm2-135m --prm ./head "
        "--strategies beam_search,dvts --budgets 4,16",
    )
    add_models(command)
    add_problems(command)
    command.add_argument("--strategies", default="all", help="names, or all (default)")
    command.add_argument("--budgets", default="4", help="numbers of generations, as in 4,16,64")
    add_strategy_options(command)
    add_sampling(command)
    add_cluster(command)


def _import(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
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
        "--width", type=whole, help="branches a beam or subtree, where files do not say"
    )


def _replay(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
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
    command = add_command(
        commands,
        "fit",
        "fit the outcome model to all evidence in the store, tuned by Optuna",
        "apportion fit\napportion fit --trials 100 --json",
    )
    command.add_argument("--trials", type=whole, default=50, metavar="T")
    command.add_argument("--seed", type=whole, default=0)
    command.add_argument(
        "--transfer",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="of the score on policies and PRMs left out, if there are several (default: 0.5)",
    )


def _plan(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
        commands,
        "plan",
        "choose a strategy and budget for every difficulty, and write them down",
        "apportion plan --policy smollm2-135m --prm ./head --budget 16 --out plan.json",
    )
    add_models(command, served=False)
    add_constraint(command)
    add_prices(command)
    command.add_argument("--out", type=Path, required=True, help="the plan file")


def _run(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
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
    command.add_argument("--budget", type=whole, metavar="N", help="budget of --strategy")
    command.add_argument(
        "--no-early-stop",
        dest="early_stop",
        action="store_false",
        help="draw all N responses, also those that cannot change a vote's answer any more",
    )
    command.add_argument(
        "--policy",
        type=runnable,
        help="with --strategy; with --plan: where its policy lies now",
    )
    command.add_argument(
        "--prm", type=runnable, help="with --strategy; with --plan: where its PRM lies now"
    )
    add_problems(command)
    add_strategy_options(command)
    add_sampling(command)
    add_cluster(command)


def _budget(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
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
    add_prices(command)


def _evaluate(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
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
    command.add_argument("--trials", type=whole, default=20, metavar="T", help="for each fold")
    command.add_argument("--seed", type=whole, default=0)


def _report(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
        commands,
        "report",
        "one self-contained page: the recommendation, the plots, what it rests on",
        "apportion report --policy smollm2-135m --out report.html\n"
        "apportion report --policy lab-0.8m --prm lab-0.8m-prm-weak --format md --out report.md\n"
        "apportion report --policy Llama-3.2-1B-Instruct --prm RLHFlow-PRM-Deepseek-8B "
        "--out first.html",
    )
    command.add_argument("--policy", help="default: the only one in the store")
    command.add_argument(
        "--prm", help="default: the only one there is evidence with; a bundled policy's own"
    )
    command.add_argument("--out", type=Path, required=True, metavar="FILE")
    command.add_argument(
        "--format",
        choices=("html", "md", "json"),
        default="html",
        help="what to write: a page, Markdown, or all of it as JSON (default: %(default)s)",
    )
    add_published(command)
    add_constraint(command)
    add_prices(command)


def _serve(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
        commands,
        "serve",
        "an OpenAI-compatible server that routes every query to its own strategy",
        "apportion serve --plan plan.json\n"
        "apportion serve --plan plan.json --policy http://127.0.0.1:8000/v1 "
        "--prm http://127.0.0.1:8100/v1\n"
        "apportion serve --plan plan.json --host 0.0.0.0 --api-keys keys.txt",
    )
    command.add_argument("--plan", type=Path, required=True, help="made by apportion plan")
    command.add_argument("--policy", type=runnable, help="where the plan's policy lies now")
    command.add_argument("--prm", type=runnable, help="where the plan's PRM lies now")
    add_service(command)
    add_prices(command, " on the page (of requests: by what the plan was made with)")
    add_engine(command)
    # Whoever waits for an answer is told soon, and may ask again.
    add_servers(command, outage=5.0)
    # The answers are those of all N responses; what could not change them is not paid for.
    command.set_defaults(early_stop=True)


def _serve_command(commands: argparse._SubParsersAction[Parser]) -> None:
    command = add_command(
        commands,
        "serve-command",
        "print how to start a server of a policy or a PRM that does what this program would",
        "apportion serve-command --policy lab-0.8m --port 8000\n"
        "apportion serve-command --prm lab-0.8m-prm --port 8100",
    )
    model = command.add_mutually_exclusive_group(required=True)
    model.add_argument(
        "--policy", type=runnable, help="catalog name (lab-0.8m), checkpoint folder or hub id"
    )
    model.add_argument(
        "--prm", type=runnable, help="catalog name (lab-0.8m-prm), checkpoint folder or hub id"
    )
    command.add_argument("--port", type=whole, default=8000, help="default: %(default)s")
    add_sizes(command.add_argument_group("engine"))


if __name__ == "__main__":
    sys.exit(main())
