"""The test-time strategies, as a tagged union of their names and parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, TypeVar, get_args

from executor.answers.voting import Vote
from executor.errors import InputError
from executor.thinking.budget import Thinking
from executor.thinking.formats import find_format

STEP_DELIMITER = "\n\n"
WIDTH = 4  # default number of branches of a beam or subtree
FIRST = 3  # default number of responses that vote in short-m@k
ROUNDS = 3  # default number of rounds of aggregation
SHOWN = 4  # default number of answers that a new one aggregates
_MOST_POWER = 100  # the best of some hundred samples has all votes before that
# Options that strategies have got since their keys were first stored. At these values they are left
# out, so that runs and evidence of before are found again.
_ADDED = {"keep": 1.0, "power": 1.0}

_E = TypeVar("_E", bound=StrEnum)


class Score(StrEnum):
    """A rule that turns the step rewards of a response into one number."""

    MIN = "min"
    LAST = "last"
    MEAN = "mean"
    PROD = "prod"


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling settings of the policy; the defaults are those of arXiv 2502.06703, Sec. 4.1.

    Attributes:
        temperature: temperature of every strategy except greedy, which has 0.
        top_p: nucleus mass.
        max_steps: most steps of a searched response.
        max_step_tokens: most tokens of one searched step.
        max_tokens: most tokens of one response, its thought included.
        thinking: how long a thought may be; None: as long as the policy likes, if it thinks at all.
        thinking_format: name of the format of its thoughts (`executor.thinking.formats`); None: the
            one that the chat template shows.
    """

    temperature: float = 0.7
    top_p: float = 1.0
    max_steps: int = 40
    max_step_tokens: int = 2048
    max_tokens: int = 8192
    thinking: Thinking | None = None
    thinking_format: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.temperature <= 2:
            raise InputError(f"temperature {self.temperature}: must be above 0 and at most 2")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p {self.top_p}: must be above 0 and at most 1")
        for name in ("max_steps", "max_step_tokens", "max_tokens"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}: must be at least 1")
        if self.thinking_format is not None:
            find_format(self.thinking_format)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `from_dict` reads."""
        # Runs are stored by it: a policy that does not think must stay what it was.
        record = {one.name: getattr(self, one.name) for one in fields(self)}
        if self.thinking is not None:
            record["thinking"] = self.thinking.value
        return {name: value for name, value in record.items() if value is not None}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Sampling:
        """Read the JSON object.

        Raises:
            InputError: a value is out of range.
        """
        given = dict(record)
        if given.get("thinking") is not None:
            given["thinking"] = Thinking.read(given["thinking"])
        return cls(**given)


def _is_whole(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool)


def _check_budget(name: str, n: int) -> None:
    if not _is_whole(n) or n < 1:
        raise InputError(f"budget {n!r} for {name}: must be a whole number of at least 1")


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _check_tree(name: str, n: int, width: int) -> None:
    _check_budget(name, n)
    if not isinstance(width, int) or isinstance(width, bool) or width < 2:
        raise InputError(f"width {width!r} for {name}: must be a whole number of at least 2")
    if n % width:
        raise InputError(
            f"budget {n} with width {width} for {name}: the budget must be a multiple of the width"
            f" (for instance {max(1, n // width) * width})"
        )


@dataclass(frozen=True, slots=True)
class Greedy:
    """Greedy decoding: one response at temperature 0 (chain of thought)."""

    name: ClassVar[str] = "greedy"
    needs_prm: ClassVar[bool] = False

    @property
    def n(self) -> int:
        """The budget: one response."""
        return 1


@dataclass(frozen=True, slots=True)
class Majority:
    """Majority vote over `n` samples."""

    n: int
    name: ClassVar[str] = "majority"
    needs_prm: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_budget(self.name, self.n)


@dataclass(frozen=True, slots=True)
class AdaptiveMajority:
    """Majority vote over at most `n` samples that ends when the leading answer is sure enough.

    This is adaptive consistency (arXiv 2305.11860), with its threshold as the default: the
    posterior probability that the leading answer is more likely than the second. Its answer may
    differ from that of all `n` samples, unlike that of a `Majority` that stops early.

    Attributes:
        n: most samples.
        confidence: posterior probability that ends the vote, in (1/2, 1).
    """

    n: int
    confidence: float = 0.95
    name: ClassVar[str] = "adaptive_majority"
    needs_prm: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_budget(self.name, self.n)
        given = self.confidence
        if not _is_number(given) or not 0.5 < given < 1:
            raise InputError(
                f"confidence {given!r} for {self.name}: must be a number above 0.5 and below 1"
            )


@dataclass(frozen=True, slots=True)
class BestOfN:
    """Best of N: a vote over `n` samples that the scorer scored.

    Attributes:
        n: number of samples.
        score: rule that turns step rewards into a sample's score.
        vote: rule that chooses the answer.
        keep: share of the samples that vote, those with the highest scores, in (0, 1]; for votes by
            `majority` and `weighted`. DeepConf (arXiv 2508.15260) keeps 0.1 or 0.9.
        power: power of Borda votes, at least 0; for votes by `borda` (arXiv 2502.18581).
    """

    n: int
    score: Score = Score.LAST
    vote: Vote = Vote.MAX
    keep: float = 1.0
    power: float = 1.0
    name: ClassVar[str] = "best_of_n"
    needs_prm: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_budget(self.name, self.n)
        if not _is_number(self.keep) or not 0 < self.keep <= 1:
            raise InputError(
                f"keep {self.keep!r} for {self.name}: must be a number above 0 and at most 1"
            )
        if not _is_number(self.power) or not 0 <= self.power <= _MOST_POWER:
            raise InputError(
                f"power {self.power!r} for {self.name}: must be a number from 0 to {_MOST_POWER}"
            )
        if self.keep < 1 and self.vote not in (Vote.MAJORITY, Vote.WEIGHTED):
            raise InputError(
                f"keep {self.keep} for {self.name}: does nothing to the vote {self.vote}; expected "
                "the vote weighted or majority"
            )
        if self.power != 1 and self.vote is not Vote.BORDA:
            raise InputError(
                f"power {self.power} for {self.name}: does nothing to the vote {self.vote}; "
                "expected the vote borda"
            )
        object.__setattr__(self, "keep", float(self.keep))  # 1 and 1.0 have one key
        object.__setattr__(self, "power", float(self.power))


@dataclass(frozen=True, slots=True)
class BeamSearch:
    """Beam search over steps: the best `n / width` of `n` beams branch `width` ways each."""

    n: int
    width: int = WIDTH
    score: Score = Score.LAST
    vote: Vote = Vote.WEIGHTED
    name: ClassVar[str] = "beam_search"
    needs_prm: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_tree(self.name, self.n, self.width)


@dataclass(frozen=True, slots=True)
class Dvts:
    """Diverse verifier tree search: `n / width` independent subtrees that keep their best child."""

    n: int
    width: int = WIDTH
    score: Score = Score.LAST
    vote: Vote = Vote.WEIGHTED
    name: ClassVar[str] = "dvts"
    needs_prm: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_tree(self.name, self.n, self.width)


@dataclass(frozen=True, slots=True)
class ParticleFilter:
    """Particle filter: `n` particles take a step each round and are resampled by their scores.

    The defaults are those of the runs of arXiv 2502.01618: temperature 1 and the best particle's
    answer. Its text names the product of step rewards; its ablation and its released runs use the
    PRM's last reward, which did best there and is the default here.

    Attributes:
        n: number of particles.
        softmax_temperature: divisor of the scores' logits before the softmax; below 1 the
            resampling trusts the PRM more, far above 1 not at all.
        score: rule that turns step rewards into a particle's score.
        vote: rule that chooses the answer.
    """

    n: int
    softmax_temperature: float = 1.0
    score: Score = Score.LAST
    vote: Vote = Vote.MAX
    name: ClassVar[str] = "particle_filter"
    needs_prm: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_budget(self.name, self.n)
        given = self.softmax_temperature
        if not _is_number(given) or not 0 < given < math.inf:
            raise InputError(
                f"softmax_temperature {given!r} for {self.name}: must be a number above 0"
            )
        object.__setattr__(self, "softmax_temperature", float(given))  # 1 and 1.0 have one key


@dataclass(frozen=True, slots=True)
class ShortMOfK:
    """Short-m@k: majority vote of the first `m` of `n` samples to finish; the others are cancelled.

    The method is that of Hassid et al., "Don't Overthink it" (arXiv 2505.17813, Sec. 4); its k is
    the budget `n`. Of answers with equally many votes, the one of the shorter response wins.

    Attributes:
        n: samples that are started, k.
        m: samples that vote; the paper's choice is 3, or 1 for the least time.
    """

    n: int
    m: int = FIRST
    name: ClassVar[str] = "short_m_of_k"
    needs_prm: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_budget(self.name, self.n)
        if not _is_whole(self.m) or not 1 <= self.m <= self.n:
            raise InputError(
                f"m {self.m!r} for {self.name} with budget {self.n}: must be a whole number from "
                f"1 to the budget, since m of the started samples vote"
            )


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Recursive self-aggregation: rounds of new answers that are written from old ones.

    The method is that of Venkatraman et al. (arXiv 2509.26626, Sec. 3): in every round each answer
    of the population is written anew by the policy, which reads the question and `shown` answers of
    the round before, drawn without replacement. The last population votes. With one shown answer
    each chain refines itself: self-refinement.

    Attributes:
        n: all generations: the first population, and a new one for every round. So the population
            is `n / (rounds + 1)`.
        rounds: rounds after the first population, T.
        shown: old answers that each new one is written from, K.
    """

    n: int
    rounds: int = ROUNDS
    shown: int = SHOWN
    name: ClassVar[str] = "aggregate"
    needs_prm: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_budget(self.name, self.n)
        for option, value in (("rounds", self.rounds), ("shown", self.shown)):
            if not _is_whole(value) or value < 1:
                raise InputError(
                    f"{option} {value!r} for {self.name}: must be a whole number of at least 1"
                )
        if self.n % (self.rounds + 1) or self.population < self.shown:
            raise InputError(
                f"budget {self.n} for {self.name}: must be a multiple of {self.rounds + 1} "
                f"(a population and {self.rounds} rounds) of at least {self.least} "
                f"({self.shown} answers are shown)"
            )

    @property
    def population(self) -> int:
        """Number of answers in a round."""
        return self.n // (self.rounds + 1)

    @property
    def least(self) -> int:
        """The least budget with these rounds and shown answers."""
        return self.shown * (self.rounds + 1)


