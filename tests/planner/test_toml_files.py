"""TOML of users: read, or one line that says which file and line is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.errors import InputError
from planner.toml_files import parse_toml, read_toml


def test_tables_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[one]\ntwo = 3\n")
    assert read_toml(tmp_path / "a.toml", "catalog") == {"one": {"two": 3}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; expected a TOML file"),
        (b"a = 1\nb = = 2\n", "not TOML (Invalid value (at line 2, column 5))"),
        (b"a = '\xff'\n", "not TOML ('utf-8' codec can't decode"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "a.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_toml(path, "prices")
    assert str(caught.value).startswith(f"prices {path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_text_is_refused_by_where_it_lies() -> None:
    with pytest.raises(InputError, match=r"^workload w\.toml: not TOML"):
        parse_toml("easy", "workload w.toml")
