"""The page in a real browser: its plots' marks stand where their numbers say, and nothing is cut.

Pictures are kept in pytest's folder for temporary files (`--basetemp` says where): look at them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.report import report
from planner.report.formats import write
from planner.report.html import to_html
from tests.helpers.chromium import BROWSER, Chromium
from tests.helpers.parsed_report import Page
from tests.helpers.report_sample import data

pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")

WIDTHS = (1280, 390)

# Every plot with its marks: what they stand for, and where their middle is on the screen.
MARKS = """
[...document.querySelectorAll('svg.plot')].map(plot => ({
  title: plot.querySelector('title').textContent,
  box: plot.getBoundingClientRect().toJSON(),
  marks: [...plot.querySelectorAll('[data-x]')].map(mark => {
    const box = mark.getBoundingClientRect();
    return {...mark.dataset, at: [box.x + box.width / 2, box.y + box.height / 2]};
  }),
  texts: [...plot.querySelectorAll('text')].map(text => ({
    words: text.textContent, box: text.getBoundingClientRect().toJSON()
  })),
}))
"""
# What is wider than the page, unless it may be scrolled.
TOO_WIDE = """
[...document.body.querySelectorAll('*')]
  .filter(one => !one.closest('.scroll table, svg, details:not([open])'))
  .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(one => one.tagName + ' ' + one.textContent.slice(0, 40))
"""
# The least contrast of a text with what is behind it (WCAG 2.1), of all that is not in a plot.
CONTRAST = """
(() => {
  const parts = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = colour => {
    const [r, g, b] = parts(colour).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = one => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (parts(colour).length === 3) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = [...document.body.querySelectorAll('p, li, th, td, h1, h2, h3, a, span, summary')]
    .filter(one => one.textContent.trim())
    .map(one => {
      const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    });
  return Math.min(...found);
})()
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write(report(data()), path)
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module", params=WIDTHS)
def plots(request: pytest.FixtureRequest, browser: Chromium, path: Path) -> Any:
    browser.open(path, request.param)
    return browser.ask(MARKS)


def test_marks_stand_where_their_numbers_say(plots: Any) -> None:
    """On every axis places on the screen are a straight line of the numbers or their logarithms."""
    assert len(plots) == 10
    for plot in plots:
        x, y = (np.array([float(mark[name]) for mark in plot["marks"]]) for name in "xy")
        at = np.array([mark["at"] for mark in plot["marks"]])
        linear = "score" in plot["title"] or "predicted" in plot["title"]
        for numbers, places, rises in (
            (x if linear else np.log(x), at[:, 0], 1),
            (y, at[:, 1], -1),
        ):
            slope, start = np.polyfit(numbers, places, 1)
            assert slope * rises > 0, plot["title"]
            assert np.abs(slope * numbers + start - places).max() < 0.75, plot["title"]


def test_marks_are_those_of_the_json(plots: Any, path: Path) -> None:
    sections = Page(path.read_text()).record["sections"].values()
    told = {
        plot["title"]: sorted(
            (series, point["label"], point["x"], point["y"])
            for series, points in plot["series"].items()
            if series != "Pareto front"
            for point in points
        )
        for section in sections
        for plot in section["plots"].values()
    }
    seen = {
        plot["title"]: sorted(
            (mark["series"], mark["label"], float(mark["x"]), float(mark["y"]))
            for mark in plot["marks"]
        )
        for plot in plots
    }
    assert seen == told


def test_no_text_of_a_plot_is_cut_or_lies_on_another(plots: Any) -> None:
    for plot in plots:
        inside = plot["box"]
        boxes = [(text["words"], text["box"]) for text in plot["texts"]]
        for words, box in boxes:
            assert inside["left"] - 1 <= box["left"] and box["right"] <= inside["right"] + 1, words
            assert inside["top"] - 1 <= box["top"] and box["bottom"] <= inside["bottom"] + 1, words
        for i, (words, one) in enumerate(boxes):
            for others, two in boxes[i + 1 :]:
                apart = (
                    one["right"] <= two["left"] + 1
                    or two["right"] <= one["left"] + 1
                    or one["bottom"] <= two["top"] + 3
                    or two["bottom"] <= one["top"] + 3
                )
                assert apart, f"{plot['title']}: {words!r} and {others!r}"


@pytest.mark.parametrize(
    ("width", "how"),
    [(1280, {}), (390, {}), (1280, {"dark": True}), (720, {"paper": True})],
    ids=["wide", "narrow", "dark", "paper"],
)
def test_nothing_is_wider_than_the_page_and_all_can_be_read(
    browser: Chromium, path: Path, width: int, how: dict[str, bool]
) -> None:
    browser.open(path, width, **how)
    picture = browser.picture()
    path.with_name(f"report-{width}{''.join(how)}.png").write_bytes(picture)
    assert struct.unpack(">II", picture[16:24])[0] == width
    assert browser.ask(TOO_WIDE) == []
    assert browser.ask(CONTRAST) >= 4.5


def test_dark_is_dark(browser: Chromium, path: Path) -> None:
    browser.open(path, dark=True)
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    browser.open(path, dark=True, paper=True)
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_it_prints_on_a_few_sheets(browser: Chromium, path: Path) -> None:
    browser.open(path)
    document = browser.printed()
    path.with_suffix(".pdf").write_bytes(document)
    assert document.startswith(b"%PDF")
    assert 3 <= document.count(b"/Type /Page\n") <= 12


def test_nothing_but_the_page_is_asked_for_and_no_script_runs(
    browser: Chromium, path: Path, tmp_path: Path
) -> None:
    browser.requests.clear()
    browser.open(path)
    assert set(browser.requests) == {path.resolve().as_uri()}
    # The page's own policy holds even for what somebody might smuggle in.
    smuggled = "<script>document.title = 'run'</script></body>"
    (tmp_path / "page.html").write_text(to_html(report(data())).replace("</body>", smuggled))
    browser.open(tmp_path / "page.html")
    assert browser.ask("document.title") == "apportion: policy with prm"
