"""Addresses of stores: as people write them, and as messages show them."""

from __future__ import annotations

import sys

import pytest

from executor.errors import StoreError
from executor.store.address import parse, shown
from executor.store.store import Store
from tests.helpers.postgres import PASSWORD, USER, PostgresServer


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg"),
        ("postgresql://u:p@h:5432/d?sslmode=require", "postgresql+psycopg"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql+psycopg2"),
        ("sqlite:///a.db", "sqlite"),
        ("sqlite+pysqlite:///a.db", "sqlite+pysqlite"),
        ("sqlite://", "sqlite"),
    ],
)
def test_what_people_write_is_read(given: str, driver: str) -> None:
    parsed = parse(given)
    assert parsed.drivername == driver
    assert parsed.password == ("p" if ":p@" in given else None)


@pytest.mark.parametrize(
    "given",
    [
        "apportion.db",
        "",
        "postgres",
        "postgres:/u:secret@h/d",
        "postgresql://u:secret@h:port/d",
        "postgresql://u:se:c@ret@h:port/d",
        "postgres://u:se/cret@h:x/d",
        "mysql://u:secret@h/d",
        "mongodb://u:secret@h/d",
        "https://u:secret@h/d",
    ],
)
def test_what_cannot_be_a_store_is_refused_in_one_line_without_its_password(given: str) -> None:
    with pytest.raises(StoreError) as error:
        parse(given)
    message = str(error.value)
    assert message.startswith("store ") and "\n" not in message
    assert "sqlite" in message and "postgresql" in message
    assert "cret" not in message and "se:c" not in message


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("sqlite:///a b.db", "sqlite:///a b.db"),
        ("sqlite:///file:a.db?uri=true", "sqlite:///file:a.db"),
        ("postgres://h/d", "postgres://h/d"),
        ("postgres://u@h/d", "postgres://u@h/d"),
        ("postgresql://u:secret@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("postgres://u:se%40cret@h/d", "postgres://u:***@h/d"),
        ("postgresql://h/d?user=u&password=secret", "postgresql://h/d"),
        ("postgresql://h/d?sslpassword=secret", "postgresql://h/d"),
    ],
)
def test_passwords_are_not_shown(given: str, expected: str) -> None:
    assert shown(given) == expected
    assert "cret" not in shown(parse(given))


@pytest.mark.parametrize("url", ["postgres://u:secret@h/d", "postgresql+psycopg://u:secret@h/d"])
def test_a_missing_driver_is_named_with_the_extra_that_brings_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError) as error:
        Store.open(url)
    assert str(error.value) == (
        "store postgresql+psycopg://u:***@h/d: needs the driver psycopg; install it with: "
        "uv pip install 'apportion[postgres]'"
    )


@pytest.mark.process
@pytest.mark.socket
@pytest.mark.parametrize("create", [True, False])
def test_a_server_that_refuses_is_one_line_without_the_password(
    postgres: PostgresServer, create: bool
) -> None:
    right = postgres.url()
    cases = {
        postgres.url(password="wr0ng-one"): "password authentication failed",
        postgres.url("nowhere"): 'database "nowhere" does not exist',
        right.replace(f":{postgres.port}/", ":1/"): "refused",
        right.replace("127.0.0.1", "no.such.host.invalid"): "no.such.host.invalid",
        right + "?sslmode=require": "SSL",
        right + "?sslmode=nonsense": "sslmode",
        right + "?nonsense=1": "nonsense",
        right + "?connect_timeout=soon": "connect_timeout",
        right.replace(f"{USER}:", "nobody-here:"): "password authentication failed",
    }
    for url, expected in cases.items():
        with pytest.raises(StoreError) as error:
            Store.open(url, create=create)
        message = str(error.value)
        assert expected in message, message
        assert message.startswith("store postgresql://") and "\n" not in message
        for secret in (PASSWORD, "s3cret%40word", "wr0ng-one"):
            assert secret not in message
