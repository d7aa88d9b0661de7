"""Namespaces of the keeper's own: no network, no processes and no files but those of Python.

No program such as bubblewrap is needed: the calls are unshare(2), mount(2) and pivot_root(2). A
user who is not root may make them too, unless the system forbids it.
"""

from __future__ import annotations

import contextlib
import os

from executor.sandbox.inside.folders import DEVICES, hidden_folders, library_folders
from executor.sandbox.inside.kernel import call, die_with_parent

WORK = "/tmp"
"""The one folder that a program can write; it is empty at each run's start."""

OWN_USER, GUEST_USER, JUDGE_USER = 1000, 1001, 1002
"""Users inside. Only root can have more than the first."""

_FIRST_OUTSIDE = 0x70000000
"""User outside that stands for the guest's; above those of systems and containers."""

_NEW_USER, _NEW_PID, _NEW_NET = 0x10000000, 0x20000000, 0x40000000
_NEW_MOUNT, _NEW_IPC, _NEW_NAME, _NEW_CGROUP = 0x00020000, 0x08000000, 0x04000000, 0x02000000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 32, 4096, 16384, 1 << 18
_DETACH = 2
_ROOT = "/tmp"  # the new root is built over this folder, which every system has


def enter(slot: int, size: int) -> None:
    """Move into new namespaces; returns in their first process.

    The calling process stays outside, waits for that one, and exits when it has ended.

    Args:
        slot: number of this keeper among the caller's; those of others have other users.
        size: most bytes of files in `WORK`.

    Raises:
        OSError: the system does not allow it.
    """
    _new_user(slot)
    call("unshare", _NEW_PID | _NEW_NET | _NEW_MOUNT | _NEW_IPC | _NEW_NAME | _NEW_CGROUP)
    pid = os.fork()
    if pid:
        os.closerange(0, 1 << 10)
        with contextlib.suppress(ChildProcessError, KeyboardInterrupt):
            os.waitpid(pid, 0)
        os._exit(0)
    die_with_parent()
    _new_root()
    fresh_work(size)


def _new_user(slot: int) -> None:
    """Unshare the users, with a helper outside that says which of them there are."""
    user, group, me = os.geteuid(), os.getegid(), os.getpid()
    asked = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(asked[1])
        os.read(asked[0], 1)
        error = 1
        with contextlib.suppress(OSError):
            _map_users(me, user, group, slot)
            error = 0
        os._exit(error)
    os.close(asked[0])
    try:
        call("unshare", _NEW_USER)
    finally:
        os.close(asked[1])
        status = os.waitpid(helper, 0)[1]
    if status:
        raise PermissionError("the users of a new namespace cannot be named")


def _map_users(pid: int, user: int, group: int, slot: int) -> None:
    first = _FIRST_OUTSIDE + 2 * slot
    own = f"{OWN_USER} %d 1\n"
    more = f"{GUEST_USER} {first} 1\n{JUDGE_USER} {first + 1} 1\n"
    try:
        _write(f"/proc/{pid}/gid_map", own % group + more)
        _write(f"/proc/{pid}/uid_map", own % user + more)
    except OSError:
        _write(f"/proc/{pid}/setgroups", "deny")
        _write(f"/proc/{pid}/gid_map", own % group)
        _write(f"/proc/{pid}/uid_map", own % user)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _new_root() -> None:
    """Make a root of read-only folders of the system, and nothing else, and go there."""
    call("mount", None, "/", None, _RECURSIVE | _PRIVATE, None)
    call("mount", "tmpfs", _ROOT, "tmpfs", _NO_SUID | _NO_DEVICES, "mode=755,size=1m")
    shown: list[str] = []
    for folder in library_folders():
        if not any(folder.startswith(f"{outer}/") for outer in shown):
            os.makedirs(_ROOT + folder, exist_ok=True)
            _bind(folder, _ROOT + folder)
            shown.append(folder)
    for folder in hidden_folders():
        call("mount", "tmpfs", _ROOT + folder, "tmpfs", _READ_ONLY | _NO_SUID, "size=4k")
    for link in ("/lib", "/lib64"):
        if os.path.islink(link):
            os.symlink(os.readlink(link), _ROOT + link)
    os.mkdir(f"{_ROOT}/dev")
    for device in DEVICES:
        os.close(os.open(_ROOT + device, os.O_CREAT | os.O_WRONLY))
        _bind(device, _ROOT + device)
    for folder in ("/proc", WORK, "/old"):
        os.mkdir(_ROOT + folder)
    _mount_proc(f"{_ROOT}/proc")
    os.chdir(_ROOT)
    call("syscall", _pivot_root(), ".", "old")
    os.chdir("/")
    call("umount2", "/old", _DETACH)
    os.rmdir("/old")
    call("mount", None, "/", None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEVICES, None)


def _bind(source: str, target: str) -> None:
    """Show a folder or file at another place; a folder only to be read."""
    call("mount", source, target, None, _BIND | _RECURSIVE, None)
    if os.path.isdir(source):
        # Flags that the mount has already cannot be taken away, so they must be named.
        kept = os.statvfs(source).f_flag & (_NO_SUID | _NO_DEVICES | _NO_EXEC | _LAST_READ)
        flags = _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | kept
        call("mount", None, target, None, flags, None)


_LAST_READ = 1024 | 2048  # noatime, nodiratime


def _mount_proc(path: str) -> None:
    """Mount the processes of this namespace, each visible to its own user only."""
    flags = _NO_SUID | _NO_DEVICES | _NO_EXEC
    try:
        call("mount", "proc", path, "proc", flags, "hidepid=invisible,subset=pid")
    except OSError:  # before Linux 5.8
        call("mount", "proc", path, "proc", flags, "hidepid=2")


def _pivot_root() -> int:
    return 155 if os.uname().machine == "x86_64" else 41


def fresh_work(size: int, *, again: bool = False) -> None:
    """Give the runs an empty folder `WORK`; what was there is gone.

    Args:
        size: most bytes of files in it.
        again: whether there is one already.
    """
    if again:
        call("umount2", WORK, _DETACH)
    options = f"mode=1777,size={size},nr_inodes=4096"
    call("mount", "tmpfs", WORK, "tmpfs", _NO_SUID | _NO_DEVICES | _NO_EXEC, options)
