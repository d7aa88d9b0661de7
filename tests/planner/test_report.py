"""The report page: whole, self-contained, true to its numbers, and safe with hostile names."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from executor.answers import Vote
from executor.errors import InputError
from executor.ledger import Ledger
from executor.strategy import (
    STRATEGIES,
    AdaptiveMajority,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Score,
    Strategy,
    key,
    to_dict,
)
from planner.costs import Cost
from planner.recommend import LEVELS, Choice, Recommendation
from planner.report import ReportData, plots, prm_words, render, words, write
from planner.summary import PairedDifference, RunSummary
from profiling.difficulty import RANGES, Head, Quality

HOSTILE = "</script><script>alert(1)</script><img onerror='x' href=\"//evil\">&amp; $\\frac{"
NAN = float("nan")

STRATEGIES_RUN: list[Strategy] = [
    Greedy(),
    *(Majority(n) for n in (1, 4, 16)),
    *(BestOfN(n, score, Vote.WEIGHTED) for n in (4, 16) for score in (Score.LAST, Score.MIN)),
    BeamSearch(4),
    BeamSearch(16),
    AdaptiveMajority(4),
    ParticleFilter(4, 0.5),
    Dvts(16),
]


def _cells() -> pd.DataFrame:
    """Invented cells of every kind of strategy; no two accuracies of a difficulty are equal."""
    records = []
    for at, difficulty in enumerate(LEVELS):
        for i, strategy in enumerate(STRATEGIES_RUN):
            options = to_dict(strategy)
            mean = 0.2 + 0.15 * at + i / 37
            records.append(
                {
                    "policy": "tiny",
                    "prm": "judge" if strategy.needs_prm else "",
                    "difficulty": difficulty,
                    "strategy": key(strategy),
                    "name": strategy.name,
                    "n": strategy.n,
                    "width": options.get("width", 0),
                    "score": str(options.get("score", "")),
                    "vote": str(options.get("vote", "")),
                    "successes": mean * 20,
                    "problems": 20,
                    "rows": 20,
                    "generated_tokens": 100.0 * strategy.n + i,
                    "prompt_tokens": 50.0,
                    "prm_tokens": 110.0 * strategy.n if strategy.needs_prm else 0.0,
                    "pass_at_1": 0.3,
                    "prm_auc": 0.6,
                    "sources": "replayed" if strategy.name == "majority" else "measured",
                    "mean": mean,
                    "low": mean - 0.1,
                    "high": mean + 0.1,
                }
            )
    return pd.DataFrame(records)


def _choice(strategy: Strategy, accuracy: float, flops: float | None = 2.5e12) -> Choice:
    cost = Cost(1234.0, 50.0, 0.0, flops)
    around = (accuracy - 0.05, accuracy + 0.05)
    return Choice(strategy, accuracy, around, cost, 20, "measured", (5.0, 5.0))


def _estimate(value: float, half: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def _rewards(within: dict[str, float], **changes: Any) -> dict[str, Any]:
    return {
        "auc": _estimate(0.7),
        "auc_within": within,
        "calibration_error": 0.1,
        "brier": _estimate(0.2),
        "problems": 20,
        "mixed_problems": 8,
        "samples": 320,
        "right": 0.3,
    } | changes


def _data(**changes: Any) -> ReportData:
    full = ReportData(
        policy="tiny",
        prm="judge",
        cells=_cells(),
        recommendations=[
            Recommendation(
                level,
                _choice(Dvts(16), 0.5),
                (_choice(Majority(16), 0.48), _choice(Greedy(), 0.1)),
                ("measure more",),
            )
            for level in LEVELS
        ],
        rewards=_rewards(_estimate(0.65)),
        fit={
            "log_loss": 0.4, "base_log_loss": 0.5, "calibration": 0.03, "regret": 0.01,
            "regret_error": 0.004, "problems": 20, "rows": 500, "trials": 12,
        },
        runs=[
            RunSummary("plan", 50, 50, 20, 0.4, (0.28, 0.54), Ledger(generated=5000), 1.0),
            RunSummary("greedy", 50, 50, 10, 0.2, (0.11, 0.33), Ledger(generated=500), 1.0),
        ],
        paired=[PairedDifference("greedy", 0.2, (0.05, 0.35), 50)],
        notes=["nothing else was measured"],
    )  # fmt: skip
    return dataclasses.replace(full, **changes)


class _Page(HTMLParser):
    """Collects what the tests ask for and fails on a tag that is not closed in order."""

    VOID = frozenset({"meta", "br", "wbr", "img", "link", "hr", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self.feed(page)
        self.close()
        assert self.open == [], "these tags were never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
            self.inside.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.inside[tag][-1] += data

    @property
    def record(self) -> dict[str, Any]:
        """The embedded JSON."""
        (text,) = self.inside["script"]
        return json.loads(text)  # type: ignore[no-any-return]

    @property
    def prose(self) -> str:
        """All text a reader sees, white space collapsed."""
        return re.sub(r"\s+", " ", self.inside["body"][0].replace(self.inside["script"][0], ""))


@pytest.fixture(scope="module")
def page() -> str:
    return render(_data())


@pytest.fixture(scope="module")
def parsed(page: str) -> _Page:
    return _Page(page)


def test_page_is_well_formed_and_ids_are_unique(parsed: _Page) -> None:
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_reference_within_the_page_has_its_target(page: str, parsed: _Page) -> None:
    ids = {attrs["id"] for _, attrs in parsed.tags if "id" in attrs}
    used = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    for _, attrs in parsed.tags:
        for name in ("aria-labelledby", "aria-describedby"):
            used |= set((attrs.get(name) or "").split())
    assert used <= ids


def test_nothing_outside_the_page_is_asked_for(page: str) -> None:
    assert not re.search(r"https?://|\bsrc\s*=|@import|url\((?!#)", page)


def test_no_placeholder_colour_or_font_of_the_plots_is_left(page: str) -> None:
    assert not re.search(r"#0102[01]|DejaVu Sans', ", page)


def test_embedded_numbers_are_the_cells(parsed: _Page) -> None:
    assert parsed.record["cells"] == _cells().to_dict("records")


def test_embedded_plot_takes_the_best_variant_at_each_budget(parsed: _Page) -> None:
    line = parsed.record["plots"]["easy"]["by_budget"]["best_of_n"]
    assert [point["strategy"] for point in line] == [
        key(BestOfN(n, Score.MIN, Vote.WEIGHTED)) for n in (4, 16)
    ]


def test_pareto_front_is_what_nothing_cheaper_matches(parsed: _Page) -> None:
    for level in LEVELS:
        points = parsed.record["plots"][level]["by_tokens"]
        for point in points:
            matched = any(
                o["x"] <= point["x"] and o["mean"] >= point["mean"] for o in points if o != point
            )
            assert point["front"] == (not matched), point["strategy"]


@pytest.mark.parametrize("strategy", STRATEGIES_RUN, ids=key)
def test_every_strategy_is_in_the_table_of_every_difficulty(
    parsed: _Page, strategy: Strategy
) -> None:
    tables = [t for t in parsed.inside["table"] if "the most accurate first" in t]
    assert len(tables) == len(LEVELS)
    assert all(key(strategy) in table for table in tables)


def test_best_and_recommended_rows_are_marked_in_words(parsed: _Page) -> None:
    marked = [row for row in parsed.inside["tr"] if "highest accuracy" in row]
    assert len(marked) == len(LEVELS)
    assert all(key(Dvts(16)) in row and "recommended" in row for row in marked)


def test_tables_have_captions_and_scoped_headers(parsed: _Page) -> None:
    assert len(parsed.inside["caption"]) == len(parsed.inside["table"])
    scopes = [attrs.get("scope") for tag, attrs in parsed.tags if tag == "th"]
    assert set(scopes) == {"col", "row"}


def test_plots_have_text_alternatives_with_their_numbers(parsed: _Page) -> None:
    images = [a for tag, a in parsed.tags if tag == "svg" and "aria-hidden" not in a]
    assert len(images) == 2 * len(LEVELS)
    assert all(image["role"] == "img" for image in images)
    texts = parsed.inside["desc"]
    assert len(texts) == len(images)
    assert all(re.search(r"\d\.\d{3}", text) for text in texts)


def test_recommendation_is_told_in_words(parsed: _Page) -> None:
    told = re.sub(r"\s+", " ", parsed.inside["article"][0])
    assert "diverse verifier tree search with 4 subtrees of width 4" in told
    assert "Predicted accuracy 0.500, 90 % interval [0.450, 0.550]." in told
    assert "1,234 generated tokens, no PRM tokens, 2.5×10¹² FLOPs" in told
    assert "also close: majority(n=16) 0.480" in told
    assert "measure more" in told
    assert "also close: greedy" not in told, "its interval ends far below"


def test_same_data_same_bytes(page: str) -> None:
    assert render(_data()) == page


def test_settings_of_the_user_do_not_change_the_page(page: str) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": "x"}):
        assert render(_data()) == page
        assert matplotlib.rcParams["font.size"] == 30


def test_hostile_names_stay_text() -> None:
    cells = _cells()
    cells["policy"] = HOSTILE
    cells.loc[1, "difficulty"] = HOSTILE
    cells.loc[0, ["strategy", "sources"]] = HOSTILE
    runs = [RunSummary(HOSTILE, 3, 3, 1, 1 / 3, (0.1, 0.8), Ledger(), 1.0)]
    recommendation = Recommendation("easy", _choice(Greedy(), 0.5), (), (HOSTILE,))
    hostile = _Page(
        render(
            _data(policy=HOSTILE, prm=HOSTILE, cells=cells, runs=runs, notes=[HOSTILE],
                  recommendations=[recommendation])
        )
    )  # fmt: skip
    assert not {"img"} & {tag for tag, _ in hostile.tags}
    assert len(hostile.inside["script"]) == 1
    assert hostile.record["policy"] == hostile.record["notes"][0] == HOSTILE
    assert any(HOSTILE in note for note in hostile.inside["li"])


def test_a_kind_without_a_style_of_its_own_is_still_drawn() -> None:
    cells = _cells()
    cells.loc[0, "name"] = "newcomer"
    drawn = _Page(render(_data(cells=cells)))
    assert "newcomer" in drawn.record["plots"][LEVELS[0]]["by_budget"]
    assert any("newcomer" in item for item in drawn.inside["li"])


def test_every_kind_differs_in_colour_marker_and_dashes() -> None:
    styles = [plots.STYLES[name] for name in STRATEGIES]
    for aspect in ("colour", "variable", "marker", "dashes"):
        assert len({getattr(style, aspect) for style in styles}) == len(STRATEGIES), aspect


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prm": None, "rewards": None}, "No PRM is part of this report"),
        ({"rewards": None}, "was not measured"),
        ({"fit": None}, "No outcome model was fitted"),
        ({"fit": {"log_loss": NAN, "regret": NAN}}, "Its held-out log loss is not known."),
        ({"runs": []}, "No held-out runs were made"),
        ({"paired": []}, "plan and greedy share no problem that was graded"),
        ({"recommendations": []}, "There is no recommendation for hard problems."),
        ({"cells": _cells().iloc[:0]}, "There is no evidence on hard problems."),
        ({"notes": []}, "Nothing was noted."),
        (
            {"runs": [RunSummary("plan", 2, 0, 0, None, None, Ledger(), 0.0)]},
            "No answer of these runs could be graded",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "-".join(value),
)
def test_missing_parts_are_said_in_words(changes: dict[str, Any], sentence: str) -> None:
    prose = _Page(render(_data(**changes))).prose
    assert sentence in prose
    assert not re.search(r"\b(nan|NaN|None|inf)\b", prose)


@pytest.mark.parametrize(
    ("low", "end"),
    [
        (0.05, "problems)."),
        (-0.05, "problems): these problems do not tell the two apart."),
    ],
)
def test_runs_are_compared_problem_by_problem(low: float, end: str) -> None:
    paired = [PairedDifference("greedy", 0.2, (low, 0.35), 50)]
    prose = _Page(render(_data(paired=paired))).prose
    assert (
        "plan is 0.200 above greedy, for 10.00 times the generated tokens; the difference is "
        f"within [{low:+.3f}, +0.350] (95 %, paired, 50 {end}"
    ) in prose


def test_everything_missing_at_once_is_still_a_page() -> None:
    bare = ReportData("tiny", None, _cells().iloc[:0], [], None, None, [], [], [])
    assert _Page(render(bare)).record["cells"] == []


@pytest.mark.parametrize(
    "columns",
    [["mean", "low", "high"], ["low", "high"], ["generated_tokens"], ["prm_tokens", "prm_auc"]],
    ids="+".join,
)
def test_numbers_that_are_none_are_said_in_words_and_null_in_the_json(columns: list[str]) -> None:
    cells = _cells()
    cells[columns] = NAN
    holes = _Page(render(_data(cells=cells)))
    assert not re.search(r"\bnan\b", holes.prose, re.IGNORECASE)
    assert holes.record["cells"][0][columns[0]] is None


def test_single_cell_is_drawn() -> None:
    one = _Page(render(_data(cells=_cells().iloc[:1])))
    assert len(one.inside["desc"]) == 2


@pytest.mark.parametrize(
    ("within", "verdict"),
    [
        (_estimate(0.52), "does not tell right from wrong within a problem"),
        (_estimate(0.30), "The PRM misleads"),
        (_estimate(0.56), "only weakly"),
        (_estimate(0.65), "fairly"),
        (_estimate(0.85), "well within a problem"),
        (_estimate(NAN), "cannot be said"),
    ],
)
def test_verdict_on_the_prm(within: dict[str, float], verdict: str) -> None:
    assert verdict in prm_words.rewards(_rewards(within), "judge")[0]


def test_all_that_is_known_of_a_prm_is_said() -> None:
    known = {
        "spread": _estimate(0.11), "ties": _estimate(0.25), "votes_at": 16,
        "gain": {"value": 0.03, "low": 0.01, "high": 0.05},
        "length_bias": {"value": -0.2, "low": -0.3, "high": -0.1},
    }  # fmt: skip
    said = " ".join(prm_words.rewards(_rewards(_estimate(0.85), **known), "judge"))
    for part in (
        "well within a problem, and a vote weighted by it beats a plain one",
        "A vote weighted by judge beats a plain one: among 16 samples the difference is +0.030",
        "spread by 0.110", "25.0 % of the pairs", "prefers the shorter: partial gamma -0.200",
    ):  # fmt: skip
        assert part in said


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        ((-0.05, -0.01), "The PRM hurts: a vote weighted by it is worse than a plain one"),
        ((0.01, 0.05), "fairly within a problem, and a vote weighted by it beats a plain one"),
        ((-0.01, 0.05), "fairly within a problem: search has some to go by"),
    ],
)
def test_votes_have_a_say_in_the_verdict(gain: tuple[float, float], verdict: str) -> None:
    low, high = gain
    estimate = {"value": (low + high) / 2, "low": low, "high": high}
    assert verdict in prm_words.verdict(_rewards(_estimate(0.65), gain=estimate))
    unknown = prm_words.verdict(_rewards(_estimate(NAN), gain=estimate))
    assert ("is not clear" in unknown) == (low > 0)


@pytest.mark.parametrize(("probes", "source"), [(0, "the text alone"), (4, "4 samples")])
def test_what_is_known_of_a_question_is_said_with_its_figures(probes: int, source: str) -> None:
    quality = Quality(0.34, 1.007, 0.86, 0.02, 0.91, 0.18, ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    head = Head(probes, (), (), (), ((),) * RANGES, (0.0,) * RANGES, 0.9, quality)
    said = words.difficulty(head)
    assert said.startswith(f"from {source}, without its answer")
    for figure in ("0.86", "0.340", "1.007", "90%", "0.91", "0.18"):
        assert figure in said


def test_model_worse_than_its_base_is_named() -> None:
    assert "no better than" in words.fit({"log_loss": 0.6, "base_log_loss": 0.5})[0]


def test_write_replaces_whole_and_leaves_nothing_else(tmp_path: Path, page: str) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write(_data(), path)
    assert path.read_text(encoding="utf-8") == page
    assert list(tmp_path.iterdir()) == [path]


def test_write_that_fails_keeps_the_old_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write(_data(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_into_a_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        write(_data(), tmp_path / "nowhere" / "report.html")


def test_write_onto_a_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        write(_data(), tmp_path)
