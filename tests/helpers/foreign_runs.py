"""Files as other programs write them, made up here."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

POLICY, PRM = "Tiny-1B-Instruct", "tiny-prm-7b"


def lines(path: Path, *records: Any) -> Path:
    """A JSONL file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def question(number: int) -> str:
    return f"What is {number} + {number}?"


def solution(number: int) -> str:
    return f"Twice ${number}$ is $\\boxed{{{2 * number}}}$."


def path(
    answer: int | str, value: Sequence[float] = (0.5, 0.25), tokens: Sequence[int] = (10, 6)
) -> dict[str, Any]:
    """One response of a record of compute-optimal-tts."""
    return {
        "path_idx": 0,
        "text": f"Let us add. ки\nThe sum is \\(\\boxed{{{answer}}}\\). ки\n",
        "value": list(value),
        "extracted_answer": str(answer),
        "reward_history": list(value),
        "token_history": list(tokens),
        "prob_history": [0.5] * len(tokens),
        "model_history": [POLICY] * len(tokens),
        "completion_tokens": sum(tokens),
        "tree_completion_tokens": sum(tokens),
    }


def record(
    number: int, *paths: Mapping[str, Any], spent: int | None = None, **result: Any
) -> dict[str, Any]:
    """A record of compute-optimal-tts on question `number`."""
    total = sum(p["completion_tokens"] for p in paths) if spent is None else spent
    return {
        "question": question(number),
        "groundtruth": solution(number),
        "result": {"majority_vote": 1, "total_completion_tokens": total} | result,
        "output": list(paths),
    }


def config(method: str, *, temperature: float = 0.7, width: int = 1, paths: int = 1) -> Any:
    """The part of config.json that says what a folder is of."""
    return {
        "gen_config": {"n": paths, "temperature": temperature, "top_p": 1, "max_new_tokens": 64},
        "method": method,
        "method_config": {"task_name": "MATH", "tree_max_width": width, "beam_size": paths},
        "LM": [f"/models/models--org--{POLICY}"],
        "RM": f"/models/{PRM}/",
    }


def write(
    root: Path,
    method: str,
    records: Mapping[int, Sequence[Any]],
    *,
    task: str = "MATH",
    parameters: str = "1_1_1",
    prm: str = PRM,
    settings: Any = None,
) -> Path:
    """An output folder of compute-optimal-tts; a question's records, by its number."""
    folder = root / f"{task}_{method}" / POLICY / prm / parameters
    for number, found in records.items():
        for index, one in enumerate(found):
            lines(folder / f"question_{number}" / f"record_{index}.jsonl", one)
    if settings is not None:
        (folder / "config.json").write_text(json.dumps(settings))
    return folder


def packed(folder: Path, target: Path) -> Path:
    """A tar archive of a folder, as `tar czf` makes it beside it."""
    with tarfile.open(target, "w:gz") as archive:
        archive.add(folder, arcname=folder.name)
    return target


def completions(
    number: int, answers: Sequence[int], scores: Sequence[float], **more: Any
) -> dict[str, Any]:
    """A record of search-and-learn on question `number`."""
    return {
        "problem": question(number),
        "solution": solution(number),
        "answer": str(2 * number),
        "completions": [f"We add.\n\nThe answer is $\\boxed{{{a}}}$." for a in answers],
        "scores": [[0.5, score] for score in scores],
    } | more
