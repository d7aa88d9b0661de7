"""Options of `apportion report`."""

from pathlib import Path

from planner.cli.options import (
    Command,
    Parser,
    add_constraint,
    add_domain,
    add_prices,
    add_published,
    add_scorer,
)


def add_arguments(parser: Parser) -> None:
    """Models, file and format, published figures, limits and prices."""
    parser.add_argument(
        "--policy",
        action="append",
        help="policy (default: the only one in the store); several times, or all, for a report on "
        "the choice between models",
    )
    add_scorer(
        parser,
        "scorer (default: the only PRM there is evidence with; that of a bundled policy); of "
        "several policies also none, or (default) all that there is evidence with",
        action="append",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="file of the report"
    )
    parser.add_argument(
        "--format",
        choices=("html", "md", "json"),
        default="html",
        help="format of the report: a page, Markdown, or all of it as JSON (default: %(default)s)",
    )
    add_published(parser)
    add_domain(parser, "that of the policy's newest profile")
    add_constraint(parser)
    add_prices(parser)


COMMAND = Command(
    name="report",
    module="report",
    summary="write one self-contained page: the recommendation, the plots, what it rests on",
    examples="apportion report --policy smollm2-135m --out report.html\n"
    "apportion report --policy lab-0.8m --prm lab-0.8m-prm-weak --format md --out report.md\n"
    "apportion report --policy Llama-3.2-1B-Instruct --prm RLHFlow-PRM-Deepseek-8B "
    "--out first.html\n"
    "apportion report --policy lab-0.4m --policy lab-1.8m --out models.html",
    add_arguments=add_arguments,
    makes_store=False,
)
