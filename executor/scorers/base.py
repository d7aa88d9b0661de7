"""Step scorers: what a strategy needs of them, and what serving a PRM needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from executor.engines.base import EngineCounters
from executor.errors import EngineError
from executor.ledger import Ledger
from executor.models.checkpoint import Checkpoint
from executor.models.tokens import Step, Tokens


class StepScorer(Protocol):
    """A model that scores the steps of a response: a process reward model or a reward head.

    `executor.testing.step_scorer_conformance` tests that an implementation keeps these promises.
    """

    name: str
    """Short name, which evidence goes by."""
    trained_on: frozenset[str]
    """Ids (`executor.problem.question_id`) of its training questions, as far as known."""
    unjudged: int
    """Number of steps so far that ended beyond its context."""

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

    @property
    def lost(self) -> bool:
        """Whether its engine will never answer again, so that another must be loaded."""
        ...

    def counters(self) -> EngineCounters:
        """Return the engine's own token counts since it started."""
        ...

    def close(self) -> None:
        """Release the engine."""
        ...


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
