"""Output folders of the code of arXiv 2502.06703 (RyanLiu112/compute-optimal-tts), and of OpenR.

    TASK_METHOD/POLICY/PRM/DEPTH_WIDTH_PATHS/config.json
    TASK_METHOD/POLICY/PRM/DEPTH_WIDTH_PATHS/question_I/record_J.jsonl

Any folder of these, above or below, will do. Where folders have other names (OpenR's have), the
nearest `config.json` says what they would. A record is a question, its worked solution
(`groundtruth`), the responses (`output`, each with a PRM's `value` for every step) and `result`:
the correctness of what each vote chooses, by the code's own grader.

- `best_of_n` records are samples: many records of one path each (as the paper ran them), or one of
  many. With one path, the majority vote's correctness is that of the path.
- `cot` is greedy at temperature 0, and one sample otherwise.
- `beam_search` of WIDTH and PATHS keeps PATHS beams and expands each WIDTH / PATHS ways: N = WIDTH.
  It ends with PATHS responses (this project's with N). With one path, several records of a question
  are subtrees that know nothing of each other, which is how the paper ran DVTS: where every
  question has R = 2, 4, 8 ... of them, groups of R are outcomes of DVTS at N = R * WIDTH as well.

Policy tokens are known, discarded beams included; prompt and PRM tokens are not.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from executor.answers.voting import Vote
from executor.errors import InputError
from executor.ledger import Ledger
from executor.outcome import SampleRecord
from executor.strategy import BeamSearch, Dvts, Greedy, Score
from profiling.importers.fields import Fields
from profiling.importers.files import read_files
from profiling.importers.readings import Given, Reading, problem_of, sample_of, unknown_of
from profiling.problems.solutions import final_answer

STUDY = "compute-optimal-tts"
METHODS = ("best_of_n", "beam_search", "cot")
_STEP_TAG = re.compile(r"\s*ки\n?")
_NONE = ("", "[invalid]")  # what stands for a missing answer
# The votes of `result`, but for the plain one.
_VOTES = {
    "prm_min_max": (Score.MIN, Vote.MAX),
    "prm_min_vote": (Score.MIN, Vote.WEIGHTED),
    "prm_last_max": (Score.LAST, Vote.MAX),
    "prm_last_vote": (Score.LAST, Vote.WEIGHTED),
    "prm_avg_max": (Score.MEAN, Vote.MAX),
    "prm_avg_vote": (Score.MEAN, Vote.WEIGHTED),
}
_MAJORITY = "majority_vote"
# Task MATH is the 500 problems of MATH-500 in that code.
_BENCHMARKS = {"MATH": "MATH-500"}
_LAYOUT = re.compile(
    r"(?P<task>[^/]+?)_(?P<method>[a-z]\w*)/(?P<policy>[^/]+)/(?P<prm>[^/]+)"
    r"/(?P<depth>\d+)_(?P<width>\d+)_(?P<paths>\d+)/"
)
_RECORD = re.compile(r"record(_\d+)?\.jsonl")


@dataclass(frozen=True, slots=True)
class _Settings:
    """What a folder of records is of."""

    benchmark: str
    method: str
    policy: str
    prm: str | None
    width: int
    paths: int
    temperature: float | None
    top_p: float | None
    max_tokens: int | None


def read(path: Path, given: Given) -> list[Reading]:
    """All records at `path`.

    Raises:
        InputError: there is none, or one is broken or of an unknown method.
    """
    configs: dict[PurePosixPath, Fields] = {}
    groups: dict[_Settings, list[Reading]] = defaultdict(list)
    settings: dict[PurePosixPath, _Settings] = {}
    for file in read_files(path, _wanted):
        if file.path.name == "config.json":
            configs[file.path.parent] = file.document()
            continue
        folder = file.path.parent
        if folder not in settings:
            settings[folder] = _settings(file.path, file.where, configs, given)
        for record in file.records():
            groups[settings[folder]] += _readings(record, settings[folder])
    if not groups:
        raise InputError(
            f"{path}: holds no record_*.jsonl; right would be the output folder of "
            "compute-optimal-tts, or one in it, or a tar archive of it"
        )
    found = [reading for readings in groups.values() for reading in readings]
    for one, readings in groups.items():
        if one.method == "beam_search" and one.paths == 1:
            found += _subtrees(readings, one.width)
    return found


def _wanted(path: PurePosixPath) -> bool:
    return path.name == "config.json" or _RECORD.fullmatch(path.name) is not None


def _settings(
    path: PurePosixPath, where: str, configs: dict[PurePosixPath, Fields], given: Given
) -> _Settings:
    """Of the folder names, where they are those of the code, else of the nearest config.json."""
    config = next((configs[up] for up in path.parents if up in configs), Fields(where, {}))
    method_config, asked = config.inner("method_config"), config.inner("gen_config")
    named = next(iter(list(_LAYOUT.finditer(str(path)))[-1:]), None)
    if named is not None:
        task, method = named["task"], named["method"]
        policy, prm = named["policy"], named["prm"]
        width, paths = int(named["width"]), int(named["paths"])
    elif config.has("method") and config.has("method_config"):
        policy, prm = _model(config, "LM"), _model(config, "RM")
        width = method_config.count("tree_max_width") or 1
        paths = method_config.count("beam_size") or 1
    else:
        raise InputError(
            f"{where}: neither the folders' names (TASK_METHOD/POLICY/PRM/DEPTH_WIDTH_PATHS/"
            "question_I) nor a config.json above it say what this is of"
        )
    if config.has("method") and config.has("method_config"):
        # Of the folder's name it cannot be told where the task ends and the method begins.
        task, method = method_config.text("task_name"), config.text("method")
    method = {"greedy": "cot"}.get(given.strategy or "", given.strategy) or method
    if method not in METHODS:
        raise InputError(
            f"{where}: records of method {method!r}; right would be {', '.join(METHODS)} "
            "(--strategy says which of them it is under another name)"
        )
    if method == "beam_search" and (width % paths or width // paths < 2):
        raise InputError(
            f"{where}: beam search of width {width} with {paths} paths; each path must branch "
            "two ways or more"
        )
    scored = method != "cot" and not prm.startswith("dummy")
    return _Settings(
        _BENCHMARKS.get(task, task), method, policy, prm if scored else None, width, paths,
        asked.number("temperature"), asked.number("top_p"), asked.count("max_new_tokens"),
    )  # fmt: skip


def _model(config: Fields, name: str) -> str:
    """The last part of a model's path or hub id, as that code names its folders."""
    value = config.values.get(name)
    first = value[0] if isinstance(value, list) and value else value
    text = Fields(config.where, {name: first}).text(name)
    return text.rstrip("/").split("/")[-1].split("--")[-1]


