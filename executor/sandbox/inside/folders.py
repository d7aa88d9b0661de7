"""The folders of the system that a program may read: Python's own library and shared libraries."""

from __future__ import annotations

import os
import sysconfig

DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_SHARED_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")


def library_folders() -> list[str]:
    """Return Python's library, and the folders of the libraries that its modules load."""
    own = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    shared = {path for path in _SHARED_LIBRARIES if os.path.isdir(path)}
    return sorted(os.path.realpath(path) for path in own | shared)


def hidden_folders() -> list[str]:
    """Return the folders inside these in which a user's packages lie."""
    found = []
    for folder in library_folders():
        found += [os.path.join(folder, name) for name in ("site-packages", "dist-packages")]
    return [path for path in found if os.path.isdir(path)]
