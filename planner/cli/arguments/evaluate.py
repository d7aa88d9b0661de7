"""Options of `apportion evaluate`."""

from planner.cli.options import Command, Parser, add_domain, whole


def add_arguments(parser: Parser) -> None:
    """Policy, budgets, trials and seed."""
    parser.add_argument(
        "--policy", help="evaluate only this policy (default: all that there is evidence on)"
    )
    parser.add_argument(
        "--budgets",
        help="most generations a problem, as in 4,16,64 (default: the budgets that were measured)",
    )
    parser.add_argument(
        "--trials",
        type=whole,
        default=20,
        metavar="T",
        help="number of Optuna trials for each fold (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole, default=0, help="seed of folds and tuning (default: %(default)s)"
    )
    add_domain(parser, "that of the newest profile")


COMMAND = Command(
    name="evaluate",
    module="evaluate",
    summary="compare plans with every fixed strategy, a rule of thumb and the best in hindsight, "
    "on problems held out",
    examples="apportion evaluate --store sqlite:///demo/apportion.db\n"
    "apportion evaluate --policy lab-0.8m --budgets 16,64 --json",
    add_arguments=add_arguments,
    makes_store=False,
)
