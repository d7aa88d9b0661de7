"""Look-ups in a store: existence, names, and which runs an answer leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.errors import InputError
from executor.policies.simulated import simulated_problems
from executor.store.store import RunSpec, Store
from executor.strategy import Majority
from planner.catalog import load_catalog
from planner.notes import NoteCode
from planner.usecases.measure import measure
from planner.usecases.store_lookup import (
    has_runs_on,
    model_name,
    name_in_plan,
    names_in_evidence,
    notes_on_unused_runs,
    only_pair,
    only_policy,
    prms_of,
    store_exists,
    store_name,
    with_counted_sizes,
)
from tests.helpers.simulated_session import SimulatedSession

NO_STORE = "sqlite:///no-such-store.db"


def run_of(policy: str, prm: str | None = None) -> RunSpec:
    return RunSpec("measure", policy, prm, {"strategy": "greedy"})


RUNS = [run_of("a"), run_of("a", "judge"), run_of("a", "other")]


def test_a_store_exists_if_its_file_does(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    assert not store_exists(url)
    Store.open(url).close()
    assert store_exists(url)
    assert not store_exists("sqlite://")  # in memory: what others put there is not in it


def test_a_store_is_named_without_its_password(tmp_path: Path) -> None:
    assert store_name(f"sqlite:///{tmp_path}/mine.db") == "mine.db"
    assert "secret" not in store_name("postgresql://me:secret@host/db")


def test_a_folder_goes_by_its_name_and_anything_else_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    assert model_name(str(folder), "policy") == "my-model"
    assert model_name("org/name", "policy") == "org/name"
    assert model_name(None, "policy") is None
    assert (
        name_in_plan(str(folder), "policy") == "my-model"
        and name_in_plan("org/name", "policy") == "org/name"
    )


def test_a_gguf_file_goes_by_its_name_without_the_suffix(tmp_path: Path) -> None:
    for given in ("m/x.Q4_K_M.gguf", "/gone/x.Q4_K_M.gguf", "x.Q4_K_M.GGUF"):
        assert model_name(given, "policy") == name_in_plan(given, "policy") == "x.Q4_K_M"
    folder = tmp_path / "x.gguf"
    folder.mkdir()
    assert model_name(str(folder), "policy") == name_in_plan(str(folder), "policy") == "x.gguf"
    assert name_in_plan("/gone/my-model", "policy") == "my-model"


def test_an_address_has_no_evidence() -> None:
    with pytest.raises(InputError, match="evidence goes by a model's name"):
        model_name("http://localhost:8000", "policy")


def test_names_of_a_catalog_entry_are_those_that_the_store_has(session: SimulatedSession) -> None:
    measure(simulated_problems(2), [Majority(2)], policy="any", session=session)
    catalog, url = load_catalog(), session.store_url
    assert names_in_evidence(url, "simulated-policy", None, catalog) == ("simulated-policy", None)
    assert names_in_evidence(url, "lab-0.8m", "x", catalog) == ("lab-0.8m", "x")  # bundled
    assert names_in_evidence(url, "nobody", None, catalog) is None
    assert names_in_evidence(NO_STORE, "nobody", None, catalog) is None


def test_the_only_pair_needs_no_names() -> None:
    assert only_pair([run_of("a", "judge")], None, None) == ("a", "judge")
    assert only_pair([run_of("a")], None, None) == ("a", None)
    assert only_pair(RUNS, "a", "other") == ("a", "other")
    assert prms_of(RUNS, "a") == ["judge", "other"] and prms_of(RUNS, "b") == []


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], "--policy: must be given; the store knows none"),
        ([run_of("a"), run_of("b")], "--policy: must be given; the store knows a, b"),
    ],
    ids=["none", "two"],
)
def test_several_policies_or_none_must_be_named(runs: list[RunSpec], message: str) -> None:
    with pytest.raises(InputError, match=message):
        only_policy(runs, None)
    assert only_policy(runs, "b") == "b"


def test_several_prms_must_be_named() -> None:
    with pytest.raises(InputError, match="--prm: must be given; the store knows judge, other"):
        only_pair(RUNS, None, None)


def test_runs_that_an_answer_leaves_out_are_counted(session: SimulatedSession) -> None:
    measure(simulated_problems(3), [Majority(2)], policy="any", session=session)
    [note] = notes_on_unused_runs(session.store_url, "simulated-policy")
    assert note.code is NoteCode.RUNS_NOT_USED
    assert (note["store"], note["problems"]) == ("store.db", 3)
    [bundled] = notes_on_unused_runs(NO_STORE, "lab-0.8m")
    assert (bundled["store"], bundled["problems"]) == (None, 400)
    assert notes_on_unused_runs(NO_STORE, "nobody") == []
    assert not has_runs_on(session.store_url, "simulated-policy", "MATH-500")
    assert not has_runs_on(NO_STORE, "simulated-policy", "MATH-500")


def test_sizes_come_from_the_checkpoints_that_were_measured() -> None:
    catalog = with_counted_sizes(NO_STORE, "lab-0.8m", "lab-0.8m-prm", load_catalog())
    policy, prm = catalog.policy("lab-0.8m"), catalog.prm("lab-0.8m-prm")
    assert policy is not None and 7e5 < policy.parameters < 9e5
    assert prm is not None and prm.parameters > 1e6
