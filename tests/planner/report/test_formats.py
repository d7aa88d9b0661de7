"""One report in three forms: the same facts in each, written whole or not at all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from executor.errors import InputError
from planner.notes import Note, NoteCode
from planner.report import report
from planner.report.document import Card, Cards, Code, Listing, Report, Table, Text
from planner.report.formats import FORMATS, write
from planner.report.html import to_html
from planner.report.markdown import to_markdown
from planner.report.plain import to_dict, to_json
from tests.helpers.parsed_report import Page
from tests.helpers.report_sample import data


@pytest.fixture(scope="module")
def made() -> Report:
    return report(data())


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _words(block: object) -> list[str]:
    match block:
        case Text(words):
            return [words]
        case Code(text):
            return [text]
        case Listing(items):
            return list(items)
        case Cards(cards):
            return [w for card in cards for w in _words(card)]
        case Card(title, blocks):
            return [title, *(w for part in blocks for w in _words(part))]
        case Table():
            cells = (cell for row in block.rows for cell in row.cells)
            return [block.caption, *(part for c in cells for part in (c.text, c.interval))]
    return []


@pytest.mark.long
def test_every_word_and_every_cell_is_in_the_page_and_in_the_markdown(made: Report) -> None:
    prose = Page(to_html(made)).prose
    # Escapes are not for readers.
    markdown = _plain(re.sub(r"\\(.)", r"\1", to_markdown(made)))
    found = [w for section in made.sections for block in section.blocks for w in _words(block)]
    assert len(found) > 500
    for words in found:
        assert _plain(words) in prose
        assert _plain(words) in markdown


def test_the_json_has_every_sentence_every_cell_and_every_mark(made: Report) -> None:
    record = json.loads(to_json(made))
    for section in made.sections:
        told = record["sections"][section.name]
        said = [w for b in section.blocks if not isinstance(b, Table) for w in _words(b)]
        assert told["words"] == said
        for table in section.tables():
            rows = told["tables"][table.name]
            assert len(rows) == len(table.rows)
            assert all(set(row) >= {c.name for c in table.columns} for row in rows)
        for plot in section.plots():
            series = told["plots"][plot.name]["series"]
            assert {s: len(points) for s, points in series.items()} == {
                one.name: len(one.points) for one in plot.series
            }


def test_the_page_embeds_the_json(made: Report) -> None:
    assert Page(to_html(made)).record == json.loads(to_json(made))


def test_numbers_that_are_none_are_null(made: Report) -> None:
    fit = {"log_loss": float("nan"), "regret": float("inf")}
    told = to_dict(report(data(fit=fit)))["sections"]["model"]
    assert told["fit"] == {"log_loss": None, "regret": None}
    assert "nan" not in " ".join(told["words"])


def test_tables_of_the_markdown_have_as_many_cells_in_every_row(made: Report) -> None:
    rows: list[int] = []
    for line in to_markdown(made).splitlines():
        if line.startswith("|"):
            rows.append(len(re.findall(r"(?<!\\)\|", line)))
        elif rows:
            assert len(set(rows)) == 1
            assert len(rows) > 2
            rows = []


@pytest.mark.parametrize(
    "hostile", ["<img src=x>", "a|b", "*b* _c_ `d`", "[l](http://x)", "# h\n\n# i", "`", "``|"]
)
def test_hostile_names_stay_text_in_the_markdown(hostile: str) -> None:
    note = Note.of(NoteCode.PRM_FORMAT_UNKNOWN, prm=hostile)
    page = to_markdown(report(data(policy=hostile, notes=[note])))
    bare = re.sub(r"\\.", "", re.sub(r"(?s)(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", page))
    assert "<img" not in bare
    assert "](" not in bare
    assert page.count("\n# ") == 0
    assert page.startswith("# Which strategy")


@pytest.mark.long
@pytest.mark.parametrize("form", FORMATS)
def test_write_replaces_whole_and_leaves_nothing_else(
    made: Report, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "report"
    path.write_text("old")
    write(made, path, form)
    assert path.read_text(encoding="utf-8") == FORMATS[form](made)
    assert list(tmp_path.iterdir()) == [path]


def test_write_that_fails_keeps_the_old_page(
    made: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write(made, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("place", "message"), [("no/x", "does not exist"), (".", "is a folder")])
def test_write_where_nothing_can_be_written_is_an_input_error(
    made: Report, tmp_path: Path, place: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write(made, tmp_path / place)
