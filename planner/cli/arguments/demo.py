"""Options of `apportion demo`."""

from pathlib import Path

from planner.cli.options import Command, Parser, add_engine, whole


def add_arguments(parser: Parser) -> None:
    """Policy, folder and sizes of the demo, and the engine."""
    parser.set_defaults(default_store=None)
    parser.add_argument(
        "--policy",
        default="lab-0.8m",
        help="policy to show: one of the laboratory (lab-0.4m, lab-0.8m, lab-1.8m) solves the "
        "laboratory's problems, any other, as smollm2-135m, word problems (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), help="folder for the results (default: demo)"
    )
    parser.add_argument(
        "--problems",
        type=whole,
        metavar="N",
        help="number of problems of each part (default: laboratory 80, else 30)",
    )
    parser.add_argument(
        "--samples",
        type=whole,
        help="number of samples for each problem (default: laboratory 64, else 16)",
    )
    parser.add_argument(
        "--trials", type=whole, default=25, help="number of Optuna trials (default: %(default)s)"
    )
    add_engine(parser)


COMMAND = Command(
    name="demo",
    module="demo",
    summary="take the whole road on the bundled policy and problems: profile, PRM, measure, fit, "
    "plan, run",
    examples="apportion demo\napportion demo --policy smollm2-135m --out demo-words",
    add_arguments=add_arguments,
)
