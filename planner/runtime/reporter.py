"""The reporter: where a use case sends progress and remarks while it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

# Says in a few words how far work is.
State = Callable[[], str]


def _nothing() -> str:
    return ""


class Reporter(Protocol):
    """Receives progress and remarks; the command line shows them, a library caller may not."""

    def say(self, text: str) -> None:
        """Pass on one remark for people."""

    def progress(
        self, label: str, total: int, state: State = _nothing
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Open a progress display.

        Args:
            label: name of the work.
            total: number of things to finish.
            state: says in a few words how far unfinished things are; empty if nothing is to say. A
                display calls it now and then, from any thread.

        Returns:
            A context manager that yields a function; call it with the number just finished.
        """

    def status(self, label: str) -> AbstractContextManager[None]:
        """Show that uncountable work is under way until the context ends."""


class SilentReporter:
    """Drops everything; the default of library functions."""

    def say(self, text: str) -> None:
        """Drop the remark."""

    @contextmanager
    def progress(
        self, label: str, total: int, state: State = _nothing
    ) -> Iterator[Callable[[int], None]]:
        """Yield a function that does nothing."""
        yield lambda finished: None

    @contextmanager
    def status(self, label: str) -> Iterator[None]:
        """Do nothing until the context ends."""
        yield
