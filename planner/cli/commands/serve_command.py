"""`apportion serve-command`: how to start a server of a policy or a PRM."""

from __future__ import annotations

from argparse import Namespace

from executor.errors import InputError
from executor.servers.address import read_address
from executor.serving.command import serve_policy, serve_prm
from planner.cli.commands import common
from planner.cli.console import Output


def run(arguments: Namespace, output: Output) -> None:
    """Print the command line that starts the server."""
    if not 0 < arguments.port < 1 << 16:
        raise InputError(f"--port is {arguments.port}; expected 1 to 65535")
    name = arguments.prm or arguments.policy
    if read_address(name) is not None:
        raise InputError(f"{name} is served already; name the model itself")
    options = common.engine_options(arguments)
    if arguments.prm:
        command = serve_prm(name, arguments.port, options)
    else:
        command = serve_policy(name, arguments.port, options, output.say)
    document = {
        "command": str(command),
        "arguments": list(command.arguments),
        "environment": dict(command.environment),
    }
    output.result(
        document,
        lambda console: console.print(str(command), soft_wrap=True, markup=False, highlight=False),
    )
