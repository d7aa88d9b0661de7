"""A report's findings in sentences; words, never numbers, stand for missing values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from executor.answers.voting import Vote
from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Score,
    ShortMOfK,
    Strategy,
)
from planner.choice.estimate import StrategyEstimate
from planner.costs.cost import Cost
from planner.evaluation.run_summary import PairedDifference, RunSummary
from planner.prediction.beta import PERCENT
from profiling.pass_rate import ALL

NOT_KNOWN = "not known"

_SCORES = {
    Score.MIN: "lowest step reward",
    Score.LAST: "last step's reward",
    Score.MEAN: "mean step reward",
    Score.PROD: "product of step rewards",
}
_UNITS = {"flops": "FLOPs", "usd": "USD", "kwh": "kWh", "gpu_hours": "GPU-hours"}
_MANY = 1e7  # from here on numbers are written as powers of ten
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def finite(value: Any) -> float | None:
    """Return a finite number; None for None, NaN, infinite numbers and other types."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def decimal(value: Any, digits: int = 3) -> str:
    """`0.412`, or `not known`."""
    number = finite(value)
    return NOT_KNOWN if number is None else f"{number:.{digits}f}"


def count(value: Any) -> str:
    """A whole number with thousands separated, or `not known`."""
    number = finite(value)
    return NOT_KNOWN if number is None else f"{number:,.0f}"


def power(value: Any) -> str:
    """`2.1×10¹²`, or `not known`."""
    number = finite(value)
    if number is None:
        return NOT_KNOWN
    mantissa, exponent = f"{number:.1e}".split("e")
    return f"{mantissa}×10{superscript(int(exponent))}"


def amount(value: Any) -> str:
    """A cost with three digits: `0.0312`, `47.1`, `1,234`, `2.1×10¹²`; or `not known`."""
    number = finite(value)
    if number is None:
        return NOT_KNOWN
    if abs(number) >= _MANY:
        return power(number)
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def superscript(power: int) -> str:
    """`¹²`."""
    return str(power).translate(_SUPERSCRIPTS)


def interval(low: Any, high: Any) -> str:
    """Return `[0.352, 0.471]`, or words if an end is missing."""
    if finite(low) is None or finite(high) is None:
        return "interval not known"
    return f"[{decimal(low)}, {decimal(high)}]"


def sentence(clause: str) -> str:
    """Return a clause with a capital and a full stop; a strategy's key at its start stays."""
    first = clause.split(" ", 1)[0]
    start = clause if "(" in first or "_" in first else clause[:1].upper() + clause[1:]
    return start if start.endswith((".", "!", "?")) else f"{start}."


def unit_words(unit: str) -> str:
    """A unit of cost as people write it."""
    return _UNITS.get(unit, unit)


def times_the(ratio: float | None, unit: str) -> str:
    """A cost as a multiple of the choice's: `1.05 times the FLOPs`; None: both cost nothing."""
    times = "1" if ratio is None else f"{ratio:.3g}"
    if ratio is not None and times == "1":
        times = f"{ratio:.4g}"  # cost may have decided between two that are nearly equal
    return (
        f"the same {unit_words(unit)}" if times == "1" else f"{times} times the {unit_words(unit)}"
    )


def percent(share: float) -> str:
    """A share with up to four digits: `99.38%`."""
    return f"{100 * share:.4g}%"


