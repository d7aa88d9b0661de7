"""No text for people holds the password of a database."""

from __future__ import annotations

import time

import pytest

from executor.passwords import hide_passwords, without_password

SECRET = "hunter2horse"

SHOWN = {
    "sqlite:///apportion.db": "sqlite:///apportion.db",
    "sqlite:////var/lib/a@b/apportion.db": "sqlite:////var/lib/a@b/apportion.db",
    "sqlite:///file:apportion.db?mode=ro&uri=true": "sqlite:///file:apportion.db",
    "sqlite://": "sqlite://",
    "apportion.db": "apportion.db",
    "postgresql://host/db": "postgresql://host/db",
    "postgresql://ann@host:5432/db": "postgresql://ann@host:5432/db",
    f"postgresql://ann:{SECRET}@host:5432/db": "postgresql://ann:***@host:5432/db",
    f"postgresql+psycopg://ann:{SECRET}@[::1]:5432/db": "postgresql+psycopg://ann:***@[::1]:5432/db",
    f"postgresql://:{SECRET}@/db": "postgresql://:***@/db",
    f"postgresql://host/db?user=ann&password={SECRET}": "postgresql://host/db",
    f"postgresql://host/db?sslpassword={SECRET}&timeout=3": "postgresql://host/db",
    f"postgresql://ann:{SECRET}@host:port/db": "postgresql://ann:***@host:port/db",
    f"mysql+pymysql://ann:{SECRET}@host/db?charset=utf8": "mysql+pymysql://ann:***@host/db",
    f"sqlite+pysqlcipher://:{SECRET}@/file.db": "sqlite+pysqlcipher://:***@/file.db",
    f"host=db user=ann password={SECRET}": "host=db user=ann password=***",
}
# A password with characters that belong into a URL only when escaped: none of its parts is shown.
UNESCAPED = ("p@ssw0rd9", "p@55/w0rd9", "p?5@w0rd9", "p:55:w0rd9", "p#5@w0rd9", "p%40w0rd9")


@pytest.mark.parametrize(("url", "shown"), SHOWN.items())
def test_a_store_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert SECRET not in hide_passwords(f"store {url}: it failed")
    assert shown in hide_passwords(f"store {shown}: it failed")


@pytest.mark.parametrize("password", UNESCAPED)
@pytest.mark.parametrize(
    "place", ["ann:{}@host/db", "ann:{}@host:1/db?a=b", "ann:{}@/db?host=/run"]
)
def test_no_part_of_an_unescaped_password_is_shown(place: str, password: str) -> None:
    shown = without_password(f"postgresql://{place.format(password)}")
    assert "w0rd9" not in shown and "55" not in shown


def test_an_option_with_an_at_sign_is_not_shown() -> None:
    assert "w0rd9" not in without_password("postgresql://ann@host/db?password=p@w0rd9")


@pytest.mark.parametrize(
    "message",
    [
        f"could not connect with password={SECRET} to host",
        f"connection string 'user=ann password = {SECRET}' is not valid",
        f'missing "=" after "{SECRET}" in connection info string',
        f"unrecognized arguments: postgresql://ann:{SECRET}@host/db",
    ],
)
def test_a_drivers_message_loses_the_password(message: str) -> None:
    assert SECRET not in hide_passwords(message, f"postgresql://ann:{SECRET}@host/db")


