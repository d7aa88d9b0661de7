"""Options of `apportion grade`."""

from planner.cli.options import Command, Parser, add_execution


def add_arguments(parser: Parser) -> None:
    """Add the file and the kind of its answers."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help="JSONL file; a line is an object with reference (for code: the fields of a problem "
        "with tests), and response or answer, and perhaps id; - reads the standard input",
    )
    parser.add_argument(
        "--domain",
        default="maths",
        metavar="DOMAIN",
        help="kind of the answers: maths, code, json, or that of another package (default: maths)",
    )
    add_execution(parser)


COMMAND = Command(
    name="grade",
    module="grade",
    summary="grade responses or answers by their references, and say why; runs no model",
    examples="apportion grade answers.jsonl\napportion grade - --json\n"
    "apportion grade programs.jsonl --domain code",
    add_arguments=add_arguments,
)
