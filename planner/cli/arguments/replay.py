"""Options of `apportion replay`."""

from planner.cli.options import Command, Parser, add_domain, add_scorer


def add_arguments(parser: Parser) -> None:
    """Models, and how many samples each vote draws."""
    parser.add_argument("--policy", help="policy (default: the only one in the store)")
    add_scorer(
        parser,
        "a PRM that scored the samples, or mean-logprob, which always has, or one of deepconf-*, "
        "if profile recorded confidences with --top-logprobs, or tests, if answers are programs "
        "(default: the only PRM in the store; if there are several, none, and only rules without a "
        "score are replayed)",
    )
    parser.add_argument(
        "--k",
        metavar="K",
        help="numbers of samples to draw, as in 4,16,64, or all (default: the powers of two)",
    )
    parser.add_argument(
        "--keep",
        metavar="SHARES",
        help="shares of the samples that a weighted vote keeps, those with the best scores, as in "
        "0.1,0.9 (default: these two with deepconf-*, else none)",
    )
    parser.add_argument(
        "--power", metavar="POWERS", help="powers of Borda votes, as in 0.5,2 (default: none)"
    )
    add_domain(parser, "that of the policy's newest profile")


COMMAND = Command(
    name="replay",
    module="replay",
    summary="show the accuracy of every vote at every number of samples, from stored ones; runs "
    "no model",
    examples="apportion replay\n"
    "apportion replay --policy lab-0.8m --prm lab-0.8m-prm --k all --json",
    add_arguments=add_arguments,
    makes_store=False,
)
