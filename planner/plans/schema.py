"""What the file of a plan must look like, field by field, checked before a plan is made of it.

The records themselves check only what they compute with. A plan may come from anywhere, and a wrong
number in it would show days later: as an answer that costs too much, or as a server that fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from executor.errors import InputError
from executor.problem import MATHS
from executor.strategy import Sampling, from_dict
from planner.choice.constraint import MOST_GENERATIONS
from planner.plans.plan import DEFAULT
from profiling.difficulty.probes import TEXT
from profiling.pass_rate import Difficulty

MOST_SAMPLES = 65_536
"""Most generations of one strategy: more than anybody measured, and less than what never ends."""
_MOST_PROBES = 256
_LARGEST = 1e30  # of any number: squares of it can still be computed with
_MOST_TOKENS = 10_000_000
# pydantic's own words name types of Python.
_EXPECTED = {
    "model_type": "an object", "dict_type": "an object", "list_type": "a list",
    "string_type": "a text", "int_type": "a whole number", "float_type": "a number",
    "bool_type": "true or false", "finite_number": "a finite number",
    "greater_than": "a number above {gt}", "greater_than_equal": "at least {ge}",
    "less_than": "a number below {lt}", "less_than_equal": "at most {le}",
    "too_short": "at least {min_length} entries", "too_long": "at most {max_length} entries",
    "string_too_short": "a text that is not empty",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "a text with {{problem}} in it",
}  # fmt: skip
_SHOWN = 60  # characters of a wrong value in a message


def _strategy(record: object) -> object:
    """Check a strategy by its own rules, which name what is wrong."""
    if isinstance(record, Mapping):
        n = from_dict(record).n
        if n > MOST_SAMPLES:
            raise InputError(f"n is {n}; expected at most {MOST_SAMPLES}")
    return record


Count = Annotated[int, Field(ge=0, le=10**15)]
Size = Annotated[int, Field(ge=1, le=10**18)]
Tokens = Annotated[int, Field(ge=1, le=_MOST_TOKENS)]
Number = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
Amount = Annotated[float, Field(ge=0, le=_LARGEST)]
Positive = Annotated[float, Field(gt=0, le=_LARGEST)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=4096)]
Strategy = Annotated[dict[str, Any], BeforeValidator(_strategy)]
Level = Literal["easy", "medium", "hard", "all"]
LEVELS = ", ".join(get_args(Level))
Numbers = list[Number]


class _Part(BaseModel):
    """A part of the file; other fields than its own are mistakes in writing."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Cost(_Part):
    generated_tokens: Amount | None
    prompt_tokens: Amount | None
    prm_tokens: Amount | None
    flops: Amount | None = None
    seconds: Amount | None = None
    usd: Amount | None = None
    kwh: Amount | None = None
    cached_tokens: Amount | None = 0.0
    prm_cached_tokens: Amount | None = 0.0


class _Estimate(_Part):
    strategy: Strategy
    predicted_accuracy: Share
    interval: Annotated[list[Share], Field(min_length=2, max_length=2)]
    beta: Annotated[list[Positive], Field(min_length=2, max_length=2)]
    cost: _Cost


class _Constraint(_Part):
    budget: Annotated[int, Field(ge=1, le=MOST_GENERATIONS)] | None = None
    max_flops: Positive | None = None
    max_seconds: Positive | None = None
    max_usd: Positive | None = None
    target_accuracy: PositiveShare | None = None
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95


class _Basis(_Part):
    rows: Count = 0
    problems: Count = 0
    prm: Name | None = None
    mix: dict[Level, Count] = {}
    evidence: str = ""
    model: dict[str, Any] | None = None
    routing: dict[str, Any] | None = None


_PLAIN = Sampling()


class _Sampling(_Part):
    temperature: Annotated[float, Field(gt=0, le=2)] = _PLAIN.temperature
    top_p: PositiveShare = _PLAIN.top_p
    max_steps: Tokens = _PLAIN.max_steps
    max_step_tokens: Tokens = _PLAIN.max_step_tokens
    max_tokens: Tokens = _PLAIN.max_tokens
    thinking: Annotated[int, Field(ge=0)] | Literal["free"] | None = None
    thinking_format: str | None = None


class _Turn(_Part):
    user: str
    assistant: str


class _Template(_Part):
    user: Annotated[str, Field(pattern=r"\{problem\}")]
    system: str | None = None
    turns: list[_Turn] = []
    stop: list[Annotated[str, Field(min_length=1)]] = []
    aggregate: str | None = None


class _Quality(_Part):
    log_loss: Amount
    base_log_loss: Amount
    accuracy: Share
    calibration_error: Amount
    coverage: Share
    width: Share
    confusion: Annotated[list[list[Share]], Field(min_length=3, max_length=3)]


class _Head(_Part):
    probes: Annotated[int, Field(ge=0, le=_MOST_PROBES)]
    features: list[str]
    mean: Numbers
    scale: list[Positive]
    weights: list[Numbers]
    intercepts: Numbers
    nominal: Share
    quality: _Quality