def _readings(record: Fields, of: _Settings) -> Iterator[Reading]:
    """One of a record of samples; of a beam search of several paths, one a vote."""
    problem = problem_of(record.latex("question"), final_answer(_solution(record)), of.benchmark)
    result = record.inner("result")
    label = result.truth(_MAJORITY)
    outputs = record.objects("output")
    samples = tuple(_sample(output, of) for output in outputs)
    if len(samples) == 1:
        samples = (replace(samples[0], correct=label),)
    ledger, known = _ledger(of, samples, result, outputs)
    reading = Reading(
        where=record.where,
        policy=of.policy,
        prm=of.prm,
        benchmark=of.benchmark,
        problem=problem,
        strategy=None,
        samples=samples,
        correct=label,
        ledger=ledger,
        unknown=unknown_of(samples, known),
        sampling={
            name: value
            for name, value in (("temperature", of.temperature), ("top_p", of.top_p))
            if value is not None
        },
    )
    if of.method != "beam_search":
        greedy = of.method == "cot" and not of.temperature
        yield replace(reading, strategy=Greedy()) if greedy else reading
        return
    plain = BeamSearch(of.width, of.width // of.paths)
    if len(samples) == 1:
        yield replace(reading, strategy=plain)
        return
    yield replace(reading, strategy=replace(plain, vote=Vote.MAJORITY))
    for name, (score, vote) in _VOTES.items():
        if result.has(name):
            strategy = replace(plain, score=score, vote=vote)
            yield replace(reading, strategy=strategy, correct=result.truth(name))


def _ledger(
    of: _Settings, samples: Sequence[SampleRecord], result: Fields, outputs: Sequence[Fields]
) -> tuple[Ledger, tuple[str, ...]]:
    """What a record says of its tokens, and which counts that is."""
    spent = result.count("total_completion_tokens") or sum(
        output.count("completion_tokens") or 0 for output in outputs
    )
    lengths = [sample.n_tokens for sample in samples]
    kept = sum(lengths) if all(lengths) else 0
    if of.method != "beam_search":
        total = kept or spent
        return Ledger(generated=total), ("generated", "discarded") if total else ()
    if len(samples) == 1 and 0 < kept <= spent:
        return Ledger(generated=kept, discarded=spent - kept), ("generated", "discarded")
    # Several paths share steps: which of the tokens were dropped cannot be told.
    return Ledger(generated=spent), ("generated",) if spent else ()


def _subtrees(readings: Sequence[Reading], width: int) -> Iterator[Reading]:
    """Outcomes of DVTS from beam searches of one path: each of them is a subtree.

    Only where every problem has enough of them: strategies are compared on problems they share.
    """
    by_problem: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        by_problem[reading.problem.text].append(reading)
    if not all(reading.samples[0].rewards for reading in readings):
        return
    fewest = min(map(len, by_problem.values()))
    for size in (2**i for i in range(1, fewest.bit_length())):
        strategy = Dvts(size * width, width)
        for trees in by_problem.values():
            for first in range(0, len(trees) - size + 1, size):
                group = trees[first : first + size]
                samples = tuple(tree.samples[0] for tree in group)
                yield replace(
                    group[0],
                    strategy=strategy,
                    samples=samples,
                    correct=None,  # that of the sample that the vote chooses
                    ledger=sum((tree.ledger for tree in group), Ledger()),
                    unknown=frozenset().union(*(tree.unknown for tree in group)),
                )


def _solution(record: Fields) -> str:
    value = record.values.get("groundtruth")
    return str(value) if isinstance(value, int | float) else record.latex("groundtruth")


def _sample(output: Fields, of: _Settings) -> SampleRecord:
    rewards = () if of.prm is None else output.rewards("value")
    lengths = output.counts("token_history")
    tokens = sum(lengths) or None
    if tokens is None and of.method == "best_of_n":
        tokens = output.count("completion_tokens")
    answer = output.answer("extracted_answer")
    whole = of.method != "beam_search"
    cut = whole and of.max_tokens is not None and (tokens or 0) >= of.max_tokens
    return sample_of(
        _STEP_TAG.sub("\n\n", output.response("text")).strip(),
        answer=None if answer in _NONE else answer,
        tokens=tokens,
        logprob=_logprob(output, lengths),
        rewards=rewards,
        steps=lengths if len(lengths) == len(rewards) else (),
        cut=cut,
    )


def _logprob(output: Fields, lengths: Sequence[int]) -> float | None:
    """Nats; the code keeps the geometric mean of each piece's token probabilities."""
    means = output.values.get("prob_history")
    if not isinstance(means, list) or len(means) != len(lengths) or not lengths:
        return None
    if not all(isinstance(p, float) and 0 < p <= 1 for p in means):
        return None
    return math.fsum(n * math.log(p) for n, p in zip(lengths, means, strict=True))
