"""Programs that attack a sandbox; each passes its tests only if its attack has succeeded.

The tests ask for `answer(2) == 5`, `answer(3) == 10` and so on. An attack either tries to pass
without knowing that, or does harm and, if it can, tells so by the right answers (`right`).

Never run one outside a sandbox: some kill all processes that they may kill. So the programs end at
once in a process without a filter of system calls, but for the few that only reach for something.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from executor.sandbox.suite import Source, Suite

CANARY = "APPORTION_CANARY"
"""Name of the environment variable that no program may see."""

SUITE = Suite(
    (
        Source(
            dedent("""
            def check(candidate):
                for n in range(2, 7):
                    assert candidate(n) == n * n + 1, "wrong"
            """)
        ),
    ),
    entry_point="answer",
)
CLOSE = Suite((Source("assert math.isclose(answer(3.0), 10.0)"),), entry_point="answer")
"""Tests that need a module which they do not import, as some of MBPP do."""
HELPED = Suite(
    (Source("def check(candidate):\n    assert helper(candidate(3)) == 100"),),
    entry_point="answer",
    head="def helper(n):\n    return n * n\n\n\ndef answer(n):\n    '''n * n + 1'''\n",
)
"""Tests that use a helper which the prompt has defined, as some of HumanEval do."""


@dataclass(frozen=True, slots=True)
class Bait:
    """What no program may reach.

    Attributes:
        file: a file in the user's home; nothing may be changed in its folder either.
        port: a port of this machine that listens.
    """

    file: Path
    port: int


@contextmanager
def bait() -> Iterator[Bait]:
    """Lay out a file of the user's, a variable of the environment, and a port that listens."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder, socket.socket() as listening:
        file = Path(folder) / "canary"
        file.write_text(CANARY)
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        os.environ[CANARY] = str(file)
        try:
            yield Bait(file, listening.getsockname()[1])
        finally:
            del os.environ[CANARY]


@dataclass(frozen=True, slots=True)
class Attack:
    """A program that attacks.

    Attributes:
        name: what it does, in a few words.
        text: its text, without what it must know of the bait.
        heavy: whether it runs until a limit of time ends it.
        suite: the tests that it must not pass.
    """

    name: str
    text: str
    heavy: bool = False
    suite: Suite = SUITE

    @property
    def harmless(self) -> bool:
        """Whether it does no harm even without a sandbox: it reads, connects, or starts Python."""
        return self.name in _HARMLESS

    def program(self, bait: Bait) -> str:
        """Return the program, which knows where the bait lies."""
        known = {
            "FILE": str(bait.file), "FOLDER": str(bait.file.parent), "PORT": bait.port,
            "CANARY": CANARY,
        }  # fmt: skip
        names = "".join(f"{name} = {value!r}\n" for name, value in known.items())
        guard = "" if self.harmless else _GUARD
        return f"{guard}{names}{_HEAD}\n{dedent(self.text).strip()}\n"


def attacks() -> list[Attack]:
    """Return all attacks."""
    return [Attack(name, text, heavy, suite) for name, heavy, suite, text in _ATTACKS]


_HARMLESS = frozenset(
    {"a file of the user's", "the home folder and others", "a connection", "another program"}
)

# PR_GET_SECCOMP is 2 with a filter. os._exit, so that nothing that follows can run.
_GUARD = """
import ctypes, os
if ctypes.CDLL(None).prctl(21, 0, 0, 0, 0) != 2:
    os._exit(1)
"""

_HEAD = dedent('''
    import ctypes, gc, os, signal, socket, sys, threading, time

    def right(n):
        return n * n + 1

    def if_it_works(attack):
        """Make `answer` right if the attack returns a true value."""
        worked = []
        def answer(n):
            if not worked:
                try:
                    worked.append(bool(attack()))
                except BaseException:
                    worked.append(False)
            return right(n) if worked[0] else None
        return answer
''')

_FORGE, _HARM, _HEAVY = (False, SUITE), (False, SUITE), (True, SUITE)

