"""Options of `apportion evaluate`."""

from planner.cli.options import Command, Parser, add_domain, add_prices, add_scorer, whole


def add_arguments(parser: Parser) -> None:
    """Policy, budgets, trials and seed."""
    parser.add_argument(
        "--policy",
        action="append",
        help="evaluate only this policy (default: all that there is evidence on); several times, "
        "or all, to evaluate cascades of them",
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
    group = parser.add_argument_group("cascades of several policies")
    add_scorer(
        group,
        "scorer to consider; may be given several times (default: all that there is evidence with; "
        "none: no scorer)",
        action="append",
    )
    for name, what in (("flops", "FLOPs"), ("seconds", "seconds"), ("usd", "money")):
        group.add_argument(
            f"--max-{name}",
            metavar="X,Y",
            help=f"limits of {what} a problem to compare at, as in 1e9,4e9",
        )
    group.add_argument(
        "--target-accuracy",
        metavar="A,B",
        help="also the cheapest cascades that reach these accuracies, as in 0.5,0.6",
    )
    group.add_argument(
        "--confidence",
        type=float,
        default=0.95,
        help="how sure it must be that they are reached (default: %(default)s)",
    )
    add_prices(parser, " of cascades")


COMMAND = Command(
    name="evaluate",
    module="evaluate",
    summary="compare plans with every fixed strategy, a rule of thumb and the best in hindsight, "
    "on problems held out",
    examples="apportion evaluate --store sqlite:///demo/apportion.db\n"
    "apportion evaluate --policy lab-0.8m --budgets 16,64 --json\n"
    "apportion evaluate --policy lab-0.4m --policy lab-1.8m --prm lab-0.4m-prm --max-flops 4e9",
    add_arguments=add_arguments,
    makes_store=False,
)
