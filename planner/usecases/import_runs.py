"""Import runs: what another program recorded becomes evidence in a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.domains.registry import find_domain, open_grader
from executor.errors import InputError
from executor.problem import MATHS
from executor.store.store import Store
from planner.runtime.reporter import Reporter, SilentReporter
from planner.usecases import DEFAULT_STORE
from profiling import importers
from profiling.importers.summary import summary


@dataclass(frozen=True, slots=True)
class ImportedRuns:
    """What was imported.

    Attributes:
        format: name of the format.
        path: file, folder or archive.
        study: name of the study that the evidence belongs to.
        runs: number of runs in the store, by what became of them: `added`, `unchanged`,
            `replaced`.
        imported: a record for every policy, PRM, benchmark and strategy: counts, accuracy with
            its interval, who graded, and what the files do not say.
    """

    format: str
    path: Path
    study: str
    runs: Mapping[str, int]
    imported: tuple[Mapping[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "format": self.format,
            "path": str(self.path),
            "study": self.study,
            "runs": dict(self.runs),
            "imported": [dict(one) for one in self.imported],
        }


def import_runs(
    path: Path | str,
    *,
    format: str,
    policy: str | None = None,
    prm: str | None = None,
    benchmark: str | None = None,
    strategy: str | None = None,
    width: int | None = None,
    study: str | None = None,
    domain: str = MATHS,
    prompt_tokens: int | None = None,
    columns: Mapping[str, str] | None = None,
    renames: Mapping[str, str] | None = None,
    store: str = DEFAULT_STORE,
    reporter: Reporter = SilentReporter(),
) -> ImportedRuns:
    """Read, grade and store what another program recorded; stores nothing unless it reads all.

    Args:
        path: a file, a folder, or a tar archive.
        format: which program wrote it, one of `profiling.importers.FORMATS`.
        policy, prm, benchmark: names of the policy, the PRM and the problems; None: as the files
            say.
        strategy: name of the strategy that all records are of; None: as the files say.
        width: branches a beam or subtree; None: as the files say.
        study: name of the study, which is never mixed with another; None: the format.
        domain: what an answer is, and so how answers are graded: one of `executor.domains` whose
            grader runs no programs.
        prompt_tokens: prompt tokens of a request, for the format `csv` if the file does not count
            them; 0 leaves prompts out of the costs.
        columns: name of a column by its kind, for the format `csv`
            (`profiling.importers.csv_columns.COLUMNS`).
        renames: new names of policies, PRMs and benchmarks, by those in the files.
        store: SQLAlchemy URL of the store, which is made if it does not exist.
        reporter: receives progress and remarks.

    Raises:
        InputError: a file cannot be read, or lacks what no argument gives.
    """
    if width is not None and width < 2:
        raise InputError(f"--width is {width}; expected at least 2")
    if find_domain(domain).runs_programs:
        raise InputError(
            f"--domain {domain}: its grader runs programs, which files of samples do not hold; "
            "grade them before (a field or column `correct`) and leave --domain out"
        )
    target = Path(path)
    given = importers.Given(
        policy=policy, prm=prm, benchmark=benchmark, strategy=strategy, width=width, study=study,
        domain=domain, prompt_tokens=prompt_tokens, columns=columns or {}, renames=renames or {},
    )  # fmt: skip
    with open_grader(domain) as grader:
        with reporter.status(f"reading {path}"):
            readings = importers.read(format, target, given, reporter.say)
        with reporter.progress(f"grading {path}", len(readings)) as progress:
            made = importers.graded(readings, study or format, grader, progress)
    with Store.open(store) as opened:
        stored = importers.store_import(opened, made)
    families = tuple(summary(family) for family in made.families)
    return ImportedRuns(format, target, made.study, stored, families)
