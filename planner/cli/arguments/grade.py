"""Options of `apportion grade`."""

from planner.cli.options import Command, Parser


def add_arguments(parser: Parser) -> None:
    """Add the file and the kind of its answers."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help="JSONL file; a line is an object with reference, and response or answer, and perhaps "
        "id; - reads the standard input",
    )
    parser.add_argument(
        "--domain",
        default="maths",
        metavar="DOMAIN",
        help="kind of the answers; only maths is known (default: maths)",
    )


COMMAND = Command(
    name="grade",
    module="grade",
    summary="grade responses or answers by their references, and say why; runs no model",
    examples="apportion grade answers.jsonl\napportion grade - --json",
    add_arguments=add_arguments,
)
