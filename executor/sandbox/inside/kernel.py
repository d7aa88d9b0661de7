"""Calls of the Linux kernel that Python does not have."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION = 0x20080522
_MOST_CAPABILITIES = 64

_LIBC = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library; texts and bytes are passed as strings.

    Raises:
        OSError: it failed.
    """
    plain = [one.encode() if isinstance(one, str) else one for one in arguments]
    wide = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in plain]
    result: int = getattr(_LIBC, name)(*wide)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def prctl(option: int, value: int, more: object = 0) -> None:
    """Change a property of this process; see prctl(2). Other systems than Linux have none."""
    if sys.platform == "linux":
        call("prctl", option, value, more, 0, 0)


def die_with_parent() -> None:
    """Make the kernel kill this process when its parent dies; nothing elsewhere than on Linux.

    A change of user or capabilities takes this back.
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def drop_capabilities() -> None:
    """Give up all capabilities of this process, for good."""
    for capability in range(_MOST_CAPABILITIES):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # the kernel has no more of them, or this process may drop none
            break
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    call("capset", header, struct.pack("6I", 0, 0, 0, 0, 0, 0))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
