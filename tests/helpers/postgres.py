"""A PostgreSQL server of the tests' own, from the programs that are installed (Debian: postgresql).

It listens at a port of the loopback address, knows one user with a password, and keeps its files
in a folder that goes with it. A commit outlasts a crash of the server, but not one of the machine,
which makes it fast.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from importlib.util import find_spec
from pathlib import Path

USER, PASSWORD = "tester", "s3cret@word"
_QUOTED = "s3cret%40word"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "autovacuum": "off",
    "timezone": "Pacific/Auckland",  # not this process's: times must not depend on it
}


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL's programs; None if none is installed."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda folder: int(folder.parent.name))
    found = shutil.which("initdb")
    return None if found is None else Path(found).resolve().parent


def missing() -> str | None:
    """Return what is not here to test with PostgreSQL, in a few words; None if all is here."""
    if find_spec("psycopg") is None:
        return "psycopg is not installed (the extra postgres)"
    if programs() is None:
        return "PostgreSQL is not installed (make postgres)"
    if os.geteuid() == 0 and _account() is None:
        return "PostgreSQL refuses root, and there is no account postgres or nobody"
    return None


class PostgresServer:
    """A running server; use it as a context manager."""

    def __init__(self) -> None:
        found = programs()
        assert found is not None
        self._programs = found
        self._folder = Path(tempfile.mkdtemp(prefix="apportion-postgres-"))
        self._as: dict[str, int] = {}
        account = _account()
        if os.geteuid() == 0 and account is not None:  # PostgreSQL refuses root
            os.chown(self._folder, account.pw_uid, account.pw_gid)
            self._as = {"user": account.pw_uid, "group": account.pw_gid}
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._run(
                "initdb", "--pgdata=data", f"--username={USER}", "--auth=scram-sha-256",
                "--pwfile=password", "--encoding=UTF8", "--locale=C", "--no-sync",
            )  # fmt: skip
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port: int = free.getsockname()[1]
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PostgresServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def url(self, database: str = "postgres", *, password: str = _QUOTED) -> str:
        """Return the URL of a database, as people write it."""
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        import psycopg

        name = f"d{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", "data", "-p", str(self.port),
                 "-k", self._folder, *options],
                cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._as,
            )  # fmt: skip
        give_up = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < give_up, self.log()
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server at once, as a crash does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(60)
            self._process = None

    def close(self) -> None:
        """Stop the server and delete its files."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self) -> str:
        """Return the end of what the server has said."""
        return (self._folder / "log").read_text(errors="replace")[-2000:]

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._folder, capture_output=True, text=True, check=False, **self._as,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def _account() -> pwd.struct_passwd | None:
    """Return the account to run the server as, if this process is root's."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None