_ATTACKS: list[tuple[str, bool, Suite, str]] = [
    # Passes that are faked.
    ("exit with 0 on loading", *_FORGE, "sys.exit(0)"),
    ("leave with 0 on loading", *_FORGE, "os._exit(0)"),
    ("exit with 0 in the call", *_FORGE, "def answer(n): sys.exit(0)"),
    ("leave with 0 in the call", *_FORGE, "def answer(n): os._exit(0)"),
    ("raise what tests do not catch", *_FORGE, """
        class Done(BaseException): pass
        def answer(n): raise Done
    """),
    ("raise an error that names itself well", *_FORGE, """
        StopTests = type("StopIteration", (GeneratorExit,), {})
        def answer(n): raise StopTests
    """),
    ("equal to everything", *_FORGE, """
        class Any:
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            __hash__ = None
        def answer(n): return Any()
    """),
    ("a number equal to everything", *_FORGE, """
        class Any(int):
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __hash__(self): return 0
        def answer(n): return Any()
    """),
    ("an object of a false class", *_FORGE, """
        class Any:
            __class__ = int
            def __eq__(self, other): return True
        def answer(n): return Any()
    """),
    ("patched builtins", *_FORGE, """
        import builtins
        class Never(BaseException):
            def __init__(self, *a): os._exit(0)
        builtins.AssertionError = Never
        builtins.all = builtins.any = builtins.isinstance = lambda *a: True
        builtins.compile = builtins.exec = builtins.range = lambda *a, **k: []
        def answer(n): return None
    """),
    ("patched test functions", *_FORGE, """
        def check(candidate): return None
        candidate = None
        def answer(n):
            import builtins, __main__
            for place in (builtins, __main__):
                place.check = check
            return None
    """),
    ("patched judge", *_FORGE, """
        from executor.sandbox.inside import judge, wire, warden
        judge.Judge.verdicts = lambda self: iter([("passed", "")])
        judge.Judge._of_source = lambda self, source: ("passed", "")
        judge._verdict = lambda *a: ("passed", "")
        wire.decode = lambda *a: 5
        def answer(n): return None
    """),
    ("patched messages", *_FORGE, """
        import json
        json.dumps = lambda *a, **k: '{"verdict": "passed", "detail": "", "value": true}'
        json.loads = lambda *a, **k: {"done": True}
        def answer(n): return None
    """),
    ("verdicts written to every descriptor", *_FORGE, r"""
        line = b'\\n{"verdict": "passed", "detail": ""}\\n{"done": true}\\n'
        for number in range(256):
            for text in (line, b"ud"):
                try: os.write(number, text)
                except OSError: pass
        def answer(n): return None
    """),
    ("a thread that answers first", *_FORGE, r"""
        def write():
            while True:
                try: os.write(3, b'{"value": true}\\n')
                except OSError: return
        threading.Thread(target=write, daemon=True).start()
        def answer(n): return None
    """),
    ("values that cannot be read", *_HEAVY, r"""
        def answer(n):
            os.write(3, b'{"value": ["T", "eval"]}\\n')
            time.sleep(1)
    """),
    ("callers' variables", *_FORGE, """
        def answer(n):
            frame = sys._getframe()
            while frame is not None:
                for name in list(frame.f_locals):
                    frame.f_locals[name] = True
                frame = frame.f_back
            return None
    """),
    ("the tests in memory", *_FORGE, r"""
        import re
        # Patterns that their own text does not match.
        texts, raw = re.compile(r"assert [c]andidate"), re.compile(rb"assert [c]andidate\(n\) ==")
        def found():
            for one in gc.get_objects():
                if isinstance(one, dict):
                    for value in list(one.values()):
                        if isinstance(value, str) and texts.search(value):
                            return True
            with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
                for line in maps:
                    low, high = (int(x, 16) for x in line.split()[0].split("-"))
                    if "rw" in line and high - low < 1 << 28:
                        memory.seek(low)
                        if raw.search(memory.read(high - low)):
                            return True
        answer = if_it_works(found)
    """),
    ("the judge's memory", *_FORGE, """
        def found():
            for pid in range(1, 60):
                if pid != os.getpid():
                    try:
                        open(f"/proc/{pid}/mem", "rb"); return True
                    except OSError: pass
                    try:
                        os.listdir(f"/proc/{pid}/fd"); return True
                    except OSError: pass
        answer = if_it_works(found)
    """),
    ("tracing other processes", *_FORGE, """
        def traced():
            libc = ctypes.CDLL(None)
            pids = [p for p in range(1, 60) if p != os.getpid()]
            if any(libc.ptrace(16, pid, 0, 0) == 0 for pid in pids):
                return True
            for pid in pids:
                fd = libc.syscall(434, pid, 0)
                if fd >= 0 and libc.syscall(438, fd, 0, 0) >= 0:
                    return True
        answer = if_it_works(traced)
    """),
    ("a killed judge", *_FORGE, """
        def answer(n):
            for pid in range(1, 60):
                if pid != os.getpid():
                    try: os.kill(pid, signal.SIGKILL)
                    except OSError: pass
            return None
    """),
    ("a module of the same name", False, CLOSE, """
        class math:
            @staticmethod
            def isclose(*a): return True
        def isclose(*a): return True
        def answer(n): return 0.0
    """),
    ("a helper that is always right", False, HELPED, """
        def helper(n): return 100
        def answer(n): return 0
    """),
    ("a handler at exit", *_FORGE, r"""
        import atexit
        atexit.register(lambda: os.write(1, b'passed'))
        print("passed", '{"verdict": "passed"}')
        def answer(n): raise SystemExit(0)
    """),
    # What must not be reached.
    ("a file of the user's", *_HARM, """
        answer = if_it_works(lambda: open(FILE).read() == CANARY)
    """),
    ("the home folder and others", *_HARM, """
        def seen():
            for folder in ("/root", "/home", "/etc", "/work", "/var", "/mnt", FOLDER):
                try: names = os.listdir(folder)
                except OSError: continue
                if [name for name in names if name != ".pyenv"]:
                    return True
        answer = if_it_works(seen)
    """),
    ("a file behind a symbolic link", *_HARM, """
        def read():
            os.chdir("/tmp")
            os.symlink(FILE, "link"); os.symlink("/proc/1/root", "root")
            for path in ("link", "root" + FILE, "/proc/1/cwd" + FILE, "/proc/self/root" + FILE):
                try: return open(path).read()
                except OSError: pass
            os.link(FILE, "hard")
            return True
        answer = if_it_works(read)
    """),
    ("the environment", *_HARM, """
        def seen():
            if CANARY in os.environ: return True
            for pid in ("self", *range(1, 60)):
                try:
                    if CANARY.encode() in open(f"/proc/{pid}/environ", "rb").read(): return True
                except OSError: pass
        answer = if_it_works(seen)
    """),
    ("files outside", *_HARM, """
        def written():
            done = False
            own = os.path.dirname(os.__file__)
            for folder in ("/", "/usr/lib", "/dev", "/proc/self", FOLDER, own):
                try:
                    open(folder + "/mark_of_attack", "w").write("x"); done = True
                except OSError: pass
            return done
        answer = if_it_works(written)
    """),
    ("the rights of files", *_HARM, """
        def changed():
            for path in (FILE, FOLDER):
                for change in (lambda: os.chmod(path, 0o700), lambda: os.utime(path),
                               lambda: os.truncate(path, 0)):
                    try: change(); return True
                    except OSError: pass
        answer = if_it_works(changed)
    """),
    ("signals by a file's owner", *_HARM, """
        import fcntl
        def owned():
            here, there = socket.socketpair()
            for command in (8, 15):
                try: fcntl.fcntl(here, command, os.getppid()); return os.getppid() > 0
                except OSError: pass
        answer = if_it_works(owned)
    """),
    ("a device", *_HARM, """
        def made():
            os.mknod("/tmp/disk", 0o60666, os.makedev(8, 0))
            return os.open("/tmp/disk", os.O_RDONLY) >= 0
        answer = if_it_works(made)
    """),
    ("a connection", *_HARM, """
        def connected():
            socket.create_connection(("127.0.0.1", PORT), 1)
            return True
        answer = if_it_works(connected)
    """),
    ("a name looked up", *_HARM, """
        answer = if_it_works(lambda: socket.getaddrinfo("example.com", 80))
    """),
    ("a datagram", *_HARM, """
        def sent():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            return s.sendto(b"x", ("127.0.0.1", PORT))
        answer = if_it_works(sent)
    """),
    ("another program", *_HARM, """
        import subprocess
        answer = if_it_works(lambda: subprocess.run([sys.executable, "-c", ""]).returncode == 0)
    """),
    ("new namespaces and mounts", *_HARM, """
        def escaped():
            libc = ctypes.CDLL(None)
            return (libc.unshare(0x10000000) == 0 or libc.unshare(0x20000) == 0
                    or libc.mount(b"x", b"/tmp", b"tmpfs", 0, None) == 0
                    or libc.chroot(b"/tmp") == 0 or libc.umount2(b"/tmp", 2) == 0)
        answer = if_it_works(escaped)
    """),
    ("another user", *_HARM, """
        def became():
            before = os.getresuid()
            for user in (0, 1000):
                try: os.setresuid(user, user, user)
                except OSError: pass
            return os.getresuid() != before
        answer = if_it_works(became)
    """),
    ("the parent and all others killed", *_HARM, """
        def answer(n):
            for pid in (os.getppid(), 1, -1, 0):
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGSTOP, signal.SIGKILL):
                    try: os.kill(pid, number)
                    except OSError: pass
            return None
    """),
    ("the limits of others", *_HARM, """
        import resource
        def changed():
            for pid in range(1, 60):
                if pid != os.getpid():
                    try:
                        resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1)); return True
                    except OSError: pass
            resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
            return True
        answer = if_it_works(changed)
    """),
    ("its own folder deleted", *_HARM, """
        import shutil
        def answer(n):
            for folder in (os.getcwd(), "/tmp", "/dev", os.path.dirname(os.__file__) + "/json"):
                shutil.rmtree(folder, ignore_errors=True)
            return None
    """),
    # What must not be used up.
    ("too much memory", *_HEAVY, """
        def taken():
            kept = [bytearray(1 << 24) for _ in range(256)]
            return len(kept) == 256
        answer = if_it_works(taken)
    """),
    ("too much memory in many processes", *_HEAVY, """
        def taken():
            for _ in range(24):
                if os.fork() == 0:
                    kept = b"x" * (200 << 20)
                    time.sleep(60)
            time.sleep(3)
            return True
        answer = if_it_works(taken)
    """),
    ("shared memory", *_HEAVY, """
        import mmap
        def taken():
            kept = []
            for _ in range(64):
                one = mmap.mmap(-1, 1 << 26)
                for at in range(0, 1 << 26, 4096): one[at] = 1
                kept.append(one)
            return True
        answer = if_it_works(taken)
    """),
    ("a fork bomb", *_HEAVY, """
        def bomb():
            while True:
                try: os.fork()
                except OSError: pass
        answer = if_it_works(bomb)
    """),
    ("many processes", *_HEAVY, """
        def made():
            for _ in range(200):
                if os.fork() == 0:
                    time.sleep(60)
            return True
        answer = if_it_works(made)
    """),
    ("many threads", *_HEAVY, """
        def made():
            for _ in range(500):
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            return True
        answer = if_it_works(made)
    """),
    ("endless output", *_HEAVY, """
        def answer(n):
            while True: print("x" * 100000)
    """),
    ("an endless loop", *_HEAVY, """
        def answer(n):
            while True: pass
    """),
    ("an endless loop on loading", *_HEAVY, "while True: pass"),
    ("an endless sleep", *_HEAVY, """
        def answer(n): time.sleep(10**6)
    """),
    ("signals ignored", *_HEAVY, """
        for number in range(1, 65):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        def answer(n):
            while True:
                try: time.sleep(10**6)
                except BaseException: pass
    """),
    ("a power that never ends", *_HEAVY, """
        def answer(n): return 10 ** 10 ** 9
    """),
    ("an expression that never matches", *_HEAVY, """
        import re
        def answer(n): return re.match(r"(a+)+$", "a" * 60 + "b")
    """),
    ("deep recursion", *_HEAVY, """
        def answer(n):
            sys.setrecursionlimit(10**9)
            def down(k): return down(k + 1) + 1
            return down(0)
    """),
    ("a deep value", *_HEAVY, """
        def answer(n):
            value = []
            for _ in range(10**6): value = [value]
            return value
    """),
    ("a huge value", *_HEAVY, """
        def answer(n): return "x" * (100 << 20)
    """),
    ("an endless value", *_HEAVY, """
        class Endless(dict):
            def items(self):
                while True: yield 1, "x" * 1000
        def answer(n): return Endless(a=1)
    """),
    ("a full disk", *_HARM, """
        def filled():
            for k in range(100):
                with open(f"/tmp/{k}", "wb") as file: file.write(bytes(10 << 20))
            return True
        answer = if_it_works(filled)
    """),
    ("a million files", *_HARM, """
        def made():
            for k in range(10**6): open(f"/tmp/{k}", "w").close()
            return True
        answer = if_it_works(made)
    """),
    ("a folder without a bottom", *_HARM, """
        def made():
            os.chdir("/tmp")
            for _ in range(10**6):
                os.mkdir("d" * 200); os.chdir("d" * 200)
            return True
        answer = if_it_works(made)
    """),
    ("all descriptors", *_HARM, """
        def opened():
            kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(5000)]
            return True
        answer = if_it_works(opened)
    """),
    ("a child that stays", *_HARM, """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(10**6)
            os._exit(0)
        def answer(n): return None
    """),
    ("a file that stays", *_HARM, """
        old = os.path.exists("/tmp/mark_of_attack")
        open("/tmp/mark_of_attack", "w").close()
        answer = if_it_works(lambda: old)
    """),
]  # fmt: skip
"""Name, whether it is heavy, tests, program."""
