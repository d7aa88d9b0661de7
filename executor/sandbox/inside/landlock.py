"""Rights to files by Landlock, if a system gives no namespaces: reading a few folders only."""

from __future__ import annotations

import contextlib
import os
import platform
import struct
from collections.abc import Iterable

from executor.sandbox.inside.kernel import PR_SET_NO_NEW_PRIVS, call, prctl

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
"""Numbers of the system calls, the same on all machines."""
_ASK_VERSION = 1
_PATH_BENEATH = 1
_RIGHTS_BY_VERSION = (0, 13, 14, 15, 15, 16)
"""How many rights to files each version of Landlock knows; later ones know no more."""
_READ_FILE, _READ_FOLDER, _WRITE_FILE = 1 << 2, 1 << 3, 1 << 1


def available() -> bool:
    """Whether this kernel has Landlock."""
    try:
        return _version() > 0
    except OSError:
        return False


def _version() -> int:
    if platform.system() != "Linux":
        return 0
    return call("syscall", _CREATE, None, 0, _ASK_VERSION)


def confine(readable: Iterable[str]) -> None:
    """Let this process read what lies in some folders, and /dev/null be written, nothing else.

    Raises:
        OSError: the kernel has no Landlock.
    """
    version = _version()
    known = _RIGHTS_BY_VERSION[min(version, len(_RIGHTS_BY_VERSION) - 1)]
    attributes = struct.pack("Q", (1 << known) - 1)
    ruleset = call("syscall", _CREATE, attributes, len(attributes), 0)
    try:
        for path in readable:
            with contextlib.suppress(FileNotFoundError):
                folder = os.path.isdir(path)
                _allow(ruleset, path, _READ_FILE | (_READ_FOLDER if folder else 0))
        _allow(ruleset, "/dev/null", _READ_FILE | _WRITE_FILE)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        call("syscall", _RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH)
    try:
        rule = struct.pack("=Qi", rights, descriptor)
        call("syscall", _ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)
