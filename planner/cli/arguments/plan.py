"""Options of `apportion plan`."""

from pathlib import Path

from planner.cli.options import Command, Parser, add_constraint, add_domain, add_models, add_prices


def add_arguments(parser: Parser) -> None:
    """Models, limits, prices and the plan's file."""
    add_models(parser, served=False, several=True)
    add_constraint(parser)
    add_prices(parser)
    add_domain(parser, "that of the newest profile")
    parser.add_argument("--out", type=Path, required=True, help="file of the plan")


COMMAND = Command(
    name="plan",
    module="plan",
    summary="choose a strategy and budget for every difficulty, and write them down",
    examples="apportion plan --policy smollm2-135m --prm ./head --budget 16 --out plan.json\n"
    "apportion plan --policy ./small --policy ./large --target-accuracy 0.8 --out cascade.json",
    add_arguments=add_arguments,
)
