"""Options of `apportion recommend`."""

from planner.cli.options import (
    Command,
    Parser,
    add_constraint,
    add_domain,
    add_models,
    add_prices,
    add_published,
    whole,
)


def add_arguments(parser: Parser) -> None:
    """Models, difficulty, published figures, limits and prices."""
    add_models(parser, served=False, several=True)
    parser.add_argument(
        "--difficulty", default="all", help="easy, medium, hard, or all (default: %(default)s)"
    )
    add_published(parser)
    add_domain(parser, "that of the policy's newest profile")
    parser.add_argument(
        "--next-problems",
        type=whole,
        default=50,
        metavar="M",
        help="estimate the value of measuring M more problems, for one policy and PRM "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="add the reasons, what to measure next, and all notes",
    )
    add_constraint(parser)
    add_prices(parser)


COMMAND = Command(
    name="recommend",
    module="recommend",
    summary="recommend a strategy from evidence alone; needs neither torch nor vllm",
    examples="apportion recommend --policy lab-0.8m --prm lab-0.8m-prm --budget 16\n"
    "apportion recommend --policy lab-0.4m --prm lab-0.4m-prm-plain --difficulty medium "
    "--json\n"
    "apportion recommend --policy Llama-3.2-1B-Instruct --prm RLHFlow-PRM-Deepseek-8B "
    "--benchmark MATH-500 --budget 256\n"
    "apportion recommend --policy lab-0.4m --policy lab-1.8m --max-flops 2e9\n"
    "apportion recommend --policy all --benchmark MATH-500 --target-accuracy 0.7",
    add_arguments=add_arguments,
    makes_store=False,
)
