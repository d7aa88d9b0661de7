"""The process reward model: what a strategy needs of it, and what serving one needs to know."""

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
    """A step scorer."""

    name: str
    trained_on: frozenset[str]
    """Ids (`executor.problem.question_id`) of questions it was trained on, where that is known."""
    unjudged: int
    """How many steps it was asked for so far that end beyond its context."""

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        """Rewards in [0, 1] of `steps[start:]`, each given the question and the steps before it.

        Steps before `start` were scored earlier; the engine's prefix cache spares what it can.
        All tokens forwarded are charged to `ledger`. A step that ends beyond the PRM's context
        cannot be judged and is worth 0: nothing may be preferred for it.

        Raises:
            EngineError: the engine was lost.
        """
        ...

    @property
    def lost(self) -> bool:
        """Whether its engine will answer nothing any more, so that another must be loaded."""
        ...

    def counters(self) -> EngineCounters:
        """The engine's own token counts since it started."""
        ...

    def close(self) -> None:
        """Release the engine."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """A question and steps as a PRM reads them.

    Attributes:
        token_ids: all of it.
        ends: for each step, how many of the tokens lie up to and with the place where its score is
            read; increasing. Tokens before a place do not depend on the steps after it.
    """

    token_ids: list[int]
    ends: list[int]


class Convention(Protocol):
    """How a kind of PRM expects its input, where its score is read, and how vLLM serves it."""

    label: ClassVar[str]
    """What messages call the kind."""
    trained_on: frozenset[str]
    """See `StepScorer.trained_on`."""

    @classmethod
    def fits(cls, checkpoint: Checkpoint, config: dict[str, Any]) -> bool:
        """Whether a checkpoint with this `config.json` is of the kind; reads no weights."""
        ...

    @classmethod
    def load(cls, checkpoint: Checkpoint, policy_tokens: Tokens) -> Self:
        """What must be known of a checkpoint besides its weights.

        Raises:
            InputError: it cannot be read, or does not fit the policy.
        """
        ...

    def engine_arguments(self) -> dict[str, Any]:
        """vLLM's arguments beyond those of any PRM (`executor.scorers.vllm`).

        With them `classify` yields, at the last token of a prompt, the probability that the step
        is right, as its only or last value; so does `token_classify` at every token
        (`at_every_token`).
        """
        ...

    def layout(self, question: str, steps: Sequence[Step]) -> Layout:
        """The question and the steps as tokens; no step is blank."""
        ...


@dataclass(frozen=True, slots=True)
class Places:
    """Where the scores of a solution's new steps are read.

    Attributes:
        token_ids: the question and the solution.
        asked: the place of every step asked for, in tokens.
        within: those that lie within the PRM's context.
    """

    token_ids: list[int]
    asked: list[int]
    within: list[int]

    @classmethod
    def of(
        cls, convention: Convention, question: str, steps: Sequence[Step], start: int, longest: int
    ) -> Self:
        """The places of `steps[start:]`.

        Raises:
            EngineError: the convention finds another number of places than there are steps.
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
        """How many steps cannot be judged."""
        return len(self.asked) - len(self.within)


def classify_last(**calibration: Any) -> dict[str, Any]:
    """vLLM's settings for a score at the last token of a prompt."""
    from vllm.config import PoolerConfig

    return {"pooler_config": PoolerConfig(task="classify", pooling_type="LAST", **calibration)}


def at_every_token(arguments: dict[str, Any]) -> dict[str, Any]:
    """A convention's arguments of an engine, with scores at all tokens in place of the last."""
    from vllm.config import PoolerConfig

    last = arguments["pooler_config"]
    every = PoolerConfig(
        task="token_classify", pooling_type="ALL",
        logit_mean=last.logit_mean, logit_sigma=last.logit_sigma,
    )  # fmt: skip
    return arguments | {"pooler_config": every}
