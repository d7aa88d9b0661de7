"""Scorers: what a strategy needs of them, and what serving a PRM needs to know.

A scorer says how good a response is. One that scores steps (`StepScorer`) can guide a search; one
that scores whole responses (`ResponseScorer`) can only weigh or rank finished samples. Both kinds
declare what they need (`Needs`), so that a caller knows what a score costs before it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

from executor.domains.execution import Execution
from executor.engines.base import EngineCounters
from executor.errors import EngineError, InputError, one_line
from executor.ledger import Ledger
from executor.models.checkpoint import Checkpoint
from executor.models.confidence import TOP_LOGPROBS
from executor.models.tokens import Step, Tokens
from executor.strategy import STEP_SEARCHES, Strategy

Needs = Literal["model", "logprobs", "confidences", "certainty", "executions", "nothing"]
"""What a scorer needs besides the text: a model of its own, whose tokens are charged; the policy's
log-probabilities, which sampling gives anyway; the confidence of each token, for which the policy
must be asked (`executor.models.confidence`); the certainty of the response, which only policies say
that hold a reward head (`executor.models.fused`); executions of the answers, which only some
domains have (`executor.domains.execution`); or nothing."""


class Scorer(Protocol):
    """What all scorers have in common.

    The two kinds add the method that scores, and `scores_steps`, which tells them apart.
    """

    name: str
    """Short name, which evidence goes by."""
    trained_on: frozenset[str]
    """Ids (`executor.problem.question_id`) of its training questions, as far as known."""
    unjudged: int
    """Number of steps so far that ended beyond its context."""

    @property
    def needs(self) -> Needs:
        """What it needs besides the text of a response."""
        ...

    @property
    def lost(self) -> bool:
        """Whether its engine will never answer again, so that another must be loaded."""
        ...

    def counters(self) -> EngineCounters:
        """Return the engine's own token counts since it started; all 0 without an engine."""
        ...

    def close(self) -> None:
        """Release the engine, if it has one."""
        ...


class StepScorer(Scorer, Protocol):
    """A model that scores the steps of a response: a process reward model or a reward head.

    `executor.testing.step_scorer_conformance` tests that an implementation keeps these promises.
    """

    @property
    def scores_steps(self) -> Literal[True]:
        """True."""
        ...

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        """Return rewards in [0, 1] of `steps[start:]`, each given the question and earlier steps.

        A step that ends beyond the scorer's context cannot be judged; its reward is 0, so that no
        response is preferred for it.

        Args:
            question: text of the question.
            steps: all steps of the response so far; none is blank.
            start: index of the first step to score; earlier steps may be in the prefix cache.
            ledger: ledger that all forwarded tokens are charged to.

        Raises:
            EngineError: the engine was lost.
        """
        ...


@dataclass(frozen=True, slots=True)
class WholeResponse:
    """A response as a `ResponseScorer` reads it.

    Attributes:
        text: its text without special tokens.
        token_ids: its tokens, with the end tokens.
        logprob: log-probability of its tokens under the policy, in nats.
        finished: whether the policy ended it; if not, a limit did, and it has no answer.
        confidences: confidence of each token (`executor.models.confidence`), in nats; empty if they
            were not recorded.
        execution: what its answer does on what everybody may see; None without an answer, or if it
            was not executed, which is done for scorers that need it.
        certainty: sum of the certainties of its tokens, in nats (`FusedRows.certainty`); None if
            the policy does not say.
    """

    text: str
    token_ids: tuple[int, ...]
    logprob: float
    finished: bool
    confidences: tuple[float, ...] = ()
    execution: Execution | None = None
    certainty: float | None = None


class ResponseScorer(Scorer, Protocol):
    """A scorer of whole responses; `PlainResponseScorer` gives most of one.

    `executor.testing.response_scorer_conformance` tests that an implementation keeps these
    promises.
    """

    @property
    def scores_steps(self) -> Literal[False]:
        """False."""
        ...

    async def score_responses(
        self, question: str, responses: Sequence[WholeResponse], *, ledger: Ledger
    ) -> list[float]:
        """Return a score in [0, 1] of each response; a better response has a higher one.

        The score of a response does not depend on the others: what is scored together may differ
        from run to run.

        Args:
            question: text of the question.
            responses: different responses to it.
            ledger: ledger that all forwarded tokens are charged to.

        Raises:
            EngineError: the engine was lost.
        """
        ...


AnyScorer = StepScorer | ResponseScorer


async def scores_of_responses(
    scorer: ResponseScorer, question: str, responses: Sequence[WholeResponse], ledger: Ledger
) -> list[float]:
    """Return a scorer's scores of responses, checked: the scorer may be anybody's code.

    Raises:
        InputError: it raises an error, or does not give each response a number from 0 to 1.
        EngineError: its engine was lost.
    """
    try:
        scores = [float(one) for one in
                  await scorer.score_responses(question, responses, ledger=ledger)]  # fmt: skip
    except (InputError, EngineError):
        raise
    except Exception as error:
        raise InputError(
            f"scorer {scorer.name}: fails on a response ({type(error).__name__}: {one_line(error)})"
        ) from error
    if len(scores) != len(responses):
        raise InputError(
            f"scorer {scorer.name}: gave {len(scores)} scores to {len(responses)} responses"
        )
    for score in scores:
        if not 0 <= score <= 1:
            raise InputError(f"scorer {scorer.name}: gave the score {score}; expected 0 to 1")
    return scores