@pytest.mark.parametrize(
    "message",
    [
        "http://localhost:8000/v1: it cannot be reached",
        "policy lab-0.8m@http://localhost:8000/v1: it is not served there",
        "plan a.json: entries.all.beta[0] is -1; expected a number above 0",
        "password: must be at least 8 characters",
    ],
)
def test_other_messages_stay(message: str) -> None:
    assert hide_passwords(message, "postgresql://ann:a@host/db") == message


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("password='two words' host=db", "password=*** host=db"),
        ('password = "two words" host=db', "password = *** host=db"),
        (r"password='it\'s long' host=db", "password=*** host=db"),
        ("password='it''s long' host=db", "password=*** host=db"),
        ("password='cut in the mid", "password=***"),
        ('{"user": "ann", "password": "abc"}', '{"user": "ann", "password": ***}'),
        ('{"password":"a \\" b", "host": "db"}', '{"password":***, "host": "db"}'),
        (r'"{\"password\": \"a b\", \"port\": 1}"', r'"{\"password\": ***, \"port\": 1}"'),
        ("{'db_password': 'a b', 'port': 1}", "{'db_password': ***, 'port': 1}"),
        ("user: ann password: abc host: db", "user: ann password: *** host: db"),
        ("PGPASSWORD=abc apportion plan", "PGPASSWORD=*** apportion plan"),
        ("unrecognized arguments: --password abc", "unrecognized arguments: --password ***"),
        ("unrecognized arguments: --db-password=abc", "unrecognized arguments: --db-password=***"),
        (
            "not a URL: postgresql://ann:two words@host/db",
            "not a URL: postgresql://ann:***@host/db",
        ),
        ("bad 'postgresql://ann:two words@host/db'!", "bad 'postgresql://ann:***@host/db'!"),
        ('bad "http://ann:abc@host/v1"', 'bad "http://ann:***@host/v1"'),
    ],
)
def test_a_password_is_known_by_where_it_stands(message: str, shown: str) -> None:
    assert hide_passwords(message) == shown


# Each is a user, a database, a host, or a word of drivers' messages.
WORDS = ("apportion", "postgres", "localhost", "password", "connection", "ann", "authentication")


@pytest.mark.parametrize("password", WORDS)
@pytest.mark.parametrize(
    "message",
    [
        'connection to server at "localhost" failed: password authentication failed for user "ann"',
        'FATAL: database "apportion" does not exist',
        "store postgresql://ann:***@localhost/apportion: the connection is closed",
        "apportion: postgres is not installed",
    ],
)
def test_a_message_keeps_its_words_if_one_is_the_password(password: str, message: str) -> None:
    url = f"postgresql://ann:{password}@localhost/apportion"
    assert hide_passwords(message, url) == message
    assert hide_passwords(f"{url}: {message}", url) == f"{without_password(url)}: {message}"


@pytest.mark.parametrize(
    ("password", "message", "shown"),
    [
        ("hunter2horse", "got hunter2horse, which", "got ***, which"),
        ("two%20words", "got two words, which", "got ***, which"),
        ("two words", "got two words, which", "got ***, which"),
        ("abcdefghijklmnopq", "got abcdefghijklmnopq", "got ***"),
        ("sesame", 'missing "=" after "sesame"', 'missing "=" after "***"'),
        ("sesame", "open sesame", "open sesame"),
        ("ab", 'user "ab"', 'user "ab"'),
    ],
)
def test_a_secret_that_can_be_nothing_else_is_hidden_anywhere(
    password: str, message: str, shown: str
) -> None:
    assert hide_passwords(message, f"postgresql://ann:{password}@host/db") == shown


@pytest.mark.parametrize(
    "message",
    [
        "postgresql://host:5432/db is gone; write to ann@example.org",
        "field password: expected a text",
        "--password-file and --store are both given",
        "passwords are hidden; see docs",
        "plan 'http://localhost:8000/v1' is not served",
    ],
)
def test_messages_without_a_password_stay(message: str) -> None:
    assert hide_passwords(message) == message


@pytest.mark.parametrize(
    "piece", ["postgres://a:b ", "postgres://a:b\n", "pwd:", "pwd='", "'a://b "]
)
def test_a_long_message_takes_linear_time(piece: str) -> None:
    began = time.process_time()
    hide_passwords(piece * (300_000 // len(piece)))
    assert time.process_time() - began < 1.5  # of 0.1 s; quadratic time would be 2.5 s
