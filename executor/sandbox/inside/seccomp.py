"""The filter of system calls of a process that runs a program (seccomp(2), classic BPF).

It takes away what no honest program of a benchmark needs and what has opened holes in kernels: the
network, other programs, namespaces, mounts, tracing, keys, shared memory that limits do not count.
Calls that are newer than this table are refused too, as by a kernel that does not have them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from executor.sandbox.inside.kernel import PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, prctl

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column in the tables below, and the architecture as the kernel names it (linux/audit.h)."""
_NEWEST = 451

_REFUSED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "syslog": (103, 116),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171),
    "sethostname": (170, 161), "setdomainname": (171, 162), "vhangup": (153, 58),
    "personality": (135, 92), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186),
    "msgsnd": (69, 189), "semget": (64, 190), "semop": (65, 193), "mq_open": (240, 180),
    "socket": (41, 198), "execve": (59, 221), "execveat": (322, 281),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274), "sched_setaffinity": (203, 122),
    "mbind": (237, 235), "set_mempolicy": (238, 237), "migrate_pages": (256, 238),
    "move_pages": (279, 239), "set_mempolicy_home_node": (450, 450), "iopl": (172, None),
    "ioperm": (173, None), "modify_ldt": (154, None), "uselib": (134, None),
    "sysfs": (139, None), "_sysctl": (156, None),
}  # fmt: skip
"""Numbers on x86_64 and on aarch64."""

_REFUSED_ALONE = {
    "fork": (57, None), "vfork": (58, None), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "chmod": (90, None),
    "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, None), "fchown": (93, 55),
    "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5),
    "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "truncate": (76, 45),
}  # fmt: skip
"""Calls that reach other processes, or files by a way that Landlock does not guard."""

_CLONE3 = (435, 435)  # its flags cannot be looked at; the C library then uses clone
_CLONE = (56, 220)
_PRLIMIT = (302, 261)
_KILLS = ((62, 129), (234, 131))  # kill, tgkill: their first argument is a process
_FCNTL, _IOCTL, _SOCKETPAIR = (72, 25), (16, 29), (53, 199)
_OWNER_OF_SIGNALS = (8, 10, 15, 0x8901, 0x8902)
"""Commands of fcntl and ioctl that make the kernel send signals to another process."""
_NOT_A_STREAM = 0xE  # bits of a socket's type; datagrams could be sent to sockets of others

_NEW_NAMESPACES = 0x7E020080  # the flags CLONE_NEW* of clone(2)
_THREAD = 0x00010000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT, _ARGUMENT_BYTES = 0, 4, 16, 8
_KILL, _ALLOW = 0x80000000, 0x7FFF0000


def available() -> bool:
    """Whether this machine's system calls are known here."""
    return platform.machine() in _ARCHITECTURES


def confine(*, alone: bool) -> None:
    """Install the filter in this process, for good; its children inherit it.

    Args:
        alone: whether the process may neither fork, nor send signals to others, nor change what
            files are like. Without namespaces of its own that is what keeps it from these.

    Raises:
        OSError: the kernel has no such filters.
    """
    column, architecture = _ARCHITECTURES[platform.machine()]
    code = _program(column, architecture, os.getpid() if alone else None)
    packed = b"".join(struct.pack("HBBI", *one) for one in code)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    header = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, 2, header)


_Instruction = tuple[int, int, int, int]
_Check = tuple[int, int, bool]
"""A test of an argument, its operand, and the outcome for which the call is refused."""


def _program(column: int, architecture: int, alone: int | None) -> list[_Instruction]:
    """Return the filter.

    Args:
        column: column of the tables.
        architecture: the kernel's number of it.
        alone: id of the process if it is to be kept from others; None: it may fork.
    """
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _NEWEST + 1),  # the numbers of x32 lie there as well
        _refuse(errno.ENOSYS),
        (_EQUAL, 0, 1, _CLONE3[column]),
        _refuse(errno.ENOSYS),
    ]
    refused = [*_REFUSED.values(), *(() if alone is None else _REFUSED_ALONE.values())]
    for numbers in refused:
        if (number := numbers[column]) is not None:
            code += [(_EQUAL, 0, 1, number), _refuse(errno.EPERM)]
    clone: list[_Check] = [(_ANY_BIT, _NEW_NAMESPACES, True)]
    code += _rule(_PRLIMIT[column], [(_EQUAL, 0, False)])
    owners: list[_Check] = [(_EQUAL, command, True) for command in _OWNER_OF_SIGNALS]
    for control in (_FCNTL, _IOCTL):
        code += _rule(control[column], owners, argument=1)
    if alone is not None:
        clone.append((_ANY_BIT, _THREAD, False))
        for kill in _KILLS:
            code += _rule(kill[column], [(_EQUAL, alone, False)])
        code += _rule(_SOCKETPAIR[column], [(_ANY_BIT, _NOT_A_STREAM, True)], argument=1)
    code += _rule(_CLONE[column], clone)
    return [*code, (_RETURN, 0, 0, _ALLOW)]


def _refuse(error: int) -> _Instruction:
    return (_RETURN, 0, 0, 0x00050000 | error)


def _rule(number: int, checks: list[_Check], argument: int = 0) -> list[_Instruction]:
    """Return the code for a call that is refused if a check of one of its arguments says so."""
    code: list[_Instruction] = [(_LOAD, 0, 0, _ARGUMENTS_AT + _ARGUMENT_BYTES * argument)]
    for test, operand, refused in checks:
        code += [(test, 0 if refused else 1, 1 if refused else 0, operand), _refuse(errno.EPERM)]
    code.append((_RETURN, 0, 0, _ALLOW))
    return [(_EQUAL, 0, len(code), number), *code]
