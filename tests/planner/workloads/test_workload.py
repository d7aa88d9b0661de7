"""Difficulty mixes: three formats, shares and numbers of queries, one line where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.errors import InputError
from planner.workloads.workload import Workload, read_mix


def mix(tmp_path: Path, name: str, text: str) -> Workload | None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_mix(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.toml", "easy = 6\nmedium = 3\nhard = 1\n"),
        ("m.json", '{"easy": 6, "medium": 3, "hard": 1}'),
        ("m.csv", "difficulty,queries\neasy,6\nmedium,3\nhard,1\n"),
        ("m.csv", "count, Difficulty\n6,easy\n3,medium\n1,hard\n"),
        ("m.TOML", "easy = 6\nmedium = 3\nhard = 1\nall = 0\n"),
    ],
)
def test_numbers_of_queries_in_every_format(tmp_path: Path, name: str, text: str) -> None:
    found = mix(tmp_path, name, text)
    assert found is not None
    assert found.shares == {"easy": 0.6, "medium": 0.3, "hard": 0.1}
    assert found.queries == 10
    assert found.source == f"workload {tmp_path / name}"


@pytest.mark.parametrize("counts", [{"easy": 1, "hard": 48}, {"easy": 3, "medium": 46, "hard": 1}])
def test_numbers_of_queries_stay_whole(counts: dict[str, int]) -> None:
    """1 / 49 x 49 is a little less than 1, and so much of a query gets nothing dearer."""
    assert Workload.from_counts(counts, "").split(sum(counts.values())) == counts


def test_shares_are_split_over_as_many_queries_as_there_are() -> None:
    assert Workload({"easy": 0.75, "hard": 0.25}, None, "").split(6) == {"easy": 4.5, "hard": 1.5}


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    for name, text in (
        ("m.csv", "difficulty,queries\neasy,6\n"), ("m.toml", "easy = 6"), ("m.json", '{"easy": 6}')
    ):  # fmt: skip
        found = mix(tmp_path, name, "\ufeff" + text)
        assert found is not None and found.queries == 6, name


def test_shares_leave_the_number_open(tmp_path: Path) -> None:
    found = mix(tmp_path, "m.csv", "difficulty,share\neasy,0.75\nhard,0.25\n")
    assert found is not None
    assert (found.shares, found.queries) == ({"easy": 0.75, "hard": 0.25}, None)
    whole = mix(tmp_path, "m.toml", "hard = 1.0")
    assert whole is not None and (whole.shares, whole.queries) == ({"hard": 1.0}, None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.jsonl", '{"question": "1 + 1?"}\n'),
        ("q.json", '[{"question": "1 + 1?"}]'),
        ("q.json", '{"question": "1 + 1?"}'),
        ("q.json", "{oops"),
        ("q.csv", "question,answer\n1 + 1?,2\n"),
        ("q.csv", "question,difficulty,count\n1 + 1?,easy,2\n"),
    ],
)
def test_queries_are_no_mix(tmp_path: Path, name: str, text: str) -> None:
    assert mix(tmp_path, name, text) is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.toml", "easy = 1\nhard = x", "not TOML (Invalid value (at line 2"),
        ("m.toml", "harder = 1", "difficulty is 'harder'; expected one of easy, medium, hard, all"),
        ("m.toml", "easy = -1", "easy is -1; expected a number of at least 0"),
        ("m.toml", "easy = inf", "easy is inf; expected"),
        ("m.toml", "easy = true", "easy is True; expected"),
        ("m.toml", "easy = '3'", "easy is '3'; expected"),
        ("m.toml", "easy = 0", "holds no queries"),
        ("m.toml", "", "holds no queries"),
        ("m.toml", "easy = 0.5\nhard = 0.4", "shares sum to 0.9; expected 1"),
        ("m.json", '{"easy": 1, "queries": 3}', "difficulty is 'queries'"),
        ("m.csv", "difficulty,share\neasy,half\n", "line 2: share is 'half'; expected a number"),
        ("m.csv", "difficulty,share\neasy,1\neasy,1\n", "line 3: easy is given twice"),
        ("m.csv", "difficulty,queries\neasy,3\nso-so,1\n", "line 3: difficulty is 'so-so'"),
        ("m.csv", "difficulty,queries\neasy\n", "line 2: queries is ''; expected a number"),
    ],
)
def test_a_wrong_mix_is_one_line_that_says_where(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        mix(tmp_path, name, text)
    said = str(caught.value)
    assert said.startswith(f"workload {tmp_path / name}") and message in said and "\n" not in said


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_mix(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfa")
    with pytest.raises(InputError, match=r"bad.toml, line 1: not UTF-8"):
        read_mix(tmp_path / "bad.toml")
