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
    parser.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    add_sampling(parser, prm=False)


COMMAND = Command(
    name="fit-prm",
    module="fit_prm",
    summary="train a reward head on the policy's own samples: an on-policy PRM",
    examples="apportion fit-prm --problems train.jsonl --policy smollm2-135m --out heads/smollm2",
    add_arguments=add_arguments,
)
