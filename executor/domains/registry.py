"""The domains by their names: the project's own, and those of other packages.

A package adds one by the entry point `apportion.graders`: its name is the domain's, and it is a
`Domain`, or a class or function without arguments that makes a `Grader`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points

from executor.answers.exact_grader import ExactGrader
from executor.answers.grader import Grader, MathGrader
from executor.answers.json_grader import JsonGrader
from executor.domains.code.grader import CodeGrader
from executor.errors import InputError, did_you_mean, one_line
from executor.problem import MATHS, Problem

CODE = "code"
JSON = "json"
EXACT = "exact"
GROUP = "apportion.graders"
"""Entry-point group of graders of other packages."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A kind of answers.

    Attributes:
        name: what `--domain` and problem files call it.
        make_grader: makes its grader, which may be a context manager. If the domain runs programs,
            it takes `unsafe`: whether to run them if the system allows no isolation.
        template: prompt template (its name here, or a file) that asks its questions, with its stop
            strings; None: the policy's own.
        runs_programs: whether grading runs programs of models.
    """

    name: str
    make_grader: Callable[..., Grader]
    template: str | None = None
    runs_programs: bool = False


_OWN = {
    MATHS: Domain(MATHS, MathGrader),
    CODE: Domain(CODE, CodeGrader, template="code", runs_programs=True),
    JSON: Domain(JSON, JsonGrader),
    EXACT: Domain(EXACT, ExactGrader),
}


def domain_names() -> list[str]:
    """Return the names of all domains, the project's own first."""
    return [*_OWN, *(name for name in sorted(entry_points(group=GROUP).names) if name not in _OWN)]


def find_domain(name: str) -> Domain:
    """Return the domain of a name.

    Raises:
        InputError: there is none, or its package cannot be loaded or has no grader.
    """
    return _OWN[name] if name in _OWN else _of_a_package(name)


@cache
def _of_a_package(name: str) -> Domain:
    for point in entry_points(group=GROUP, name=name):
        try:
            loaded = point.load()
        except Exception as error:  # it is another package's code
            raise InputError(
                f"domain {name!r}: {point.value} cannot be loaded ({one_line(error)})"
            ) from None
        if isinstance(loaded, Domain):
            return loaded
        if callable(loaded):
            return Domain(name, loaded)
        raise InputError(f"domain {name!r}: {point.value} is neither a Domain nor makes a grader")
    known = domain_names()
    raise InputError(
        f"domain {name!r} is not known; expected {' or '.join(known)}{did_you_mean(name, known)}"
    )


def make_grader(domain: Domain, *, unsafe: bool = False) -> Grader:
    """Make the grader of a domain; `unsafe`: see `open_grader`."""
    return domain.make_grader(unsafe=unsafe) if domain.runs_programs else domain.make_grader()


@contextmanager
def open_grader(name: str, *, unsafe_execution: bool = False) -> Iterator[Grader]:
    """Make the grader of a domain, and close it when this context ends.

    Args:
        name: the domain.
        unsafe_execution: whether programs may run if the system allows no isolation.

    Raises:
        InputError: the domain is not known.
    """
    made = make_grader(find_domain(name), unsafe=unsafe_execution)
    if isinstance(made, AbstractContextManager):
        with made as grader:
            yield grader
    else:
        yield made


def one_domain(problems: Iterable[Problem], asked: str | None = None) -> str:
    """Return the domain that all problems have.

    Args:
        problems: the problems of a run.
        asked: the domain that the caller wants; None: any.

    Raises:
        InputError: they are of several domains, or of another than is asked.
    """
    first: dict[str, str] = {}
    for problem in problems:
        first.setdefault(problem.domain, problem.id)
    if len(first) > 1:
        (one, here), (other, there) = list(first.items())[:2]
        raise InputError(
            f"problem {here!r} is of domain {one} and problem {there!r} of domain {other}; "
            "expected one domain a run; run them apart"
        )
    domain = next(iter(first), asked or MATHS)
    if asked is not None and asked != domain:
        raise InputError(f"the problems are of domain {domain}, not {asked}; leave --domain out")
    find_domain(domain)
    return domain
