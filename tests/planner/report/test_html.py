"""The page: whole, self-contained, true to its numbers, and safe with hostile names."""

from __future__ import annotations

import dataclasses
import re

import pytest

from executor.ledger import Ledger
from executor.strategy import STRATEGIES, key
from planner.evaluation.run_summary import RunSummary
from planner.notes import Note, NoteCode
from planner.report import ReportData, plots, report
from planner.report.document import Plots
from planner.report.html import to_fragment, to_html
from planner.report.notes import word
from profiling.pass_rate import LEVELS
from tests.helpers.parsed_report import Page
from tests.helpers.report_sample import BARE, STRATEGIES_RUN, data

HOSTILE = (
    "</script><script>alert(1)</script><img onerror='x' href=\"//evil\">&amp; url(#x) $\\frac{"
)
PLOTS = 2 * len(LEVELS) + 2


def render(findings: ReportData) -> str:
    return to_html(report(findings))


@pytest.fixture(scope="module")
def page() -> str:
    return render(data())


@pytest.fixture(scope="module")
def parsed(page: str) -> Page:
    return Page(page)


@pytest.mark.long
def test_page_is_well_formed_and_ids_are_unique(parsed: Page) -> None:
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_reference_within_the_page_has_its_target(page: str, parsed: Page) -> None:
    ids = {attrs["id"] for _, attrs in parsed.tags if "id" in attrs}
    used = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    for _, attrs in parsed.tags:
        for name in ("aria-labelledby", "aria-describedby"):
            used |= set((attrs.get(name) or "").split())
    assert used <= ids


def test_nothing_outside_the_page_is_asked_for(page: str) -> None:
    assert not re.search(r"https?://|\bsrc\s*=|@import|url\((?!#)", page)


def test_no_placeholder_colour_or_font_of_the_plots_is_left(page: str) -> None:
    assert not re.search(r"#0102[012]|DejaVu Sans', ", page)


def test_no_mark_of_a_plot_is_without_its_numbers(page: str, parsed: Page) -> None:
    assert 'id="mark-' not in page
    drawn = [attrs for _, attrs in parsed.tags if "data-x" in attrs]
    sections = parsed.record["sections"].values()
    told = [
        point
        for section in sections
        for plot in section["plots"].values()
        for series, points in plot["series"].items()
        if series != "Pareto front"
        for point in points
    ]
    assert len(drawn) == len(told) > 100
    assert sorted((float(a["data-x"] or ""), float(a["data-y"] or "")) for a in drawn) == sorted(
        (point["x"], point["y"]) for point in told
    )


@pytest.mark.parametrize("strategy", STRATEGIES_RUN, ids=key)
def test_every_strategy_is_in_the_table_of_every_difficulty(parsed: Page, strategy: object) -> None:
    tables = parsed.record["sections"]["strategies"]["tables"]
    for level in LEVELS:
        names = [row["strategy"] for row in tables[f"strategies-{level}"]]
        assert key(strategy) in names  # type: ignore[arg-type]


def test_tables_are_named_and_their_headers_scoped(parsed: Page) -> None:
    tables = [attrs for tag, attrs in parsed.tags if tag == "table"]
    assert all(attrs.get("aria-labelledby") for attrs in tables)
    scopes = [attrs.get("scope") for tag, attrs in parsed.tags if tag == "th"]
    assert set(scopes) == {"col", "row"}


def test_long_tables_are_folded(parsed: Page) -> None:
    folded = [text for text in parsed.inside["details"] if "the most accurate first" in text]
    assert len(folded) == len(LEVELS)


def test_plots_have_text_alternatives_with_their_numbers(parsed: Page) -> None:
    images = [a for tag, a in parsed.tags if tag == "svg" and "aria-hidden" not in a]
    assert len(images) == PLOTS
    assert all(image["role"] == "img" for image in images)
    texts = parsed.inside["desc"]
    assert len(texts) == len(images)
    assert all(re.search(r"\d\.\d{3}", text) for text in texts)


def test_same_data_same_bytes(page: str) -> None:
    assert render(data()) == page


def test_settings_of_the_user_do_not_change_the_page(page: str) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": "x"}):
        assert render(data()) == page
        assert matplotlib.rcParams["font.size"] == 30


def test_hostile_names_stay_text() -> None:
    plain = data()
    found = {
        level: [dataclasses.replace(choices[0], sources=HOSTILE), *choices[1:]]
        for level, choices in plain.found.items()
    }
    basis = [dataclasses.replace(plain.basis[0], prm=HOSTILE, origin=HOSTILE, strategy=HOSTILE)]
    first, note = plain.advice[0], Note.of(NoteCode.PRM_FORMAT_UNKNOWN, prm=HOSTILE)
    noted = dataclasses.replace(first, made=dataclasses.replace(first.made, notes=(note,)))
    runs = [RunSummary(HOSTILE, 3, 3, 1, 1 / 3, (0.1, 0.8), Ledger(), 1.0)]
    hostile = Page(
        render(
            data(policy=HOSTILE, prm=HOSTILE, found=found, basis=basis, advice=[noted], runs=runs,
                 paired=[], notes=[note])
        )
    )  # fmt: skip
    assert not {"img"} & {tag for tag, _ in hostile.tags}
    assert len(hostile.inside["script"]) == 1
    assert hostile.record["policy"] == HOSTILE
    assert hostile.record["sections"]["notes"]["notes"] == [word(note)]
    assert hostile.record["sections"]["notes"]["note_codes"] == [note.code]
    assert any(HOSTILE in note for note in hostile.inside["li"])


