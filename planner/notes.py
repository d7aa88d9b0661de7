"""Notes as codes with parameters; `planner.report.notes` words them.

The mathematics says what a reader should know as a `Note`. Programs tell notes apart by their
codes, and no module but `planner.report.notes` makes a sentence of one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

_T = TypeVar("_T")


class NoteCode(StrEnum):
    """A kind of note; the values are stable and appear in JSON documents as `note_codes`."""

    # A choice under a constraint
    TARGET_NOT_REACHED = "target_not_reached"
    BONFERRONI = "bonferroni"
    STRATEGIES_LEFT_OUT = "strategies_left_out"
    BUDGETS_CONSIDERED = "budgets_considered"
    BUDGETS_OF_ALL_ONLY = "budgets_of_all_only"
    INTERVAL_WIDE = "interval_wide"
    FEW_PROBLEMS = "few_problems"
    SHRUNK = "shrunk"
    VOTE_GAIN = "vote_gain"

    # A choice over models
    AGAINST_LARGER = "against_larger"
    MODELS_LEFT_OUT = "models_left_out"
    MODELS_WITHOUT_COST = "models_without_cost"

    # What stands beside the choice
    RUNNER_UP_LESS_ACCURATE = "runner_up_less_accurate"
    RUNNER_UP_AS_GOOD = "runner_up_as_good"
    RUNNER_UP_SURE_ENOUGH = "runner_up_sure_enough"
    RUNNER_UP_SHORT_OF_TARGET = "runner_up_short_of_target"
    RUNNER_UP_LESS_SURE = "runner_up_less_sure"
    CHEAPER = "cheaper"
    MAJORITY_EQUIVALENT = "majority_equivalent"
    MAJORITY_AT_BEST = "majority_at_best"
    MEASUREMENT_CHANGES_NOTHING = "measurement_changes_nothing"
    MEASUREMENT_MAY_CHANGE = "measurement_may_change"

    # The evidence an answer rests on
    BUNDLED_EVIDENCE = "bundled_evidence"
    MODEL_NOT_FITTED_HERE = "model_not_fitted_here"
    MODEL_OUTDATED = "model_outdated"
    IMPORTED_STUDY = "imported_study"
    BENCHMARKS_POOLED = "benchmarks_pooled"
    RUN_ON_TOO_FEW = "run_on_too_few"
    COMPARED_ON_SHARED = "compared_on_shared"
    RUNS_NOT_USED = "runs_not_used"

    # Published figures
    PUBLISHED_FIGURES = "published_figures"
    NOT_PUBLISHED = "not_published"
    GREEDY_NOT_PUBLISHED = "greedy_not_published"
    STRATEGY_NOT_PUBLISHED = "strategy_not_published"
    STRATEGY_PUBLISHED = "strategy_published"
    OUTSIDE_FIGURES = "outside_figures"
    SOURCES_DISAGREE = "sources_disagree"
    NOT_IN_CATALOG = "not_in_catalog"
    PRM_FORMAT_UNKNOWN = "prm_format_unknown"
    SIZE_BEYOND_FIGURES = "size_beyond_figures"
    TOKENS_ASSUMED = "tokens_assumed"
    TOKENS_PUBLISHED = "tokens_published"
    TOKENS_BY_POLICY = "tokens_by_policy"

    # Costs
    NOT_KNOWN_HERE = "not_known_here"
    SECONDS_BY_ROOFLINE = "seconds_by_roofline"
    PRM_SECONDS_UNKNOWN = "prm_seconds_unknown"
    PRICE_BY_HOUR = "price_by_hour"
    PRICE_BY_TOKEN = "price_by_token"

    # Plans
    ROUTED = "routed"
    NOT_ROUTED = "not_routed"
    PROBES_INCLUDED = "probes_included"
    DIFFICULTY_ESTIMATOR = "difficulty_estimator"
    QUESTION_UNLIKE_PROFILE = "question_unlike_profile"

    # Workloads
    DIFFICULTIES_FROM = "difficulties_from"
    LEVEL_WITHOUT_EVIDENCE = "level_without_evidence"
    ROUTES_BY_CHOOSER = "routes_by_chooser"
    PLAN_KNOWN_FOR_ALL_ONLY = "plan_known_for_all_only"
    DIFFICULTIES_NOT_ESTIMATED = "difficulties_not_estimated"
    DIFFICULTIES_ESTIMATED = "difficulties_estimated"
    EQUAL_SHARE_TOO_SMALL = "equal_share_too_small"
    PLAN_OVER_TOTAL = "plan_over_total"
    PLAN_LIMIT_BINDS = "plan_limit_binds"
    AS_NAMED = "as_named"
    AS_NAMED_IMPOSSIBLE = "as_named_impossible"

    # Evaluations and replays
    EVALUATED_ON_BUNDLED = "evaluated_on_bundled"
    DIFFICULTY_FROM_PROFILE = "difficulty_from_profile"
    NOT_REPLAYED_AS_ROUTED = "not_replayed_as_routed"
    HINDSIGHT_BY_LUCK = "hindsight_by_luck"
    SEARCHES_ARE_LIVE = "searches_are_live"
    BUNDLED_SAMPLES = "bundled_samples"
    IMPORTED_SAMPLES = "imported_samples"
    PRM_TRAINED_ON = "prm_trained_on"
    PRM_NOT_NAMED = "prm_not_named"
    GRADED_BY_FILES = "graded_by_files"
    GRADED_HERE = "graded_here"
    FILES_SILENT = "files_silent"

    # Answers to questions
    SECONDS_NOT_PREDICTED = "seconds_not_predicted"
    NOTHING_IN_TIME = "nothing_in_time"
    TIME_RAN_OUT = "time_ran_out"
    ANSWERS_NOT_COMPARED = "answers_not_compared"
    USAGE_UNKNOWN = "usage_unknown"
    FEWER_ANSWERS = "fewer_answers"
    OTHER_TEMPERATURE = "other_temperature"
    TOKENS_CAPPED = "tokens_capped"
    OTHER_TOKEN_LIMIT = "other_token_limit"
    LAST_MESSAGE_ALONE = "last_message_alone"
    STRATEGY_NOT_PREDICTED = "strategy_not_predicted"
    OTHER_TOP_P = "other_top_p"
    JSON_VOTE = "json_vote"
    CONVERSATION_AS_TEXT = "conversation_as_text"
    QUESTION_ALONE = "question_alone"

    # Requests of clients that were written for other servers
    FIELD_WITHOUT_EFFECT = "field_without_effect"
    GREEDY_BY_REQUEST = "greedy_by_request"
    OTHER_MODEL_NAME = "other_model_name"
    RESPONSE_BEGUN = "response_begun"
    TOOL_MESSAGES_AS_TEXT = "tool_messages_as_text"
    TOOLS_NOT_CALLED = "tools_not_called"
    ZERO_TEMPERATURE_ROUTED = "zero_temperature_routed"
    TRAFFIC_DRIFTED = "traffic_drifted"


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that a reader should know, as a code with parameters.

    Attributes:
        code: the kind of note.
        parameters: pairs of a name and a hashable value, sorted by name.
    """

    code: NoteCode
    parameters: tuple[tuple[str, Hashable], ...] = ()

    @classmethod
    def of(cls, code: NoteCode, **parameters: Hashable) -> Note:
        """Make a note from named parameters."""
        return cls(code, tuple(sorted(parameters.items())))

    def __getitem__(self, name: str) -> Any:
        """The value of a parameter; KeyError if the note has none of this name."""
        for known, value in self.parameters:
            if known == name:
                return value
        raise KeyError(f"note {self.code}: has no parameter {name}")

    def get(self, name: str, kind: type[_T]) -> _T:
        """The value of a parameter, checked to be of a type.

        Raises:
            KeyError: the note has no parameter of this name.
            TypeError: the value is of another type.
        """
        value = self[name]
        if not isinstance(value, kind):
            raise TypeError(f"note {self.code}: {name} is {value!r}; expected {kind.__name__}")
        return value

    def text(self, name: str) -> str:
        """A parameter that is text."""
        return self.get(name, str)

    def number(self, name: str) -> float:
        """A parameter that is a number."""
        value = self[name]
        return float(value) if isinstance(value, int) else self.get(name, float)

    def whole(self, name: str) -> int:
        """A parameter that is a whole number."""
        return self.get(name, int)

    def flag(self, name: str) -> bool:
        """A parameter that is true or false."""
        return self.get(name, bool)

    def items(self, name: str) -> tuple[Any, ...]:
        """A parameter that is a tuple."""
        return self.get(name, tuple)


def codes(notes: Iterable[Note]) -> list[str]:
    """The codes of notes in order, for `note_codes` of a JSON document."""
    return [note.code.value for note in notes]
