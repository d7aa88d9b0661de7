"""Addresses of databases as people may see them: without passwords.

Whatever shows an address to somebody (a message, a log, a report, a response) shows what
`without_password` returns. It reads the text itself, so that it also holds for addresses that no
parser accepts; if it cannot tell where a password ends, it hides more.

In a text, a password is known by where it stands: in an address, or as the value of a setting. So a
password that is also a user's name or a common word does not blot these out.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

_HIDDEN = "***"
_WORD = "(?:password|passwd|passphrase|pwd)"
_NAME = rf"{_WORD}\w{{0,40}}"
_QUOTE = r"""(?P<quote>\\*["'])"""  # with the backslashes that it has inside another string
_INSIDE = r"(?:(?!(?P=quote))(?:\\.|.))*"
# Two quotes in a row are one in the value. A text that was cut has no closing one.
_QUOTED = rf"{_QUOTE}{_INSIDE}(?:(?P=quote)(?P=quote){_INSIDE})*(?:(?P=quote)|\Z)"
_SETTING = re.compile(
    rf"""
    (?P<name>
        --[\w-]{{0,40}}{_WORD}(?:=|\s+)(?!-)                                    # an option
      | {_NAME}(?:\\*["'])?\s*=\s*                                            # of libpq, of a URL
      | {_NAME}(?:\\*["'])?\s*:\s*(?=\\*["'])                                 # of JSON
      | {_NAME}\s*:\s*(?=[^\s,;}}]+\s*(?:[,;}}]|\Z|\s\w+:\s))                 # of YAML
    )
    (?:{_QUOTED}|[^\s&;]+)
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_QUOTED_URL = re.compile(r"""(["'])([A-Za-z][\w+.-]{0,40}://(?:(?!\1|://).)*)\1""")
# A password may hold blanks; what starts as a port does not belong to one. Its length is bounded so
# that a text of many addresses without one takes linear time.
_BLANKS_IN_PASSWORD = r"[^\s:/@]*:(?!\d+(?:[/?\s]|\Z))[^@]{0,500}@\S*"
_URL = re.compile(
    r"(?:(?:postgres|mysql|mariadb|oracle|mssql|sqlite|mongodb)[\w+.-]{0,40}://"
    rf"(?!\S*@){_BLANKS_IN_PASSWORD}|[A-Za-z][\w+.-]{{0,40}}://\S+)"
)
_CREDENTIALS = re.compile(r"^([\w+.-]*:/*)?.*@", re.DOTALL)
_LEAST = 3
"""Letters that a secret has at least, if it is hidden in quotes."""
_UNIQUE = 8
"""The same of one that is hidden wherever it stands, if it is no word: it has other characters."""
_NO_WORD = 16
"""Letters that no word of a message has."""


def without_password(url: str) -> str:
    """Return a database URL without its password and without its options (`?...`).

    Args:
        url: as the user gave it; it need not be a valid URL.
    """
    scheme, found, rest = url.partition("://")
    if not found:  # nothing can be relied on: whatever stands before a host is left out
        return _without_settings(_CREDENTIALS.sub(rf"\g<1>{_HIDDEN}@", url))
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
        url: the address that it is about. Its secrets are hidden in quotes, too, and wherever they
            stand if they are long enough to be nothing else.
    """
    shown = without_password(url)
    if url:
        text = text.replace(url, shown)

    text = _QUOTED_URL.sub(lambda match: f"{match[1]}{_shown(match[2])}{match[1]}", text)
    text = _without_settings(_URL.sub(lambda match: _shown(match[0]), text))
    names = set(re.findall(r"\w+", shown.lower()))
    for secret in sorted(_secrets(url), key=len, reverse=True):
        if secret.lower() not in names:
            text = _without(text, secret)
    return text


def _shown(url: str) -> str:
    """Return an address of a message: any that may hold a password loses it, others stay."""
    return without_password(url) if "@" in url or _SETTING.search(url) else url


def _without_settings(text: str) -> str:
    return _SETTING.sub(rf"\g<name>{_HIDDEN}", text)


def _without(text: str, secret: str) -> str:
    """Hide a secret wherever it cannot be anything else."""
    if len(secret) >= (_NO_WORD if secret.isalpha() else _UNIQUE):
        return text.replace(secret, _HIDDEN)
    return re.sub(rf"""(["'`]){re.escape(secret)}\1""", rf"\1{_HIDDEN}\1", text)


def _secrets(url: str) -> set[str]:
    """Return the password of an address and the values of its options, as written and decoded."""
    rest = url.partition("://")[2]
    place, _, options = rest.partition("?")
    values = [value for name, value in parse_qsl(options) if re.search(_NAME, name, re.I)]
    # The second holds if the password has a question mark.
    passwords = [part.rpartition("@")[0].partition(":")[2] for part in (place, rest)]
    found = {*passwords, *map(unquote, passwords), *values}
    return {secret for secret in found if len(secret) >= _LEAST}
