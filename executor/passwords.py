"""Addresses of databases as people may see them: without passwords.

Whatever shows an address to somebody (a message, a log, a report, a response) shows what
`without_password` returns. It reads the text itself, so that it also holds for addresses that no
parser accepts; if it cannot tell where a password ends, it hides more.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

_HIDDEN = "***"
_URL = re.compile(r"[A-Za-z][\w+.-]*://\S+")
_SETTING = re.compile(r"(\w*(?:password|passwd|pwd)\w*)(\s*=\s*)('[^']*'|[^\s&;]+)", re.IGNORECASE)
_CREDENTIALS = re.compile(r"^([\w+.-]*:/*)?.*@", re.DOTALL)
_LEAST = 3  # a shorter secret would be found in ordinary words


def without_password(url: str) -> str:
    """Return a database URL without its password and without its options (`?...`).

    Args:
        url: as the user gave it; it need not be a valid URL.
    """
    scheme, found, rest = url.partition("://")
    if not found:  # nothing can be relied on: whatever stands before a host is left out
        place = _CREDENTIALS.sub(rf"\g<1>{_HIDDEN}@", url)
        return _SETTING.sub(rf"\1\2{_HIDDEN}", place)
    place, _, options = rest.partition("?")
    if place.startswith("/"):  # the path of a file, which may hold any character
        return f"{scheme}://{place}"
    if "@" in options:  # of the password or of an option: the password could end before or after it
        return f"{scheme}://{_HIDDEN}"
    credentials, at, place = place.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return f"{scheme}://{user}{colon and f':{_HIDDEN}'}{at}{place}"


def hide_passwords(text: str, url: str = "") -> str:
    """Return a text for people without the passwords in it.

    Args:
        text: a message, perhaps of a driver or of a parser, that may quote addresses.
        url: the address that it is about; its secrets are hidden wherever they stand in the text.
    """
    if url:
        text = text.replace(url, without_password(url))
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)

    def hidden(match: re.Match[str]) -> str:
        found = match[0]
        return without_password(found) if "@" in found or _SETTING.search(found) else found

    return _SETTING.sub(rf"\1\2{_HIDDEN}", _URL.sub(hidden, text))


def _secrets(url: str) -> set[str]:
    """Return the password of an address and the values of its options, as written and decoded."""
    place, _, options = url.partition("://")[2].partition("?")
    password = place.rpartition("@")[0].partition(":")[2]
    values = [value for name, value in parse_qsl(options) if _SETTING.match(f"{name}=x")]
    found = {password, unquote(password), *values}
    return {secret for secret in found if len(secret) >= _LEAST}
