"""Whether live traffic still looks like the profile that the plan was made from.

Three things are watched, none of which needs a label: the difficulties that questions' texts
suggest, the texts themselves, and how far the probes of one question agree. Each is tested on
windows of traffic that do not overlap, against the profile's own questions; a window in which it
goes beyond what chance does once in so many windows is drift.

That rate is of one window of one profile, neither of which is known beforehand. The windows of a
service share its profile, and what chance did to that is in all of them: false alarms come
together, many with some profiles and none with most. Whatever they share, in m windows the chance
of any is at most m times the rate. It holds as far as means of a window's features are normal; and
estimates by the text are compared with those of questions that they were learnt from, which says a
little less for them than for others.
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
# The chance that a window of traffic like the profile's is called drift, by any measure.
FALSE_ALARMS = 0.001
_LEAST = 5.0  # expected in each cell of a chi-square test


@dataclass(frozen=True, slots=True)
class Finding:
    """What a window of traffic said of one measure.

    Attributes:
        measure: `difficulty`, `text` or `agreement`.
        statistic: how far it was from the profile.
        limit: what the statistic stays below but for a false alarm.
    """

    measure: str
    statistic: float
    limit: float

    @property
    def drifted(self) -> bool:
        """Whether that is more than chance."""
        return self.statistic > self.limit

    def note(self) -> Note:
        """A note for the log."""
        return Note.of(
            NoteCode.TRAFFIC_DRIFTED, measure=self.measure, statistic=self.statistic,
            limit=self.limit,
        )  # fmt: skip


def mean_shift(measure: str, cloud: Cloud, points: Floats, false_alarms: float) -> Finding:
    """Hotelling's T-squared of a window's mean against the profile's, see `Cloud.quantile`.

    Args:
        measure: its name.
        cloud: the profile's questions.
        points: the window's, shape `(questions, dimensions)`.
        false_alarms: chance of an alarm where both are of one kind.
    """
    statistic = cloud.distance(points.mean(axis=0))
    return Finding(measure, statistic, cloud.quantile(1 - false_alarms, len(points)))


def agreement_shift(
    reference: Sequence[int], live: Sequence[int], false_alarms: float, unknown: int = 0
) -> Finding:
    """Pearson's chi-square test that two rows of counts are of one distribution.

    Neighbouring counts are put together until the reference has enough in each for the test.

    Which questions are probed hangs on what is known of them: those that were not (or less often
    than the profile's) are not left out, for the others alone are not like the profile's. They
    count as would look most like it: had they been probed, the statistic would be no less.

    Args:
        reference, live: how many questions had 0, 1, ... agreeing probes.
        false_alarms: chance of an alarm where both are of one kind, whatever is unknown.
        unknown: further live questions, of which that is not known.

    Returns:
        Statistic and limit, both 0 where too few are there to be tested.
    """
    asked, drawn = sum(reference), sum(live) + unknown
    table = _merged(np.array([reference, live], dtype=np.float64), asked, drawn)
    if table.shape[1] < 2:
        return Finding("agreement", 0.0, 0.0)
    # Each column's part of the statistic, with r of the reference and l live ones in it, is
    # (r / asked - l / drawn)^2 asked drawn / (r + l): convex in l, so that to give one question
    # after another to the column where it adds least makes the sum least.
    expected, counted = table

    def parts(counted: Floats) -> Floats:
        gaps = expected / asked - counted / drawn
        return np.asarray(gaps**2 * asked * drawn / (expected + counted))

    for _ in range(unknown):
        counted[np.argmin(parts(counted + 1) - parts(counted))] += 1
    limit = float(chdtri(table.shape[1] - 1, false_alarms))
    return Finding("agreement", float(parts(counted).sum()), limit)


def _merged(table: Floats, asked: int, drawn: int) -> Floats:
    """Columns put together from the first on, until the reference (the first row, of `asked`) has
    `_LEAST` in each, and would have of `drawn`."""
    least = _LEAST * max(1.0, asked / drawn) if drawn else math.inf
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
class Drift:
    """Watches traffic; not to be shared between threads.

    Args:
        plan: whose profile counts.
        window: questions a test looks at.
        false_alarms: chance that a window of traffic like the profile's is called drift, over all
            measures (Bonferroni).

    Attributes:
        findings: of the last whole window, by measure.
    """

    plan: Plan
    window: int = WINDOW
    false_alarms: float = FALSE_ALARMS
    findings: dict[str, Finding] = field(default_factory=dict)

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
    ) -> list[Finding]:
        """Take in a question.

        Args:
            text: of the question.
            estimate: by its text alone, where that is known already.
            agreed: how many of how many probes were of the largest class of equal answers; None
                where it was not probed, or not with the plan's sampling.
            about: features of its text, where they are known already.
            far: whether it is far from the profile's, where that is known already.

        Returns:
            What was found to have drifted, where a window is full with this question.
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
        self.findings = {one.measure: one for one in self._tested()}
        return [one for one in self.findings.values() if one.drifted]

    def _tested(self) -> list[Finding]:
        reference, each = self.plan.reference, self.false_alarms / 3
        assert reference is not None
        found = [mean_shift("text", reference.text, np.array(self._texts), each)]
        if reference.estimates is not None:
            points = np.array(self._estimates)
            found.append(mean_shift("difficulty", reference.estimates, points, each))
        if reference.agreement:
            known = [agreed for agreed in self._agreement if agreed is not None]
            live = np.bincount(known, minlength=len(reference.agreement)).tolist()
            unknown = self.window - len(known)
            found.append(agreement_shift(reference.agreement, live, each, unknown))
        return found

    def gauges(self) -> Mapping[str, float]:
        """By measure, the last window's statistic over its limit (above 1 is drift); the share of
        questions far from the profile, and of those whose agreement is known (of few `agreement`
        says little); and the mix that texts suggest now."""
        made = {
            name: one.statistic / one.limit if one.limit else 0.0
            for name, one in self.findings.items()
            if math.isfinite(one.limit)
        }
        if self._far:
            made["far_from_profile"] = float(np.mean(self._far))
            if self.plan.reference is not None and self.plan.reference.agreement:
                known = [agreed is not None for agreed in self._agreement]
                made["agreement_known"] = float(np.mean(known))
        if self._estimates:
            easy, medium = np.mean(self._estimates, axis=0)
            made |= {"share_easy": float(easy), "share_medium": float(medium),
                     "share_hard": float(1 - easy - medium)}  # fmt: skip
        return made
