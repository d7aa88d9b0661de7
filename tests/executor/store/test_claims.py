"""Claims: whose process a claim is, and in which order claims are locked."""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import String, create_engine, select

from executor.store import claims
from executor.store.address import parse
from executor.store.claims import CLAIMS
from executor.store.store import Store
from tests.helpers.postgres import PostgresServer

NOBODY = 2**22 + 1  # Linux has no process of this number


@pytest.fixture(autouse=True)
def fresh_place() -> Iterator[None]:
    claims._place.cache_clear()
    yield
    claims._place.cache_clear()


def dead(owner: str) -> str:
    """The name of an owner at the same place whose process has ended."""
    place, _, unique = owner.rsplit(" ", 2)
    return f"{place} {NOBODY} {unique}"


def test_a_process_of_this_place_that_has_ended_is_known_to_be_dead() -> None:
    assert claims.has_died(dead(claims.new_owner()))
    assert not claims.has_died(claims.new_owner())


@pytest.mark.skipif(not Path("/proc/self/ns/pid").exists(), reason="only Linux names these")
@pytest.mark.parametrize("other", ["boot", "namespace", "host", "version 0.4"])
def test_a_process_of_another_container_with_this_host_name_may_be_alive(other: str) -> None:
    host, boot, namespace, process, unique = dead(claims.new_owner()).rsplit(" ", 4)
    assert boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert namespace == os.readlink("/proc/self/ns/pid")
    owner = {
        "boot": f"{host} 0b6e {namespace} {process} {unique}",
        "namespace": f"{host} {boot} pid:[1] {process} {unique}",
        "host": f"other {boot} {namespace} {process} {unique}",
        "version 0.4": f"{host} {process} {unique}",
    }[other]
    assert not claims.has_died(owner)


@pytest.mark.parametrize("name", ["_BOOT_ID", "_PID_NAMESPACE"])
def test_without_proc_the_network_address_tells_hosts_apart(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, name, tmp_path / "none")
    monkeypatch.setattr(uuid, "getnode", lambda: 1)
    owner = dead(claims.new_owner())
    assert claims.has_died(owner)
    claims._place.cache_clear()
    monkeypatch.setattr(uuid, "getnode", lambda: 2)
    assert not claims.has_died(owner)


def test_an_owner_fits_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "h" * 1000)
    kind = CLAIMS.c.owner.type
    assert isinstance(kind, String) and kind.length is not None
    assert len(claims.new_owner()) <= kind.length


@pytest.mark.process
@pytest.mark.socket
@pytest.mark.parametrize("change", ["renew", "release"])
def test_claims_are_locked_in_the_order_of_their_problems(
    postgres: PostgresServer, change: str
) -> None:
    url = postgres.new_database()
    Store.open(url).close()
    engine = create_engine(parse(url))
    row = {"run_id": "r", "owner": "me", "until": 0.0}
    with engine.begin() as connection:  # a scan of the table finds b first
        connection.execute(CLAIMS.insert(), [row | {"problem_uid": uid} for uid in "ba"])

    def work() -> None:
        with engine.begin() as connection:
            if change == "renew":
                claims.renew(connection, "me")
            else:
                claims.release(connection, owner="me")

    first = select(CLAIMS).where(CLAIMS.c.problem_uid == "a").with_for_update(skip_locked=True)
    with engine.begin() as holder:
        holder.execute(select(CLAIMS).where(CLAIMS.c.problem_uid == "b").with_for_update()).all()
        thread = threading.Thread(target=work)
        thread.start()
        free, end = True, time.monotonic() + 5
        while free and time.monotonic() < end:
            with engine.connect() as looker:
                free = bool(looker.execute(first).all())
            time.sleep(0.01)
    thread.join()
    engine.dispose()
    assert not free
