"""Output of the command line: progress bars with rate and remaining time, tables, JSON."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from executor.json_values import finite

_PIPED_WIDTH = 1 << 15  # columns: a file has no edge that a line could be folded at
_LINE_SECONDS = 10.0  # whoever reads a log sees a sign of life every 15 s, even from a busy process
_STATE_SECONDS = 1.0  # for which a bar shows the same state of unfinished work


class _Rate(ProgressColumn):
    """Progress column of finished things per second or per minute, whichever reads better."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        unit, value = ("/s", speed) if speed >= 1 else ("/min", speed * 60)
        return Text(f"{value:.1f}{unit}", style="progress.data.speed")


class _State(ProgressColumn):
    """Progress column of what is said of unfinished work."""

    def __init__(self, ticker: _Ticker) -> None:
        super().__init__()
        self._ticker = ticker

    def render(self, task: Task) -> Text:
        return Text(self._ticker.said, style="progress.remaining")


class Output:
    """Output of a command: results on stdout, progress and remarks on stderr.

    Args:
        as_json: whether the result is a JSON document.
        stdout: stream for results; None: the process's standard output, reserved for them.
    """

    def __init__(self, *, as_json: bool, stdout: TextIO | None = None) -> None:
        self.as_json = as_json
        self._stdout = _own_stdout() if stdout is None else stdout
        # Piped output is not folded: its reader may look for whole lines.
        width = None if self._stdout.isatty() else _PIPED_WIDTH
        self.console = Console(file=self._stdout, width=width)
        self.err = Console(stderr=True, quiet=as_json)

    def say(self, text: str) -> None:
        """Print a remark for people on stderr; print nothing with `--json`."""
        self.err.print(text, highlight=False)

    def result(self, document: dict[str, Any] | list[Any], show: Callable[[Console], None]) -> None:
        """Print the result of a command: the JSON document, or its form for people."""
        if self.as_json:
            self._stdout.write(json.dumps(finite(document), indent=2) + "\n")
            self._stdout.flush()
        else:
            show(self.console)

    @contextmanager
    def progress(
        self, label: str, total: int, state: Callable[[], str] = lambda: ""
    ) -> Iterator[Callable[[int], None]]:
        """Show a progress bar; yield a function to call with the number of things just finished.

        If stderr is not a terminal, plain lines now and then replace the bar. Both also show the
        state of unfinished work; see `Reporter.progress`.
        """
        if self.as_json:
            yield lambda finished: None
            return
        if not self.err.is_terminal:
            with _Lines(self, label, total, state) as lines:
                yield lines.advance
            return
        ticker = _Ticker(_STATE_SECONDS, state)
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            _State(ticker),
            console=self.err,
        )
        with ticker, bar:
            task = bar.add_task(label, total=total)
            yield lambda finished: bar.advance(task, finished)

    @contextmanager
    def status(self, label: str) -> Iterator[None]:
        """Show a spinner with elapsed time, for work that cannot be counted."""
        if self.as_json or not self.err.is_terminal:
            self.say(f"{label} ...")
            yield
        else:
            with self.err.status(f"{label} ..."):
                yield


def _own_stdout() -> Any:
    """Return the real stdout, for results only; redirect the prints of libraries to stderr.

    Native code under vLLM and torch writes to file descriptor 1, so the descriptor must move, not
    `sys.stdout` alone.
    """
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:
        return sys.stdout
    sys.stdout.flush()
    stream = os.fdopen(kept, "w", encoding="utf-8", buffering=1)
    sys.stdout = sys.stderr
    return stream


class _Ticker:
    """Asks for the state of work now and then, in a thread of its own; a context manager.

    To ask may take seconds if servers are slow, and must hold up neither the work nor the display.

    Attributes:
        said: the newest state.
    """

    def __init__(
        self, seconds: float, state: Callable[[], str], then: Callable[[], None] = lambda: None
    ) -> None:
        self.said = ""
        self._seconds = seconds
        self._state = state
        self._then = then
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="progress", daemon=True)

    def __enter__(self) -> _Ticker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _tick(self) -> None:
        while not self._ended.wait(self._seconds):
            self.said = self._state()
            if not self._ended.is_set():
                self._then()


class _Lines:
    """Progress as plain lines, for logs: one every `_LINE_SECONDS`, and one at the end."""

    def __init__(self, output: Output, label: str, total: int, state: Callable[[], str]) -> None:
        self._output = output
        self._label = label
        self._total = total
        self._finished = 0
        self._started = time.monotonic()
        self._ticker = _Ticker(_LINE_SECONDS, state, self._say)

    def __enter__(self) -> _Lines:
        self._ticker.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._ticker.__exit__()
        if self._finished >= self._total > 0:
            self._say()

    def advance(self, finished: int) -> None:
        """Count finished things."""
        self._finished += finished

    def _say(self) -> None:
        spent = time.monotonic() - self._started
        line = f"{self._label}: {self._finished}/{self._total} after {spent:.0f} s"
        said = self._ticker.said
        self._output.say(f"{line}; {said}" if said else line)


EMPTY = "-"  # stands for an unknown value


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table; all columns but the first are right-aligned, and never folded."""
    made = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        made.add_column(
            column, justify="right" if number else "left", overflow="fold", no_wrap=number > 0
        )
    for row in rows:
        made.add_row(*row)
    return made


def known_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table without its empty columns; `planner.choice.constraint.unknown` says why a
    column is empty."""
    known = [i for i in range(len(columns)) if any(row[i] != EMPTY for row in rows)]
    return table(title, [columns[i] for i in known], [[row[i] for i in known] for row in rows])


def share(value: float | None, interval: Sequence[float] | None = None) -> str:
    """Return an accuracy with its interval: `0.412 [0.301, 0.532]`."""
    if value is None:
        return EMPTY
    if interval is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def count(value: float | None) -> str:
    """Return a readable number of tokens or operations; `-` if it is not known."""
    if value is None or math.isnan(value):
        return EMPTY
    return f"{value:,.0f}" if value < 1e6 else f"{value:.2e}"
