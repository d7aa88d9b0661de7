"""Options of `apportion measure`."""

from planner.cli.options import (
    Command,
    Parser,
    add_cluster,
    add_models,
    add_problems,
    add_sampling,
    add_spending,
    add_strategy_options,
)


def add_arguments(parser: Parser) -> None:
    """Models, problems, strategies and budgets, sampling and cluster."""
    add_models(parser)
    add_problems(parser)
    parser.add_argument(
        "--strategies", default="all", help="names of strategies, or all (default: %(default)s)"
    )
    parser.add_argument(
        "--budgets",
        default="4",
        help="numbers of generations, as in 4,16,64 (default: %(default)s)",
    )
    add_strategy_options(parser)
    add_sampling(parser)
    add_cluster(parser)
    add_spending(parser)


COMMAND = Command(
    name="measure",
    module="measure",
    summary="run strategies live on problems with known answers; the outcomes are evidence",
    examples="apportion measure --problems p.jsonl --policy smollm2-135m --prm ./head "
    "--strategies beam_search,dvts --budgets 4,16",
    add_arguments=add_arguments,
)
