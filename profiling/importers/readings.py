"""What a format's reader makes of one record, before anything is graded or stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from executor.errors import InputError
from executor.ledger import Ledger
from executor.outcome import SampleRecord
from executor.problem import DOMAIN, MATHS, Problem, question_id
from executor.search import State
from executor.strategy import Strategy

# Counts of the ledger that a record of another program cannot tell, or can.
COUNTS = frozenset({"prompt", "cached", "generated", "discarded", "prm", "prm_cached"})


@dataclass(frozen=True, slots=True)
class Given:
    """What the user says of files that do not say it, or says otherwise; None: as the files say.

    Attributes:
        policy, prm, benchmark: names.
        strategy: name of the strategy that all records are of.
        width: branches a beam or subtree.
        study: name of the study; the format's by default.
        domain: what an answer is (`executor.domains`).
        prompt_tokens: prompt tokens of a request, for CSV files that do not count them.
        columns: name of a column by its kind (`profiling.importers.csv_columns.COLUMNS`).
        renames: new names of policies, PRMs and benchmarks, by those in the files.
    """

    policy: str | None = None
    prm: str | None = None
    benchmark: str | None = None
    strategy: str | None = None
    width: int | None = None
    study: str | None = None
    domain: str = MATHS
    prompt_tokens: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """One record.

    Attributes:
        where: file and line, for messages.
        policy: name of the policy; empty where the files do not say.
        prm: name of the PRM; None where nothing was scored, empty where the files do not say.
        benchmark: name of the problem set; empty where the files do not say.
        problem: the problem.
        strategy: what the record is an outcome of; None: its samples are part of a pool.
        samples: the responses, `correct` where the file says so, else None.
        answer, correct: the answer given and whether it is right, as the file says; for a strategy.
        ledger: the tokens it was charged.
        unknown: counts that are not known; see `Outcome.unknown`.
        sampling: how the policy was asked, where it is known: temperature and top_p.
    """

    where: str
    policy: str
    prm: str | None
    benchmark: str
    problem: Problem
    strategy: Strategy | None
    samples: tuple[SampleRecord, ...]
    answer: str | None = None
    correct: bool | None = None
    ledger: Ledger = field(default_factory=Ledger)
    unknown: frozenset[str] = frozenset()
    sampling: Mapping[str, float] = field(default_factory=dict)


def sample_of(
    text: str,
    *,
    answer: str | None = None,
    correct: bool | None = None,
    tokens: int | None = None,
    logprob: float | None = None,
    rewards: tuple[float, ...] = (),
    steps: tuple[int, ...] = (),
    cut: bool = False,
) -> SampleRecord:
    """A response that another program wrote; what is None stands as 0 (`unknown_of` says so)."""
    state = State.CUT if cut else State.FINISHED
    return SampleRecord(
        text, answer, correct, state.value, tokens or 0, logprob or 0.0, rewards, steps
    )


def unknown_of(samples: Sequence[SampleRecord], known: Iterable[str] = ()) -> frozenset[str]:
    """The counts that are not known of a record, besides those of the ledger that are."""
    lengths = {"n_tokens"} if any(sample.n_tokens == 0 for sample in samples) else set()
    # No response is certain: a log-probability of 0 is none.
    logprobs = {"logprob"} if any(sample.logprob == 0 for sample in samples) else set()
    return frozenset(COUNTS - set(known) | lengths | logprobs)


def problem_of(text: str, answer: str | None, benchmark: str, domain: str = MATHS) -> Problem:
    """A problem, named by its words; the benchmark and the domain are kept with it."""
    meta = {"benchmark": benchmark} if benchmark else {}
    return Problem(
        question_id(text), text, answer, meta if domain == MATHS else meta | {DOMAIN: domain}
    )


def named(readings: Sequence[Reading], given: Given) -> list[Reading]:
    """The readings under the names that the user gives.

    Raises:
        InputError: a name is neither in the files nor given, one is given for several, or a name
            that gets another is not in the files.
    """
    names = ("policy", "prm", "benchmark")
    known = {str(getattr(r, name)) for r in readings for name in names if getattr(r, name)}
    if missing := sorted(set(given.renames) - known):
        raise InputError(
            f"--rename {missing[0]}={given.renames[missing[0]]}: the files have no such name; "
            f"expected one of {', '.join(sorted(known))}"
        )
    for name in names:
        wanted = getattr(given, name)
        found = sorted({str(getattr(r, name)) for r in readings if getattr(r, name)})
        if wanted is not None and len(found) > 1:
            raise InputError(
                f"--{name} {wanted}: there are records of {' and '.join(found)}; import them one "
                "by one to give one of them another name"
            )
        for reading in readings:
            if name != "benchmark" and wanted is None and getattr(reading, name) == "":
                raise InputError(
                    f"{reading.where}: nothing says which {name} this is of; name it with --{name}"
                )
    return [_renamed(reading, given) for reading in readings]


def _renamed(reading: Reading, given: Given) -> Reading:
    def name(wanted: str | None, found: str) -> str:
        return wanted or given.renames.get(found, found)

    benchmark = name(given.benchmark, reading.benchmark)
    problem = problem_of(reading.problem.text, reading.problem.answer, benchmark, given.domain)
    return replace(
        reading,
        policy=name(given.policy, reading.policy),
        prm=None if reading.prm is None else name(given.prm, reading.prm),
        benchmark=benchmark,
        problem=problem,
    )
