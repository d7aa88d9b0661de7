"""Options of `apportion budget`."""

from pathlib import Path

from planner.cli.options import Command, Parser, add_prices


def add_arguments(parser: Parser) -> None:
    """Workload, plan, the total that is divided, and prices."""
    parser.add_argument(
        "--workload",
        type=Path,
        required=True,
        metavar="FILE",
        help="a mix (TOML, JSON or CSV: easy, medium, hard, and queries or shares of each), or "
        "queries (JSONL, JSON or CSV, as for run)",
    )
    parser.add_argument("--problem-field", metavar="NAME", help="field that holds the question")
    parser.add_argument("--plan", type=Path, required=True, help="plan made by apportion plan")
    parser.add_argument(
        "--queries-per-day",
        type=float,
        metavar="Q",
        help="number of queries a day; shows what a day of them takes and costs",
    )
    totals = parser.add_argument_group(
        "total", "what to divide (default: nothing; the plan's own choices are costed)"
    ).add_mutually_exclusive_group()
    for option, unit in (
        ("--total-tokens", "tokens that policy and PRM forward"),
        ("--total-flops", "floating-point operations"),
        ("--total-usd", "money, in US dollars"),
        ("--total-seconds", "seconds of an engine"),
        ("--total-gpu-hours", "hours of devices"),
    ):
        totals.add_argument(option, type=float, metavar="X", help=unit)
    add_prices(parser)


COMMAND = Command(
    name="budget",
    module="budget",
    summary="divide a workload's total over its difficulties, and show what a day of it costs",
    examples="apportion budget --workload mix.toml --plan plan.json --total-tokens 2e6\n"
    "apportion budget --workload queries.jsonl --plan plan.json --total-gpu-hours 4 "
    "--device l4-24gb\n"
    "apportion budget --workload mix.toml --plan plan.json --queries-per-day 1e6 "
    "--device h100-sxm-80gb",
    add_arguments=add_arguments,
    makes_store=False,
)
