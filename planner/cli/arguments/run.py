"""Options of `apportion run`."""

from pathlib import Path

from planner.cli.options import (
    Command,
    Parser,
    add_cluster,
    add_problems,
    add_sampling,
    add_scorer,
    add_spending,
    add_strategy_options,
    runnable,
    whole,
)


def add_arguments(parser: Parser) -> None:
    """A plan or strategies, models, problems, sampling and cluster."""
    parser.add_argument("--plan", type=Path, help="plan made by apportion plan")
    parser.add_argument("--strategy", help="without a plan: names of strategies, or all")
    parser.add_argument(
        "--budget", type=whole, metavar="N", help="number of generations of --strategy"
    )
    parser.add_argument(
        "--no-early-stop",
        dest="early_stop",
        action="store_false",
        help="draw all N responses, also those that cannot change a vote's answer any more",
    )
    parser.add_argument(
        "--policy",
        type=runnable,
        help="with --strategy: the policy; with --plan: where its policy lies now",
    )
    add_scorer(parser, "with --strategy: the scorer; with --plan: where its PRM lies now", runnable)
    add_problems(parser)
    add_strategy_options(parser)
    add_sampling(parser)
    add_cluster(parser)
    add_spending(parser)


COMMAND = Command(
    name="run",
    module="run",
    summary="answer problems by a plan, or by strategies of your choice",
    examples="apportion run --plan plan.json --problems questions.jsonl\n"
    "apportion run --strategy majority --budget 16 --policy smollm2-135m --problems q.jsonl\n"
    "apportion run --strategy all --budget 4 --policy smollm2-135m --prm ./head "
    "--problems a.jsonl --limit 30 --problems b.jsonl --limit 10",
    add_arguments=add_arguments,
)
