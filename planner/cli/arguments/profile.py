"""Options of `apportion profile`."""

from planner.cli.options import (
    Command,
    Parser,
    add_cluster,
    add_models,
    add_problems,
    add_sampling,
    add_spending,
    whole,
)


def add_arguments(parser: Parser) -> None:
    """Models, problems, number of samples, sampling and cluster."""
    add_models(parser)
    add_problems(parser)
    parser.add_argument(
        "--max-samples",
        type=whole,
        default=16,
        metavar="N",
        help="number of samples for each problem (default: %(default)s)",
    )
    parser.add_argument(
        "--confidence",
        type=float,
        metavar="P",
        help="stop sampling a problem if its difficulty is this sure (default: draw all samples; "
        "only then are they evidence on votes and best-of-N)",
    )
    parser.add_argument(
        "--top-logprobs",
        type=whole,
        metavar="K",
        help="record the confidence of each token, over its K likeliest tokens (20 is DeepConf's): "
        "then replay knows the scorers deepconf-* (default: none, or what the scorer needs)",
    )
    add_sampling(parser, budgets=True)
    add_cluster(parser)
    add_spending(parser)


COMMAND = Command(
    name="profile",
    module="profile",
    summary="sample the policy on problems with known answers: pass@1 and difficulty of each",
    examples="apportion profile --problems problems.jsonl --policy smollm2-135m --max-samples 16\n"
    "apportion profile --problems p.csv --policy ./my-model --prm ./my-head --json\n"
    "apportion profile --problems p.csv --policy ./my-reasoner --thinking 0,512,free",
    add_arguments=add_arguments,
)
