"""Addresses of stores: database URLs, as they are read and as they are shown."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from executor.errors import StoreError
from executor.passwords import hide_passwords, without_password

# What people and hosting services write for PostgreSQL; the driver is psycopg 3 unless named.
_PSYCOPG = "postgresql+psycopg"
_SPELLINGS = {"postgres": _PSYCOPG, "postgresql": _PSYCOPG}
_DATABASES = ("sqlite", "postgresql")


def parse(url: str) -> URL:
    """Read a database URL.

    Raises:
        StoreError: it is no URL, or one of a database that cannot be a store.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):  # ValueError: the port is not a number
        raise StoreError(
            f"store {shown(url)}: not a database URL; expected for instance "
            "sqlite:///apportion.db or postgresql://user@host/database"
        ) from None
    parsed = parsed.set(drivername=_SPELLINGS.get(parsed.drivername, parsed.drivername))
    if backend not in (*_DATABASES, *_SPELLINGS):
        raise StoreError(
            f"store {shown(url)}: cannot be on {backend}; expected sqlite or postgresql"
        )
    return parsed


def shown(url: str | URL) -> str:
    """Return a URL without its password, for messages."""
    return without_password(_text(url))


def without_secrets(text: str, url: str | URL) -> str:
    """Return a message that may quote a URL, without the passwords in it."""
    return hide_passwords(text, _text(url))


def _text(url: str | URL) -> str:
    return url if isinstance(url, str) else url.render_as_string(hide_password=False)


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite URL, which may be a `file:` URI; None for a store in memory."""
    name = url.database or ""
    if name in ("", ":memory:", "file::memory:") or url.query.get("mode") == "memory":
        return None
    return Path(unquote(urlsplit(name).path)) if name.startswith("file:") else Path(name)
