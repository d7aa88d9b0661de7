"""Tests whether live traffic still looks like the profile that the plan was made from.

Three measures are tested, and none needs a label: the difficulties estimated from the texts of
questions, the texts themselves, and the agreement of the probes of one question. Each measure is
tested on windows of traffic that do not overlap, against the questions of the profile. A window is
called drift if its statistic is above the limit that chance alone exceeds in only one of so many
windows (`FALSE_ALARMS`).

This rate is an average over windows and profiles. All windows of a service share its profile, and
so they share the sampling error of the profile: false alarms come in groups, many with some
profiles and none with most. In any case the chance of a false alarm in m windows is at most m times
the rate. The rate assumes that the means of a window's features are normal. Estimates from the text
are compared with those of the profile's questions, from which the estimator was learnt; so the rate
of `difficulty` is a little less exact than the others.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import chdtri

from planner.notes import Note, NoteCode
from planner.plans.plan import Plan
from planner.plans.reference import Cloud
from planner.runtime.decision import by_text
from profiling.arrays import Floats
from profiling.difficulty.estimator import Estimated
from profiling.difficulty.probes import text_features

WINDOW = 200
# Chance that a window of traffic like the profile's is called drift, by any measure.
FALSE_ALARMS = 0.001
_MIN_EXPECTED = 5.0  # questions in each cell of a chi-square test


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """The test of one measure on one window of traffic.

    Attributes:
        measure: `difficulty`, `text` or `agreement`.
        statistic: distance of the window from the profile.
        limit: the statistic of traffic like the profile's is below it, except for false alarms.
    """

    measure: str
    statistic: float
    limit: float

    @property
    def drifted(self) -> bool:
        """Whether the statistic is above the limit."""
        return self.statistic > self.limit

    def note(self) -> Note:
        """A note for the log."""
        return Note.of(
            NoteCode.TRAFFIC_DRIFTED, measure=self.measure, statistic=self.statistic,
            limit=self.limit,
        )  # fmt: skip


def mean_shift(measure: str, cloud: Cloud, points: Floats, false_alarms: float) -> DriftFinding:
    """Test the mean of a window against the profile's by Hotelling's T-squared.

    See `Cloud.quantile` for the limit.

    Args:
        measure: name of the measure.
        cloud: features of the profile's questions.
        points: features of the window's questions, shape `(questions, dimensions)`.
        false_alarms: chance of an alarm if the window is like the profile.
    """
    statistic = cloud.distance(points.mean(axis=0))
    return DriftFinding(measure, statistic, cloud.quantile(1 - false_alarms, len(points)))


def agreement_shift(
    reference: Sequence[int], live: Sequence[int], false_alarms: float, unknown: int = 0
) -> DriftFinding:
    """Test by Pearson's chi-square that two rows of counts have the same distribution.

    Neighbouring counts are added up until the reference has enough questions in each cell.

    The router does not probe every question, and which ones it probes depends on the question. So
    the probed questions alone are not like the profile's, and the others must not be left out. They
    are distributed such that the statistic is as small as possible: if they had been probed, it
    could not be smaller.

    Args:
        reference, live: number of questions with 0, 1, ... agreeing probes.
        false_alarms: highest chance of an alarm if both have the same distribution.
        unknown: number of further live questions, whose agreement is unknown.

    Returns:
        The finding; statistic and limit are 0 if there are too few questions for the test.
    """
    asked, drawn = sum(reference), sum(live) + unknown
    table = _merged(np.array([reference, live], dtype=np.float64), asked, drawn)
    if table.shape[1] < 2:
        return DriftFinding("agreement", 0.0, 0.0)
    # A column with r questions of the reference and l live ones adds
    # (r / asked - l / drawn)^2 asked drawn / (r + l) to the statistic. This is convex in l, so that
    # the sum is smallest if each question goes to the column where it adds least.
    expected, counted = table

    def parts(counted: Floats) -> Floats:
        gaps = expected / asked - counted / drawn
        return np.asarray(gaps**2 * asked * drawn / (expected + counted))

    for _ in range(unknown):
        counted[np.argmin(parts(counted + 1) - parts(counted))] += 1
    limit = float(chdtri(table.shape[1] - 1, false_alarms))
    return DriftFinding("agreement", float(parts(counted).sum()), limit)


def _merged(table: Floats, asked: int, drawn: int) -> Floats:
    """Add up neighbouring columns until each has `_MIN_EXPECTED` questions of the reference.

    The reference is the first row and has `asked` questions; scaled to `drawn` questions it must
    have enough in each column too.
    """
    least = _MIN_EXPECTED * max(1.0, asked / drawn) if drawn else math.inf
    kept: list[Floats] = []
    open_column = np.zeros(2)
    for column in table.T:
        open_column = open_column + column
        if open_column[0] >= least:
            kept.append(open_column)
            open_column = np.zeros(2)
    if kept:
        kept[-1] = kept[-1] + open_column
    return np.array(kept).T.reshape(2, -1)


@dataclass
class DriftMonitor:
    """Tests windows of traffic for drift; for use in one thread only.

    Args:
        plan: the plan with the profile.
        window: number of questions of a window.
        false_alarms: chance that a window of traffic like the profile's is called drift, over all
            measures (Bonferroni).

    Attributes:
        findings: findings of the last full window, by measure.
    """

    plan: Plan
    window: int = WINDOW
    false_alarms: float = FALSE_ALARMS
    findings: dict[str, DriftFinding] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._texts: deque[Floats] = deque(maxlen=self.window)
        self._far: deque[bool] = deque(maxlen=self.window)
        self._estimates: deque[tuple[float, ...]] = deque(maxlen=self.window)
        self._agreement: deque[int | None] = deque(maxlen=self.window)
        self._seen = 0

    def observe(
        self,
        text: str,
        estimate: Estimated | None,
        agreed: tuple[int, int] | None,
        about: Floats | None = None,
        far: bool | None = None,
    ) -> list[DriftFinding]:
        """Add a question to the window.

        Args:
            text: text of the question.
            estimate: estimate of its difficulty from the text alone; None: it is made here.
            agreed: number of probes in the largest class of equal answers, and number of probes;
                None if it was not probed, or not with the plan's sampling settings.
            about: features of the text; None: they are computed here.
            far: whether the text is far from the profile's; None: it is computed here.

        Returns:
            The findings that are drift, if this question fills a window; else nothing.
        """
        reference = self.plan.reference
        if reference is None:
            return []
        at = text_features(text) if about is None else about
        self._texts.append(at)
        self._far.append(reference.outside(at) if far is None else far)
        estimate = estimate or by_text(self.plan, text, at)
        if estimate is not None:
            self._estimates.append(tuple(estimate.probabilities.values())[:-1])
        whole = agreed is not None and agreed[1] == len(reference.agreement) - 1
        self._agreement.append(agreed[0] if whole and agreed is not None else None)
        self._seen += 1
        if self._seen % self.window:
            return []
        self.findings = {one.measure: one for one in self._test_window()}
        return [one for one in self.findings.values() if one.drifted]

    def _test_window(self) -> list[DriftFinding]:
        reference, each = self.plan.reference, self.false_alarms / 3
        assert reference is not None
        findings = [mean_shift("text", reference.text, np.array(self._texts), each)]
        if reference.estimates is not None:
            points = np.array(self._estimates)
            findings.append(mean_shift("difficulty", reference.estimates, points, each))
        if reference.agreement:
            known = [agreed for agreed in self._agreement if agreed is not None]
            live = np.bincount(known, minlength=len(reference.agreement)).tolist()
            unknown = self.window - len(known)
            findings.append(agreement_shift(reference.agreement, live, each, unknown))
        return findings

    def gauges(self) -> Mapping[str, float]:
        """Return the gauges for Prometheus.

        By measure, the last window's statistic divided by its limit (above 1 is drift);
        `far_from_profile`, the share of questions far from the profile; `agreement_known`, the
        share of questions whose agreement is known (if it is small, `agreement` says little);
        `share_easy`, `share_medium` and `share_hard`, estimated from the texts.
        """
        gauges = {
            name: one.statistic / one.limit if one.limit else 0.0
            for name, one in self.findings.items()
            if math.isfinite(one.limit)
        }
        if self._far:
            gauges["far_from_profile"] = float(np.mean(self._far))
            if self.plan.reference is not None and self.plan.reference.agreement:
                known = [agreed is not None for agreed in self._agreement]
                gauges["agreement_known"] = float(np.mean(known))
        if self._estimates:
            easy, medium = np.mean(self._estimates, axis=0)
            gauges |= {"share_easy": float(easy), "share_medium": float(medium),
                     "share_hard": float(1 - easy - medium)}  # fmt: skip
        return gauges
