"""Scorers by name: the project's own, and those that a package registers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.scorers import registry
from executor.scorers.judge import JUDGES
from executor.scorers.loading import (
    resolve_scorer,
    score_rules,
    scorer_digest,
    scores_steps,
    weights_of,
)
from executor.strategy import Score
from executor.testing.response_scorer_conformance import whole
from tests.helpers import scorer_package

Install = Callable[..., Path]
OWN = [
    "mean-logprob",
    "self-certainty",
    "deepconf-mean",
    "deepconf-tail",
    "deepconf-lowest",
    "tests",
]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs the package of a scorer for the test."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(*arguments: str, **options: str) -> Path:
        registry.forget_packages()
        return scorer_package.install(tmp_path, *arguments, **options)

    yield put
    sys.modules.pop("brevity", None)
    registry.forget_packages()


def test_a_package_s_scorer_is_found_by_its_entry_point(install: Install) -> None:
    assert registry.find("brevity") is None
    assert scores_steps("brevity")  # a name that only a checkpoint may have
    install()
    found = registry.find("brevity")
    assert found is not None and registry.is_registered(found)
    assert not scores_steps("brevity") and weights_of(found) is None
    scorer = registry.make(found)
    assert (scorer.name, scorer.needs) == ("brevity", "nothing")
    assert registry.names() == [*OWN, *JUDGES, "brevity"]


def test_the_digest_tells_the_kind_and_the_version(install: Install) -> None:
    folder = install()
    found = registry.find("brevity")
    assert found is not None
    digest = scorer_digest(found)
    assert score_rules(digest) == (Score.LAST,)
    about = folder / "brevity-1.2.dist-info" / "METADATA"
    about.write_text(about.read_text().replace("1.2", "1.3"))
    registry.forget_packages()
    later = registry.find("brevity")
    assert later is not None and scorer_digest(later) != digest
    assert score_rules("0123456789ab") == tuple(Score)


@pytest.mark.parametrize(
    ("module", "options", "said"),
    [
        ("raise OSError('no disk')", {}, "cannot be made (OSError: no disk)"),
        ("x = 1", {}, "cannot be made (AttributeError"),
        ("class Brevity: name = 'brevity'", {}, "is no scorer of whole responses; derive it from"),
        (scorer_package.MODULE, {"name": "short"}, "calls itself 'brevity'; the entry point must"),
    ],
)
def test_a_package_that_is_wrong_is_told_in_one_line(
    install: Install, module: str, options: dict[str, str], said: str
) -> None:
    install(module, **options)
    name = options.get("name", "brevity")
    found = registry.find(name)
    assert found is not None
    with pytest.raises(InputError, match=f"^scorer {name}: brevity:Brevity ") as error:
        registry.make(found)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_name_that_is_nearly_a_scorer_s_is_named() -> None:
    with pytest.raises(
        InputError, match=r"scorer mean-logprop: no such scorer; did you mean mean-"
    ):
        resolve_scorer("mean-logprop")
    with pytest.raises(InputError, match="PRM nothing-like-it: no such model"):
        resolve_scorer("nothing-like-it")


def test_the_project_s_own_names_come_first(install: Install) -> None:
    install(name="mean-logprob")
    found = registry.find("mean-logprob")
    assert found is not None
    assert registry.make(found).score_response("", whole("ab", 0.0)) == 1.0  # type: ignore[attr-defined]
    assert registry.names() == [*OWN, *JUDGES]
