"""Options of `apportion serve-command`."""

from planner.cli.options import Command, Parser, add_sizes, runnable, whole


def add_arguments(parser: Parser) -> None:
    """A policy or a PRM, the port and the engine."""
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument(
        "--policy", type=runnable, help="catalog name (lab-0.8m), checkpoint folder or hub id"
    )
    model.add_argument(
        "--prm", type=runnable, help="catalog name (lab-0.8m-prm), checkpoint folder or hub id"
    )
    parser.add_argument(
        "--port", type=whole, default=8000, help="port of the server (default: %(default)s)"
    )
    add_sizes(parser.add_argument_group("engine"))


COMMAND = Command(
    name="serve-command",
    module="serve_command",
    summary="print how to start a server of a policy or a PRM that does what this program would",
    examples="apportion serve-command --policy lab-0.8m --port 8000\n"
    "apportion serve-command --prm lab-0.8m-prm --port 8100",
    add_arguments=add_arguments,
)
