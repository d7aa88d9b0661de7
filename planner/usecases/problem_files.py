"""Problems as a caller gives them: problems, one file, or several files with limits and fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from executor.domains.registry import find_domain, one_domain
from executor.errors import InputError
from executor.problem import Problem
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from profiling.problems.files import load_problems
from profiling.problems.records import Remark


@dataclass(frozen=True, slots=True)
class ProblemFiles:
    """Files of problems, and which of their problems count.

    Attributes:
        files: JSONL, JSON, CSV or Parquet files, packed with gzip, bzip2 or xz, or not.
        limits: keep the first problems of a file: no limit, one for every file, or one a file in
            their order.
        problem_field: field that holds the question; None: known by the file's layout.
        answer_field: field that holds the answer; None: known by the file's layout.
        domain: what an answer is (`executor.domains`); None: known by the file's layout.

    Raises:
        InputError: a limit is below 1, or there are neither one nor as many limits as files,
            or the domain is not known.
    """

    files: tuple[Path, ...]
    limits: tuple[int, ...] = ()
    problem_field: str | None = None
    answer_field: str | None = None
    domain: str | None = None

    def __post_init__(self) -> None:
        if any(limit < 1 for limit in self.limits):
            raise InputError(f"--limit is {min(self.limits)}; expected at least 1")
        if len(self.limits) not in (0, 1, len(self.files)):
            raise InputError(
                f"--limit is given {len(self.limits)} times for {len(self.files)} files; "
                "expected once, or once a file"
            )
        if self.domain is not None:
            find_domain(self.domain)

    def read(
        self, *, require_answers: bool = True, remark: Remark = lambda text: None
    ) -> list[Problem]:
        """The problems of all files, in order.

        Args:
            require_answers: whether a problem without an answer is an error.
            remark: receives sentences on what was read otherwise than it stands in a file.

        Raises:
            InputError: a file cannot be read, or a record holds no problem or no answer.
        """
        limits: tuple[int | None, ...] = self.limits or (None,)
        if len(limits) < len(self.files):
            limits = limits * len(self.files)
        problems: list[Problem] = []
        for file, limit in zip(self.files, limits, strict=True):
            problems += load_problems(
                file,
                problem_field=self.problem_field,
                answer_field=self.answer_field,
                limit=limit,
                require_answers=require_answers,
                domain=self.domain,
                remark=remark,
            )
        return problems


Problems = str | Path | ProblemFiles | Sequence[Problem]
"""What use cases take as problems: a file, several files, or the problems themselves."""


def read_problems(
    problems: Problems, *, require_answers: bool = True, remark: Remark = lambda text: None
) -> list[Problem]:
    """The problems that a caller gave.

    Args:
        problems: a file, several files, or the problems themselves.
        require_answers: whether a problem of a file without an answer is an error.
        remark: receives sentences on what was read otherwise than it stands in a file.

    Raises:
        InputError: a file cannot be read, or a record holds no problem or no answer.
    """
    if isinstance(problems, str | Path):
        problems = ProblemFiles((Path(problems),))
    if isinstance(problems, ProblemFiles):
        return problems.read(require_answers=require_answers, remark=remark)
    return list(problems)


def settings_for(
    problems: Sequence[Problem],
    settings: SessionSettings,
    session: Session | None,
    domain: str | None = None,
) -> SessionSettings:
    """The settings with the domain of the problems.

    Args:
        problems: the problems of a run.
        settings: settings of the session to open.
        session: the caller's session, which must be of that domain; None: one will be opened.
        domain: the domain that they must have, that of a plan; None: any.

    Raises:
        InputError: the problems are of several domains, or of another one.
    """
    if session is not None:
        domain = session.settings.domain
    return replace(settings, domain=one_domain(problems, domain))
