"""The page in a real browser, served for real: chosen by keyboard, read as people read it.

Pictures are kept in pytest's folder for temporary files (`--basetemp` says where): look at them.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
from fastapi import Request, Response

from tests.helpers.chromium import BROWSER, Chromium
from tests.helpers.page_sample import POLICY, PRM, page_app
from tests.helpers.serving import serving
from tests.planner.report.test_chromium import CONTRAST, MARKS, TOO_WIDE

pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")

ASKED = f"/?policy={POLICY}&prm={PRM}&budget=16"
_READY = "!!document.querySelector('#figures svg.plot') && !document.querySelector('.stale')"
_TRAFFIC = "document.querySelectorAll('#traffic-body table').length === 4"
_ANSWER = "document.querySelector('#answer-body .card code')?.textContent"
_FOCUS = "document.activeElement.id || document.activeElement.tagName"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(page_app()) as address:
        yield address


@pytest.fixture(scope="module")
def bare() -> Iterator[str]:
    with serving(page_app(plan=False, traffic=False)) as address:
        yield address


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(running: Chromium) -> Chromium:
    running.requests.clear()
    running.complaints.clear()
    return running


def opened(browser: Chromium, address: str, width: int = 1280, **how: bool) -> None:
    """The page with its answer, its figures and its traffic."""
    browser.open(address, width, **how)
    browser.wait(_READY)
    browser.wait(_TRAFFIC)


def recommended(address: str, **asked: Any) -> Any:
    told = httpx.get(
        f"{address}/api/recommend", params={"policy": POLICY, "prm": PRM} | asked, timeout=60
    )
    return told.json()


def focus(browser: Chromium, name: str) -> None:
    """Tab to a control, as whoever has no mouse does."""
    for _ in range(30):
        if browser.ask(_FOCUS) == name:
            return
        browser.press("Tab")
    raise AssertionError(f"{name} cannot be reached by keyboard")


def test_the_plots_are_those_of_the_answer(browser: Chromium, address: str) -> None:
    opened(browser, address + ASKED)
    sections = recommended(address, budget=16)["report"]["sections"]
    told = {
        plot["title"]: sorted(
            (series, point["label"], point["x"], point["y"])
            for series, points in plot["series"].items()
            if series != "Pareto front"
            for point in points
        )
        for plot in sections["curves"]["plots"].values()
    }
    drawn = browser.ask(MARKS)
    seen = {
        plot["title"]: sorted(
            (mark["series"], mark["label"], float(mark["x"]), float(mark["y"]))
            for mark in plot["marks"]
        )
        for plot in drawn
    }
    assert len(told) == 2 and seen == told
    for plot in drawn:
        at = np.array([mark["at"] for mark in plot["marks"]])
        for place, numbers in enumerate(
            (
                np.log([float(mark["x"]) for mark in plot["marks"]]),
                np.array([float(mark["y"]) for mark in plot["marks"]]),
            )
        ):
            slope, start = np.polyfit(numbers, at[:, place], 1)
            assert np.abs(slope * numbers + start - at[:, place]).max() < 0.75, plot["title"]


def test_behind_the_plots_are_tables(browser: Chromium, address: str) -> None:
    opened(browser, address + ASKED)
    tables = recommended(address, budget=16)["report"]["sections"]["costs"]["tables"]
    for name, rows in tables.items():
        seen = browser.ask(
            f"[...document.querySelectorAll('#{name} tbody th code')].map(one => one.textContent)"
        )
        assert seen == [row["strategy"] for row in rows]
    assert browser.ask("document.querySelectorAll('#front-all .tag.first').length") == 1


def test_the_slider_moves_by_arrows_and_the_answer_follows(browser: Chromium, address: str) -> None:
    opened(browser, address + ASKED)
    focus(browser, "budget")
    for keys, budget in (
        (("ArrowLeft", "ArrowLeft"), 4),
        (("ArrowRight", "ArrowRight", "ArrowRight"), 32),
        (("End",), 256),
        (("Home",), 1),
    ):
        browser.press(*keys)
        made = recommended(address, budget=budget)
        front = made["report"]["sections"]["costs"]["tables"]["front-all"]
        (chosen,) = (row["strategy"] for row in front if "recommended" in row.get("marks", ()))
        browser.wait(f"{_ANSWER} === {chosen!r}")
        words = browser.ask("document.getElementById('budget').getAttribute('aria-valuetext')")
        assert words == f"{budget} generation{'s' * (budget > 1)} a problem"
        browser.wait(_READY)
        rings = "[...document.querySelectorAll('[data-chosen=true]')].map(one => one.dataset.label)"
        browser.wait(f"{rings}.every(label => label === {chosen!r})")
        assert browser.ask(_FOCUS) == "budget"
        shown = parse_qs(urlsplit(browser.ask("location.href")).query)
        assert shown["budget"] == [str(budget)]
        # Of what a screen reader is told, the answer comes first.
        said = "document.getElementById('spoken').textContent"
        browser.wait(f"{said}.includes('budget of') && {said}.includes('Predicted accuracy')")
    assert browser.complaints == []


def test_all_is_reached_by_keyboard_and_left_again(browser: Chromium, address: str) -> None:
    """Tab goes through every control in order and out at the end; no place keeps the focus."""
    opened(browser, address + ASKED)
    met: list[str] = []
    for _ in range(40):
        browser.press("Tab")
        at = browser.ask(_FOCUS)
        if at == "BODY":
            break
        met.append(at)
        visible = browser.ask("getComputedStyle(document.activeElement).outlineStyle")
        assert visible != "none", f"{at}: where the focus is cannot be seen"
    controls = ["policy", "prm", "benchmark", "difficulty", "SUMMARY", "target", "budget"]
    assert met[1:8] == controls and {"as-json", "pause"} <= set(met)
    browser.press("Shift+Tab")
    assert browser.ask(_FOCUS) in met[-2:]


def test_every_control_has_a_name(browser: Chromium, address: str) -> None:
    opened(browser, address + ASKED)
    nameless = browser.ask(
        "[...document.querySelectorAll('select, input, textarea')]"
        ".filter(one => !one.labels.length || !one.labels[0].textContent.trim())"
        ".map(one => one.id)"
    )
    assert nameless == []
    described = browser.ask(
        "[...document.querySelectorAll('svg[role=img]')].every(one => "
        "['aria-labelledby', 'aria-describedby'].every(name => "
        "document.getElementById(one.getAttribute(name)).textContent.length > 20))"
    )
    assert described


def test_another_policy_brings_its_own_prms_and_published_ones_have_no_difficulty(
    browser: Chromium, address: str
) -> None:
    opened(browser, address + ASKED)
    browser.ask(
        "(() => { const policy = document.getElementById('policy');"
        "policy.value = 'Qwen2.5-1.5B-Instruct';"
        "policy.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )
    browser.wait("document.getElementById('benchmark').value === 'MATH-500'")
    assert browser.ask("document.getElementById('difficulty').disabled")
    browser.wait(
        "document.getElementById('answer-body').textContent.includes('Predicted accuracy')"
    )
    browser.wait("document.getElementById('figures').textContent.includes('Published rows are')")
    assert browser.complaints == []


def test_a_pasted_problem_chooses_its_difficulty(browser: Chromium, address: str) -> None:
    opened(browser, address + ASKED)
    focus(browser, "difficulty")
    browser.press("Tab", "Enter", "Tab")
    assert browser.ask(_FOCUS) == "text"
    browser.press("a", "Space", "b", "Tab", "Enter")
    browser.wait("document.getElementById('estimated').textContent.includes('Most probably easy')")
    assert browser.ask("document.getElementById('difficulty').value") == "easy"
    browser.wait("document.querySelector('#answer-body h3')?.textContent === 'Easy problems'")
    assert not any("text=" in one for one in browser.requests), "a problem stays out of addresses"
    assert browser.complaints == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("policy=nobody-knows", "Policy nobody-knows: there is no evidence on it"),
        (f"policy={POLICY}&prm=no-such-prm", "PRM no-such-prm: there is no evidence on it"),
    ],
)
def test_what_cannot_be_answered_is_said_in_words(
    browser: Chromium, address: str, tmp_path: Path, query: str, said: str
) -> None:
    browser.open(f"{address}/?{query}", 390)
    browser.wait("!document.getElementById('problem').hidden")
    (tmp_path / "problem-390.png").write_bytes(browser.picture())
    assert browser.ask("document.getElementById('problem').textContent").startswith(said)
    assert browser.ask("document.getElementById('figures').textContent.trim()") == ""
    assert browser.ask(TOO_WIDE) == []


def test_a_target_that_is_none_is_said_and_mended(browser: Chromium, address: str) -> None:
    opened(browser, address + ASKED)
    focus(browser, "target")
    browser.press("1", "4", "0")
    problem = "document.getElementById('problem')"
    browser.wait(f"!{problem}.hidden && {problem}.textContent.includes('140')")
    invalid = "document.getElementById('target').getAttribute('aria-invalid')"
    assert browser.ask(invalid) == "true"
    browser.press("Shift+Home", "5", "0")
    browser.wait(f"{problem}.hidden")
    assert browser.ask(invalid) == "false"
    browser.wait("document.getElementById('answer-body').textContent.includes('with a chance of')")
    browser.wait(_READY)


def test_traffic_is_shown_and_can_be_paused(browser: Chromium, address: str, bare: str) -> None:
    opened(browser, address + ASKED)
    told = browser.ask("document.getElementById('traffic').innerText")
    for shown in (
        "3 running, 1 waiting (64 places), 2 cancelled",
        "1,234",
        "best_of_n",
        "40 %",
        "13.8",
    ):
        assert shown in told
    assert "no longer looks like the profile" in told
    focus(browser, "pause")
    browser.press("Space")
    assert browser.ask("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    before = sum(one.endswith("/api/traffic") for one in browser.requests)
    browser.ask("document.dispatchEvent(new Event('visibilitychange'))")
    assert sum(one.endswith("/api/traffic") for one in browser.requests) == before
    browser.open(bare)
    browser.wait("document.getElementById('traffic-state').textContent.startsWith('No traffic')")


def test_a_key_that_the_browser_sends_is_enough(browser: Chromium) -> None:
    """Browsers ask for a password themselves; that it stands in the address is no hindrance."""
    app, known = page_app(), f"Basic {base64.b64encode(b'me:a-secret-key').decode()}"

    @app.middleware("http")
    async def keyed(request: Request, following: Any) -> Any:
        if request.headers.get("authorization") == known:
            return await following(request)
        return Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="apportion"'})

    with serving(app) as address:
        opened(browser, address.replace("//", "//me:a-secret-key@") + ASKED)
        browser.open("about:blank")
    assert browser.complaints == []


@pytest.mark.parametrize(
    ("width", "how"),
    [(1280, {}), (390, {}), (1280, {"dark": True}), (390, {"dark": True}), (720, {"paper": True})],
    ids=["wide", "narrow", "dark", "dark-narrow", "paper"],
)
def test_nothing_is_wider_than_the_page_and_all_can_be_read(
    browser: Chromium, address: str, tmp_path: Path, width: int, how: dict[str, bool]
) -> None:
    opened(browser, address + ASKED, width, **how)
    picture = browser.picture()
    (tmp_path / f"page-{width}{''.join(how)}.png").write_bytes(picture)
    assert struct.unpack(">II", picture[16:24])[0] == width
    assert browser.ask("document.documentElement.scrollWidth") == width
    assert browser.ask(TOO_WIDE) == []
    assert browser.ask(CONTRAST) >= 4.5


def test_it_prints_on_a_few_sheets(browser: Chromium, address: str, tmp_path: Path) -> None:
    opened(browser, address + ASKED)
    document = browser.printed()
    (tmp_path / "page.pdf").write_bytes(document)
    assert 1 < document.count(b"/Type /Page\n") <= 6


def test_nothing_is_asked_of_anybody_else_and_nothing_is_complained_of(
    browser: Chromium, address: str
) -> None:
    opened(browser, address + ASKED)
    hosts = {urlsplit(one).netloc for one in browser.requests if not one.startswith("data:")}
    assert hosts == {urlsplit(address).netloc}
    assert browser.complaints == []
    # Nor does what somebody might smuggle in run.
    browser.ask(
        "document.body.insertAdjacentHTML('beforeend',"
        '\'<img src="data:," onerror="document.title = 1"><p style="color: red">x</p>\')'
    )
    assert browser.ask("document.title").startswith("apportion")
    assert browser.ask("getComputedStyle(document.body.lastChild).color") != "rgb(255, 0, 0)"
