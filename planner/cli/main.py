"""The command line's entry point: parses, and hands over to a module of `planner.cli.commands`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TextIO

from executor.errors import EngineError, InputError, StoreLostError
from executor.models.remote_code import trust_remote_code
from executor.passwords import hide_passwords, without_password
from executor.servers.address import located
from planner.cli.arguments import COMMANDS
from planner.cli.options import USAGE_ERROR, Parser, add_command
from planner.cli.store_option import check_exists, is_named, store_url

ENGINE_ERROR = 3
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None, *, stdout: TextIO | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments; None: those of the process.
        stdout: stream for results. None: the process's standard output, which is then reserved for
            results: the prints of libraries go to standard error.

    Returns:
        The exit code: 0 done, 2 bad input, 3 a lost engine or database, 4 a target that nothing
        reaches, 130 interrupted.

    Raises:
        SystemExit: the parser refused the arguments (code 2), or showed help (code 0).
    """
    arguments = _parse(argv)
    command = _load(arguments.module)
    from sqlalchemy.exc import SQLAlchemyError

    from planner.cli.console import Output

    output = Output(as_json=arguments.json, stdout=stdout)
    try:
        _complete(arguments)
        code: int | None = command.run(arguments, output)
    except (EngineError, StoreLostError) as error:
        print(f"apportion: {_one_line(error)}; the same command goes on", file=sys.stderr)
        return ENGINE_ERROR
    except InputError as error:
        print(f"apportion: {_one_line(error)}", file=sys.stderr)
        return USAGE_ERROR
    except SQLAlchemyError as error:
        print(f"apportion: {_store_fault(arguments.store, error)}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("apportion: interrupted; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    return code or 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = build_parser()
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help(sys.stderr)
        raise SystemExit(USAGE_ERROR)
    arguments: argparse.Namespace = parser.parse_args(argv)
    return arguments


def _load(name: str) -> ModuleType:
    """Import a command. Nothing heavy is imported before: --help answers at once."""
    # torch's native code prints warnings that users cannot act on; it reads this when it loads.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    return importlib.import_module(f"planner.cli.commands.{name}")


def _complete(arguments: argparse.Namespace) -> None:
    """Put in what the environment and several options together say."""
    named, arguments.store = is_named(arguments), store_url(arguments, os.environ)
    remark = check_exists(arguments, named=named)
    if remark:
        print(f"apportion: {remark}", file=sys.stderr)
    if getattr(arguments, "trust_remote_code", False):
        trust_remote_code()
    _join_addresses(arguments)


def _join_addresses(arguments: argparse.Namespace) -> None:
    """Join `--policy ADDRESS --policy-model NAME`, and the same of a PRM, to one name."""
    for role in ("policy", "prm"):
        served, api = (getattr(arguments, f"{role}_{what}", None) for what in ("model", "api"))
        if served is not None or api is not None:
            setattr(arguments, role, located(getattr(arguments, role, None), served, role, api))


def _one_line(error: Exception) -> str:
    return hide_passwords(" ".join(str(error).split()))


def _store_fault(url: str | None, error: Exception) -> str:
    shown = "of the demo" if url is None else without_password(url)
    return f"store {shown}: {hide_passwords(_one_line(error), url or '')}"


class _Version(argparse.Action):
    """Prints the version; looked up only then, since it reads the installed packages."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"{parser.prog} {version('apportion')}")
        parser.exit()


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="apportion",
        description="Which test-time strategy, with how much compute, for this policy, this PRM "
        "and this problem?",
        epilog="Start with: apportion demo",
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        add_command(commands, command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