Strategy = (
    Greedy
    | Majority
    | BestOfN
    | BeamSearch
    | Dvts
    | ParticleFilter
    | AdaptiveMajority
    | ShortMOfK
    | Aggregate
)
STRATEGIES: Mapping[str, type[Strategy]] = {kind.name: kind for kind in get_args(Strategy)}


def voters(strategy: Strategy) -> int:
    """Return the number of responses among which a strategy's answer is chosen."""
    match strategy:
        case ShortMOfK(m=m):
            return m
        case Aggregate():
            return strategy.population
        case _:
            return strategy.n


# Their scores decide which beginnings of responses go on, so they need a scorer of steps.
STEP_SEARCHES = (BeamSearch, Dvts, ParticleFilter)


def to_dict(strategy: Strategy) -> dict[str, Any]:
    """Return a JSON object that `from_dict` turns back into the same strategy."""
    return {"name": strategy.name, "n": strategy.n} | _options(strategy)


def _options(strategy: Strategy) -> dict[str, Any]:
    return {name: value for name, value in asdict(strategy).items() if value != _ADDED.get(name)}


def from_dict(record: Mapping[str, Any]) -> Strategy:
    """Return the strategy that a JSON object describes.

    Raises:
        InputError: it describes none.
    """
    options = dict(record)
    name = options.pop("name", None)
    kind = STRATEGIES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise InputError(f"strategy {name!r}: must be one of {', '.join(STRATEGIES)}")
    known = {f.name for f in fields(kind)}
    if kind is Greedy and (n := options.pop("n", 1)) not in (1, None):
        raise InputError(f"strategy {name}: its budget n is 1, not {n!r}")
    if unknown := set(options) - known:
        raise InputError(f"strategy {name}: no parameter {', '.join(sorted(unknown))}")
    if "n" in known and "n" not in options:
        raise InputError(f"strategy {name}: the budget n is missing")
    for key, enum in (("score", Score), ("vote", Vote)):
        if key in options:
            options[key] = parse_choice(enum, options[key], f"{key} of {name}")
    return kind(**options)