class _Classifier(_Part):
    problems: Count
    heads: Annotated[list[_Head], Field(min_length=1)]


class _Stage(_Part):
    probes: Annotated[int, Field(ge=0, le=_MOST_PROBES)]
    options: Annotated[list[Strategy | None], Field(min_length=1)]
    features: list[str]
    mean: Numbers
    scale: list[Positive]
    weights: list[Numbers]
    intercepts: Numbers


class _Chooser(_Part):
    before: _Stage
    after: _Stage
    accuracy: Share
    price: Amount
    problems: Count


class _Shape(_Part):
    layers: Size
    attention_width: Size
    kv_width: Size


class _TokenPrice(_Part):
    name: str
    input: Amount
    output: Amount
    cached: Amount | None = None
    reasoning: Amount | None = None
    date: str = ""
    source: str = ""


class _Device(_Part):
    name: str
    tflops: Positive
    tb_per_second: Positive
    memory_gb: Positive
    watts: Amount
    usd_per_hour: Amount | None = None
    date: str = ""
    source: str = ""
    price_date: str = ""
    price_source: str = ""


class _Assumptions(_Part):
    mfu: PositiveShare
    mbu: PositiveShare
    batch: Positive
    context: Positive
    bytes_per_parameter: Positive


class _Roofline(_Part):
    device: _Device
    devices: Annotated[int, Field(ge=1, le=1_000_000)]
    assumptions: _Assumptions


class _Rates(_Part):
    policy_parameters: Size | None = None
    # A scorer without a model has none.
    prm_parameters: Annotated[int, Field(ge=0, le=10**18)] | None = None
    policy_weights: Size | None = None
    prm_weights: Annotated[int, Field(ge=0, le=10**18)] | None = None
    tokens_per_second: Amount | None = None
    prm_tokens_per_second: Amount | None = None
    usd_per_hour: Amount | None = None
    watts: Amount | None = None
    roofline: _Roofline | None = None
    policy_shape: _Shape | None = None
    prm_shape: _Shape | None = None
    context: Positive | None = None
    policy_price: _TokenPrice | None = None
    prm_price: _TokenPrice | None = None


class _ProbeCost(_Part):
    generated: Amount
    prm: Amount


class _Cloud(_Part):
    points: Annotated[int, Field(ge=2, le=10**15)]
    mean: Numbers
    covariance: list[Numbers]
    farthest: Amount


class _TextCloud(_Cloud):
    features: Annotated[list[str], Field(min_length=len(TEXT), max_length=len(TEXT))]


class _Reference(_Part):
    text: _TextCloud
    estimates: _Cloud | None
    agreement: list[Count]


class _PlanFile(_Part):
    format: str
    version: int
    policy: Name
    prm: Name | None
    entries: dict[Level, _Estimate]
    constraint: _Constraint
    rests_on: _Basis
    sampling: _Sampling
    classifier: _Classifier | None
    chooser: _Chooser | None = None
    domain: Name = MATHS
    template: _Template
    rates: _Rates
    frontier: dict[Level, list[_Estimate]]
    worth_routing: bool
    reference: _Reference | None
    probe_cost: _ProbeCost | None
    alternatives: dict[Level, Annotated[list[_Estimate], Field(min_length=1)]]


assert set(get_args(Level)) == {DEFAULT, *(level.value for level in Difficulty)}


def check_plan_record(record: Any) -> None:
    """Check every field of a plan's record.

    Raises:
        InputError: names the first wrong field by its path, as in `entries.all.beta[0]`.
    """
    try:
        _PlanFile.model_validate(record)
    except ValidationError as error:
        first, *_ = error.errors(include_url=False)
        raise InputError(_sentence(first)) from None


def _sentence(error: Mapping[str, Any]) -> str:
    """Return what pydantic found as "X is Y; expected Z"."""
    kind, location = str(error["type"]), list(error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if location[-1:] == ["[key]"]:
        where = _path(location[:-2])
        return f"{where} has {_shown(error['input'])}; expected a difficulty of {LEVELS}"
    where = _path(location)
    if kind == "missing":
        return f"{where} is missing"
    if kind == "extra_forbidden":
        return f"{where} is no field of a plan; expected none of this name"
    if kind == "value_error":
        return f"{where}: {message}"
    bounds = {
        name: f"{value:g}" if isinstance(value, float) else f"{value:,}"
        for name, value in error.get("ctx", {}).items()
        if isinstance(value, int | float)
    }
    expected = _EXPECTED[kind].format(**bounds) if kind in _EXPECTED else message
    return f"{where} is {_shown(error['input'])}; expected {expected}"


def _path(location: list[int | str]) -> str:
    parts = (f"[{one}]" if isinstance(one, int) else f".{_word(one)}" for one in location)
    return "".join(parts).lstrip(".")


def _word(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][\w-]{0,40}", name, re.ASCII) else _shown(name)


def _shown(value: Any) -> str:
    """Return a value as JSON on one line, cut if it is long."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of more than 20 digits"
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
