"""Plain JSONL: the records that anybody can write for what was measured elsewhere.

A record of samples, one a problem (several of one problem make one pool):

    {"problem": "What is 2 + 3?", "answer": "5", "policy": "my-model", "prm": "my-prm",
     "samples": [{"text": "2 + 3 = 5 ...", "correct": true, "rewards": [0.9, 0.8], "tokens": 31}]}

or of one run of a strategy:

    {"problem": "What is 2 + 3?", "answer": "5", "policy": "my-model", "prm": "my-prm",
     "strategy": "beam_search", "n": 16, "width": 4, "correct": true, "generated_tokens": 911}

Only `problem` is needed in both, and what tells right from wrong: `correct`, or `answer` with a
`text` or an answer to compare (`answer` of a sample, `given` of a run). If the problem's `answer`
is a worked solution, its final answer counts. A sample may also have `logprob` (nats); a run
`score` and `vote`, the strategy's other options, and `discarded_tokens` (of `generated_tokens`,
which are all), `prompt_tokens` and `prm_tokens`. Any record may name its `benchmark`. Counts that
are missing are unknown, not 0. A field that is none of these is an error.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from executor.errors import InputError
from executor.ledger import COLUMNS, Ledger
from executor.outcome import SampleRecord
from executor.strategy import STRATEGIES, Strategy, from_dict
from profiling.importers.fields import MOST, Fields
from profiling.importers.files import read_files
from profiling.importers.readings import Given, Reading, problem_of, sample_of, unknown_of

STUDY = "jsonl"
_COMMON = ("problem", "answer", "policy", "prm", "benchmark")
_SAMPLE = ("text", "answer", "correct", "rewards", "tokens", "logprob")
_OPTIONS = ("n", "width", "score", "vote", "confidence", "softmax_temperature")
_COUNTS = {COLUMNS[name]: name for name in ("generated", "discarded", "prompt", "prm")}
_LEAST = {"generated": 1, "discarded": 0, "prompt": 1, "prm": 1}
_RUN = (*_COMMON, "strategy", *_OPTIONS, "given", "text", "correct", *_COUNTS)


def read(path: Path, given: Given) -> list[Reading]:
    """All records at `path`; of a folder or an archive, of every `.jsonl` and `.parquet` in it.

    Raises:
        InputError: there is none, or one is broken.
    """
    for name in ("strategy", "width"):
        if getattr(given, name) is not None:
            raise InputError(f'--{name}: a jsonl record says so itself, as "{name}"')
    found = [_reading(record) for file in read_files(path, _wanted) for record in file.records()]
    if not found:
        raise InputError(f"{path}: holds no .jsonl file")
    return found


def _wanted(path: PurePosixPath) -> bool:
    return path.suffix in (".jsonl", ".parquet")


def _reading(record: Fields) -> Reading:
    if record.has("samples") == record.has("strategy"):
        raise InputError(f"{record.where}: needs either 'samples' or 'strategy'")
    prm = record.text("prm") if record.has("prm") else ""
    benchmark = record.text("benchmark") if record.has("benchmark") else ""
    problem = problem_of(record.latex("problem"), record.reference("answer"), benchmark)
    policy = record.text("policy") if record.has("policy") else ""
    if record.has("samples"):
        record.only((*_COMMON, "samples"))
        samples = tuple(_sample(one, problem.answer) for one in record.objects("samples"))
        scored = any(sample.rewards for sample in samples)
        tokens = sum(s.n_tokens for s in samples) if all(s.n_tokens for s in samples) else 0
        return Reading(
            record.where, policy, prm if scored else None, benchmark, problem, None, samples,
            ledger=Ledger(generated=tokens),
            unknown=unknown_of(samples, ("generated", "discarded") if tokens else ()),
        )  # fmt: skip
    record.only(_RUN)
    correct = record.truth("correct")
    response = _response(record, "given", correct)
    _can_grade(record, response, problem.answer)
    strategy = _strategy(record)
    counts = {name: record.count(column, least=_LEAST[name]) for column, name in _COUNTS.items()}
    known = {name: count for name, count in counts.items() if count is not None}
    discarded = known.get("discarded", 0)
    if discarded > known.get("generated", discarded):
        record.fail("discarded_tokens", "at most generated_tokens, which are all that were")
    ledger = Ledger(**known | {"generated": max(0, known.get("generated", 0) - discarded)})
    return Reading(
        record.where, policy, prm if strategy.needs_prm else None, benchmark, problem, strategy,
        (response,), response.answer, correct, ledger, unknown_of((response,), known),
    )  # fmt: skip


def _sample(one: Fields, reference: str | None) -> SampleRecord:
    one.only(_SAMPLE)
    response = _response(one, "answer", one.truth("correct"))
    _can_grade(one, response, reference)
    return response


def _response(one: Fields, answer: str, correct: bool | None) -> SampleRecord:
    return sample_of(
        one.response("text") if one.has("text") else "",
        answer=one.answer(answer),
        correct=correct,
        tokens=one.count("tokens"),
        logprob=_logprob(one),
        rewards=one.rewards("rewards"),
    )


def _logprob(one: Fields) -> float | None:
    logprob = one.number("logprob")
    if logprob is not None and logprob > 0:
        one.fail("logprob", "a number of at most 0, in nats")
    return logprob


def _can_grade(one: Fields, response: SampleRecord, reference: str | None) -> None:
    empty = one.has("text") and response.answer is None and not response.text.strip()
    comparable = reference is not None and (response.text or response.answer is not None)
    if response.correct is None and not comparable and not empty:
        if reference is not None and "text" in one.values and not one.has("text"):
            one.fail("text", 'text; "" if the response is empty')
        one.fail("correct", "true or false, or an answer of the problem and one to compare")


def _strategy(record: Fields) -> Strategy:
    name = record.text("strategy")
    if name not in STRATEGIES:
        record.fail("strategy", f"one of {', '.join(STRATEGIES)}")
    options = {option: record.values[option] for option in _OPTIONS if record.has(option)}
    for option, value in options.items():
        if isinstance(value, int | float) and not abs(value) <= MOST:
            record.fail(option, f"at most {MOST:,}")
    try:
        return from_dict({"name": name} | options)
    except InputError as error:
        raise InputError(f"{record.where}: {error}") from None