def check_scorer_for(strategy: Strategy, scorer: str | None, *, scores_steps: bool = True) -> None:
    """Check that a scorer can do what a strategy needs.

    Args:
        strategy: the strategy.
        scorer: name of the scorer; None: there is none.
        scores_steps: whether it scores steps and not only whole responses.

    Raises:
        InputError: the strategy needs a scorer and there is none, or it needs scores of steps.
    """
    if not strategy.needs_prm:
        return
    if scorer is None:
        raise InputError(f"strategy {strategy.name} needs a PRM; give one with --prm")
    if isinstance(strategy, STEP_SEARCHES) and not scores_steps:
        raise InputError(
            f"strategy {strategy.name} needs a scorer of steps; {scorer} scores whole responses "
            "only, which is enough for best_of_n"
        )


def top_logprobs_for(asked: int | None, needs: Needs | None) -> int | None:
    """Return what a policy is asked for (`DrawRequest.top_logprobs`).

    Args:
        asked: what the run wants; None: what the scorer needs.
        needs: needs of the run's scorer; None without a scorer.
    """
    return TOP_LOGPROBS if asked is None and needs == "confidences" else asked


class PlainResponseScorer:
    """Base of response scorers without an engine: only a name and `score_response` are missing.

    `docs/add-a-prm.md` shows how a package registers one.
    """

    name: str
    scores_steps: Literal[False] = False
    needs: Needs = "nothing"
    trained_on: frozenset[str] = frozenset()
    unjudged = 0
    lost = False

    def score_response(self, question: str, response: WholeResponse) -> float:
        """Return the score of a response, in [0, 1]."""
        raise NotImplementedError(f"scorer {self.name}: override score_response")

    async def score_responses(
        self, question: str, responses: Sequence[WholeResponse], *, ledger: Ledger
    ) -> list[float]:
        """See `ResponseScorer.score_responses`."""
        return [self.score_response(question, one) for one in responses]

    def counters(self) -> EngineCounters:
        """See `Scorer.counters`: there is no engine."""
        return EngineCounters()

    def close(self) -> None:
        """Do nothing: there is no engine."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A question and steps as a PRM reads them.

    Attributes:
        token_ids: tokens of the question and all steps.
        ends: for each step, the number of tokens up to and including the place where its score is
            read; increasing. Tokens before a place do not depend on the steps after it.
    """

    token_ids: list[int]
    ends: list[int]


class Convention(Protocol):
    """The convention of a kind of PRM: its input, the places of its scores, and vLLM's settings.

    `executor.testing.step_scorer_conformance` tests that an implementation keeps these promises.
    """

    label: ClassVar[str]
    """Name of the kind in messages."""
    trained_on: frozenset[str]
    """See `StepScorer.trained_on`."""

    @classmethod
    def fits(cls, checkpoint: Checkpoint, config: dict[str, Any]) -> bool:
        """Whether a checkpoint with this `config.json` is of the kind; reads no weights."""
        ...

    @classmethod
    def load(cls, checkpoint: Checkpoint, policy_tokens: Tokens) -> Self:
        """Read what a checkpoint holds besides its weights.

        Raises:
            InputError: it cannot be read, or does not fit the policy.
        """
        ...

    def engine_arguments(self) -> dict[str, Any]:
        """Return vLLM's arguments beyond those of every PRM (`executor.scorers.vllm`).

        With them, `classify` returns at the last token of a prompt the probability that the step
        is right, as its only or last value; `token_classify` returns it at every token
        (`at_every_token`).
        """
        ...

    def layout(self, question: str, steps: Sequence[Step]) -> Layout:
        """Return the question and the steps as tokens; no step is blank."""
        ...


@dataclass(frozen=True, slots=True)
class Places:
    """The places where the scores of a solution's new steps are read.

    Attributes:
        token_ids: tokens of the question and the solution.
        asked: places of all new steps, in tokens.
        within: places within the PRM's context.
    """

    token_ids: list[int]
    asked: list[int]
    within: list[int]

    @classmethod
    def from_convention(
        cls, convention: Convention, question: str, steps: Sequence[Step], start: int, longest: int
    ) -> Self:
        """Return the places of `steps[start:]`.

        Raises:
            EngineError: the convention does not find one place per step.
        """
        layout = convention.layout(question, steps)
        if len(layout.ends) != len(steps):
            raise EngineError(
                f"PRM ({convention.label}): {len(steps)} steps have {len(layout.ends)} places"
            )
        asked = layout.ends[start:]
        return cls(layout.token_ids, asked, [end for end in asked if end <= longest])

    @property
    def beyond(self) -> int:
        """Number of steps beyond the context, which cannot be judged."""
        return len(self.asked) - len(self.within)


def classify_last(**calibration: Any) -> dict[str, Any]:
    """Return vLLM's settings for a score at the last token of a prompt."""
    from vllm.config import PoolerConfig

    return {"pooler_config": PoolerConfig(task="classify", pooling_type="LAST", **calibration)}


def at_every_token(arguments: dict[str, Any]) -> dict[str, Any]:
    """Change a convention's engine arguments to scores at all tokens, not only the last."""
    from vllm.config import PoolerConfig

    last = arguments["pooler_config"]
    every = PoolerConfig(
        task="token_classify", pooling_type="ALL",
        logit_mean=last.logit_mean, logit_sigma=last.logit_sigma,
    )  # fmt: skip
    return arguments | {"pooler_config": every}