def parse_choice(enum: type[_E], value: object, what: str) -> _E:
    """Return the member of `enum` called `value`.

    Raises:
        InputError: there is none; the message lists the members.
    """
    try:
        return enum(str(value))
    except ValueError:
        raise InputError(f"{what} {value!r}: must be one of {', '.join(enum)}") from None


def make(name: str, n: int, **options: Any) -> Strategy:
    """Return the strategy called `name` at budget `n`; that of `greedy` is always 1.

    Raises:
        InputError: there is no such strategy, or it has no such option.
    """
    return from_dict({"name": name, **({} if name == Greedy.name else {"n": n}), **options})


def key(strategy: Strategy) -> str:
    """Return one line that names a strategy and its parameters, as in `dvts(n=16,width=4,...)`."""
    options = ",".join(f"{k}={v}" for k, v in _options(strategy).items())
    return f"{strategy.name}({options})" if options else strategy.name


def from_key(text: str) -> Strategy:
    """Return the strategy whose `key` is `text`.

    Raises:
        InputError: it is the key of none.
    """
    match = re.fullmatch(r"(\w+)(?:\((.*)\))?", text)
    if match is None:
        raise InputError(f"strategy {text!r}: must read like name(option=value,...)")
    record: dict[str, Any] = {"name": match[1]}
    for option in filter(None, (match[2] or "").split(",")):
        name, _, value = option.partition("=")
        if name in record:
            raise InputError(f"strategy {text!r}: {name} is given twice; expected once")
        try:
            record[name] = float(value) if "." in value or "e" in value else int(value)
        except ValueError:
            record[name] = value
    return from_dict(record)


def parse_names(text: str) -> list[str]:
    """Read names of strategies from a command line: `all`, or a comma-separated list.

    `all` leaves out `aggregate`, which takes a larger budget than the others and a policy that
    reads more than one question; it must be named.

    Raises:
        InputError: there is no such strategy.
    """
    if text == "all":
        return [name for name in STRATEGIES if name != Aggregate.name]
    names = [name for name in re.split(r"[,\s]+", text) if name]
    if not names:
        raise InputError(f"strategies {text!r}: must be some of {', '.join(STRATEGIES)}, or all")
    for name in names:
        if name not in STRATEGIES:
            raise InputError(f"strategy {name!r}: must be one of {', '.join(STRATEGIES)}, or all")
    return names