def test_a_label_is_left_as_it_is() -> None:
    first = data().scores[0]
    point = plots.Point(HOSTILE + "#010211", first.predicted, first.right)
    series = plots.Series(HOSTILE, (point,))
    drawn = plots.draw(plots.Plot("one", "", "title", "text", "x", "y", (series,)))
    marks = [attrs for _, attrs in Page(str(drawn)).tags if "data-label" in attrs]
    assert [(m["data-label"], m["data-series"]) for m in marks] == [(HOSTILE + "#010211", HOSTILE)]


def test_what_lies_beyond_a_limit_is_shaded() -> None:
    points = tuple(plots.Point("one", float(2**power), 0.5) for power in range(5))
    plain = plots.Plot(
        "one", "", "title", "text", "x", "y", (plots.Series("majority", points),), plots.Scale.LOG2
    )
    limited = plots.draw(dataclasses.replace(plain, limit=4.0))
    shade = r'<path d="([^"]+)"[^>]*fill="var\(--grid\)"'
    assert re.search(shade, plots.draw(plain)) is None
    [outline] = re.findall(shade, limited)
    edges = {float(x) for x in re.findall(r"[ML] (-?[\d.]+) ", outline)}
    ticks = re.findall(r'<use href="#[^"]+" x="([\d.]+)" y="[\d.]+" fill="var\(--muted\)"', limited)
    at = [float(x) for x in ticks[:5]]  # of 1, 2, 4, 8 and 16
    assert min(edges) == pytest.approx(at[2], abs=0.01) and max(edges) > at[4]
    assert plots.draw(dataclasses.replace(plain, limit=1024.0)) == plots.draw(plain)


def test_plots_have_no_inline_style_which_a_strict_page_forbids() -> None:
    (section,) = (one for one in report(data()).sections if one.name == "budget")
    for plot in section.plots():
        drawn = Page(str(plots.draw(plot)))
        assert not {name for _, attributes in drawn.tags for name in attributes} & {"style"}
        assert {"fill", "stroke", "font-family"} <= {
            name for _, attributes in drawn.tags for name in attributes
        }


def test_a_legend_has_the_line_where_only_some_plots_draw_one() -> None:
    sections = {one.name: one for one in report(data()).sections}
    [budget, *_], [cost, *_] = sections["budget"].plots(), sections["cost"].plots()
    page = to_fragment([Plots((budget, cost))])
    legends = re.findall(r"<li>(.*?)</li>", page, re.DOTALL)
    majority = next(one for one in legends if one.endswith(" majority"))
    assert 'stroke="var(--majority)"' in majority


def test_every_kind_differs_in_colour_marker_and_dashes() -> None:
    styles = [plots.STYLES[name] for name in STRATEGIES]
    for aspect in ("colour", "variable", "marker", "dashes"):
        assert len({getattr(style, aspect) for style in styles}) == len(STRATEGIES), aspect


def test_no_two_styles_share_a_placeholder() -> None:
    colours = [style.colour for style in plots.STYLES.values()]
    assert len(colours) == len(set(colours))


def test_everything_missing_at_once_is_still_a_page() -> None:
    bare = Page(render(BARE))
    assert not re.search(r"\b(nan|NaN|None|inf)\b", bare.prose)
    for sentence in (
        "There is no recommendation for easy, medium, hard problems and all problems together.",
        "There is no evidence on easy, medium, hard problems and all problems together.",
        "There is no evidence: nothing is known of this policy and PRM.",
        "There is nothing to draw: neither held-out predictions of an outcome model nor",
        "No PRM is part of this report",
        "No outcome model was fitted",
        "No held-out runs were made",
        "There is evidence on fewer than two difficulties: there is nothing to divide.",
        "Nothing was noted.",
    ):
        assert sentence in bare.prose


@pytest.mark.parametrize(
    ("text", "breaks"),
    [
        ("best_of_n(n=4,score=min)", "best_of_n(n=4,<wbr>score=min)"),
        ("127,638 tokens, and", "127,638 tokens, and"),
        ("a --prm b", 'a <span class="whole">--prm</span> b'),
        ("<i>,b", "&lt;i&gt;,<wbr>b"),
        ("owner/name", "owner/<wbr>name"),
        ("</b>", "&lt;/b&gt;"),
    ],
)
def test_lines_break_where_they_may(text: str, breaks: str) -> None:
    from planner.report.html import breakable

    assert breakable(text) == breaks
