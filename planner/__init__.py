"""The planner: which test-time strategy, with how much compute; see `planner.api.Apportion`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.api import Apportion as Apportion

__all__ = ["Apportion"]


def __getattr__(name: str) -> Any:
    # The command line imports this package too, and needs none of what is behind the name.
    if name == "Apportion":
        from planner.api import Apportion

        return Apportion
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
