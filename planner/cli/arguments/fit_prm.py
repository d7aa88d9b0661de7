"""Options of `apportion fit-prm`."""

from pathlib import Path

from planner.cli.options import Command, Parser, add_problems, add_sampling, runnable, whole


def add_arguments(parser: Parser) -> None:
    """Policy, problems, number of samples, folder and sampling."""
    parser.add_argument(
        "--policy",
        required=True,
        type=runnable,
        help="policy whose hidden states the head reads: name, folder or hub id",
    )
    add_problems(parser)
    parser.add_argument(
        "--max-samples",
        type=whole,
        default=16,
        metavar="N",
        help="number of samples for each problem (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="folder of the new checkpoint")
    parser.add_argument(
        "--fuse",
        type=Path,
        metavar="OUT",
        help="folder of a copy of the policy that holds the head in its own output matrix: its "
        "rewards come with its tokens, at no further cost (with --out, the same head twice)",
    )
    add_sampling(parser, prm=False)


COMMAND = Command(
    name="fit-prm",
    module="fit_prm",
    summary="train a reward head on the policy's own samples: an on-policy PRM",
    examples=(
        "apportion fit-prm --problems train.jsonl --policy smollm2-135m --out heads/smollm2\n"
        "apportion fit-prm --problems train.jsonl --policy smollm2-135m --fuse models/smollm2-head"
    ),
    add_arguments=add_arguments,
)
