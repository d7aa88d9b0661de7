"""Columns of CSV files of samples: what each is of, by its name in the header."""

from __future__ import annotations

from collections.abc import Mapping

from executor.errors import InputError, did_you_mean

COLUMNS = {
    "problem": ("problem", "question", "problem_id", "question_id", "task_id"),
    "answer": ("prediction", "answer", "predicted", "predicted_answer", "extracted_answer"),
    "reference": ("reference", "reference_answer", "target", "gold", "ground_truth", "expected"),
    "correct": ("correct", "is_correct"),
    "model": ("model", "policy", "model_name"),
    "benchmark": ("benchmark", "dataset", "task"),
    "sample": ("sample", "sample_id", "sample_index", "epoch", "attempt"),
    "tokens": ("completion_tokens", "generated_tokens", "output_tokens", "tokens"),
    "prompt_tokens": ("prompt_tokens", "input_tokens"),
    "cached_tokens": ("cached_tokens", "cache_read_tokens"),
    "finish_reason": ("finish_reason", "stop_reason"),
}
"""Kinds of columns, each with the names that stand for it by default, the first one first."""
SCORE = "score:"
"""Before the name of a scorer: the column of its scores, in [0, 1]."""


def check_kinds(columns: Mapping[str, str]) -> None:
    """Refuse a kind of column that there is not.

    Raises:
        InputError: there is such a kind in `columns`, which has names of columns by kind.
    """
    for kind in columns:
        if kind not in COLUMNS and not (kind.startswith(SCORE) and len(kind) > len(SCORE)):
            raise InputError(
                f"--column {kind}: is no kind of column; expected {', '.join(COLUMNS)} or "
                f"{SCORE}SCORER{did_you_mean(kind, COLUMNS)}"
            )


def find_columns(row: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The column of each kind: the one that the user names, else the first of the usual names.

    Raises:
        InputError: the user names a column that is not there.
    """
    for kind, name in given.items():
        if name not in row:
            raise InputError(
                f"--column {kind}={name}: there is no such column; expected one of "
                f"{', '.join(row)}{did_you_mean(name, row)}"
            )
    free = {name.lower(): name for name in [*row][::-1] if name not in given.values()}
    found = {}
    for kind, usual in COLUMNS.items():
        column = given.get(kind) or next((free[one] for one in usual if one in free), None)
        if column is not None:
            found[kind] = column
    return found | {kind: name for kind, name in given.items() if kind.startswith(SCORE)}