def listed(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def plural(number: int, noun: str) -> str:
    """`1 problem`, `2,000 problems`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def level(difficulty: str) -> str:
    """A difficulty as a heading."""
    return "All problems together" if difficulty == ALL else f"{difficulty.capitalize()} problems"


def among(*difficulties: str) -> str:
    """Difficulties in the middle of a sentence."""
    named = [one for one in difficulties if one != ALL]
    parts = [f"{', '.join(named)} problems"] * bool(named)
    return " and ".join(parts + ["all problems together"] * (ALL in difficulties))


def strategy(chosen: Strategy) -> str:
    """Describe what a strategy does."""
    match chosen:
        case Greedy():
            return "one answer at temperature 0"
        case Majority(n):
            return "a single sample" if n == 1 else f"a majority vote over {n} samples"
        case BestOfN(n, score, vote):
            among = f" among the best {chosen.keep:.0%}" if chosen.keep < 1 else ""
            power = f" of power {chosen.power:g}" if vote is Vote.BORDA else ""
            return f"{plural(n, 'sample')}, {_pick(score, vote)}{among}{power}"
        case BeamSearch(n, width, score, vote):
            return (
                f"beam search with {plural(n, 'beam')}, each survivor branching {width} ways, "
                f"{_pick(score, vote)}"
            )
        case Dvts(n, width, score, vote):
            return (
                f"diverse verifier tree search with {plural(n // width, 'subtree')} of width "
                f"{width}, {_pick(score, vote)}"
            )
        case AdaptiveMajority(n, confidence):
            return (
                f"at most {plural(n, 'sample')} and a plain majority vote that ends once its "
                f"leader leads with {confidence:.0%} confidence"
            )
        case ShortMOfK(n, m):
            voting = "the first to finish is kept" if m == 1 else f"the first {m} to finish vote"
            return f"{plural(n, 'sample')} side by side, of which {voting}"
        case Aggregate(n, rounds, shown):
            source = "the one before it" if shown == 1 else f"{shown} of the round before"
            return (
                f"{plural(chosen.population, 'answer')} that the policy writes anew in "
                f"{plural(rounds, 'round')}, each from {source}, and a plain majority vote over "
                f"the last ({plural(n, 'generation')} in all)"
            )
        case ParticleFilter(n, temperature, score, vote):
            how = "" if temperature == 1 else f" at softmax temperature {temperature:g}"
            return (
                f"a particle filter with {plural(n, 'particle')}{how}, resampled after every step, "
                f"{_pick(score, vote)}"
            )


def label(chosen: Strategy) -> str:
    """A short name: `best_of_n@64 min/weighted`; options that have their defaults are left out."""
    options = {field.name: getattr(chosen, field.name) for field in fields(chosen)}
    usual = {field.name: field.default for field in fields(chosen)}
    other = {name for name, value in options.items() if name != "n" and value != usual[name]}
    parts = [chosen.name if isinstance(chosen, Greedy) else f"{chosen.name}@{chosen.n}"]
    numbers = (name for name in options if name in other - {"score", "vote"})
    parts += [f"{name[0]}{options[name]:g}" for name in numbers]
    if "score" in other:
        parts.append(f"{options['score']}/{options['vote']}")
    elif "vote" in other:
        parts.append(str(options["vote"]))
    return " ".join(parts)


def _pick(score: Score, vote: Vote) -> str:
    match vote:
        case Vote.MAX:
            return f"the one with the best {_SCORES[score]} kept"
        case Vote.WEIGHTED:
            return f"a vote weighted by the {_SCORES[score]}"
        case Vote.BORDA:
            return f"a Borda vote by the {_SCORES[score]}"
        case Vote.MAJORITY:
            return "a plain majority vote"


def prediction(choice: StrategyEstimate) -> str:
    """Predicted accuracy with its interval."""
    return (
        f"Predicted accuracy {decimal(choice.predicted_accuracy)}, "
        f"{PERCENT} interval {interval(*choice.interval)}."
    )


def cost(expected: Cost) -> str:
    """Return the expected cost of one problem in words; unknown quantities are left out."""
    parts = [f"{count(expected.generated_tokens)} generated tokens"]
    spent = finite(expected.prm_tokens)
    parts.append("no PRM tokens" if spent == 0 else f"{count(spent)} PRM tokens")
    if finite(expected.flops) is not None:
        parts.append(f"{power(expected.flops)} FLOPs")
    if finite(expected.seconds) is not None:
        parts.append(f"{decimal(expected.seconds, 2)} s")
    if finite(expected.usd) is not None:
        parts.append(f"{decimal(expected.usd, 6)} USD")
    return f"Expected cost a problem: {', '.join(parts)}."


def basis(choice: StrategyEstimate) -> str:
    """Return the basis of a choice, as a sentence."""
    return f"It rests on {rests_on(choice)}."


def rests_on(choice: StrategyEstimate) -> str:
    """Return the basis of a choice, for the middle of a sentence."""
    if not choice.problems:
        return "a prediction alone, as nothing of this strategy is known here"
    return f"{plural(choice.problems, 'problem')}, {sources(choice.sources)}"


def sources(joined: Any) -> str:
    """`measured+replayed` in words."""
    return str(joined).replace("+", " and ") if joined else NOT_KNOWN


def runs(found: Sequence[RunSummary], paired: Sequence[PairedDifference]) -> str:
    """Compare the first run with the others, problem by problem."""
    graded = [run for run in found if run.accuracy is not None]
    if not found:
        return "No held-out runs were made: how the plan does on problems not used to choose it "\
            "is not known."  # fmt: skip
    if not graded:
        return "No answer of these runs could be graded, so their accuracy is not known."
    first, *others = graded
    if not others:
        return f"Only {first.name} was graded, so there is nothing to compare it with."
    differences = {one.against: one for one in paired}
    return " ".join(_comparison(first, other, differences.get(other.name)) for other in others)


def _comparison(first: RunSummary, other: RunSummary, paired: PairedDifference | None) -> str:
    tokens = ""
    if other.tokens_per_problem > 0:
        share = first.tokens_per_problem / other.tokens_per_problem
        tokens = f", for {share:.2f} times the generated tokens"
    if paired is None:
        return f"{first.name} and {other.name} share no problem that was graded{tokens}."
    gap, (low, high) = paired.difference, paired.interval
    side = "as accurate as" if gap == 0 else f"{abs(gap):.3f} {'above' if gap > 0 else 'below'}"
    surety = "" if low > 0 or high < 0 else ": these problems do not tell the two apart"
    return (
        f"{first.name} is {side} {other.name}{tokens}; the difference is within "
        f"[{low:+.3f}, {high:+.3f}] (95 %, paired, {plural(paired.problems, 'problem')}){surety}."
    )


def fit(metrics: Mapping[str, Any] | None) -> list[str]:
    """Describe the outcome model's error on held-out problems."""
    if metrics is None:
        return [
            "No outcome model was fitted: predictions are the strategies' own counts, drawn "
            "slightly towards their difficulty's mean."
        ]
    loss, base = finite(metrics.get("log_loss")), finite(metrics.get("base_log_loss"))
    if loss is None:
        found = ["Its held-out log loss is not known."]
    elif base is None or base <= 0:
        found = [f"Its held-out log loss is {loss:.3f} nats; there is none to compare it with."]
    elif loss < base:
        found = [
            f"On held-out problems its log loss is {loss:.3f} nats, against {base:.3f} for always "
            f"predicting the mean accuracy: {100 * (1 - loss / base):.1f} % lower."
        ]
    else:
        found = [
            f"On held-out problems its log loss is {loss:.3f} nats, no better than the {base:.3f} "
            "of always predicting the mean accuracy: trust measured strategies only."
        ]
    error = finite(metrics.get("calibration"))
    found.append(
        "Its calibration is not known."
        if error is None
        else f"Its predictions miss the share right by {error:.3f} on average (expected "
        "calibration error)."
    )
    found.append(_regret(metrics))
    sizes = [finite(metrics.get(name)) for name in ("problems", "rows", "trials")]
    if None not in sizes:
        found.append(
            f"It was tuned in {count(sizes[2])} trials on {count(sizes[1])} rows of "
            f"{count(sizes[0])} problems."
        )
    return found


def _regret(metrics: Mapping[str, Any]) -> str:
    regret, error = finite(metrics.get("regret")), finite(metrics.get("regret_error"))
    if regret is None:
        return "Its regret is not known."
    surety = "standard error not known" if error is None else f"standard error {error:.3f}"
    return (
        f"Strategies it chose were {regret:.3f} ({surety}) less accurate than the best in "
        "hindsight, on problems not used to choose them. (Its settings were chosen on the same "
        "folds; apportion evaluate tunes within each.)"
    )
