"""Domains by name: the project's own and those of other packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from executor.answers.exact_grader import ExactGrader
from executor.answers.grader import MathGrader
from executor.answers.json_grader import JsonGrader
from executor.domains import registry
from executor.domains.code.grader import CodeGrader
from executor.domains.registry import Domain, domain_names, find_domain, one_domain, open_grader
from executor.errors import InputError
from executor.problem import DOMAIN, Problem
from tests.helpers.exact_grader import Exact

PLUGINS = {
    "words": "tests.helpers.exact_grader:Exact",
    "signs": "tests.executor.domains.test_registry:SIGNS",
    "gone": "no_such_package:Grader",
    "number": "tests.executor.domains.test_registry:NUMBER",
}
SIGNS = Domain("signs", Exact, template="boxed")
NUMBER = 7


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages with graders of their own."""
    points = [EntryPoint(name, value, registry.GROUP) for name, value in PLUGINS.items()]

    def entry_points(**wanted: str) -> EntryPoints:
        return EntryPoints(points).select(**wanted)

    monkeypatch.setattr(registry, "entry_points", entry_points)
    registry._of_a_package.cache_clear()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("maths", MathGrader), ("code", CodeGrader), ("json", JsonGrader), ("exact", ExactGrader)
    ],
)  # fmt: skip
def test_the_projects_own(name: str, kind: type) -> None:
    with open_grader(name) as grader:
        assert isinstance(grader, kind)


def test_those_of_other_packages(plugins: None) -> None:
    assert domain_names() == ["maths", "code", "json", "exact", "gone", "number", "signs", "words"]
    with open_grader("words") as grader:
        assert isinstance(grader, Exact)
    assert find_domain("signs").template == "boxed"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mathz", "domain 'mathz' is not known; expected maths or code or .*; did you mean maths?"),
        ("gone", "domain 'gone': no_such_package:Grader cannot be loaded"),
        ("number", "domain 'number': .* is neither a Domain nor makes a grader"),
    ],
)
def test_what_cannot_be_found_is_one_line(plugins: None, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_domain(name)


def problem(domain: str | None) -> Problem:
    return Problem(f"of {domain}", "?", "1", {} if domain is None else {DOMAIN: domain})


def test_problems_of_a_run_are_of_one_domain() -> None:
    assert one_domain([problem(None), problem(None)]) == "maths"
    assert one_domain([problem("code")], "code") == "code"
    assert one_domain([]) == "maths" and one_domain([], "json") == "json"
    with pytest.raises(InputError, match="domain code and problem 'of None' of domain maths"):
        one_domain([problem("code"), problem(None)])
    with pytest.raises(InputError, match="are of domain code, not json"):
        one_domain([problem("code")], "json")
