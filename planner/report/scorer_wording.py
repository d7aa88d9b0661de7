"""The quality of a PRM on a policy's own samples, in sentences; the verdict comes first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.choice.scorer_verdict import vote_note
from planner.report.notes import sentence
from planner.report.wording import count, decimal, finite, plural
from profiling.scorers.rewards import Estimate, Verdict, verdict_of

# Least AUC within problems that is called fair, and good; below, largest expected calibration error
# that is called small, and moderate. These rules of thumb only choose an adjective.
_FAIR_AUC, _GOOD_AUC = 0.6, 0.75
_SMALL_ERROR, _MODERATE_ERROR = 0.05, 0.15


def rewards(statistics: Mapping[str, Any] | None, prm: str | None) -> list[str]:
    """Describe the PRM's quality on this policy's samples; the verdict comes first."""
    if prm is None:
        return ["No PRM is part of this report: only strategies that need none are compared."]
    if statistics is None:
        return [
            f"How well {prm} tells this policy's right answers from its wrong ones was not "
            "measured: expectations of best-of-N and search rest on their runs alone."
        ]
    within, overall = _estimate(statistics, "auc_within"), _estimate(statistics, "auc")
    found = [verdict(statistics)]
    if within is None:
        found.append(
            "No problem had both right and wrong samples, so the AUC within a problem is unknown."
        )
    else:
        mixed = finite(statistics.get("mixed_problems"))
        over = "" if mixed is None else f", over {plural(int(mixed), 'problem')} with both kinds"
        found.append(
            "Within one problem a right sample outscores a wrong one with probability "
            f"{within}{over}."
        )
    found.append(
        "The AUC over all samples is not known: they are all right or all wrong."
        if overall is None
        else f"Over all samples, problems mixed, the AUC is {overall}."
    )
    if (gained := _estimate(statistics, "gain")) is not None:
        found.append(sentence(vote_note(gained, int(statistics["votes_at"]), prm)))
    found.append(_calibration(statistics))
    spread, ties = _estimate(statistics, "spread"), _estimate(statistics, "ties")
    if spread is not None and ties is not None:
        found.append(
            f"Within a problem its scores spread by {decimal(spread.value)} (standard deviation); "
            f"it scores {100 * ties.value:.1f} % of the pairs of a right and a wrong sample alike."
        )
    if (bias := _estimate(statistics, "length_bias")) is not None:
        found.append(_length_bias(bias))
    sizes = [finite(statistics.get(name)) for name in ("samples", "problems", "right")]
    if None not in sizes:
        found.append(
            f"These figures rest on {count(sizes[0])} samples of {count(sizes[1])} problems; "
            f"a share of {decimal(sizes[2])} was right. Their intervals are 95 %, from resampling "
            "whole problems."
        )
    return found


def verdict(statistics: Mapping[str, Any]) -> str:
    """Judge a PRM by its statistics (`RewardStatistics.to_dict()`), in a sentence or two."""
    within, gained = _estimate(statistics, "auc_within"), _estimate(statistics, "gain")
    found = verdict_of(within, gained)
    if found is Verdict.HURTS:
        misleads = within is not None and within.high < 0.5
        return (
            "The PRM misleads: within a problem it scores wrong answers above right ones. "
            "Use majority here."
            if misleads
            else "The PRM hurts: a vote weighted by it is worse than a plain one. "
            "Use majority here."
        )
    if found is Verdict.BLIND:
        overall = _estimate(statistics, "auc")
        told = overall is not None and overall.low > 0.5
        return (
            "The PRM does not tell right from wrong within a problem, as far as these samples show "
            "(the interval includes 0.5): use majority here, and expect search to gain little."
            + (" It tells easy problems from hard ones rather than right from wrong." * told)
        )
    votes = "a vote weighted by it beats a plain one"
    if within is None or within.low <= 0.5:
        return (
            f"How the PRM tells right from wrong within a problem is not clear, but {votes}."
            if found is Verdict.HELPS
            else "Whether the PRM tells right from wrong within a problem cannot be said."
        )
    degree = "well" if within.value >= _GOOD_AUC else "fairly"
    degree = degree if within.value >= _FAIR_AUC else "only weakly"
    lot = "a lot" if within.value >= _GOOD_AUC else "some"
    also = f", and {votes}" if found is Verdict.HELPS else ""
    return (
        f"The PRM tells right from wrong {degree} within a problem{also}: search has {lot} to go "
        "by."
    )


def _length_bias(bias: Estimate) -> str:
    told = (
        "Of two equally correct samples of a problem it "
        f"{'prefers the longer' if bias.value >= 0 else 'prefers the shorter'}"
    )
    if bias.low <= 0 <= bias.high:
        told = "No preference for longer or shorter samples of a problem shows, correctness equal"
    return f"{told}: partial gamma {bias.value:+.3f} [{bias.low:+.3f}, {bias.high:+.3f}]."


def _estimate(statistics: Mapping[str, Any], name: str) -> Estimate | None:
    """Return a statistic; None if any of its numbers is missing."""
    record = statistics.get(name) or {}
    value, low, high = (finite(record.get(part)) for part in ("value", "low", "high"))
    return None if value is None or low is None or high is None else Estimate(value, low, high)


def _calibration(statistics: Mapping[str, Any]) -> str:
    error, brier = finite(statistics.get("calibration_error")), _estimate(statistics, "brier")
    if error is None:
        return "Its calibration is not known."
    if error < _SMALL_ERROR:
        degree = "close to"
    else:
        degree = "some way from" if error < _MODERATE_ERROR else "far from"
    told = (
        f"Its scores are {degree} the share of right answers: expected calibration error "
        f"{decimal(error)}"
    )
    right = finite(statistics.get("right"))
    if brier is not None:
        told += f"; Brier score {brier}"
        if right is not None:
            told += f" (always saying the share right would have {right * (1 - right):.3f})"
    return told + "."
