"""Options of `apportion fit`."""

from planner.cli.options import Command, Parser, add_domain, whole


def add_arguments(parser: Parser) -> None:
    """Trials, seed and the weight of transfer."""
    parser.add_argument(
        "--trials",
        type=whole,
        default=50,
        metavar="T",
        help="number of Optuna trials (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole, default=0, help="seed of the tuning (default: %(default)s)"
    )
    parser.add_argument(
        "--transfer",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="weight of the score on policies and PRMs left out, if there are several "
        "(default: %(default)s)",
    )
    add_domain(parser, "that of the newest profile")


COMMAND = Command(
    name="fit",
    module="fit",
    summary="fit the outcome model to all evidence in the store, tuned by Optuna",
    examples="apportion fit\napportion fit --trials 100 --json",
    add_arguments=add_arguments,
)
