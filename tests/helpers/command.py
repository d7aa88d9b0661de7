"""The command line: in this process, or as a process of its own.

`apportion` and `document` call `planner.cli.main.main` in this process, which saves the start of an
interpreter and its imports. What only a process can show (signals, pipes, what is imported) is
tested with `apportion_process`; such tests bear the mark `process`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any
from unittest import mock

from planner.cli.main import main

ROOT = Path(__file__).parents[2]
Completed = subprocess.CompletedProcess[str]


def apportion(place: Path, *arguments: str | Path) -> Completed:
    """Run a command in this process, in the folder `place`.

    The user's own settings (`APPORTION_*`, but for the cache) are hidden from the command. Working
    directory, environment, `sys.stdout`, `sys.stderr` and both file descriptors are put back when
    it ends.

    Args:
        place: working directory of the command.
        arguments: the command line without the program's name.

    Returns:
        Exit code and all that was written to the file descriptors of stdout and stderr.
    """
    words = [str(word) for word in arguments]
    with (
        _captured(1, "stdout") as stdout,
        _captured(2, "stderr") as stderr,
        contextlib.chdir(place),
        mock.patch.dict(os.environ),
    ):
        for name in [name for name in os.environ if name.startswith("APPORTION_")]:
            if name != "APPORTION_CACHE":
                del os.environ[name]
        try:
            code = main(words)
        except SystemExit as end:  # argparse leaves by it
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Completed(words, code, _text(stdout), _text(stderr))


def document(place: Path, *arguments: str | Path) -> Any:
    """Return the document that a command prints with `--json`; stdout must hold nothing else."""
    return _parsed(apportion(place, *arguments, "--json"))


def apportion_process(place: Path, *arguments: str | Path, code: str | None = None) -> Completed:
    """Run a command in a process of its own, in the folder `place`.

    Args:
        place: working directory of the command.
        arguments: the command line without the program's name.
        code: a Python program to run instead of the command line's module.
    """
    program = ["-m", "planner.cli.main"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        cwd=place,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )


def document_process(place: Path, *arguments: str | Path, code: str | None = None) -> Any:
    """Return the document that a command in a process of its own prints with `--json`."""
    return _parsed(apportion_process(place, *arguments, "--json", code=code))


def _parsed(ended: Completed) -> Any:
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout)


def environment() -> dict[str, str]:
    """Return the environment in which a child process imports this source tree."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@contextlib.contextmanager
def _captured(descriptor: int, name: str) -> Iterator[IO[bytes]]:
    """Send a file descriptor, and the stream of `sys` over it, to a file; yields the file.

    The descriptor is replaced, not the stream alone: the command line moves descriptor 1 itself to
    keep what native code prints out of its results.
    """
    getattr(sys, name).flush()
    before = getattr(sys, name), os.dup(descriptor)
    file = tempfile.TemporaryFile()  # noqa: SIM115  read after the block, closed with its last use
    os.dup2(file.fileno(), descriptor)
    stream = TextIOWrapper(
        open(descriptor, "wb", buffering=0, closefd=False),  # noqa: SIM115
        encoding="utf-8",
        write_through=True,
    )
    setattr(sys, name, stream)
    try:
        yield file
    finally:
        stream.flush()
        setattr(sys, name, before[0])
        os.dup2(before[1], descriptor)
        os.close(before[1])


def _text(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode()
